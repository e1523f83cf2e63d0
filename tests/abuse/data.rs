//! Data connections under attack: stalled, late, missing, from elsewhere, in masses.

use std::fs::{self, File};
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use super::{assert_serves, connect_from, eventually, guest};
use crate::dialogue::client::{PATIENCE, connect, port_of, read_all, read_by, reset, send_all};
use crate::server::{Server, free_port};

/// More than all socket buffers between server and client take.
const MUCH: u64 = 100_000_000;

/// Whether a connection ends without a byte.
fn ends_empty(mut stream: TcpStream) -> bool {
    match read_by(&mut stream, &mut [0], Instant::now() + PATIENCE) {
        Ok(count) => count == 0,
        Err(e) => !e.contains("in time"),
    }
}

fn passive_at(server: &Server, port: u16) -> SocketAddr {
    SocketAddr::new(server.address().ip(), port)
}

#[test]
fn a_download_that_nobody_reads_is_given_up() {
    let server = Server::start(&["--stall", "1s"]);
    File::create(server.root().join("big")).unwrap().set_len(MUCH).unwrap();
    let mut control = guest(&server);
    let _data = control.passive().unwrap();
    control.tell("RETR big", 150).unwrap();
    control.expect(426).unwrap();
    control.tell("NOOP", 200).unwrap();
    assert_serves(&server);
}

#[test]
fn an_upload_that_sends_nothing_is_given_up() {
    let server = Server::start(&["--stall", "1s"]);
    let mut control = guest(&server);
    let mut data = control.passive().unwrap();
    control.tell("STOR up", 150).unwrap();
    data.write_all(b"a beginning").unwrap();
    control.expect(426).unwrap();
    control.tell("NOOP", 200).unwrap();
    assert!(!server.root().join("up").exists());
}

#[test]
fn a_data_connection_that_never_comes_is_said_with_its_port() {
    let server = Server::start(&["--data-timeout", "1s"]);
    fs::write(server.root().join("f"), b"x").unwrap();
    let mut control = guest(&server);
    let port = control.epsv().unwrap();
    let reply = control.tell("RETR f", 425).unwrap();
    assert!(reply.shown().contains(&port.to_string()), "no port {port} in {}", reply.shown());
    control.tell("NOOP", 200).unwrap();
    assert_serves(&server);
}

/// proftpd_2272: the rule for addresses of PORT did not hold for who connects to a passive port.
#[test]
fn a_stranger_does_not_take_a_data_connection() {
    let server = Server::start(&[]);
    fs::write(server.root().join("f"), b"for its client only").unwrap();
    let mut control = guest(&server);
    let port = control.epsv().unwrap();
    let stranger = connect_from([127, 0, 0, 2], passive_at(&server, port));
    assert!(ends_empty(stranger), "a connection from another address stays");
    // The client it was meant for still gets in.
    let mut data = connect(passive_at(&server, port)).unwrap();
    let second = connect_from([127, 0, 0, 2], passive_at(&server, port));
    control.tell("RETR f", 150).unwrap();
    assert_eq!(read_all(&mut data).unwrap(), b"for its client only");
    control.expect(226).unwrap();
    assert!(ends_empty(second));
}

#[test]
fn a_late_data_connection_reaches_nobody_else() {
    let port = free_port();
    let server = Server::start(&["--passive-ports", &format!("{port}-{port}")]);
    fs::write(server.root().join("f"), b"the second session's").unwrap();
    let mut first = guest(&server);
    assert_eq!(first.epsv().unwrap(), port);
    first.tell("ABOR", 226).unwrap();
    first.tell("QUIT", 221).unwrap();
    // The first client's connection comes when it is gone: the second session, from the same address, must not get it.
    let mut second = guest(&server);
    second.say("EPSV").unwrap();
    let late = connect(passive_at(&server, port)).unwrap();
    assert!(ends_empty(late), "a late connection was taken");
    let mut reply = second.reply().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while reply.code == 425 && Instant::now() < deadline {
        reply = second.ask("EPSV").unwrap();
    }
    let port = port_of(&reply).unwrap_or_else(|| panic!("the port never becomes free: {}", reply.shown()));
    let mut data = connect(passive_at(&server, port)).unwrap();
    second.tell("RETR f", 150).unwrap();
    assert_eq!(read_all(&mut data).unwrap(), b"the second session's");
    second.expect(226).unwrap();
}

/// ftpserverlib_412: each PASV without a transfer left a listener behind.
#[test]
fn ten_thousand_pasv_cost_a_few_ports() {
    let server = Server::start(&[]);
    let mut control = guest(&server);
    let (descriptors, memory) = (server.descriptors(), server.memory());
    for _ in 0..100 {
        control.send(&b"PASV\r\n".repeat(50)).unwrap();
        control.send(&b"EPSV\r\n".repeat(50)).unwrap();
        for _ in 0..50 {
            control.expect(227).unwrap();
        }
        for _ in 0..50 {
            control.expect(229).unwrap();
        }
    }
    let (more, grown) = (server.descriptors() - descriptors, server.memory().saturating_sub(memory));
    // A session that asks again is sent to another port, as long as there are only a few.
    assert!(more <= 8, "10,000 PASV left {more} descriptors");
    assert!(grown < 8 * 1024, "10,000 PASV cost {grown} KiB");
    assert_serves(&server);
}

#[test]
fn pasv_of_many_sessions_is_given_back() {
    const SESSIONS: usize = 100;
    let server = Server::start(&["--max-per-ip", "1000"]);
    let before = server.descriptors();
    let mut sessions: Vec<_> = (0..SESSIONS).map(|_| guest(&server)).collect();
    for control in &mut sessions {
        control.send(&b"EPSV\r\n".repeat(100)).unwrap();
    }
    for control in &mut sessions {
        for _ in 0..100 {
            control.expect(229).unwrap();
        }
    }
    let most = server.descriptors() - before;
    assert!(most <= 2 * SESSIONS + 8, "{SESSIONS} sessions with 10,000 EPSV have {most} descriptors");
    drop(sessions);
    // Ports stay open for the next; sessions do not.
    eventually("sessions' descriptors are given back", || server.descriptors() - before <= SESSIONS + 8);
    assert_serves(&server);
}

#[test]
fn one_passive_port_for_many_sessions() {
    const TRANSFERS: usize = 10;
    let port = free_port();
    let server = Server::start(&["--passive-ports", &format!("{port}-{port}")]);
    std::thread::scope(|scope| {
        for client in 0..12_u8 {
            let server = &server;
            scope.spawn(move || {
                let mut control = guest(server);
                for transfer in 0..TRANSFERS {
                    let content = format!("{client} {transfer} ").repeat(1000);
                    let name = format!("f{client}");
                    assert_eq!(control.epsv().unwrap(), port);
                    let data = connect(passive_at(server, port)).unwrap();
                    control.tell(&format!("STOR {name}"), 150).unwrap();
                    send_all(data, content.as_bytes()).unwrap();
                    control.expect(226).unwrap();
                    assert_eq!(control.epsv().unwrap(), port);
                    let mut data = connect(passive_at(server, port)).unwrap();
                    control.tell(&format!("RETR {name}"), 150).unwrap();
                    assert_eq!(read_all(&mut data).unwrap(), content.as_bytes(), "another session's data");
                    control.expect(226).unwrap();
                }
            });
        }
    });
}

#[test]
fn nobody_is_attacked_by_port() {
    let server = Server::start(&[]);
    fs::write(server.root().join("f"), b"x").unwrap();
    let victim = TcpListener::bind("127.0.0.2:0").unwrap();
    victim.set_nonblocking(true).unwrap();
    let port = victim.local_addr().unwrap().port();
    let mut control = guest(&server);
    let commands = [
        format!("PORT 127,0,0,2,{},{}", port >> 8, port & 255),
        format!("EPRT |1|127.0.0.2|{port}|"),
        format!("EPRT |2|::ffff:127.0.0.2|{port}|"),
        "PORT 127,0,0,1,0,25".to_string(),
        "EPRT |1|127.0.0.1|1023|".to_string(),
    ];
    for command in commands {
        let reply = control.ask(&command).unwrap();
        assert!((500..600).contains(&reply.code), "{command}: {}", reply.shown());
        control.tell("RETR f", 425).unwrap();
    }
    assert!(victim.accept().is_err(), "the server connected to another host");
    assert_serves(&server);
}

#[test]
fn a_reset_download_ends_only_itself() {
    let server = Server::start(&[]);
    File::create(server.root().join("big")).unwrap().set_len(MUCH).unwrap();
    let mut control = guest(&server);
    for _ in 0..20 {
        let data = control.passive().unwrap();
        control.tell("RETR big", 150).unwrap();
        reset(data).unwrap();
        control.expect(426).unwrap();
    }
    control.tell("NOOP", 200).unwrap();
    assert_serves(&server);
}

/// The client has thought better of it before it said what for: it is never told that all went well.
#[test]
fn a_connection_reset_before_its_command_is_no_success() {
    let server = Server::start(&[]);
    fs::write(server.root().join("f"), b"content").unwrap();
    let mut control = guest(&server);
    for command in ["RETR f", "NLST", "MLSD", "STOR new", "APPE f"] {
        reset(control.passive().unwrap()).unwrap();
        let mut reply = control.ask(command).unwrap();
        if reply.code == 150 {
            reply = control.reply().unwrap();
        }
        assert!(matches!(reply.code, 425 | 426), "{command}: {}", reply.shown());
        control.tell("NOOP", 200).unwrap();
    }
    assert!(!server.root().join("new").exists());
    assert_serves(&server);
}

#[test]
fn a_reset_upload_is_never_published() {
    let server = Server::start(&[]);
    fs::write(server.root().join("old"), b"old").unwrap();
    let mut control = guest(&server);
    for name in ["old", "new"].repeat(10) {
        let mut data = control.passive().unwrap();
        control.tell(&format!("STOR {name}"), 150).unwrap();
        data.write_all(&[b'x'; 100_000]).unwrap();
        reset(data).unwrap();
        control.expect(426).unwrap();
        assert_eq!(fs::read(server.root().join("old")).unwrap(), b"old");
        assert!(!server.root().join("new").exists());
    }
    assert_serves(&server);
}

#[test]
fn a_half_closed_download_is_whole() {
    let server = Server::start(&[]);
    File::create(server.root().join("big")).unwrap().set_len(20_000_000).unwrap();
    let mut control = guest(&server);
    let mut data = control.passive().unwrap();
    control.tell("RETR big", 150).unwrap();
    data.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut data).unwrap().len(), 20_000_000);
    control.expect(226).unwrap();
}

#[test]
fn an_upload_whose_client_is_gone_is_not_published() {
    let server = Server::start(&[]);
    let mut control = guest(&server);
    let mut data = control.passive().unwrap();
    control.tell("STOR up", 150).unwrap();
    data.write_all(b"all of it").unwrap();
    // The control connection ends first, the data connection cleanly after it.
    drop(control);
    assert!(ends_empty(data), "the data connection outlives its session");
    assert!(!server.root().join("up").exists());
    // Only the sending side is closed: the same, and it is said.
    let mut control = guest(&server);
    let mut data = control.passive().unwrap();
    control.tell("STOR up", 150).unwrap();
    data.write_all(b"all of it").unwrap();
    control.stream().shutdown(Shutdown::Write).unwrap();
    control.expect(426).unwrap();
    assert!(!server.root().join("up").exists());
}

/// A script that says all it has to say, QUIT included, and closes its side has not vanished (RFC 959 §4.1.1).
#[test]
fn an_upload_whose_client_has_said_goodbye_is_published() {
    let server = Server::start(&[]);
    let mut control = guest(&server);
    let mut data = control.passive().unwrap();
    control.tell("STOR up", 150).unwrap();
    data.write_all(b"all ").unwrap();
    control.say("QUIT").unwrap();
    control.stream().shutdown(Shutdown::Write).unwrap();
    // Another client's turn gives the server time to see the end of this one.
    assert_serves(&server);
    send_all(data, b"of it").unwrap();
    control.expect(226).unwrap();
    control.expect(221).unwrap();
    assert_eq!(fs::read(server.root().join("up")).unwrap(), b"all of it");
}

/// Commands that wait their turn say nothing about whether who sent them is still there.
#[test]
fn an_upload_whose_client_is_gone_behind_a_flood_is_not_published() {
    let server = Server::start(&[]);
    let mut control = guest(&server);
    let data = control.passive().unwrap();
    control.tell("STOR up", 150).unwrap();
    control.send(&b"PWD\r\n".repeat(70)).unwrap();
    drop(control);
    assert_serves(&server);
    let _ = send_all(data, b"all of it");
    eventually("the upload ends", || server.log().contains("received /up"));
    assert!(!server.root().join("up").exists(), "an upload of a client that is gone was published");
}

/// To add to a large file it is copied first: before anything was said, and to its end whatever the client did meanwhile.
#[test]
fn an_append_to_a_large_file_is_heard_meanwhile_and_aborted() {
    const SIZE: u64 = 256 << 20;
    let server = Server::start(&[]);
    fs::File::create(server.root().join("big")).unwrap().set_len(SIZE).unwrap();
    let mut control = guest(&server);
    let mut data = control.passive().unwrap();
    control.tell("APPE big", 150).unwrap();
    data.write_all(b"end").unwrap();
    control.tell("NOOP", 200).unwrap();
    control.say("ABOR").unwrap();
    control.expect(426).unwrap();
    control.expect(226).unwrap();
    let mut data = control.passive().unwrap();
    control.tell("APPE big", 150).unwrap();
    data.write_all(b"end").unwrap();
    drop(data);
    control.expect(226).unwrap();
    assert_eq!(fs::metadata(server.root().join("big")).unwrap().len(), SIZE + 3);
    assert_eq!(fs::read_dir(server.root()).unwrap().count(), 1, "nothing is left");
}
