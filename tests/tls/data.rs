//! Data connections: when TLS begins on them, how it ends, and what is made of an end that is none.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Instant;

use super::client::{BOTH, Client, TLS12, begin, config, handshake, is_resumed, read_all, send_all, sticky};
use super::server;
use crate::clients::make_content;
use crate::compressed::deflated;
use crate::dialogue::client::{PATIENCE, connect, reset};
use crate::server::free_port;

const MUCH: usize = 100 * 1024 * 1024;

/// Whatever the size, both ways, in both versions.
#[test]
fn every_byte_arrives() {
    let server = server(&[]);
    let content = make_content(7, MUCH);
    for version in BOTH {
        let mut client = Client::ready(&server, &config(&[version], Some(Arc::default())));
        for size in [0, 1, 16 * 1024, 16 * 1024 + 1, 256 * 1024, 1_000_003, MUCH] {
            let reply = client.put("f", &content[..size]);
            assert!(reply.shown().contains("proves"), "{}", reply.shown());
            assert!(fs::read(server.root().join("f")).unwrap() == content[..size], "{size} bytes up");
            assert!(client.get("f") == content[..size], "{size} bytes down");
        }
        // From the middle.
        fs::write(server.root().join("f"), &content[..1_000_000]).unwrap();
        client.tell("REST 999999", 350);
        assert_eq!(client.get("f"), &content[999_999..1_000_000]);
    }
}

/// ftplib and curl begin TLS when they have their 150; aioftp and go-ftp send the command when TLS has begun.
#[test]
fn tls_begins_before_the_command_or_behind_its_150() {
    let server = server(&[]);
    fs::write(server.root().join("f"), b"content").unwrap();
    let config = sticky();
    let mut client = Client::ready(&server, &config);
    for _ in 0..3 {
        let mut data = client.data_tls();
        client.tell("NOOP", 200);
        client.tell("RETR f", 150);
        assert_eq!(read_all(&mut data).unwrap(), b"content");
        client.expect(226);

        let data = client.data();
        client.tell("RETR f", 150);
        let mut data = handshake(data, &config).unwrap();
        assert_eq!(read_all(&mut data).unwrap(), b"content");
        client.expect(226);

        // Half before, half behind.
        let mut data = begin(client.data(), &config);
        data.conn.write_tls(&mut data.sock).unwrap();
        client.tell("STOR g", 150);
        let data = finish(data);
        send_all(data, b"content").unwrap();
        client.expect(226);
        assert_eq!(fs::read(server.root().join("g")).unwrap(), b"content");
    }
}

fn finish(mut data: super::client::Tls) -> super::client::Tls {
    data.flush().unwrap();
    data
}

#[test]
fn active_connections_use_tls_too() {
    let server = server(&["--tls-resume", "require"]);
    let config = config(&[&TLS12], Some(Arc::default()));
    let mut client = Client::ready(&server, &config);
    for content in [&b"content"[..], b""] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        client.tell(&format!("EPRT |1|127.0.0.1|{port}|"), 200);
        client.tell("STOR f", 150);
        let data = handshake(listener.accept().unwrap().0, &config).unwrap();
        assert!(is_resumed(&data));
        send_all(data, content).unwrap();
        client.expect(226);
        client.tell(&format!("EPRT |1|127.0.0.1|{port}|"), 200);
        client.tell("RETR f", 150);
        let mut data = handshake(listener.accept().unwrap().0, &config).unwrap();
        assert_eq!(read_all(&mut data).unwrap(), content);
        client.expect(226);
    }
}

/// Listings, text and compression go the same way.
#[test]
fn codings_and_listings_go_through_tls() {
    let server = server(&[]);
    // More than the kernel takes at once.
    const NAMES: usize = 20_000;
    for number in 0..NAMES {
        fs::write(server.root().join(format!("name {number}")), b"one\ntwo\n").unwrap();
    }
    let mut client = Client::ready(&server, &sticky());
    for command in ["NLST", "LIST", "MLSD"] {
        let mut data = client.data_tls();
        client.tell(command, 150);
        let listing = String::from_utf8(read_all(&mut data).unwrap()).unwrap();
        client.expect(226);
        let mut names: Vec<usize> = listing.lines().filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
        names.sort_unstable();
        assert!(names.into_iter().eq(0..NAMES) && listing.lines().count() == NAMES, "{command} is not complete");
    }
    client.tell("TYPE A", 200);
    assert_eq!(client.get("name 1"), b"one\r\ntwo\r\n");
    client.put("text", b"uno\r\ndos\r\n");
    assert_eq!(fs::read(server.root().join("text")).unwrap(), b"uno\ndos\n");
    client.tell("TYPE I", 200);
    client.tell("MODE Z", 200);
    let content = vec![b'x'; 3_000_000];
    fs::write(server.root().join("big"), &content).unwrap();
    let packed = client.get("big");
    assert!(packed.len() < 30_000);
    let reply = client.put("again", &packed);
    assert!(reply.shown().contains("3000000"), "{}", reply.shown());
    assert!(fs::read(server.root().join("again")).unwrap() == content);
}

/// An end that TLS does not tell could be anybody's: what came is kept, and can be gone on with.
#[test]
fn an_upload_that_only_stops_is_not_published() {
    let server = server(&[]);
    let content = make_content(3, 300_000);
    // Whole by its own account: of what is no such stream the server would not take the rest.
    let packed = deflated(&content, 1);
    for version in BOTH {
        for (mode, sent) in [("MODE S", &content[..200_000]), ("MODE Z", &packed)] {
            let mut client = Client::ready(&server, &config(&[version], None));
            client.tell(mode, 200);
            let mut data = client.data_tls();
            client.tell("STOR up", 150);
            data.write_all(sent).unwrap();
            data.flush().unwrap();
            data.sock.shutdown(Shutdown::Write).unwrap();
            let refusal = client.expect(426);
            assert!(!server.root().join("up").exists());
            assert!(
                refusal.shown().contains("close_notify") && refusal.shown().contains("kept"),
                "{}",
                refusal.shown()
            );
            if mode == "MODE Z" {
                continue;
            }
            client.tell("REST 200000", 350);
            client.put("up", &content[200_000..]);
            assert!(fs::read(server.root().join("up")).unwrap() == content);
            fs::remove_file(server.root().join("up")).unwrap();
        }
    }
}

#[test]
fn an_upload_that_only_stops_is_published_where_that_is_asked_for() {
    let server = server(&["--tls-lenient"]);
    for version in BOTH {
        let mut client = Client::ready(&server, &config(&[version], None));
        let mut data = client.data_tls();
        client.tell("STOR up", 150);
        data.write_all(b"content").unwrap();
        data.sock.shutdown(Shutdown::Write).unwrap();
        let reply = client.expect(226);
        assert!(!reply.shown().contains("proves"), "{}", reply.shown());
        assert_eq!(fs::read(server.root().join("up")).unwrap(), b"content");
        // A reset is no end for anybody.
        let mut data = client.data_tls();
        client.tell("STOR broken", 150);
        data.write_all(b"content").unwrap();
        reset(data.sock).unwrap();
        client.expect(426);
        assert!(!server.root().join("broken").exists());
    }
}

/// An end within a record is nobody's way of ending: something is missing for certain.
#[test]
fn an_upload_that_is_cut_within_a_record_is_published_nowhere() {
    let server = server(&["--tls-lenient"]);
    for version in BOTH {
        let mut client = Client::ready(&server, &config(&[version], None));
        let mut data = client.data_tls();
        client.tell("STOR up", 150);
        data.conn.writer().write_all(b"content").unwrap();
        let mut record = Vec::new();
        data.conn.write_tls(&mut record).unwrap();
        data.sock.write_all(&record[..record.len() - 1]).unwrap();
        data.sock.shutdown(Shutdown::Write).unwrap();
        client.expect(426);
        assert!(!server.root().join("up").exists());
    }
}

/// Ruby, go-ftp, rclone and ftp-ssl lose data so, on servers that send tickets: who closes without having read resets.
#[test]
fn an_upload_of_who_closes_without_reading_is_whole() {
    let server = server(&[]);
    let content = make_content(5, 3_000_000);
    for version in BOTH {
        let mut client = Client::ready(&server, &config(&[version], None));
        for _ in 0..20 {
            let mut data = client.data_tls();
            client.tell("STOR up", 150);
            data.write_all(&content).unwrap();
            data.conn.send_close_notify();
            data.flush().unwrap();
            drop(data);
            client.expect(226);
            assert!(fs::read(server.root().join("up")).unwrap() == content);
        }
    }
}

/// The last bytes of a download are followed by close_notify and the end, and never by a reset, whatever is sent meanwhile.
#[test]
fn a_download_ends_in_order_for_who_is_slow() {
    let server = server(&[]);
    let content = make_content(9, 2_000_000);
    fs::write(server.root().join("f"), &content).unwrap();
    for version in BOTH {
        let mut client = Client::ready(&server, &config(&[version], None));
        for _ in 0..5 {
            let mut data = client.data_tls();
            client.tell("RETR f", 150);
            // The server is told that nothing comes from here, which it never reads.
            data.conn.send_close_notify();
            let _ = data.conn.write_tls(&mut data.sock);
            let mut all = vec![0; content.len() - 1];
            data.read_exact(&mut all).unwrap();
            client.expect(226);
            client.tell("NOOP", 200);
            all.extend(read_all(&mut data).unwrap());
            assert!(all == content);
            let mut rest = Vec::new();
            assert_eq!(data.sock.read_to_end(&mut rest).unwrap(), 0, "the connection was not closed in order");
        }
    }
}

#[test]
fn transfers_are_attended_and_aborted() {
    let server = server(&[]);
    fs::File::create(server.root().join("huge")).unwrap().set_len(1 << 40).unwrap();
    for version in BOTH {
        let mut client = Client::ready(&server, &config(&[version], None));
        let mut data = client.data_tls();
        client.tell("RETR huge", 150);
        data.read_exact(&mut [0; 100_000]).unwrap();
        client.tell("STAT", 211);
        client.tell("NOOP", 200);
        client.tell("ABOR", 426);
        client.expect(226);
        drop(data);
        let mut data = client.data_tls();
        client.tell("STOR up", 150);
        data.write_all(b"content").unwrap();
        client.tell("STAT", 211);
        client.tell("ABOR", 426);
        client.expect(226);
        assert!(!server.root().join("up").exists());
        // While TLS has not begun.
        let data = client.data();
        client.tell("STOR up", 150);
        client.tell("NOOP", 200);
        client.tell("ABOR", 426);
        client.expect(226);
        drop(data);
        client.put("whole", b"content");
    }
}

#[test]
fn tls_that_does_not_begin_is_given_up() {
    let server = server(&["--data-timeout", "1s"]);
    let mut client = Client::ready(&server, &sticky());
    // Nothing, half a record, and what is no TLS.
    for (said, quick) in [(&b""[..], false), (b"\x16\x03\x01\x02\x00\x01", false), (b"plain text\r\n", true)] {
        for early in [true, false] {
            let mut data = client.data();
            if early {
                data.write_all(said).unwrap();
                client.tell("NOOP", 200);
            }
            let began = Instant::now();
            client.say("RETR f");
            let reply = client.reply();
            assert_eq!(reply.code, 550, "no such file: {}", reply.shown());
            fs::write(server.root().join("f"), b"content").unwrap();
            client.say("RETR f");
            let mut reply = client.reply();
            if reply.code == 150 {
                if !early {
                    data.write_all(said).unwrap();
                }
                reply = client.reply();
            }
            assert_eq!(reply.code, 522, "{}", reply.shown());
            assert!(
                began.elapsed() < PATIENCE / 2 && (!quick || !reply.shown().contains("within")),
                "{}",
                reply.shown()
            );
            fs::remove_file(server.root().join("f")).unwrap();
        }
    }
    client.put("whole", b"content");
}

/// Other levels of protection from one transfer to the next.
#[test]
fn protection_may_change_between_transfers() {
    let server = server(&[]);
    let config = sticky();
    let mut client = Client::ready(&server, &config);
    client.put("f", b"content");
    client.tell("PROT C", 200);
    let mut data = client.data();
    client.tell("RETR f", 150);
    assert_eq!(crate::dialogue::client::read_all(&mut data).unwrap(), b"content");
    client.expect(226);
    // The connection stands already.
    let data = client.data();
    client.tell("PROT P", 200);
    client.tell("RETR f", 150);
    assert_eq!(read_all(&mut handshake(data, &config).unwrap()).unwrap(), b"content");
    client.expect(226);
    // It has begun TLS, and is of no use in plain text.
    let data = client.data_tls();
    client.tell("PROT C", 200);
    client.tell("RETR f", 425);
    drop(data);
    client.tell("PROT P", 200);
    assert_eq!(client.get("f"), b"content");
}

/// With one port published, the connection of a command that was given up may come to the next one's EPSV. Whoever sends no
/// command before TLS has begun would wait for ever behind it.
#[test]
fn a_connection_of_a_command_before_keeps_none_from_beginning_tls() {
    let port = free_port().to_string();
    let server = server(&["--passive-ports", &port]);
    let mut client = Client::ready(&server, &sticky());
    let config = Arc::clone(&client.config);
    client.put("f", b"content");
    for _ in 0..3 {
        // The first is left unused, and its connection comes late.
        drop((client.tell("EPSV", 229), client.data()));
        let at = SocketAddr::new(client.socket().peer_addr().unwrap().ip(), port.parse().unwrap());
        let mut data = handshake(connect(at).unwrap(), &config).unwrap();
        client.tell("RETR f", 150);
        assert_eq!(read_all(&mut data).unwrap(), b"content");
        client.expect(226);
    }
}
