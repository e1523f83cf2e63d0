//! Plugins through the program: how they are asked for, what they share with FTP, and how they end. What each of them
//! says and when is for tests/services.

/// FTP, two clocks and a reverb in one process under two thousand connections, and their end.
mod crowd;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::abuse::{connect_from, eventually};
use crate::clients::present;
use crate::command_line::{assert_mistake, outcome, run};
use crate::dialogue::client::{Control, PATIENCE};
use crate::server::{Place, Server, program};

/// Where the services of this name listen on IPv4, in the order they were asked for.
pub fn addresses(server: &Server, name: &str, count: usize) -> Vec<SocketAddr> {
    let prefix = format!("gftp serves {name} on ");
    let mut found = Vec::new();
    eventually("every service says where it is", || {
        let log = server.log();
        let lines = log.lines().filter_map(|line| line.strip_prefix(&prefix));
        found = lines.filter_map(|rest| rest.split([' ', ';']).next()?.parse().ok()).collect();
        found.len() >= count
    });
    found
}

/// A connection whose lines can be read.
pub struct Lines(BufReader<TcpStream>);

impl Lines {
    pub fn connect(to: SocketAddr) -> Lines {
        Lines::over(TcpStream::connect(to).expect("the service listens"))
    }

    pub fn over(stream: TcpStream) -> Lines {
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        Lines(BufReader::new(stream))
    }

    pub fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).expect("it is taken");
    }

    /// The next line, without its end; empty at the end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line, in time");
        line.trim_end_matches('\n').to_string()
    }

    /// All that comes until the end.
    pub fn rest(&mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).expect("an end, in time");
        text
    }

    pub fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }
}

/// Options of a reverb that says all at once.
const REVERB: [&str; 6] = ["--plugin", "reverb", "--port", "0", "--delay", "0s"];

#[test]
fn mistakes_with_plugins_are_one_line_that_says_what_to_type() {
    let place = Place::new();
    let path = place.root().to_str().unwrap();
    let serve = |rest: &[&'static str]| [&["serve", "--root", path, "--port", "0"], rest].concat();
    assert_mistake(&serve(&["--plugin"]), &["name", "gftp plugins"]);
    assert_mistake(&serve(&["--plugin", "--port", "1"]), &["name", "gftp plugins"]);
    assert_mistake(&serve(&["--plugin", "cuckoo"]), &["cuckoo", "clock", "reverb", "./PROGRAM"]);
    assert_mistake(&serve(&["--plugin", "netcat"]), &["netcat", "alone"]);
    assert_mistake(&serve(&["--plugin", "reverb", "--port"]), &["--port", "gftp reverb --help"]);
    assert_mistake(&serve(&["--plugin", "reverb", "--port", "x"]), &["x", "--port"]);
    assert_mistake(&serve(&["--plugin", "reverb", "--delay", "soon"]), &["soon", "250ms"]);
    assert_mistake(&serve(&["--plugin", "reverb", "--delai", "1s"]), &["--delai", "--delay"]);
    assert_mistake(&serve(&["--plugin", "reverb", "--anonimous", "read"]), &["--anonimous", "--anonymous"]);
    assert_mistake(&serve(&["--plugin", "reverb", "stray"]), &["stray", "gftp reverb --help"]);
    assert_mistake(&serve(&["--plugin", "reverb", "--plain", "--sequential"]), &["--plain", "--sequential"]);
    assert_mistake(&serve(&["--delay", "1s", "--plugin", "reverb"]), &["--delay", "behind --plugin reverb"]);
    assert_mistake(&serve(&["--plugin", "reverb", "--listen", "203.0.113.7"]), &["203.0.113.7", "reverb"]);
    assert_mistake(&["serve", "--plugin", "reverb", "--port", "0"], &["--root"]);
    assert_mistake(&["reverb", "--prot", "1"], &["--prot", "--port", "gftp reverb --help"]);
    assert_mistake(&["reverp"], &["reverb"]);
    assert_mistake(&serve(&["--plugin", "reverb", "--max-sessions", "0"]), &["--max-sessions", "at least 1"]);
    assert_mistake(&["clock", "--port", "0", "--max-per-ip", "0"], &["--max-per-ip", "at least 1"]);
    assert_mistake(&["clock", "--port", "0", "--format", ""], &["--format", "%H:%M:%S"]);
    assert_mistake(&["netcat", "localhost"], &["localhost", "HOST:PORT"]);
    assert_mistake(&["clockwall", "A=localhost:1", "A=localhost:2"], &["A"]);
    assert_mistake(&["clockwall", "localhost:1"], &["NAME=HOST:PORT"]);
}

#[test]
fn two_services_want_one_port() {
    let place = Place::new();
    let serve = ["serve", "--root", place.root().to_str().unwrap(), "--port", "40021"];
    let both = |rest: &[&'static str]| [&serve[..], rest].concat();
    assert_mistake(&both(&["--plugin", "reverb", "--port", "40021"]), &["ftp and reverb", "40021", "--port 40022"]);
    assert_mistake(
        &both(&["--plugin", "clock", "--port", "40022", "--plugin", "reverb", "--port", "40022"]),
        &["clock and reverb", "--port 40023"],
    );
    assert_mistake(&both(&["--plugin", "reverb", "--plugin", "reverb"]), &["reverb and reverb", "8001"]);
    assert_mistake(
        &both(&["--listen", "::", "--plugin", "reverb", "--port", "40021", "--listen", "127.0.0.1"]),
        &["ftp and reverb", "40021"],
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let words =
        ["serve", "--root", place.root().to_str().unwrap(), "--port", "0", "--plugin", "reverb", "--port", &port];
    assert_mistake(&words, &[&port, "for reverb", "another program"]);
}

#[test]
fn the_list_of_plugins_has_each_with_its_options() {
    let listed = run(&["plugins"], &[]);
    assert!(listed.status.success() && listed.stderr.is_empty());
    let listed = String::from_utf8(listed.stdout).unwrap();
    for wanted in
        ["clock: ", "--tz", "reverb: ", "--delay", "netcat: ", "--read-only", "clockwall: ", "--once", "./PROGRAM"]
    {
        assert!(listed.contains(wanted), "no {wanted} in the list:\n{listed}");
    }
    for words in [&["reverb", "--help"][..], &["serve", "--root", "x", "--plugin", "reverb", "--help"]] {
        let help = String::from_utf8(run(words, &[]).stdout).unwrap();
        assert!(help.contains("--delay") && help.contains("--max-per-ip"), "{words:?}: {help}");
        assert!(!help.contains("--anonymous"), "{words:?}: {help}");
    }
    let serve = String::from_utf8(run(&["serve", "--help"], &[]).stdout).unwrap();
    assert!(serve.contains("--plugin"), "{serve}");
}

/// Each option finds its owner, wherever it stands.
#[test]
fn options_are_the_plugins_or_the_servers() {
    let options = [&REVERB[..], &["--anonymous", "write", "--plugin", "reverb", "--port", "0", "--plain"]].concat();
    let server = Server::told(&options);
    let reverbs = addresses(&server, "reverb", 2);
    assert!(server.ready().contains("anyone (reading and writing)"), "{}", server.ready());
    let mut first = Lines::connect(reverbs[0]);
    first.say("Grüße\n");
    assert_eq!([first.line(), first.line(), first.line()], ["\t GRÜSSE", "\t Grüße", "\t grüße"]);
    let mut second = Lines::connect(reverbs[1]);
    second.say("Grüße\n");
    assert_eq!(second.line(), "Grüße");
}

/// What is said twice is meant once, and one family's all is not the other's one.
#[test]
fn an_address_may_be_said_twice() {
    let twice = ["--listen", "127.0.0.2", "--listen", "127.0.0.2"];
    let server = Server::told(&[&twice[..], &REVERB].concat());
    assert_eq!(server.ready().matches("127.0.0.2").count(), 1, "{}", server.ready());
}

/// A plugin listens where FTP does, unless it is told otherwise.
#[test]
fn a_plugin_listens_where_ftp_listens() {
    let own = ["--plugin", "reverb", "--port", "0", "--listen", "127.0.0.3"];
    let server = Server::told(&[&["--listen", "127.0.0.2"], &REVERB[..], &own].concat());
    let hosts: Vec<_> = addresses(&server, "reverb", 2).iter().map(|at| at.ip().to_string()).collect();
    assert_eq!(hosts, ["127.0.0.2", "127.0.0.3"]);
}

/// A service that runs alone, and no FTP anywhere.
pub fn alone(words: &[&str]) -> Server {
    let mut command = Command::new(program());
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Server::run(command, Place::new())
}

#[test]
fn a_service_runs_alone() {
    let server = alone(&["reverb", "--port", "0", "--delay", "0s"]);
    assert!(server.ready().contains(" try it: gftp netcat localhost:"), "{}", server.ready());
    for at in [server.address(), server.address_v6()] {
        let mut shout = Lines::connect(at);
        shout.say("Hey\n");
        shout.stream().shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(shout.rest(), "\t HEY\n\t Hey\n\t hey\n");
    }
    assert!(!server.log().contains("to anyone"), "FTP is served: {}", server.log());
}

/// The places of the process are those of all services together; a plugin's own are within them.
#[test]
fn services_share_the_places_of_the_process() {
    let server = Server::told(&[&["--max-sessions", "3", "--max-per-ip", "2"], &REVERB[..]].concat());
    let reverb = addresses(&server, "reverb", 1)[0];
    let (here, there, elsewhere) = ([127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3]);
    let mut ftp = Control::over(connect_from(here, server.address())).unwrap();
    ftp.expect(220).unwrap();
    let mut shout = Lines::over(connect_from(here, reverb));
    shout.say("a\n");
    assert_eq!(shout.line(), "\t A");
    // Two from one address, of two services: a third is turned away by either, in its own words.
    let mut third = Control::over(connect_from(here, server.address())).unwrap();
    assert!(third.expect(421).unwrap().shown().contains("2 sessions"));
    assert!(Lines::over(connect_from(here, reverb)).line().contains("2 sessions"));
    let mut other = Lines::over(connect_from(there, reverb));
    other.say("b\n");
    assert_eq!(other.line(), "\t B");
    assert!(Lines::over(connect_from(elsewhere, reverb)).line().contains("All 3 places"));
    let mut fourth = Control::over(connect_from(elsewhere, server.address())).unwrap();
    assert!(fourth.expect(421).unwrap().shown().contains("All 3 places"));
    drop(shout);
    eventually("a place is given back", || {
        Control::over(connect_from(elsewhere, server.address())).unwrap().expect(220).is_ok()
    });
}

#[test]
fn a_plugin_may_have_fewer_places_of_its_own() {
    let few = ["--max-sessions", "2", "--max-per-ip", "1"];
    let server = Server::told(&[&REVERB[..], &few, &["--plugin", "reverb", "--port", "0"]].concat());
    let reverbs = addresses(&server, "reverb", 2);
    let shouts = |from: u8, to: SocketAddr| {
        let mut lines = Lines::over(connect_from([127, 0, 0, from], to));
        lines.say("a\n");
        (lines.line(), lines)
    };
    let (first, _held) = shouts(1, reverbs[0]);
    assert_eq!(first, "\t A");
    assert!(shouts(1, reverbs[0]).0.contains("1 sessions"));
    let (second, _held) = shouts(2, reverbs[0]);
    assert_eq!(second, "\t A");
    assert!(shouts(3, reverbs[0]).0.contains("All 2 places"));
    // Neither FTP nor the other reverb has fewer for that.
    let (free, _held) = shouts(1, reverbs[1]);
    assert_eq!(free, "\t A");
    Control::over(connect_from([127, 0, 0, 1], server.address())).unwrap().expect(220).unwrap();
}

/// What comes from a browser is not answered by a line protocol, and not echoed by one that takes bytes.
#[test]
fn http_is_not_answered_by_a_plugin() {
    let server = Server::told(&[&REVERB[..], &["--plugin", "reverb", "--port", "0", "--plain"]].concat());
    for reverb in addresses(&server, "reverb", 2) {
        let mut browser = Lines::connect(reverb);
        browser.say("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n<script>alert(1)</script>\r\n");
        let mut said = String::new();
        // A reset is as good an end as any.
        let _ = browser.0.read_to_string(&mut said);
        assert_eq!(said, "");
    }
    eventually("both are noted", || server.log().matches("speaks HTTP").count() == 2);
}

/// A peer that shouts and never listens, and one that shouts without pause.
#[test]
fn a_reverb_owes_a_bounded_amount() {
    // What is owed in an hour is not waited for at the end.
    let server = Server::told(&["--grace", "100ms", "--plugin", "reverb", "--port", "0", "--delay", "1h"]);
    let reverb = addresses(&server, "reverb", 1)[0];
    let mut stream = TcpStream::connect(reverb).unwrap();
    let before = server.memory();
    stream.set_nonblocking(true).unwrap();
    let shout = [&[b'a'; 1023][..], b"\n"].concat();
    // What the kernel takes for us ends when the server reads no more.
    let mut sent = 0;
    let mut refusals = 0;
    while refusals < 1000 {
        match stream.write(&shout) {
            Ok(count) => (sent, refusals) = (sent + count, 0),
            Err(_) => {
                std::thread::yield_now();
                refusals += 1;
            }
        }
        assert!(sent < 64 * 1024 * 1024, "it listens for ever");
    }
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 1024, "{grown} KiB for one that shouts");
    // Others are heard meanwhile.
    let mut other = Lines::connect(reverb);
    other.say("b\n");
    assert_eq!(other.line(), "\t B");
}

#[test]
fn a_session_of_a_plugin_has_its_line_in_the_log() {
    let server = Server::told(&[&REVERB[..], &["--log-format", "json"]].concat());
    let reverb = addresses(&server, "reverb", 1)[0];
    let mut shout = Lines::connect(reverb);
    shout.say("a\n");
    shout.line();
    let port = shout.stream().local_addr().unwrap().port();
    drop(shout);
    let wanted = ["\"event\":\"session_end\"", "\"service\":\"reverb\"", &format!("\"peer_port\":{port}")];
    eventually("the session is in the log", || {
        server.log().lines().any(|line| wanted.iter().all(|wanted| line.contains(wanted)))
    });
}

/// netcat-openbsd and telnet, as people have them.
#[test]
fn real_clients_of_a_reverb() {
    let server = Server::told(&REVERB);
    let reverb = addresses(&server, "reverb", 1)[0];
    if present(&["nc"]) {
        let mut command = Command::new("sh");
        command.args(["-c", "echo Hello | nc -N 127.0.0.1 $PORT"]).env("PORT", reverb.port().to_string());
        assert_eq!(String::from_utf8(outcome(command).stdout).unwrap(), "\t HELLO\n\t Hello\n\t hello\n");
    }
    if present(&["telnet"]) {
        // telnet leaves when its input ends, whatever it is still owed: so the server is the first to leave.
        let server = Server::told(&[&REVERB[..], &["--idle", "300ms"]].concat());
        let port = addresses(&server, "reverb", 1)[0].port();
        let script = "dir=$(mktemp -d); mkfifo $dir/in; telnet 127.0.0.1 $PORT < $dir/in & \
                      exec 3> $dir/in; echo Hello >&3; wait; rm -r $dir";
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("PORT", port.to_string());
        let said = String::from_utf8(outcome(command).stdout).unwrap();
        assert!(said.contains("\t HELLO") && said.contains("\t hello"), "{said}");
    }
}

/// Owed echoes are delivered before the end, by each in its own words.
#[test]
fn a_drain_lets_every_service_finish() {
    let server = Server::told(&["--plugin", "reverb", "--port", "0", "--delay", "300ms"]);
    let reverb = addresses(&server, "reverb", 1)[0];
    let mut ftp = Control::greeted(server.address()).unwrap();
    let mut shout = Lines::connect(reverb);
    shout.say("Bye\n");
    assert_eq!(shout.line(), "\t BYE");
    let mut server = server;
    server.signal(Signal::TERM);
    ftp.expect(421).unwrap();
    assert_eq!(shout.rest(), "\t Bye\n\t bye\n");
    let (_, code) = server.ended();
    assert_eq!(code, Some(0));
}

/// What plugins/README.md shows is what stands in examples/, and does what it says.
#[test]
fn a_plugin_of_ones_own_is_written_in_forty_lines() {
    let base = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(base.join("plugins/README.md")).unwrap();
    let shown = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let example = std::fs::read_to_string(base.join("examples/own_plugin.rs")).unwrap();
    let (introduction, code) = example.split_once("\n\n").unwrap();
    assert!(introduction.starts_with("//!") && code == shown, "plugins/README.md does not show examples/own_plugin.rs");
    assert!(code.lines().count() <= 40);
    let built = std::path::PathBuf::from(program()).with_file_name("examples").join("own_plugin");
    assert!(built.exists(), "build it: cargo build --release --examples");
    let place = Place::new();
    let mut command = Command::new(built);
    command.args(["serve", "--root"]).arg(place.root()).args(["--port", "0", "--plugin", "mirror", "--port", "0"]);
    command.args(["--greeting", "Mirror, mirror", "--plugin", "reverb", "--port", "0"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let server = Server::run(command, place);
    let mut mirror = Lines::connect(addresses(&server, "mirror", 1)[0]);
    mirror.say("Was it a car or a cat I saw?\n");
    mirror.stream().shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(mirror.rest(), "Mirror, mirror\n?was I tac a ro rac a ti saW\n");
    Control::greeted(server.address()).unwrap();
}
