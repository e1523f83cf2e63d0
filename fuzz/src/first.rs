//! What a connection begins with: a PROXY header, TLS, or neither.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use futures_rustls::rustls::ServerConfig;
use futures_rustls::rustls::crypto::ring::default_provider;
use futures_rustls::rustls::pki_types::PrivateKeyDer;
use gftp_plugin::inbox::{Inbox, Taken};
use gftp_plugin::proxy::{Introduced, Unintroduced, end_of, parse};
use gftp_plugin::tls::Tunnel;

use crate::pieces;

/// More than a header may have.
const LONGEST_HEADER: usize = 8 * 1024;
/// What a peer that has shown nothing may make us say: a server's whole first flight, and an alert.
const MOST_SAID: usize = 16 * 1024;

/// A PROXY header with whatever follows it: it ends at the same place however it is cut, and not a byte further.
pub fn proxy(data: &[u8]) {
    let whole = end_of(data);
    let Ok((end, true)) = whole else {
        assert!(!matches!(whole, Ok((end, _)) if end != data.len()), "what is not whole is all that there is");
        return;
    };
    assert!(end <= data.len() && end <= LONGEST_HEADER);
    for cut in 1..end {
        assert!(matches!(end_of(&data[..cut]), Ok((seen, false)) if seen == cut), "it is whole at {end}, not at {cut}");
    }
    let port_of = |at: SocketAddr| at.port();
    match parse(&data[..end]) {
        Ok(Introduced::Client { peer, local }) => {
            assert_eq!(peer.is_ipv4(), local.is_ipv4(), "{} {}", port_of(peer), port_of(local));
        }
        Ok(Introduced::Proxy) => {}
        Err(Unintroduced::Unusable(why)) => assert!(!why.is_empty()),
        Err(other) => panic!("a whole header is read or unusable, not {other:?}"),
    }
}

/// First bytes: TLS, HTTP, or a line; and, where TLS is spoken, whatever comes instead of a handshake.
pub fn handshake(data: &[u8]) {
    let mut inbox = Inbox::default();
    inbox.extend(data);
    let first = inbox.take_line(100);
    if data.starts_with(&[22, 3]) {
        assert_eq!(first, Some(Taken::Tls), "a handshake of TLS is known by its first bytes");
    }
    let mut tunnel = Tunnel::new(config()).expect("the configuration is good");
    for piece in pieces(data) {
        let taken = tunnel.take(piece);
        assert!(tunnel.seal(b"220 ready\r\n").is_err(), "nobody can be spoken to through TLS yet");
        if taken.is_err() {
            break;
        }
        assert!(tunnel.plain().is_empty(), "nor can anybody have spoken");
    }
    tunnel.close();
    assert!(tunnel.unsent().len() <= MOST_SAID && tunnel.unopened().len() <= data.len());
    assert!(tunnel.is_handshaking(), "no bytes that a fuzzer finds prove that it has the keys");
}

/// The same for all inputs, since keys are dear.
pub(crate) fn config() -> Arc<ServerConfig> {
    static CONFIG: OnceLock<Arc<ServerConfig>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_string()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let builder = ServerConfig::builder_with_provider(default_provider().into());
        let builder = builder.with_safe_default_protocol_versions().expect("ring has them");
        let config = builder.with_no_client_auth().with_single_cert(vec![made.cert.into()], key);
        Arc::new(config.expect("they fit"))
    });
    Arc::clone(config)
}
