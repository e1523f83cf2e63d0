//! The served tree: everything beneath one root, and nothing else, whatever the path and whoever swaps links meanwhile.
//! Policy lives at this door: a [`View`] checks the account's rights first in every method. It refuses to know
//! protocols, sockets and async: callers run it where blocking is allowed.
//!
//! A path becomes a [`VirtualPath`] once; `resolve` turns that into descriptors; `listing` shows, `upload` takes in.

mod begin;
mod entry;
mod error;
mod expand;
mod eye;
mod glob;
mod inflow;
mod kept;
mod listing;
mod names;
mod path;
mod portion;
mod reading;
mod resolve;
pub mod sys;
mod tally;
mod temporary;
mod unique;
mod upload;
mod view;

#[cfg(test)]
mod tests;

pub use entry::{Entry, Kind};
pub use error::{StoreError, Trouble, Value};
pub use expand::{MAX_GLOB_DIRECTORIES, MAX_GLOB_NAMES};
pub use glob::{has_wildcards, matches};
pub use inflow::Inflow;
pub use kept::{KEPT_FOR, MAX_KEPT, MAX_KEPT_PER_OWNER};
pub use listing::{BATCH, Item, Listing, Selection};
pub use path::{MAX_COMPONENT, MAX_PATH, PathError, VirtualPath};
pub use reading::{Reading, Window};
pub use sys::Identity;
pub use tally::Tally;
pub use temporary::is_temporary;
pub use upload::{How, Published, Upload};
pub use view::{Changes, Copying, Joining, MAX_PARTS, Removal, Rights, View};

use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Locks that order the publishing of uploads, one for each so many directories: a slow disk holds up its own.
const PUBLISHING_LOCKS: usize = 64;

/// One served root. Shared as an `Arc`; sessions get a [`View`] each.
pub struct Store {
    resolver: resolve::Resolver,
    owners: entry::Owners,
    kept: kept::KeptPartials,
    /// Names that unique uploads under way have chosen; at most one for each upload.
    claims: Mutex<HashSet<(Identity, Vec<u8>)>>,
    publishing: [Mutex<()>; PUBLISHING_LOCKS],
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
        Ok(Store {
            resolver: resolve::Resolver::open(root)?,
            owners: entry::Owners::default(),
            kept: kept::KeptPartials::default(),
            claims: Mutex::default(),
            publishing: std::array::from_fn(|_| Mutex::default()),
        })
    }

    /// The root in the host's tree, absolute and without links. For the operator, not for clients.
    pub fn root(&self) -> &Path {
        self.resolver.canonical()
    }

    /// A session's door. `owner` says whose broken uploads are whose, such as "account@address".
    pub fn view(self: &Arc<Self>, rights: Rights, owner: String) -> View {
        View::new(self.clone(), rights, owner.into())
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

    /// Drops the kept partial uploads that are older than [`KEPT_FOR`]. Every use of them does so too; this is for a
    /// server that nobody uses.
    pub fn expire_kept(&self) {
        self.kept.expire(KEPT_FOR);
    }

    fn remove_dead(&self, path: &[u8]) -> Result<bool, StoreError> {
        let Some(place) = self.resolver.place(path)? else { return Ok(false) };
        Ok(temporary::remove_if_dead(&place.directory, &place.name)?)
    }

    /// The lock for publishing in a directory: between looking at what stands and replacing it, no other upload of
    /// this server comes in between.
    fn publishing(&self, directory: Identity) -> &Mutex<()> {
        &self.publishing[directory.inode as usize % PUBLISHING_LOCKS]
    }
}
