//! Removing a directory and all that is in it, in bounded steps: from descriptor to descriptor, so that no link is ever
//! followed, never into another file system, and with memory that neither width nor depth of the tree can grow.

use super::super::error::{StoreError, Trouble};
use super::super::path::VirtualPath;
use super::super::sys::{self, FileType, Identity};
use super::super::tally::Tally;
use super::super::temporary::{is_temporary, remove_if_dead};
use super::door::PresentPlace;
use super::{View, remove_directory, to_delete};
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
    view: View,
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
        if path.is_root() {
            to_delete(self.rights())?;
            return Err(StoreError::BadName("the root cannot be removed"));
        }
        let place = self.present(path, to_delete)?;
        let at = sys::open_at(&place.directory, &place.name, sys::READ_DIRECTORY)?;
        let level = level_of(&at, place.name.clone(), sys::identity(&sys::stat_fd(&place.directory)?))?;
        let (view, path, tally) = (self.clone(), path.clone(), Arc::default());
        Ok(Removal { view, path, place, levels: vec![level], at, met: false, tally })
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
        let real = self.stands();
        let Removal { view, path, levels, at, tally, .. } = self;
        let Some(level) = levels.last_mut() else { return Ok((0, false)) };
        let (mut seen, mut trouble) = (0, None);
        let more = sys::read_names(&*at, |name, kind| {
            seen += 1;
            if trouble.is_none() {
                trouble =
                    take(view, (path, real.as_ref()), level, at, name, kind, tally).err().map(|e| (name.to_vec(), e));
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
        let directory = above.as_ref().unwrap_or(&self.place.directory);
        let removed = self.view.booked(&self.path, 0, |counting| remove_directory(directory, name, counting));
        match removed {
            Ok(()) => self.tally.directory(),
            Err(StoreError::NotFound) => {}
            // Something came into it: once more.
            Err(StoreError::NotEmpty | StoreError::Exists) if self.refill() => return Ok(false),
            Err(error) => return Err(self.trouble(None, error)),
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

    /// Where we really stand; known where rules ask for it. No link was followed on the way down.
    fn stands(&self) -> Option<VirtualPath> {
        let top = self.place.real.clone()?;
        Some(self.levels.iter().skip(1).fold(top, |real, level| real.child(&level.name)))
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
    view: &View,
    (path, real): (&VirtualPath, Option<&VirtualPath>),
    level: &mut Level,
    at: &OwnedFd,
    name: &[u8],
    kind: FileType,
    tally: &Tally,
) -> Result<(), StoreError> {
    if is_temporary(name) {
        if !level.freed {
            level.freed = true;
            view.store.common.kept.forget_in(level.identity);
        }
        return match remove_if_dead(at, name)? {
            true => Ok(()),
            false => Err(StoreError::Busy),
        };
    }
    if let Some(real) = real {
        let thing = real.child(name);
        // What is not shown is not spoken of, and stays.
        if !view.shows(real, name, None) {
            return Err(StoreError::NotEmpty);
        }
        view.judge(Some(&thing), to_delete)?;
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
    match view.unlink_booked(path, at, name) {
        Ok(()) => tally.file(),
        // Gone, or a directory by now: the next reading tells.
        Err(StoreError::NotFound | StoreError::IsDirectory) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}
