//! Copies between files: sharing blocks where the file system can, else in the kernel, else by hand.

use super::{Sys, read_at, write_at};
use rustix::fs;
use rustix::io::{Errno, retry_on_intr};
use std::fs::File;

/// Bytes asked of copy_file_range at once: large enough to cost nothing, small enough that a signal gets a word in.
const COPY_STEP: u64 = 64 * 1024 * 1024;
/// Bytes held while copying by hand.
const COPY_BUFFER: u64 = 256 * 1024;

/// Makes `to` share the blocks of `from`. False: this file system cannot, or not between these two.
pub(in crate::store) fn clone_file(from: &File, to: &File) -> bool {
    fs::ioctl_ficlone(to, from).is_ok()
}

/// Copies some bytes from one offset to another, at most `count` and what one call moves; 0 at the source's end.
pub(in crate::store) fn copy_piece(from: &File, mut offset: u64, to: &File, mut into: u64, count: u64) -> Sys<u64> {
    let step = usize::try_from(count.min(COPY_STEP)).unwrap_or(usize::MAX);
    let (source, target) = (&mut offset, &mut into);
    match retry_on_intr(|| fs::copy_file_range(from, Some(&mut *source), to, Some(&mut *target), step)) {
        Ok(copied) => Ok(copied as u64),
        Err(Errno::NOSYS | Errno::XDEV | Errno::INVAL | Errno::OPNOTSUPP | Errno::PERM) => {
            copy_by_hand(from, offset, to, into, count)
        }
        Err(errno) => Err(errno),
    }
}

fn copy_by_hand(from: &File, offset: u64, to: &File, into: u64, count: u64) -> Sys<u64> {
    let mut buffer = vec![0; usize::try_from(count.min(COPY_BUFFER)).unwrap_or_default()];
    let read = read_at(from, &mut buffer, offset)?;
    let mut written = 0;
    while written < read {
        written += write_at(to, &buffer[written..read], into + written as u64)?;
    }
    Ok(read as u64)
}
