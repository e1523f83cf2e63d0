//! The command line: whoever mistypes gets one line that says what to type instead, and code 2; who is served gets one
//! line as well; and no password ever stands in a log.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::clients::present;
use crate::dialogue::client::{Control, PATIENCE, port_of, read_all};
use crate::server::{PASSWORD, Place, Server, command, program};

/// Runs gftp to its end, which must come soon.
pub fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(program());
    command.args(arguments).env_remove("GFTP_PASSWORD").envs(environment.iter().copied());
    outcome(command)
}

/// What a command comes to that must end soon.
pub fn outcome(mut command: Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    let pid = Pid::from_child(&child);
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(child.wait_with_output()));
    let output = told.recv_timeout(PATIENCE);
    if output.is_err() {
        let _ = kill_process(pid, Signal::KILL);
    }
    output.unwrap_or_else(|_| panic!("{command:?} does not end")).expect("its output")
}

/// One line on stderr, code 2, and each of `hints` in the line.
pub fn assert_mistake(arguments: &[&str], hints: &[&str]) {
    let output = run(arguments, &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "gftp {arguments:?}: {said}");
    assert!(said.ends_with('\n') && said.lines().count() == 1, "gftp {arguments:?} says more than a line:\n{said}");
    assert!(said.starts_with("gftp: "), "{said}");
    assert!(output.stdout.is_empty(), "a mistake is no output");
    for hint in hints {
        assert!(said.contains(hint), "gftp {arguments:?} does not say {hint:?}: {said}");
    }
}

#[test]
fn mistakes_are_one_line_that_says_what_to_type() {
    let root = TempDir::new().unwrap();
    let path = root.path().to_str().unwrap();
    let file = root.path().join("file");
    fs::write(&file, b"x").unwrap();
    let file = file.to_str().unwrap();
    let serve = |rest: &[&'static str]| [&["serve", "--root", path, "--port", "0"], rest].concat();
    assert_mistake(&[], &["gftp serve --root"]);
    assert_mistake(&["sreve"], &["serve"]);
    assert_mistake(&["serve"], &["--root"]);
    assert_mistake(&["serve", "--root"], &["--root"]);
    assert_mistake(&["serve", "--root", "/no/such/folder"], &["/no/such/folder", "folder"]);
    assert_mistake(&["serve", "--root", file], &[file, "folder"]);
    assert_mistake(&serve(&["--anonimous", "read"]), &["--anonimous", "--anonymous"]);
    assert_mistake(&serve(&["--anonymous", "maybe"]), &["--anonymous", "off, read or write"]);
    assert_mistake(&serve(&["--anonymous"]), &["--anonymous"]);
    assert_mistake(&serve(&["--idle", "soon"]), &["soon", "30s"]);
    assert_mistake(&serve(&["--passive-ports", "9-1"]), &["50000-50010"]);
    assert_mistake(&serve(&["--listen", "somewhere"]), &["somewhere", "0.0.0.0"]);
    assert_mistake(&serve(&["--listen", "203.0.113.7"]), &["203.0.113.7", "--listen"]);
    assert_mistake(&serve(&["--max-sessions", "many"]), &["many"]);
    assert_mistake(&serve(&["--log-level", "loud"]), &["loud", "debug"]);
    assert_mistake(&serve(&["--log-file", "/no/such/log"]), &["/no/such/log"]);
    assert_mistake(&serve(&["--log-format", "xml"]), &["--log-format", "text or json"]);
    assert_mistake(&serve(&["--xferlog", "/no/such/log"]), &["--xferlog", "/no/such/log"]);
    assert_mistake(&serve(&["--user", "alice"]), &["GFTP_PASSWORD", "--password-file"]);
    assert_mistake(&serve(&["--user", "alice", "--password-file", "/no/such/file"]), &["/no/such/file"]);
    assert_mistake(&serve(&["--user", "alice", "--password-file", "/dev/null"]), &["first line"]);
    assert_mistake(&serve(&["--password-file", "x"]), &["--user"]);
    assert_mistake(&serve(&["stray"]), &["stray"]);
}

#[test]
fn a_taken_port_is_said_with_another() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let root = TempDir::new().unwrap();
    let next = format!("--port {}", port.wrapping_add(1));
    let port = port.to_string();
    assert_mistake(&["serve", "--root", root.path().to_str().unwrap(), "--port", &port], &[&port, &next]);
}

#[test]
fn a_password_is_never_empty() {
    let root = TempDir::new().unwrap();
    let arguments = ["serve", "--root", root.path().to_str().unwrap(), "--port", "0", "--user", "alice"];
    let output = run(&arguments, &[("GFTP_PASSWORD", "")]);
    assert_eq!(output.status.code(), Some(2));
}

/// Someone at a keyboard is asked, and is not shown what they type; a script of Python's plays them.
#[test]
fn a_password_is_asked_for_at_a_terminal() {
    if !present(&["python3"]) {
        return;
    }
    const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/terminal.py");
    let root = TempDir::new().unwrap();
    let ask = |typed: &str| {
        let mut command = Command::new("python3");
        command.args(["-I", SCRIPT, typed]).arg(program()).args(["serve", "--port", "0", "--user", "alice", "--root"]);
        command.arg(root.path()).env_remove("GFTP_PASSWORD");
        let output = outcome(command);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("Password for alice: "), "nobody was asked: {said}\n{complaint}");
        (output.status.code(), said, complaint)
    };
    let (code, said, complaint) = ask("typed by hand");
    assert_eq!(code, Some(0), "{said}\n{complaint}");
    assert!(said.contains("logged in with what was typed") && !said.contains("typed by hand"), "{said}");
    let (code, said, complaint) = ask("");
    assert_eq!(code, Some(2), "{said}\n{complaint}");
    assert!(said.contains("gftp: the password of alice must not be empty"), "{said}");
    assert!(!said.contains("gftp serves"), "{said}");
}

#[test]
fn help_and_version_are_no_mistakes() {
    for (arguments, wanted) in [
        (&["--help"][..], "serve"),
        (&["serve", "--help"], "--root"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
        (&["commands"], "| Download a file | read | RFC 959 |"),
    ] {
        let output = run(arguments, &[]);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(wanted), "{arguments:?}: {said}");
    }
}

#[test]
fn a_reader_that_has_had_enough_is_no_mistake() {
    let mut child = Command::new(program()).args(["serve", "--help"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_ready_line_says_what_where_to_whom_and_how_to_try() {
    let place = Place::new();
    let server = Server::told_on(place.clone(), &[]);
    let (line, shown) = (server.ready(), place.root().canonicalize().unwrap());
    assert!(line.starts_with(&format!("gftp serves {} on 127.0.0.1:", shown.display())), "{line}");
    assert!(line.contains(" to anyone (reading only)"), "{line}");
    // Both families have the same port, so that "localhost" is right whichever it means.
    let port = server.address().port();
    assert!(line.contains(&format!("and [::1]:{port} to")), "{line}");
    assert!(line.ends_with(&format!("try it: ftp localhost {port}")), "{line}");
    for host in [server.address(), server.address_v6()] {
        TcpStream::connect(host).unwrap();
    }
    assert!(server.log().starts_with(line), "something is said before the line:\n{}", server.log());
    let account = Server::told_on(place.clone(), &["--user", "alice", "--listen", "127.0.0.2"]);
    let line = account.ready();
    assert!(line.contains(" on 127.0.0.2:"), "{line}");
    assert!(!line.contains("127.0.0.1") && !line.contains("::1"), "{line}");
    assert!(line.contains(" to alice (reading and writing)"), "{line}");
    let both = Server::told_on(place, &["--user", "alice", "--anonymous", "read"]);
    let line = both.ready();
    assert!(line.contains("anyone (reading only) and alice (reading and writing)"), "{line}");
}

/// One listener for both families: an IPv4 client of it is an IPv4 client, PASV and all.
#[test]
fn an_address_may_stand_for_both_families() {
    let server = Server::told(&["--listen", "::"]);
    let port = server.address().port();
    assert!(server.ready().contains(&format!(" on [::]:{port} to")), "{}", server.ready());
    for (host, passive) in [("127.0.0.1", "PASV"), ("127.0.0.1", "EPSV"), ("[::1]", "EPSV")] {
        let mut control = Control::anonymous(format!("{host}:{port}").parse().unwrap()).unwrap();
        let reply = control.ask(passive).unwrap();
        let data = port_of(&reply).unwrap_or_else(|| panic!("{passive} from {host}: {}", reply.shown()));
        let mut data = TcpStream::connect(format!("{host}:{data}")).unwrap();
        control.tell("NLST", 150).unwrap();
        read_all(&mut data).unwrap();
        control.expect(226).unwrap();
    }
}

#[test]
fn a_password_file_is_a_password() {
    let place = Place::new();
    let file = place.outside().join("password");
    fs::write(&file, b"from the file\r\nnot this\n").unwrap();
    let options = ["--port", "0", "--user", "alice", "--password-file", file.to_str().unwrap()];
    let mut command = command(place.root(), &options);
    command.env_remove("GFTP_PASSWORD");
    let server = Server::run(command, place);
    let mut control = Control::greeted(server.address()).unwrap();
    control.tell("USER alice", 331).unwrap();
    control.tell("PASS from the file", 230).unwrap();
}

#[test]
fn the_log_has_names_but_no_secrets_and_no_forged_lines() {
    let place = Place::new();
    let log = place.outside().join("log");
    let server =
        Server::start_on(place, &["--user", "alice", "--log-level", "debug", "--log-file", log.to_str().unwrap()]);
    let mut control = Control::greeted(server.address()).unwrap();
    control.tell("USER alice", 331).unwrap();
    control.tell("PASS a wrong guess", 530).unwrap();
    control.tell("USER alice", 331).unwrap();
    control.tell(&format!("PASS {PASSWORD}"), 230).unwrap();
    control.tell("ACCT an account", 202).unwrap();
    control.tell(&format!("pass {PASSWORD}"), 503).unwrap();
    control.send(b"CWD \x1b[31mred\rforged\x07\r\n").unwrap();
    control.expect(550).unwrap();
    let mut data = control.passive().unwrap();
    control.tell("NLST", 150).unwrap();
    read_all(&mut data).unwrap();
    control.expect(226).unwrap();
    control.tell("QUIT", 221).unwrap();
    // The file and stderr are written one after the other, and stderr is read by another thread of this test.
    crate::abuse::eventually("the session's end is in both logs", || {
        let written = fs::read_to_string(&log).unwrap_or_default();
        [written, server.log()].iter().all(|log| log.contains("ended after"))
    });
    let (written, said) = (fs::read_to_string(&log).unwrap(), server.log());
    for text in [&written, &said] {
        for wanted in ["alice", "USER alice", "PASS", "CWD", "logged in", "listed"] {
            assert!(text.contains(wanted), "no {wanted} in the log:\n{text}");
        }
        for secret in [PASSWORD, "a wrong guess", "an account"] {
            assert!(!text.contains(secret), "{secret:?} is in the log:\n{text}");
        }
        assert!(!text.bytes().any(|byte| byte < b' ' && byte != b'\n'), "a control byte is in the log:\n{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("forged")), "a line was forged:\n{text}");
    }
}

#[test]
fn a_log_file_is_appended_to() {
    let place = Place::new();
    let log = place.outside().join("log");
    fs::write(&log, "what was there\n").unwrap();
    let server = Server::start_on(place, &["--log-file", log.to_str().unwrap()]);
    Control::anonymous(server.address()).unwrap();
    crate::abuse::eventually("something is logged", || fs::read_to_string(&log).unwrap().lines().count() > 1);
    assert!(fs::read_to_string(&log).unwrap().starts_with("what was there\n"));
}
