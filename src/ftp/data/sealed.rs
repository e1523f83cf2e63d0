//! The bytes of a data connection in TLS: sealed and opened in bounded pieces by whoever may block, on a socket that does
//! not. It knows how such a stream ends, which plain TCP does not tell. Refuses to know what a transfer is.

use std::io::{self, Read};

use gftp_plugin::listen;
use gftp_plugin::rt::Socket;
use gftp_plugin::tls::{PAGE, Tunnel};

use crate::store::{Inflow, Reading, Upload, Window};

/// What is sealed at once: some records, within the second-level cache together with what they become.
const SEAL_SIZE: usize = 64 * 1024;
/// What is read from the socket at once to begin with: a slow upload holds little memory.
const FIRST_OPEN: usize = 32 * 1024;
/// What is read at once by who keeps up; beyond it the trips get no cheaper.
const LARGEST_OPEN: usize = 256 * 1024;
/// How often is read in one window: records may be empty, and whoever takes them in is to look up now and then.
const MOST_READS: usize = 256;
/// What is gathered before it is written to the disk, at least, while more is coming.
const WRITE_SIZE: usize = 128 * 1024;

/// The end of a stream without close_notify.
const NOT_SAID: &str = "it ended without TLS saying so (close_notify)";

/// A data connection's TLS after its handshake.
pub struct Sealed {
    tunnel: Tunnel,
    /// What is read from the socket at once.
    open_size: usize,
    /// What is read from a file to be sealed.
    piece: Vec<u8>,
    /// The end of the connection is the end of the data, said or not.
    lenient: bool,
}

/// What there was to receive.
#[derive(Debug, PartialEq, Eq)]
pub enum Came {
    /// Something.
    Some,
    /// Nothing yet.
    Nothing,
    /// The end.
    End,
}

impl Sealed {
    pub(super) fn new(tunnel: Tunnel, lenient: bool) -> Self {
        Sealed { tunnel, open_size: FIRST_OPEN, piece: Vec::new(), lenient }
    }

    /// Whether the peer has said that this was all.
    pub fn has_ended(&self) -> bool {
        self.tunnel.has_ended()
    }

    /// Sends what was sealed, `more` or the end being about to follow. WouldBlock: not all of it.
    pub fn flush(&mut self, socket: &Socket, more: bool) -> io::Result<()> {
        while !self.tunnel.unsent().is_empty() {
            match listen::send(socket, self.tunnel.unsent(), more) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.tunnel.sent(count),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Sends from the front of `bytes`; how many were taken, whatever came then.
    pub fn send(&mut self, socket: &Socket, bytes: &[u8], more: bool) -> (usize, io::Result<()>) {
        let mut taken = 0;
        for piece in bytes.chunks(SEAL_SIZE) {
            if let Err(e) = self.flush(socket, false).and_then(|()| self.tunnel.seal(piece)) {
                return (taken, Err(e));
            }
            taken += piece.len();
        }
        (taken, self.flush(socket, more))
    }

    /// Sends `limit` bytes of a file from `offset`.
    pub fn send_window(&mut self, socket: &Socket, reading: &Reading, offset: u64, limit: u64) -> Window {
        let mut sent = 0;
        let end = loop {
            if let Err(e) = self.flush(socket, false) {
                break Err(e);
            }
            if sent >= limit {
                break Ok(());
            }
            self.piece.resize(SEAL_SIZE + PAGE, 0);
            let wanted = usize::try_from(limit - sent).unwrap_or(SEAL_SIZE).min(SEAL_SIZE);
            let begin = self.tunnel.well_apart(&self.piece);
            let room = self.piece.get_mut(begin..begin + wanted).unwrap_or_default();
            match reading.read_at(room, offset.saturating_add(sent)) {
                Ok(0) => break Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => match self.tunnel.seal(self.piece.get(begin..begin + count).unwrap_or_default()) {
                    Ok(()) => sent += count as u64,
                    Err(e) => break Err(e),
                },
                Err(e) => break Err(e),
            }
        };
        Window { sent, end }
    }

    /// Says that this was all, behind what is unsent; [`Sealed::flush`] sends it.
    pub fn close(&mut self) {
        self.tunnel.close();
    }

    /// Takes in what has come until nothing more has, or `limit` bytes are reached, by a record at most too many; how many came, whatever happened then.
    pub fn take_in(&mut self, socket: &Socket, upload: &mut Upload, limit: u64) -> (u64, Inflow) {
        let (mut taken, mut reads) = (0, 0);
        loop {
            reads += 1;
            let left = usize::try_from(limit.saturating_sub(taken)).unwrap_or(usize::MAX);
            let gathered = self.tunnel.plain().len();
            let came = self.receive(socket, left.saturating_sub(gathered));
            // What came before an end of any kind is written too: it is what the client may resume from.
            let plain = self.tunnel.plain();
            if !plain.is_empty() && (plain.len() >= WRITE_SIZE.min(left) || !matches!(came, Ok(Came::Some))) {
                if let Err(e) = upload.write(plain) {
                    return (taken, Inflow::Refused(e));
                }
                taken += plain.len() as u64;
                plain.clear();
            }
            let end = match came {
                Ok(Came::Some) if taken < limit && reads < MOST_READS => continue,
                Ok(Came::Some) => Inflow::Enough,
                Ok(Came::Nothing) => Inflow::Dry,
                Ok(Came::End) => Inflow::Ended,
                Err(e) => Inflow::Lost(e),
            };
            return (taken, end);
        }
    }

    /// Takes in what has come, into `buffer`; how much that is, and whether there may be more.
    pub fn receive_into(&mut self, socket: &Socket, buffer: &mut [u8]) -> (usize, io::Result<Came>) {
        let came = if self.tunnel.holds_plain() { Ok(Came::Some) } else { self.receive(socket, buffer.len()) };
        let plain = self.tunnel.plain();
        let count = plain.len().min(buffer.len());
        if let (Some(room), Some(some)) = (buffer.get_mut(..count), plain.get(..count)) {
            room.copy_from_slice(some);
        }
        plain.drain(..count);
        // What is held back comes before the end.
        (count, if plain.is_empty() { came } else { Ok(Came::Some) })
    }

    /// Reads once, `most` bytes or fewer, and opens what is whole.
    fn receive(&mut self, socket: &Socket, most: usize) -> io::Result<Came> {
        if self.tunnel.has_ended() {
            return Ok(Came::End);
        }
        let (size, most) = (self.open_size, most.clamp(1, self.open_size));
        let count = match socket.get_ref().read(self.tunnel.room(size).get_mut(..most).unwrap_or_default()) {
            // An end within a record is a cut, said or not.
            Ok(0) if self.lenient && self.tunnel.unopened().is_empty() => return Ok(Came::End),
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, NOT_SAID)),
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => 0,
            Err(e) if would_block(&e) => return Ok(Came::Nothing),
            Err(e) => return Err(e),
        };
        self.tunnel.open(count)?;
        if count == size {
            self.open_size = LARGEST_OPEN.min(2 * size);
        }
        Ok(if self.tunnel.has_ended() { Came::End } else { Came::Some })
    }
}

fn would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}
