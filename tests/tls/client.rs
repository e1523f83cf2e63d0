//! An FTP client with TLS by rustls, blocking, with deadlines. It trusts any certificate, and shares or hides its tickets
//! as a test wants it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use futures_rustls::rustls;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, NamedGroup, SignatureScheme, StreamOwned,
    SupportedProtocolVersion,
};

use crate::dialogue::client::{PATIENCE, Reply, connect, port_of};
use crate::server::{PASSWORD, Server, USER};

pub use rustls::version::{TLS12, TLS13};

/// Both versions.
pub const BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A connection in TLS.
pub type Tls = StreamOwned<ClientConnection, TcpStream>;

/// The control connection.
pub struct Client {
    wire: Wire,
    received: Vec<u8>,
    pub config: Arc<ClientConfig>,
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

/// Sessions that are kept: one of TLS 1.2 is shown again and again, a ticket of TLS 1.3 only once, since rustls lets nobody
/// copy one. Python does, in `clients`.
#[derive(Debug, Default)]
pub struct Sticky {
    tls12: Mutex<Option<Tls12ClientSessionValue>>,
    tls13: Mutex<Vec<Tls13ClientSessionValue>>,
}

impl ClientSessionStore for Sticky {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        // The control connection's, which is the first.
        self.tls12.lock().unwrap().get_or_insert(value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.tls12.lock().unwrap().clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.tls13.lock().unwrap().push(value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.tls13.lock().unwrap().pop()
    }
}

impl Sticky {
    /// How many tickets have come.
    pub fn tickets(&self) -> usize {
        self.tls13.lock().unwrap().len()
    }
}

/// A configuration with these versions and this store; none: nothing is resumed.
pub fn config(versions: &[&'static SupportedProtocolVersion], store: Option<Arc<Sticky>>) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("versions");
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Trusting));
    let mut config = config.with_no_client_auth();
    config.resumption = store.map_or_else(Resumption::disabled, |store| Resumption::store(store));
    Arc::new(config)
}

/// The same with a certificate of the client's own and its key, as PEM.
pub fn config_of(versions: &[&'static SupportedProtocolVersion], certificate: &str, key: &str) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("versions");
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Trusting));
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
    Arc::new(config.with_client_auth_cert(vec![certificate], key).expect("both fit"))
}

/// A configuration of TLS 1.3 that resumes.
pub fn sticky() -> Arc<ClientConfig> {
    config(&[&TLS13], Some(Arc::default()))
}

#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A connection whose handshake is over.
pub fn handshake(socket: TcpStream, config: &Arc<ClientConfig>) -> Result<Tls, String> {
    let mut tls = begin(socket, config);
    while tls.conn.is_handshaking() {
        tls.conn.complete_io(&mut tls.sock).map_err(|e| format!("the handshake failed: {e}"))?;
    }
    // TLS 1.3's last word of the client goes before its first data.
    tls.flush().map_err(|e| e.to_string())?;
    Ok(tls)
}

/// A connection whose handshake begins with the first byte.
pub fn begin(socket: TcpStream, config: &Arc<ClientConfig>) -> Tls {
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let name = ServerName::try_from("localhost").expect("a name");
    StreamOwned::new(ClientConnection::new(Arc::clone(config), name).expect("a client"), socket)
}

/// Everything until the peer says that it was all; an end without that is an error.
pub fn read_all(tls: &mut Tls) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    tls.read_to_end(&mut all).map_err(|e| format!("after {} bytes: {e}", all.len()))?;
    Ok(all)
}

/// Sends everything, says that it was all, and hears the peer say so.
pub fn send_all(mut tls: Tls, bytes: &[u8]) -> Result<(), String> {
    tls.write_all(bytes).map_err(|e| format!("cannot send data: {e}"))?;
    tls.conn.send_close_notify();
    tls.flush().map_err(|e| format!("cannot end the data: {e}"))?;
    read_all(&mut tls).map(drop)
}

/// Whether a connection went on with an earlier session.
pub fn is_resumed(tls: &Tls) -> bool {
    tls.conn.handshake_kind() == Some(HandshakeKind::Resumed)
}

impl Client {
    /// In plain text, greeted.
    pub fn plain(to: SocketAddr, config: &Arc<ClientConfig>) -> Client {
        let mut client =
            Client { wire: Wire::Plain(connect(to).unwrap()), received: Vec::new(), config: Arc::clone(config) };
        client.expect(220);
        client
    }

    /// In TLS from the first byte, greeted.
    pub fn implicit(to: SocketAddr, config: &Arc<ClientConfig>) -> Client {
        let tls = handshake(connect(to).unwrap(), config).unwrap();
        let mut client = Client { wire: Wire::Tls(Box::new(tls)), received: Vec::new(), config: Arc::clone(config) };
        client.expect(220);
        client
    }

    /// In TLS.
    pub fn secure(server: &Server, config: &Arc<ClientConfig>) -> Client {
        let mut client = Client::plain(server.address(), config);
        client.tell("AUTH TLS", 234);
        client.begin_tls();
        client
    }

    /// In TLS, logged in, with data in TLS and of TYPE I.
    pub fn ready(server: &Server, config: &Arc<ClientConfig>) -> Client {
        let mut client = Client::secure(server, config);
        client.log_in();
        client.tell("PBSZ 0", 200);
        client.tell("PROT P", 200);
        client.tell("TYPE I", 200);
        client
    }

    pub fn begin_tls(&mut self) {
        let Wire::Plain(socket) = &self.wire else { panic!("TLS is spoken already") };
        let tls = handshake(socket.try_clone().unwrap(), &self.config).unwrap();
        self.wire = Wire::Tls(Box::new(tls));
    }

    /// Says and hears that TLS is over.
    pub fn end_tls(&mut self) {
        let Wire::Tls(tls) = &mut self.wire else { panic!("no TLS is spoken") };
        tls.conn.send_close_notify();
        tls.flush().unwrap();
        assert_eq!(read_all(tls).unwrap(), b"", "something was said behind the end of TLS");
        self.wire = Wire::Plain(tls.sock.try_clone().unwrap());
    }

    pub fn log_in(&mut self) {
        self.tell(&format!("USER {USER}"), 331);
        self.tell(&format!("PASS {PASSWORD}"), 230);
    }

    pub fn send(&mut self, bytes: &[u8]) {
        match &mut self.wire {
            Wire::Plain(socket) => socket.write_all(bytes).unwrap(),
            Wire::Tls(tls) => {
                tls.write_all(bytes).unwrap();
                tls.flush().unwrap();
            }
        }
    }

    pub fn say(&mut self, line: &str) {
        self.send(format!("{line}\r\n").as_bytes());
    }

    pub fn tell(&mut self, line: &str, code: u16) -> Reply {
        self.say(line);
        let reply = self.reply();
        assert_eq!(reply.code, code, "{line}: {}", reply.shown());
        reply
    }

    pub fn expect(&mut self, code: u16) -> Reply {
        let reply = self.reply();
        assert_eq!(reply.code, code, "{}", reply.shown());
        reply
    }

    pub fn reply(&mut self) -> Reply {
        let mut lines = Vec::new();
        loop {
            let line = self.line().unwrap_or_else(|| panic!("closed instead of a reply"));
            let text = String::from_utf8_lossy(&line).into_owned();
            let code: Option<u16> =
                text.get(..3).filter(|code| !code.starts_with(' ')).and_then(|code| code.parse().ok());
            lines.push(if code.is_some() { line.get(4..).unwrap_or_default().to_vec() } else { line });
            if let (Some(code), Some(" ")) = (code, text.get(3..4)) {
                return Reply { code, lines };
            }
        }
    }

    /// The next line; none at the end of the connection.
    fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.received.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.received.drain(..end + 2).take(end).collect();
                return Some(line);
            }
            let mut piece = [0; 4096];
            let count = match &mut self.wire {
                Wire::Plain(socket) => {
                    socket.set_read_timeout(Some(PATIENCE)).unwrap();
                    socket.read(&mut piece)
                }
                Wire::Tls(tls) => tls.read(&mut piece),
            };
            match count {
                Ok(0) => return None,
                Ok(count) => self.received.extend_from_slice(&piece[..count]),
                Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) => return None,
                Err(e) => panic!("nothing came: {e}"),
            }
        }
    }

    /// The connection ends, and nothing more is said.
    pub fn closed(&mut self) {
        assert_eq!(self.line(), None);
    }

    pub fn socket(&self) -> &TcpStream {
        match &self.wire {
            Wire::Plain(socket) => socket,
            Wire::Tls(tls) => &tls.sock,
        }
    }

    pub fn tls(&mut self) -> &mut Tls {
        match &mut self.wire {
            Wire::Plain(_) => panic!("no TLS is spoken"),
            Wire::Tls(tls) => tls,
        }
    }

    /// A passive data connection, without TLS yet.
    pub fn data(&mut self) -> TcpStream {
        let port = port_of(&self.tell("EPSV", 229)).expect("a port");
        let host = self.socket().peer_addr().unwrap().ip();
        connect(SocketAddr::new(host, port)).unwrap()
    }

    /// The same with TLS, before any command.
    pub fn data_tls(&mut self) -> Tls {
        let config = Arc::clone(&self.config);
        handshake(self.data(), &config).unwrap()
    }

    /// Uploads in order.
    pub fn put(&mut self, name: &str, content: &[u8]) -> Reply {
        let data = self.data_tls();
        self.tell(&format!("STOR {name}"), 150);
        send_all(data, content).unwrap();
        self.expect(226)
    }

    /// Downloads in order.
    pub fn get(&mut self, name: &str) -> Vec<u8> {
        let mut data = self.data_tls();
        self.tell(&format!("RETR {name}"), 150);
        let content = read_all(&mut data).unwrap();
        self.expect(226);
        content
    }
}
