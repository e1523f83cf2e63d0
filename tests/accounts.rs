//! Accounts: the users file as `gftp user` makes and changes it, what the server says of a wrong one, and what logins cost
//! those who guess and those who do not.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::abuse::eventually;
use crate::clients::present;
use crate::command_line::outcome;
use crate::dialogue::client::{Control, PATIENCE, Reply};
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
fn accounts_are_made_changed_listed_and_removed() {
    let place = Place::new();
    let file = place.outside().join("users.toml");
    let file = file.to_str().unwrap();
    let said = done(&["add", "alice", "--users", file], "hers\nnot this\n");
    assert_eq!(
        said,
        "alice may list, read, write, append, create, delete, rename, mkdir, site in / from the server's next start on\n"
    );
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    done(&["add", "bob", "--users", file, "--home", "users/bob", "--rights", "list,read"], "his\r\n");
    done(&["add", "camera", "--users", file, "--home", "/inbox", "--rights", "drop-box"], "snap");
    assert_eq!(
        done(&["list", "--users", file], ""),
        "alice   /           full\nbob     /users/bob  read-only\ncamera  /inbox      drop-box\n"
    );
    let text = fs::read_to_string(file).unwrap();
    assert!(!text.contains("hers") && !text.contains("his\"") && text.contains("$argon2id$"), "{text}");
    fs::write(file, format!("# Ours.\n\n{text}")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    done(&["passwd", "alice", "--users", file], "new\n");
    done(&["remove", "camera", "--users", file], "");
    let text = fs::read_to_string(file).unwrap();
    assert!(text.starts_with("# Ours.\n\n[[user]]\nname = \"alice\"\n") && !text.contains("camera"), "{text}");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "others may no longer read it");

    let server = Server::told_on(place.clone(), &["--users", file]);
    assert!(server.ready().contains(" to alice, bob; try"), "{}", server.ready());
    assert!(!server.log().contains("chmod"), "{}", server.log());
    for (name, password, code) in [
        ("alice", "new", 230),
        ("alice", "hers", 530),
        ("bob", "his", 230),
        ("camera", "snap", 530),
        ("anonymous", "x", 530),
    ] {
        assert_eq!(try_login(&server, name, password).code, code, "{name}");
    }
    assert!(place.root().join("users/bob").is_dir());
    // Nothing but the file is left beside the served folder.
    assert_eq!(fs::read_dir(place.outside()).unwrap().count(), 2);
}

#[test]
fn mistakes_of_gftp_user_are_one_line() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("users.toml");
    let file = file.to_str().unwrap();
    refused(&user(&[], ""), &["gftp user add"]);
    refused(&user(&["ad"], ""), &["ad", "add"]);
    refused(&user(&["add", "alice"], ""), &["--users", "gftp user --help"]);
    refused(&user(&["add", "--users", file], ""), &["NAME"]);
    for action in ["passwd", "remove"] {
        refused(&user(&[action, "alice", "--users", file], "x\n"), &[file, "gftp user add"]);
    }
    refused(&user(&["list", "--users", file], ""), &[file, "gftp user add"]);
    refused(&user(&["add", "alice", "--users", file], "\n"), &["alice", "must not be empty"]);
    refused(&user(&["add", "alice", "--users", file], ""), &["alice", "must not be empty"]);
    refused(&user(&["add", "alice", "--users", file], &"x".repeat(4097)), &["4096"]);
    refused(&user(&["add", "", "--users", file], "x\n"), &["empty name"]);
    refused(&user(&["add", "a\nb", "--users", file], "x\n"), &["control character"]);
    refused(&user(&["add", "alice", "--users", file, "--home", "../x"], "x\n"), &["--home", "below the root"]);
    refused(&user(&["add", "alice", "--users", file, "--rights", "raed"], "x\n"), &["--rights", "raed", "create"]);
    refused(&user(&["add", "alice", "--users", "/no/such/folder/users.toml"], "x\n"), &["/no/such/folder"]);
    assert!(!Path::new(file).exists(), "a mistake makes no file");
    done(&["add", "alice", "--users", file], "x\n");
    refused(&user(&["add", "alice", "--users", file], "x\n"), &["alice", "line 2", "passwd"]);
    refused(&user(&["passwd", "bob", "--users", file], "x\n"), &["no account bob"]);
    refused(&user(&["remove", "bob", "--users", file], ""), &["no account bob"]);
    let text = "[[user]]\nname = 7\n";
    fs::write(file, text).unwrap();
    refused(&user(&["add", "bob", "--users", file], "x\n"), &["line 2, column 8", "string"]);
    refused(&user(&["list", "--users", file], ""), &["line 2, column 8"]);
    assert_eq!(fs::read_to_string(file).unwrap(), text);
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
fn edits_at_once_lose_nothing_and_a_link_stays_one() {
    const AT_ONCE: usize = 8;
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("real")).unwrap();
    symlink("real/users.toml", folder.path().join("link")).unwrap();
    let link = folder.path().join("link");
    let path = link.to_str().unwrap();
    std::thread::scope(|scope| {
        for number in 0..AT_ONCE {
            scope.spawn(move || done(&["add", &format!("u{number}"), "--users", path], "x\n"));
        }
    });
    assert!(link.is_symlink() && folder.path().join("real/users.toml").is_file());
    let all = done(&["list", "--users", path], "");
    assert!((0..AT_ONCE).all(|number| all.contains(&format!("u{number} "))), "{all}");
    assert_eq!(fs::read_dir(folder.path().join("real")).unwrap().count(), 1, "something is left beside the file");
    if rustix::process::geteuid().is_root() {
        // What root edits is still the server's.
        std::os::unix::fs::chown(&link, Some(12345), Some(12345)).unwrap();
        done(&["passwd", "u0", "--users", path], "y\n");
        let found = fs::metadata(&link).unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o777), (12345, 12345, 0o600));
    }
}

/// Someone at a keyboard types a new password twice, unseen.
#[test]
fn a_new_password_is_typed_twice_at_a_terminal() {
    if !present(&["python3"]) {
        return;
    }
    const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/terminal-twice.py");
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("users.toml");
    let ask = |first: &str, second: &str| {
        let mut command = Command::new("python3");
        command.args(["-I", SCRIPT, first, second]).arg(program()).args(["user", "add", "alice", "--users"]).arg(&file);
        let output = outcome(command);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("New password for alice: "), "{said}{}", String::from_utf8_lossy(&output.stderr));
        (output.status.code(), said)
    };
    let (code, said) = ask("typed", "mistyped");
    assert!(code == Some(2) && said.contains("differ") && !file.exists(), "{said}");
    let (code, said) = ask("", "");
    assert!(code == Some(2) && said.contains("must not be empty") && !file.exists(), "{said}");
    let (code, said) = ask("typed by hand", "typed by hand");
    assert!(code == Some(0) && said.contains("alice may") && !said.contains("typed by hand"), "{said}");
    assert!(fs::read_to_string(&file).unwrap().contains("$argon2id$"));
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
    let mut honest = Control::over(from([127, 0, 0, 2], server.address())).unwrap();
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

/// A connection from another address of this machine.
fn from(ip: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::from(ip), 0)).into()).unwrap();
    socket.connect_timeout(&to.into(), PATIENCE).unwrap();
    TcpStream::from(socket)
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
