//! The checked walk: component by component, never through a link, with links expanded by hand. It knows at each moment
//! where it really stands, whatever names led there. It refuses to know when it is needed.

use super::path::VirtualPath;
use super::resolve::{Miss, Place, existing, is_link};
use super::sys::{self, FileType};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Links expanded in one walk; the kernel's own bound (MAXSYMLINKS).
const MAX_LINKS: u32 = 40;
/// Directories a walk may stand in at once. Each is a descriptor, and a stranger who may make directories must not
/// turn one path into thousands of them.
const MAX_WALK_DEPTH: usize = 256;
/// The components of an absolute `target` below `root` ("." left in); none if it does not begin there.
pub(super) fn below<'a>(root: &[u8], target: &'a [u8]) -> Option<Vec<&'a [u8]>> {
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
pub(super) struct Walk<'a> {
    root: BorrowedFd<'a>,
    /// Where absolute links may lead; none if links are not to be followed at all.
    canonical: Option<&'a [u8]>,
    /// Each with the name that it has in the one before.
    stood_in: Vec<(OwnedFd, Vec<u8>)>,
    /// The name of what was opened or found in the last of them.
    last: Option<Vec<u8>>,
    /// In reverse: the next one is last.
    ahead: Vec<Vec<u8>>,
    links: u32,
}

impl<'a> Walk<'a> {
    pub(super) fn new(root: BorrowedFd<'a>, canonical: Option<&'a [u8]>, path: &[u8]) -> Self {
        let mut walk = Walk { root, canonical, stood_in: Vec::new(), last: None, ahead: Vec::new(), links: 0 };
        walk.push_ahead(path.split(|byte| *byte == b'/'));
        walk
    }

    /// Where the walk stands: what it has found, or as far as it came and what was still to go.
    pub(super) fn stands(&self) -> VirtualPath {
        let names = self.stood_in.iter().map(|(_, name)| name).chain(&self.last);
        let here = names.fold(VirtualPath::root(), |path, name| path.child(name));
        let ahead = self.ahead.iter().rev().map(Vec::as_slice).filter(|name| !name.is_empty());
        let ahead: Vec<&[u8]> = ahead.collect();
        // A path that is too long for one leads nowhere in any case.
        if ahead.is_empty() { here } else { here.join(&ahead.join(&b'/')).unwrap_or(here) }
    }

    fn push_ahead<'n>(&mut self, names: impl DoubleEndedIterator<Item = &'n [u8]>) {
        self.ahead.extend(names.rev().map(<[u8]>::to_vec));
    }

    fn here(&self) -> BorrowedFd<'_> {
        self.stood_in.last().map_or(self.root, |(directory, _)| directory.as_fd())
    }

    /// Walks until one name is left and returns it; none if the path ended in a directory that we stand in.
    fn last_name(&mut self) -> Result<Option<Vec<u8>>, Miss> {
        while let Some(name) = self.ahead.pop() {
            match name.as_slice() {
                b"" | b"." => {}
                // Back to the directory we came from, wherever it may have been moved to meanwhile.
                b".." => drop(self.stood_in.pop().ok_or(Miss::Outside)?),
                _ if self.ahead.is_empty() => return Ok(Some(name)),
                _ => {
                    if let Err(miss) = self.descend(&name) {
                        self.ahead.push(name);
                        return Err(miss);
                    }
                }
            }
        }
        Ok(None)
    }

    fn descend(&mut self, name: &[u8]) -> Result<(), Miss> {
        let next = sys::open_at(self.here(), name, sys::PLACE)?;
        match sys::kind(&sys::stat_fd(&next)?) {
            FileType::Symlink => self.expand(next),
            FileType::Directory if self.stood_in.len() < MAX_WALK_DEPTH => {
                self.stood_in.push((next, name.to_vec()));
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
        self.last = None;
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

    pub(super) fn open(&mut self, flags: OFlags) -> Result<OwnedFd, Miss> {
        while let Some(name) = self.last_name()? {
            self.last = Some(name.clone());
            let probe = sys::open_at(self.here(), &name, sys::PLACE)?;
            if is_link(&sys::stat_fd(&probe)?) {
                self.expand(probe)?;
                continue;
            }
            match sys::open_at(self.here(), &name, flags) {
                // Swapped for a link since we looked: look again, but not for ever.
                Err(Errno::LOOP) => {
                    self.spend()?;
                    self.last = None;
                    self.ahead.push(name);
                }
                result => return Ok(result?),
            }
        }
        Ok(sys::open_at(self.here(), b".", flags)?)
    }

    pub(super) fn place(&mut self) -> Result<Option<Place>, Miss> {
        while let Some(name) = self.last_name()? {
            self.last = Some(name.clone());
            let stat = existing(sys::stat_at(self.here(), &name))?;
            if stat.as_ref().is_some_and(is_link) {
                let link = sys::open_at(self.here(), &name, sys::PLACE)?;
                if is_link(&sys::stat_fd(&link)?) {
                    self.expand(link)?;
                } else {
                    self.spend()?;
                    self.last = None;
                    self.ahead.push(name);
                }
                continue;
            }
            let directory = sys::open_at(self.here(), b".", sys::PLACE_DIRECTORY)?;
            return Ok(Some(Place { directory, name, stat, real: None }));
        }
        Ok(None)
    }
}
