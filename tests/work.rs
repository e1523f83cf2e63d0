//! Commands that take long on the server's own disk: they can be aborted and left, hold nobody else up, and are in the
//! log; and sessions that ask for more time to be silent.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use crate::abuse::{assert_serves, eventually, guest};
use crate::dialogue::client::Control;
use crate::server::{PASSWORD, Place, Server, USER};

/// More than any disk or memory copies before a test can say ABOR.
const MUCH: u64 = 16 << 30;

/// A server with a file of [`MUCH`] that is all hole, where the file system cannot just share the blocks.
fn with_much() -> Server {
    let server = Server::start_on(Place::in_memory(), &[]);
    File::create(server.root().join("big")).unwrap().set_len(MUCH).unwrap();
    server
}

/// Names in the served folder that no client can see.
fn temporaries(server: &Server) -> usize {
    let names = fs::read_dir(server.root()).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with(".gftp-")).count()
}

/// Begins a copy of the file, and returns when its first bytes are there.
fn begin(server: &Server, control: &mut Control) {
    control.tell("SITE CPFR big", 350).unwrap();
    control.say("SITE CPTO copy").unwrap();
    eventually("the copy begins", || temporaries(server) == 1);
}

#[test]
fn a_copy_is_aborted() {
    let server = with_much();
    let mut control = guest(&server);
    begin(&server, &mut control);
    // Others are served meanwhile, also by the cores that copy.
    assert_serves(&server);
    // What is no ABOR waits its turn.
    control.say("PWD").unwrap();
    control.say("ABOR").unwrap();
    control.expect(426).unwrap();
    control.expect(257).unwrap();
    control.expect(226).unwrap();
    eventually("nothing is left", || temporaries(&server) == 0);
    assert!(!server.root().join("copy").exists());
    control.tell("NOOP", 200).unwrap();
    eventually("it is in the log", || {
        server.log().contains("copied to /copy") && server.log().contains("stopped after")
    });
}

#[test]
fn a_copy_ends_when_its_client_leaves() {
    let server = with_much();
    let mut control = guest(&server);
    begin(&server, &mut control);
    drop(control);
    eventually("nothing is left", || temporaries(&server) == 0);
    assert!(!server.root().join("copy").exists());
    assert_serves(&server);
}

#[test]
fn a_join_that_is_aborted_changes_nothing() {
    let server = with_much();
    fs::write(server.root().join("all"), b"old").unwrap();
    let mut control = guest(&server);
    control.say("COMB \"all\" \"big\"").unwrap();
    eventually("the join begins", || temporaries(&server) == 1);
    control.say("ABOR").unwrap();
    control.expect(426).unwrap();
    control.expect(226).unwrap();
    eventually("nothing is left", || temporaries(&server) == 0);
    assert_eq!(fs::read(server.root().join("all")).unwrap(), b"old");
    assert_eq!(fs::metadata(server.root().join("big")).unwrap().len(), MUCH);
}

#[test]
fn a_removal_is_aborted_and_goes_on_when_asked_again() {
    const FILES: usize = 20_000;
    let server = Server::start_on(Place::in_memory(), &[]);
    let tree = server.root().join("tree");
    for folder in 0..10 {
        fs::create_dir_all(tree.join(folder.to_string())).unwrap();
        for file in 0..FILES / 10 {
            File::create(tree.join(format!("{folder}/{file}"))).unwrap();
        }
    }
    let mut control = guest(&server);
    control.send(b"RMDA tree\r\nABOR\r\n").unwrap();
    let stopped = control.reply().unwrap();
    // A fast machine may have been done before it heard the rest.
    assert!(matches!(stopped.code, 426 | 250), "{}", stopped.shown());
    control.reply().unwrap();
    if stopped.code == 426 {
        control.tell("RMDA tree", 250).unwrap();
    }
    assert!(!tree.exists());
    control.tell("NOOP", 200).unwrap();
}

/// Each event of the log names who did it and what came of it.
#[test]
fn the_log_has_what_was_removed_copied_and_joined() {
    let server = Server::with_account();
    fs::create_dir(server.root().join("tree")).unwrap();
    fs::write(server.root().join("tree/file"), b"12345").unwrap();
    fs::write(server.root().join("part"), b"12345").unwrap();
    let mut control = Control::greeted(server.address()).unwrap();
    control.tell(&format!("USER {USER}"), 331).unwrap();
    control.tell(&format!("PASS {PASSWORD}"), 230).unwrap();
    control.tell("SITE CPFR tree", 350).unwrap();
    control.tell("SITE CPTO copy", 250).unwrap();
    control.tell("COMB \"whole\" \"part\"", 250).unwrap();
    control.tell("RMDA tree", 250).unwrap();
    for said in [
        format!("{USER} from 127.0.0.1"),
        "copied to /copy".to_owned(),
        "250 Copied: files 1, directories 1, bytes 5.".to_owned(),
        "joined /whole".to_owned(),
        "250 Joined 1 parts: 5 bytes.".to_owned(),
        "removed /tree".to_owned(),
        "250 Removed: files 1, directories 1.".to_owned(),
    ] {
        eventually(&said, || server.log().contains(&said));
    }
}

#[test]
fn a_session_that_asks_may_be_silent_for_longer() {
    let server = Server::start(&["--idle", "1s", "--max-idle", "1m"]);
    let (mut patient, mut usual) = (guest(&server), guest(&server));
    patient.tell("SITE IDLE 30", 200).unwrap();
    usual.tell("SITE IDLE", 200).unwrap();
    let began = Instant::now();
    usual.expect(421).unwrap();
    usual.closed().unwrap();
    assert!(began.elapsed() >= Duration::from_millis(900));
    // The other has been silent for longer by now, and a new login makes it one like any other.
    patient.tell("NOOP", 200).unwrap();
    patient.tell("REIN", 220).unwrap();
    patient.expect(421).unwrap();
    patient.closed().unwrap();
}

/// Less than thirty seconds is a client that throws itself out, unless the server itself gives less.
#[test]
fn who_may_be_silent_for_how_long_is_bounded() {
    let server = Server::start(&["--idle", "10m", "--max-idle", "1m"]);
    let mut control = guest(&server);
    let shown = control.tell("SITE IDLE", 200).unwrap().shown();
    assert!(shown.contains("600 seconds; 600 at most"), "--max-idle is never less than --idle: {shown}");
    for seconds in ["29", "601", "0", "", " 60", "60 ", "1e9", "-60", "18446744073709551616"] {
        let reply = control.ask(&format!("SITE IDLE {seconds}")).unwrap();
        assert_eq!(reply.code, if seconds.is_empty() { 200 } else { 501 }, "{seconds:?}: {}", reply.shown());
    }
    control.tell("SITE IDLE 60", 200).unwrap();
}
