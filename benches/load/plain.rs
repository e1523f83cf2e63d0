//! Bytes without TLS, which cost a client almost nothing: thrown away inside the kernel, sent from memory without a copy.

use std::fs::File;
use std::io::Write;
use std::net::TcpStream;

use rustix::fs::{MemfdFlags, memfd_create, sendfile};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::Failure;

/// What is taken from a socket in one call at most: more than a socket's buffer holds, so that a call takes all there is.
const DISCARDED_AT_ONCE: u64 = 4 * 1024 * 1024;
/// What an upload is made of, again and again: its pages stay in memory, so that sending costs no copy.
const UPLOADED_PIECE: u64 = 16 * 1024 * 1024;

/// How many bytes come, where so many should. With MSG_TRUNC the kernel drops them where they are: nothing is written to
/// the buffer, whose length alone counts.
pub fn discard(data: &TcpStream, wanted: u64) -> Result<u64, Failure> {
    let mut total = 0;
    discard_by(data, usize::try_from(wanted.clamp(1, DISCARDED_AT_ONCE))?, |count| {
        total += count;
        true
    })?;
    Ok(total)
}

/// Drops what comes and tells `more` how much that was, until it has had enough; whether all has come.
pub fn discard_while(data: &TcpStream, more: impl FnMut(u64) -> bool) -> Result<bool, Failure> {
    discard_by(data, usize::try_from(DISCARDED_AT_ONCE)?, more)
}

fn discard_by(data: &TcpStream, at_once: usize, mut more: impl FnMut(u64) -> bool) -> Result<bool, Failure> {
    let mut buffer = vec![0; at_once];
    loop {
        match recv(data, &mut buffer[..], RecvFlags::TRUNC) {
            Ok((_, 0)) => return Ok(true),
            Ok((_, count)) if more(count as u64) => {}
            Ok(_) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// A file in memory from which uploads are sent.
pub fn piece() -> Result<File, Failure> {
    let mut piece = File::from(memfd_create("load", MemfdFlags::CLOEXEC)?);
    let bytes: Vec<u8> = (0..UPLOADED_PIECE).map(|at| (at ^ (at >> 8)) as u8).collect();
    piece.write_all(&bytes)?;
    Ok(piece)
}

/// Sends so many bytes of the piece.
pub fn send(data: &TcpStream, bytes: u64, piece: &File) -> Result<(), Failure> {
    let mut left = bytes;
    while left > 0 {
        let mut offset = (bytes - left) % UPLOADED_PIECE;
        let count = left.min(UPLOADED_PIECE - offset);
        match sendfile(data, piece, Some(&mut offset), usize::try_from(count)?) {
            Ok(sent) => left -= sent as u64,
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}
