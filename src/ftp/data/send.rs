//! The roads out: a file through the kernel, or in pieces that are coded on the way; a listing batch by batch.
//! Refuses to know what is said about it.

use std::io::{self, Write};

use gftp_plugin::listen;
use gftp_plugin::rt::{self, Socket};

use super::coding::Encoders;
use super::pump::{Broken, Lines, Patience, TEXT_PIECE, Traffic};
use crate::store::{Reading, StoreError, Window};

/// What one trip to the pool may send: large enough that the trip costs nothing beside it, small enough (some
/// milliseconds at memory speed) that pool threads are shared fairly. A slower peer ends it earlier.
const SEND_WINDOW: u64 = 8 * 1024 * 1024;

/// What is sent without a trip to the pool, if it is in memory: what the kernel takes at once (its send buffers begin with
/// 16 KiB and grow), for less time than it takes to wake another thread.
const SMALL: usize = 64 * 1024;

impl Traffic {
    pub(super) async fn send_file(&self, mut reading: Reading, mut offset: u64) -> Result<(), Broken> {
        if let Some(rest) = reading.rest_from_memory(offset, SMALL) {
            self.send_bytes(rest).await?;
            return self.send_end().await;
        }
        while offset < reading.size {
            let wire = self.wire();
            let limit = self.may_move(SEND_WINDOW.min(reading.size - offset)).await?;
            let window;
            (reading, window) = rt::unblock(move || {
                let window = match wire.sealed() {
                    Some(mut sealed) => sealed.send_window(&wire.socket, &reading, offset, limit),
                    None => send_window(&wire.socket, &reading, offset, limit),
                };
                (reading, window)
            })
            .await;
            let Window { sent, end } = window;
            offset += sent;
            self.has_moved(sent);
            match end {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(Broken::Store(StoreError::ChangedMeanwhile));
                }
                Err(e) if e.kind() == io::ErrorKind::Unsupported => {
                    return self.send_pieces(reading, offset, Encoders::default()).await;
                }
                Err(e) => return Err(sending_failed(e)),
            }
        }
        self.send_end().await
    }

    /// Reads pieces on the pool, codes them there, and sends them; to the size that the file had when it was opened, no
    /// further and no less.
    pub(super) async fn send_pieces(
        &self,
        mut reading: Reading,
        mut offset: u64,
        mut encoders: Encoders,
    ) -> Result<(), Broken> {
        loop {
            let read;
            (reading, read) = rt::unblock(move || {
                let read = read_piece(&reading, offset);
                (reading, read)
            })
            .await;
            let piece = read.map_err(|e| Broken::Store(StoreError::Io(e)))?;
            if piece.is_empty() && offset < reading.size {
                return Err(Broken::Store(StoreError::ChangedMeanwhile));
            }
            offset += piece.len() as u64;
            let last = offset >= reading.size;
            encoders = self.send_coded(encoders, piece, last).await?;
            if last {
                return self.send_end().await;
            }
        }
    }

    pub(super) async fn send_lines(&self, mut lines: Lines, mut encoders: Encoders) -> Result<(), Broken> {
        loop {
            let (text, more);
            (lines, text, more) = rt::unblock(move || {
                let mut text = Vec::new();
                let more = lines(&mut text);
                (lines, text, more)
            })
            .await;
            let more = more.map_err(Broken::Store)?;
            encoders = self.send_coded(encoders, text, !more).await?;
            if !more {
                return self.send_end().await;
            }
        }
    }

    /// Sends a piece as it travels, and gives the encoders back.
    async fn send_coded(&self, mut encoders: Encoders, piece: Vec<u8>, last: bool) -> Result<Encoders, Broken> {
        let coded = if encoders.is_dear() {
            let coded;
            (encoders, coded) = self
                .turns
                .take(move || {
                    let coded = encoders.encode(piece, last);
                    (encoders, coded)
                })
                .await;
            coded
        } else {
            // Line ends are changed faster than a thread is woken for it.
            encoders.encode(piece, last)
        };
        self.send_bytes(coded).await?;
        Ok(encoders)
    }

    async fn send_bytes(&self, bytes: Vec<u8>) -> Result<(), Broken> {
        match &self.sealed {
            Some(_) => self.seal_all(bytes).await,
            None => self.send_all(&bytes).await,
        }
    }

    async fn send_all(&self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let most = self.may_move(bytes.len() as u64).await?;
            let allowed = &bytes[..bytes.len().min(usize::try_from(most).unwrap_or(usize::MAX))];
            match self.socket.get_ref().write(allowed) {
                Ok(0) => return Err(Broken::Connection(io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    bytes = &bytes[count..];
                    self.has_moved(count as u64);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(e) => return Err(Broken::Connection(e)),
            }
        }
        Ok(())
    }

    /// The same through TLS, which is no work for the executor unless it is little.
    async fn seal_all(&self, bytes: Vec<u8>) -> Result<(), Broken> {
        let (mut bytes, mut at) = (bytes, 0);
        loop {
            let most = self.may_move((bytes.len() - at) as u64).await?;
            let until = bytes.len().min(at.saturating_add(usize::try_from(most).unwrap_or(usize::MAX)));
            let (wire, sent, end);
            wire = self.wire();
            let seal = move || {
                let rest = bytes.get(at..until).unwrap_or_default();
                let (sent, end) =
                    wire.sealed().map_or((rest.len(), Ok(())), |mut sealed| sealed.send(&wire.socket, rest));
                (bytes, sent, end)
            };
            (bytes, sent, end) = if until - at <= SMALL { seal() } else { rt::unblock(seal).await };
            at += sent;
            self.has_moved(sent as u64);
            match end {
                Ok(()) if at == bytes.len() => return Ok(()),
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(e) => return Err(Broken::Connection(e)),
            }
        }
    }

    /// Says that TLS ends here, after all that was sealed.
    pub(super) async fn close_tls(&self) -> Result<(), Broken> {
        if let Some(mut sealed) = self.wire().sealed() {
            sealed.close();
        }
        loop {
            let flushed = self.wire().sealed().map_or(Ok(()), |mut sealed| sealed.flush(&self.socket));
            match flushed {
                Ok(()) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(e) => return Err(Broken::Connection(e)),
            }
        }
    }

    /// The end of what we send is our FIN (stream mode, RFC 959 §3.4.1), before the reply that says so.
    async fn send_end(&self) -> Result<(), Broken> {
        self.close_tls().await?;
        self.socket.get_ref().shutdown(std::net::Shutdown::Write).map_err(Broken::Connection)
    }
}

/// Sends `limit` bytes of a file from `offset`, for as long as the peer takes them without delay.
fn send_window(socket: &Socket, reading: &Reading, offset: u64, limit: u64) -> Window {
    let (mut sent, mut patience) = (0, Patience::default());
    loop {
        let window = reading.send_window(socket, offset.saturating_add(sent), limit.saturating_sub(sent));
        sent += window.sent;
        let is_full = window.end.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock);
        if !(is_full && patience.waits_for(|moment| listen::can_write_within(socket, moment), sent)) {
            return Window { sent, end: window.end };
        }
    }
}

/// Whose fault a failed window is: a file's errors and a socket's come by the same call.
fn sending_failed(error: io::Error) -> Broken {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, HostUnreachable, NetworkUnreachable, NotConnected, TimedOut,
    };
    match error.kind() {
        BrokenPipe | ConnectionAborted | ConnectionReset | HostUnreachable | NetworkUnreachable | NotConnected
        | TimedOut => Broken::Connection(error),
        _ => Broken::Store(StoreError::Io(error)),
    }
}

/// One piece of a file; empty where it has become shorter, or ends.
fn read_piece(reading: &Reading, offset: u64) -> io::Result<Vec<u8>> {
    let left = usize::try_from(reading.size.saturating_sub(offset)).unwrap_or(TEXT_PIECE);
    let mut piece = vec![0; left.min(TEXT_PIECE)];
    let count = reading.read_at(&mut piece, offset)?;
    piece.truncate(count);
    Ok(piece)
}
