//! Listings: the entries of a directory, a tree or a set of names, in batches that cost a bounded time and memory.
//! It refuses to know how an entry is written, and which account asks.

use super::entry::Entry;
use super::error::StoreError;
use super::eye::{Eye, Sight};
use super::names::{MAX_MEMORY, Names};
use super::path::VirtualPath;
use super::resolve::Miss;
use super::sys::{self, FileType};
use super::temporary::is_temporary;
use super::view::{Opened, View, to_list};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};

/// Names looked at in one batch: about a millisecond of work, so that a batch neither starves the pool it runs in nor
/// is dearer to hand over than to make.
pub const BATCH: usize = 512;
/// Memory for names that are sorted at once where the first line is to come soon: some 6,000 usual names, which are read
/// and sorted in a few milliseconds.
const SOON_MEMORY: usize = 256 * 1024;
/// Memory for the directories that a recursive listing has seen and not yet entered; the same as for names.
const MAX_AHEAD: usize = MAX_MEMORY;
/// Levels a recursive listing descends; no tree made by people is this deep.
const MAX_DEPTH: usize = 256;

/// Which entries, and what of them.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Names that begin with a dot too.
    pub hidden: bool,
    /// "." and ".." as the first entries of each directory.
    pub dots: bool,
    /// Directories below too, each after an [`Item::Directory`]. Links are not descended.
    pub recursive: bool,
    /// Only names: regular files are then not looked at, which is several times as fast.
    pub names_only: bool,
    /// From the last name to the first.
    pub reverse: bool,
    /// The first names come soon, also of a directory with very many, which is then in sorted runs of some thousands and
    /// not in order as a whole.
    pub soon: bool,
    /// Links are told as what they lead to, unless that is the listed directory or one above it.
    pub follow: bool,
}

/// What a listing yields.
#[derive(Debug)]
pub enum Item<'a> {
    /// The items after this lie in that directory below the listed one, "a/b".
    Directory(&'a [u8]),
    /// One entry. A name from [`super::View::glob`] is relative as its pattern was typed.
    Entry {
        /// Its name.
        name: &'a [u8],
        /// All about it.
        entry: &'a Entry,
    },
    /// One name, where only names were asked for.
    Name(&'a [u8]),
}

/// A listing under way. It holds up to two descriptors and 16 MiB. Names come sorted by their bytes as long as they fit
/// in 8 MiB (100,000 usual names take four), or 256 KiB where they are wanted soon; a larger directory comes in sorted runs of
/// that size, never cut.
pub struct Listing {
    eye: Eye,
    names: Names,
    source: Source,
}

enum Source {
    /// The names are read from directories.
    Tree(Tree),
    /// The names were gathered, and are paths as typed in this directory.
    Typed(VirtualPath),
}

/// The directory being read, and those still to be entered.
struct Tree {
    selection: Selection,
    /// The listed directory, where it is listed recursively.
    top: Option<OwnedFd>,
    listed: VirtualPath,
    /// Where that really lies; known where rules ask for it.
    listed_really: Option<VirtualPath>,
    at: Directory,
    /// Directories to enter, the next one last, as paths below the top.
    ahead: Vec<Vec<u8>>,
    ahead_memory: usize,
    /// Subdirectories of the directory at hand, in order.
    found: Vec<Vec<u8>>,
}

struct Directory {
    fd: OwnedFd,
    device: u64,
    path: VirtualPath,
    real: Option<VirtualPath>,
    below: Vec<u8>,
    /// "." and ".." are still to be shown.
    dots: bool,
    /// The descriptor may have more names.
    more: bool,
}

impl Listing {
    /// Of one directory, and with `recursive` of those below.
    pub(super) fn of_directory(view: &View, path: &VirtualPath, selection: Selection) -> Result<Self, StoreError> {
        let Opened { fd, stat, real } = view.open(path, sys::READ_DIRECTORY, to_list)?;
        let top = if selection.recursive { Some(sys::open_at(&fd, b".", sys::PLACE_DIRECTORY)?) } else { None };
        let device = sys::identity(&stat).device;
        let (below, dots, listed_really) = (Vec::new(), selection.dots, real.clone());
        let at = Directory { fd, device, path: path.clone(), real, below, dots, more: true };
        let tree = Tree {
            selection,
            top,
            listed: path.clone(),
            listed_really,
            at,
            ahead: Vec::new(),
            ahead_memory: 0,
            found: Vec::new(),
        };
        Ok(Listing { eye: Eye::new(view.clone(), selection), names: Names::default(), source: Source::Tree(tree) })
    }

    /// Of names that are paths as typed in `directory`.
    pub(super) fn of_names(view: &View, directory: &VirtualPath, names: Names, selection: Selection) -> Self {
        Listing { eye: Eye::new(view.clone(), selection), names, source: Source::Typed(directory.clone()) }
    }

    /// Shows `see` the items of the next at most [`BATCH`] names; false once there are no more. A name that vanishes
    /// meanwhile is left out; any other failure ends the listing with an error, so that it is never cut in silence.
    pub fn next_batch(&mut self, mut see: impl FnMut(Item<'_>)) -> Result<bool, StoreError> {
        let Listing { eye, names, source } = self;
        let mut looked_at = 0;
        while looked_at < BATCH {
            if names.is_spent() {
                let Source::Tree(tree) = source else { return Ok(false) };
                if tree.at.dots {
                    tree.show_dots(eye, &mut see)?;
                } else if !tree.refill(names)? && !tree.enter_next(eye, &mut see)? {
                    return Ok(false);
                }
                // A directory is work too, though it may be empty.
                looked_at += 1;
            }
            let Some((name, kind)) = names.next() else { continue };
            looked_at += 1;
            match source {
                Source::Tree(tree) => tree.show(eye, name, kind, &mut see)?,
                Source::Typed(directory) => eye.show_typed(directory, name, &mut see)?,
            }
        }
        Ok(true)
    }
}

impl Tree {
    fn show_dots(&mut self, eye: &mut Eye, see: &mut impl FnMut(Item<'_>)) -> Result<(), StoreError> {
        self.at.dots = false;
        let parent = self.at.path.parent().unwrap_or_else(VirtualPath::root);
        eye.show_path(b".", &self.at.path, see)?;
        eye.show_path(b"..", &parent, see)
    }

    /// Reads the next run of names; false if there are none.
    fn refill(&mut self, names: &mut Names) -> Result<bool, StoreError> {
        names.clear();
        let hidden = self.selection.hidden;
        let run = if self.selection.soon { SOON_MEMORY } else { MAX_MEMORY };
        while self.at.more && names.is_spent() {
            self.at.more = sys::read_names(&self.at.fd, |name, kind| {
                if !is_temporary(name) && (hidden || !name.starts_with(b".")) {
                    names.push(name, kind);
                }
                names.memory() >= run
            })?;
        }
        names.sort(self.selection.reverse);
        Ok(!names.is_spent())
    }

    fn show(
        &mut self,
        eye: &mut Eye,
        name: &[u8],
        kind: FileType,
        see: &mut impl FnMut(Item<'_>),
    ) -> Result<(), StoreError> {
        let at = &self.at;
        let sight =
            Sight { directory: at.fd.as_fd(), device: at.device, name, kind, shown: name, real: at.real.as_ref() };
        let is_directory = eye.show(&sight, || at.path.child(name), see)?;
        if is_directory && self.top.is_some() {
            let mut below = at.below.clone();
            if !below.is_empty() {
                below.push(b'/');
            }
            below.extend_from_slice(name);
            self.ahead_memory += below.len() + size_of::<Vec<u8>>();
            if self.ahead_memory > MAX_AHEAD {
                return Err(StoreError::TooMany { what: "bytes of directory names in one listing", limit: MAX_AHEAD });
            }
            self.found.push(below);
        }
        Ok(())
    }

    /// Goes on with the next directory below; false if there is none.
    fn enter_next(&mut self, eye: &Eye, see: &mut impl FnMut(Item<'_>)) -> Result<bool, StoreError> {
        let Some(top) = &self.top else { return Ok(false) };
        self.ahead.extend(self.found.drain(..).rev());
        while let Some(below) = self.ahead.pop() {
            self.ahead_memory -= below.len() + size_of::<Vec<u8>>();
            if below.iter().filter(|byte| **byte == b'/').count() >= MAX_DEPTH {
                return Err(StoreError::TooMany { what: "levels of directories", limit: MAX_DEPTH });
            }
            let path = self.listed.child(&below);
            let real = self.listed_really.as_ref().map(|real| real.child(&below));
            if eye.view.judge(real.as_ref(), to_list).is_err() {
                // As for one that the system does not let us read.
                see(Item::Directory(&below));
                continue;
            }
            match eye.view.store.resolver.open_below(top.as_fd(), &below, sys::READ_DIRECTORY) {
                Ok((fd, stat)) => {
                    see(Item::Directory(&below));
                    let (device, dots) = (sys::identity(&stat).device, self.selection.dots);
                    self.at = Directory { fd, device, path, real, below, dots, more: true };
                    return Ok(true);
                }
                // Its name was shown; that it may not be read is told by an empty directory.
                Err(Miss::Os(Errno::ACCESS | Errno::PERM)) => see(Item::Directory(&below)),
                Err(Miss::Outside | Miss::Os(Errno::NOENT | Errno::NOTDIR | Errno::LOOP)) => {}
                Err(miss) => return Err(miss.into()),
            }
        }
        Ok(false)
    }
}
