//! Bugs that gftp once had, a test each. What other servers got wrong is in the transcripts and in `abuse`.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Instant;

use socket2::SockRef;

use crate::dialogue::client::{Control, PATIENCE, connect, read_all};
use crate::server::{Server, free_port};

/// A client whose command is refused closes its data connection and asks for another port at once, before the server
/// has accepted the first: that one was then taken for the second, and the transfer broke. Seen with rclone.
#[test]
fn a_connection_that_was_given_up_is_not_taken_for_the_next() {
    let port = free_port();
    for options in [&[][..], &["--passive-ports", &port.to_string()]] {
        let server = Server::start(options);
        fs::write(server.root().join("file"), "content").unwrap();
        let mut control = Control::anonymous(server.address()).unwrap();
        for _ in 0..200 {
            let given_up = control.passive().unwrap();
            control.tell("RETR missing", 550).unwrap();
            drop(given_up);
            let mut data = control.passive().unwrap();
            control.tell("RETR file", 150).unwrap();
            assert_eq!(read_all(&mut data).unwrap(), b"content");
            control.expect(226).unwrap();
        }
    }
}

/// Where a file stands, an interrupted upload that was to replace it must not be mixed with it: neither by an append nor by
/// a restart at the size of the one that stands. SIZE told the kept half's size, and curl cut a download there.
#[test]
fn an_interrupted_upload_is_not_mixed_with_the_file_that_stands() {
    let server = Server::start(&[]);
    fs::write(server.root().join("file"), "as it was").unwrap();
    let mut control = guest_in_image(&server);
    interrupt(&mut control, server.address(), "STOR file");
    assert_eq!(control.tell("SIZE file", 213).unwrap().shown(), "213 9");
    control.tell("APPE file", 450).unwrap();
    control.tell("REST 9", 350).unwrap();
    control.tell("STOR file", 450).unwrap();
    assert_eq!(fs::read_to_string(server.root().join("file")).unwrap(), "as it was");
    control.tell("REST 4", 350).unwrap();
    upload(&mut control, "STOR file", b" and half");
    assert_eq!(fs::read_to_string(server.root().join("file")).unwrap(), "half and half");
}

/// A resumption that came to nothing, for want of a data connection or by a wrong offset, lost what it was to resume.
#[test]
fn a_failed_resumption_loses_nothing() {
    let server = Server::start(&["--data-timeout", "1s"]);
    let mut control = guest_in_image(&server);
    interrupt(&mut control, server.address(), "STOR file");
    control.epsv().unwrap();
    control.tell("REST 4", 350).unwrap();
    control.tell("STOR file", 425).unwrap();
    control.tell("TYPE A", 200).unwrap();
    control.tell("REST 5", 350).unwrap();
    control.tell("STOR file", 554).unwrap();
    control.tell("TYPE I", 200).unwrap();
    assert_eq!(control.tell("SIZE file", 213).unwrap().shown(), "213 4");
    upload(&mut control, "APPE file", b" and half");
    assert_eq!(fs::read_to_string(server.root().join("file")).unwrap(), "half and half");
}

/// What was answered before the 150 was taken for it, and a STAT overtook what had been sent before it.
#[test]
fn nothing_is_said_out_of_turn() {
    let server = Server::start(&[]);
    fs::write(server.root().join("file"), "content").unwrap();
    let mut control = guest_in_image(&server);
    let port = control.epsv().unwrap();
    control.send(b"RETR file\r\nNOOP\r\nSTAT\r\nPWD\r\n").unwrap();
    let mut data = connect(SocketAddr::new(server.address().ip(), port)).unwrap();
    assert_eq!(read_all(&mut data).unwrap(), b"content");
    for code in [150, 226, 200, 211, 257] {
        control.expect(code).unwrap();
    }
    let port = control.epsv().unwrap();
    control.say("RETR file").unwrap();
    control.say("NOOP").unwrap();
    drop(connect(SocketAddr::new(server.address().ip(), port)).unwrap());
    control.expect(150).unwrap();
}

/// The beginning of the next command, arriving before the end of an upload, made the upload look unheard.
#[test]
fn half_a_command_behind_an_upload_costs_nothing() {
    let server = Server::start(&[]);
    let mut control = guest_in_image(&server);
    let mut data = control.passive().unwrap();
    control.tell("STOR file", 150).unwrap();
    data.write_all(b"content").unwrap();
    control.send(b"PW").unwrap();
    drop(data);
    control.expect(226).unwrap();
    control.send(b"D\r\n").unwrap();
    control.expect(257).unwrap();
    assert_eq!(fs::read_to_string(server.root().join("file")).unwrap(), "content");
}

/// A restart point survived the refusal of the path it was meant for, and cut the next download.
#[test]
fn a_refused_download_forgets_its_restart_point() {
    let server = Server::start(&[]);
    fs::write(server.root().join("file"), "content").unwrap();
    let mut control = guest_in_image(&server);
    control.tell("REST 5", 350).unwrap();
    control.tell(&format!("RETR {}", "x".repeat(300)), 553).unwrap();
    let mut data = control.passive().unwrap();
    control.tell("RETR file", 150).unwrap();
    assert_eq!(read_all(&mut data).unwrap(), b"content");
}

/// A few clients that sent without a pause held every thread, and outlived the time for a login.
#[test]
fn a_flood_of_commands_stops_nobody_and_outlives_nothing() {
    let server = Server::start(&["--login-timeout", "1s"]);
    let floods: Vec<_> = [b"NOOP\r\n".as_slice(), b"\n", b"x"]
        .into_iter()
        .map(|piece| {
            let mut stream = Control::greeted(server.address()).unwrap().stream().try_clone().unwrap();
            let mut replies = stream.try_clone().unwrap();
            std::thread::spawn(move || std::io::copy(&mut replies, &mut std::io::sink()));
            let flood = piece.repeat(1 << 16);
            std::thread::spawn(move || {
                let end = Instant::now() + PATIENCE;
                while stream.write_all(&flood).is_ok() {
                    assert!(Instant::now() < end, "a stranger without a login is still there");
                }
            })
        })
        .collect();
    for _ in 0..20 {
        let mut control = Control::anonymous(server.address()).unwrap();
        control.tell("PWD", 257).unwrap();
    }
    for flood in floods {
        flood.join().unwrap();
    }
}

/// With one published port and listeners for both families, whichever came first had it for itself.
#[test]
fn one_passive_port_serves_both_families() {
    let port = free_port();
    let options = ["--listen", "0.0.0.0", "--listen", "::", "--passive-ports", &port.to_string()];
    let server = Server::start(&options);
    fs::write(server.root().join("file"), "content").unwrap();
    for host in ["127.0.0.1", "::1"] {
        let address = SocketAddr::new(host.parse().unwrap(), server.address().port());
        let mut control = Control::anonymous(address).unwrap();
        let mut data = control.passive().unwrap();
        control.tell("RETR file", 150).unwrap();
        assert_eq!(read_all(&mut data).unwrap(), b"content");
        control.expect(226).unwrap();
    }
}

/// The road through the kernel stops before an urgent byte: what came behind it was lost where the data ended there, and where
/// they did not, a thread asked for them again and again, for as long as the client liked.
#[test]
fn an_urgent_byte_in_an_upload_costs_neither_a_thread_nor_what_follows() {
    let server = Server::start(&["--stall", "1s"]);
    for (ends, passive) in [(true, true), (false, true), (true, false)] {
        let mut control = guest_in_image(&server);
        let mut data = if passive {
            let data = control.passive().unwrap();
            control.tell("STOR file", 150).unwrap();
            data
        } else {
            let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = door.local_addr().unwrap().port();
            control.tell(&format!("PORT 127,0,0,1,{},{}", port >> 8, port & 255), 200).unwrap();
            control.tell("STOR file", 150).unwrap();
            door.accept().unwrap().0
        };
        data.write_all(&[b'x'; 300_000]).unwrap();
        SockRef::from(&data).send_out_of_band(b"!").unwrap();
        data.write_all(&[b'y'; 1000]).unwrap();
        if ends {
            drop(data);
            control.expect(226).unwrap();
            let stored = fs::read(server.root().join("file")).unwrap();
            let rest = [&b"!"[..], &[b'y'; 1000]].concat();
            assert!(stored.len() == 301_001 && stored[300_000..] == rest, "{} bytes are stored", stored.len());
        } else {
            control.expect(426).unwrap();
        }
    }
}

fn guest_in_image(server: &Server) -> Control {
    let mut control = Control::anonymous(server.address()).unwrap();
    control.tell("TYPE I", 200).unwrap();
    control
}

/// Sends "half" and breaks the data connection off; a session of its own shows when the bytes have been taken.
fn interrupt(control: &mut Control, server: SocketAddr, command: &str) {
    let port = control.epsv().unwrap();
    let mut data = connect(SocketAddr::new(server.ip(), port)).unwrap();
    control.tell(command, 150).unwrap();
    data.write_all(b"half").unwrap();
    while !control.ask("STAT").unwrap().shown().contains(" 4 bytes") {}
    control.tell("ABOR", 426).unwrap();
    control.expect(226).unwrap();
}

fn upload(control: &mut Control, command: &str, bytes: &[u8]) {
    let mut data = control.passive().unwrap();
    control.tell(command, 150).unwrap();
    data.write_all(bytes).unwrap();
    drop(data);
    control.expect(226).unwrap();
}
