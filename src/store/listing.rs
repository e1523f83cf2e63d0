//! Listings: the entries of a directory, a tree or a set of names, in batches that cost a bounded time and memory.
//! It refuses to know how an entry is written, and which account asks.

use super::entry::Entry;
use super::error::StoreError;
use super::eye::{Eye, Sight};
use super::names::{MAX_MEMORY, Names};
use super::path::{MAX_PATH, VirtualPath};
use super::resolve::Miss;
use super::sys::{self, FileType};
use super::temporary::is_temporary;
use super::view::{Opened, View, to_list};
use rustix::io::Errno;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// Names looked at in one batch: about a millisecond of work, so that a batch neither starves the pool it runs in nor
/// is dearer to hand over than to make.
pub const BATCH: usize = 512;
/// Memory for names that are sorted at once: some 20,000 usual names, which are read and sorted in a dozen milliseconds, so that
/// nobody waits for the first line of a directory with very many.
const ORDERED_MEMORY: usize = 512 * 1024;
/// The same where the first line is to come soon: some 6,000, in a few milliseconds.
const SOON_MEMORY: usize = 128 * 1024;
/// Memory for the directories that a recursive listing has seen and not yet entered.
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
    /// The first names come even sooner: a directory is in order as a whole up to some 6,000, not 20,000.
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

/// A listing under way. It holds up to two descriptors and 10 MiB, most of it directories still to be entered. Names come sorted by
/// their bytes as long as they fit in 512 KiB (20,000 usual names), or 128 KiB where they are wanted soon; a larger directory
/// comes in sorted runs of that size, never cut.
pub struct Listing {
    eye: Eye,
    names: Arc<Names>,
    /// The first of the names that was not given out yet.
    next: usize,
    source: Source,
}

enum Source {
    /// The names are read from directories.
    Tree(Tree),
    /// The names were gathered, and are paths as typed in this directory.
    Typed(Arc<VirtualPath>),
}

/// The directory being read, and those still to be entered.
struct Tree {
    selection: Selection,
    /// The listed directory, where it is listed recursively.
    top: Option<OwnedFd>,
    listed: VirtualPath,
    /// Where that really lies; known where rules ask for it.
    listed_really: Option<VirtualPath>,
    at: Arc<Directory>,
    /// "." and ".." of it are still to be shown.
    dots: bool,
    /// Its descriptor may have more names.
    more: bool,
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
}

impl Listing {
    /// Of one directory, and with `recursive` of those below.
    pub(super) fn of_directory(view: &View, path: &VirtualPath, selection: Selection) -> Result<Self, StoreError> {
        let Opened { fd, stat, real } = view.open(path, sys::READ_DIRECTORY, to_list)?;
        let top = if selection.recursive { Some(sys::open_at(&fd, b".", sys::PLACE_DIRECTORY)?) } else { None };
        let (device, listed_really) = (sys::identity(&stat).device, real.clone());
        let at = Arc::new(Directory { fd, device, path: path.clone(), real, below: Vec::new() });
        let tree = Tree {
            selection,
            top,
            listed: path.clone(),
            listed_really,
            at,
            dots: selection.dots,
            more: true,
            ahead: Vec::new(),
            ahead_memory: 0,
            found: Vec::new(),
        };
        Ok(Listing::new(view, Names::default(), Source::Tree(tree), selection))
    }

    /// Of names that are paths as typed in `directory`.
    pub(super) fn of_names(view: &View, directory: &VirtualPath, names: Names, selection: Selection) -> Self {
        Listing::new(view, names, Source::Typed(Arc::new(directory.clone())), selection)
    }

    fn new(view: &View, names: Names, source: Source, selection: Selection) -> Self {
        Listing { eye: Eye::new(view.clone(), selection), names: Arc::new(names), next: 0, source }
    }

    /// Shows `see` the items of the next at most [`BATCH`] names; false once there are no more. A name that vanishes
    /// meanwhile is left out; any other failure ends the listing with an error, so that it is never cut in silence.
    pub fn next_batch(&mut self, mut see: impl FnMut(Item<'_>)) -> Result<bool, StoreError> {
        let mut looked_at = 0;
        while looked_at < BATCH {
            if self.next < self.names.len() {
                let (range, place) = (self.take(BATCH - looked_at), self.place());
                looked_at += range.len();
                let below = place.look(&mut self.eye, &self.names, range, &mut see)?;
                self.seen(below)?;
                continue;
            }
            let Source::Tree(tree) = &mut self.source else { return Ok(false) };
            if tree.dots {
                tree.show_dots(&self.eye, &mut see)?;
            } else if !self.refill()? && !self.enter_next(&mut see)? {
                return Ok(false);
            }
            // A directory is work too, though it may be empty.
            looked_at += 1;
        }
        Ok(true)
    }

    /// Whether most of the time goes into looking at what bears the names, as far as those read last tell.
    pub fn needs_looks(&self) -> bool {
        match &self.source {
            Source::Tree(tree) => self.names.are_mixed() || !self.eye.tells_unseen(tree.at.real.as_ref()),
            Source::Typed(_) => true,
        }
    }

    /// The next names, `most` or [`BATCH`] of them and at least one, to be looked at by whoever has time, beside others; what all of
    /// them have found is to be told with [`Listing::seen`], in their order. None where [`Listing::next_batch`] has to go on: at the
    /// end of a directory.
    pub fn next_part(&mut self, most: usize) -> Result<Option<Part>, StoreError> {
        if self.next >= self.names.len() {
            match &self.source {
                Source::Tree(tree) if !tree.dots => {
                    if !self.refill()? {
                        return Ok(None);
                    }
                }
                _ => return Ok(None),
            }
        }
        let (range, place) = (self.take(most.clamp(1, BATCH)), self.place());
        Ok(Some(Part { eye: self.eye.clone(), names: self.names.clone(), range, place }))
    }

    /// Takes note of the directories below that were found among the names.
    pub fn seen(&mut self, below: Below) -> Result<(), StoreError> {
        let Source::Tree(tree) = &mut self.source else { return Ok(()) };
        for below in below.0 {
            tree.ahead_memory += below.len() + size_of::<Vec<u8>>();
            if tree.ahead_memory > MAX_AHEAD {
                return Err(StoreError::TooMany { what: "bytes of directory names in one listing", limit: MAX_AHEAD });
            }
            tree.found.push(below);
        }
        Ok(())
    }

    /// The next names, at most so many: there are some.
    fn take(&mut self, most: usize) -> Range<usize> {
        let start = self.next;
        self.next = self.names.len().min(start + most);
        start..self.next
    }

    fn place(&self) -> Place {
        match &self.source {
            Source::Tree(tree) => Place::Directory(tree.at.clone()),
            Source::Typed(directory) => Place::Typed(directory.clone()),
        }
    }

    /// Reads the next run of names; false if there are none.
    fn refill(&mut self) -> Result<bool, StoreError> {
        let Source::Tree(tree) = &mut self.source else { return Ok(false) };
        if Arc::get_mut(&mut self.names).is_none() {
            // The last run is still being looked at.
            self.names = Arc::new(Names::with_room_of(&self.names));
        }
        self.next = 0;
        match Arc::get_mut(&mut self.names) {
            Some(names) => tree.read(names),
            None => Ok(false),
        }
    }

    /// Goes on with the next directory below; false if there is none.
    fn enter_next(&mut self, see: &mut impl FnMut(Item<'_>)) -> Result<bool, StoreError> {
        match &mut self.source {
            Source::Tree(tree) => tree.enter_next(&self.eye, see),
            Source::Typed(_) => Ok(false),
        }
    }
}

/// Some of the names of a listing.
pub struct Part {
    eye: Eye,
    names: Arc<Names>,
    range: Range<usize>,
    place: Place,
}

/// Directories that a part of a recursive listing has found.
pub struct Below(Vec<Vec<u8>>);

impl Part {
    /// How many names, and of how many bytes.
    pub fn size(&self) -> (usize, usize) {
        (self.range.len(), self.names.range(self.range.clone()).map(|(name, _)| name.len()).sum())
    }

    /// How many bytes there may be at most in where links among them lead, and in the paths of directories found among them.
    pub fn beyond(&self) -> (usize, usize) {
        let (mut targets, mut below) = (0, 0);
        let above = match &self.place {
            Place::Directory(at) if self.eye.selection.recursive => Some(at.below.len()),
            _ => None,
        };
        for (name, kind) in self.names.range(self.range.clone()) {
            if matches!(kind, FileType::Symlink | FileType::Unknown) {
                targets += MAX_PATH;
            }
            if let Some(above) = above.filter(|_| matches!(kind, FileType::Directory | FileType::Unknown)) {
                below += above + name.len();
            }
        }
        (targets, below)
    }

    /// As [`Listing::next_batch`], of these names.
    pub fn look(mut self, mut see: impl FnMut(Item<'_>)) -> Result<Below, StoreError> {
        self.place.look(&mut self.eye, &self.names, self.range, &mut see)
    }
}

/// Where names lie.
enum Place {
    Directory(Arc<Directory>),
    /// They are paths as typed in this one.
    Typed(Arc<VirtualPath>),
}

impl Place {
    fn look(
        &self,
        eye: &mut Eye,
        names: &Names,
        range: Range<usize>,
        see: &mut impl FnMut(Item<'_>),
    ) -> Result<Below, StoreError> {
        let mut below = Vec::new();
        let tells_unseen = matches!(self, Place::Directory(at) if eye.tells_unseen(at.real.as_ref()));
        for (name, kind) in names.range(range) {
            match self {
                Place::Directory(_) if tells_unseen && kind == FileType::RegularFile => see(Item::Name(name)),
                Place::Directory(at) => below.extend(at.show(eye, name, kind, see)?),
                Place::Typed(directory) => eye.show_typed(directory, name, see)?,
            }
        }
        Ok(Below(below))
    }
}

impl Directory {
    /// Shows what bears the name, and returns where it lies below if it is a directory to be entered.
    fn show(
        &self,
        eye: &mut Eye,
        name: &[u8],
        kind: FileType,
        see: &mut impl FnMut(Item<'_>),
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Directory { fd, device, path, real, below } = self;
        let sight = Sight { directory: fd.as_fd(), device: *device, name, kind, shown: name, real: real.as_ref() };
        let is_directory = eye.show(&sight, || path.child(name), see)?;
        Ok((is_directory && eye.selection.recursive).then(|| match below.is_empty() {
            true => name.to_vec(),
            false => [below, name].join(&b'/'),
        }))
    }
}

impl Tree {
    fn show_dots(&mut self, eye: &Eye, see: &mut impl FnMut(Item<'_>)) -> Result<(), StoreError> {
        self.dots = false;
        let parent = self.at.path.parent().unwrap_or_else(VirtualPath::root);
        eye.show_path(b".", &self.at.path, see)?;
        eye.show_path(b"..", &parent, see)
    }

    /// Reads the next run of names; false if there are none.
    fn read(&mut self, names: &mut Names) -> Result<bool, StoreError> {
        names.clear();
        let hidden = self.selection.hidden;
        let run = if self.selection.soon { SOON_MEMORY } else { ORDERED_MEMORY };
        while self.more && names.len() == 0 {
            self.more = sys::read_names(&self.at.fd, |name, kind| {
                if !is_temporary(name) && (hidden || !name.starts_with(b".")) {
                    names.push(name, kind);
                }
                names.memory() >= run
            })?;
        }
        names.sort(self.selection.reverse);
        Ok(names.len() > 0)
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
                    let device = sys::identity(&stat).device;
                    self.at = Arc::new(Directory { fd, device, path, real, below });
                    (self.dots, self.more) = (self.selection.dots, true);
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
