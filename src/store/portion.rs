//! A file on its way into an upload, piece by piece. Refuses to know why it is copied.

use super::error::StoreError;
use super::sys::{self, FileType};
use super::upload::{Stamp, Upload};
use std::fs::File;
use std::os::fd::OwnedFd;

/// Bytes copied at once: some milliseconds from memory, a tenth of a second from a slow disk, and then others' turn.
const PIECE: u64 = 8 * 1024 * 1024;

/// A regular file as it was when it was opened.
pub(super) struct Portion {
    file: File,
    pub(super) stamp: Stamp,
    pub(super) mode: u32,
    size: u64,
    done: u64,
}

impl Portion {
    /// Of what was opened for reading.
    pub(super) fn of(fd: OwnedFd) -> Result<Self, StoreError> {
        let stat = sys::stat_fd(&fd)?;
        match sys::kind(&stat) {
            FileType::RegularFile => {}
            FileType::Directory => return Err(StoreError::IsDirectory),
            _ => return Err(StoreError::NotRegular),
        }
        let (stamp, mode, size) = (Stamp::of(&stat), sys::mode(&stat), sys::size(&stat));
        Ok(Portion { file: File::from(fd), stamp, mode, size, done: 0 })
    }

    /// Puts the next piece behind what the upload has, and returns its bytes; none once all of it is there.
    pub(super) fn pour(&mut self, upload: &mut Upload) -> Result<Option<u64>, StoreError> {
        if self.done == self.size {
            return Ok(None);
        }
        upload.expect(self.size - self.done)?;
        let target = &upload.temporary.file;
        let poured = if upload.offset == 0 && sys::clone_file(&self.file, target) {
            sys::size(&sys::stat_fd(target)?).min(self.size)
        } else {
            sys::copy_piece(&self.file, self.done, target, upload.offset, (self.size - self.done).min(PIECE))?
        };
        upload.offset += poured;
        self.done += poured;
        // Cut short while we read it: what it was at no moment must not become a file.
        if poured == 0 { Err(StoreError::ChangedMeanwhile) } else { Ok(Some(poured)) }
    }
}
