//! TLS as cheap as a client can have it: rustls over one blocking socket, with buffers of our own.
//!
//! rustls' usual interface reads 4 KiB at once and copies what it has decrypted; here whole buffers of records go in and
//! out with one system call each. All clients offer the same, whoever answers: TLS 1.3 and 1.2, AES-128-GCM and P-256
//! alone, which every server has, so that all of them do the same cryptography. Nobody is authenticated: loopback is not
//! an adversary, and checking certificates would be the clients' work.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use futures_rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use futures_rustls::rustls;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::crypto::{CryptoProvider, ring};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{CipherSuite, ClientConfig, DigitallySignedStruct, HandshakeKind, NamedGroup, SignatureScheme};

use crate::Failure;

/// What is read or encrypted at once on a data connection: sixteen of TLS's largest records.
const BULK: usize = 256 * 1024;
/// What is read at once on a control connection: more than the largest record (16 KiB and 2,048 bytes, RFC 5246) and
/// than any certificate of ours.
const TALK: usize = 32 * 1024;
/// What encryption adds to the plain bytes of one call, at most: 256 bytes for each record of 16 KiB, and one more.
const ADDED: usize = 256 * (BULK / 16_384 + 1);
/// Tickets that a session keeps: what rustls keeps for one server at most.
const TICKETS: usize = 8;
/// Whatever is said and whoever says it.
const NAME: &str = "localhost";

/// What every client offers. It is to be made once: a client's own is a copy with [`stranger`].
pub fn offer() -> Result<ClientConfig, Failure> {
    let mut provider = ring::default_provider();
    provider.cipher_suites.retain(|suite| {
        matches!(
            suite.suite(),
            CipherSuite::TLS13_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        )
    });
    // Debian's vsftpd and Pure-FTPd know no other, and would ask to begin anew.
    provider.kx_groups.retain(|group| group.name() == NamedGroup::secp256r1);
    let provider = Arc::new(provider);
    Ok(ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_no_client_auth())
}

/// The offer of one whom the server has never seen: tickets are its own, so that its data connections resume the session
/// of its control connection, where the server gives tickets, and nobody else's.
pub fn stranger(offer: &ClientConfig) -> Arc<ClientConfig> {
    let mut own = offer.clone();
    own.resumption = Resumption::in_memory_sessions(TICKETS);
    Arc::new(own)
}

/// What a connection is for, which decides its buffers.
#[derive(Clone, Copy)]
pub enum Purpose {
    Control,
    Data,
}

/// What is to be done once the connection lets us send.
enum Wish<'a> {
    Nothing,
    Send(&'a [u8]),
    Close,
}

/// How far a connection has come.
#[derive(PartialEq)]
enum Stage {
    Handshake,
    Open,
    /// The server has said that no more comes.
    Over,
}

/// A TLS connection whose handshake is done.
pub struct Tls {
    socket: TcpStream,
    connection: UnbufferedClientConnection,
    /// What has come and is not decrypted yet lies from `start` to `end`.
    incoming: Vec<u8>,
    start: usize,
    end: usize,
    /// What is encrypted and not sent yet lies before `encrypted`.
    outgoing: Vec<u8>,
    encrypted: usize,
    /// Decrypted for [`Read`], which may take less than a record.
    plain: Vec<u8>,
    taken: usize,
}

impl Tls {
    /// Makes the connection; the server must answer as a TLS server does.
    pub fn connect(socket: TcpStream, config: Arc<ClientConfig>, purpose: Purpose) -> Result<Tls, Failure> {
        let (incoming, outgoing) = match purpose {
            Purpose::Control => (TALK, TALK),
            Purpose::Data => (BULK, BULK + ADDED),
        };
        let mut tls = Tls {
            socket,
            connection: UnbufferedClientConnection::new(config, ServerName::try_from(NAME)?)?,
            incoming: vec![0; incoming],
            start: 0,
            end: 0,
            outgoing: vec![0; outgoing],
            encrypted: 0,
            plain: Vec::new(),
            taken: 0,
        };
        while tls.advance(&Wish::Nothing, &mut |_| {})? == Stage::Handshake {
            if tls.fill()? == 0 {
                return Err("the server has closed the connection within the handshake".into());
            }
        }
        Ok(tls)
    }

    /// Version, cipher and key exchange, in rustls' words.
    pub fn agreed(&self) -> String {
        let version = self.connection.protocol_version().and_then(|version| version.as_str()).unwrap_or("?");
        let cipher = self.connection.negotiated_cipher_suite().and_then(|cipher| cipher.suite().as_str());
        let group = self.connection.negotiated_key_exchange_group().and_then(|group| group.name().as_str());
        format!("{version} {} {}", cipher.unwrap_or("?"), group.unwrap_or("without a key exchange"))
    }

    /// Whether an earlier session was resumed.
    pub fn resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// How many bytes come until the server has no more; they are decrypted and thrown away. One that closes without
    /// saying so in TLS is believed: its caller compares sizes.
    pub fn discard(&mut self) -> Result<u64, Failure> {
        let mut total = 0;
        loop {
            let stage = self.advance(&Wish::Nothing, &mut |record| total += record.len() as u64)?;
            if stage == Stage::Over || self.fill()? == 0 {
                return Ok(total);
            }
        }
    }

    /// Sends so many bytes.
    pub fn send(&mut self, bytes: u64) -> Result<(), Failure> {
        let piece: Vec<u8> = (0..BULK).map(|at| (at ^ (at >> 8)) as u8).collect();
        let mut left = bytes;
        while left > 0 {
            let count = left.min(BULK as u64);
            self.say(&Wish::Send(&piece[..usize::try_from(count)?]))?;
            left -= count;
        }
        Ok(())
    }

    /// Says that no more comes.
    pub fn close(&mut self) -> Result<(), Failure> {
        self.say(&Wish::Close)
    }

    /// Waits until the server has closed too. To close a socket with something unread in it, and be it a ticket, would
    /// reset the connection, and take from the server what it has not read yet.
    pub fn drain(mut self) -> Result<(), Failure> {
        self.socket.shutdown(Shutdown::Write)?;
        while self.socket.read(&mut self.incoming)? > 0 {}
        Ok(())
    }

    /// Encrypts and sends.
    fn say(&mut self, wish: &Wish) -> Result<(), Failure> {
        let plain = &mut self.plain;
        let mut kept = std::mem::take(plain);
        let stage = self.advance(wish, &mut |record| kept.extend_from_slice(record))?;
        self.plain = kept;
        if stage != Stage::Open {
            return Err("the server has closed the TLS session".into());
        }
        self.socket.write_all(&self.outgoing[..self.encrypted])?;
        self.encrypted = 0;
        Ok(())
    }

    /// Lets rustls do what can be done without reading from the socket; what it decrypts is given to `take`.
    fn advance(&mut self, wish: &Wish, take: &mut dyn FnMut(&[u8])) -> Result<Stage, Failure> {
        loop {
            let arrived = &mut self.incoming[self.start..self.end];
            let UnbufferedStatus { mut discard, state, .. } = self.connection.process_tls_records(arrived);
            let mut reached = None;
            match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        take(record.payload);
                    }
                }
                ConnectionState::EncodeTlsData(mut handshake) => {
                    self.encrypted += handshake.encode(&mut self.outgoing[self.encrypted..])?;
                }
                ConnectionState::TransmitTlsData(handshake) => {
                    self.socket.write_all(&self.outgoing[..self.encrypted])?;
                    self.encrypted = 0;
                    handshake.done();
                }
                ConnectionState::WriteTraffic(mut traffic) => {
                    let room = &mut self.outgoing[self.encrypted..];
                    self.encrypted += match wish {
                        Wish::Nothing => 0,
                        Wish::Send(bytes) => traffic.encrypt(bytes, room)?,
                        Wish::Close => traffic.queue_close_notify(room)?,
                    };
                    reached = Some(Stage::Open);
                }
                ConnectionState::BlockedHandshake => reached = Some(Stage::Handshake),
                ConnectionState::PeerClosed | ConnectionState::Closed => reached = Some(Stage::Over),
                state => return Err(format!("{state:?} is not for clients").into()),
            }
            self.start += discard;
            if let Some(stage) = reached {
                return Ok(stage);
            }
        }
    }

    /// Reads as much as there is room for; 0 at the end. What is left of a record moves to the front before.
    fn fill(&mut self) -> io::Result<usize> {
        self.incoming.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let room = &mut self.incoming[self.end..];
        if room.is_empty() {
            return Err(io::Error::other("a record larger than any may be"));
        }
        let count = self.socket.read(room)?;
        self.end += count;
        Ok(count)
    }
}

impl Read for Tls {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.plain.len() {
            self.taken = 0;
            self.plain.clear();
            let mut plain = std::mem::take(&mut self.plain);
            let stage = self.advance(&Wish::Nothing, &mut |record| plain.extend_from_slice(record));
            self.plain = plain;
            if self.plain.is_empty() && (stage.map_err(io::Error::other)? == Stage::Over || self.fill()? == 0) {
                return Ok(0);
            }
        }
        let count = (&self.plain[self.taken..]).read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}

impl Write for Tls {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(BULK);
        self.say(&Wish::Send(&bytes[..count])).map_err(io::Error::other)?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes any certificate.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer,
        _: &[CertificateDer],
        _: &ServerName,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
