//! Bugs that gftp once had, a test each. What other servers got wrong is in the transcripts and in `abuse`.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;

use crate::dialogue::client::{Control, connect, read_all};
use crate::server::Server;

/// A client whose command is refused closes its data connection and asks for another port at once, before the server
/// has accepted the first: that one was then taken for the second, and the transfer broke. Seen with rclone.
#[test]
fn a_connection_that_was_given_up_is_not_taken_for_the_next() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
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

/// A size learnt from a listing says nothing of an interrupted upload: an APPE behind it went on with what was kept, and
/// mixed two files.
#[test]
fn an_append_without_size_adds_to_the_file_that_stands() {
    let server = Server::start(&[]);
    fs::write(server.root().join("log"), "old ").unwrap();
    let mut control = Control::anonymous(server.address()).unwrap();
    control.tell("TYPE I", 200).unwrap();
    interrupt(&mut control, server.address(), "STOR log");
    upload(&mut control, "APPE log", b"line");
    assert_eq!(fs::read_to_string(server.root().join("log")).unwrap(), "old line");

    interrupt(&mut control, server.address(), "STOR log");
    control.tell("SIZE log", 213).unwrap();
    upload(&mut control, "APPE log", b" and half");
    assert_eq!(fs::read_to_string(server.root().join("log")).unwrap(), "half and half");
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
