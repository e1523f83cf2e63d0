//! What takes long on the server's own disk: RMDA (draft-peterson-streamlined-ftp-command-extensions), COMB, and the
//! copies of SITE CPFR and CPTO. All of it is done in pieces, and stops between two of them when the client does not
//! want it any more.

use gftp_plugin::rt;

use super::super::answer::{Answer, Outcome, Refusal, code_of, reason};
use super::super::journal::{Labour, Subject};
use super::super::session::Session;
use super::super::wire::phrase::{Text, phrase};
use super::super::wire::reply::Reply;
use super::super::wire::words::words;
use crate::store::{Copying, Joining, Removal, Trouble};

/// RMDA: a directory and all that is in it.
pub async fn rmda(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let path = session.path(argument.unwrap_or_default())?;
    let removal = session.store(&path, |view, path| view.remove_tree(path)).await?;
    let tally = removal.tally();
    let note = Labour::Removal.begin(Subject::of(session), &path, &tally);
    Ok(Answer::Work(Box::pin(async move {
        let (_, done) = in_pieces(removal, Removal::step).await;
        let counts = phrase!("files {}, directories {}", tally.files(), tally.directories());
        Ok(note.end(match done {
            Ok(()) => Reply::new(250, phrase!("Removed: {}.", counts)),
            Err(trouble) => troubled(&trouble, phrase!("The rest is left; removed before that: {}.", counts)),
        }))
    })))
}

/// COMB: `COMB "target" "part" …` joins the parts behind what the target holds, and deletes them.
pub async fn comb(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let mut paths = Vec::new();
    for word in words(argument.unwrap_or_default()).unwrap_or_default() {
        paths.push(session.path(&word)?);
    }
    let [target, parts @ ..] = paths.as_slice() else { return Err(comb_usage()) };
    if parts.is_empty() {
        return Err(comb_usage());
    }
    let (view, target, parts) = (session.view()?, target.clone(), parts.to_vec());
    let (count, asked) = (parts.len(), target.clone());
    let joining = rt::unblock(move || view.join(&asked, &parts)).await;
    let joining = joining.map_err(|trouble| Refusal::about(&trouble.path, trouble.error))?;
    let tally = joining.tally();
    let note = Labour::Join.begin(Subject::of(session), &target, &tally);
    let durable = session.shared.durable;
    Ok(Answer::Work(Box::pin(async move {
        let (joining, done) = in_pieces(joining, move |joining: &mut Joining| joining.step(durable)).await;
        Ok(note.end(match (done, joining.parts_kept()) {
            (Ok(()), 0) => Reply::new(250, phrase!("Joined {} parts: {} bytes.", count, tally.bytes())),
            (Ok(()), kept) => Reply::new(
                250,
                phrase!("Joined {} parts: {} bytes. Parts that could not be deleted: {}.", count, tally.bytes(), kept),
            ),
            (Err(trouble), _) => troubled(&trouble, phrase!("Nothing was changed.")),
        }))
    })))
}

fn comb_usage() -> Refusal {
    Refusal::say(501, phrase!("Use: COMB \"<target>\" \"<part>\" …, the names in quotes."))
}

/// SITE CPFR: what SITE CPTO will copy.
pub async fn cpfr(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let path = session.path(argument.unwrap_or_default())?;
    session.store(&path, |view, path| view.exists_for_copy(path)).await?;
    session.copying = Some(path);
    Answer::say(350, phrase!("Now SITE CPTO with the name of the copy."))
}

/// SITE CPTO.
pub async fn cpto(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let Some(from) = session.copying.take() else {
        return Err(Refusal::say(503, phrase!("Send SITE CPFR first, and SITE CPTO right after it.")));
    };
    let to = session.path(argument.unwrap_or_default())?;
    let copying = session.store(&to, move |view, to| view.copy(&from, to)).await?;
    let tally = copying.tally();
    let note = Labour::Copy.begin(Subject::of(session), &to, &tally);
    let durable = session.shared.durable;
    Ok(Answer::Work(Box::pin(async move {
        let (_, done) = in_pieces(copying, move |copying: &mut Copying| copying.step(durable)).await;
        let (files, directories, bytes) = (tally.files(), tally.directories(), tally.bytes());
        let counts = phrase!("files {}, directories {}, bytes {}", files, directories, bytes);
        Ok(note.end(match (done, tally.left_out()) {
            (Ok(()), 0) => Reply::new(250, phrase!("Copied: {}.", counts)),
            (Ok(()), left) => Reply::new(
                250,
                phrase!("Copied: {}. Left out, as links that lead outside and what is no file: {}.", counts, left),
            ),
            (Err(trouble), _) => troubled(&trouble, phrase!("Copied before that: {}.", counts)),
        }))
    })))
}

/// What a piece of work stumbled over, and what came of the rest.
fn troubled(trouble: &Trouble, rest: Text) -> Reply {
    let text = phrase!("{}: {}. {}", trouble.path.absolute(), reason(&trouble.error), rest);
    Reply::new(code_of(&trouble.error), text)
}

/// Takes step after step until there are none left, each as one bounded piece on the pool.
async fn in_pieces<Job: Send + 'static>(
    mut job: Job,
    step: impl Fn(&mut Job) -> Result<bool, Trouble> + Copy + Send + 'static,
) -> (Job, Result<(), Trouble>) {
    loop {
        let more;
        (job, more) = rt::unblock(move || {
            let more = step(&mut job);
            (job, more)
        })
        .await;
        match more {
            Ok(true) => {}
            Ok(false) => return (job, Ok(())),
            Err(trouble) => return (job, Err(trouble)),
        }
    }
}
