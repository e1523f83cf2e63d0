//! Joining files into one, in bounded steps: the parts go behind what stands under the target's name, the whole appears
//! there in one step, and only then the parts go.

use super::super::error::{StoreError, Trouble};
use super::super::path::VirtualPath;
use super::super::portion::Portion;
use super::super::resolve::{Place, is_link};
use super::super::rights::Rights;
use super::super::sys;
use super::super::tally::Tally;
use super::super::upload::{Base, How, Published, Stamp, Upload};
use super::{View, need, to_delete, to_read};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// Parts joined at once. Clients that upload in parts have about ten.
pub const MAX_PARTS: usize = 256;

/// Files being joined. Dropping it leaves target and parts as they were.
pub struct Joining {
    view: View,
    target: VirtualPath,
    upload: Option<Upload>,
    /// What is being copied.
    at: Option<Portion>,
    /// What is to be copied.
    ahead: VecDeque<Part>,
    /// What was copied, to be deleted.
    done: VecDeque<Part>,
    tally: Arc<Tally>,
    kept: u64,
}

/// A part as it was when the work began.
struct Part {
    path: VirtualPath,
    stamp: Stamp,
}

impl View {
    /// Begins to join `parts`, in their order, behind what `target` holds, if it is there. The parts are deleted when
    /// the target is whole. Needs `read`, `write` and `delete`.
    pub fn join(&self, target: &VirtualPath, parts: &[VirtualPath]) -> Result<Joining, Trouble> {
        let about = |path: &VirtualPath| {
            let path = path.clone();
            move |error: StoreError| Trouble { path, error }
        };
        if !self.rules.are_by_place() {
            to_join(self.rights()).map_err(about(target))?;
            to_delete(self.rights()).map_err(about(target))?;
        }
        if parts.len() > MAX_PARTS {
            return Err(about(target)(StoreError::TooMany { what: "parts", limit: MAX_PARTS }));
        }
        // First what is there, which asks for more than to write.
        let (standing, base) = self.standing(target).map_err(about(target))?;
        let upload = self.upload(target, How::Replace).map_err(about(target))?;
        let upload = Upload { base, ..upload };
        let mut known: HashSet<_> = standing.iter().map(|standing| standing.stamp.identity()).collect();
        let mut ahead = VecDeque::new();
        for path in parts {
            let stamp = self.part(path).map_err(about(path))?.stamp;
            if !known.insert(stamp.identity()) {
                let why = StoreError::BadName("the target and the parts must be different files");
                return Err(about(path)(why));
            }
            ahead.push_back(Part { path: path.clone(), stamp });
        }
        let (view, target, upload) = (self.clone(), target.clone(), Some(upload));
        Ok(Joining { view, target, upload, at: standing, ahead, done: VecDeque::new(), tally: Arc::default(), kept: 0 })
    }

    /// What stands under the target's name, and what must still stand there in the end.
    fn standing(&self, target: &VirtualPath) -> Result<(Option<Portion>, Base), StoreError> {
        match self.place_followed(target, to_join)? {
            None => Err(StoreError::IsDirectory),
            Some(Place { stat: None, .. }) => Ok((None, Base::Free)),
            Some(place) => {
                let portion = Portion::of(sys::open_at(&place.directory, &place.name, sys::READ_FILE)?)?;
                let base = Base::File(portion.stamp);
                Ok((Some(portion), base))
            }
        }
    }

    /// A part, opened: no link, because the name is to be deleted, and where it can be.
    fn part(&self, path: &VirtualPath) -> Result<Portion, StoreError> {
        let right = |rights: Rights| to_read(rights).and_then(|()| to_delete(rights));
        let place = self.place(path, right)?.ok_or(StoreError::IsDirectory)?;
        match place.stat {
            None => Err(StoreError::NotFound),
            Some(stat) if is_link(&stat) => Err(StoreError::NotRegular),
            Some(_) => {
                // Better no join than one whose parts stay, and are joined once more.
                sys::may_write(&place.directory, b".")?;
                Portion::of(sys::open_at(&place.directory, &place.name, sys::READ_FILE)?)
            }
        }
    }
}

/// What is done with the target: it is read and written anew.
fn to_join(rights: Rights) -> Result<(), StoreError> {
    to_read(rights)?;
    need(rights.write, "write")
}

impl Joining {
    /// What was copied so far: the bytes that the target will have.
    pub fn tally(&self) -> Arc<Tally> {
        self.tally.clone()
    }

    /// Parts that could not be deleted after they were joined.
    pub fn parts_kept(&self) -> u64 {
        self.kept
    }

    /// Goes on; false once the target is whole and the parts are gone.
    pub fn step(&mut self, durable: bool) -> Result<bool, Trouble> {
        if let (Some(upload), Some(portion)) = (&mut self.upload, &mut self.at) {
            match portion.pour(upload) {
                Ok(Some(bytes)) => self.tally.add_bytes(bytes),
                Ok(None) => self.at = None,
                Err(error) => return Err(self.trouble(error)),
            }
            return Ok(true);
        }
        if let Some(part) = self.ahead.pop_front() {
            self.at = Some(self.unchanged(&part)?);
            self.done.push_back(part);
            return Ok(true);
        }
        if let Some(upload) = self.upload.take() {
            self.publish(upload, durable)?;
            // In the same step: whoever aborts between the two, and joins again, would have the parts twice.
            while let Some(part) = self.done.pop_front() {
                self.delete(&part);
            }
        }
        Ok(false)
    }

    fn publish(&self, upload: Upload, durable: bool) -> Result<Published, Trouble> {
        // Added to while they were read: what is joined would lack what came, and what came would be deleted.
        for part in &self.done {
            self.unchanged(part)?;
        }
        let published = if durable { upload.publish_durably() } else { upload.publish() };
        published.map_err(|error| Trouble { path: self.target.clone(), error })
    }

    /// A part, opened, if it is what it was when the work began.
    fn unchanged(&self, part: &Part) -> Result<Portion, Trouble> {
        let portion = self.view.part(&part.path).and_then(|portion| match portion.stamp == part.stamp {
            true => Ok(portion),
            false => Err(StoreError::ChangedMeanwhile),
        });
        portion.map_err(|error| Trouble { path: part.path.clone(), error })
    }

    /// A part that is no longer what was joined is nobody's to delete.
    fn delete(&mut self, part: &Part) {
        match self.unchanged(part).is_ok() && self.view.delete(&part.path).is_ok() {
            true => self.tally.file(),
            false => self.kept += 1,
        }
    }

    /// The trouble with the part at hand, or with the target.
    fn trouble(&self, error: StoreError) -> Trouble {
        let path = self.done.back().map_or(&self.target, |part| &part.path);
        Trouble { path: path.clone(), error }
    }
}
