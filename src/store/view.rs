//! A session's door to the store: each method checks the account's right, then that the name is not a reserved one,
//! and only then touches the disk. It refuses to know how accounts are made and which command asks.

use super::Store;
use super::begin::{begin, begin_new};
use super::bits;
use super::entry::Entry;
use super::error::StoreError;
use super::expand::expand;
use super::ledger::Change;
use super::listing::{Listing, Selection};
use super::names::Names;
use super::own::Own;
use super::path::VirtualPath;
use super::reading::Reading;
use super::replaced::hold;
use super::resolve::Last;
use super::rights::Rights;
use super::rules::Rules;
use super::sys;
use super::temporary::{is_temporary, remove_if_dead};
use super::upload::{How, Upload};
use door::{creatable, visible};
use std::os::fd::OwnedFd;
use std::sync::Arc;

mod copying;
mod door;
mod facts;
mod joining;
mod links;
mod removal;
mod renaming;

pub use copying::Copying;
pub(super) use door::{Opened, need, to_look};
pub use facts::Changes;
pub use joining::{Joining, MAX_PARTS};
pub use removal::Removal;

/// Permission bits of a new file, before the session's umask is taken out.
const NEW_FILE: u32 = 0o666;
/// Permission bits that a copy takes over, those of the session's umask taken out.
const TAKEN_OVER: u32 = 0o777;
/// Permission bits of a new directory, before the session's umask is taken out.
const NEW_DIRECTORY: u32 = 0o777;
/// What is taken from new files and directories unless the session says otherwise: only the server's user may write.
const NEW_UMASK: u32 = 0o022;
/// All that a umask can take.
const WHOLE_UMASK: u32 = 0o777;

/// A session's door: the store, seen with the rights of one account.
#[derive(Clone)]
pub struct View {
    pub(super) store: Arc<Store>,
    pub(super) rules: Rules,
    pub(super) owner: Arc<[u8]>,
    /// What this session takes from the permission bits of new things, once it has said so.
    umask: Option<u32>,
    /// What this session has brought, if there are drop-boxes.
    own: Option<Arc<Own>>,
    /// Whether it may wait for a disk.
    waits: bool,
}

/// Whether these rights suffice.
type Right = fn(Rights) -> Result<(), StoreError>;

impl View {
    pub(super) fn new(store: Arc<Store>, rules: Rules, owner: Arc<[u8]>) -> Self {
        let own = rules.know_drop_boxes().then(Arc::default);
        View { store, rules, owner, umask: None, own, waits: true }
    }

    /// The same door for who must not wait for a disk: whatever of `enter`, `entry` and `read` the kernel cannot do from
    /// memory fails with [`std::io::ErrorKind::WouldBlock`], and so may what would fail otherwise. Other methods are not for it.
    pub fn from_memory(&self) -> View {
        View { waits: false, ..self.clone() }
    }

    /// The rights that hold where nothing else is said.
    pub fn rights(&self) -> Rights {
        self.rules.rights()
    }

    /// The permission bits that new files and directories of this session go without.
    pub fn umask(&self) -> u32 {
        self.umask.unwrap_or(WHOLE_UMASK & !self.new_directory())
    }

    /// Sets them, 0 to 0o777. Needs `site`: it could open to others what the site keeps closed. What the rules keep closed
    /// it does not open.
    pub fn set_umask(&mut self, umask: u32) -> Result<(), StoreError> {
        need(self.rights().site, "site")?;
        self.umask = Some(umask & WHOLE_UMASK);
        Ok(())
    }

    /// Permission bits of a new file.
    pub(super) fn new_file(&self) -> u32 {
        self.dressed(NEW_FILE, self.rules.special().and_then(|special| special.files))
    }

    /// Permission bits of a new directory.
    pub(super) fn new_directory(&self) -> u32 {
        self.dressed(NEW_DIRECTORY, self.rules.special().and_then(|special| special.folders))
    }

    /// Permission bits of a copy of something that has these.
    pub(super) fn copied(&self, mode: u32) -> u32 {
        self.dressed(mode & TAKEN_OVER, self.rules.special().and_then(|special| special.files))
    }

    /// What the rules say, or else the usual without the usual umask; in any case without the session's.
    fn dressed(&self, usual: u32, told: Option<u32>) -> u32 {
        match (told, self.umask) {
            (Some(told), umask) => told & !umask.unwrap_or(0),
            (None, umask) => usual & !umask.unwrap_or(NEW_UMASK),
        }
    }

    /// Whether `path` is a directory that one may stand in. Any right will do, there or beneath: who may only write must
    /// get there.
    pub fn enter(&self, path: &VirtualPath) -> Result<(), StoreError> {
        let opened = self.open_if(path, sys::PLACE_DIRECTORY, |real| match real {
            None => need(self.rights() != Rights::NONE, "list"),
            Some(real) => need(self.rules.let_pass(real), "list").and_then(|()| self.judge_names(real)),
        })?;
        Ok(sys::may_search(opened.fd)?)
    }

    /// What `path` is; a link is followed. Needs `list` or `read`; in a drop-box it is there if this session brought it.
    pub fn entry(&self, path: &VirtualPath) -> Result<Entry, StoreError> {
        self.look_at(&self.open(path, sys::PLACE, to_look)?)
    }

    /// Opens a regular file for reading. Needs `read`.
    pub fn read(&self, path: &VirtualPath) -> Result<Reading, StoreError> {
        let opened = self.open(path, sys::READ_FILE, to_read)?;
        Reading::of(opened.fd, &opened.stat, self.store.resolver.backing(&opened.stat))
    }

    /// Starts an upload to `path`. Needs `write`; to append, `append` will do. With `create` alone it takes a free name,
    /// whatever was asked, or goes on with this owner's kept partial upload.
    pub fn upload(&self, path: &VirtualPath, how: How) -> Result<Upload, StoreError> {
        let (name, right): (_, Right) = match how {
            How::Append | How::AppendKept => ("append", |rights| need(rights.write || rights.append, "append")),
            How::Replace | How::ResumeAt(_) | How::Unique => ("write", |rights| need(rights.write, "write")),
        };
        // What is there decides which of both it is; then it is looked at again, and that verdict is what counts, also
        // for what may be done later: a link on the way may have been swapped in between.
        let rights = self.rights_for(path)?;
        let may_touch = right(rights).is_ok();
        need(may_touch || rights.create, name)?;
        creatable(path)?;
        let upload = if may_touch { begin(self, path, how, right)? } else { begin_new(self, path, how)? };
        Ok(Upload { may_cut: self.rights_at(upload.real.as_ref()).write, ..upload })
    }

    /// The rights for a file at `path`, wherever it really lies.
    fn rights_for(&self, path: &VirtualPath) -> Result<Rights, StoreError> {
        if !self.rules.are_by_place() {
            return Ok(self.rights());
        }
        visible(path)?;
        Ok(self.rules.at(&self.store.resolver.locate_place(path, Last::Followed).real))
    }

    /// Bytes of this owner's kept partial upload to `path`. Needs `write`, `append` or `create`.
    pub fn kept(&self, path: &VirtualPath) -> Option<u64> {
        let rights = self.rights_for(path).ok()?;
        (rights.write || rights.append || rights.create).then(|| self.store.common.kept.size(&self.key(path))).flatten()
    }

    /// Deletes a file or a link, and this owner's kept partial upload to it; how many bytes the file had. Needs `delete`.
    pub fn delete(&self, path: &VirtualPath) -> Result<u64, StoreError> {
        let deleted = self.present(path, to_delete).and_then(|place| {
            self.unlink_booked(path, &place.directory, &place.name)?;
            Ok(sys::size(&place.stat))
        });
        match deleted {
            Ok(_) => drop(self.store.common.kept.forget(&self.key(path))),
            // Nothing but the partial was there, and it was this owner's to delete.
            Err(StoreError::NotFound) if self.store.common.kept.forget(&self.key(path)) => return Ok(0),
            Err(_) => {}
        }
        deleted
    }

    /// Removes an empty directory. Broken uploads kept in it go with it. Needs `delete`.
    pub fn remove_directory(&self, path: &VirtualPath) -> Result<(), StoreError> {
        if path.is_root() {
            need(self.rights().delete, "delete")?;
            return Err(StoreError::BadName("the root cannot be removed"));
        }
        let place = self.present(path, to_delete)?;
        let remove = || self.booked(path, 0, |counting| remove_directory(&place.directory, &place.name, counting));
        match remove() {
            Err(StoreError::NotEmpty | StoreError::Exists) => {
                let directory = sys::open_at(&place.directory, &place.name, sys::READ_DIRECTORY)?;
                self.clear_temporaries(&directory)?;
                match remove() {
                    // Only temporary files were in it, and one lives.
                    Err(StoreError::NotEmpty | StoreError::Exists) => Err(StoreError::Busy),
                    result => result,
                }
            }
            result => result,
        }
    }

    /// Makes a directory. Needs `mkdir`.
    pub fn make_directory(&self, path: &VirtualPath) -> Result<(), StoreError> {
        if !self.rules.are_by_place() {
            to_mkdir(self.rights())?;
        }
        creatable(path)?;
        let place = self.place(path, to_mkdir)?.ok_or(StoreError::Exists)?;
        self.make_directory_at(path, &place.directory, &place.name)?;
        if place.real.is_some()
            && let Ok(stat) = sys::stat_at(&place.directory, &place.name)
        {
            self.brought(place.real.as_ref(), &stat);
        }
        Ok(())
    }

    fn make_directory_at(&self, path: &VirtualPath, at: &OwnedFd, name: &[u8]) -> Result<(), StoreError> {
        self.booked(path, 1, |_| {
            bits::make_directory(at, name, self.new_directory())?;
            Ok(Change::came(0))
        })
    }

    /// Lists a directory. Needs `list`; in a drop-box it shows what this session brought.
    pub fn list(&self, path: &VirtualPath, selection: Selection) -> Result<Listing, StoreError> {
        Listing::of_directory(self, path, selection)
    }

    /// Lists what matches `pattern`, typed in `directory`; hidden names only where the pattern begins with a dot.
    /// Nothing that matches is an empty listing. Of the selection `hidden`, `dots` and `recursive` are not heeded.
    /// A name that exists wins over its reading as a pattern: callers look that up first. Needs `list`.
    pub fn glob(&self, directory: &VirtualPath, pattern: &[u8], selection: Selection) -> Result<Listing, StoreError> {
        if !self.rules.are_by_place() {
            to_list(self.rights())?;
        }
        if pattern.contains(&0) {
            return Err(StoreError::BadName("the name contains a NUL byte"));
        }
        let mut names: Names = expand(self, directory, pattern)?;
        names.sort(selection.reverse);
        Ok(Listing::of_names(self, directory, names, selection))
    }

    /// Bytes that can still be written where `path` is, or would be: as much as both the disk and the account's quota
    /// have room for. Needs any right.
    pub fn space(&self, path: &VirtualPath) -> Result<u64, StoreError> {
        let free = self.disk_space(path)?;
        Ok(self.usage()?.and_then(|usage| usage.room()).map_or(free, |room| free.min(room)))
    }

    /// Bytes that the disk has room for where `path` is, or would be, whatever quota there is. Needs any right.
    pub fn disk_space(&self, path: &VirtualPath) -> Result<u64, StoreError> {
        let any = |rights: Rights| need(rights != Rights::NONE, "list");
        let there = match self.open(path, sys::PLACE, any) {
            // Nothing bears the name, and something may.
            Err(StoreError::NotFound) => match self.place(path, any)? {
                Some(place) if place.stat.is_none() => place.directory,
                _ => return Err(StoreError::NotFound),
            },
            found => found?.fd,
        };
        Ok(sys::free_bytes(there)?)
    }

    pub(super) fn key(&self, path: &VirtualPath) -> (Arc<[u8]>, VirtualPath) {
        (self.owner.clone(), path.clone())
    }

    /// Removes a file or link; what it was is looked at where somebody counts. It gives its blocks back only when the books are closed: for
    /// a large one that takes seconds, which nobody else who counts there need wait for.
    fn unlink_booked(&self, path: &VirtualPath, directory: &OwnedFd, name: &[u8]) -> Result<(), StoreError> {
        let mut held = None;
        self.booked(path, 0, |counting| {
            let went = if counting { Some(sys::stat_at(directory, name)?) } else { None };
            held = went.as_ref().and_then(|stat| hold(directory, name, stat));
            sys::unlink(directory, name)?;
            Ok(went.as_ref().map_or_else(Change::default, Change::went))
        })
        .inspect(|()| drop(held))
    }

    /// Removes what no client can see from a directory that is to go; fails where a client can see something.
    fn clear_temporaries(&self, directory: &OwnedFd) -> Result<(), StoreError> {
        let mut temporaries = Names::default();
        let mut seen = false;
        while sys::read_names(directory, |name, kind| {
            seen |= !is_temporary(name) || !temporaries.push(name, kind);
            seen || temporaries.memory() > super::names::MAX_MEMORY
        })? {
            if seen {
                break;
            }
        }
        if seen {
            return Err(StoreError::NotEmpty);
        }
        self.store.common.kept.forget_in(sys::identity(&sys::stat_fd(directory)?));
        for (name, _) in temporaries.range(0..temporaries.len()) {
            // One that lives or resists makes the second attempt fail, which says so.
            let _ = remove_if_dead(directory, name);
        }
        Ok(())
    }
}

/// Whether a directory may be listed: in a drop-box too, where it shows only what the session has brought.
pub(super) fn to_list(rights: Rights) -> Result<(), StoreError> {
    need(rights.list || rights == Rights::DROP_BOX, "list")
}

fn to_read(rights: Rights) -> Result<(), StoreError> {
    need(rights.read, "read")
}

fn to_delete(rights: Rights) -> Result<(), StoreError> {
    need(rights.delete, "delete")
}

fn to_mkdir(rights: Rights) -> Result<(), StoreError> {
    need(rights.mkdir, "mkdir")
}

/// Removes an empty directory; what it was is looked at where somebody counts.
fn remove_directory(directory: &OwnedFd, name: &[u8], counting: bool) -> Result<Change, StoreError> {
    let went = if counting { Some(sys::stat_at(directory, name)?) } else { None };
    sys::remove_directory(directory, name)?;
    Ok(went.as_ref().map_or_else(Change::default, Change::went))
}
