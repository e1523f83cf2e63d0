//! Moving the bytes of one transfer: the roads, one of which is chosen for it. `send` and `receive` are how they go.
//!
//! Disk work is done on the pool in long trips, longer waits for the peer on the executor, so a slow disk stalls only its
//! own session. Every wait for the peer is bounded by the stall time. Knows no replies, no verbs, no policy.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gftp_plugin::rt::{self, Socket};

use super::super::pace::{Ended, Pace};
use super::super::turns::Turns;
use super::coding::{Decoders, Encoders, Flaw};
use super::sealed::Sealed;
use super::trip::Wire;
use crate::store::{Reading, StoreError, Upload};

/// What is read from a file at once where its bytes must be looked at: fits the second-level cache twice.
pub const TEXT_PIECE: usize = 64 * 1024;

/// The next lines of a listing, appended to the buffer, fewer of them where it should end soon; false when they were the last. Runs
/// on the pool.
pub type Lines = Box<dyn FnMut(&mut Vec<u8>, &dyn Fn() -> bool) -> Result<bool, StoreError> + Send>;

/// What flows, and by which road.
pub enum Road {
    /// A file from an offset (bytes, in the file) to the size it had when it was opened.
    Send(Reading, u64, Encoders),
    /// A listing.
    SendLines(Lines, Encoders),
    /// An upload.
    Receive(Box<Upload>, Decoders),
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
    /// The data ended, and TLS did not say so: something may be missing.
    Unproven,
    /// What came does not follow its coding.
    Coding(Flaw),
}

impl From<Flaw> for Broken {
    fn from(flaw: Flaw) -> Self {
        Broken::Coding(flaw)
    }
}

/// What every road needs to know of its transfer.
pub struct Traffic {
    /// The data connection; the conversation shares it, to cut it off.
    pub socket: Arc<Socket>,
    /// What the bytes go through, where that is TLS. Behind a lock because trips to the pool take it along and come back
    /// without it: there is one at a time, so nobody ever waits for it.
    pub sealed: Option<Arc<Mutex<Sealed>>>,
    /// How long the peer may take or send nothing.
    pub stall: Duration,
    /// Bytes moved so far, for STAT and the log; the conversation reads it meanwhile.
    pub moved: Arc<AtomicU64>,
    /// Whose turn it is to use a core.
    pub turns: Arc<Turns>,
    /// What holds it to the caps, if there are any.
    pub pace: Option<Arc<Pace>>,
}

/// Moves everything. An upload comes back whatever happened, since its fate is the conversation's to decide. Boxed are the roads that
/// few transfers take, or none that is small: the others pay for no state of theirs.
pub async fn run(road: Road, traffic: &Traffic) -> (Option<Box<Upload>>, Result<(), Broken>) {
    match road {
        Road::Send(reading, from, encoders) if encoders.is_empty() => (None, traffic.send_file(reading, from).await),
        Road::Send(reading, from, encoders) => {
            (None, Box::pin(traffic.send_pieces(reading.into(), from, encoders)).await)
        }
        Road::SendLines(lines, encoders) => (None, Box::pin(traffic.send_lines(lines, encoders)).await),
        Road::Receive(upload, decoders) => traffic.receive(upload, decoders).await,
    }
}

/// What can be cut off, so that whoever works on it ends by himself.
pub trait Cut: Sync {
    /// Cuts it off.
    fn cut(&self);
}

impl Cut for Socket {
    fn cut(&self) {
        drop(self.get_ref().shutdown(std::net::Shutdown::Both));
    }
}

impl Cut for Traffic {
    fn cut(&self) {
        self.socket.cut();
        // Who waits for its part of the bandwidth looks at no socket.
        if let Some(pace) = &self.pace {
            pace.cut();
        }
    }
}

impl Traffic {
    /// How many bytes may move now, `most` or fewer. Every road asks before it moves any, and waits here for its part of a
    /// capped bandwidth; the stall time does not run meanwhile, since it is not the peer who is slow.
    pub(super) async fn may_move(&self, most: u64) -> Result<u64, Broken> {
        match &self.pace {
            None => Ok(most),
            Some(pace) => {
                pace.allowed(most).await.map_err(|Ended| Broken::Connection(io::ErrorKind::ConnectionAborted.into()))
            }
        }
    }

    /// Every road tells how many bytes have moved; trips do so by themselves.
    pub(super) fn has_moved(&self, bytes: u64) {
        self.moved.fetch_add(bytes, Ordering::Relaxed);
        if let Some(pace) = &self.pace {
            pace.moved(bytes);
        }
    }

    pub(super) async fn writable(&self) -> Result<(), Broken> {
        self.within_stall(self.socket.writable()).await
    }

    /// What a trip takes along.
    pub(super) fn wire(&self) -> Wire {
        Wire::of(self)
    }

    pub(super) async fn readable(&self) -> Result<(), Broken> {
        self.within_stall(self.socket.readable()).await
    }

    /// Waits for what is most likely not there yet, where the session has a thread for that.
    pub(super) async fn readable_here(&self) -> Result<(), Broken> {
        self.within_stall(self.socket.readable_here()).await
    }

    async fn within_stall(&self, ready: impl Future<Output = io::Result<()>>) -> Result<(), Broken> {
        rt::timeout(self.stall, ready).await.map_err(|e| match e.kind() {
            io::ErrorKind::TimedOut => Broken::Stalled(self.stall),
            _ => Broken::Connection(e),
        })
    }
}
