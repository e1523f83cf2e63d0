//! Copying files and directories within the tree, in bounded steps. Each file appears under its name when it is whole;
//! links are copied as links where they stay inside.

use super::super::error::{StoreError, Trouble};
use super::super::names::{MAX_MEMORY, Names};
use super::super::path::VirtualPath;
use super::super::portion::Portion;
use super::super::resolve::{Miss, existing};
use super::super::rights::Rights;
use super::super::sys::{self, FileType, Identity, Stat};
use super::super::tally::Tally;
use super::super::temporary::{Temporary, is_temporary};
use super::super::upload::{Base, How, Upload};
use super::{Opened, View, creatable, need, to_mkdir, to_read};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// What one step may cost, in bytes copied.
const STEP: u64 = 8 * 1024 * 1024;
/// What an entry costs beside its bytes, in the same measure: making a file takes as long as copying so much.
const ENTRY: u64 = 64 * 1024;
/// Memory for directories that were met and not yet entered, as for listings.
const MAX_AHEAD: usize = MAX_MEMORY;
/// Levels descended, as for listings: no tree made by people is this deep.
const MAX_DEPTH: usize = 256;

/// A copy being made. Dropping it leaves the files that are whole, and nothing of the one at hand.
pub struct Copying {
    view: View,
    to: VirtualPath,
    tree: Option<Tree>,
    file: Option<(Portion, Upload)>,
    tally: Arc<Tally>,
}

struct Tree {
    source: OwnedFd,
    target: OwnedFd,
    /// Where both really lie; known where rules ask for it. No link is followed beneath them.
    real: Option<(VirtualPath, VirtualPath)>,
    /// What the copy itself is, lest it be copied into itself.
    copy: Identity,
    at: Pair,
    names: Names,
    /// The first of the names that was not copied yet.
    next: usize,
    /// Directories to enter, as paths below the top.
    ahead: Vec<Vec<u8>>,
    ahead_memory: usize,
}

/// A directory and its copy.
struct Pair {
    below: Vec<u8>,
    source: OwnedFd,
    device: u64,
    target: OwnedFd,
    /// The source may have more names.
    more: bool,
}

impl View {
    /// Whether `path` is a file or directory that can be copied. Needs `read`.
    pub fn exists_for_copy(&self, path: &VirtualPath) -> Result<(), StoreError> {
        let opened = self.open(path, sys::PLACE, to_read)?;
        match sys::kind(&opened.stat) {
            FileType::RegularFile | FileType::Directory => Ok(()),
            _ => Err(StoreError::NotRegular),
        }
    }

    /// Begins to copy `from`, to which a link is followed, to `to`. A file replaces a file; a directory needs a free
    /// name. Needs `read` and `write`, and for a directory `mkdir`.
    pub fn copy(&self, from: &VirtualPath, to: &VirtualPath) -> Result<Copying, StoreError> {
        if !self.rules.are_by_place() {
            to_read(self.rights())?;
            to_write(self.rights())?;
        }
        creatable(to)?;
        let opened = self.open(from, sys::PLACE, to_read)?;
        let (mut tree, mut file) = (None, None);
        if sys::kind(&opened.stat) == FileType::Directory {
            tree = Some(self.begin_tree(from, to)?);
        } else {
            file = Some(self.begin_file(from, to)?);
        }
        let tally = Arc::<Tally>::default();
        if tree.is_some() {
            tally.directory();
        }
        Ok(Copying { view: self.clone(), to: to.clone(), tree, file, tally })
    }

    fn begin_file(&self, from: &VirtualPath, to: &VirtualPath) -> Result<(Portion, Upload), StoreError> {
        let portion = Portion::of(self.open(from, sys::READ_FILE, to_read)?.fd)?;
        if let Some(standing) = self.place_followed(to, to_write)?.and_then(|place| place.stat)
            && sys::identity(&standing) == portion.stamp.identity()
        {
            return Err(StoreError::BadName("a file cannot be copied onto itself"));
        }
        let upload = self.upload(to, How::Replace)?;
        let permissions = self.copied(portion.mode);
        Ok((portion, Upload { permissions, ..upload }))
    }

    fn begin_tree(&self, from: &VirtualPath, to: &VirtualPath) -> Result<Tree, StoreError> {
        if !self.rules.are_by_place() {
            to_mkdir(self.rights())?;
        }
        if to.starts_with(from) {
            return Err(StoreError::BadName("a directory cannot be copied into itself"));
        }
        let Opened { fd: source, stat, real: source_real } = self.open(from, sys::READ_DIRECTORY, to_read)?;
        let right = |rights: Rights| to_write(rights).and_then(|()| to_mkdir(rights));
        let place = self.place(to, right)?.ok_or(StoreError::Exists)?;
        self.make_directory_at(to, &place.directory, &place.name)?;
        let target = sys::open_at(&place.directory, &place.name, sys::PLACE_DIRECTORY)?;
        let copy = sys::identity(&sys::stat_fd(&target)?);
        let at = Pair {
            below: Vec::new(),
            device: sys::identity(&stat).device,
            source: sys::open_at(&source, b".", sys::READ_DIRECTORY)?,
            target: sys::open_at(&target, b".", sys::PLACE_DIRECTORY)?,
            more: true,
        };
        let real = source_real.zip(place.real);
        Ok(Tree {
            source,
            target,
            real,
            copy,
            at,
            names: Names::default(),
            next: 0,
            ahead: Vec::new(),
            ahead_memory: 0,
        })
    }
}

impl Copying {
    /// What was copied so far.
    pub fn tally(&self) -> Arc<Tally> {
        self.tally.clone()
    }

    /// Goes on; false once all is copied. The first thing that cannot be copied ends it: what is there stays.
    pub fn step(&mut self, durable: bool) -> Result<bool, Trouble> {
        let mut cost = 0;
        while cost < STEP {
            cost += match self.go_on(durable)? {
                Some(more) => more,
                None => return Ok(false),
            };
        }
        Ok(true)
    }

    /// Does the next bit of it and returns what that cost; none once there is none.
    fn go_on(&mut self, durable: bool) -> Result<Option<u64>, Trouble> {
        if let Some((portion, upload)) = &mut self.file {
            let path = upload.path().clone();
            let poured = portion.pour(upload).map_err(|error| Trouble { path: path.clone(), error })?;
            if let Some(bytes) = poured {
                self.tally.add_bytes(bytes);
                return Ok(Some(bytes));
            }
            if let Some((_, upload)) = self.file.take() {
                let published = if durable { upload.publish_durably() } else { upload.publish() };
                published.map_err(|error| Trouble { path, error })?;
                self.tally.file();
            }
            return Ok(Some(ENTRY));
        }
        let Some(tree) = &mut self.tree else { return Ok(None) };
        let step = match tree.next_name(&self.view) {
            Ok(Some((name, stat))) => match tree.take(&self.view, &self.to, &name, &stat, &self.tally) {
                Ok(file) => {
                    self.file = file;
                    Ok(Some(ENTRY))
                }
                Err(error) => return Err(Trouble { path: self.to.child(&below(&tree.at.below, &name)), error }),
            },
            Ok(None) => tree.enter_next(&self.view).map(|entered| entered.then_some(ENTRY)),
            Err(error) => Err(error),
        };
        step.map_err(|error| Trouble { path: self.to.join(&tree.at.below).unwrap_or_else(|_| self.to.clone()), error })
    }
}

fn below(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_vec() } else { [directory, name].join(&b'/') }
}

fn beneath(top: &VirtualPath, below: &[u8]) -> VirtualPath {
    if below.is_empty() { top.clone() } else { top.child(below) }
}

fn to_write(rights: Rights) -> Result<(), StoreError> {
    need(rights.write, "write")
}

impl Tree {
    /// The next name of the directory at hand that is still there and served; none if there is none.
    fn next_name(&mut self, view: &View) -> Result<Option<(Vec<u8>, Stat)>, StoreError> {
        loop {
            while let Some((name, _)) = self.names.get(self.next) {
                self.next += 1;
                let Some(stat) = existing(sys::stat_at(&self.at.source, name))? else { continue };
                let shown = self
                    .real
                    .as_ref()
                    .is_none_or(|(source, _)| view.shows(&beneath(source, &self.at.below), name, Some(&stat)));
                if shown && view.store.resolver.is_entry_served(&self.at.source, name, &stat, self.at.device) {
                    return Ok(Some((name.to_vec(), stat)));
                }
            }
            if !self.at.more {
                return Ok(None);
            }
            self.names.clear();
            self.next = 0;
            let names = &mut self.names;
            self.at.more = sys::read_names(&self.at.source, |name, kind| {
                if !is_temporary(name) {
                    names.push(name, kind);
                }
                names.memory() >= MAX_MEMORY
            })?;
        }
    }

    /// Makes the copy of one entry, but for a file's content, which comes back to be poured.
    fn take(
        &mut self,
        view: &View,
        to: &VirtualPath,
        name: &[u8],
        stat: &Stat,
        tally: &Tally,
    ) -> Result<Option<(Portion, Upload)>, StoreError> {
        let here = beneath(to, &self.at.below);
        let kind = sys::kind(stat);
        let real = self.real.as_ref().map(|(source, target)| {
            (beneath(source, &self.at.below).child(name), beneath(target, &self.at.below).child(name))
        });
        if let Some((source, target)) = &real {
            view.judge(Some(source), to_read)?;
            view.judge(Some(target), |rights| {
                to_write(rights)?;
                if kind == FileType::Directory { to_mkdir(rights) } else { Ok(()) }
            })?;
        }
        match kind {
            FileType::RegularFile => {
                let fd = match sys::open_at(&self.at.source, name, sys::READ_FILE) {
                    // Gone, or a link by now.
                    Err(Errno::NOENT | Errno::LOOP) => return Ok(None),
                    fd => fd?,
                };
                let portion = Portion::of(fd)?;
                let directory = sys::open_at(&self.at.target, b".", sys::PLACE_DIRECTORY)?;
                let path = here.child(name);
                let charge = view.charge(&path, None)?;
                let upload = Upload::new(view, path, name.to_vec(), Temporary::create(directory)?, charge);
                let upload = upload.at(real.map(|(_, target)| target));
                let permissions = view.copied(portion.mode);
                return Ok(Some((portion, Upload { base: Base::Free, permissions, ..upload })));
            }
            FileType::Directory => {
                if sys::identity(stat) == self.copy {
                    return Err(StoreError::BadName("a directory cannot be copied into itself"));
                }
                view.make_directory_at(&here.child(name), &self.at.target, name)?;
                tally.directory();
                self.note(below(&self.at.below, name))?;
            }
            FileType::Symlink => {
                let text = sys::read_link_at(&self.at.source, name)?;
                let inside = |found: &super::links::Found| !matches!(found, Err(Miss::Outside));
                match view.try_link(&self.at.target, &here, name, &text, inside)? {
                    true => tally.file(),
                    false => tally.leave_out(),
                }
            }
            _ => tally.leave_out(),
        }
        Ok(None)
    }

    fn note(&mut self, below: Vec<u8>) -> Result<(), StoreError> {
        if below.iter().filter(|byte| **byte == b'/').count() >= MAX_DEPTH {
            return Err(StoreError::TooMany { what: "levels of directories", limit: MAX_DEPTH });
        }
        self.ahead_memory += below.len() + size_of::<Vec<u8>>();
        if self.ahead_memory > MAX_AHEAD {
            return Err(StoreError::TooMany { what: "bytes of directory names in one copy", limit: MAX_AHEAD });
        }
        self.ahead.push(below);
        Ok(())
    }

    /// Goes on with the next directory; false if there is none.
    fn enter_next(&mut self, view: &View) -> Result<bool, StoreError> {
        let Some(below) = self.ahead.pop() else { return Ok(false) };
        self.ahead_memory -= below.len() + size_of::<Vec<u8>>();
        let resolver = &view.store.resolver;
        let (source, stat) = match resolver.open_below(self.source.as_fd(), &below, sys::READ_DIRECTORY) {
            // Gone, or something else by now: its copy stays empty.
            Err(Miss::Outside | Miss::Os(Errno::NOENT | Errno::NOTDIR | Errno::LOOP)) => return Ok(true),
            opened => opened?,
        };
        let (target, _) = resolver.open_below(self.target.as_fd(), &below, sys::PLACE_DIRECTORY)?;
        self.at = Pair { below, source, device: sys::identity(&stat).device, target, more: true };
        Ok(true)
    }
}
