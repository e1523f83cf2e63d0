//! An upload's bytes straight from a socket into its file, through a pipe inside the kernel: one copy instead of two.
//! It refuses to know when that is worth it: whoever receives decides, and must be able to do without.

use super::error::StoreError;
use super::sys;
use super::upload::Upload;
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Room in a pipe, bytes: what a fast peer sends between two looks, and the most that the kernel gives anybody.
const ROOM: usize = 1024 * 1024;
/// With less, the trips cost more than the saved copy: the kernel gives such pipes to who has many already.
const LEAST_ROOM: usize = 64 * 1024;
/// Pipes at once, two descriptors each: more uploads that are fast share the machine so that none of them is. It is
/// also how many of our size the kernel gives an ordinary user (pipe-user-pages-soft).
pub(super) const MOST_PIPES: usize = 64;

static PIPES: AtomicUsize = AtomicUsize::new(0);

/// A pipe that is empty between two calls.
pub(super) struct Pipe {
    reader: File,
    writer: OwnedFd,
    room: usize,
    _place: Place,
}

/// One of the [`MOST_PIPES`].
struct Place;

/// How taking in what has come ended.
#[derive(Debug)]
pub enum Inflow {
    /// As much as was asked for has come, and more may have.
    Enough,
    /// Nothing more has come yet.
    Dry,
    /// The peer has ended cleanly.
    Ended,
    /// The connection broke.
    Lost(io::Error),
    /// The store could not write.
    Refused(StoreError),
    /// Not on this road: there is no pipe, or the file system takes nothing from one. Nothing that had come is lost.
    Unsupported,
}

impl Place {
    fn take() -> Option<Place> {
        let place = Place;
        (PIPES.fetch_add(1, Ordering::Relaxed) < MOST_PIPES).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        PIPES.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pipe {
    /// None where there is none that is worth it.
    fn new() -> Option<Pipe> {
        let place = Place::take()?;
        let (reader, writer, room) = sys::pipe(ROOM).ok()?;
        (room >= LEAST_ROOM).then_some(Pipe { reader: reader.into(), writer, room, _place: place })
    }
}

impl Upload {
    /// Takes in what has come to `sender`, a connection that does not block, until it is dry or `limit` bytes,
    /// and not more, have come; returns how many came, whatever happened then.
    pub fn take_in(&mut self, sender: impl AsFd, limit: u64) -> (u64, Inflow) {
        let Some(pipe) = self.pipe.take().or_else(Pipe::new) else { return (0, Inflow::Unsupported) };
        let mut taken = 0;
        let end = loop {
            if taken >= limit {
                break Inflow::Enough;
            }
            let room = pipe.room.min(usize::try_from(limit - taken).unwrap_or(pipe.room));
            let held = match sys::splice_in(&sender, &pipe.writer, room) {
                Ok(0) => match sys::has_ended(&sender) {
                    Ok(true) => break Inflow::Ended,
                    Ok(false) | Err(Errno::AGAIN) => break Inflow::Unsupported,
                    Err(errno) => break Inflow::Lost(errno.into()),
                },
                Ok(held) => held,
                Err(Errno::AGAIN) => break Inflow::Dry,
                Err(Errno::INVAL | Errno::NOSYS) => break Inflow::Unsupported,
                Err(errno) => break Inflow::Lost(errno.into()),
            };
            taken += held as u64;
            match self.empty(&pipe, held) {
                Ok(true) => {}
                Ok(false) => break Inflow::Unsupported,
                Err(e) => break Inflow::Refused(e),
            }
        };
        // After an error bytes may be left in it, and they are nobody's.
        if matches!(end, Inflow::Enough | Inflow::Dry) {
            self.pipe = Some(pipe);
        }
        (taken, end)
    }

    /// Gives the pipe up, which others may need, until it is worth one again.
    pub fn close_pipe(&mut self) {
        self.pipe = None;
    }

    /// Writes all that the pipe holds; false if that had to be done by hand.
    fn empty(&mut self, pipe: &Pipe, mut held: usize) -> Result<bool, StoreError> {
        // All or nothing: an upload that a quota cuts short is not published, so what it would still have taken is no matter.
        self.expect(held as u64)?;
        self.copy_all()?;
        while held > 0 {
            match sys::splice_out(&pipe.reader, &self.temporary.file, self.offset, held) {
                Ok(written) => {
                    self.offset += written as u64;
                    held -= written;
                }
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                    let mut rest = vec![0; held];
                    (&pipe.reader).read_exact(&mut rest).map_err(StoreError::Io)?;
                    self.write(&rest)?;
                    return Ok(false);
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(true)
    }
}
