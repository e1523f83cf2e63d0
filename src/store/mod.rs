//! The served tree: everything beneath one root, and nothing else, whatever the path and whoever swaps links meanwhile.
//! Policy lives at this door: a [`View`] checks the account's rights first in every method. It refuses to know
//! protocols, sockets and async: callers run it where blocking is allowed.
//!
//! A path becomes a [`VirtualPath`] once; `resolve` turns that into descriptors; `listing` shows, `upload` takes in.

mod begin;
mod bits;
mod charge;
mod common;
mod entry;
mod error;
mod expand;
mod eye;
mod glob;
mod home;
mod inflow;
mod kept;
mod ledger;
mod listing;
mod names;
mod own;
mod path;
mod portion;
mod prefix;
mod reading;
mod replaced;
mod resolve;
mod rights;
mod rules;
pub mod sys;
mod tally;
mod temporary;
mod unique;
mod upload;
mod view;
mod walk;

#[cfg(test)]
mod tests;

pub use entry::{Entry, Kind};
pub use error::{StoreError, Trouble, Value};
pub use expand::{MAX_GLOB_DIRECTORIES, MAX_GLOB_NAMES};
pub use glob::{has_wildcards, matches};
pub use inflow::Inflow;
pub use kept::{KEPT_FOR, MAX_KEPT, MAX_KEPT_PER_OWNER};
pub use ledger::Usage;
pub use listing::{BATCH, Below, Item, Listing, Part, Selection};
pub use path::{MAX_COMPONENT, MAX_PATH, PathError, VirtualPath};
pub use reading::{Reading, Window};
pub use rights::Rights;
pub use rules::{NamePattern, PathPattern, Quota, Rules, Special};
pub use sys::Identity;
pub use tally::Tally;
pub use temporary::is_temporary;
pub use upload::{How, Published, Upload};
pub use view::{Changes, Copying, Joining, MAX_PARTS, Removal, View};

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// A served tree: all beneath the root, or beneath one account's home in it. Shared as an `Arc`; sessions get a
/// [`View`] each.
pub struct Store {
    resolver: resolve::Resolver,
    /// What the trees of one root share, since homes may lie in each other.
    common: Arc<common::Common>,
}

/// What a sweep did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sweep {
    /// Temporary files of dead processes that were removed.
    pub removed: usize,
    /// Temporary files or directories that could not be looked at or removed.
    pub failed: usize,
}

impl Store {
    /// Opens a readable directory, links to it resolved. Refuses what the kernel makes up: /proc, /sys.
    pub fn open(root: &Path) -> Result<Store, StoreError> {
        Ok(Store { resolver: resolve::Resolver::open(root)?, common: Arc::default() })
    }

    /// The root in the host's tree, absolute and without links. For the operator, not for clients.
    pub fn root(&self) -> &Path {
        self.resolver.canonical()
    }

    /// Whether the root's file system is known to take several spellings for one name, so that rules for single names and places can be passed.
    pub fn has_spellings(&self) -> bool {
        self.resolver.has_spellings()
    }

    /// A session's door. `owner` says whose broken uploads are whose, an account's name behind its address, say; it is never shown.
    pub fn view(self: &Arc<Self>, rules: impl Into<Rules>, owner: Vec<u8>) -> View {
        View::new(self.clone(), rules.into(), owner.into())
    }

    /// Removes temporary files whose writers are dead, in the whole tree, following no link. Uploads that live are
    /// left alone, also those of other processes.
    pub fn sweep(&self) -> Sweep {
        let mut sweep = Sweep::default();
        let tree = walkdir::WalkDir::new(self.root()).follow_links(false).into_iter();
        // What walkdir found by name is opened again beneath the root before anything is removed.
        for entry in tree.filter_entry(|entry| !entry.file_type().is_dir() || !sys::is_kernel_made_path(entry.path())) {
            let Ok(entry) = entry else {
                sweep.failed += 1;
                continue;
            };
            if !is_temporary(entry.file_name().as_bytes()) {
                continue;
            }
            match entry.path().strip_prefix(self.root()).map(|path| self.remove_dead(path.as_os_str().as_bytes())) {
                Ok(Ok(true)) => sweep.removed += 1,
                Ok(Ok(false)) => {}
                _ => sweep.failed += 1,
            }
        }
        sweep
    }

    /// Drops the kept partial uploads that are older than [`KEPT_FOR`], which are nobody's any more.
    pub fn expire_kept(&self) {
        self.common.kept.expire(KEPT_FOR);
    }

    fn remove_dead(&self, path: &[u8]) -> Result<bool, StoreError> {
        let Some(place) = self.resolver.place(path)? else { return Ok(false) };
        Ok(temporary::remove_if_dead(&place.directory, &place.name)?)
    }
}
