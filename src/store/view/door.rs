//! The checks that every method of a view passes: a path is resolved to a descriptor, where that really lies is judged,
//! and the descriptor is what is worked with. So no name and no link that is swapped meanwhile leads around a rule.
//! It refuses to know what is done behind the door.

use super::super::entry::Entry;
use super::super::error::StoreError;
use super::super::own::Own;
use super::super::path::VirtualPath;
use super::super::resolve::{Last, Located, Miss, Place, is_link};
use super::super::rights::Rights;
use super::super::sys::{self, FileType, Stat};
use super::super::temporary::is_temporary;
use super::View;
use rustix::fs::OFlags;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

/// What was opened.
pub(in super::super) struct Opened {
    pub(in super::super) fd: OwnedFd,
    pub(in super::super) stat: Stat,
    /// Where it really lies; known where rules ask for it.
    pub(in super::super) real: Option<VirtualPath>,
}

/// A name that something bears.
pub(super) struct PresentPlace {
    pub(super) directory: OwnedFd,
    pub(super) name: Vec<u8>,
    pub(super) stat: Stat,
    pub(super) real: Option<VirtualPath>,
}

impl View {
    /// What may be done with what really lies at `real`; without rules by place it is the same everywhere.
    pub(in super::super) fn rights_at(&self, real: Option<&VirtualPath>) -> Rights {
        real.map_or(self.rules.rights(), |real| self.rules.at(real))
    }

    /// Whether a right suffices for what really lies at `real`, and its names are none that the rules forbid.
    pub(in super::super) fn judge(
        &self,
        real: Option<&VirtualPath>,
        need: impl Fn(Rights) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        need(self.rights_at(real))?;
        real.map_or(Ok(()), |real| self.judge_names(real))
    }

    /// Hidden names are missing, and denied ones refused.
    pub(in super::super) fn judge_names(&self, path: &VirtualPath) -> Result<(), StoreError> {
        if self.rules.hide(path) {
            return Err(StoreError::NotFound);
        }
        if self.rules.deny(path) { Err(StoreError::DeniedName) } else { Ok(()) }
    }

    /// Opens what `path` leads to, if a right for that suffices.
    pub(in super::super) fn open(
        &self,
        path: &VirtualPath,
        flags: OFlags,
        need: impl Fn(Rights) -> Result<(), StoreError>,
    ) -> Result<Opened, StoreError> {
        self.open_if(path, flags, |real| self.judge(real, &need))
    }

    /// The same with a verdict of its own on where it really lies.
    pub(super) fn open_if(
        &self,
        path: &VirtualPath,
        flags: OFlags,
        judge: impl Fn(Option<&VirtualPath>) -> Result<(), StoreError>,
    ) -> Result<Opened, StoreError> {
        if !self.rules.are_by_place() {
            judge(None)?;
            visible(path)?;
            let (fd, stat) = match self.waits {
                true => self.store.resolver.open_path(path.relative(), flags)?,
                false => self.store.resolver.open_cached(path.relative(), flags, false).ok_or_else(would_wait)?,
            };
            return Ok(Opened { fd, stat, real: None });
        }
        visible(path)?;
        // Before what is there is spoken of: a refusal must not tell whether something is.
        let Located { real, found } = match self.waits {
            true => self.store.resolver.locate(path, flags),
            false => {
                let found = self.store.resolver.open_cached(path.relative(), flags, true).ok_or_else(would_wait)?;
                Located { real: path.clone(), found: Ok(found) }
            }
        };
        judge(Some(&real))?;
        self.judge_names(path)?;
        let (fd, stat) = found?;
        Ok(Opened { fd, stat, real: Some(real) })
    }

    /// The directory and the name of `path`, which may be a link or free, if a right suffices for it. None for the root.
    pub(in super::super) fn place(
        &self,
        path: &VirtualPath,
        need: impl Fn(Rights) -> Result<(), StoreError>,
    ) -> Result<Option<Place>, StoreError> {
        self.place_of(path, Last::Itself, need)
    }

    /// The same, but a name that is a link is followed to where it leads, and that is judged.
    pub(in super::super) fn place_followed(
        &self,
        path: &VirtualPath,
        need: impl Fn(Rights) -> Result<(), StoreError>,
    ) -> Result<Option<Place>, StoreError> {
        self.place_of(path, Last::Followed, need)
    }

    /// The same for a name under which something is to be put, most likely for the first time.
    pub(in super::super) fn place_to_fill(
        &self,
        path: &VirtualPath,
        need: impl Fn(Rights) -> Result<(), StoreError>,
    ) -> Result<Option<Place>, StoreError> {
        self.place_of(path, Last::New, need)
    }

    fn place_of(
        &self,
        path: &VirtualPath,
        last: Last,
        need: impl Fn(Rights) -> Result<(), StoreError>,
    ) -> Result<Option<Place>, StoreError> {
        if !self.waits {
            return Err(would_wait());
        }
        let resolver = &self.store.resolver;
        if !self.rules.are_by_place() {
            need(self.rules.rights())?;
            visible(path)?;
            return match last {
                Last::Followed | Last::New => Ok(resolver.place_followed(path.relative(), last)?),
                Last::Itself => Ok(resolver.place(path.relative())?),
            };
        }
        visible(path)?;
        let Located { real, found } = resolver.locate_place(path, last);
        self.judge(Some(&real), need)?;
        self.judge_names(path)?;
        Ok(found?)
    }

    /// What stands at `path` itself. A link that leaves the root does not exist; one that dangles inside does.
    pub(super) fn present(
        &self,
        path: &VirtualPath,
        need: impl Fn(Rights) -> Result<(), StoreError>,
    ) -> Result<PresentPlace, StoreError> {
        let Place { directory, name, stat, real } = self.place(path, need)?.ok_or(StoreError::IsDirectory)?;
        let stat = stat.ok_or(StoreError::NotFound)?;
        let device = sys::identity(&sys::stat_fd(&directory)?).device;
        let served = if is_link(&stat) {
            !matches!(self.store.resolver.open_path(path.relative(), sys::PLACE), Err(Miss::Outside))
        } else {
            self.store.resolver.is_entry_served(&directory, &name, &stat, device)
        };
        if served { Ok(PresentPlace { directory, name, stat, real }) } else { Err(StoreError::NotFound) }
    }

    /// Directory and name of the existing thing that `path` leads to.
    pub(super) fn followed(
        &self,
        path: &VirtualPath,
        need: impl Fn(Rights) -> Result<(), StoreError>,
    ) -> Result<(OwnedFd, Vec<u8>), StoreError> {
        match self.place_followed(path, &need)? {
            Some(place) if place.stat.is_none() => Err(StoreError::NotFound),
            Some(place) => Ok((place.directory, place.name)),
            // A directory without a name of its own: the root, or where a link ends in "..".
            None => Ok((self.open(path, sys::PLACE_DIRECTORY, need)?.fd, b".".to_vec())),
        }
    }

    /// Whether something that a listing has met in the directory at `real` is shown: what nothing can be done with is not,
    /// and in a drop-box only what this session has brought. What it is may not be known yet.
    pub(in super::super) fn shows(&self, real: &VirtualPath, name: &[u8], stat: Option<&Stat>) -> bool {
        if self.rules.hide_name(name) {
            return false;
        }
        let thing = real.child(name);
        match self.own_in(Some(real)) {
            Some(own) => stat.is_some_and(|stat| own.has(&thing, stat)),
            // The directory may be none and what lies in it be one, as by "/incoming/**".
            None => {
                let known = |stat| self.own_in(Some(&thing)).is_none_or(|own| is_known(own, &thing, stat));
                self.rules.let_pass(&thing) && stat.is_none_or(known)
            }
        }
    }

    /// What the session has brought, where it is shown nothing else: in a drop-box.
    pub(in super::super) fn own_in(&self, real: Option<&VirtualPath>) -> Option<&Own> {
        self.own.as_deref().filter(|_| self.rights_at(real) == Rights::DROP_BOX)
    }

    /// What an entry tells of something that lies at `real`; none if nothing. In a drop-box a file is there if the session
    /// has brought it, and a directory tells nothing of what others have brought to it.
    pub(in super::super) fn told(&self, entry: Entry, stat: &Stat, real: Option<&VirtualPath>) -> Option<Entry> {
        let rights = self.rights_at(real);
        let mut entry = Entry { rights, ..entry };
        if let (Rights::DROP_BOX, Some(own), Some(real)) = (rights, &self.own, real) {
            if !is_known(own, real, stat) {
                return None;
            }
            if sys::kind(stat) == FileType::Directory {
                entry.veil();
            }
        }
        Some(entry)
    }

    /// The entry of something that was opened to be looked at.
    pub(in super::super) fn look_at(&self, opened: &Opened) -> Result<Entry, StoreError> {
        let Opened { fd, stat, real } = opened;
        if !self.waits && !self.store.common.owners.know(stat) {
            return Err(would_wait());
        }
        let entry = self.store.common.owners.entry_of(fd)?;
        self.told(entry, stat, real.as_ref()).ok_or(StoreError::NotFound)
    }

    /// Remembers that this session has brought what lies at `real`.
    pub(in super::super) fn brought(&self, real: Option<&VirtualPath>, stat: &Stat) {
        if let (Some(own), Some(real)) = (&self.own, real) {
            own.add(real, stat);
        }
    }
}

impl Entry {
    /// Takes from a directory's entry what changes with what is in it.
    fn veil(&mut self) {
        (self.size, self.links, self.modified) = (0, 1, SystemTime::now());
    }
}

/// Whether the session knows of what lies in a drop-box: it has brought it, or may go in there.
fn is_known(own: &Own, real: &VirtualPath, stat: &Stat) -> bool {
    sys::kind(stat) == FileType::Directory || own.has(real, stat)
}

/// Whether something may be looked at: where it may be listed or read, and in a drop-box, which tells little.
pub(in super::super) fn to_look(rights: Rights) -> Result<(), StoreError> {
    need(rights.list || rights.read || rights == Rights::DROP_BOX, "list")
}

/// One right, by its name.
pub(in super::super) fn need(right: bool, name: &'static str) -> Result<(), StoreError> {
    if right { Ok(()) } else { Err(StoreError::Forbidden(name)) }
}

/// What a view that does not wait says instead of waiting.
pub(super) fn would_wait() -> StoreError {
    StoreError::Io(std::io::ErrorKind::WouldBlock.into())
}

/// Reserved names do not exist.
pub(super) fn visible(path: &VirtualPath) -> Result<(), StoreError> {
    if path.components().any(is_temporary) { Err(StoreError::NotFound) } else { Ok(()) }
}

/// Reserved names cannot be made, and nothing can be made below one.
pub(super) fn creatable(path: &VirtualPath) -> Result<(), StoreError> {
    if path.name().is_some_and(is_temporary) {
        return Err(StoreError::BadName("the name is reserved for uploads in progress"));
    }
    visible(path)
}
