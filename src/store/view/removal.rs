//! Removing a directory and all that is in it, in bounded steps: from descriptor to descriptor, so that no link is ever
//! followed, never into another file system, and with memory that neither width nor depth of the tree can grow.

use super::super::Store;
use super::super::error::{StoreError, Trouble};
use super::super::path::VirtualPath;
use super::super::sys::{self, FileType, Identity};
use super::super::tally::Tally;
use super::super::temporary::{is_temporary, remove_if_dead};
use super::{PresentPlace, View, need, visible};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Names removed in one step, give or take what one call of the system brings: some ten milliseconds of work.
const STEP: usize = 512;
/// Levels descended. A path of 4,096 bytes has at most 2,048; no tree made by people has a tenth of them.
const MAX_LEVELS: usize = 1024;
/// Directories of one level that are remembered until they are entered; the others are met again. With [`MAX_LEVELS`]
/// this bounds the memory to 8 MiB, and a directory of directories is read once for each so many of them.
const MAX_FOUND: usize = 32;
/// How often a directory may fill again between being found empty and being removed.
const MAX_REFILLS: u32 = 100;

/// A directory being removed. Dropping it leaves what is still there.
pub struct Removal {
    store: Arc<Store>,
    path: VirtualPath,
    place: PresentPlace,
    /// The directories stood in, from the one to be removed down.
    levels: Vec<Level>,
    /// The last of them.
    at: OwnedFd,
    /// Something was found in it since it was opened.
    met: bool,
    tally: Arc<Tally>,
}

struct Level {
    name: Vec<u8>,
    identity: Identity,
    found: Vec<Vec<u8>>,
    /// Uploads kept in it have been given up.
    freed: bool,
    /// How often it was found empty and then was not.
    refills: u32,
}

impl View {
    /// Begins to remove a directory with all that is in it. Needs `delete`.
    pub fn remove_tree(&self, path: &VirtualPath) -> Result<Removal, StoreError> {
        need(self.rights().delete, "delete")?;
        visible(path)?;
        if path.is_root() {
            return Err(StoreError::BadName("the root cannot be removed"));
        }
        let place = self.present(path)?;
        let at = sys::open_at(&place.directory, &place.name, sys::READ_DIRECTORY)?;
        let level = level_of(&at, place.name.clone(), sys::identity(&sys::stat_fd(&place.directory)?))?;
        let (store, path, tally) = (self.store.clone(), path.clone(), Arc::default());
        Ok(Removal { store, path, place, levels: vec![level], at, met: false, tally })
    }
}

/// A directory to be emptied, unless something else is mounted on it: that is in use, and not ours to take away.
fn level_of(directory: &OwnedFd, name: Vec<u8>, above: Identity) -> Result<Level, StoreError> {
    let identity = sys::identity(&sys::stat_fd(directory)?);
    if identity.device != above.device || sys::is_mount_point(directory) {
        return Err(StoreError::Busy);
    }
    Ok(Level { name, identity, found: Vec::new(), freed: false, refills: 0 })
}

impl Removal {
    /// What was removed so far.
    pub fn tally(&self) -> Arc<Tally> {
        self.tally.clone()
    }

    /// Removes some more; false once all is gone. The first thing that cannot be removed ends it: the rest is left.
    pub fn step(&mut self) -> Result<bool, Trouble> {
        let mut done = 0;
        while done < STEP {
            done += 1;
            if let Some(name) = self.levels.last_mut().and_then(|level| level.found.pop()) {
                self.descend(name)?;
                continue;
            }
            let (seen, more) = self.read_on()?;
            done += seen;
            self.met |= seen > 0;
            if more || self.levels.last().is_some_and(|level| !level.found.is_empty()) {
                continue;
            }
            if self.met {
                // What is removed while one reads may hide what comes after: only a reading that finds nothing counts.
                self.stand_in(b".").map_err(|e| self.trouble(None, e))?;
            } else if self.ascend()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads some names on, removes what is no directory and notes what is. How many there were, and whether more may come.
    fn read_on(&mut self) -> Result<(usize, bool), Trouble> {
        let Removal { store, levels, at, tally, .. } = self;
        let Some(level) = levels.last_mut() else { return Ok((0, false)) };
        let (mut seen, mut trouble) = (0, None);
        let more = sys::read_names(&*at, |name, kind| {
            seen += 1;
            if trouble.is_none() {
                trouble = take(store, level, at, name, kind, tally).err().map(|e| (name.to_vec(), e));
            }
            seen >= STEP
        });
        match (more, trouble) {
            (_, Some((name, e))) => Err(self.trouble(Some(&name), e)),
            (Err(errno), None) => Err(self.trouble(None, errno.into())),
            (Ok(more), None) => Ok((seen, more)),
        }
    }

    fn descend(&mut self, name: Vec<u8>) -> Result<(), Trouble> {
        if self.levels.len() >= MAX_LEVELS {
            let e = StoreError::TooMany { what: "levels of directories", limit: MAX_LEVELS };
            return Err(self.trouble(Some(&name), e));
        }
        let Some(above) = self.levels.last().map(|level| level.identity) else { return Ok(()) };
        let next = match sys::open_at(&self.at, &name, sys::READ_DIRECTORY) {
            // Something else bears the name by now; the next reading meets that.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
            next => next.map_err(|errno| self.trouble(Some(&name), errno.into()))?,
        };
        let level = level_of(&next, name.clone(), above).map_err(|e| self.trouble(Some(&name), e))?;
        self.levels.push(level);
        (self.at, self.met) = (next, false);
        Ok(())
    }

    /// Removes the empty directory that we stand in, and stands in the one above. True: that was the last one.
    fn ascend(&mut self) -> Result<bool, Trouble> {
        let above = match self.levels.len().checked_sub(2).and_then(|at| self.levels.get(at)) {
            None => None,
            Some(above) => {
                let up = sys::open_at(&self.at, b"..", sys::READ_DIRECTORY);
                let up = up.and_then(|up| Ok((sys::identity(&sys::stat_fd(&up)?), up)));
                match up {
                    Ok((identity, up)) if identity == above.identity => Some(up),
                    // Moved away while we stood in it: what is up there now is nothing that we were asked to touch.
                    Ok(_) => return Err(self.trouble(None, StoreError::ChangedMeanwhile)),
                    Err(errno) => return Err(self.trouble(None, errno.into())),
                }
            }
        };
        let name = self.levels.last().map_or(&[][..], |level| &level.name);
        match sys::remove_directory(above.as_ref().unwrap_or(&self.place.directory), name) {
            Ok(()) => self.tally.directory(),
            Err(Errno::NOENT) => {}
            // Something came into it: once more.
            Err(Errno::NOTEMPTY | Errno::EXIST) if self.refill() => return Ok(false),
            Err(errno) => return Err(self.trouble(None, errno.into())),
        }
        self.levels.pop();
        match above {
            None => Ok(true),
            Some(above) => {
                (self.at, self.met) = (above, false);
                Ok(false)
            }
        }
    }

    /// Notes that the directory must be read again; false if that has happened too often.
    fn refill(&mut self) -> bool {
        self.met = true;
        self.levels.last_mut().is_some_and(|level| {
            level.refills += 1;
            level.refills < MAX_REFILLS
        })
    }

    fn stand_in(&mut self, name: &[u8]) -> Result<(), StoreError> {
        self.at = sys::open_at(&self.at, name, sys::READ_DIRECTORY)?;
        self.met = false;
        Ok(())
    }

    /// The trouble with the directory that we stand in, or with a name in it.
    fn trouble(&self, name: Option<&[u8]>, error: StoreError) -> Trouble {
        let levels = self.levels.iter().skip(1).map(|level| level.name.as_slice());
        let path = levels.chain(name).fold(self.path.clone(), |path, name| path.child(name));
        Trouble { path, error }
    }
}

/// Removes what bears the name if it is no directory; notes it if it is one and there is room to.
fn take(
    store: &Store,
    level: &mut Level,
    at: &OwnedFd,
    name: &[u8],
    kind: FileType,
    tally: &Tally,
) -> Result<(), StoreError> {
    if is_temporary(name) {
        if !level.freed {
            level.freed = true;
            store.common.kept.forget_in(level.identity);
        }
        return match remove_if_dead(at, name)? {
            true => Ok(()),
            false => Err(StoreError::Busy),
        };
    }
    let kind = match kind {
        FileType::Unknown => match sys::stat_at(at, name) {
            Ok(stat) => sys::kind(&stat),
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        },
        known => known,
    };
    if kind == FileType::Directory {
        if level.found.len() < MAX_FOUND {
            level.found.push(name.to_vec());
        }
        return Ok(());
    }
    match sys::unlink(at, name) {
        Ok(()) => tally.file(),
        // Gone, or a directory by now: the next reading tells.
        Err(Errno::NOENT | Errno::ISDIR) => {}
        Err(errno) => return Err(errno.into()),
    }
    Ok(())
}
