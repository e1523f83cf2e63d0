//! How a data connection begins TLS: as soon as it stands, whoever begins first, and as far as the peer lets it, however
//! often it is left alone meanwhile. Refuses to know whose it is.

use std::io::{self, Read, Write};
use std::sync::Arc;

use futures_rustls::rustls::ServerConfig;
use gftp_plugin::listen;
use gftp_plugin::rt::Socket;
use gftp_plugin::tls::Tunnel;

use super::sealed::Sealed;

/// What is read at once: a client's first words are about 500 bytes, and this stands on a stack.
const READ_SIZE: usize = 4096;

/// A handshake under way.
pub struct Handshake {
    socket: Arc<Socket>,
    tunnel: Tunnel,
    /// Why it has failed.
    failed: Option<String>,
}

/// What a handshake waits for.
enum Step {
    Readable,
    Writable,
    Over,
}

impl Handshake {
    /// Over this connection, which says nothing first.
    pub fn new(socket: Arc<Socket>, config: Arc<ServerConfig>) -> io::Result<Self> {
        Ok(Handshake { socket, tunnel: Tunnel::new(config)?, failed: None })
    }

    /// The connection.
    pub fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }

    /// Whether there is something left to do.
    pub fn is_under_way(&self) -> bool {
        self.failed.is_none() && (self.tunnel.is_handshaking() || !self.tunnel.unsent().is_empty())
    }

    /// Whether it has come to nothing.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Goes on to the end. May be dropped and called again; once it has failed it says so again.
    pub async fn go_on(&mut self) -> io::Result<()> {
        if let Some(why) = &self.failed {
            return Err(io::Error::new(io::ErrorKind::InvalidData, why.clone()));
        }
        loop {
            match self.step() {
                Ok(Step::Over) => return Ok(()),
                Ok(Step::Readable) => self.socket.readable().await?,
                Ok(Step::Writable) => self.socket.writable().await?,
                Err(e) => {
                    self.failed = Some(e.to_string());
                    // The alert says why, if it can go now.
                    let _ = self.socket.get_ref().write(self.tunnel.unsent());
                    let _ = self.socket.get_ref().shutdown(std::net::Shutdown::Both);
                    return Err(e);
                }
            }
        }
    }

    /// As far as it goes without waiting.
    fn step(&mut self) -> io::Result<Step> {
        loop {
            while !self.tunnel.unsent().is_empty() {
                match self.socket.get_ref().write(self.tunnel.unsent()) {
                    Ok(count) => self.tunnel.sent(count),
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Step::Writable),
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
            if !self.tunnel.is_handshaking() {
                // No ticket follows that would do it.
                listen::confirm(&self.socket);
                return Ok(Step::Over);
            }
            let mut chunk = [0; READ_SIZE];
            match self.socket.get_ref().read(&mut chunk) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ended before TLS had begun")),
                Ok(count) => self.tunnel.take(chunk.get(..count).unwrap_or_default())?,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Step::Readable),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// What was agreed upon, and with whom.
    pub fn tunnel(&self) -> &Tunnel {
        &self.tunnel
    }

    /// What the bytes go through from now on. `lenient` takes any end for a whole one.
    pub fn finish(self, lenient: bool) -> Sealed {
        Sealed::new(self.tunnel, lenient)
    }
}
