//! Confinement: turns a path below the root into a descriptor, and lets nothing lead outside, whatever races.
//! It refuses to know rights and operations; it knows directories, links and one root.
//!
//! Two ways give the same verdicts. The kernel's `openat2(RESOLVE_BENEATH)` is the fast one. The checked walk goes
//! component by component, never through a link, and expands links by hand; it serves kernels and sandboxes without
//! openat2, and absolute links, which openat2 refuses though they may stay inside.

use super::error::StoreError;
use super::path::VirtualPath;
use super::sys::{self, FileType, Identity, Stat};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Links expanded in one walk; the kernel's own bound (MAXSYMLINKS).
const MAX_LINKS: u32 = 40;
/// Directories a walk may stand in at once. Each is a descriptor, and a stranger who may make directories must not
/// turn one path into thousands of them.
const MAX_WALK_DEPTH: usize = 256;
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
}

/// The root and the way of resolving beneath it.
pub(super) struct Resolver {
    root: OwnedFd,
    canonical: PathBuf,
    device: u64,
    identity: Identity,
    kernel_resolves: AtomicBool,
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
        let kernel_resolves = AtomicBool::new(sys::open_beneath(&root, b".", sys::PLACE, false).is_ok());
        Ok(Resolver { root, canonical, device: identity.device, identity, kernel_resolves })
    }

    /// The same confined to a directory below the root, which was opened and served as `home`.
    pub(super) fn below(&self, directory: OwnedFd, stat: &Stat, home: &VirtualPath) -> Self {
        let named = self.canonical.join(OsStr::from_bytes(home.relative()));
        // Only text, for links that name this place by its path in the host's tree: whatever it says, such a link is
        // looked up from the descriptor.
        let canonical = named.canonicalize().unwrap_or(named);
        let identity = sys::identity(stat);
        let kernel_resolves = AtomicBool::new(self.kernel_resolves.load(Ordering::Relaxed));
        Resolver { root: directory, canonical, device: identity.device, identity, kernel_resolves }
    }

    pub(super) fn canonical(&self) -> &Path {
        &self.canonical
    }

    pub(super) fn root_identity(&self) -> Identity {
        self.identity
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
            None => Walk::new(self.root.as_fd(), Some(self.canonical.as_os_str().as_bytes()), path).open(flags)?,
        };
        self.served(fd)
    }

    /// Opens a directory beneath another one, no link followed on the way: for walks that have seen each component.
    pub(super) fn open_below(&self, top: BorrowedFd, path: &[u8], flags: OFlags) -> Result<(OwnedFd, Stat), Miss> {
        let fd = if self.kernel_resolves.load(Ordering::Relaxed) {
            sys::open_beneath(top, path, flags, true)
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
        let Some(name) = path.rsplit(|byte| *byte == b'/').next().filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let parent = path[..path.len() - name.len()].strip_suffix(b"/").unwrap_or_default();
        let (directory, _) = self.open_path(parent, sys::PLACE_DIRECTORY)?;
        let stat = existing(sys::stat_at(&directory, name))?;
        Ok(Some(Place { directory, name: name.to_vec(), stat }))
    }

    /// The same, but a last name that is a link is followed to where it leads, which may be a free name.
    /// None where that is a directory reached without a name.
    pub(super) fn place_followed(&self, path: &[u8]) -> Result<Option<Place>, Miss> {
        match self.place(path)? {
            Some(place) if place.stat.as_ref().is_some_and(is_link) => {
                let mut walk = Walk::new(self.root.as_fd(), Some(self.canonical.as_os_str().as_bytes()), path);
                let Some(place) = walk.place()? else { return Ok(None) };
                let (directory, _) = self.served(place.directory)?;
                Ok(Some(Place { directory, ..place }))
            }
            other => Ok(other),
        }
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
            match sys::open_beneath(&self.root, path, flags, false) {
                Err(Errno::AGAIN) => continue,
                // It says so once, at the first call under a new sandbox, and will not change its mind.
                Err(Errno::NOSYS | Errno::PERM) => {
                    let works = sys::open_beneath(&self.root, b".", sys::PLACE, false).is_ok();
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

/// The components of an absolute `target` below `root` ("." left in); none if it does not begin there.
fn below<'a>(root: &[u8], target: &'a [u8]) -> Option<Vec<&'a [u8]>> {
    let mut rest = target.strip_prefix(b"/")?.split(|byte| *byte == b'/');
    for wanted in root.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
        // ".." in this part is taken as leaving: what it means depends on links outside, which are not ours to follow.
        if rest.find(|name| !matches!(*name, b"" | b"."))? != wanted {
            return None;
        }
    }
    Some(rest.collect())
}

/// One checked walk: a stack of directories stood in, and the names still to go.
struct Walk<'a> {
    root: BorrowedFd<'a>,
    /// Where absolute links may lead; none if links are not to be followed at all.
    canonical: Option<&'a [u8]>,
    stood_in: Vec<OwnedFd>,
    /// In reverse: the next one is last.
    ahead: Vec<Vec<u8>>,
    links: u32,
}

impl<'a> Walk<'a> {
    fn new(root: BorrowedFd<'a>, canonical: Option<&'a [u8]>, path: &[u8]) -> Self {
        let mut walk = Walk { root, canonical, stood_in: Vec::new(), ahead: Vec::new(), links: 0 };
        walk.push_ahead(path.split(|byte| *byte == b'/'));
        walk
    }

    fn push_ahead<'n>(&mut self, names: impl DoubleEndedIterator<Item = &'n [u8]>) {
        self.ahead.extend(names.rev().map(<[u8]>::to_vec));
    }

    fn here(&self) -> BorrowedFd<'_> {
        self.stood_in.last().map_or(self.root, AsFd::as_fd)
    }

    /// Walks until one name is left and returns it; none if the path ended in a directory that we stand in.
    fn last_name(&mut self) -> Result<Option<Vec<u8>>, Miss> {
        while let Some(name) = self.ahead.pop() {
            match name.as_slice() {
                b"" | b"." => {}
                // Back to the directory we came from, wherever it may have been moved to meanwhile.
                b".." => drop(self.stood_in.pop().ok_or(Miss::Outside)?),
                _ if self.ahead.is_empty() => return Ok(Some(name)),
                _ => self.descend(&name)?,
            }
        }
        Ok(None)
    }

    fn descend(&mut self, name: &[u8]) -> Result<(), Miss> {
        let next = sys::open_at(self.here(), name, sys::PLACE)?;
        match sys::kind(&sys::stat_fd(&next)?) {
            FileType::Symlink => self.expand(next),
            FileType::Directory if self.stood_in.len() < MAX_WALK_DEPTH => {
                self.stood_in.push(next);
                Ok(())
            }
            FileType::Directory => Err(Miss::Os(Errno::NAMETOOLONG)),
            _ => Err(Miss::Os(Errno::NOTDIR)),
        }
    }

    /// Puts where the link leads in front of what is still to go.
    fn expand(&mut self, link: OwnedFd) -> Result<(), Miss> {
        let Some(canonical) = self.canonical else { return Err(Miss::Os(Errno::LOOP)) };
        // The kernel's own links are not what their text says, and what they lead to is not ours to serve.
        if sys::is_kernel_made(&link) {
            return Err(Miss::Outside);
        }
        self.spend()?;
        let target = sys::read_link(link)?;
        if target.starts_with(b"/") {
            let rest = below(canonical, &target).ok_or(Miss::Outside)?;
            self.stood_in.clear();
            self.push_ahead(rest.into_iter());
        } else {
            self.push_ahead(target.split(|byte| *byte == b'/'));
        }
        Ok(())
    }

    fn spend(&mut self) -> Result<(), Miss> {
        self.links += 1;
        if self.links > MAX_LINKS { Err(Miss::Os(Errno::LOOP)) } else { Ok(()) }
    }

    fn open(&mut self, flags: OFlags) -> Result<OwnedFd, Miss> {
        while let Some(name) = self.last_name()? {
            let probe = sys::open_at(self.here(), &name, sys::PLACE)?;
            if is_link(&sys::stat_fd(&probe)?) {
                self.expand(probe)?;
                continue;
            }
            match sys::open_at(self.here(), &name, flags) {
                // Swapped for a link since we looked: look again, but not for ever.
                Err(Errno::LOOP) => {
                    self.spend()?;
                    self.ahead.push(name);
                }
                result => return Ok(result?),
            }
        }
        Ok(sys::open_at(self.here(), b".", flags)?)
    }

    fn place(&mut self) -> Result<Option<Place>, Miss> {
        while let Some(name) = self.last_name()? {
            let stat = existing(sys::stat_at(self.here(), &name))?;
            if stat.as_ref().is_some_and(is_link) {
                let link = sys::open_at(self.here(), &name, sys::PLACE)?;
                if is_link(&sys::stat_fd(&link)?) {
                    self.expand(link)?;
                } else {
                    self.spend()?;
                    self.ahead.push(name);
                }
                continue;
            }
            let directory = sys::open_at(self.here(), b".", sys::PLACE_DIRECTORY)?;
            return Ok(Some(Place { directory, name, stat }));
        }
        Ok(None)
    }
}
