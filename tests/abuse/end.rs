//! The end of the server: asked to, asked twice, and killed; what is under way then is either finished or never seen.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;

use rustix::process::Signal;

use super::{assert_serves, eventually, guest};
use crate::dialogue::client::{Control, connect, read_all};
use crate::server::Server;

const MUCH: u64 = 100_000_000;

/// A session in the middle of a download of [`MUCH`].
fn download(server: &Server) -> (Control, TcpStream) {
    File::create(server.root().join("big")).unwrap().set_len(MUCH).unwrap();
    let mut control = guest(server);
    let data = control.passive().unwrap();
    control.tell("RETR big", 150).unwrap();
    (control, data)
}

/// A session in the middle of an upload.
fn upload(server: &Server) -> (Control, TcpStream) {
    let mut control = guest(server);
    let mut data = control.passive().unwrap();
    control.tell("STOR up", 150).unwrap();
    data.write_all(b"a beginning").unwrap();
    (control, data)
}

fn temporaries(root: &Path) -> usize {
    let names = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with(".gftp-")).count()
}

#[test]
fn a_signal_lets_transfers_finish() {
    let mut server = Server::start(&[]);
    let (mut control, mut data) = download(&server);
    let mut idle = guest(&server);
    server.signal(Signal::TERM);
    // Who does nothing is told to go.
    idle.expect(421).unwrap();
    idle.closed().unwrap();
    eventually("newcomers are refused", || TcpStream::connect(server.address()).is_err());
    assert_eq!(read_all(&mut data).unwrap().len() as u64, MUCH);
    control.expect(226).unwrap();
    control.expect(421).unwrap();
    control.closed().unwrap();
    let (_place, code) = server.ended();
    assert_eq!(code, Some(0));
}

/// Nobody has to guess why the connection is gone, whether they have logged in or not.
#[test]
fn a_signal_is_told_to_two_hundred_idle_sessions() {
    let mut server = Server::start(&["--max-per-ip", "1000", "--grace", "10m"]);
    let mut idle: Vec<_> = (0..200)
        .map(|number| if number % 4 == 0 { Control::greeted(server.address()).unwrap() } else { guest(&server) })
        .collect();
    server.signal(Signal::TERM);
    for control in &mut idle {
        control.expect(421).unwrap();
        control.closed().unwrap();
    }
    let (_place, code) = server.ended();
    assert_eq!(code, Some(0));
}

#[test]
fn a_signal_lets_an_upload_finish() {
    let mut server = Server::start(&[]);
    let (mut control, mut data) = upload(&server);
    server.signal(Signal::INT);
    eventually("newcomers are refused", || TcpStream::connect(server.address()).is_err());
    data.write_all(b" and an end").unwrap();
    drop(data);
    control.expect(226).unwrap();
    let (place, code) = server.ended();
    assert_eq!(code, Some(0));
    assert_eq!(fs::read(place.root().join("up")).unwrap(), b"a beginning and an end");
}

/// The default grace is longer than this test has patience.
#[test]
fn a_second_signal_ends_at_once() {
    let mut server = Server::start(&["--grace", "10m"]);
    let (_download, _upload) = (download(&server), upload(&server));
    server.signal(Signal::TERM);
    eventually("the first signal is heard", || server.log().contains("draining"));
    server.signal(Signal::TERM);
    let (place, code) = server.ended();
    assert_eq!(code, Some(0));
    assert!(!place.root().join("up").exists());
}

#[test]
fn the_grace_cuts_what_is_stuck() {
    let mut server = Server::start(&["--grace", "1s"]);
    let (mut control, data) = upload(&server);
    server.signal(Signal::TERM);
    control.expect(426).unwrap();
    let (place, code) = server.ended();
    assert_eq!(code, Some(0));
    assert!(!place.root().join("up").exists());
    drop(data);
}

#[test]
fn a_killed_server_leaves_nothing_for_long() {
    let mut server = Server::start(&[]);
    fs::write(server.root().join("up"), b"old").unwrap();
    fs::create_dir(server.root().join("d")).unwrap();
    let _uploads = (upload(&server), upload(&server));
    assert!(temporaries(server.root()) > 0, "an upload has no temporary file: this test tests nothing");
    server.signal(Signal::KILL);
    let (place, code) = server.ended();
    assert_eq!(code, None);
    assert!(temporaries(place.root()) > 0, "nothing was left to sweep");
    // A name like a temporary's, but not one, is the user's.
    fs::write(place.root().join(".gftp-mine.part"), b"mine").unwrap();
    let server = Server::start_on(place, &[]);
    let root = server.root();
    eventually("temporary files of the dead server are swept", || temporaries(root) == 1);
    assert_eq!(fs::read(root.join(".gftp-mine.part")).unwrap(), b"mine");
    assert_eq!(fs::read(root.join("up")).unwrap(), b"old");
    assert_serves(&server);
}

/// Two servers may serve one folder: the second must not sweep what the first is receiving.
#[test]
fn a_sweep_spares_the_uploads_of_the_living() {
    let server = Server::start(&[]);
    let (mut control, mut data) = upload(&server);
    drop(Server::told_on(server.place().clone(), &["--anonymous", "write"]));
    data.write_all(b" and an end").unwrap();
    drop(data);
    control.expect(226).unwrap();
    assert_eq!(fs::read(server.root().join("up")).unwrap(), b"a beginning and an end");
}

#[test]
fn nothing_answers_after_the_end() {
    let mut server = Server::start(&[]);
    let address = server.address();
    assert_serves(&server);
    server.signal(Signal::TERM);
    let (_place, code) = server.ended();
    assert_eq!(code, Some(0));
    assert!(connect(address).is_err());
}
