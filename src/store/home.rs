//! Homes: the tree beneath one directory below the root, which is all that an account with that home can see or reach.
//! It refuses to know accounts; a home is a path.

use super::Store;
use super::bits;
use super::error::StoreError;
use super::path::VirtualPath;
use super::resolve::Miss;
use super::sys::{self, Identity};
use rustix::io::Errno;
use std::sync::{Arc, PoisonError, Weak};

/// Permission bits of a home that is made: everybody may enter, the server's user may write.
const NEW_HOME: u32 = 0o755;

impl Store {
    /// The tree beneath `home`, made with its parents where it does not stand: nothing in it leads out of it, though
    /// it stays below this root. Whoever has the same home shares one descriptor; a home that was removed and made anew
    /// is another one.
    pub fn home(self: &Arc<Self>, home: &VirtualPath) -> Result<Arc<Store>, StoreError> {
        if home.is_root() {
            return Ok(self.clone());
        }
        let (directory, stat) = match self.resolver.open_path(home.relative(), sys::PLACE_DIRECTORY) {
            Err(Miss::Os(Errno::NOENT)) => {
                self.make_home(home)?;
                self.resolver.open_path(home.relative(), sys::PLACE_DIRECTORY)?
            }
            found => found?,
        };
        sys::may_search(&directory)?;
        if let Some(known) = self.known_home(home, sys::identity(&stat)) {
            return Ok(known);
        }
        // Two sessions that come at once may each make one, which costs a descriptor and nothing else.
        let resolver = self.resolver.below(directory, &stat, home);
        let store = Arc::new(Store { resolver, common: self.common.clone() });
        let mut homes = self.common.homes.lock().unwrap_or_else(PoisonError::into_inner);
        homes.retain(|_, store| store.strong_count() > 0);
        homes.insert(home.clone(), Arc::downgrade(&store));
        Ok(store)
    }

    /// The tree that others have open, if it is of that directory still. Its number cannot have been given to another
    /// one meanwhile: the open descriptor holds it.
    fn known_home(&self, home: &VirtualPath, directory: Identity) -> Option<Arc<Store>> {
        let homes = self.common.homes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = homes.get(home).and_then(Weak::upgrade)?;
        drop(homes);
        (known.resolver.root_identity() == directory).then_some(known)
    }

    fn make_home(&self, home: &VirtualPath) -> Result<(), StoreError> {
        let mut path = VirtualPath::root();
        for name in home.components() {
            path = path.child(name);
            let Some(place) = self.resolver.place(path.relative())? else { continue };
            if place.stat.is_none() {
                match bits::make_directory(&place.directory, &place.name, NEW_HOME) {
                    // Another session of the account was faster.
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
        }
        Ok(())
    }
}
