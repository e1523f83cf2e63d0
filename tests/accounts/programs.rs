//! A program that is asked about logins, as a client and an administrator see it: the example, and one that is broken.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{refused, try_login};
use crate::abuse::eventually;
use crate::clients::present;
use crate::command_line::outcome;
use crate::dialogue::client::Control;
use crate::server::{PASSWORD, Place, Server, command};

/// The example of the README.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/auth.py");

/// One more account of the example.
fn add(database: &Path, account: [&str; 3], password: &str) {
    let mut child = Command::new(EXAMPLE);
    let child = child.arg("add").args(account).env("AUTH_DB", database).stdin(Stdio::piped()).spawn();
    let mut child = child.expect("the example starts");
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_example_lets_its_accounts_in() {
    if !present(&["python3"]) {
        return;
    }
    let place = Place::new();
    let database = place.outside().join("shop.db");
    add(&database, ["alice", "/users/alice", "full"], "hers");
    add(&database, ["carol", "/", "read-only"], "hers too");
    let file = place.users(&[("bob".to_string(), "/".to_string(), vec!["full".to_string()])]);
    let mut serve =
        command(place.root(), &["--port", "0", "--auth-program", EXAMPLE, "--users", file.to_str().unwrap()]);
    serve.env("AUTH_DB", &database);
    let server = Server::run(serve, place.clone());
    assert!(server.ready().contains(" to bob (reading and writing) and whom /"), "{}", server.ready());
    let mut control = Control::greeted(server.address()).unwrap();
    control.tell("USER alice", 331).unwrap();
    control.tell("PASS hers", 230).unwrap();
    control.tell("MKD notes", 257).unwrap();
    assert!(place.root().join("users/alice/notes").is_dir());
    for (name, password, code) in [
        ("alice", "his", 530),
        ("carol", "hers too", 230),
        ("nobody", "x", 530),
        ("bob", PASSWORD, 230),
        ("bob", "hers", 530),
        ("anonymous", "x", 530),
        ("alice' OR 1=1 --", "x", 530),
    ] {
        assert_eq!(try_login(&server, name, password).code, code, "{name}");
    }
    // An account that is made while the server runs is let in at once: nothing is remembered of a program's answers.
    add(&database, ["dave", "/", "full"], "his");
    assert_eq!(try_login(&server, "dave", "his").code, 230);
    eventually("the log says why", || {
        server.log().contains("alice from 127.0.0.1") && server.log().contains(": a wrong password")
    });
    eventually("why is said", || server.log().contains(": unknown to the shop"));
}

/// A thread that is older than the confinement would not be confined, nor would be the program that it starts.
#[test]
fn what_asks_a_program_is_confined_as_all_else() {
    if !present(&["python3"]) {
        return;
    }
    let place = Place::new();
    let database = place.outside().join("shop.db");
    add(&database, ["alice", "/", "full"], "hers");
    let mut serve = command(place.root(), &["--port", "0", "--auth-program", EXAMPLE]);
    serve.env("AUTH_DB", &database);
    let server = Server::run(serve, place);
    let began = try_login(&server, "alice", "hers");
    assert!([230, 421].contains(&began.code), "a database that may not be written to is a failure: {}", began.shown());
    let tasks = format!("/proc/{}/task", server.pid().as_raw_nonzero());
    let threads: Vec<_> = fs::read_dir(tasks).unwrap().map(|task| task.unwrap().path()).collect();
    assert!(threads.len() > 4, "the threads that ask are there");
    for thread in threads {
        let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
        assert!(status.is_empty() || status.contains("NoNewPrivs:\t1"), "{} is not confined", thread.display());
    }
}

/// The reply says that it is no matter of the password, and the log what is wrong, without any password.
#[test]
fn a_broken_program_is_a_temporary_failure() {
    let place = Place::new();
    let script = place.outside().join("auth.sh");
    let body = "#!/bin/sh\nread -r line\necho 'no such directory' >&2\necho \"$line\"\n";
    let mut shell = Command::new("sh");
    shell.args(["-c", "printf %s \"$1\" > \"$2\" && chmod +x \"$2\"", "sh", body]).arg(&script);
    assert!(shell.status().unwrap().success());
    let server = Server::told_on(place, &["--auth-program", script.to_str().unwrap(), "--auth-processes", "1"]);
    let secret = "to0-secret";
    for _ in 0..2 {
        let reply = try_login(&server, "alice", secret);
        assert!(reply.code == 421 && reply.shown().contains("come back"), "{}", reply.shown());
    }
    let log = || server.log();
    eventually("the log says what is wrong", || {
        log().contains("talks nonsense and is killed: an answer without \"allow\"")
    });
    eventually("its stderr is in the log", || log().contains("auth.sh: no such directory"));
    assert!(!log().contains(secret), "{}", log());
}

#[test]
fn mistakes_of_auth_programs_are_one_line() {
    let place = Place::new();
    let file = place.outside().join("plain");
    fs::write(&file, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let serve = |options: &[&str]| outcome(command(place.root(), &[&["--port", "0"], options].concat()));
    refused(&serve(&["--auth-program", "/no/such"]), &["--auth-program /no/such", "no such program"]);
    refused(&serve(&["--auth-program", file.to_str().unwrap()]), &["may not run it: chmod +x"]);
    refused(&serve(&["--auth-program", "/bin/sh", "--auth-processes", "0"]), &["--auth-processes", "from 1 to 64"]);
    refused(&serve(&["--auth-processes", "2"]), &["--auth-program"]);
}
