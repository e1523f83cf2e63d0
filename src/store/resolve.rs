//! Confinement: turns a path below the root into a descriptor, and lets nothing lead outside, whatever races.
//! It refuses to know rights and operations; it knows directories, links and one root.
//!
//! Two ways give the same verdicts. The kernel's `openat2(RESOLVE_BENEATH)` is the fast one. The checked walk goes
//! component by component, never through a link, and expands links by hand; it serves kernels and sandboxes without
//! openat2, and absolute links, which openat2 refuses though they may stay inside.

use super::error::StoreError;
use super::path::VirtualPath;
use super::sys::{self, Backing, FileType, Identity, Stat};
use super::walk::{Walk, below};
use rustix::fs::{OFlags, ResolveFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// How often openat2 is asked again when it says that something moved meanwhile; then the walk, which cannot be disturbed.
const MAX_RETRIES: u32 = 16;

/// Why a path leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// It leaves the root, or enters a file system that is never served.
    Outside,
    /// The system says why.
    Os(Errno),
}

impl From<Errno> for Miss {
    fn from(errno: Errno) -> Self {
        Miss::Os(errno)
    }
}

impl From<Miss> for StoreError {
    fn from(miss: Miss) -> Self {
        match miss {
            Miss::Outside => StoreError::NotFound,
            Miss::Os(errno) => errno.into(),
        }
    }
}

/// A name in a directory that was found, whether or not something bears it. The name is never a link that was to be followed.
pub(super) struct Place {
    pub(super) directory: OwnedFd,
    pub(super) name: Vec<u8>,
    /// What bears the name; none if it is free.
    pub(super) stat: Option<Stat>,
    /// Where it really lies, with no link on the way; known only where it was asked for.
    pub(super) real: Option<VirtualPath>,
}

/// What a path was found to lead to, and where that really lies. Where nothing is found, it is as far as the path goes,
/// with what was still to go behind it.
pub(super) struct Located<T> {
    pub(super) real: VirtualPath,
    pub(super) found: Result<T, Miss>,
}

/// How the last name of a path is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// As it is, also where it is a link.
    Itself,
    /// A link is followed to where it leads, which may be a free name.
    Followed,
    /// The same, where most likely nothing bears the name.
    New,
}

/// The root and the way of resolving beneath it.
pub(super) struct Resolver {
    root: OwnedFd,
    canonical: PathBuf,
    device: u64,
    identity: Identity,
    kernel_resolves: AtomicBool,
    /// How its own file system answers who must not wait.
    backing: Backing,
}

impl Resolver {
    /// Opens a readable directory as the root.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let canonical = path.canonicalize().map_err(from_io)?;
        match sys::reach(&canonical) {
            sys::Reach::Contains => Err(StoreError::BadName("/proc, /sys and /dev are in it, and never served")),
            sys::Reach::Apart if !sys::is_kernel_made_path(&canonical) => Self::at(canonical),
            _ => Err(StoreError::BadName("a file system of the kernel's own is never served")),
        }
    }

    /// The same, whatever lies there; the path has no links.
    pub(super) fn at(canonical: PathBuf) -> Result<Self, StoreError> {
        let root = sys::open_root(&canonical)?;
        let identity = sys::identity(&sys::stat_fd(&root)?);
        let kernel_resolves =
            AtomicBool::new(sys::open_beneath(&root, b".", sys::PLACE, ResolveFlags::empty()).is_ok());
        let backing = sys::backing(&root);
        Ok(Resolver { root, canonical, device: identity.device, identity, kernel_resolves, backing })
    }

    /// The same confined to a directory below the root, which was opened and served as `home`.
    pub(super) fn below(&self, directory: OwnedFd, stat: &Stat, home: &VirtualPath) -> Self {
        let named = self.canonical.join(OsStr::from_bytes(home.relative()));
        // Only text, for links that name this place by its path in the host's tree: whatever it says, such a link is
        // looked up from the descriptor.
        let canonical = named.canonicalize().unwrap_or(named);
        let identity = sys::identity(stat);
        let kernel_resolves = AtomicBool::new(self.kernel_resolves.load(Ordering::Relaxed));
        let backing = sys::backing(&directory);
        Resolver { root: directory, canonical, device: identity.device, identity, kernel_resolves, backing }
    }

    pub(super) fn canonical(&self) -> &Path {
        &self.canonical
    }

    pub(super) fn root_identity(&self) -> Identity {
        self.identity
    }

    /// Whether names there have several spellings.
    pub(super) fn has_spellings(&self) -> bool {
        sys::has_spellings(&self.root)
    }

    #[cfg(test)]
    pub(super) fn root_descriptor(&self) -> &OwnedFd {
        &self.root
    }

    /// Makes every later resolution a checked walk.
    #[cfg(test)]
    pub(super) fn always_walk(&self) {
        self.kernel_resolves.store(false, Ordering::Relaxed);
    }

    /// Opens what `path` (relative, normalised) leads to, links followed, and says what it is.
    pub(super) fn open_path(&self, path: &[u8], flags: OFlags) -> Result<(OwnedFd, Stat), Miss> {
        let fd = match self.ask_kernel(path, flags) {
            Some(result) => result?,
            None => self.walk(path).open(flags)?,
        };
        self.served(fd)
    }

    /// Opens the directory that `path` leads to, to stand on it.
    fn open_directory(&self, path: &[u8]) -> Result<OwnedFd, Miss> {
        if self.kernel_resolves.load(Ordering::Relaxed)
            && let Ok(fd) = sys::open_beneath(&self.root, path, sys::PLACE_DIRECTORY, ResolveFlags::NO_XDEV)
        {
            // On the root's own mount lies the root's own file system, and it need not be asked which that is.
            return Ok(fd);
        }
        Ok(self.open_path(path, sys::PLACE_DIRECTORY)?.0)
    }

    /// As [`Resolver::open_path`], without waiting for a disk, and only what lies on the root's own file system; with `no_symlinks`, only where
    /// the path is the place. Whatever comes of it but success has to be asked again by one who may wait.
    pub(super) fn open_cached(&self, path: &[u8], flags: OFlags, no_symlinks: bool) -> Option<(OwnedFd, Stat)> {
        if self.backing == Backing::Elsewhere || !self.kernel_resolves.load(Ordering::Relaxed) {
            return None;
        }
        let fd = sys::open_beneath_cached(&self.root, path, flags, no_symlinks).ok()?;
        let stat = sys::stat_fd(&fd).ok()?;
        (sys::identity(&stat).device == self.device).then_some((fd, stat))
    }

    /// How the file system of `stat` answers who must not wait.
    pub(super) fn backing(&self, stat: &Stat) -> Backing {
        self.backing_of(sys::identity(stat).device)
    }

    /// The same of that device.
    pub(super) fn backing_of(&self, device: u64) -> Backing {
        if device == self.device { self.backing } else { Backing::Elsewhere }
    }

    /// Opens a directory beneath another one, no link followed on the way: for walks that have seen each component.
    pub(super) fn open_below(&self, top: BorrowedFd, path: &[u8], flags: OFlags) -> Result<(OwnedFd, Stat), Miss> {
        let fd = if self.kernel_resolves.load(Ordering::Relaxed) {
            sys::open_beneath(top, path, flags, ResolveFlags::NO_SYMLINKS)
        } else {
            Err(Errno::NOSYS)
        };
        let fd = match fd {
            Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => Walk::new(top, None, path).open(flags)?,
            other => other?,
        };
        self.served(fd)
    }

    /// Finds the directory of `path` and what its last name is, which may be a link. None for the root, which has no name.
    pub(super) fn place(&self, path: &[u8]) -> Result<Option<Place>, Miss> {
        self.look_at_place(path, Last::Itself)
    }

    fn look_at_place(&self, path: &[u8], last: Last) -> Result<Option<Place>, Miss> {
        let Some(name) = path.rsplit(|byte| *byte == b'/').next().filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let parent = path[..path.len() - name.len()].strip_suffix(b"/").unwrap_or_default();
        let directory = self.open_directory(parent)?;
        let stat = look(&directory, name, last)?;
        Ok(Some(Place { directory, name: name.to_vec(), stat, real: None }))
    }

    /// The same, but a last name that is a link is followed to where it leads, which may be a free name.
    /// None where that is a directory reached without a name.
    pub(super) fn place_followed(&self, path: &[u8], last: Last) -> Result<Option<Place>, Miss> {
        match self.look_at_place(path, last)? {
            Some(place) if place.stat.as_ref().is_some_and(is_link) => {
                let Some(place) = self.walk(path).place()? else { return Ok(None) };
                let (directory, _) = self.served(place.directory)?;
                Ok(Some(Place { directory, ..place }))
            }
            other => Ok(other),
        }
    }

    /// As [`Resolver::open_path`], and says where it really lies.
    pub(super) fn locate(&self, path: &VirtualPath, flags: OFlags) -> Located<(OwnedFd, Stat)> {
        // Where no link is on the way the path is the place, and the kernel needs one call to say so.
        let asked = match self.kernel_resolves.load(Ordering::Relaxed) {
            true => sys::open_beneath(&self.root, path.relative(), flags, ResolveFlags::NO_SYMLINKS),
            false => Err(Errno::NOSYS),
        };
        let (real, fd) = match asked {
            Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN | Errno::LOOP | Errno::XDEV) => {
                let mut walk = self.walk(path.relative());
                let fd = walk.open(flags);
                (walk.stands(), fd)
            }
            fd => (path.clone(), fd.map_err(Miss::Os)),
        };
        Located { real, found: fd.and_then(|fd| self.served(fd)) }
    }

    /// As [`Resolver::place`] or [`Resolver::place_followed`], and says where it really lies.
    pub(super) fn locate_place(&self, path: &VirtualPath, last: Last) -> Located<Option<Place>> {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Located { real: VirtualPath::root(), found: Ok(None) };
        };
        let Located { real, found } = self.locate(&parent, sys::PLACE_DIRECTORY);
        let real = real.child(name);
        let found = found.and_then(|(directory, _)| Ok((look(&directory, name, last)?, directory)));
        match found {
            Ok((Some(stat), _)) if last != Last::Itself && is_link(&stat) => self.walk_to_place(path),
            Ok((stat, directory)) => {
                let place = Place { directory, name: name.to_vec(), stat, real: Some(real.clone()) };
                Located { real, found: Ok(Some(place)) }
            }
            Err(miss) => Located { real, found: Err(miss) },
        }
    }

    fn walk_to_place(&self, path: &VirtualPath) -> Located<Option<Place>> {
        let mut walk = self.walk(path.relative());
        let place = walk.place();
        let real = walk.stands();
        let found = place.and_then(|place| match place {
            None => Ok(None),
            Some(place) => {
                let (directory, _) = self.served(place.directory)?;
                Ok(Some(Place { directory, real: Some(real.clone()), ..place }))
            }
        });
        Located { real, found }
    }

    fn walk(&self, path: &[u8]) -> Walk<'_> {
        Walk::new(self.root.as_fd(), Some(self.canonical.as_os_str().as_bytes()), path)
    }

    /// What a link's text says to a client: an absolute one that stays inside is told from the served root, so that
    /// where the root lies in the host's tree is nobody's business.
    pub(super) fn told(&self, target: Vec<u8>) -> Vec<u8> {
        match below(self.canonical.as_os_str().as_bytes(), &target) {
            Some(rest) => [b"/", rest.join(&b'/').as_slice()].concat(),
            None => target,
        }
    }

    /// None: the kernel cannot say, the walk must.
    fn ask_kernel(&self, path: &[u8], flags: OFlags) -> Option<Result<OwnedFd, Miss>> {
        if !self.kernel_resolves.load(Ordering::Relaxed) {
            return None;
        }
        for _ in 0..MAX_RETRIES {
            match sys::open_beneath(&self.root, path, flags, ResolveFlags::empty()) {
                Err(Errno::AGAIN) => continue,
                // It says so once, at the first call under a new sandbox, and will not change its mind.
                Err(Errno::NOSYS | Errno::PERM) => {
                    let works = sys::open_beneath(&self.root, b".", sys::PLACE, ResolveFlags::empty()).is_ok();
                    self.kernel_resolves.store(works, Ordering::Relaxed);
                    return None;
                }
                Err(Errno::XDEV) => return None,
                result => return Some(result.map_err(Miss::Os)),
            }
        }
        None
    }

    fn served(&self, fd: OwnedFd) -> Result<(OwnedFd, Stat), Miss> {
        let stat = sys::stat_fd(&fd)?;
        if self.is_served(&stat, &fd) { Ok((fd, stat)) } else { Err(Miss::Outside) }
    }

    /// Whether what `stat` describes lies on a file system that is served; `fd` is itself.
    fn is_served(&self, stat: &Stat, fd: impl AsFd) -> bool {
        // The root's own device was checked at start, so the usual file costs no call.
        sys::identity(stat).device == self.device || !sys::is_kernel_made(fd)
    }

    /// The same for a directory entry that was only looked at.
    pub(super) fn is_entry_served(&self, directory: impl AsFd, name: &[u8], stat: &Stat, device: u64) -> bool {
        // Only a mount point lies on another device than its directory.
        sys::identity(stat).device == device
            || sys::open_at(directory, name, sys::PLACE).is_ok_and(|fd| self.is_served(stat, fd))
    }
}

/// What bears a name.
fn look(directory: &OwnedFd, name: &[u8], last: Last) -> sys::Sys<Option<Stat>> {
    existing(match last {
        Last::New => sys::stat_new_at(directory, name),
        Last::Itself | Last::Followed => sys::stat_at(directory, name),
    })
}

/// A stat that may find nothing.
pub(super) fn existing(stat: sys::Sys<Stat>) -> sys::Sys<Option<Stat>> {
    match stat {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

pub(super) fn is_link(stat: &Stat) -> bool {
    sys::kind(stat) == FileType::Symlink
}

fn from_io(error: std::io::Error) -> StoreError {
    match Errno::from_io_error(&error) {
        Some(errno) => errno.into(),
        None => StoreError::Io(error),
    }
}
