//! Uploads: bytes go to a temporary file beside the target, which appears under its name only when it is whole.
//! It refuses to know what proves that: whoever received the bytes says `publish`, `keep`, or drops it.

use super::Store;
use super::error::StoreError;
use super::kept::{Kept, Key};
use super::path::VirtualPath;
use super::resolve::{Place, existing};
use super::sys::{self, FileType, Identity, Stat};
use super::temporary::{Temporary, is_temporary, random};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::{Arc, PoisonError};

/// Permission bits of a new file: everybody may read, the server's user may write (0666 without 022).
const NEW_FILE: u32 = 0o666 & !0o022;
/// What a replaced file hands on. Not the set-id bits: they were given to other content.
const HANDED_ON: u32 = 0o777;
/// Names tried for a unique one; looking at them all takes some ten milliseconds.
const UNIQUE_ATTEMPTS: u32 = 10_000;
/// Of 64 random bits, the 48 that a made-up name shows as twelve digits.
const SHOWN_BITS: u64 = (1 << 48) - 1;

/// What an upload does to what is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// Takes the name from its beginning; what bore it is replaced.
    Replace,
    /// Goes on behind that many bytes of the owner's kept partial upload, or else of the file that stands.
    ResumeAt(u64),
    /// Goes on at the end of the owner's kept partial if that is the newer, or else of the file that stands.
    Append,
    /// Takes a name that is free: the path's, or with a number behind it; a made-up one if the path is a directory.
    Unique,
}

/// What must still stand under the name when an upload that builds on it is published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Base {
    /// The upload brings everything itself.
    Anything,
    /// Nothing may have taken the name.
    Free,
    /// The file whose beginning was copied, unchanged.
    File(Stamp),
}

/// A file at a moment: which, how large, and when changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stamp(Identity, u64, (i64, u32));

impl Stamp {
    fn of(stat: &Stat) -> Self {
        Stamp(sys::identity(stat), sys::size(stat), sys::modified(stat))
    }
}

/// A published upload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Published {
    /// The path it now has; for [`How::Unique`] the last name may differ from what [`Upload::name`] said.
    pub path: VirtualPath,
    /// The last name of it.
    pub name: Vec<u8>,
    /// Bytes of the whole file.
    pub size: u64,
}

/// An upload under way. Dropping it removes what arrived and leaves the old file as it was.
pub struct Upload {
    store: Arc<Store>,
    owner: Arc<str>,
    /// What the client calls it.
    path: VirtualPath,
    /// The name in the temporary's directory; differs from the path's where a link was followed.
    target: Vec<u8>,
    temporary: Temporary,
    offset: u64,
    /// Bytes that others than this upload brought; alone they are not worth keeping.
    copied: u64,
    base: Base,
    unique: Option<Unique>,
}

/// A name that nobody else may choose while this exists.
struct Unique {
    store: Arc<Store>,
    claim: (Identity, Vec<u8>),
    /// What numbers are put behind; none for a made-up name.
    stem: Option<Vec<u8>>,
}

impl Drop for Unique {
    fn drop(&mut self) {
        self.store.claims.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.claim);
    }
}

impl Upload {
    /// Rights were checked, and that no component of the path is reserved.
    pub(super) fn start(store: Arc<Store>, owner: Arc<str>, path: &VirtualPath, how: How) -> Result<Self, StoreError> {
        if how == How::Unique {
            return Upload::unique(store, owner, path);
        }
        let place = store.resolver.place_followed(path.relative())?.ok_or(StoreError::IsDirectory)?;
        check_target(&place)?;
        let key = (owner, path.clone());
        match how {
            How::ResumeAt(offset) if offset > 0 => Upload::resume(store, key, place, offset),
            How::Append => Upload::append(store, key, place),
            _ => Upload::fresh(store, key, place),
        }
    }

    fn fresh(store: Arc<Store>, (owner, path): Key, place: Place) -> Result<Self, StoreError> {
        let temporary = Temporary::create(place.directory)?;
        Ok(Upload {
            store,
            owner,
            path,
            target: place.name,
            temporary,
            offset: 0,
            copied: 0,
            base: Base::Anything,
            unique: None,
        })
    }

    fn resume(store: Arc<Store>, key: Key, place: Place, offset: u64) -> Result<Self, StoreError> {
        let kept = store.kept.size(&key).unwrap_or(0);
        if kept >= offset
            && let Some(kept) = take_kept(&store, &key, &place)?
        {
            return Upload::go_on(store, key, place.name, kept, offset);
        }
        let standing = place.stat.as_ref().map_or(0, sys::size);
        if standing < offset {
            return Err(StoreError::BeyondEnd { size: standing.max(kept) });
        }
        Upload::copy(store, key, place, Some(offset))
    }

    fn append(store: Arc<Store>, key: Key, place: Place) -> Result<Self, StoreError> {
        if let Some(kept) = take_kept(&store, &key, &place)? {
            let stat = sys::stat_fd(&kept.temporary.file)?;
            if place.stat.as_ref().is_none_or(|standing| sys::modified(&stat) >= sys::modified(standing)) {
                return Upload::go_on(store, key, place.name, kept, sys::size(&stat));
            }
            // Older than what stands: of no use to an append, but a restart may still ask for it.
            store.kept.put(key.clone(), kept);
        }
        if place.stat.is_none() {
            let upload = Upload::fresh(store, key, place)?;
            return Ok(Upload { base: Base::Free, ..upload });
        }
        Upload::copy(store, key, place, None)
    }

    /// Takes a kept partial over, cut to `offset`.
    fn go_on(
        store: Arc<Store>,
        (owner, path): Key,
        target: Vec<u8>,
        kept: Kept,
        offset: u64,
    ) -> Result<Self, StoreError> {
        let Kept { temporary, base, .. } = kept;
        sys::truncate(&temporary.file, offset)?;
        Ok(Upload { store, owner, path, target, temporary, offset, copied: 0, base, unique: None })
    }

    /// Begins with the first bytes of the file that stands; all of them if `length` does not say.
    fn copy(store: Arc<Store>, (owner, path): Key, place: Place, length: Option<u64>) -> Result<Self, StoreError> {
        let source = File::from(sys::open_at(&place.directory, &place.name, sys::READ_FILE)?);
        let stat = sys::stat_fd(&source)?;
        if sys::kind(&stat) != FileType::RegularFile {
            return Err(StoreError::NotRegular);
        }
        let length = length.unwrap_or(sys::size(&stat));
        let temporary = Temporary::create(place.directory)?;
        if sys::copy_prefix(&source, &temporary.file, length)? != length {
            return Err(StoreError::ChangedMeanwhile);
        }
        let base = Base::File(Stamp::of(&stat));
        Ok(Upload {
            store,
            owner,
            path,
            target: place.name,
            temporary,
            offset: length,
            copied: length,
            base,
            unique: None,
        })
    }

    fn unique(store: Arc<Store>, owner: Arc<str>, path: &VirtualPath) -> Result<Self, StoreError> {
        let place = store.resolver.place(path.relative())?;
        let is_directory = place
            .as_ref()
            .is_none_or(|place| place.stat.as_ref().is_some_and(|stat| sys::kind(stat) == FileType::Directory));
        let (parent, directory, stem) = match place {
            Some(place) if !is_directory => {
                (path.parent().unwrap_or_else(VirtualPath::root), place.directory, Some(place.name))
            }
            _ => (path.clone(), store.resolver.open_path(path.relative(), sys::PLACE_DIRECTORY)?.0, None),
        };
        let unique = free_name(&store, &directory, stem)?;
        let target = unique.claim.1.clone();
        let upload =
            Upload::fresh(store, (owner, parent.child(&target)), Place { directory, name: target, stat: None })?;
        Ok(Upload { base: Base::Free, unique: Some(unique), ..upload })
    }

    /// Writes `bytes` at the offset and moves it behind them. After an error the offset stands behind what arrived.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        while !bytes.is_empty() {
            let written = sys::write_at(&self.temporary.file, bytes, self.offset)?;
            self.offset += written as u64;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Where the next byte goes; what lies before counts as arrived.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The file, for those who write to it themselves, at the offset; they then say so with [`Upload::advance`].
    pub fn file(&self) -> &File {
        &self.temporary.file
    }

    /// `bytes` were written through [`Upload::file`].
    pub fn advance(&mut self, bytes: u64) {
        self.offset = self.offset.saturating_add(bytes);
    }

    /// Reads what is there already; zero: no more.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.temporary.file, buffer, offset)
    }

    /// Goes on at `offset` instead, if it lies before; what was behind it is forgotten.
    pub fn cut(&mut self, offset: u64) {
        self.offset = self.offset.min(offset);
    }

    /// The last name that publishing will give.
    pub fn name(&self) -> Vec<u8> {
        self.path.name().unwrap_or(&self.target).to_vec()
    }

    /// The path that publishing will give.
    pub fn path(&self) -> &VirtualPath {
        &self.path
    }

    /// Forces what arrived to the disk; for those who want that before they publish.
    pub fn sync(&self) -> Result<(), StoreError> {
        Ok(sys::sync(&self.temporary.file)?)
    }

    /// Gives the file its name in one step. On an error nothing has changed and what arrived is removed.
    pub fn publish(mut self) -> Result<Published, StoreError> {
        // Whatever lies behind the offset was never said to have arrived.
        if sys::size(&sys::stat_fd(&self.temporary.file)?) != self.offset {
            sys::truncate(&self.temporary.file, self.offset)?;
        }
        let store = self.store.clone();
        let turn = store.publishing(sys::identity(&sys::stat_fd(&self.temporary.directory)?));
        let turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = existing(sys::stat_at(&self.temporary.directory, &self.target))?;
        if self.unique.is_none() && !self.base.still(standing.as_ref()) {
            return Err(StoreError::ChangedMeanwhile);
        }
        self.dress(standing.as_ref())?;
        match (self.unique.is_some(), self.base) {
            (true, _) => self.name_uniquely()?,
            (false, Base::Free) => self.temporary.claim(&self.target).map_err(taken)?,
            (false, _) => self.temporary.replace(&self.target)?,
        }
        drop(turn);
        store.kept.forget(&(self.owner.clone(), self.path.clone()));
        Ok(Published { path: self.path.clone(), name: self.name(), size: self.offset })
    }

    /// The upload broke: what arrived is kept for its owner, for a while. Returns the bytes kept; 0 if it was nothing.
    pub fn keep(self) -> u64 {
        let Upload { store, owner, path, temporary, offset, copied, base, .. } = self;
        if offset <= copied || sys::truncate(&temporary.file, offset).is_err() {
            return 0;
        }
        store.kept.put((owner, path), Kept::new(temporary, base));
        offset
    }

    /// Gives the file the permission bits and owner it is to have, before anybody can see it.
    fn dress(&self, standing: Option<&Stat>) -> Result<(), StoreError> {
        let mut permissions = NEW_FILE;
        if let Some(old) = standing.filter(|old| sys::kind(old) == FileType::RegularFile) {
            permissions = sys::mode(old) & HANDED_ON;
            let own = sys::stat_fd(&self.temporary.file)?;
            if (own.st_uid, own.st_gid) != (old.st_uid, old.st_gid) {
                // Only a privileged server may, and an unprivileged one is none the worse for it.
                let _ = sys::set_owner(&self.temporary.file, old.st_uid, old.st_gid);
            }
        }
        match sys::set_permissions(&self.temporary.file, permissions) {
            // File systems without permission bits say so in these ways.
            Ok(()) | Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn name_uniquely(&mut self) -> Result<(), StoreError> {
        for _ in 0..UNIQUE_ATTEMPTS {
            match self.temporary.claim(&self.target) {
                Err(Errno::EXIST) => {}
                result => return Ok(result?),
            }
            // Somebody who does not know of claims took the name.
            let stem = self.unique.as_ref().and_then(|unique| unique.stem.clone());
            let unique = free_name(&self.store, &self.temporary.directory, stem)?;
            self.target = unique.claim.1.clone();
            self.path = self.path.parent().unwrap_or_else(VirtualPath::root).child(&self.target);
            self.unique = Some(unique);
        }
        Err(StoreError::Exists)
    }
}

impl Base {
    fn still(self, standing: Option<&Stat>) -> bool {
        match self {
            Base::Anything => true,
            Base::Free => standing.is_none(),
            Base::File(stamp) => standing.is_some_and(|stat| Stamp::of(stat) == stamp),
        }
    }
}

fn taken(errno: Errno) -> StoreError {
    if errno == Errno::EXIST { StoreError::ChangedMeanwhile } else { errno.into() }
}

/// What a rename would replace without asking is asked about here.
fn check_target(place: &Place) -> Result<(), StoreError> {
    if is_temporary(&place.name) {
        return Err(StoreError::BadName("the name is reserved for uploads in progress"));
    }
    match place.stat.as_ref().map(sys::kind) {
        None => Ok(()),
        Some(FileType::RegularFile) => Ok(sys::may_write(&place.directory, &place.name)?),
        Some(FileType::Directory) => Err(StoreError::IsDirectory),
        Some(_) => Err(StoreError::NotRegular),
    }
}

/// The owner's kept partial, unless the path now lies in another directory than it did.
fn take_kept(store: &Store, key: &Key, place: &Place) -> Result<Option<Kept>, StoreError> {
    let Some(kept) = store.kept.take(key) else { return Ok(None) };
    let (now, then) = (sys::stat_fd(&place.directory)?, sys::stat_fd(&kept.temporary.directory)?);
    Ok((sys::identity(&now) == sys::identity(&then)).then_some(kept))
}

/// Finds a name that is free on the disk and that no other upload is about to take, and claims it.
fn free_name(store: &Arc<Store>, directory: &OwnedFd, stem: Option<Vec<u8>>) -> Result<Unique, StoreError> {
    let identity = sys::identity(&sys::stat_fd(directory)?);
    for number in 0..UNIQUE_ATTEMPTS {
        let name = match &stem {
            Some(stem) if number == 0 => stem.clone(),
            Some(stem) => [stem.as_slice(), format!(".{number}").as_bytes()].concat(),
            None => format!("ftp-{:012x}", random() & SHOWN_BITS).into_bytes(),
        };
        if existing(sys::stat_at(directory, &name))?.is_some() {
            continue;
        }
        let claim = (identity, name);
        if store.claims.lock().unwrap_or_else(PoisonError::into_inner).insert(claim.clone()) {
            return Ok(Unique { store: store.clone(), claim, stem });
        }
    }
    Err(StoreError::Exists)
}
