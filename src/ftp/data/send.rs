//! The roads out: a file through the kernel, or in pieces that are coded on the way; a listing batch by batch.
//! Refuses to know what is said about it.

use std::cell::Cell;
use std::io;
use std::time::Instant;

use futures::future::try_join;
use gftp_plugin::listen;
use gftp_plugin::rt;

use super::coding::Encoders;
use super::lent::Lent;
use super::pump::{Broken, Lines, TEXT_PIECE, Traffic};
use super::trip::{self, Next, WindowEnd, Wire};
use crate::store::{Reading, StoreError, Window};

/// What is sent without a trip, if it is in memory: what the kernel takes at once (its send buffers begin with
/// 16 KiB and grow), for less time than it takes to wake another thread.
const SMALL: usize = 64 * 1024;

impl Traffic {
    pub(super) async fn send_file(&self, reading: Reading, mut offset: u64) -> Result<(), Broken> {
        let (size, mut lent, mut waits) = (reading.size, Lent::from(reading), true);
        if let Some(rest) = lent.get().and_then(|reading| reading.rest_from_memory(offset, SMALL)) {
            self.send_bytes(rest, true).await?;
            return self.send_end().await;
        }
        while offset < size {
            let wire = self.wire();
            let limit = self.may_move(size - offset).await?;
            let Some(reading) = lent.take() else { break };
            let (reading, (sent, end, in_vain)) = rt::unblock_long(move |should_end| {
                let gone = send_trip(&wire, &reading, offset, limit, waits, should_end);
                (reading, gone)
            })
            .await;
            lent = reading.into();
            offset += sent;
            match end {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => waits = self.waits_next(waits, in_vain).await?,
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(Broken::Store(StoreError::ChangedMeanwhile));
                }
                Err(e) if e.kind() == io::ErrorKind::Unsupported => {
                    return Box::pin(self.send_pieces(lent, offset, Encoders::default())).await;
                }
                Err(e) => return Err(sending_failed(e)),
            }
        }
        self.send_end().await
    }

    /// Waits until the peer takes more, and tells whether the next trip waits for it by itself.
    async fn waits_next(&self, waits: bool, in_vain: bool) -> Result<bool, Broken> {
        let since = Instant::now();
        self.writable().await?;
        Ok(trip::waits_next(waits, in_vain, since.elapsed()))
    }

    /// Reads pieces on the pool, codes them there, and sends them; to the size that the file had when it was opened, no
    /// further and no less.
    pub(super) async fn send_pieces(
        &self,
        mut lent: Lent,
        mut offset: u64,
        mut encoders: Encoders,
    ) -> Result<(), Broken> {
        while let Some(reading) = lent.take() {
            let size = reading.size;
            let (reading, read) = rt::unblock(move || {
                let read = read_piece(&reading, offset);
                (reading, read)
            })
            .await;
            lent = reading.into();
            let piece = read.map_err(|e| Broken::Store(StoreError::Io(e)))?;
            if piece.is_empty() && offset < size {
                return Err(Broken::Store(StoreError::ChangedMeanwhile));
            }
            offset += piece.len() as u64;
            let last = offset >= size;
            encoders = self.send_coded(encoders, piece, last).await?;
            if last {
                break;
            }
        }
        self.send_end().await
    }

    /// Whoever makes the lines sends them, too: to wake another thread for each piece takes longer than to send it.
    pub(super) async fn send_lines(&self, lines: Lines, encoders: Encoders) -> Result<(), Broken> {
        if !encoders.is_empty() {
            return self.send_coded_lines(lines, encoders).await;
        }
        let (mut page, mut waits) = (Page { lines, text: Vec::new(), at: 0, more: true }, true);
        loop {
            let wire = self.wire();
            // How many bytes there will be nobody knows. Those that are not made yet, and may be none, ask for no part of a cap.
            let limit = if self.pace.is_some() && page.is_sent() { 0 } else { self.may_move(u64::MAX).await? };
            let (end, in_vain);
            (page, (_, end, in_vain)) = rt::unblock_long(move |should_end| {
                let window = |_, most| page.send(&wire, most, should_end);
                let gone = outward(&wire, limit, window, waits, should_end);
                (page, gone)
            })
            .await;
            match end {
                PageEnd::More => {}
                PageEnd::Blocked => waits = self.waits_next(waits, in_vain).await?,
                PageEnd::Over => return self.send_end().await,
                PageEnd::Broken(broken) => return Err(broken),
            }
        }
    }

    /// While one piece is coded and travels, the next is made: one more in memory, and no time lost between them.
    async fn send_coded_lines(&self, lines: Lines, mut encoders: Encoders) -> Result<(), Broken> {
        let mut made = next_piece(lines).await;
        loop {
            let (lines, text, more) = made;
            let more = more.map_err(Broken::Store)?;
            let sending = self.send_coded(encoders, text, !more);
            if !more {
                sending.await?;
                return self.send_end().await;
            }
            // Whose client is gone waits for no piece, and what nobody waits for ends soon.
            let making = async { Ok(next_piece(lines).await) };
            (made, encoders) = try_join(making, sending).await?;
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
        self.send_bytes(coded, last).await?;
        Ok(encoders)
    }

    /// Sends them; the `last` ones go together with what ends the data.
    async fn send_bytes(&self, bytes: Vec<u8>, last: bool) -> Result<(), Broken> {
        match &self.sealed {
            Some(_) => self.seal_all(bytes, last).await,
            None => self.send_all(&bytes, last).await,
        }
    }

    async fn send_all(&self, mut bytes: &[u8], last: bool) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let most = self.may_move(bytes.len() as u64).await?;
            let allowed = &bytes[..bytes.len().min(usize::try_from(most).unwrap_or(usize::MAX))];
            match listen::send(&self.socket, allowed, last && allowed.len() == bytes.len()) {
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
    async fn seal_all(&self, bytes: Vec<u8>, last: bool) -> Result<(), Broken> {
        let (mut bytes, mut at) = (bytes, 0);
        loop {
            let most = self.may_move((bytes.len() - at) as u64).await?;
            let until = bytes.len().min(at.saturating_add(usize::try_from(most).unwrap_or(usize::MAX)));
            let (wire, sent, end);
            wire = self.wire();
            let seal = move || {
                let (rest, last) = (bytes.get(at..until).unwrap_or_default(), last && until == bytes.len());
                let (sent, end) =
                    wire.sealed().map_or((rest.len(), Ok(())), |mut sealed| sealed.send(&wire.socket, rest, last));
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

    /// Says that TLS ends here, after all that was sealed. The connection is to be shut down then.
    pub(super) async fn close_tls(&self) -> Result<(), Broken> {
        if let Some(mut sealed) = self.wire().sealed() {
            sealed.close();
        }
        loop {
            let flushed = self.wire().sealed().map_or(Ok(()), |mut sealed| sealed.flush(&self.socket, true));
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

/// Sends `limit` bytes of a file from `offset`, for as long as the peer takes them without delay, or with little where it `waits`;
/// how many went, how it ended, and whether it has waited in vain.
fn send_trip(
    wire: &Wire,
    reading: &Reading,
    offset: u64,
    limit: u64,
    waits: bool,
    should_end: &dyn Fn() -> bool,
) -> (u64, io::Result<()>, bool) {
    let window = |gone: u64, most: u64| {
        let at = offset.saturating_add(gone);
        let Window { sent, end } = match wire.sealed() {
            Some(mut sealed) => sealed.send_window(&wire.socket, reading, at, most),
            None => reading.send_window(&*wire.socket, at, most),
        };
        (sent, end)
    };
    listen::hold_back(&wire.socket, true);
    let (sent, end, in_vain) = outward(wire, limit, window, waits, should_end);
    // The last packet is filled up by what ends the data.
    if offset.saturating_add(sent) < reading.size {
        listen::hold_back(&wire.socket, false);
    }
    (sent, end, in_vain)
}

/// A [trip](Wire::trip) on which the peer is to take what we have; also whether it was waited for in vain.
fn outward<E: WindowEnd>(
    wire: &Wire,
    limit: u64,
    window: impl FnMut(u64, u64) -> (u64, E),
    waits: bool,
    should_end: &dyn Fn() -> bool,
) -> (u64, E, bool) {
    let in_vain = Cell::new(false);
    let is_ready = |moment| {
        in_vain.set(waits && !listen::can_write_within(&wire.socket, moment));
        waits && !in_vain.get()
    };
    let (sent, end) = wire.trip(limit, window, is_ready, should_end);
    (sent, end, in_vain.get())
}

/// A listing on its way: who makes its lines, and the last piece of them, sent up to `at`.
struct Page {
    lines: Lines,
    text: Vec<u8>,
    at: usize,
    more: bool,
}

/// How a window of a listing has ended.
enum PageEnd {
    More,
    /// The peer takes no more just now.
    Blocked,
    Over,
    Broken(Broken),
}

impl Page {
    /// Whether all has gone that is made.
    fn is_sent(&self) -> bool {
        self.at == self.text.len()
    }

    /// Sends some of it, at most so many bytes, and makes the next piece first where the last one has gone.
    fn send(&mut self, wire: &Wire, most: u64, should_end: &dyn Fn() -> bool) -> (u64, PageEnd) {
        if self.is_sent() && self.more {
            self.text.clear();
            self.at = 0;
            match (self.lines)(&mut self.text, should_end) {
                Ok(more) => self.more = more,
                Err(e) => return (0, PageEnd::Broken(Broken::Store(e))),
            }
        }
        let rest = &self.text[self.at..];
        let allowed = &rest[..rest.len().min(usize::try_from(most).unwrap_or(usize::MAX))];
        let (sent, end) = wire.send(allowed, !self.more && allowed.len() == rest.len());
        self.at += sent;
        let end = match end.map_err(|e| (e.kind(), e)) {
            // What TLS holds of it leaves with its end.
            Ok(()) | Err((io::ErrorKind::WouldBlock, _)) if self.is_sent() && !self.more => PageEnd::Over,
            Ok(()) | Err((io::ErrorKind::Interrupted, _)) => PageEnd::More,
            Err((io::ErrorKind::WouldBlock, _)) => PageEnd::Blocked,
            Err((_, e)) => PageEnd::Broken(Broken::Connection(e)),
        };
        (sent as u64, end)
    }
}

impl Wire {
    /// Sends what goes without waiting, the `last` bytes together with what ends the data; how many, and why no more.
    fn send(&self, bytes: &[u8], last: bool) -> (usize, io::Result<()>) {
        if let Some(mut sealed) = self.sealed() {
            return sealed.send(&self.socket, bytes, last);
        }
        if bytes.is_empty() {
            return (0, Ok(()));
        }
        match listen::send(&self.socket, bytes, last) {
            Ok(0) => (0, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => (count, Ok(())),
            Err(e) => (0, Err(e)),
        }
    }
}

impl WindowEnd for PageEnd {
    fn next(&self) -> Next {
        match self {
            PageEnd::More => Next::Window,
            PageEnd::Blocked => Next::Wait,
            PageEnd::Over | PageEnd::Broken(_) => Next::End,
        }
    }
}

impl WindowEnd for io::Result<()> {
    fn next(&self) -> Next {
        match self {
            Ok(()) => Next::Window,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Next::Wait,
            Err(_) => Next::End,
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

async fn next_piece(mut lines: Lines) -> (Lines, Vec<u8>, Result<bool, StoreError>) {
    rt::unblock_long(move |should_end| {
        let mut text = Vec::new();
        let more = lines(&mut text, should_end);
        (lines, text, more)
    })
    .await
}
