//! Uploads: bytes go to a temporary file beside the target, which appears under its name only when it is whole.
//! It refuses to know what proves that: whoever received the bytes says `publish`, `keep`, or drops it.

use super::bits;
use super::charge::Charge;
use super::error::StoreError;
use super::inflow::Pipe;
use super::kept::Kept;
use super::path::VirtualPath;
use super::prefix::Prefix;
use super::replaced::Replaced;
use super::resolve::existing;
use super::sys::{self, Backing, FileType, Identity, Stat};
use super::temporary::Temporary;
use super::unique::{UNIQUE_ATTEMPTS, UniqueName};
use super::view::View;
use rustix::io::Errno;
use std::sync::PoisonError;

/// What a replaced file hands on. Not the set-id bits: they were given to other content.
const HANDED_ON: u32 = 0o777;
/// What an upload does to what is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// Takes the name from its beginning; what bore it is replaced.
    Replace,
    /// Goes on behind that many bytes of the owner's kept partial upload, or else of the file that stands.
    ResumeAt(u64),
    /// Goes on at the end of the file that stands, or of the owner's kept partial where none stands.
    Append,
    /// Goes on at the end of the owner's kept partial if that is newer than the file that stands: for one who was told
    /// how long it is.
    AppendKept,
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
    pub(super) fn identity(self) -> Identity {
        self.0
    }

    pub(super) fn of(stat: &Stat) -> Self {
        Stamp(sys::identity(stat), sys::size(stat), sys::modified(stat))
    }
}

/// A published upload.
#[derive(Debug)]
pub struct Published {
    /// The path it now has; for [`How::Unique`] the last name may differ from what [`Upload::name`] said.
    pub path: VirtualPath,
    /// The last name of it.
    pub name: Vec<u8>,
    /// It differs from what [`Upload::name`] said before: somebody took that name meanwhile.
    pub renamed: bool,
    /// Bytes of the whole file.
    pub size: u64,
    /// What bore the name before, if its end takes long: whoever has the time drops it.
    pub replaced: Option<Replaced>,
}

/// An upload under way. Dropping it removes what arrived and leaves the old file as it was.
pub struct Upload {
    /// The door that it came in by.
    pub(super) view: View,
    /// What the client calls it.
    pub(super) path: VirtualPath,
    /// The name in the temporary's directory; differs from the path's where a link was followed.
    pub(super) target: Vec<u8>,
    pub(super) temporary: Temporary,
    pub(super) offset: u64,
    /// What has yet to be copied before it.
    pub(super) prefix: Option<Box<Prefix>>,
    /// What has arrived behind it, and is written with whatever becomes of the upload.
    pub(super) rest: Vec<u8>,
    /// Bytes copied from the file that stands; alone they are not worth keeping.
    pub(super) copied: u64,
    pub(super) base: Base,
    /// Nothing bore the name when it began, and whatever bears it now is to be replaced.
    pub(super) vacant: bool,
    /// The account may write, and not only append.
    pub(super) may_cut: bool,
    /// What the file gets where none stands.
    pub(super) permissions: u32,
    pub(super) unique: Option<UniqueName>,
    /// Through which bytes come that this process need not see, once some have.
    pub(super) pipe: Option<Pipe>,
    /// Where its file will really lie, as it was judged; known where rules ask for it.
    pub(super) real: Option<VirtualPath>,
    /// What it takes of quotas.
    pub(super) charge: Charge,
    /// The path that was asked for, where a free one was taken instead: what breaks is kept under it, since its client
    /// knows no other.
    pub(super) asked: Option<VirtualPath>,
}

impl Upload {
    /// Around a temporary file that holds nothing yet.
    pub(super) fn new(view: &View, path: VirtualPath, target: Vec<u8>, temporary: Temporary, charge: Charge) -> Self {
        let (base, permissions) = (Base::Anything, view.new_file());
        let (offset, copied, may_cut) = (0, 0, false);
        Upload {
            view: view.clone(),
            path,
            target,
            temporary,
            offset,
            prefix: None,
            rest: Vec::new(),
            copied,
            base,
            vacant: false,
            may_cut,
            permissions,
            unique: None,
            pipe: None,
            asked: None,
            real: None,
            charge,
        }
    }

    /// The same, where its file will really lie at `real`.
    pub(super) fn at(self, real: Option<VirtualPath>) -> Self {
        Upload { real, ..self }
    }

    /// Asks for room for so many bytes behind what is there, before they come. Refused where a quota has no such room.
    pub fn expect(&mut self, bytes: u64) -> Result<(), StoreError> {
        self.charge.hold(self.offset.saturating_add(bytes))
    }

    /// Writes `bytes` at the offset and moves it behind them. After an error the offset stands behind what arrived.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        self.expect(bytes.len() as u64)?;
        if !bytes.is_empty() {
            self.copy_all()?;
        }
        while !bytes.is_empty() {
            let written = sys::write_at(&self.temporary.file, bytes, self.offset)?;
            self.offset += written as u64;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// As [`Upload::write`], for the last bytes: they are written by [`Upload::publish`] or [`Upload::keep`], which saves who
    /// may not wait a trip, and fail there.
    pub fn write_last(&mut self, bytes: Vec<u8>) {
        self.rest = bytes;
    }

    /// Where the next byte goes; what lies before counts as arrived.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The file, for those who write to it themselves, at the offset; they then say so with [`Upload::advance`].
    #[cfg(test)]
    pub fn file(&self) -> &std::fs::File {
        &self.temporary.file
    }

    /// `bytes` were written through [`Upload::file`].
    #[cfg(test)]
    pub fn advance(&mut self, bytes: u64) {
        self.offset = self.offset.saturating_add(bytes);
    }

    /// The last name that publishing will give.
    pub fn name(&self) -> Vec<u8> {
        self.path.name().unwrap_or(&self.target).to_vec()
    }

    /// Whether the store chose the last name, and so its sender must be told.
    pub fn has_chosen_name(&self) -> bool {
        self.unique.is_some()
    }

    /// The path that publishing will give.
    pub fn path(&self) -> &VirtualPath {
        &self.path
    }

    /// Reads back what is there, from `offset`; 0 at the end.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        if let Some(prefix) = &self.prefix {
            return Ok(prefix.read_at(buffer, offset)?);
        }
        Ok(sys::read_at(&self.temporary.file, buffer, offset)?)
    }

    /// Goes back to `offset` and forgets what lies behind. Needs `write`: taking away is more than appending.
    pub fn cut(&mut self, offset: u64) -> Result<(), StoreError> {
        if offset > self.offset {
            return Err(StoreError::BeyondEnd { size: self.offset });
        }
        if !self.may_cut && offset < self.copied {
            return Err(StoreError::Forbidden("write"));
        }
        match &mut self.prefix {
            Some(prefix) => prefix.cut(offset),
            None => sys::truncate(&self.temporary.file, offset)?,
        }
        self.offset = offset;
        self.copied = self.copied.min(offset);
        Ok(())
    }

    /// As [`Upload::publish`], and back only when the disk has it all: the content before the name, then the name.
    pub fn publish_durably(mut self) -> Result<Published, StoreError> {
        self.copy_all()?;
        self.write_rest()?;
        sys::sync(&self.temporary.file)?;
        let directory = sys::open_at(&self.temporary.directory, b".", sys::READ_DIRECTORY)?;
        let published = self.publish()?;
        sys::sync_directory(directory)?;
        Ok(published)
    }

    /// Gives the file its name in one step. On an error nothing has changed and what arrived is removed.
    pub fn publish(mut self) -> Result<Published, StoreError> {
        // Nothing but the last bytes was ever written, and so nothing can lie behind them.
        let is_one_piece = self.offset == 0 && !self.rest.is_empty();
        self.copy_all()?;
        self.write_rest()?;
        let promised = self.name();
        // Whatever lies behind the offset was never said to have arrived.
        if !is_one_piece && sys::size(&sys::stat_fd(&self.temporary.file)?) != self.offset {
            sys::truncate(&self.temporary.file, self.offset)?;
        }
        let backing = self.view.store.resolver.backing_of(self.temporary.device);
        if backing == Backing::Elsewhere && sys::refuses_late(&self.temporary.file) {
            // It would be said to be stored, in place of what was good, and then have no room.
            sys::sync(&self.temporary.file)?;
        }
        self.still_judged()?;
        let replaced = if self.take_vacant_name()? { None } else { self.take_name_in_turn()? };
        self.view.store.common.kept.forget(&self.view.key(self.asked.as_ref().unwrap_or(&self.path)));
        if self.real.is_some() {
            self.view.brought(self.real.as_ref(), &sys::stat_fd(&self.temporary.file)?);
        }
        let name = self.name();
        Ok(Published { path: self.path.clone(), renamed: name != promised, name, size: self.offset, replaced })
    }

    /// Gives the file its name where nothing has come to bear it and nobody counts: whatever that could come between is for the
    /// kernel to see. False where there is more to it.
    fn take_vacant_name(&mut self) -> Result<bool, StoreError> {
        if !self.vacant || !self.view.store.ledgers_at(&self.path).is_empty() {
            return Ok(false);
        }
        self.dress(None)?;
        match self.temporary.claim(&self.target) {
            Err(Errno::EXIST) => Ok(false),
            claimed => Ok(claimed.map(|()| true)?),
        }
    }

    /// The same, after a look at what bears it, between which and the name no other upload of this server comes; and what that
    /// was.
    fn take_name_in_turn(&mut self) -> Result<Option<Replaced>, StoreError> {
        let store = self.view.store.clone();
        let turn = store.common.publishing(sys::identity(&sys::stat_fd(&self.temporary.directory)?));
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = self.standing()?;
        if self.unique.is_none() && !self.base.still(standing.as_ref()) {
            return Err(StoreError::ChangedMeanwhile);
        }
        self.dress(standing.as_ref())?;
        let replaced = Replaced::hold(&self.temporary.directory, &self.target, standing.as_ref());
        std::mem::take(&mut self.charge).publish(self)?;
        Ok(replaced)
    }

    /// The upload broke: what arrived is kept for its owner, for a while. False if nothing had arrived.
    pub fn keep(mut self) -> bool {
        // As much as there is room for.
        let _ = self.write_rest();
        let Upload { view, path, temporary, offset, copied, base, asked, mut charge, .. } = self;
        if offset <= copied || sys::truncate(&temporary.file, offset).is_err() || !charge.keep(offset) {
            return false;
        }
        let Ok(kept) = Kept::new(temporary, base, copied, charge) else { return false };
        view.store.common.kept.put(view.key(&asked.unwrap_or(path)), kept);
        true
    }

    fn write_rest(&mut self) -> Result<(), StoreError> {
        let rest = std::mem::take(&mut self.rest);
        self.write(&rest)
    }

    /// Whether the directory still lies where it was judged: it may have been moved while the bytes came.
    fn still_judged(&self) -> Result<(), StoreError> {
        let Some(real) = &self.real else { return Ok(()) };
        let above = real.parent().unwrap_or_else(VirtualPath::root);
        let now = self.view.store.resolver.locate(&above, sys::PLACE_DIRECTORY);
        let (_, now_there) = now.found.map_err(|_| StoreError::ChangedMeanwhile)?;
        let same = sys::identity(&now_there) == sys::identity(&sys::stat_fd(&self.temporary.directory)?);
        if same && now.real == above { Ok(()) } else { Err(StoreError::ChangedMeanwhile) }
    }

    /// What bears the name now, and would be replaced.
    pub(super) fn standing(&self) -> Result<Option<Stat>, StoreError> {
        let stat = existing(sys::stat_at(&self.temporary.directory, &self.target))?;
        // A name that must be free, or is chosen so, replaces nothing.
        Ok(stat.filter(|_| self.unique.is_none()))
    }

    /// Gives the file its name.
    pub(super) fn take_name(&mut self) -> Result<(), StoreError> {
        match (self.unique.is_some(), self.base) {
            (true, _) => self.name_uniquely(),
            (false, Base::Free) => self.temporary.claim(&self.target).map_err(taken),
            (false, _) => Ok(self.temporary.replace(&self.target)?),
        }
    }

    /// Gives the file the permission bits and owner it is to have, before anybody can see it.
    fn dress(&self, standing: Option<&Stat>) -> Result<(), StoreError> {
        let mut permissions = self.permissions;
        if let Some(old) = standing.filter(|old| sys::kind(old) == FileType::RegularFile) {
            permissions = sys::mode(old) & HANDED_ON;
            let own = sys::stat_fd(&self.temporary.file)?;
            if (own.st_uid, own.st_gid) != (old.st_uid, old.st_gid) {
                // Only a privileged server may, and an unprivileged one is none the worse for it.
                let _ = sys::set_owner(&self.temporary.file, old.st_uid, old.st_gid);
            }
        }
        Ok(bits::set(&self.temporary.file, permissions)?)
    }

    fn name_uniquely(&mut self) -> Result<(), StoreError> {
        for _ in 0..UNIQUE_ATTEMPTS {
            match self.temporary.claim(&self.target) {
                Err(Errno::EXIST) => {}
                result => return Ok(result?),
            }
            // Somebody who does not know of claims took the name.
            if let Some(unique) = self.unique.take() {
                let unique = unique.next(&self.temporary.directory)?;
                self.target = unique.name().to_vec();
                self.path = self.path.parent().unwrap_or_else(VirtualPath::root).child(&self.target);
                self.real = self.real.take().and_then(|real| real.parent()).map(|real| real.child(&self.target));
                self.unique = Some(unique);
            }
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
