//! What all trees of one root share, since homes may lie in each other: the names of owners, what is kept of broken
//! uploads, the names that uploads have chosen, how much lies in homes, and whose turn it is to publish. It refuses to know any path.

use super::Store;
use super::entry::Owners;
use super::kept::KeptPartials;
use super::ledger::Ledger;
use super::path::VirtualPath;
use super::sys::Identity;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Locks of directories that are remembered although nobody holds them, before they are swept out.
const IDLE_LOCKS: usize = 64;

/// What the trees of one root share.
pub(super) struct Common {
    pub(super) owners: Owners,
    pub(super) kept: KeptPartials,
    /// Names that unique uploads under way have chosen; at most one for each upload.
    pub(super) claims: Mutex<HashSet<(Identity, Vec<u8>)>>,
    /// The homes that somebody is in, by their path below the root.
    pub(super) homes: Mutex<HashMap<VirtualPath, Weak<Store>>>,
    /// The ledgers of homes with a quota that somebody has needed.
    pub(super) ledgers: Mutex<Vec<Arc<Ledger>>>,
    /// Whether there is one.
    pub(super) has_ledgers: AtomicBool,
    /// Those that order the publishing of uploads, one for each directory: a disk that hangs holds up its own.
    publishing: Mutex<HashMap<Identity, Weak<Mutex<()>>>>,
}

impl Default for Common {
    fn default() -> Self {
        Common {
            owners: Owners::default(),
            kept: KeptPartials::default(),
            claims: Mutex::default(),
            homes: Mutex::default(),
            ledgers: Mutex::default(),
            has_ledgers: AtomicBool::new(false),
            publishing: Mutex::default(),
        }
    }
}

impl Common {
    /// The lock for publishing in a directory: between looking at what stands and replacing it, no other upload of
    /// this server comes in between.
    pub(super) fn publishing(&self, directory: Identity) -> Arc<Mutex<()>> {
        let mut locks = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(&directory).and_then(Weak::upgrade) {
            return lock;
        }
        if locks.len() >= IDLE_LOCKS {
            locks.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::default();
        locks.insert(directory, Arc::downgrade(&lock));
        lock
    }
}
