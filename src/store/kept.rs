//! Broken uploads kept for their owners to resume: a bounded map in memory of files under temporary names.
//! It refuses to know why an upload broke and how it goes on.

use super::charge::Charge;
use super::path::VirtualPath;
use super::sys::{self, Identity};
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
    since: Instant,
}

impl Kept {
    pub(super) fn new(temporary: Temporary, base: Base, copied: u64, charge: Charge) -> Self {
        Kept { temporary, base, copied, charge, since: Instant::now() }
    }

    /// Bytes it has; 0 where even that cannot be told.
    pub(super) fn size(&self) -> u64 {
        sys::stat_fd(&self.temporary.file).map_or(0, |stat| sys::size(&stat))
    }

    fn lies_in(&self, directory: Identity) -> bool {
        sys::stat_fd(&self.temporary.directory).is_ok_and(|stat| sys::identity(&stat) == directory)
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct KeptPartials(Mutex<HashMap<Key, Kept>>);

impl KeptPartials {
    fn map(&self) -> MutexGuard<'_, HashMap<Key, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps one, in place of an older one of the same key. The oldest goes where there are too many.
    pub(super) fn put(&self, key: Key, kept: Kept) {
        self.expire(KEPT_FOR);
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
        self.expire(KEPT_FOR);
        self.map().remove(key)
    }

    /// Bytes of the partial of that key.
    pub(super) fn size(&self, key: &Key) -> Option<u64> {
        self.expire(KEPT_FOR);
        self.map().get(key).map(Kept::size)
    }

    /// What `about` says of the partial of that key.
    pub(super) fn look<T>(&self, key: &Key, about: impl FnOnce(&Kept) -> Option<T>) -> Option<T> {
        self.expire(KEPT_FOR);
        self.map().get(key).and_then(about)
    }

    /// Drops the partial of that key; whether there was one.
    pub(super) fn forget(&self, key: &Key) -> bool {
        // As a rule nothing is kept at all, and then nobody need know where this would be.
        let gone = Some(self.map()).filter(|map| !map.is_empty()).and_then(|mut map| map.remove(key));
        gone.is_some()
    }

    /// Drops the partials that lie in a directory, whoever owns them.
    pub(super) fn forget_in(&self, directory: Identity) {
        let gone: Vec<_> = self.map().extract_if(|_, kept| kept.lies_in(directory)).collect();
        drop(gone);
    }

    /// Drops what is older than `age`.
    pub(super) fn expire(&self, age: Duration) {
        let gone: Vec<_> = self.map().extract_if(|_, kept| kept.since.elapsed() >= age).collect();
        drop(gone);
    }
}

fn remove_oldest(map: &mut HashMap<Key, Kept>, owner: Option<&Arc<[u8]>>) -> Option<Kept> {
    let ours = map.iter().filter(|((of, _), _)| owner.is_none_or(|owner| owner == of));
    let oldest = ours.min_by_key(|(_, kept)| kept.since).map(|(key, _)| key.clone())?;
    map.remove(&oldest)
}
