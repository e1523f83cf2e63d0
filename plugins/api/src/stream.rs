//! The bytes of a connection, in plain text or through TLS, as whoever speaks a protocol wants them. Knows the socket and
//! waits for it; knows no lines, no events and no time.

use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::io::{AsyncRead, AsyncWrite};
use futures_rustls::rustls::ServerConfig;

use crate::listen;
use crate::own_thread;
use crate::rt::Socket;
use crate::tls::Tunnel;

/// What one read of a socket may bring during a handshake, and what is drained at the end: small enough for the stack.
const READ_SIZE: usize = 4096;
/// What is made into records at once: whoever does not read costs no more than this beside the replies themselves.
const SEAL_SIZE: usize = 16 * 1024;

/// A socket, and its TLS if there is any. Boxed: a connection in plain text pays a pointer for it.
pub(crate) struct Stream {
    socket: Socket,
    secure: Option<Box<Secure>>,
    /// Something has come, in plain text or as TLS.
    heard: bool,
    /// The last read had to wait.
    waiting: bool,
    left: Left,
}

/// What the last read of plain text has left behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Perhaps something.
    Unknown,
    /// Most likely nothing, as it took less than there was room for.
    Nothing,
    /// There was nothing.
    Silence,
}

struct Secure {
    tunnel: Tunnel,
    /// What is unsent may wait for the first words to the peer: it is not asked for before them.
    held: bool,
    /// What came in plain text behind a TLS whose end was not said.
    behind: Vec<u8>,
}

/// What a read brought.
pub(crate) enum Received {
    /// So many bytes.
    Bytes(usize),
    /// Nothing for us, but there may be more.
    Nothing,
    /// The peer's end.
    End,
}

impl Stream {
    pub(crate) fn new(socket: Socket) -> Self {
        Stream { socket, secure: None, heard: false, waiting: false, left: Left::Unknown }
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(crate) fn into_socket(self) -> Socket {
        self.socket
    }

    pub(crate) fn tunnel(&self) -> Option<&Tunnel> {
        self.secure.as_ref().map(|secure| &secure.tunnel)
    }

    /// Whatever comes from now on is TLS.
    pub(crate) fn secure(&mut self, config: Arc<ServerConfig>) -> io::Result<()> {
        self.secure = Some(Box::new(Secure { tunnel: Tunnel::new(config)?, held: false, behind: Vec::new() }));
        Ok(())
    }

    /// Whether the peer has sent anything.
    pub(crate) fn has_heard(&self) -> bool {
        self.heard
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.tunnel().is_some_and(Tunnel::is_handshaking)
    }

    /// Says close_notify, behind what is in `outbox` and what is unsent.
    pub(crate) fn close(&mut self, outbox: &mut Vec<u8>) -> io::Result<()> {
        let Some(secure) = &mut self.secure else { return Ok(()) };
        secure.held = false;
        if !outbox.is_empty() {
            // All at once: nothing follows, and it is no more than one answer.
            secure.tunnel.seal(&mem::take(outbox))?;
        }
        secure.tunnel.close();
        Ok(())
    }

    /// Goes back to plain text: what was received and not taken yet, through TLS and behind it.
    pub(crate) fn unsecure(&mut self) -> Vec<u8> {
        let Some(mut secure) = self.secure.take() else { return Vec::new() };
        let mut rest = mem::take(secure.tunnel.plain());
        rest.extend_from_slice(secure.tunnel.unopened());
        rest.append(&mut secure.behind);
        rest
    }

    /// Bytes that were sealed and have not gone yet.
    pub(crate) fn unsent(&self) -> usize {
        self.tunnel().map_or(0, |tunnel| tunnel.unsent().len())
    }

    /// Whether something was received and not taken yet, or can be read.
    pub(crate) fn has_more(&self) -> bool {
        let held = self.tunnel().is_some_and(|tunnel| tunnel.holds_plain() || !tunnel.unopened().is_empty());
        held || listen::has_input(&self.socket)
    }

    /// Whether the last read has left something behind, or something has come since then where it may have.
    pub(crate) fn has_left(&self) -> bool {
        self.left == Left::Unknown && self.has_more()
    }

    /// Whether the last read had to wait.
    pub(crate) fn waits(&self) -> bool {
        self.waiting
    }

    /// Something may have come since the last read.
    pub(crate) fn look_again(&mut self) {
        self.left = Left::Unknown;
    }

    /// Whether the last read since then has found nothing, not even the end.
    pub(crate) fn is_silent(&self) -> bool {
        self.left == Left::Silence
    }

    /// Reads something into `chunk`.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, chunk: &mut [u8]) -> Poll<io::Result<Received>> {
        let Some(secure) = &mut self.secure else {
            // Who has a thread looks again within ten milliseconds in any case.
            if mem::replace(&mut self.left, Left::Unknown) == Left::Nothing && own_thread::is_here() {
                return Poll::Pending;
            }
            let read = poll_socket(&self.socket, &mut self.waiting, cx, chunk)?;
            if read.is_pending() {
                self.left = Left::Silence;
            }
            let count = ready!(read);
            if count < chunk.len() {
                self.left = Left::Nothing;
            }
            self.heard |= count > 0;
            return Poll::Ready(Ok(if count == 0 { Received::End } else { Received::Bytes(count) }));
        };
        if !secure.tunnel.holds_plain() {
            if secure.tunnel.has_ended() {
                return Poll::Ready(Ok(Received::End));
            }
            let read = poll_socket(&self.socket, &mut self.waiting, cx, chunk);
            if read.is_pending() && secure.held {
                // What is held would have told the peer's kernel that the end of the handshake is here: Nagle's algorithm there
                // keeps the first command until it knows.
                listen::confirm(&self.socket);
            }
            let count = ready!(read)?;
            if count == 0 {
                // Cut off or in order is one to who speaks line by line: there is no more to hear.
                return Poll::Ready(Ok(Received::End));
            }
            if let Err(e) = secure.tunnel.take(&chunk[..count]) {
                // The alert tells the peer why; one that cannot be sent at once has to do without.
                let _ = Pin::new(&mut &self.socket).poll_write(cx, secure.tunnel.unsent());
                return Poll::Ready(Err(e));
            }
        }
        let plain = secure.tunnel.plain();
        let count = plain.len().min(chunk.len());
        chunk[..count].copy_from_slice(&plain[..count]);
        plain.drain(..count);
        secure.tunnel.rest();
        Poll::Ready(Ok(if count == 0 { Received::Nothing } else { Received::Bytes(count) }))
    }

    /// Sends what is in `outbox` and what was sealed before; what is held waits until there is something in `outbox`.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, outbox: &mut Vec<u8>) -> Poll<io::Result<()>> {
        loop {
            let unsent = match &mut self.secure {
                None => outbox.as_slice(),
                Some(secure) => {
                    if (secure.held || secure.tunnel.unsent().is_empty()) && !outbox.is_empty() {
                        let count = outbox.len().min(SEAL_SIZE);
                        secure.tunnel.seal(&outbox[..count])?;
                        consume(outbox, count);
                        secure.held = false;
                    }
                    if secure.held { &[] } else { secure.tunnel.unsent() }
                }
            };
            if unsent.is_empty() {
                if let Some(secure) = &mut self.secure {
                    secure.tunnel.rest();
                }
                return Poll::Ready(Ok(()));
            }
            let count = ready!(Pin::new(&mut &self.socket).poll_write(cx, unsent))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.gone(outbox, count);
        }
    }

    /// Sends what is in `outbox`, or what is sealed, as far as the peer takes it at once, and lets it travel with the end that
    /// follows: one packet, and one wake-up of the peer, instead of two.
    pub(crate) fn send_last(&mut self, outbox: &mut Vec<u8>) {
        let last = self.tunnel().map_or(outbox.as_slice(), Tunnel::unsent);
        if last.is_empty() {
            return;
        }
        // What fails now fails again with whoever waits for it.
        if let Ok(count) = listen::send(&self.socket, last, true) {
            self.gone(outbox, count);
        }
    }

    /// So many bytes have been sent.
    fn gone(&mut self, outbox: &mut Vec<u8>, count: usize) {
        match &mut self.secure {
            None => consume(outbox, count),
            Some(secure) => secure.tunnel.sent(count),
        }
    }

    /// Goes on with the handshake; whether it is over. Ready means that something has happened.
    pub(crate) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if let Some(secure) = &mut self.secure {
            // Behind the peer's end of a handshake there are but tickets (RFC 8446 §4.6.1), which travel with the first words
            // as well as alone: a packet less, and a wake-up of the peer's.
            secure.held = secure.tunnel.has_heard_all();
        }
        ready!(self.poll_write(cx, &mut Vec::new()))?;
        if !self.is_handshaking() {
            return Poll::Ready(Ok(true));
        }
        let Some(secure) = &mut self.secure else { return Poll::Ready(Ok(true)) };
        let mut chunk = [0; READ_SIZE];
        let count = ready!(poll_socket(&self.socket, &mut self.waiting, cx, &mut chunk))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.heard = true;
        let opened = secure.tunnel.take(&chunk[..count]);
        if opened.is_err() {
            let _ = Pin::new(&mut &self.socket).poll_write(cx, secure.tunnel.unsent());
        }
        Poll::Ready(opened.map(|()| false))
    }

    /// Reads and forgets until the peer has closed, or has sent more than could be a goodbye.
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        /// Reads, each of a few KiB: commands sent ahead of a QUIT, and an alert.
        const MOST_READS: usize = 64;
        let mut chunk = [0; READ_SIZE];
        for _ in 0..MOST_READS {
            if ready!(poll_socket(&self.socket, &mut self.waiting, cx, &mut chunk))? == 0 {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Waits for the peer's close_notify; what it says before it is kept.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        /// A peer that goes on talking has not understood that TLS is over.
        const MOST_BEFORE: usize = 16 * 1024;
        loop {
            let Some(secure) = &mut self.secure else { return Poll::Ready(Ok(())) };
            if secure.tunnel.has_ended() {
                return Poll::Ready(Ok(()));
            }
            let mut chunk = [0; READ_SIZE];
            let count = ready!(poll_socket(&self.socket, &mut self.waiting, cx, &mut chunk))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            if secure.tunnel.unopened().is_empty() && !is_record(&chunk[..count]) {
                // Some end their TLS without a word once they have heard ours, and go on in plain text.
                secure.behind.extend_from_slice(&chunk[..count]);
                return Poll::Ready(Ok(()));
            }
            secure.tunnel.take(&chunk[..count])?;
            if secure.tunnel.plain().len() > MOST_BEFORE {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
        }
    }
}

/// Reads what comes from the socket; `waiting` tells whether the last read had to wait.
fn poll_socket(socket: &Socket, waiting: &mut bool, cx: &mut Context<'_>, chunk: &mut [u8]) -> Poll<io::Result<usize>> {
    if *waiting {
        // The reactor's word that there is something has to be taken before it, or it counts for the next read, which then
        // tries twice. Where there is none, what is there is read all the same.
        let _ = socket.poll_readable(cx)?;
    }
    let read = Pin::new(&mut &*socket).poll_read(cx, chunk);
    *waiting = read.is_pending();
    read
}

/// Whether bytes can be the beginning of a TLS record, which no text is.
fn is_record(bytes: &[u8]) -> bool {
    /// From change_cipher_spec to heartbeat.
    const TYPES: std::ops::RangeInclusive<u8> = 20..=24;
    bytes.first().is_some_and(|first| TYPES.contains(first))
}

/// Takes so many bytes out of the front; an empty buffer keeps no memory.
pub(crate) fn consume(buffer: &mut Vec<u8>, count: usize) {
    if count >= buffer.len() {
        *buffer = Vec::new();
    } else {
        buffer.drain(..count);
    }
}
