//! What a stranger may try: handshakes that never end, records that are too large, TLS where none is spoken. The server
//! ends such connections in time, spends nothing on them, and serves honest clients.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::client::{BOTH, Client, begin, config, sticky};
use super::{implicit_address, server, server_on};
use crate::abuse::eventually;
use crate::dialogue::client::{PATIENCE, connect, reset};
use crate::server::{Place, Server, USER};

/// The processor time that the server has used.
fn processor_time(server: &Server) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid().as_raw_nonzero())).expect("the server lives");
    // Behind the name, which may hold anything: state is the third field, and the times are the 14th and 15th.
    let fields: Vec<_> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(ticks * 10)
}

fn assert_serves(server: &Server) {
    let mut client = Client::ready(server, &sticky());
    client.put("honest", b"content");
    assert_eq!(client.get("honest"), b"content");
}

/// Everything until the end, however that comes.
pub fn ends(mut socket: TcpStream) {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut rest = Vec::new();
    if let Err(e) = socket.read_to_end(&mut rest) {
        assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset, "the server does not let go");
    }
}

/// The first words of a client.
fn client_hello() -> Vec<u8> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut tls = begin(TcpStream::connect(listener.local_addr().unwrap()).unwrap(), &sticky());
    tls.conn.write_tls(&mut tls.sock).unwrap();
    drop(tls);
    let mut hello = Vec::new();
    let _ = listener.accept().unwrap().0.read_to_end(&mut hello);
    hello
}

/// pyftpdlib_683: a handshake that was never finished took a whole core once its time was over.
#[test]
fn handshakes_without_an_end_are_ended_in_time_and_cost_nothing() {
    const CLIENTS: usize = 50;
    let server = server(&["--login-timeout", "2s", "--max-per-ip", "1000"]);
    let hello = client_hello();
    let before = processor_time(&server);
    let began = Instant::now();
    let mut sockets = Vec::new();
    for number in 0..CLIENTS {
        let mut client = Client::plain(server.address(), &sticky());
        client.tell("AUTH TLS", 234);
        let socket = client.socket().try_clone().unwrap();
        // Nothing, a part of the first words, all of them without the last, or the wrong half of the dialogue.
        (&socket).write_all(&hello[..[0, 3, hello.len() / 2, hello.len()][number % 4]]).unwrap();
        if number % 4 == 3 {
            socket.shutdown(std::net::Shutdown::Write).unwrap();
        }
        sockets.push(socket);
    }
    // Meanwhile one sends byte by byte, for as long as it is listened to.
    let mut client = Client::plain(server.address(), &sticky());
    client.tell("AUTH TLS", 234);
    let slow = client.socket().try_clone().unwrap();
    slow.set_nodelay(true).unwrap();
    let mut bytes = hello.iter().cycle();
    while began.elapsed() < Duration::from_secs(3) && (&slow).write_all(&[*bytes.next().unwrap()]).is_ok() {
        std::thread::sleep(Duration::from_millis(10));
    }
    for socket in sockets.into_iter().chain([slow]) {
        ends(socket);
    }
    let used = processor_time(&server) - before;
    assert!(used < Duration::from_secs(1), "{used:?} for {CLIENTS} clients that only wait");
    eventually("each is logged", || server.log().matches("failed to begin TLS").count() > CLIENTS);
    assert_serves(&server);
}

/// As [`handshakes_without_an_end_are_ended_in_time_and_cost_nothing`], where TLS comes first.
#[test]
fn implicit_handshakes_are_ended_in_time() {
    let server = server(&["--login-timeout", "1s", "--implicit-port", "0"]);
    let at = implicit_address(&server);
    let (silent, mut text) = (connect(at).unwrap(), connect(at).unwrap());
    text.write_all(b"USER anonymous\r\n").unwrap();
    ends(text);
    ends(silent);
    assert_serves(&server);
}

#[test]
fn records_that_are_too_large_or_nonsense_end_the_connection() {
    let server = server(&[]);
    for version in BOTH {
        for bytes in [
            [&[23, 3, 3, 0xff, 0xff][..], &[0; 70_000]].concat(),
            // As large as may be, and not sealed.
            [&[23, 3, 3, 0x40, 0x10][..], &[0; 0x4010]].concat(),
            // A handshake message of 16 MiB begins.
            [&[22, 3, 3, 0x40, 0][..], &[1, 0xff, 0xff, 0xff], &[0; 0x3ffc]].concat(),
            b"USER alice\r\n".to_vec(),
            vec![0; 100_000],
        ] {
            for begun in [true, false] {
                let client = match begun {
                    true => Client::ready(&server, &config(&[version], None)),
                    false => {
                        let mut client = Client::plain(server.address(), &sticky());
                        client.tell("AUTH TLS", 234);
                        client
                    }
                };
                let mut socket = client.socket().try_clone().unwrap();
                // It may have closed before all is sent.
                let _ = socket.write_all(&bytes);
                ends(socket);
            }
            // The same on a data connection: nothing is stored.
            let mut client = Client::ready(&server, &config(&[version], None));
            let mut data = client.data_tls();
            client.tell("STOR up", 150);
            let _ = data.sock.write_all(&bytes);
            // To the server it may be a part of the handshake still.
            let refusal = client.reply();
            assert!(matches!(refusal.code, 426 | 522), "{}", refusal.shown());
            assert!(!server.root().join("up").exists());
            client.tell("NOOP", 200);
        }
    }
    assert!(server.memory() < 200 * 1024, "{} KiB", server.memory());
    assert_serves(&server);
}

/// Records that carry nothing are a way to keep somebody busy.
#[test]
fn empty_records_without_end_are_not_listened_to() {
    let server = server(&[]);
    for version in BOTH {
        let mut client = Client::ready(&server, &config(&[version], None));
        let tls = client.tls();
        // A key update asks for an answer each; in TLS 1.2 there is none, and a warning will do.
        for _ in 0..100 {
            if tls.conn.refresh_traffic_keys().is_err() {
                break;
            }
            if tls.flush().is_err() {
                break;
            }
        }
        drop(client);
        assert_serves(&server);
    }
}

#[test]
fn tls_on_a_port_of_plain_text_is_shown_out_with_a_word_in_the_log() {
    let server = server(&[]);
    let mut socket = connect(server.address()).unwrap();
    socket.write_all(&client_hello()).unwrap();
    ends(socket);
    eventually("it is logged", || server.log().contains("begins with TLS"));
    let mut socket = connect(server.address()).unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    ends(socket);
    eventually("it is logged", || server.log().contains("speaks HTTP"));
    assert_serves(&server);
}

/// A browser that is led to the port where TLS comes first.
#[test]
fn http_within_tls_is_shown_out() {
    let server = server(&["--implicit-port", "0"]);
    let at = implicit_address(&server);
    let mut client = Client::implicit(at, &sticky());
    client.say("GET / HTTP/1.1");
    client.closed();
    eventually("it is logged", || server.log().contains("speaks HTTP"));
}

/// The same where it has asked for TLS first, which a form can make it do (ALPACA).
#[test]
fn http_behind_auth_tls_is_shown_out() {
    let server = server(&[]);
    let mut client = Client::secure(&server, &sticky());
    client.say("GET / HTTP/1.1");
    client.closed();
    eventually("it is logged", || server.log().contains("speaks HTTP"));
}

/// A load balancer looks whether the port is open, every few seconds, for years.
#[test]
fn who_leaves_implicit_tls_without_a_word_has_done_nothing() {
    const KNOCKS: usize = 20;
    let server = server(&["--implicit-port", "0", "--ban-exempt", "none", "--ban-after", "5"]);
    let at = implicit_address(&server);
    for number in 0..KNOCKS {
        let socket = connect(at).unwrap();
        if number % 2 == 0 {
            reset(socket).unwrap();
        }
    }
    eventually("all are gone", || server.log().matches(" lost after").count() == KNOCKS);
    assert!(!server.log().contains("failed to begin TLS"), "nobody is to be warned of that");
    Client::implicit(at, &sticky()).tell("NOOP", 200);
}

/// The memory of a session that waits in TLS; and that of a plain one, which TLS must not cost anything.
#[test]
fn a_waiting_session_in_tls_is_small() {
    const SESSIONS: usize = 200;
    let server = server_on(
        Place::new(),
        &["--anonymous", "off", "--user", USER, "--max-per-ip", "1000", "--idle", "10m", "--login-timeout", "10m"],
    );
    let plain: Vec<_> = (0..SESSIONS).map(|_| Client::plain(server.address(), &sticky())).collect();
    drop(plain);
    assert_serves(&server);
    let bare = server.memory();
    let config = sticky();
    let clients: Vec<_> = (0..SESSIONS)
        .map(|_| {
            let mut client = Client::secure(&server, &config);
            client.tell("NOOP", 200);
            client
        })
        .collect();
    let each = (server.memory() - bare) as f64 / SESSIONS as f64;
    eprintln!("a session that waits in TLS: {each:.1} KiB");
    assert!(each < 16.0, "{each:.1} KiB for each session that waits in TLS");
    drop(clients);
}
