//! Setting what a file says of itself: its times and its permission bits. All that is asked for, or nothing.

use super::super::entry;
use super::super::error::StoreError;
use super::super::path::VirtualPath;
use super::super::rights::Rights;
use super::super::sys::{self, FileType, Moment, Process, Sys, Ticks};
use super::{View, need};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

/// The permission bits a client may set; not the set-id bits, which would let a file act for the server's user.
const SETTABLE: u32 = 0o777;
/// What else a directory may have, and keeps: whose group its files get, and whether anybody may delete them.
const KEPT_OF_DIRECTORIES: u32 = 0o7000;

/// What is to be set; none stays as it is.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Last change of the content.
    pub modified: Option<SystemTime>,
    /// Last reading.
    pub accessed: Option<SystemTime>,
    /// When it was made. Few file systems let that be set; elsewhere it is [`StoreError::Unsupported`].
    pub created: Option<SystemTime>,
    /// Permission bits, 0 to 0o777; others are ignored.
    pub permissions: Option<u32>,
}

impl View {
    /// Sets the time of the last change of a file or directory; a link is followed. Needs `write`.
    pub fn set_modified(&self, path: &VirtualPath, modified: SystemTime) -> Result<(), StoreError> {
        self.change(path, Changes { modified: Some(modified), ..Changes::default() })
    }

    /// Sets the permission bits (0 to 0o777, others are ignored) of a file or directory; a link is followed. Needs `site`.
    pub fn set_permissions(&self, path: &VirtualPath, permissions: u32) -> Result<(), StoreError> {
        self.change(path, Changes { permissions: Some(permissions), ..Changes::default() })
    }

    /// Sets times and permission bits of a file or directory; a link is followed. What cannot be done is found out
    /// before anything is changed, as far as that can be, and an error leaves everything as it was. Needs `write` for
    /// times and `site` for permissions.
    pub fn change(&self, path: &VirtualPath, changes: Changes) -> Result<(), StoreError> {
        let Changes { modified, accessed, created, permissions } = changes;
        let times = modified.or(accessed).or(created).is_some();
        let right = |rights: Rights| {
            need(rights.write || !times, "write")?;
            need(rights.site || permissions.is_none(), "site")
        };
        if !self.rules.are_by_place() {
            right(self.rights())?;
        }
        let (accessed, modified, created) = (moment(accessed)?, moment(modified)?, moment(created)?);
        let (directory, name) = self.followed(path, right)?;
        if permissions.is_none() && created.is_none() {
            // By name: what nobody may open, its owner may still date.
            return Ok(sys::set_times_at(directory, &name, accessed, modified)?);
        }
        let file = opened(&directory, &name)?;
        let created = created.map(|created| replaced(&file, created)).transpose()?;
        set(&file, created, permissions, (accessed, modified))
    }
}

fn moment(time: Option<SystemTime>) -> Result<Option<Moment>, StoreError> {
    time.map(|time| entry::seconds(time).ok_or(StoreError::BadName("the time is out of range"))).transpose()
}

/// Opened for changes by descriptor, because the calls that take a name follow a link that is put there meanwhile.
fn opened(directory: &OwnedFd, name: &[u8]) -> Result<OwnedFd, StoreError> {
    let file = match sys::open_at(directory, name, sys::READ_FILE) {
        Err(Errno::ACCESS) => sys::open_at(directory, name, sys::WRITE_FILE)?,
        other => other?,
    };
    let stat = sys::stat_fd(&file)?;
    match sys::kind(&stat) {
        FileType::RegularFile | FileType::Directory => {}
        _ => return Err(StoreError::NotRegular),
    }
    if Process::now().owns(&stat) { Ok(file) } else { Err(StoreError::Denied) }
}

/// A time of creation: what it was, and what it is to be.
fn replaced(file: &OwnedFd, created: Moment) -> Result<(Ticks, Ticks), StoreError> {
    let before = sys::created(file)
        .ok_or(StoreError::Unsupported("the file system here does not let the time of creation be set"))?;
    Ok((before, Ticks::of(created).ok_or(StoreError::BadName("the time is out of range"))?))
}

/// What is likeliest to be refused comes first, and is taken back if what follows is refused.
fn set(
    file: &OwnedFd,
    created: Option<(Ticks, Ticks)>,
    permissions: Option<u32>,
    (accessed, modified): (Option<Moment>, Option<Moment>),
) -> Result<(), StoreError> {
    let old = sys::stat_fd(file)?;
    let take_back = || {
        if let Some((before, _)) = created {
            // The refusal says that nothing was changed; there is nothing better to say if this fails, too.
            let _ = sys::set_created(file, before);
        }
    };
    if let Some((_, wanted)) = created {
        sys::set_created(file, wanted)?;
        if !sys::created(file).is_some_and(|now| now.is_about(wanted)) {
            take_back();
            return Err(StoreError::Unsupported("the file system here did not take the time of creation"));
        }
    }
    if let Some(permissions) = permissions {
        let kept = if sys::kind(&old) == FileType::Directory { sys::mode(&old) & KEPT_OF_DIRECTORIES } else { 0 };
        sys::set_permissions(file, permissions & SETTABLE | kept).inspect_err(|_| take_back())?;
    }
    let timed: Sys<()> = match accessed.or(modified) {
        Some(_) => sys::set_times(file, accessed, modified),
        None => Ok(()),
    };
    timed.inspect_err(|_| {
        if permissions.is_some() {
            let _ = sys::set_permissions(file, sys::mode(&old));
        }
        take_back();
    })?;
    Ok(())
}
