//! Broken uploads kept for their owners to resume: a bounded map in memory of files under temporary names.
//! It refuses to know why an upload broke and how it goes on.

use super::charge::Charge;
use super::path::VirtualPath;
use super::sys::{self, Identity, Sys};
use super::temporary::Temporary;
use super::upload::Base;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Partial uploads kept in all. Each costs two descriptors (the file and its directory) and what it holds of the disk.
pub const MAX_KEPT: usize = 128;
/// Of which one owner may have so many, so that one broken mirror run does not push out everybody else's.
pub const MAX_KEPT_PER_OWNER: usize = 32;
/// How long a client has to come back. A phone that left its network does within minutes.
pub const KEPT_FOR: Duration = Duration::from_secs(60 * 60);

/// Who may resume what.
pub(super) type Key = (Arc<[u8]>, VirtualPath);

/// One partial upload.
pub(super) struct Kept {
    pub(super) temporary: Temporary,
    pub(super) base: Base,
    /// How many of its first bytes are those of the file that stands.
    pub(super) copied: u64,
    /// What it takes of quotas, until it is dropped.
    pub(super) charge: Charge,
    /// Bytes that it has, and when the last came; it is ours alone, and asked about where nothing may wait for a disk.
    pub(super) size: u64,
    pub(super) modified: (i64, u32),
    directory: Identity,
    since: Instant,
}

impl Kept {
    pub(super) fn new(temporary: Temporary, base: Base, copied: u64, charge: Charge) -> Sys<Self> {
        let (file, directory) = (sys::stat_fd(&temporary.file)?, sys::stat_fd(&temporary.directory)?);
        let (size, modified, directory) = (sys::size(&file), sys::modified(&file), sys::identity(&directory));
        Ok(Kept { temporary, base, copied, charge, size, modified, directory, since: Instant::now() })
    }

    fn is_old(&self, age: Duration) -> bool {
        self.since.elapsed() >= age
    }
}

/// All of them. Under the lock no disk is asked, since one that hangs would hold up those of all others; and what is to go is dropped, which
/// removes it from its disk, by who has to do with it, or by [`KeptPartials::expire`].
#[derive(Default)]
pub(super) struct KeptPartials(Mutex<HashMap<Key, Kept>>);

impl KeptPartials {
    fn map(&self) -> MutexGuard<'_, HashMap<Key, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps one, in place of an older one of the same key. The oldest goes where there are too many.
    pub(super) fn put(&self, key: Key, kept: Kept) {
        let mut map = self.map();
        let mut gone = vec![map.remove(&key)];
        let own = map.keys().filter(|(owner, _)| *owner == key.0).count();
        if own >= MAX_KEPT_PER_OWNER {
            gone.push(remove_oldest(&mut map, Some(&key.0)));
        } else if map.len() >= MAX_KEPT {
            gone.push(remove_oldest(&mut map, None));
        }
        map.insert(key, kept);
        // Their files are removed from the disk when they are dropped, and nobody need wait for that.
        drop(map);
        drop(gone);
    }

    /// Hands out the partial to go on with.
    pub(super) fn take(&self, key: &Key) -> Option<Kept> {
        let mut map = self.map();
        map.get(key).filter(|kept| !kept.is_old(KEPT_FOR))?;
        map.remove(key)
    }

    /// Bytes of the partial of that key.
    pub(super) fn size(&self, key: &Key) -> Option<u64> {
        self.look(key, |kept| Some(kept.size))
    }

    /// What `about` says of the partial of that key, without asking its disk.
    pub(super) fn look<T>(&self, key: &Key, about: impl FnOnce(&Kept) -> Option<T>) -> Option<T> {
        self.map().get(key).filter(|kept| !kept.is_old(KEPT_FOR)).and_then(about)
    }

    /// Drops the partial of that key; whether there was one.
    pub(super) fn forget(&self, key: &Key) -> bool {
        // As a rule nothing is kept at all, and then the key need not be hashed.
        let gone = Some(self.map()).filter(|map| !map.is_empty()).and_then(|mut map| map.remove(key));
        gone.is_some()
    }

    /// Drops the partials that lie in a directory, whoever owns them.
    pub(super) fn forget_in(&self, directory: Identity) {
        let gone: Vec<_> = self.map().extract_if(|_, kept| kept.directory == directory).collect();
        drop(gone);
    }

    /// Drops what is older than `age`: for who has nothing else to do, as a disk may hang with it.
    pub(super) fn expire(&self, age: Duration) {
        let gone: Vec<_> = self.map().extract_if(|_, kept| kept.is_old(age)).collect();
        drop(gone);
    }
}

fn remove_oldest(map: &mut HashMap<Key, Kept>, owner: Option<&Arc<[u8]>>) -> Option<Kept> {
    let ours = map.iter().filter(|((of, _), _)| owner.is_none_or(|owner| owner == of));
    let oldest = ours.min_by_key(|(_, kept)| kept.since).map(|(key, _)| key.clone())?;
    map.remove(&oldest)
}
