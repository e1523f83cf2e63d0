//! How much there is and how much fits: DSIZ and AVBL (draft-peterson-streamlined-ftp-command-extensions).

use gftp_plugin::rt;

use super::super::answer::{Answer, Outcome, Refusal};
use super::super::session::Session;
use super::super::wire::reply::Reply;
use crate::store::{Item, Kind, Listing, Selection, StoreError};

/// AVBL: for a path that is not there yet, where it would be.
pub async fn avbl(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let path = session.path(argument.unwrap_or_default())?;
    let bytes = session.store(&path, |view, path| view.space(path)).await?;
    Answer::say(213, bytes.into())
}

/// DSIZ: what all files beneath would be to a client that fetched them: each name counts, links do not, and neither
/// does what may not be looked into.
pub async fn dsiz(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let path = session.path(argument.unwrap_or_default())?;
    let selection = Selection { hidden: true, recursive: true, ..Selection::default() };
    let listing = session.store(&path, move |view, path| view.list(path, selection)).await?;
    Ok(Answer::Work(Box::pin(async move {
        let mut sum = Sum { listing, bytes: 0 };
        loop {
            let more;
            (sum, more) = rt::unblock(move || {
                let more = sum.add();
                (sum, more)
            })
            .await;
            if !more.map_err(|e| Refusal::about(&path, e))? {
                return Ok(Reply::new(213, sum.bytes.into()));
            }
        }
    })))
}

/// A tree being measured.
struct Sum {
    listing: Listing,
    bytes: u64,
}

impl Sum {
    /// Adds the next batch of names; false when it was the last.
    fn add(&mut self) -> Result<bool, StoreError> {
        let bytes = &mut self.bytes;
        self.listing.next_batch(|item| {
            if let Item::Entry { entry, .. } = item
                && entry.kind == Kind::File
            {
                // Sparse files may claim more than a number holds.
                *bytes = bytes.saturating_add(entry.size);
            }
        })
    }
}
