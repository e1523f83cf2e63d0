//! The end of a data connection in TLS. Each side says that nothing follows, and a socket that is closed while something
//! is unread, or still to come, resets the connection: the reset may overtake the last bytes. So the peer's end is waited
//! for, a moment, while the session goes on. Refuses to know how the transfer went.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gftp_plugin::rt::{self, Socket};

/// How long a peer may take to close: it may first read a reply, and think.
const PARTING_WAIT: Duration = Duration::from_secs(5);
/// What it may still say meanwhile: an alert, or records that it sent before it knew better.
const MOST_PARTING: usize = 64 * 1024;
/// What is read at once, on the stack.
const READ_SIZE: usize = 1024;

/// A connection that is over but for its peer's end. Dropped, it is closed.
pub struct Parting {
    socket: Arc<Socket>,
    until: Instant,
    heard: usize,
}

impl Parting {
    /// Of a connection to which nothing more will be sent.
    pub fn of(socket: Arc<Socket>) -> Self {
        Parting { socket, until: Instant::now() + PARTING_WAIT, heard: 0 }
    }

    /// Waits for the end. May be dropped and called again.
    pub async fn end(&mut self) {
        let left = self.until.saturating_duration_since(Instant::now());
        // How it ends is the peer's affair.
        let _ = rt::timeout(left, self.hear_out()).await;
    }

    async fn hear_out(&mut self) -> io::Result<()> {
        while self.heard < MOST_PARTING {
            match read_some(&self.socket) {
                Ok(0) => break,
                Ok(count) => self.heard += count,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.socket.readable().await?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

fn read_some(socket: &Socket) -> io::Result<usize> {
    socket.get_ref().read(&mut [0; READ_SIZE])
}
