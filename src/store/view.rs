//! A session's door to the store: each method checks the account's right, then that the name is not a reserved one,
//! and only then touches the disk. It refuses to know how accounts are made and which command asks.

use super::Store;
use super::begin::{begin, begin_new};
use super::entry::Entry;
use super::error::StoreError;
use super::expand::expand;
use super::listing::{Listing, Selection};
use super::names::Names;
use super::path::VirtualPath;
use super::reading::Reading;
use super::resolve::{Miss, Place, is_link};
use super::rights::Rights;
use super::rules::Rules;
use super::sys;
use super::temporary::{is_temporary, remove_if_dead};
use super::upload::{How, NEW_FILE, Upload};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::sync::Arc;

mod copying;
mod facts;
mod joining;
mod links;
mod removal;

pub use copying::Copying;
pub use facts::Changes;
pub use joining::{Joining, MAX_PARTS};
pub use removal::Removal;

/// Permission bits of a new directory, before the session's umask is taken out.
const NEW_DIRECTORY: u32 = 0o777;
/// What is taken from new files and directories unless the session says otherwise: only the server's user may write.
pub(super) const NEW_UMASK: u32 = 0o022;
/// All that a umask can take.
const WHOLE_UMASK: u32 = 0o777;

/// A session's door: the store, seen with the rights of one account.
#[derive(Clone)]
pub struct View {
    store: Arc<Store>,
    rules: Rules,
    owner: Arc<str>,
    umask: u32,
}

impl View {
    pub(super) fn new(store: Arc<Store>, rules: Rules, owner: Arc<str>) -> Self {
        View { store, rules, owner, umask: NEW_UMASK }
    }

    /// The rights that hold where nothing else is said.
    pub fn rights(&self) -> Rights {
        self.rules.rights()
    }

    /// The permission bits that new files and directories of this session go without.
    pub fn umask(&self) -> u32 {
        self.umask
    }

    /// Sets them, 0 to 0o777. Needs `site`: it could open to others what the site keeps closed.
    pub fn set_umask(&mut self, umask: u32) -> Result<(), StoreError> {
        need(self.rights().site, "site")?;
        self.umask = umask & WHOLE_UMASK;
        Ok(())
    }

    /// Whether `path` is a directory that one may stand in. Any right will do: who may only write must get there.
    pub fn enter(&self, path: &VirtualPath) -> Result<(), StoreError> {
        need(self.rights() != Rights::NONE, "list")?;
        visible(path)?;
        let (directory, _) = self.store.resolver.open_path(path.relative(), sys::PLACE_DIRECTORY)?;
        Ok(sys::may_search(directory)?)
    }

    /// What `path` is; a link is followed. Needs `list` or `read`.
    pub fn entry(&self, path: &VirtualPath) -> Result<Entry, StoreError> {
        need(self.rights().list || self.rights().read, "list")?;
        visible(path)?;
        let (fd, _) = self.store.resolver.open_path(path.relative(), sys::PLACE)?;
        Ok(self.store.common.owners.entry_of(fd)?)
    }

    /// Opens a regular file for reading. Needs `read`.
    pub fn read(&self, path: &VirtualPath) -> Result<Reading, StoreError> {
        need(self.rights().read, "read")?;
        visible(path)?;
        let (fd, stat) = self.store.resolver.open_path(path.relative(), sys::READ_FILE)?;
        Reading::of(fd, &stat)
    }

    /// Starts an upload to `path`. Needs `write`; to append, `append` will do. With `create` alone it takes a free name,
    /// whatever was asked, or goes on with this owner's kept partial upload.
    pub fn upload(&self, path: &VirtualPath, how: How) -> Result<Upload, StoreError> {
        let Rights { write, append, create, .. } = self.rights();
        let (right, may_touch) = match how {
            How::Append | How::AppendKept => ("append", write || append),
            How::Replace | How::ResumeAt(_) | How::Unique => ("write", write),
        };
        need(may_touch || create, right)?;
        creatable(path)?;
        let begin = if may_touch { begin } else { begin_new };
        let upload = begin(self.store.clone(), self.owner.clone(), path, how)?;
        Ok(Upload { may_cut: write, permissions: NEW_FILE & !self.umask, ..upload })
    }

    /// Bytes of this owner's kept partial upload to `path`. Needs `write`, `append` or `create`.
    pub fn kept(&self, path: &VirtualPath) -> Option<u64> {
        (self.rights().write || self.rights().append || self.rights().create)
            .then(|| self.store.common.kept.size(&self.key(path)))
            .flatten()
    }

    /// Deletes a file or a link, and this owner's kept partial upload to it; how many bytes the file had. Needs `delete`.
    pub fn delete(&self, path: &VirtualPath) -> Result<u64, StoreError> {
        need(self.rights().delete, "delete")?;
        visible(path)?;
        let deleted = match self.present(path) {
            Ok(place) => sys::unlink(&place.directory, &place.name).map(|()| place.size).map_err(StoreError::from),
            Err(error) => Err(error),
        };
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
        need(self.rights().delete, "delete")?;
        visible(path)?;
        if path.is_root() {
            return Err(StoreError::BadName("the root cannot be removed"));
        }
        let place = self.present(path)?;
        match sys::remove_directory(&place.directory, &place.name) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                let directory = sys::open_at(&place.directory, &place.name, sys::READ_DIRECTORY)?;
                self.clear_temporaries(&directory)?;
                match sys::remove_directory(&place.directory, &place.name) {
                    // Only temporary files were in it, and one lives.
                    Err(Errno::NOTEMPTY | Errno::EXIST) => Err(StoreError::Busy),
                    result => Ok(result?),
                }
            }
            result => Ok(result?),
        }
    }

    /// Makes a directory. Needs `mkdir`.
    pub fn make_directory(&self, path: &VirtualPath) -> Result<(), StoreError> {
        need(self.rights().mkdir, "mkdir")?;
        creatable(path)?;
        let place = self.store.resolver.place(path.relative())?.ok_or(StoreError::Exists)?;
        Ok(sys::make_directory(&place.directory, &place.name, NEW_DIRECTORY & !self.umask)?)
    }

    /// Whether `path` is there to be renamed; a link counts as itself. Needs `rename`.
    pub fn exists_for_rename(&self, path: &VirtualPath) -> Result<(), StoreError> {
        need(self.rights().rename, "rename")?;
        visible(path)?;
        if path.is_root() {
            return Err(StoreError::BadName("the root cannot be renamed"));
        }
        self.present(path).map(drop)
    }

    /// Renames in one step, replacing a file that bears the new name. Needs `rename`, and to replace something
    /// `delete` or `write` too; without them a taken name is [`StoreError::Exists`].
    pub fn rename(&self, from: &VirtualPath, to: &VirtualPath) -> Result<(), StoreError> {
        self.exists_for_rename(from)?;
        creatable(to)?;
        let old = self.present(from)?;
        let new = self.store.resolver.place(to.relative())?.ok_or(StoreError::Exists)?;
        let renamed = if self.rights().delete || self.rights().write {
            sys::rename(&old.directory, &old.name, &new.directory, &new.name)
        } else {
            sys::rename_new(&old.directory, &old.name, &new.directory, &new.name)
        };
        match renamed {
            Err(Errno::INVAL) => return Err(StoreError::BadName("a directory cannot be moved into itself")),
            result => result?,
        }
        self.store.common.kept.forget(&self.key(from));
        self.store.common.kept.forget(&self.key(to));
        Ok(())
    }

    /// Lists a directory. Needs `list`.
    pub fn list(&self, path: &VirtualPath, selection: Selection) -> Result<Listing, StoreError> {
        need(self.rights().list, "list")?;
        visible(path)?;
        Listing::of_directory(self.store.clone(), path, selection)
    }

    /// Lists what matches `pattern`, typed in `directory`; hidden names only where the pattern begins with a dot.
    /// Nothing that matches is an empty listing. Of the selection `hidden`, `dots` and `recursive` are not heeded.
    /// A name that exists wins over its reading as a pattern: callers look that up first. Needs `list`.
    pub fn glob(&self, directory: &VirtualPath, pattern: &[u8], selection: Selection) -> Result<Listing, StoreError> {
        need(self.rights().list, "list")?;
        if pattern.contains(&0) {
            return Err(StoreError::BadName("the name contains a NUL byte"));
        }
        let mut names: Names = expand(&self.store, directory, pattern)?;
        names.sort(selection.reverse);
        Ok(Listing::of_names(self.store.clone(), directory, names, selection))
    }

    /// Bytes that can still be written where `path` is, or would be. Needs any right.
    pub fn space(&self, path: &VirtualPath) -> Result<u64, StoreError> {
        need(self.rights() != Rights::NONE, "list")?;
        visible(path)?;
        let found = match self.store.resolver.open_path(path.relative(), sys::PLACE) {
            Err(Miss::Os(Errno::NOENT)) => {
                let parent = path.parent().unwrap_or_else(VirtualPath::root);
                self.store.resolver.open_path(parent.relative(), sys::PLACE_DIRECTORY)
            }
            found => found,
        };
        Ok(sys::free_bytes(found?.0)?)
    }

    fn key(&self, path: &VirtualPath) -> (Arc<str>, VirtualPath) {
        (self.owner.clone(), path.clone())
    }

    /// What stands at `path` itself. A link that leaves the root does not exist; one that dangles inside does.
    fn present(&self, path: &VirtualPath) -> Result<PresentPlace, StoreError> {
        let Place { directory, name, stat } =
            self.store.resolver.place(path.relative())?.ok_or(StoreError::IsDirectory)?;
        let stat = stat.ok_or(StoreError::NotFound)?;
        let device = sys::identity(&sys::stat_fd(&directory)?).device;
        let served = if is_link(&stat) {
            !matches!(self.store.resolver.open_path(path.relative(), sys::PLACE), Err(Miss::Outside))
        } else {
            self.store.resolver.is_entry_served(&directory, &name, &stat, device)
        };
        let size = sys::size(&stat);
        if served { Ok(PresentPlace { directory, name, size }) } else { Err(StoreError::NotFound) }
    }

    /// Directory and name of the existing thing that `path` leads to.
    fn followed(&self, path: &VirtualPath) -> Result<(OwnedFd, Vec<u8>), StoreError> {
        visible(path)?;
        match self.store.resolver.place_followed(path.relative())? {
            Some(place) if place.stat.is_none() => Err(StoreError::NotFound),
            Some(place) => Ok((place.directory, place.name)),
            // A directory without a name of its own: the root, or where a link ends in "..".
            None => Ok((self.store.resolver.open_path(path.relative(), sys::PLACE_DIRECTORY)?.0, b".".to_vec())),
        }
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
        while let Some((name, _)) = temporaries.next() {
            // One that lives or resists makes the second attempt fail, which says so.
            let _ = remove_if_dead(directory, name);
        }
        Ok(())
    }
}

/// A name that something bears.
struct PresentPlace {
    directory: OwnedFd,
    name: Vec<u8>,
    /// Bytes.
    size: u64,
}

fn need(right: bool, name: &'static str) -> Result<(), StoreError> {
    if right { Ok(()) } else { Err(StoreError::Forbidden(name)) }
}

/// Reserved names do not exist.
fn visible(path: &VirtualPath) -> Result<(), StoreError> {
    if path.components().any(is_temporary) { Err(StoreError::NotFound) } else { Ok(()) }
}

/// Reserved names cannot be made, and nothing can be made below one.
fn creatable(path: &VirtualPath) -> Result<(), StoreError> {
    if path.name().is_some_and(is_temporary) {
        return Err(StoreError::BadName("the name is reserved for uploads in progress"));
    }
    visible(path)
}
