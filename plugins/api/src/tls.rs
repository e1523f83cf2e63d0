//! TLS without sockets: what a peer sent becomes plain text, and plain text becomes what is sent to it. Who owns the
//! connection moves the bytes, on the executor or on a thread that may block. Refuses to know protocols and certificates.

use std::fmt;
use std::io;
use std::sync::Arc;

use futures_rustls::rustls;
use rustls::pki_types::CertificateDer;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus};
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig};

/// The largest plain text of one record (RFC 8446 §5.1).
const LARGEST_TEXT: usize = 16 * 1024;
/// What a record is longer than its plain text at most (RFC 5246 §6.2.3: 2,048, and a header of five).
const RECORD_EXTRA: usize = 2048 + 5;
/// What may wait for its end: a handshake message of 64 KiB, which is as much as rustls puts together, in one record or
/// several, and a record behind it.
const MOST_UNFINISHED: usize = 64 * 1024 + 2 * (LARGEST_TEXT + RECORD_EXTRA);

/// A processor that reads takes what was last written for what it is about to read where the two addresses are alike but for
/// whole pages, and waits.
pub const PAGE: usize = 4096;
/// How far from that a text begins: in the middle of what was as fast as can be (1 to 2 KiB), since records are some bytes
/// longer than what is in them.
const APART: usize = 1536;

/// One TLS connection, the server's side of it.
pub struct Tunnel {
    session: Box<UnbufferedServerConnection>,
    /// Bytes of the peer's that rustls has not let go of. It remembers places among them, so whatever is asked of it, it is
    /// given all of them.
    incoming: Incoming,
    /// Records for the peer.
    outgoing: Outgoing,
    /// What the peer said and nobody has taken.
    plain: Vec<u8>,
    /// The peer has said that nothing follows (close_notify).
    ended: bool,
    /// What came was wrong: rustls looks at nothing any more.
    failed: bool,
    /// What the handshake came to.
    agreed: Option<Agreed>,
}

/// What both sides agreed upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// "TLSv1.3".
    pub version: &'static str,
    /// As the registry of TLS calls it, "TLS13_AES_128_GCM_SHA256".
    pub cipher: &'static str,
    /// Whether an earlier session was gone on with, so that the peer has its keys.
    pub resumed: bool,
}

/// Bytes from the peer, and room for more behind them.
#[derive(Default)]
struct Incoming {
    bytes: Vec<u8>,
    filled: usize,
}

/// Bytes for the peer, of which some have gone.
#[derive(Default)]
pub(crate) struct Outgoing {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Tunnel {
    /// Waits for the peer to begin.
    pub fn new(config: Arc<ServerConfig>) -> io::Result<Tunnel> {
        let session = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Tunnel {
            session: Box::new(session),
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
            plain: Vec::new(),
            ended: false,
            failed: false,
            agreed: None,
        })
    }

    /// Room for `least` bytes of the peer's or more; [`Tunnel::open`] takes what was put there.
    pub fn room(&mut self, least: usize) -> &mut [u8] {
        self.incoming.room(least)
    }

    /// Takes so many bytes that the peer has sent from the room. An error ends the connection; what is in
    /// [`Tunnel::unsent`] then tells the peer why.
    pub fn open(&mut self, count: usize) -> io::Result<()> {
        self.incoming.filled = self.incoming.bytes.len().min(self.incoming.filled + count);
        self.go_on()
    }

    /// The same with bytes that are elsewhere.
    pub fn take(&mut self, wire: &[u8]) -> io::Result<()> {
        if let Some(room) = self.room(wire.len()).get_mut(..wire.len()) {
            room.copy_from_slice(wire);
        }
        self.open(wire.len())
    }

    /// What came and is not opened: less than a record, or a message that has not ended, or what follows the peer's end.
    pub fn unopened(&self) -> &[u8] {
        self.incoming.bytes.get(..self.incoming.filled).unwrap_or_default()
    }

    /// Does all that can be done with what came.
    fn go_on(&mut self) -> io::Result<()> {
        if self.failed {
            return Err(invalid("it has failed already"));
        }
        let done = self.open_all();
        if done.is_err() {
            self.failed = true;
            self.explain();
        }
        done
    }

    fn open_all(&mut self) -> io::Result<()> {
        let mut done = 0;
        while self.step(&mut done)? {}
        self.incoming.consume(done);
        if self.agreed.is_none() && !self.session.is_handshaking() {
            self.agreed = Some(self.agreement());
        }
        if self.incoming.filled > MOST_UNFINISHED {
            return Err(invalid("a message without an end"));
        }
        Ok(())
    }

    /// One step of rustls, over what came but for what is `done` with; whether there may be more to do.
    fn step(&mut self, done: &mut usize) -> io::Result<bool> {
        let UnbufferedStatus { discard, state } = self.session.process_tls_records(self.incoming.behind(*done));
        let more = match state.map_err(invalid)? {
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    self.plain.extend_from_slice(record.map_err(invalid)?.payload);
                }
                true
            }
            ConnectionState::EncodeTlsData(mut data) => {
                self.outgoing.append(0, |room| sized(data.encode(room)))?;
                true
            }
            ConnectionState::TransmitTlsData(data) => {
                data.done();
                true
            }
            ConnectionState::PeerClosed => {
                self.ended = true;
                true
            }
            ConnectionState::Closed | ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) => false,
            // Never offered: it could be replayed (RFC 8446 §8).
            _ => return Err(invalid("early data was not offered")),
        };
        *done += discard;
        Ok(more)
    }

    /// Appends the alert that rustls has made ready for the peer. It gives that before it looks at anything that came, which
    /// after an error it must not do again: so it is asked only while it has something.
    fn explain(&mut self) {
        while self.session.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(mut data)) = self.session.process_tls_records(&mut []).state
            && self.outgoing.append(0, |room| sized(data.encode(room))).is_ok()
        {}
    }

    /// Where in `space`, within its first [`PAGE`], a text should begin that is to be sealed and is not small: processors copy
    /// it into records at half the speed where both lie at the same place of their pages.
    pub fn well_apart(&self, space: &[u8]) -> usize {
        apart(self.outgoing.bytes.as_ptr().addr() + self.outgoing.end, space.as_ptr().addr())
    }

    /// Makes records of `text`, behind what is unsent.
    pub fn seal(&mut self, text: &[u8]) -> io::Result<()> {
        // What rustls has to say for itself (a new key) goes first.
        self.go_on()?;
        let records = text.len().div_ceil(LARGEST_TEXT);
        let (session, incoming, failed) = (&mut self.session, &mut self.incoming, &mut self.failed);
        self.outgoing.append(text.len() + records * RECORD_EXTRA, |room| {
            match session.process_tls_records(incoming.behind(0)).state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => encrypted(traffic.encrypt(text, room)),
                Ok(_) => Err(Failed::Other(io::ErrorKind::NotConnected.into())),
                Err(e) => {
                    // What is left of a message may be found out to be none only now.
                    *failed = true;
                    Err(Failed::Other(invalid(e)))
                }
            }
        })
    }

    /// Says that nothing more will be sent (close_notify), behind what is unsent. Before the end of the handshake there
    /// is nothing to say.
    pub fn close(&mut self) {
        if self.go_on().is_err() {
            return;
        }
        match self.session.process_tls_records(self.incoming.behind(0)).state {
            // It has room for what it asks for; without it the peer sees a connection that was cut.
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                let _ = self.outgoing.append(RECORD_EXTRA, |room| encrypted(traffic.queue_close_notify(room)));
            }
            Ok(_) => {}
            Err(_) => self.failed = true,
        }
    }

    /// What is to be sent to the peer.
    pub fn unsent(&self) -> &[u8] {
        self.outgoing.unsent()
    }

    /// So many bytes of it are sent.
    pub fn sent(&mut self, count: usize) {
        self.outgoing.sent(count);
    }

    /// What the peer said and nobody has taken yet: whoever takes some of it takes it out.
    pub fn plain(&mut self) -> &mut Vec<u8> {
        &mut self.plain
    }

    /// Whether there is such.
    pub fn holds_plain(&self) -> bool {
        !self.plain.is_empty()
    }

    /// Whether the handshake is not over.
    pub fn is_handshaking(&self) -> bool {
        self.session.is_handshaking()
    }

    /// Whether the peer's was the last word of the handshake, as it is from TLS 1.3 on (RFC 8446 §2): it waits for nothing.
    pub(crate) fn has_heard_all(&self) -> bool {
        !self.is_handshaking() && self.session.protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// Whether the peer has said that nothing follows what it has sent: proof of a whole end.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// What was agreed upon, once the handshake is over.
    pub fn agreed(&self) -> Option<Agreed> {
        self.agreed
    }

    /// The certificate that the peer has shown, if it was asked for one; that of an earlier session, if it was resumed.
    pub fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.session.peer_certificates().and_then(|chain| chain.first())
    }

    /// Gives memory back that an idle connection does not need.
    pub(crate) fn rest(&mut self) {
        if self.incoming.filled == 0 {
            self.incoming = Incoming::default();
        }
        if self.outgoing.unsent().is_empty() {
            self.outgoing = Outgoing::default();
        }
        if self.plain.is_empty() {
            self.plain = Vec::new();
        }
    }

    fn agreement(&self) -> Agreed {
        let version = self.session.protocol_version().and_then(|version| version.as_str());
        let cipher = self.session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        Agreed {
            version: version.map_or("TLS", |version| match version {
                "TLSv1_2" => "TLSv1.2",
                "TLSv1_3" => "TLSv1.3",
                other => other,
            }),
            cipher: cipher.unwrap_or("unknown"),
            resumed: self.session.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}

/// How far behind `from` a copy to `to` should begin.
fn apart(to: usize, from: usize) -> usize {
    to.wrapping_sub(from).wrapping_sub(APART) % PAGE
}

/// What is wrong with what came.
fn invalid(what: impl fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("TLS: {what}"))
}

/// Why nothing was appended.
enum Failed {
    /// So much room is needed.
    Short(usize),
    Other(io::Error),
}

fn sized(encoded: Result<usize, EncodeError>) -> Result<usize, Failed> {
    encoded.map_err(|e| match e {
        EncodeError::InsufficientSize(InsufficientSizeError { required_size }) => Failed::Short(required_size),
        EncodeError::AlreadyEncoded => Failed::Other(io::Error::other(e)),
    })
}

fn encrypted(encrypted: Result<usize, EncryptError>) -> Result<usize, Failed> {
    encrypted.map_err(|e| match e {
        EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => Failed::Short(required_size),
        EncryptError::EncryptExhausted => Failed::Other(io::Error::other(e)),
    })
}

impl Incoming {
    fn room(&mut self, least: usize) -> &mut [u8] {
        // Grown and not cut again, as below.
        if self.bytes.len() < self.filled + least {
            self.bytes.resize(self.filled + least, 0);
        }
        self.bytes.get_mut(self.filled..).unwrap_or_default()
    }

    /// What came, but for so much of it.
    fn behind(&mut self, done: usize) -> &mut [u8] {
        self.bytes.get_mut(done..self.filled).unwrap_or_default()
    }

    fn consume(&mut self, done: usize) {
        let done = done.min(self.filled);
        self.bytes.copy_within(done..self.filled, 0);
        self.filled -= done;
    }
}

impl Outgoing {
    /// Appends what `fill` writes into at least `room` bytes; it is asked again if it needs more.
    fn append(&mut self, room: usize, mut fill: impl FnMut(&mut [u8]) -> Result<usize, Failed>) -> io::Result<()> {
        let mut room = room;
        loop {
            // Grown and not cut again: to fill it with zeros for each piece would cost as much as a copy.
            if self.bytes.len() < self.end + room {
                self.bytes.resize(self.end + room, 0);
            }
            match fill(self.bytes.get_mut(self.end..).unwrap_or_default()) {
                Ok(count) => {
                    self.end += count;
                    return Ok(());
                }
                Err(Failed::Short(needed)) if needed > room => room = needed,
                Err(Failed::Short(_)) => return Err(io::ErrorKind::OutOfMemory.into()),
                Err(Failed::Other(e)) => return Err(e),
            }
        }
    }

    fn unsent(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    fn sent(&mut self, count: usize) {
        self.start += count;
        if self.start >= self.end {
            (self.start, self.end) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_put_where_its_copy_is_quick() {
        for (to, from) in [(0, 0), (0x7f00_1234, 0x7f00_1230), (0x1000, 0x7fff_f010), (usize::MAX, 1)] {
            let begin = apart(to, from);
            assert!(begin < PAGE);
            assert_eq!(to.wrapping_sub(from + begin) % PAGE, APART, "{to:x} {from:x}");
        }
    }
}
