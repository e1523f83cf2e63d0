//! The ledger of a home: how much lies in it, and how much is on its way into it. In memory only; counted by a walk when
//! it is first needed, kept right by every change that this server makes, and counted anew now and then, since others may
//! change a tree too. It refuses to know sessions, and how a change is made.

use super::error::StoreError;
use super::rules::Quota;
use super::sys::{self, Identity, Stat};
use super::temporary::is_temporary;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A count older than this is made anew when it is next needed: what others put there is found after so long.
pub(super) const RECOUNT_AFTER: Duration = Duration::from_secs(10 * 60);
/// Before room is refused it is counted anew, if the last count is older than this: others may have made room.
const DOUBT_AFTER: Duration = Duration::from_secs(5);
/// Counting may take this part of the time at most, however large the tree.
const SHARE: u32 = 50;
/// Counts that are tried beside the work before one holds it up.
const QUIET_TRIES: u32 = 2;

/// How much lies in one home.
pub(super) struct Ledger {
    /// The home, in the host's tree.
    home: PathBuf,
    identity: Identity,
    books: Mutex<Books>,
    /// Told when a count has ended.
    counted: Condvar,
}

/// What a change did to the tree.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Change {
    /// What is there now and was not: bytes, and files.
    pub(super) came: (u64, u64),
    /// What was there: bytes, files, and which file it was.
    pub(super) went: Option<(u64, u64, Identity)>,
}

/// An upload on its way: bytes and names that it will bring, and what it will replace.
#[derive(Default)]
pub(super) struct Held {
    bytes: u64,
    files: u64,
    /// The file that it is to replace, and its bytes: so many cost nothing, since they will go.
    credit: Option<(Identity, u64)>,
}

#[derive(Default)]
pub(super) struct Books {
    /// When the tree was last counted, and how long that took.
    counted: Option<(Instant, Duration)>,
    /// Somebody counts it, beside the work of all others.
    counting: bool,
    /// Others were seen to change the tree.
    stale: bool,
    /// Changes so far.
    changes: u64,
    bytes: u64,
    files: u64,
    held: HashMap<u64, Held>,
    held_bytes: u64,
    held_files: u64,
}

/// What of a quota is used, and what is allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Usage {
    /// Bytes that lie in the home, or are on their way into it.
    pub bytes: u64,
    /// Files, directories and links.
    pub files: u64,
    /// How much there may be.
    pub quota: Quota,
}

impl Usage {
    /// Bytes for which there is room; none if they are not bounded.
    pub fn room(&self) -> Option<u64> {
        self.quota.bytes.map(|most| most.saturating_sub(self.bytes))
    }
}

impl Change {
    /// Something of that size has come.
    pub(super) fn came(bytes: u64) -> Self {
        Change { came: (bytes, 1), went: None }
    }

    /// What bore a name has gone.
    pub(super) fn went(stat: &Stat) -> Self {
        Change { came: (0, 0), went: Some((bytes_of(stat), 1, sys::identity(stat))) }
    }
}

/// What a thing counts: its bytes if it is a file.
pub(super) fn bytes_of(stat: &Stat) -> u64 {
    if sys::kind(stat) == sys::FileType::RegularFile { sys::size(stat) } else { 0 }
}

impl Held {
    fn net(&self) -> u64 {
        self.bytes.saturating_sub(self.credit.map_or(0, |(_, bytes)| bytes))
    }
}

impl Ledger {
    pub(super) fn new(home: PathBuf, identity: Identity) -> Self {
        Ledger { home, identity, books: Mutex::default(), counted: Condvar::new() }
    }

    pub(super) fn is_of(&self, home: &Path, identity: Identity) -> bool {
        self.home == home && self.identity == identity
    }

    /// Whether what lies at `path` lies in this home.
    pub(super) fn holds(&self, path: &Path) -> bool {
        path.starts_with(&self.home)
    }

    /// Whether this home lies at `path` or beneath it.
    pub(super) fn lies_in(&self, path: &Path) -> bool {
        self.home.starts_with(path)
    }

    /// Length of the home's path: the outer ledger is locked before the inner.
    pub(super) fn depth(&self) -> usize {
        self.home.as_os_str().len()
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the tree if it was not, or not for long; with `doubt`, if it could be wrong at all. Where somebody does already, only who
    /// doubts waits for that.
    pub(super) fn refresh(&self, doubt: bool) -> Result<(), StoreError> {
        for attempt in 0..=QUIET_TRIES {
            let mut books = self.books();
            while books.counting && doubt {
                books = self.counted.wait(books).unwrap_or_else(PoisonError::into_inner);
            }
            if books.counting || !books.is_due(doubt) {
                return Ok(());
            }
            // The first time nothing is known, and whoever would change something waits. Later the work goes on, and the
            // count is good if nothing was changed meanwhile.
            if books.counted.is_none() || attempt == QUIET_TRIES {
                let began = Instant::now();
                let (bytes, files) = self.count()?;
                books.take_over(bytes, files, began);
                return Ok(());
            }
            if self.count_beside(books)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Counts while the work goes on; whether that was good.
    fn count_beside(&self, mut books: MutexGuard<'_, Books>) -> Result<bool, StoreError> {
        let (began, changes) = (Instant::now(), books.changes);
        books.counting = true;
        drop(books);
        let counting = Counting(self);
        let (bytes, files) = self.count()?;
        let mut books = self.books();
        let is_good = books.changes == changes;
        if is_good {
            books.take_over(bytes, files, began);
        }
        drop(books);
        drop(counting);
        Ok(is_good)
    }

    /// Bytes and names in the home; uploads on their way are none of them. What cannot be looked into counts as a name.
    fn count(&self) -> Result<(u64, u64), StoreError> {
        let (mut bytes, mut files) = (0_u64, 0_u64);
        let tree = walkdir::WalkDir::new(&self.home).follow_links(false).into_iter();
        let mut tree = tree.filter_entry(|entry| {
            let own = !is_temporary(entry.file_name().as_bytes());
            own && !(entry.file_type().is_dir() && sys::is_kernel_made_path(entry.path()))
        });
        // The home itself. It may have been moved away, and what stands there now be another's.
        let top = tree.next().and_then(Result::ok).and_then(|top| top.metadata().ok());
        let is_it = |top: &std::fs::Metadata| (top.dev(), top.ino()) == (self.identity.device, self.identity.inode);
        if !top.as_ref().is_some_and(is_it) {
            return Err(StoreError::ChangedMeanwhile);
        }
        for entry in tree.flatten() {
            files += 1;
            if entry.file_type().is_file() {
                bytes = bytes.saturating_add(entry.metadata().map_or(0, |data| data.len()));
            }
        }
        Ok((bytes, files))
    }

    /// What is used of it, freshly looked at.
    pub(super) fn usage(&self, quota: Quota) -> Result<Usage, StoreError> {
        self.refresh(false)?;
        let books = self.books();
        Ok(Usage { bytes: books.all_bytes(), files: books.all_files(), quota })
    }

    /// Does what `work` does to the books once they have been counted; what it refuses is tried again if they may be wrong.
    pub(super) fn within<T>(&self, mut work: impl FnMut(&mut Books) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.refresh(false)?;
        match work(&mut self.books()) {
            Err(StoreError::OverQuota { .. }) => {}
            done => return done,
        }
        self.refresh(true)?;
        work(&mut self.books())
    }
}

/// Somebody counts, for as long as he does.
struct Counting<'a>(&'a Ledger);

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        self.0.books().counting = false;
        self.0.counted.notify_all();
    }
}

impl Books {
    fn is_due(&self, doubt: bool) -> bool {
        let Some((at, took)) = self.counted else { return true };
        let age = at.elapsed();
        let rest = if doubt || self.stale { DOUBT_AFTER } else { RECOUNT_AFTER };
        age >= rest.max(took * SHARE)
    }

    fn take_over(&mut self, bytes: u64, files: u64, began: Instant) {
        (self.bytes, self.files, self.stale) = (bytes, files, false);
        self.counted = Some((Instant::now(), began.elapsed()));
    }

    #[cfg(test)]
    pub(super) fn age(&mut self, by: Duration) {
        self.counted = self.counted.and_then(|(at, took)| Some((at.checked_sub(by)?, took)));
    }

    /// Bytes and names, what is on its way with them.
    #[cfg(test)]
    pub(super) fn totals(&self) -> (u64, u64) {
        (self.all_bytes(), self.all_files())
    }

    fn all_bytes(&self) -> u64 {
        self.bytes.saturating_add(self.held_bytes)
    }

    fn all_files(&self) -> u64 {
        self.files.saturating_add(self.held_files)
    }

    /// Whether there is room for so much more.
    pub(super) fn check(&self, quota: Quota, bytes: u64, files: u64) -> Result<(), StoreError> {
        let over = |most: Option<u64>, there: u64, more: u64| {
            most.filter(|most| more > 0 && there.checked_add(more).is_none_or(|all| all > *most))
        };
        if let Some(limit) = over(quota.bytes, self.all_bytes(), bytes) {
            return Err(StoreError::OverQuota { what: "bytes", limit });
        }
        match over(quota.files, self.all_files(), files) {
            Some(limit) => Err(StoreError::OverQuota { what: "files and folders", limit }),
            None => Ok(()),
        }
    }

    /// Others have changed the tree in a way that was not counted.
    pub(super) fn doubt(&mut self) {
        self.stale = true;
    }

    /// Notes what a change has done.
    pub(super) fn settle(&mut self, change: Change) {
        self.changes += 1;
        if let Some((bytes, files, identity)) = change.went {
            self.bytes = self.bytes.saturating_sub(bytes);
            self.files = self.files.saturating_sub(files);
            // Whoever was to replace it will not, and frees nothing. One of another size had the number of a file that is
            // long gone, and its upload is looked at when it is published.
            let lost = self.held.iter().find(|(_, held)| held.credit == Some((identity, bytes)));
            if let Some(id) = lost.map(|(id, _)| *id) {
                self.alter(id, |held| held.credit = None);
            }
        }
        self.bytes = self.bytes.saturating_add(change.came.0);
        self.files = self.files.saturating_add(change.came.1);
    }

    /// An upload begins, to replace what stands. Only one at a time may count on what a file will free.
    pub(super) fn begin(&mut self, id: u64, standing: Option<&Stat>) {
        self.alter(id, |held| held.files = u64::from(standing.is_none()));
        self.credit(id, standing);
    }

    /// Lets an upload count on what a file will free, if no other does.
    pub(super) fn credit(&mut self, id: u64, standing: Option<&Stat>) {
        let credit = standing.map(|stat| (sys::identity(stat), bytes_of(stat)));
        let credit = credit.filter(|(of, _)| {
            !self.held.iter().any(|(other, held)| *other != id && held.credit.is_some_and(|(known, _)| known == *of))
        });
        self.alter(id, |held| held.credit = credit);
    }

    /// An upload will have so many bytes, if there is room.
    pub(super) fn hold(&mut self, id: u64, bytes: u64, quota: Quota) -> Result<(), StoreError> {
        let before = self.held.get(&id).map_or(0, Held::net);
        let free = self.held.get(&id).and_then(|held| held.credit).map_or(0, |(_, free)| free);
        self.check(quota, bytes.saturating_sub(free).saturating_sub(before), 0)?;
        self.alter(id, |held| held.bytes = bytes);
        Ok(())
    }

    /// Whether an upload may become what lies there, in place of what went: what it was to replace may have been moved
    /// or replaced meanwhile, so that it frees less than was counted on.
    pub(super) fn check_publishing(
        &self,
        id: u64,
        (bytes, went): (u64, Option<&Stat>),
        quota: Quota,
    ) -> Result<(), StoreError> {
        let (net, names) = self.held.get(&id).map_or((0, 0), |held| (held.net(), held.files));
        let freed = went.map_or(0, bytes_of);
        let gone = went.map(|stat| (sys::identity(stat), freed));
        let counting = |(other, held): (&u64, &Held)| {
            let credit = held.credit.filter(|credit| *other != id && Some(*credit) == gone);
            credit.map_or(0, |(_, credit)| credit.min(held.bytes))
        };
        let lost: u64 = self.held.iter().map(counting).sum();
        let more = bytes.saturating_add(lost).saturating_sub(net.saturating_add(freed));
        self.check(quota, more, u64::from(went.is_none()).saturating_sub(names))
    }

    /// An upload has so many bytes from now on and is to replace what stands, if there is room for that.
    pub(super) fn set(&mut self, id: u64, bytes: u64, standing: Option<&Stat>, quota: Quota) -> Result<(), StoreError> {
        let old = self.held.get(&id).map_or(Held::default(), |held| Held { ..*held });
        self.alter(id, |held| held.bytes = 0);
        self.credit(id, standing);
        let held = self.hold(id, bytes, quota);
        if held.is_err() {
            self.alter(id, |held| *held = old);
        }
        held
    }

    /// An upload is over.
    pub(super) fn release(&mut self, id: u64) {
        if let Some(held) = self.held.remove(&id) {
            self.held_bytes = self.held_bytes.saturating_sub(held.net());
            self.held_files = self.held_files.saturating_sub(held.files);
        }
    }

    fn alter(&mut self, id: u64, change: impl FnOnce(&mut Held)) {
        let held = self.held.entry(id).or_default();
        let before = (held.net(), held.files);
        change(held);
        let after = (held.net(), held.files);
        self.held_bytes = self.held_bytes.saturating_sub(before.0).saturating_add(after.0);
        self.held_files = self.held_files.saturating_sub(before.1).saturating_add(after.1);
    }
}

/// Ledgers, the outer before the inner: the order in which they are locked.
pub(super) fn in_order(mut ledgers: Vec<Arc<Ledger>>) -> Vec<Arc<Ledger>> {
    ledgers.sort_by_key(|ledger| ledger.depth());
    ledgers
}

#[cfg(test)]
mod tests;
