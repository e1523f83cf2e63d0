//! What an upload begins with that goes on behind a file that stands: that file's first bytes, which are copied in bounded pieces where they cannot be
//! shared. Refuses to know who has the time for that.

use super::error::StoreError;
use super::sys;
use super::upload::Upload;
use std::fs::File;

/// Bytes copied in one piece: many milliseconds of a fast disk, and less than a second of a slow one.
const PIECE: u64 = 8 * 1024 * 1024;

/// First bytes that have yet to be copied.
pub(super) struct Prefix {
    source: File,
    done: u64,
    length: u64,
}

impl Prefix {
    /// Of so many bytes; none if they are there at once, because the file system lets both files have the same blocks. Refused where there is
    /// no room for them.
    pub(super) fn begin(source: File, target: &File, length: u64) -> Result<Option<Box<Prefix>>, StoreError> {
        if sys::clone_file(&source, target) {
            // Truncating must not make up bytes that the source no longer had.
            let shared = sys::size(&sys::stat_fd(target)?);
            sys::truncate(target, length.min(shared))?;
            return if shared < length { Err(StoreError::ChangedMeanwhile) } else { Ok(None) };
        }
        match sys::free_bytes(target) {
            Ok(free) if free < length => Err(StoreError::Full),
            _ => Ok((length > 0).then(|| Box::new(Prefix { source, done: 0, length }))),
        }
    }

    /// Reads what it will bring; none behind it.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> sys::Sys<usize> {
        let room = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(buffer.len()).min(buffer.len());
        sys::read_at(&self.source, &mut buffer[..room], offset)
    }

    /// Brings no more than so many bytes.
    pub(super) fn cut(&mut self, length: u64) {
        self.length = self.length.min(length);
    }

    fn copy_piece(&mut self, target: &File) -> Result<(), StoreError> {
        let count = self.length.saturating_sub(self.done).min(PIECE);
        if count > 0 {
            match sys::copy_piece(&self.source, self.done, target, self.done, count)? {
                0 => return Err(StoreError::ChangedMeanwhile),
                copied => self.done += copied,
            }
        }
        Ok(())
    }
}

impl Upload {
    /// Whether something has to be copied before the first byte that comes is written; else that waits for it.
    pub fn has_prefix(&self) -> bool {
        self.prefix.is_some()
    }

    /// Copies some of it, in bounded time.
    pub fn copy_on(&mut self) -> Result<(), StoreError> {
        if let Some(prefix) = &mut self.prefix {
            prefix.copy_piece(&self.temporary.file)?;
            if prefix.done >= prefix.length {
                self.prefix = None;
            }
        }
        Ok(())
    }

    /// Copies the rest of it.
    pub(super) fn copy_all(&mut self) -> Result<(), StoreError> {
        while self.has_prefix() {
            self.copy_on()?;
        }
        Ok(())
    }
}
