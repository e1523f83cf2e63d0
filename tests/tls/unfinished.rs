//! Handshake messages that begin and do not end. What is left waiting of them must hurt nothing that is said beside it: a
//! session ends as any other does, with its offence and its lines in the log. (That no thread has panicked is asked of every
//! server at its end.)

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use futures_rustls::rustls;
use rustls::crypto::cipher::OutboundPlainMessage;
use rustls::{
    ClientConfig, ClientConnection, ConnectionTrafficSecrets, ContentType, ProtocolVersion, SupportedCipherSuite,
};

use super::client::{Client, TLS13, begin, config, sticky};
use super::strangers::ends;
use super::{implicit_address, server};
use crate::abuse::eventually;
use crate::dialogue::client::{PATIENCE, connect};
use crate::server::Server;

/// The head of a ClientHello of 4096 bytes, as a record; and a record of a type that there is not.
const BEGUN_AND_BROKEN: [u8; 15] = [22, 3, 1, 0, 4, 1, 0, 0x10, 0, 0x63, 3, 1, 0, 1, 0];
/// The first byte of a key update, which has five; and none at all of a message.
const BEGUN: (ContentType, &[u8]) = (ContentType::Handshake, &[24]);
const EMPTY: (ContentType, &[u8]) = (ContentType::Handshake, &[]);

fn count(server: &Server, words: &str) -> usize {
    server.log().lines().filter(|line| line.contains(words)).count()
}

#[test]
fn a_handshake_that_breaks_off_ends_its_connection_and_counts() {
    let server = server(&["--implicit-port", "0", "--ban-exempt", "none", "--ban-after", "5"]);
    // On a data connection the session goes on.
    let mut client = Client::ready(&server, &sticky());
    let mut data = client.data();
    data.write_all(&BEGUN_AND_BROKEN).unwrap();
    client.say("STOR up");
    let mut reply = client.reply();
    if reply.code == 150 {
        // The command came first.
        reply = client.reply();
    }
    assert_eq!(reply.code, 522, "{}", reply.shown());
    client.tell("NOOP", 200);
    drop(data);
    let mut client = Client::plain(server.address(), &sticky());
    client.tell("AUTH TLS", 234);
    client.send(&BEGUN_AND_BROKEN);
    ends(client.socket().try_clone().unwrap());
    eventually("it is logged", || count(&server, "failed to begin TLS: TLS: received corrupt message") == 1);
    eventually("and so is its end", || count(&server, "lost after") == 1);
    let at = implicit_address(&server);
    for _ in 0..20 {
        let Ok(mut socket) = connect(at) else { break };
        let _ = socket.write_all(&BEGUN_AND_BROKEN);
        ends(socket);
    }
    eventually("it brings a ban", || count(&server, ": failed TLS handshakes from 127.0.0.1") > 0);
}

#[test]
fn an_unfinished_message_keeps_nothing_from_being_said() {
    // Without tickets all that comes is what is looked at here.
    let server = server(&["--tls-resume", "off", "--login-timeout", "1s"]);
    let mut client = Client::plain(server.address(), &telling());
    client.tell("AUTH TLS", 234);
    let (mut socket, said) =
        shaken(client.socket(), &client.config, &[EMPTY, (ContentType::ApplicationData, b"NOOP\r\n"), BEGUN]);
    socket.write_all(&said).unwrap();
    // The answer to NOOP, the end of the login time, and the end of TLS.
    assert_eq!(records(&mut socket), [23, 23, 23]);
    drop((client, socket));
    eventually("the session ends in order", || count(&server, "ended after") == 1);
}

#[test]
fn an_unfinished_message_keeps_no_download_from_coming() {
    let server = server(&["--tls-resume", "off"]);
    std::fs::write(server.root().join("f"), b"content").unwrap();
    let mut client = Client::ready(&server, &telling());
    let data = client.data();
    let (mut data, said) = shaken(&data, &client.config, &[BEGUN]);
    data.write_all(&said).unwrap();
    client.tell("RETR f", 150);
    // The content, and the end of TLS.
    assert_eq!(records(&mut data), [23, 23]);
    client.expect(226);
}

/// A client's configuration that gives its keys away.
fn telling() -> Arc<ClientConfig> {
    let mut config = Arc::unwrap_or_clone(config(&[&TLS13], None));
    config.enable_secret_extraction = true;
    Arc::new(config)
}

/// A handshake over `socket`, whose last words are not said yet: they are given back, with these records behind them.
fn shaken(socket: &TcpStream, config: &Arc<ClientConfig>, records: &[(ContentType, &[u8])]) -> (TcpStream, Vec<u8>) {
    let (mut conn, mut socket) = begin(socket.try_clone().unwrap(), config).into_parts();
    while conn.is_handshaking() {
        match conn.wants_write() {
            true => conn.write_tls(&mut socket).unwrap(),
            false => conn.read_tls(&mut socket).unwrap(),
        };
        conn.process_new_packets().unwrap();
    }
    let mut said = Vec::new();
    while conn.wants_write() {
        conn.write_tls(&mut said).unwrap();
    }
    seal(conn, records, &mut said);
    (socket, said)
}

/// Appends these records, of types that rustls would not send so, sealed with the connection's keys.
fn seal(conn: ClientConnection, records: &[(ContentType, &[u8])], to: &mut Vec<u8>) {
    let Some(SupportedCipherSuite::Tls13(suite)) = conn.negotiated_cipher_suite() else { panic!("TLS 1.3 is spoken") };
    let (first, secrets) = conn.dangerous_extract_secrets().unwrap().tx;
    let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }
    | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
    | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = secrets
    else {
        panic!("there are no others");
    };
    let mut encrypter = suite.aead_alg.encrypter(key, iv);
    for (&(typ, payload), number) in records.iter().zip(first..) {
        let message = OutboundPlainMessage { typ, version: ProtocolVersion::TLSv1_2, payload: payload.into() };
        to.extend(encrypter.encrypt(message, number).unwrap().encode());
    }
}

/// The types of the records that come until the end.
fn records(socket: &mut TcpStream) -> Vec<u8> {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut all, mut types) = (Vec::new(), Vec::new());
    socket.read_to_end(&mut all).unwrap();
    let mut rest = all.as_slice();
    while let [typ, _, _, high, low, ..] = rest {
        types.push(*typ);
        rest = &rest[5 + usize::from(u16::from_be_bytes([*high, *low]))..];
    }
    types
}
