//! A connection that begins, or ceases, to speak TLS, and the end of either kind. What is here waits, as the rest of
//! [`Conn`] does, within limits and so that its futures may be dropped.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_rustls::rustls::ServerConfig;
use futures_rustls::rustls::pki_types::CertificateDer;

use super::{Conn, MOST_AT_ONCE};
use crate::Offence;
use crate::telnet::Telnet;
use crate::tls::Agreed;

/// How long a TLS handshake may take, if no login time ends it before: three round trips of a slow line many times over.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(20);
/// How long the peer's end is waited for after ours: a round trip of a slow line. A peer that still sends into a closed
/// socket is answered with a reset, which may overtake the last words to it.
const GOODBYE_WAIT: Duration = Duration::from_secs(1);
/// How long a peer may take to end its TLS, where plain text is to follow.
const UNSECURE_WAIT: Duration = Duration::from_secs(10);

impl Conn {
    /// Speaks TLS from now on, as the server: sends what is queued in plain text, forgets what was received and not taken
    /// (it came without protection, so whoever was in between may have written it), and waits for the handshake. Takes a
    /// limited time; the login time goes on. If it is dropped, whatever waits for the peer next goes on with the handshake.
    /// NotConnected: the peer has left without a word.
    pub async fn secure(&mut self, config: Arc<ServerConfig>) -> io::Result<()> {
        // Through TLS nobody has a thread, so that newcomers like this one are no reason to give them one.
        self.haste.forfeit();
        self.flush().await?;
        self.inbox.begin_again();
        self.telnet = self.telnet.take().map(|_| Telnet::default());
        self.stream.secure(config)?;
        let shaken = poll_fn(|cx| self.poll_handshake(cx)).await;
        shaken.map_err(|e| match e.kind() {
            // The server's own end is nobody's offence.
            io::ErrorKind::ConnectionAborted => e,
            // Nor is a look whether somebody is here: load balancers take one every few seconds.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset if !self.stream.has_heard() => {
                io::Error::new(io::ErrorKind::NotConnected, "the peer has left without a word")
            }
            _ => {
                self.conduct.offence(Offence::FailedHandshake);
                e
            }
        })
    }

    /// Goes back to plain text: sends what is queued through TLS, says that TLS ends, and waits for the peer to say so,
    /// a limited time.
    pub async fn unsecure(&mut self) -> io::Result<()> {
        self.stream.close(&mut self.outbox)?;
        self.flush().await?;
        crate::rt::timeout(UNSECURE_WAIT, poll_fn(|cx| self.stream.poll_end(cx))).await?;
        let received = self.stream.unsecure();
        self.receive(&received);
        Ok(())
    }

    /// What TLS was agreed upon; none where plain text is spoken.
    pub fn secured(&self) -> Option<Agreed> {
        self.stream.tunnel().and_then(|tunnel| tunnel.agreed())
    }

    /// The certificate that the peer has shown, if it was asked for one and had one.
    pub fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.stream.tunnel().and_then(|tunnel| tunnel.peer_certificate())
    }

    /// Says that nothing more will be sent, after what is queued. Through TLS the peer's end is waited for a moment.
    pub async fn finish(&mut self) -> io::Result<()> {
        let is_secure = self.stream.tunnel().is_some();
        self.stream.close(&mut self.outbox)?;
        self.stream.send_last(&mut self.outbox);
        self.flush().await?;
        match self.stream.socket().get_ref().shutdown(std::net::Shutdown::Write) {
            // It has left already, and was owed nothing.
            Err(e) if e.kind() == io::ErrorKind::NotConnected => return Ok(()),
            done => done?,
        }
        if is_secure && !self.has_ended() {
            // How it ends is the peer's affair.
            let _ = crate::rt::timeout(GOODBYE_WAIT, poll_fn(|cx| self.stream.poll_drain(cx))).await;
        }
        Ok(())
    }

    pub(super) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let by = *self.handshake_by.get_or_insert_with(|| Instant::now() + HANDSHAKE_WAIT);
        let by = self.login_by.map_or(by, |login_by| login_by.min(by));
        loop {
            self.at_once += 1;
            if self.at_once > MOST_AT_ONCE {
                self.at_once = 0;
                cx.waker().wake_by_ref();
                break;
            }
            match self.stream.poll_handshake(cx)? {
                Poll::Ready(true) => {
                    (self.handshake_by, self.active) = (None, Instant::now());
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(false) => self.voice.raise(),
                Poll::Pending => break,
            }
        }
        // Nobody is in yet who would have to be told.
        if self.shutdown.poll_draining(cx).is_ready() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the server is shutting down")));
        }
        ready!(self.poll_until(cx, by));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake has taken too long")))
    }
}
