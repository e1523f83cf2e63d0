//! Looks at single names of a listing: what each is, whether it is shown, and what a link is told as.
//! It refuses to know where the names come from and in which order.

use super::entry::{Entry, Kind, Owners};
use super::error::StoreError;
use super::listing::{Item, Selection};
use super::path::VirtualPath;
use super::resolve::{Located, Miss, existing, is_link};
use super::rights::Rights;
use super::sys::{self, FileType, Identity, Process, Stat};
use super::view::{View, need, to_look};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

/// Parents looked at to tell whether a link leads back up; as deep as a path of 4,096 bytes can be.
const MAX_ANCESTORS: usize = 2048;

/// A directory, and the identities of itself and all above it.
type Ancestors = (VirtualPath, Vec<Identity>);

/// What a path was found to lead to.
type Found = Result<(OwnedFd, Stat), Miss>;

#[derive(Clone)]
pub(super) struct Eye {
    pub(super) view: View,
    pub(super) selection: Selection,
    process: Arc<Process>,
    /// Of the directory last asked about; all who look at the same listing know them.
    ancestors: Arc<Mutex<Option<Ancestors>>>,
    /// The last owner and group, with their names: most neighbours have the same, and the memory of all is behind a lock.
    owner: Option<(u32, u32, [Arc<str>; 2])>,
}

/// A name to look at: in which directory, on which device, of which kind as far as known, and how it is shown.
pub(super) struct Sight<'a> {
    pub(super) directory: BorrowedFd<'a>,
    pub(super) device: u64,
    pub(super) name: &'a [u8],
    pub(super) kind: FileType,
    pub(super) shown: &'a [u8],
    /// Where the directory really lies; known where rules ask for it.
    pub(super) real: Option<&'a VirtualPath>,
}

impl Eye {
    pub(super) fn new(view: View, selection: Selection) -> Self {
        Eye { view, selection, process: Arc::new(Process::now()), ancestors: Arc::default(), owner: None }
    }

    /// Whether a regular file in the directory that really lies there is shown by its name, whatever it is called and whosever it is.
    pub(super) fn tells_unseen(&self, real: Option<&VirtualPath>) -> bool {
        self.selection.names_only && real.is_none() && self.view.own_in(None).is_none()
    }

    /// Shows what bears the name and returns whether it is a real directory. `path` is made only for a link.
    pub(super) fn show(
        &mut self,
        sight: &Sight,
        path: impl FnOnce() -> VirtualPath,
        see: &mut impl FnMut(Item<'_>),
    ) -> Result<bool, StoreError> {
        let Sight { directory, device, name, kind, shown, real } = *sight;
        let thing = real.map(|real| real.child(name));
        let own_only = self.view.own_in(real).or_else(|| self.view.own_in(thing.as_ref())).is_some();
        if !own_only && real.is_some_and(|real| !self.view.shows(real, name, None)) {
            return Ok(false);
        }
        // A regular file is shown whatever else is known about it. A directory may be where /proc is mounted.
        if self.selection.names_only && kind == FileType::RegularFile && !own_only {
            see(Item::Name(shown));
            return Ok(false);
        }
        let Some(stat) = existing(sys::stat_at(directory, name))? else { return Ok(false) };
        if own_only && real.is_some_and(|real| !self.view.shows(real, name, Some(&stat))) {
            return Ok(false);
        }
        let entry = if is_link(&stat) {
            self.link(directory, name, &stat, &path(), thing.as_ref())
        } else if self.view.store.resolver.is_entry_served(directory, name, &stat, device) {
            self.entry(&stat, thing.as_ref())
        } else {
            None
        };
        let Some(entry) = entry else { return Ok(false) };
        self.give(shown, &entry, see);
        Ok(sys::kind(&stat) == FileType::Directory)
    }

    /// Shows what bears a name that is a path as typed in `directory`.
    pub(super) fn show_typed(
        &mut self,
        directory: &VirtualPath,
        typed: &[u8],
        see: &mut impl FnMut(Item<'_>),
    ) -> Result<(), StoreError> {
        let path = directory.join(typed)?;
        match self.view.clone().place(&path, |_| Ok(())) {
            Ok(None) => self.show_path(typed, &path, see),
            Ok(Some(place)) => {
                let device = sys::identity(&sys::stat_fd(&place.directory)?).device;
                let real = place.real.and_then(|real| real.parent());
                let (directory, name, kind) = (place.directory.as_fd(), &place.name, FileType::Unknown);
                self.show(&Sight { directory, device, name, kind, shown: typed, real: real.as_ref() }, || path, see)?;
                Ok(())
            }
            // What vanished since the name was gathered is left out.
            Err(StoreError::NotFound | StoreError::NotDirectory | StoreError::Loop | StoreError::DeniedName) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Shows what `path` leads to under another name.
    pub(super) fn show_path(
        &self,
        shown: &[u8],
        path: &VirtualPath,
        see: &mut impl FnMut(Item<'_>),
    ) -> Result<(), StoreError> {
        match self.view.open(path, sys::PLACE, |rights| need(rights != Rights::NONE, "list")) {
            Ok(opened) => self.give(shown, &self.view.look_at(&opened)?, see),
            Err(StoreError::OutOfDescriptors) => return Err(StoreError::OutOfDescriptors),
            // Moved away meanwhile, or nothing that may be shown: the rest of the listing still means what it says.
            Err(_) => {}
        }
        Ok(())
    }

    fn give(&self, shown: &[u8], entry: &Entry, see: &mut impl FnMut(Item<'_>)) {
        see(if self.selection.names_only { Item::Name(shown) } else { Item::Entry { name: shown, entry } });
    }

    fn entry(&mut self, stat: &Stat, real: Option<&VirtualPath>) -> Option<Entry> {
        let names = match &self.owner {
            Some((user, group, names)) if (*user, *group) == (stat.st_uid, stat.st_gid) => names.clone(),
            _ => {
                let names = self.view.store.common.owners.names(stat);
                self.owner = Some((stat.st_uid, stat.st_gid, names.clone()));
                names
            }
        };
        self.view.told(Owners::entry(stat, &self.process, names), stat, real)
    }

    /// What a path leads to, and where that really lies if that is asked for.
    fn leads_to(&self, path: &VirtualPath, really: bool) -> (Option<VirtualPath>, Found) {
        let resolver = &self.view.store.resolver;
        if !really {
            return (None, resolver.open_path(path.relative(), sys::PLACE));
        }
        let Located { real, found } = resolver.locate(path, sys::PLACE);
        (Some(real), found)
    }

    /// What a link is shown as; none if it leaves the root. `real` is where it really lies itself.
    fn link(
        &mut self,
        directory: BorrowedFd,
        name: &[u8],
        stat: &Stat,
        path: &VirtualPath,
        real: Option<&VirtualPath>,
    ) -> Option<Entry> {
        let (leads_to, found) = self.leads_to(path, real.is_some());
        // What nothing can be done with is not spoken of.
        if let Some(there) = &leads_to
            && (self.view.judge_names(there).is_err() || !self.view.rules.let_pass(there))
        {
            return None;
        }
        let followed = match found {
            Err(Miss::Outside) => return None,
            Ok((_, target)) if self.selection.follow && !self.leads_back(&target, path) => {
                self.seen(&target, leads_to.as_ref())
            }
            Ok(_) | Err(Miss::Os(_)) => None,
        };
        if followed.is_some() {
            return followed;
        }
        // Shown as the link it is: dangling, circular or denied ones too, so that they can be deleted. One to what the
        // account may not look at is not told from one that dangles.
        let target = sys::read_link_at(directory, name).ok()?;
        let entry = self.entry(stat, real)?;
        Some(Entry { kind: Kind::Symlink, target: Some(self.view.store.resolver.told(target)), ..entry })
    }

    /// The entry of what a link leads to, where the account may look at it there.
    fn seen(&mut self, target: &Stat, there: Option<&VirtualPath>) -> Option<Entry> {
        to_look(self.view.rights_at(there)).ok()?;
        self.entry(target, there)
    }

    /// Whether a link leads to the directory it lies in or to one above, where a client that descends never ends.
    fn leads_back(&self, target: &Stat, path: &VirtualPath) -> bool {
        if sys::kind(target) != FileType::Directory {
            return false;
        }
        let listed = path.parent().unwrap_or_else(VirtualPath::root);
        let mut known = self.ancestors.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_none_or(|(directory, _)| *directory != listed) {
            let ancestors = self.ancestors_of(&listed);
            *known = Some((listed, ancestors));
        }
        known.as_ref().is_some_and(|(_, ancestors)| ancestors.contains(&sys::identity(target)))
    }

    /// The directories above, both as the path was typed (links on the way count) and as they lie on the disk.
    fn ancestors_of(&self, listed: &VirtualPath) -> Vec<Identity> {
        let resolver = &self.view.store.resolver;
        let mut ancestors = vec![resolver.root_identity()];
        let mut above = Some(listed.clone());
        while let Some(path) = above {
            if let Ok((_, stat)) = resolver.open_path(path.relative(), sys::PLACE) {
                ancestors.push(sys::identity(&stat));
            }
            above = path.parent();
        }
        // Only looked at, never served: where ".." leads is compared and forgotten.
        let Ok((mut at, mut stat)) = resolver.open_path(listed.relative(), sys::PLACE_DIRECTORY) else {
            return ancestors;
        };
        for _ in 0..MAX_ANCESTORS {
            if sys::identity(&stat) == resolver.root_identity() {
                break;
            }
            let parent = sys::open_at(&at, b"..", sys::PLACE_DIRECTORY).and_then(|fd| Ok((sys::stat_fd(&fd)?, fd)));
            let Ok((next, fd)) = parent else { break };
            ancestors.push(sys::identity(&next));
            (at, stat) = (fd, next);
        }
        ancestors
    }
}
