//! Moving the bytes of one transfer: one road is chosen for it, and this file is all roads.
//!
//! Disk work is done on the blocking pool in large pieces, socket waits on the executor, so a slow disk stalls only its
//! own session. Every wait for the peer is bounded by the stall time. Knows no replies, no verbs, no policy.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gftp_plugin::rt::{self, Socket};

use super::ascii::{FromNetwork, ToNetwork};
use crate::store::{Reading, StoreError, Upload, Window};

/// What one trip to the pool may send: large enough that the trip costs nothing beside it, small enough (under a
/// millisecond at memory speed) that pool threads are shared fairly.
const SEND_WINDOW: u64 = 1024 * 1024;
/// A first receive buffer; it doubles while the peer fills it, so a slow upload holds little memory.
const FIRST_BUFFER: usize = 64 * 1024;
/// The largest receive buffer: beyond it, writes to the disk get no cheaper.
const LARGEST_BUFFER: usize = 1024 * 1024;
/// What is read from a file at once where its bytes must be looked at: fits the second-level cache twice.
pub const TEXT_PIECE: usize = 64 * 1024;

/// The next lines of a listing, appended to the buffer; false when they were the last. Runs on the blocking pool.
pub type Lines = Box<dyn FnMut(&mut Vec<u8>) -> Result<bool, StoreError> + Send>;

/// What flows, and by which road.
pub enum Road {
    /// A file as it is, from an offset (bytes) to the size it had when it was opened.
    Send(Reading, u64),
    /// A file in TYPE A, from an offset in the file (not in what is transferred), with the encoder as it stands there.
    SendText(Reading, u64, ToNetwork),
    /// A listing.
    SendLines(Lines),
    /// An upload as it comes.
    Receive(Upload),
    /// An upload in TYPE A; where it resumes, the decoder may hold a CR whose LF is still to come.
    ReceiveText(Upload, FromNetwork),
}

/// How a transfer failed: by us or by them.
#[derive(Debug)]
pub enum Broken {
    /// The store could not read or write.
    Store(StoreError),
    /// The data connection broke.
    Connection(io::Error),
    /// The peer took or sent nothing for the stall time.
    Stalled(Duration),
}

/// What every road needs to know of its transfer.
pub struct Traffic {
    /// The data connection; the conversation shares it, to cut it off.
    pub socket: Arc<Socket>,
    /// How long the peer may take or send nothing.
    pub stall: Duration,
    /// Bytes moved so far, for STAT and the log; the conversation reads it meanwhile.
    pub moved: Arc<AtomicU64>,
}

/// Moves everything. An upload comes back whatever happened, since its fate is the conversation's to decide.
pub async fn run(road: Road, traffic: &Traffic) -> (Option<Upload>, Result<(), Broken>) {
    match road {
        Road::Send(reading, from) => (None, traffic.send_file(reading, from).await),
        Road::SendText(reading, from, encoder) => (None, traffic.send_pieces(reading, from, Some(encoder)).await),
        Road::SendLines(lines) => (None, traffic.send_lines(lines).await),
        Road::Receive(upload) => traffic.receive(upload, None).await,
        Road::ReceiveText(upload, decoder) => traffic.receive(upload, Some(decoder)).await,
    }
}

impl Traffic {
    async fn send_file(&self, mut reading: Reading, mut offset: u64) -> Result<(), Broken> {
        while offset < reading.size {
            let socket = Arc::clone(&self.socket);
            let limit = SEND_WINDOW.min(reading.size - offset);
            let window;
            (reading, window) = rt::unblock(move || {
                let window = reading.send_window(&*socket, offset, limit);
                (reading, window)
            })
            .await;
            let Window { sent, end } = window;
            offset += sent;
            self.moved.fetch_add(sent, Ordering::Relaxed);
            match end {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(Broken::Store(StoreError::ChangedMeanwhile));
                }
                Err(e) if e.kind() == io::ErrorKind::Unsupported => {
                    return self.send_pieces(reading, offset, None).await;
                }
                Err(e) => return Err(sending_failed(e)),
            }
        }
        self.send_end()
    }

    /// Reads pieces on the pool, translated there if `text` says so, and sends them; to the size that the file had when
    /// it was opened, no further and no less.
    async fn send_pieces(
        &self,
        mut reading: Reading,
        mut offset: u64,
        mut text: Option<ToNetwork>,
    ) -> Result<(), Broken> {
        let mut piece = Vec::new();
        while offset < reading.size {
            let read;
            (reading, text, piece, read) = rt::unblock(move || {
                let read = read_piece(&reading, offset, &mut text, &mut piece);
                (reading, text, piece, read)
            })
            .await;
            offset += match read.map_err(|e| Broken::Store(StoreError::Io(e)))? {
                0 => return Err(Broken::Store(StoreError::ChangedMeanwhile)),
                count => count,
            };
            self.send_all(&piece).await?;
        }
        self.send_end()
    }

    async fn send_lines(&self, mut lines: Lines) -> Result<(), Broken> {
        let mut text = Vec::new();
        loop {
            let more;
            (lines, text, more) = rt::unblock(move || {
                text.clear();
                let more = lines(&mut text);
                (lines, text, more)
            })
            .await;
            let more = more.map_err(Broken::Store)?;
            self.send_all(&text).await?;
            if !more {
                return self.send_end();
            }
        }
    }

    async fn receive(&self, mut upload: Upload, mut text: Option<FromNetwork>) -> (Option<Upload>, Result<(), Broken>) {
        let mut buffer = vec![0; FIRST_BUFFER];
        loop {
            let received = self.fill(&mut buffer).await;
            // What came before a break is written too: it is what the client may resume from.
            let (filled, end) = match received {
                Ok(filled) => (filled, if filled < buffer.len() { Some(Ok(())) } else { None }),
                Err((filled, broken)) => (filled, Some(Err(broken))),
            };
            let written;
            let last = matches!(end, Some(Ok(())));
            (upload, text, buffer, written) = rt::unblock(move || {
                let written = write_piece(&mut upload, &mut text, &buffer[..filled], last);
                (upload, text, buffer, written)
            })
            .await;
            if let Err(e) = written {
                return (Some(upload), Err(Broken::Store(e)));
            }
            if let Some(end) = end {
                return (Some(upload), end);
            }
            if buffer.len() < LARGEST_BUFFER {
                buffer = vec![0; buffer.len() * 2];
            }
        }
    }

    /// Fills the buffer from the connection; fewer bytes than it holds mean that the peer has ended cleanly.
    async fn fill(&self, buffer: &mut [u8]) -> Result<usize, (usize, Broken)> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.socket.get_ref().read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => {
                    filled += count;
                    self.moved.fetch_add(count as u64, Ordering::Relaxed);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.readable().await.map_err(|broken| (filled, broken))?;
                }
                Err(e) => return Err((filled, Broken::Connection(e))),
            }
        }
        Ok(filled)
    }

    async fn send_all(&self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            match self.socket.get_ref().write(bytes) {
                Ok(0) => return Err(Broken::Connection(io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    bytes = &bytes[count..];
                    self.moved.fetch_add(count as u64, Ordering::Relaxed);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(e) => return Err(Broken::Connection(e)),
            }
        }
        Ok(())
    }

    /// The end of what we send is our FIN (stream mode, RFC 959 §3.4.1), before the reply that says so.
    fn send_end(&self) -> Result<(), Broken> {
        self.socket.get_ref().shutdown(std::net::Shutdown::Write).map_err(Broken::Connection)
    }

    async fn writable(&self) -> Result<(), Broken> {
        self.within_stall(self.socket.writable()).await
    }

    async fn readable(&self) -> Result<(), Broken> {
        self.within_stall(self.socket.readable()).await
    }

    async fn within_stall(&self, ready: impl Future<Output = io::Result<()>>) -> Result<(), Broken> {
        rt::timeout(self.stall, ready).await.map_err(|e| match e.kind() {
            io::ErrorKind::TimedOut => Broken::Stalled(self.stall),
            _ => Broken::Connection(e),
        })
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

/// One piece of a file into `piece`, as it travels; how many bytes of the file it took: none where it has become
/// shorter.
fn read_piece(reading: &Reading, offset: u64, text: &mut Option<ToNetwork>, piece: &mut Vec<u8>) -> io::Result<u64> {
    let left = usize::try_from(reading.size - offset).unwrap_or(TEXT_PIECE);
    let mut raw = vec![0; left.min(TEXT_PIECE)];
    let count = reading.read_at(&mut raw, offset)?;
    raw.truncate(count);
    match text {
        None => *piece = raw,
        Some(coding) => {
            piece.clear();
            coding.encode(&raw, piece);
        }
    }
    Ok(count as u64)
}

/// One received piece into the upload, translated if it is text.
fn write_piece(
    upload: &mut Upload,
    text: &mut Option<FromNetwork>,
    piece: &[u8],
    last: bool,
) -> Result<(), StoreError> {
    let Some(coding) = text else { return upload.write(piece) };
    let mut plain = Vec::with_capacity(piece.len());
    coding.decode(piece, &mut plain);
    if last {
        coding.finish(&mut plain);
    }
    upload.write(&plain)
}
