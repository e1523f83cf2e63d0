//! The log of a session: who came in, what moved and how it ended, each in one line that can be found by its session.

/// The forms for programs: JSON and the transfer log.
mod forms;
/// Logs that are moved away, or that nobody reads.
mod rotation;

use std::fs::File;
use std::io::Write;

use crate::abuse::eventually;
use crate::dialogue::client::{Control, read_all, reset};
use crate::server::{PASSWORD, Server};

/// The account of every session here, and its client's address.
fn login(server: &Server) -> (Control, String) {
    let mut control = Control::greeted(server.address()).unwrap();
    control.tell("USER alice", 331).unwrap();
    control.tell(&format!("PASS {PASSWORD}"), 230).unwrap();
    control.tell("TYPE I", 200).unwrap();
    let from = control.stream().local_addr().unwrap().to_string();
    (control, from)
}

/// The one line with all of these words, which may come a little later than what it tells of.
fn line(server: &Server, words: &[&str]) -> String {
    let found = || {
        let log = server.log();
        let lines: Vec<_> = log.lines().filter(|line| words.iter().all(|word| line.contains(word))).collect();
        assert!(lines.len() < 2, "more than one line has {words:?}:\n{log}");
        lines.first().map(ToString::to_string)
    };
    eventually(&format!("a line with {words:?}"), || found().is_some());
    found().unwrap()
}

/// "session N" in the line of the login from this address.
fn session(server: &Server, from: &str) -> String {
    let line = line(server, &[from, "logged in", "alice"]);
    let number = line.split("session ").nth(1).and_then(|rest| rest.split(':').next()).unwrap();
    assert!(number.parse::<u64>().is_ok(), "no number of a session: {line}");
    format!("session {number}: ")
}

#[test]
fn success_is_logged() {
    let server = Server::with_account();
    let (mut control, from) = login(&server);
    let session = session(&server, &from);
    let mut data = control.passive().unwrap();
    control.tell("STOR a file", 150).unwrap();
    data.write_all(b"12345").unwrap();
    drop(data);
    control.expect(226).unwrap();
    line(&server, &[&session, "alice", &from, "/a file", " received ", " 5 bytes ", " 226 "]);
    let mut data = control.passive().unwrap();
    control.tell("RETR a file", 150).unwrap();
    read_all(&mut data).unwrap();
    control.expect(226).unwrap();
    line(&server, &[&session, "alice", &from, "/a file", " sent ", " 5 bytes ", " 226 "]);
    control.tell("QUIT", 221).unwrap();
    line(&server, &[&session, &from, " ended "]);
}

#[test]
fn a_refused_login_is_logged() {
    let server = Server::with_account();
    let mut control = Control::greeted(server.address()).unwrap();
    let from = control.stream().local_addr().unwrap().to_string();
    control.tell("USER alice", 331).unwrap();
    control.tell("PASS wrong", 530).unwrap();
    let refused = line(&server, &["session ", "alice", &from, "failed to log in"]);
    assert!(!refused.contains("wrong"), "{refused}");
    drop(control);
    line(&server, &["session ", &from, " ended "]);
}

#[test]
fn an_abort_is_logged() {
    let server = Server::with_account();
    File::create(server.root().join("big")).unwrap().set_len(100_000_000).unwrap();
    let (mut control, from) = login(&server);
    let session = session(&server, &from);
    let data = control.passive().unwrap();
    control.tell("RETR big", 150).unwrap();
    control.tell("ABOR", 426).unwrap();
    control.expect(226).unwrap();
    drop(data);
    line(&server, &[&session, "alice", &from, "/big", " sent ", " bytes ", " 426 "]);
    let mut data = control.passive().unwrap();
    control.tell("STOR half", 150).unwrap();
    data.write_all(b"12345").unwrap();
    reset(data).unwrap();
    control.expect(426).unwrap();
    line(&server, &[&session, "alice", &from, "/half", " received ", " bytes ", " 426 "]);
    reset(control.stream().try_clone().unwrap()).unwrap();
    drop(control);
    line(&server, &[&session, &from, " after "]);
}

/// Nobody can help a user who "cannot upload" if the log has nothing of it.
#[test]
fn a_refused_transfer_is_logged() {
    let server = Server::told(&["--anonymous", "off", "--user", "alice", "--data-timeout", "1s"]);
    std::fs::write(server.root().join("file"), b"x").unwrap();
    let (mut control, from) = login(&server);
    let session = session(&server, &from);
    let _data = control.passive().unwrap();
    control.tell("RETR missing", 550).unwrap();
    line(&server, &[&session, "alice", &from, "/missing", " 550 "]);
    control.tell("STOR missing/file", 550).unwrap();
    line(&server, &[&session, "alice", &from, "/missing/file", " 550 "]);
    control.tell("ABOR", 226).unwrap();
    control.epsv().unwrap();
    control.tell("RETR file", 425).unwrap();
    line(&server, &[&session, "alice", &from, "/file", " 425 "]);
}

#[test]
fn a_deletion_is_logged() {
    let server = Server::with_account();
    std::fs::write(server.root().join("file"), b"x").unwrap();
    std::fs::create_dir(server.root().join("folder")).unwrap();
    let (mut control, from) = login(&server);
    let session = session(&server, &from);
    control.tell("DELE file", 250).unwrap();
    line(&server, &[&format!("{session}alice from {from} deleted /file: 250 Deleted.")]);
    control.tell("RMD folder", 250).unwrap();
    line(&server, &[&format!("{session}alice from {from} deleted /folder: 250 Directory removed.")]);
    control.tell("DELE file", 550).unwrap();
    line(&server, &[&session, "was refused DELE: 550", "/file"]);
}
