//! Programs as plugins, through the program: how they are asked for, what they share with FTP, and how they end. What one
//! session is, byte for byte, is for plugins/program/tests.

use std::fs;
use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, test_kill_process};

use crate::abuse::{assert_serves, connect_from, eventually};
use crate::command_line::{assert_mistake, run};
use crate::dialogue::client::PATIENCE;
use crate::plugins::{Lines, addresses, alone};
use crate::server::{PASSWORD, Place, Server};

/// The program of the README.
const GREET: &str = "./fixtures/plugins/greet.py";

/// A server with this script of the shell beside FTP, and where the script is served.
fn script(script: &str, options: &[&str]) -> (Server, SocketAddr) {
    let plugin = ["--plugin", "/bin/sh", "--port", "0", "--arg", "-c", "--arg", script];
    let server = Server::start(&[&plugin, options].concat());
    let at = addresses(&server, "sh", 1)[0];
    (server, at)
}

/// What it answers to an empty question.
fn answer(to: SocketAddr) -> String {
    let mut lines = Lines::connect(to);
    lines.stream().shutdown(Shutdown::Write).expect("half a close");
    lines.rest()
}

/// Whether it gets in: else the connection is closed with nothing said.
fn gets_in(stream: TcpStream) -> Option<Lines> {
    let mut lines = Lines::over(stream);
    (lines.line() == "in").then_some(lines)
}

fn greets(at: SocketAddr) {
    let mut lines = Lines::connect(at);
    assert_eq!(lines.line(), format!("Hello, {}. What is your name?", at.ip()));
    lines.say("Alice\n");
    assert_eq!(lines.rest(), "Nice to meet you, Alice.\n");
}

#[test]
fn a_program_stands_beside_ftp() {
    let server = Server::start(&["--plugin", GREET, "--port", "0"]);
    let at = addresses(&server, "greet.py", 1)[0];
    greets(at);
    assert_serves(&server);
    for wanted in ["greet.py: greeted Alice\n", "(greet.py)\n"] {
        eventually("its stderr and its end are logged", || server.log().contains(wanted));
    }
    let log = server.log();
    let number = log.lines().find_map(|line| line.split_once("session ")?.1.strip_suffix(": greet.py: greeted Alice"));
    let number = number.expect("its session's number");
    assert!(log.contains(&format!("session {number}: connection from 127.0.0.1:")), "{log}");
}

#[test]
fn a_program_runs_alone() {
    let server = alone(&[GREET, "--port", "0"]);
    for at in [server.address(), server.address_v6()] {
        greets(at);
    }
}

#[test]
fn mistakes_with_programs_are_one_line_that_says_what_to_type() {
    let place = Place::new();
    let path = place.root().to_str().unwrap();
    let serve = |rest: &[&'static str]| [&["serve", "--root", path, "--port", "0"], rest].concat();
    assert_mistake(&serve(&["--plugin", "./no/such.py", "--port", "0"]), &["--plugin ./no/such.py: there is no such"]);
    assert_mistake(&serve(&["--plugin", "./tests", "--port", "0"]), &["--plugin ./tests: that is a folder"]);
    assert_mistake(&serve(&["--plugin", "./README.md", "--port", "0"]), &["chmod +x ./README.md"]);
    assert_mistake(&serve(&["--plugin", GREET]), &[GREET, "--port 9000"]);
    assert_mistake(&serve(&["--plugin", GREET, "--port", "0", "--idle", "soon"]), &["soon", "250ms"]);
    assert_mistake(&serve(&["--plugin", GREET, "--port", "0", "--args", "x"]), &["--args", "--arg"]);
    assert_mistake(&["./no/such.py", "--port", "0"], &["./no/such.py: there is no such"]);
}

/// A group's own limits, below those of the process.
#[test]
fn a_programs_sessions_are_counted() {
    let (server, at) = script("echo in; exec cat", &["--max-sessions", "3", "--max-per-ip", "2"]);
    let from = |host| gets_in(connect_from([127, 0, 0, host], at));
    let first = from(2).expect("there is room");
    let _second = from(2).expect("there is room");
    assert!(from(2).is_none(), "one address may have two");
    let _third = from(3).expect("there is room");
    assert!(from(4).is_none(), "all may have three");
    assert_serves(&server);
    drop(first);
    eventually("there is room again", || from(4).is_some());
}

/// And where it has none: processes are dear, so there are fewer than others may have.
#[test]
fn programs_are_fewer_than_sessions() {
    const USUAL: usize = 100;
    let beside = script("echo in; exec cat", &["--max-per-ip", "1000"]);
    let words = ["/bin/sh", "--port", "0", "--max-per-ip", "1000", "--arg", "-c", "--arg", "echo in; exec cat"];
    let server = alone(&words);
    let at = server.address();
    for (server, at) in [beside, (server, at)] {
        let inside: Vec<_> = (0..USUAL).map(|_| gets_in(connect_from([127, 0, 1, 1], at))).collect();
        assert!(inside.iter().all(Option::is_some));
        assert!(gets_in(connect_from([127, 0, 2, 1], at)).is_none());
        drop(inside);
        eventually("there is room again", || gets_in(connect_from([127, 0, 2, 1], at)).is_some());
        drop(server);
    }
}

/// The help says so, and not what is usual for others.
#[test]
fn the_help_of_a_program_knows_what_is_usual_for_it() {
    for words in [&[GREET, "--help"][..], &["serve", "--root", "x", "--plugin", GREET, "--help"]] {
        let help = String::from_utf8(run(words, &[]).stdout).unwrap();
        assert!(help.contains("--kill-after") && help.contains("[default: 100]"), "{words:?}: {help}");
        assert!(!help.contains("10000"), "{words:?}: {help}");
    }
}

/// Whatever the server holds open and knows is no program's business.
#[test]
fn a_program_gets_no_secret_and_no_descriptor() {
    const SCRIPT: &str = "env; for fd in $(ls /proc/$$/fd); do test -e /proc/$$/fd/$fd && echo fd $fd; done";
    let place = Place::new();
    let log = place.outside().join("log");
    let words = ["--anonymous", "off", "--user", "alice", "--log-file", log.to_str().unwrap()];
    let plugin = ["--plugin", "/bin/sh", "--port", "0", "--arg", "-c", "--arg", SCRIPT];
    let server = Server::told_on(place, &[&words[..], &plugin].concat());
    let at = addresses(&server, "sh", 1)[0];
    let _others: Vec<_> = (0..5).flat_map(|_| [server.address(), at].map(TcpStream::connect)).collect();
    let found = answer(at);
    assert!(found.contains("GFTP_PEER=127.0.0.1\n") && !found.contains(PASSWORD), "{found}");
    let by_hand = Command::new("/bin/sh").args(["-c", SCRIPT]).output().unwrap();
    let descriptors =
        |text: &str| text.lines().filter(|line| line.starts_with("fd ")).map(str::to_string).collect::<Vec<_>>();
    assert_eq!(descriptors(&found), descriptors(&String::from_utf8_lossy(&by_hand.stdout)));
}

#[test]
fn a_drain_asks_programs_to_end() {
    let (mut server, at) = script("trap 'echo bye; exit' TERM; echo in; while :; do sleep 0.01; done", &[]);
    let mut inside = gets_in(TcpStream::connect(at).unwrap()).expect("there is room");
    server.signal(Signal::TERM);
    assert_eq!(inside.rest(), "bye\n");
    drop(inside);
    let (_, code) = server.ended();
    assert_eq!(code, Some(0));
}

/// A program that does not end when it is asked to, and what it has started.
#[test]
fn no_program_outlives_the_server() {
    let stubborn = "trap '' TERM; sleep 1000 & echo in; echo $!; echo $$; while :; do sleep 0.01; done";
    let (mut server, at) = script(stubborn, &["--kill-after", "1h", "--grace", "200ms"]);
    let mut inside = gets_in(TcpStream::connect(at).unwrap()).expect("there is room");
    let numbers = [inside.line(), inside.line()].map(|number| number.parse().ok().and_then(Pid::from_raw).unwrap());
    server.signal(Signal::TERM);
    let mut rest = Vec::new();
    inside.stream().set_read_timeout(Some(PATIENCE)).unwrap();
    // An end or a reset, as it comes.
    let _ = (&mut inside.stream()).read_to_end(&mut rest);
    let (_, code) = server.ended();
    assert_eq!(code, Some(0));
    for number in numbers {
        eventually("it is gone", || test_kill_process(number).is_err() || is_zombie(number));
    }
}

/// Whether a process is dead and only waits for its new parent to notice.
fn is_zombie(number: Pid) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(number.as_raw_nonzero().to_string()).join("stat"));
    stat.is_ok_and(|stat| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z')))
}
