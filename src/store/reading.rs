//! A file that is being read: how its bytes get out of the store. Knows no protocol; a socket is only a descriptor that
//! does not block.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use super::view::Reading;
use crate::sys;

/// What one call of [`Reading::send_window`] came to.
#[derive(Debug)]
pub struct Window {
    /// Bytes that left.
    pub sent: u64,
    /// Why it ended: Ok when the limit was reached, [`io::ErrorKind::WouldBlock`] when the socket is full,
    /// [`io::ErrorKind::UnexpectedEof`] when the file has become shorter, [`io::ErrorKind::Unsupported`] where the file
    /// system cannot send by itself.
    pub end: io::Result<()>,
}

impl Reading {
    /// Sends at most `limit` bytes from `offset` to a non-blocking socket without copying them through this process.
    pub fn send_window(&self, socket: impl AsFd, offset: u64, limit: u64) -> Window {
        let mut sent = 0;
        while sent < limit {
            let count = usize::try_from(limit - sent).unwrap_or(usize::MAX);
            match sys::send_file(&socket, &self.file, offset + sent, count) {
                Ok(0) => return Window { sent, end: Err(io::ErrorKind::UnexpectedEof.into()) },
                Ok(count) => sent += count as u64,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // EINVAL: this file system has pages that the kernel cannot hand to a socket.
                Err(e) if e.kind() == io::ErrorKind::InvalidInput => {
                    return Window { sent, end: Err(io::ErrorKind::Unsupported.into()) };
                }
                Err(e) => return Window { sent, end: Err(e) },
            }
        }
        Window { sent, end: Ok(()) }
    }

    /// Reads into `buffer` from `offset`; zero: the file ends there.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match self.file.read_at(buffer, offset) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}
