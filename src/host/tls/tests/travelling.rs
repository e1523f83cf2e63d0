//! What travels together over a real socket: tickets with the first words, and the end of TLS with the last ones.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use futures::FutureExt;
use futures_rustls::rustls::server::ServerSessionMemoryCache;
use gftp_plugin::rt::{Socket, block_on};
use gftp_plugin::{Conn, Limits, Now, Origin, Shutdown};

use super::*;

/// A client and a server whose handshake is over, with two tickets for the client; the server lives as long as the last of them.
fn shaken() -> (TcpStream, ClientConnection, Conn, impl Drop) {
    let (end, shutdown) = Shutdown::new();
    let folder = TempDir::new().unwrap();
    let made = Made::for_names(&["ftp.example.net"]);
    let mut config = (*open(vec![made.put(folder.path(), "a")]).config()).clone();
    (config.send_tls13_tickets, config.session_storage) = (2, ServerSessionMemoryCache::new(2));
    let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut wire = TcpStream::connect(door.local_addr().unwrap()).unwrap();
    let (socket, peer) = door.accept().unwrap();
    let origin = Origin { id: 1, peer, local: peer, bound: peer.ip(), proxy: None };
    let mut conn = Conn::new(Socket::new(socket).unwrap(), origin, Limits::default(), shutdown);
    let name = ServerName::try_from("ftp.example.net").unwrap();
    let mut tls = ClientConnection::new(Arc::new(client(&[&TLS13], None)), name).unwrap();
    let client = thread::spawn(move || {
        while tls.is_handshaking() || tls.wants_write() {
            tls.complete_io(&mut wire).unwrap();
        }
        (wire, tls)
    });
    block_on(conn.secure(Arc::new(config))).unwrap();
    let (wire, tls) = client.join().unwrap();
    (wire, tls, conn, end)
}

/// Bytes that the client has sent and whose arrival it does not know of, by the kernel's table.
fn unconfirmed(wire: &TcpStream) -> u64 {
    let place = format!(":{:04X}", wire.local_addr().unwrap().port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let mut lines = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let line = lines.find(|line| line[1].ends_with(&place)).unwrap();
    let (sending, _) = line[4].split_once(':').unwrap();
    u64::from_str_radix(sending, 16).unwrap()
}

#[test]
fn tickets_come_with_the_first_words() {
    let (mut wire, mut tls, mut conn, _server) = shaken();
    wire.set_nonblocking(true).unwrap();
    assert!(wire.peek(&mut [0]).is_err(), "nothing comes by itself");
    wire.set_nonblocking(false).unwrap();
    conn.queue(b"220 Hello.\r\n");
    block_on(conn.flush()).unwrap();
    tls.read_tls(&mut wire).unwrap();
    tls.process_new_packets().unwrap();
    let mut heard = [0; 99];
    let count = tls.reader().read(&mut heard).unwrap();
    assert_eq!((&heard[..count], tls.tls13_tickets_received()), (&b"220 Hello.\r\n"[..], 2));
}

/// A client whose words wait for each other (Nagle) cannot begin before it knows that the end of its handshake is there.
#[test]
fn the_end_of_the_handshake_is_confirmed_without_them() {
    let (wire, _tls, mut conn, _server) = shaken();
    assert!(matches!(block_on(conn.next_now()), Now::Silence | Now::Nothing), "nobody has said anything");
    // By itself the kernel would do that after 40 ms.
    let until = Instant::now() + Duration::from_millis(30);
    while unconfirmed(&wire) > 0 {
        assert!(Instant::now() < until, "it is not confirmed");
    }
}

#[test]
fn the_end_comes_with_the_last_words() {
    let (wire, mut tls, mut conn, _server) = shaken();
    conn.queue(b"221 Goodbye.\r\n");
    // The client is still there, so its end is waited for.
    assert!(conn.finish().now_or_never().is_none());
    // One look at the socket has all of it, and what is behind it is the end.
    let mut packet = [0; 999];
    let count = wire.peek(&mut packet).unwrap();
    tls.read_tls(&mut &packet[..count]).unwrap();
    assert!(tls.process_new_packets().unwrap().peer_has_closed());
    let mut heard = String::new();
    tls.reader().read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "221 Goodbye.\r\n");
    (&wire).read_exact(&mut packet[..count]).unwrap();
    assert_eq!((&wire).read(&mut packet).unwrap(), 0);
}
