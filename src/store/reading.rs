//! A file opened for reading, and the two ways its bytes leave: straight through the kernel, or by hand.
//! It refuses to know what stands at the other end.

use super::entry::time;
use super::error::StoreError;
use super::replaced::LARGE;
use super::sys::{self, Backing, FileType, Identity, Stat};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::SystemTime;

/// Files that are no larger than this are read ahead in one go, whatever the kernel is told (its usual window).
const READ_AHEAD: u64 = 128 * 1024;

/// A file opened for reading.
#[derive(Debug)]
pub struct Reading {
    /// A regular file.
    pub file: File,
    /// Bytes, when it was opened; or to where it is to be read.
    pub size: u64,
    /// Last change, when it was opened.
    pub modified: SystemTime,
    /// Which file it is.
    pub identity: Identity,
    /// How its file system answers who must not wait.
    backing: Backing,
    /// Whether to close it may take long.
    may_end_long: bool,
}

/// What came of sending a piece of a file.
#[derive(Debug)]
pub struct Window {
    /// Bytes that went out, whatever came after.
    pub sent: u64,
    /// Ok: all of it. WouldBlock: the receiver takes no more now. UnexpectedEof: the file became shorter.
    /// Unsupported: the kernel cannot send from this file to there. Else: the receiver is gone.
    pub end: io::Result<()>,
}

impl Reading {
    /// Of what was opened, if that is a regular file.
    pub(super) fn of(fd: OwnedFd, stat: &Stat, backing: Backing) -> Result<Self, StoreError> {
        match sys::kind(stat) {
            FileType::RegularFile => {}
            FileType::Directory => return Err(StoreError::IsDirectory),
            _ => return Err(StoreError::NotRegular),
        }
        let file = File::from(fd);
        if sys::size(stat) > READ_AHEAD {
            sys::advise_sequential(&file);
        }
        let modified = time(sys::modified(stat));
        let may_end_long = backing == Backing::Elsewhere || sys::size(stat) >= LARGE;
        Ok(Reading { file, size: sys::size(stat), modified, identity: sys::identity(stat), backing, may_end_long })
    }

    /// Whether to drop it may take long: if it has lost its name meanwhile its blocks are given back then, and where its file system is
    /// not this machine's own somebody is asked.
    pub fn may_end_long(&self) -> bool {
        self.may_end_long
    }

    /// The same without what is behind `end`, in bytes from the file's beginning.
    pub fn until(self, end: u64) -> Self {
        Reading { size: self.size.min(end), ..self }
    }

    /// Whether the file is still as it was when it was opened, for all that its size and time tell. Not for what ends
    /// before its end.
    pub fn is_as_opened(&self) -> io::Result<bool> {
        let stat = sys::stat_fd(&self.file)?;
        Ok(sys::size(&stat) == self.size && time(sys::modified(&stat)) == self.modified)
    }

    /// Reads some bytes from `offset`; 0 at the end of the file.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(sys::read_at(&self.file, buffer, offset)?)
    }

    /// Reads from `offset` to the end, if there is no more than `most` and all of it is in memory.
    pub fn rest_from_memory(&self, offset: u64, most: usize) -> Option<Vec<u8>> {
        let length = usize::try_from(self.size.checked_sub(offset)?).ok().filter(|length| *length <= most)?;
        let mut rest = vec![0; length];
        let count = sys::read_cached(&self.file, &mut rest, offset, self.backing).ok()?;
        (count == length).then_some(rest)
    }

    /// Sends `limit` bytes from `offset` to `receiver` without copying them through this process.
    pub fn send_window(&self, receiver: impl AsFd, offset: u64, limit: u64) -> Window {
        let mut sent = 0;
        while sent < limit {
            match sys::send_file(&receiver, &self.file, offset.saturating_add(sent), limit - sent) {
                Ok(0) => return Window { sent, end: Err(io::ErrorKind::UnexpectedEof.into()) },
                Ok(count) => sent += count as u64,
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                    return Window { sent, end: Err(io::ErrorKind::Unsupported.into()) };
                }
                Err(errno) => return Window { sent, end: Err(errno.into()) },
            }
        }
        Window { sent, end: Ok(()) }
    }
}
