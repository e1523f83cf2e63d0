//! Bytes from one descriptor to another, one of them a connection: by the kernel where it can, else by hand, and always
//! at once what has come. Refuses to know which is which and what an end means.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, fstat, sendfile};
use rustix::io::{Errno, read, retry_on_intr, write};
use rustix::pipe::{SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, splice};

/// The most that is moved by hand in one piece: one read of a connection seldom brings more.
const PIECE: usize = 256 * 1024;
/// The most that the kernel is asked to move in one call, and the size that a pipe is given: what an ordinary user may
/// give it. It moves what there is and does not wait for more.
const PIPE_PIECE: usize = 1024 * 1024;
/// The same for a file, which is all there: the most that the kernel does at once.
const FILE_PIECE: usize = 0x7fff_f000;

/// Which side failed, and how.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The one that was read from.
    Reading(Errno),
    /// The one that was written to; [`Errno::PIPE`] where nobody reads any longer.
    Writing(Errno),
}

/// How bytes get from one to the other.
enum Road {
    /// `splice`: from a pipe.
    FromPipe,
    /// `splice`: into a pipe.
    ToPipe,
    /// `sendfile`: from a regular file.
    FromFile,
    /// Read and written here.
    ByHand(Vec<u8>),
}

/// Carries everything until `from` ends. Either may be set not to block, as a terminal or pipe is that other processes
/// have set so.
pub(crate) fn carry(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<(), Failure> {
    let mut road = Road::between(from, to);
    loop {
        await_bytes(from, to)?;
        match road.step(from, to) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Either there is nothing after all, or no room: the first is waited for above.
            Err(Failure::Reading(Errno::AGAIN) | Failure::Writing(Errno::AGAIN)) => await_room(to)?,
            Err(Failure::Reading(Errno::INTR) | Failure::Writing(Errno::INTR)) => {}
            // Some files are not given to `sendfile`, nor some pipes to `splice`. Nothing has been moved.
            Err(Failure::Reading(Errno::INVAL | Errno::NOSYS) | Failure::Writing(Errno::INVAL | Errno::NOSYS))
                if road.is_the_kernels() =>
            {
                road = Road::ByHand(vec![0; PIECE]);
            }
            Err(failure) => return Err(failure),
        }
    }
}

impl Road {
    fn between(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Road {
        match (kind(from), kind(to)) {
            (Some(FileType::Fifo), _) => {
                widen(from);
                Road::FromPipe
            }
            (_, Some(FileType::Fifo)) => {
                widen(to);
                Road::ToPipe
            }
            (Some(FileType::RegularFile), _) => Road::FromFile,
            _ => Road::ByHand(vec![0; PIECE]),
        }
    }

    fn is_the_kernels(&self) -> bool {
        !matches!(self, Road::ByHand(_))
    }

    /// Moves what has come; zero at the end.
    fn step(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<usize, Failure> {
        let spliced = |piece| splice(from, None, to, None, piece, SpliceFlags::empty());
        match self {
            // A pipe that can be read at all cannot fail later, so it is the other side.
            Road::FromPipe => spliced(PIPE_PIECE).map_err(Failure::Writing),
            Road::ToPipe => spliced(PIPE_PIECE).map_err(|errno| match errno {
                Errno::PIPE => Failure::Writing(errno),
                _ => Failure::Reading(errno),
            }),
            Road::FromFile => sendfile(to, from, None, FILE_PIECE).map_err(|errno| match errno {
                Errno::IO | Errno::BADF | Errno::STALE => Failure::Reading(errno),
                _ => Failure::Writing(errno),
            }),
            Road::ByHand(buffer) => {
                let count = read(from, &mut *buffer).map_err(Failure::Reading)?;
                write_all(to, &buffer[..count])?;
                Ok(count)
            }
        }
    }
}

/// What it is, if that can be told.
fn kind(of: BorrowedFd<'_>) -> Option<FileType> {
    fstat(of).ok().map(|stat| FileType::from_raw_mode(stat.st_mode))
}

/// A pipe begins with 64 KiB, and each side would wait for the other sixteen times as often. Without more it works too.
fn widen(pipe: BorrowedFd<'_>) {
    if fcntl_getpipe_size(pipe).is_ok_and(|size| size < PIPE_PIECE) {
        let _ = fcntl_setpipe_size(pipe, PIPE_PIECE);
    }
}

/// Waits until there is something to read, or its end; nobody being left who takes it is noticed at once, also while
/// nothing comes.
fn await_bytes(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<(), Failure> {
    let mut both = [PollFd::from_borrowed_fd(from, PollFlags::IN), PollFd::from_borrowed_fd(to, PollFlags::empty())];
    retry_on_intr(|| poll(&mut both, None)).map_err(Failure::Reading)?;
    if both[1].revents().is_empty() { Ok(()) } else { Err(Failure::Writing(Errno::PIPE)) }
}

fn await_room(to: BorrowedFd<'_>) -> Result<(), Failure> {
    let mut room = [PollFd::from_borrowed_fd(to, PollFlags::OUT)];
    retry_on_intr(|| poll(&mut room, None)).map_err(Failure::Writing)?;
    Ok(())
}

fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Failure> {
    while !bytes.is_empty() {
        match write(to, bytes) {
            Ok(0) => return Err(Failure::Writing(Errno::IO)),
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => await_room(to)?,
            Err(errno) => return Err(Failure::Writing(errno)),
        }
    }
    Ok(())
}
