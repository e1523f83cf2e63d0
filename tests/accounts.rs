//! Accounts: the users file as `gftp user` makes and changes it, what the server says of a wrong one, and what logins cost
//! those who guess and those who do not.

/// The users file, as `gftp user` makes and changes it.
mod editing;
/// The machine's accounts, by PAM.
mod pam;
/// A program that is asked about logins.
mod programs;
/// Files that change while they are served, and what becomes of those who are in.
mod reload;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::abuse::{connect_from, eventually};
use crate::command_line::outcome;
use crate::dialogue::client::{Control, Reply};
use crate::server::{PASSWORD, Place, Server, command, program};

/// Runs `gftp user …` with this on its standard input.
fn user(arguments: &[&str], typed: &str) -> Output {
    let mut child = Command::new(program())
        .arg("user")
        .args(arguments)
        .env_remove("GFTP_PASSWORD")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // One that wants no password does not read.
    let _ = child.stdin.take().expect("stdin is piped").write_all(typed.as_bytes());
    child.wait_with_output().expect("its output")
}

/// What it prints when all goes well.
#[track_caller]
fn done(arguments: &[&str], typed: &str) -> String {
    let output = user(arguments, typed);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "gftp user {arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

/// One line on stderr with all of these, and code 2.
#[track_caller]
fn refused(output: &Output, hints: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.starts_with("gftp: ") && said.lines().count() == 1, "not one line: {said}");
    for hint in hints {
        assert!(said.contains(hint), "no {hint:?} in: {said}");
    }
}

/// USER and PASS; the reply to the latter.
fn try_login(server: &Server, name: &str, password: &str) -> Reply {
    let mut control = Control::greeted(server.address()).unwrap();
    control.tell(&format!("USER {name}"), 331).unwrap();
    control.ask(&format!("PASS {password}")).unwrap()
}

fn login(server: &Server, name: &str) -> Control {
    let mut control = Control::greeted(server.address()).unwrap();
    control.tell(&format!("USER {name}"), 331).unwrap();
    control.tell(&format!("PASS {PASSWORD}"), 230).unwrap();
    control
}

/// A server with these accounts, each with full rights on the root.
fn server_of(names: &[&str], options: &[&str]) -> Server {
    let place = Place::new();
    let users: Vec<_> =
        names.iter().map(|name| (name.to_string(), "/".to_string(), vec!["full".to_string()])).collect();
    let file = place.users(&users);
    Server::told_on(place, &[&["--users", file.to_str().unwrap()], options].concat())
}

#[test]
fn a_wrong_users_file_is_one_line_with_its_place() {
    let place = Place::new();
    let file = place.outside().join("users.toml");
    let path = file.to_str().unwrap();
    let serve =
        |options: &[&str]| outcome(command(place.root(), &[&["--port", "0", "--users", path], options].concat()));
    refused(&serve(&[]), &["--users", path, "no such file", "gftp user add"]);
    fs::write(&file, "").unwrap();
    refused(&serve(&[]), &[path, "no account", "gftp user add"]);
    done(&["add", "alice", "--users", path], "x\n");
    done(&["add", "FTP", "--users", path], "x\n");
    let text = fs::read_to_string(&file).unwrap();
    refused(&serve(&["--user", "alice"]), &[&format!("{path}, line 2, column 8: "), "\"alice\"", "--user"]);
    refused(&serve(&["--anonymous", "read"]), &["line 8, column 8", "\"FTP\"", "--anonymous off"]);
    fs::write(&file, text.replace("\"full\"", "[\"list\", \"raed\"]")).unwrap();
    let place_of_word = format!(
        "gftp: --users {path}, line 5, column 19: unknown right \"raed\"; expected list, read, write, append, create, \
         delete, rename, mkdir or site\n"
    );
    refused(&serve(&[]), &[&place_of_word]);
    fs::write(&file, text.replace("\"FTP\"", "\"alice\"")).unwrap();
    refused(&serve(&[]), &["line 8, column 8", "alice", "line 2"]);
    refused(&outcome(command(place.root(), &["--users", place.outside().to_str().unwrap()])), &["directory"]);
    refused(&outcome(command(place.root(), &["--anonymous", "off"])), &["--user NAME", "--users FILE"]);
    refused(
        &outcome(command(place.root(), &["--user", "ftp", "--anonymous", "read"])),
        &["\"ftp\"", "--anonymous off"],
    );
}

#[test]
fn a_file_that_others_may_read_is_said_and_served() {
    let place = Place::new();
    let file = place.users(&[("alice".to_string(), "/".to_string(), vec!["full".to_string()])]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let server = Server::told_on(place, &["--users", file.to_str().unwrap(), "--user", "bob"]);
    eventually("the log warns", || server.log().contains(&format!("chmod 600 {}", file.display())));
    // Both ways to give accounts work together.
    for name in ["alice", "bob"] {
        assert_eq!(try_login(&server, name, PASSWORD).code, 230);
    }
}

#[test]
fn one_account_does_not_take_all_places() {
    let server = server_of(&["alice", "bob"], &["--max-per-user", "2"]);
    let (first, mut second) = (login(&server, "alice"), login(&server, "alice"));
    let mut third = Control::greeted(server.address()).unwrap();
    third.tell("USER alice", 331).unwrap();
    let reply = third.tell(&format!("PASS {PASSWORD}"), 421).unwrap();
    assert!(reply.shown().contains(" 2 "), "how many are allowed is not said: {}", reply.shown());
    third.closed().unwrap();
    // Who guesses is not told how many are in.
    assert_eq!(try_login(&server, "alice", "guess").code, 530);
    login(&server, "bob");
    // A place is free again however its session leaves it: by another USER, by REIN, by being cut.
    second.tell("USER bob", 331).unwrap();
    let mut again = login(&server, "alice");
    again.tell("REIN", 220).unwrap();
    let last = login(&server, "alice");
    drop(first);
    eventually("the place of a lost session is free", || try_login(&server, "alice", PASSWORD).code == 230);
    drop(last);
    for _ in 0..20 {
        eventually("no place is lost", || try_login(&server, "alice", PASSWORD).code == 230);
    }
}

/// The first guess is answered soon, the fifth late and with the end; an unknown name waits as long as a known one.
#[test]
fn guesses_are_answered_ever_later_and_not_often() {
    let server = server_of(&["alice"], &[]);
    for name in ["alice", "nobody"] {
        let mut control = Control::greeted(server.address()).unwrap();
        let mut waits = Vec::new();
        for guess in 1..=5 {
            control.tell(&format!("USER {name}"), 331).unwrap();
            let began = Instant::now();
            control.tell("PASS guess", if guess == 5 { 421 } else { 530 }).unwrap();
            waits.push(began.elapsed());
        }
        control.closed().unwrap();
        let least = |guess: u32| Duration::from_millis(50) * 2_u32.pow(guess);
        assert!((0..5).all(|guess| waits[guess as usize] >= least(guess)), "{name}: {waits:?}");
    }
    // A right password does not wait, and who is right after a mistake begins anew.
    let mut control = Control::greeted(server.address()).unwrap();
    for _ in 0..3 {
        for (password, code) in [("guess", 530), ("guess", 530), (PASSWORD, 230)] {
            control.tell("USER alice", 331).unwrap();
            control.tell(&format!("PASS {password}"), code).unwrap();
        }
    }
}

#[test]
fn those_who_leave_while_they_wait_leave_nothing_behind() {
    const CLIENTS: usize = 60;
    let server = server_of(&["alice"], &[]);
    login(&server, "alice");
    let before = server.descriptors();
    let leaving: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let mut control = Control::greeted(server.address()).unwrap();
            control.tell(&format!("USER {}", if number % 2 == 0 { "alice" } else { "nobody" }), 331).unwrap();
            control.say("PASS guess").unwrap();
            control
        })
        .collect();
    drop(leaving);
    eventually("their descriptors are given back", || server.descriptors() <= before);
    login(&server, "alice");
}

/// Somebody guesses from one address as fast as it goes; a login from another is delayed by a guess or two.
#[test]
fn a_flood_of_guesses_holds_up_its_own_address() {
    const GUESSERS: usize = 90;
    let place = Place::new();
    let file = place.outside().join("users.toml");
    // At the real cost, which is what makes a flood dear.
    done(&["add", "alice", "--users", file.to_str().unwrap()], &format!("{PASSWORD}\n"));
    let server = Server::told_on(place, &["--users", file.to_str().unwrap()]);
    let mut flood: Vec<_> = (0..GUESSERS)
        .map(|_| {
            let mut control = Control::greeted(server.address()).unwrap();
            control.tell("USER nobody", 331).unwrap();
            control
        })
        .collect();
    let mut honest = Control::over(connect_from([127, 0, 0, 2], server.address())).unwrap();
    honest.expect(220).unwrap();
    honest.tell("USER alice", 331).unwrap();
    let began = Instant::now();
    for control in &mut flood {
        control.say("PASS guess").unwrap();
    }
    honest.tell(&format!("PASS {PASSWORD}"), 230).unwrap();
    let honest = began.elapsed();
    for control in &mut flood {
        control.expect(530).unwrap();
    }
    let all = began.elapsed();
    assert!(honest * 4 < all, "an honest login waited {honest:?} of the {all:?} that {GUESSERS} guesses took");
}

/// A home costs a descriptor while somebody is in it, and one however many are.
#[test]
fn sessions_of_one_home_share_a_descriptor() {
    let place = Place::new();
    let users = |home: &str| (format!("of-{home}"), format!("/{home}"), vec!["full".to_string()]);
    let file = place.users(&[users("a"), users("b")]);
    let server = Server::told_on(place, &["--users", file.to_str().unwrap()]);
    drop(login(&server, "of-a"));
    let before = server.descriptors();
    let inside: Vec<_> = (0..20).map(|_| login(&server, "of-a")).collect();
    let _other = login(&server, "of-b");
    // Twenty-one sockets and two homes; the first visitor may not be quite gone.
    let after = server.descriptors();
    assert!(after <= before + 23, "{} descriptors more", after - before);
    drop(inside);
    eventually("the home is closed with its last session", || server.descriptors() <= before + 2);
}

/// The user is told whom to ask, and the administrator what to do; neither learns of the other's part.
#[test]
fn a_home_that_cannot_be_had_is_in_the_log() {
    let place = Place::new();
    fs::write(place.root().join("file"), b"no folder").unwrap();
    let file = place.users(&[("alice".to_string(), "/file/alice".to_string(), vec!["full".to_string()])]);
    let server = Server::told_on(place, &["--users", file.to_str().unwrap()]);
    let reply = try_login(&server, "alice", PASSWORD);
    assert_eq!(reply.code, 530);
    assert!(reply.shown().contains("administrator") && !reply.shown().contains("/file"), "{}", reply.shown());
    eventually("the log says what to do", || {
        let log = server.log();
        let line = log.lines().find(|line| line.contains("alice") && line.contains("/file/alice below"));
        line.is_some_and(|line| line.contains("ERROR") && line.contains("it is not a directory; make that folder"))
    });
}
