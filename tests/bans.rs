//! Bans, rates and networks, of all services alike: who is turned away for what, for how long, and what an administrator
//! sees and lifts. Everybody comes from loopback, so the server is told to exempt nobody.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use socket2::{Domain, Socket, Type};

use crate::abuse::eventually;
use crate::command_line::outcome;
use crate::dialogue::client::{Control, Outcome, PATIENCE, Reply, read_all};
use crate::plugins::addresses;
use crate::server::{PASSWORD, Place, Server, USER, program};

/// Whoever offends in these tests, and somebody else of the same network.
const ONE: [u8; 4] = [127, 0, 1, 1];
const NEIGHBOUR: [u8; 4] = [127, 0, 1, 2];

/// A server with an account that bans soon, with these options too.
fn server(options: &[&str]) -> Server {
    server_on(Place::new(), options)
}

fn server_on(place: Place, options: &[&str]) -> Server {
    let usual = ["--anonymous", "read", "--user", USER, "--ban-exempt", "none"];
    let few: &[&str] = if options.contains(&"--ban-after") { &[] } else { &["--ban-after", "5"] };
    Server::told_on(place, &[&usual[..], few, options].concat())
}

/// A connection from there, unless it is reset before it is looked at.
fn knock(from: [u8; 4], to: SocketAddr) -> Option<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((from, 0)).into()).expect("every address of 127/8 is ours");
    match socket.connect_timeout(&to.into(), PATIENCE) {
        Ok(()) => Some(socket.into()),
        Err(e) if e.kind() == ErrorKind::ConnectionReset => None,
        Err(e) => panic!("cannot connect: {e}"),
    }
}

/// What the server says first to somebody who comes from there.
fn first_word(from: [u8; 4], to: SocketAddr) -> Outcome<(Control, Reply)> {
    let mut control = Control::over(knock(from, to).ok_or("reset")?)?;
    let reply = control.reply()?;
    Ok((control, reply))
}

fn greeted(from: [u8; 4], to: SocketAddr) -> Control {
    let (control, reply) = first_word(from, to).expect("a greeting");
    assert_eq!(reply.code, 220, "{}", reply.shown());
    control
}

fn log_in(control: &mut Control) -> Outcome<Reply> {
    control.tell(&format!("USER {USER}"), 331)?;
    control.ask(&format!("PASS {PASSWORD}"))
}

/// Guesses until it is over; how many guesses that were.
fn guess(from: [u8; 4], to: SocketAddr) -> usize {
    let mut guesses = 0;
    while let Ok((mut control, Reply { code: 220, .. })) = first_word(from, to) {
        while control.tell(&format!("USER {USER}"), 331).is_ok() {
            guesses += 1;
            if control.tell(&format!("PASS guess {guesses}"), 530).is_err() {
                break;
            }
        }
        assert!(guesses < 100, "a hundred guesses and no ban");
    }
    guesses
}

/// `gftp bans` with these words.
fn bans(words: &[&str], file: &Path) -> (String, bool) {
    let mut command = Command::new(program());
    command.arg("bans").args(words).arg("--bans").arg(file);
    let output = outcome(command);
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (text, output.status.success())
}

#[test]
fn guesses_bring_a_ban_that_is_said_and_hurts_nobody_else() {
    let server = server(&[]);
    let mut inside = greeted(ONE, server.address());
    log_in(&mut inside).expect("whoever has the password is in");
    let mut undecided = greeted(ONE, server.address());
    assert_eq!(guess(ONE, server.address()), 6);
    let line = || server.log().lines().find(|line| line.contains("banned 127.0.1.1 until ")).map(str::to_string);
    eventually("the ban is in the log", || line().is_some());
    let line = line().expect("it is there");
    assert!(line.contains(": wrong passwords from 127.0.1.1 (ban 1)"), "{line}");
    let (mut control, reply) = first_word(ONE, server.address()).expect("the first are told");
    assert!(reply.code == 421 && reply.shown().contains("banned for"), "{}", reply.shown());
    control.closed().expect("and that is all");
    // Later ones are not even told.
    eventually("the ban is silent", || first_word(ONE, server.address()).is_err());
    undecided.closed().expect("who has not logged in is shown out");
    inside.tell("NOOP", 200).expect("who has stays");
    assert_eq!(
        log_in(&mut greeted(NEIGHBOUR, server.address())).map(|reply| reply.code),
        Ok(230),
        "so does a neighbour"
    );
}

/// Who had logged in before the ban stays as whom he has logged in, and not to guess on as a stranger.
#[test]
fn who_stays_in_spite_of_a_ban_does_not_guess_on() {
    let server = server(&[]);
    let mut inside: Vec<_> = (0..10).map(|_| greeted(ONE, server.address())).collect();
    for control in &mut inside {
        control.tell("USER ftp", 331).and_then(|_| control.tell("PASS x", 230)).expect("everybody may visit");
    }
    assert_eq!(guess(ONE, server.address()), 6);
    for (number, control) in inside.iter_mut().enumerate() {
        control.tell("NOOP", 200).expect("who is in stays");
        // Its answer may still come, and nothing behind it.
        let _ = control.tell(&format!("USER {USER}"), 331);
        assert!(control.ask(&format!("PASS other {number}")).is_err(), "it guesses on");
    }
    greeted(NEIGHBOUR, server.address());
}

#[test]
fn a_forgetful_user_locks_nobody_out() {
    let server = server(&[]);
    let mut control = greeted(ONE, server.address());
    for round in 0..5 {
        for number in 0..4 {
            control.tell(&format!("USER {USER}"), 331).unwrap();
            control.tell(&format!("PASS mistyped {round} {number}"), 530).unwrap();
        }
        assert_eq!(log_in(&mut control).map(|reply| reply.code), Ok(230));
    }
}

/// A program that was forgotten when the password was changed comes every minute for a year.
#[test]
fn an_old_password_is_no_guess() {
    let server = server(&[]);
    for _ in 0..4 {
        let mut control = greeted(ONE, server.address());
        for _ in 0..4 {
            control.tell(&format!("USER {USER}"), 331).unwrap();
            control.tell("PASS old", 530).unwrap();
        }
    }
    assert!(!server.log().contains("banned"), "sixteen times the same is one guess");
}

/// Whoever visits without a password has shown nothing by it.
#[test]
fn visits_without_an_account_forgive_no_guesses() {
    let server = server(&[]);
    let mut guesses = 0;
    'over: while guesses < 50 {
        let Ok((mut control, Reply { code: 220, .. })) = first_word(ONE, server.address()) else { break };
        for _ in 0..3 {
            guesses += 1;
            let told = control.tell(&format!("USER {USER}"), 331).and_then(|_| control.ask(&format!("PASS {guesses}")));
            if told.is_err() || control.tell("USER ftp", 331).and_then(|_| control.tell("PASS x", 230)).is_err() {
                break 'over;
            }
        }
    }
    assert_eq!(guesses, 6);
}

#[test]
fn other_offences_count_too() {
    for (what, says, why) in [
        ("a browser", &b"GET / HTTP/1.1\r\n\r\n"[..], "HTTP"),
        ("an endless line", &[b'x'; 10_000], "lines without end"),
        ("noise", &b"\x17\x03\x01\n".repeat(100), "unknown commands"),
        ("TLS where there is none", b"\x16\x03\x01\x02\x00\x01\x00", "failed TLS handshakes"),
    ] {
        let server = server(&[]);
        let banned = || server.log().contains(&format!(": {why} from 127.0.1.1"));
        eventually(&format!("{what} is banned"), || {
            let Some(mut stream) = knock(ONE, server.address()) else { return banned() };
            let _ = stream.write_all(says);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = read_all(&mut stream);
            banned()
        });
        greeted(NEIGHBOUR, server.address());
    }
}

#[test]
fn who_says_nothing_until_the_time_is_over_is_banned_in_the_end() {
    let server = server(&["--login-timeout", "100ms", "--ban-after", "1"]);
    for _ in 0..3 {
        greeted(ONE, server.address()).expect(421).expect("the time is over");
    }
    eventually("it is banned", || server.log().contains(": connections without a login from 127.0.1.1"));
}

/// Not a line of theirs is about bans.
#[test]
fn plugins_are_behind_the_same_guard() {
    let server = server(&["--plugin", "reverb", "--port", "0"]);
    let (ftp, reverb) = (server.address(), addresses(&server, "reverb", 1)[0]);
    for _ in 0..6 {
        let Some(mut stream) = knock(ONE, reverb) else { break };
        let _ = stream.write_all(b"GET / HTTP/1.1\r\n\r\n");
        let _ = read_all(&mut stream);
    }
    eventually("who misbehaves at one is banned", || server.log().contains("HTTP from 127.0.1.1"));
    let (_, reply) = first_word(ONE, ftp).expect("a word at the other");
    assert_eq!(reply.code, 421, "at the other too");
    assert!(is_closed(ONE, reverb) && !is_closed(NEIGHBOUR, reverb));
}

#[test]
fn a_plugin_alone_has_a_guard() {
    let mut command = Command::new(program());
    command.args(["clock", "--port", "0", "--ban-exempt", "none", "--ban-after", "5", "--max-rate", "1"]);
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped());
    let server = Server::run(command, Place::new());
    // All at once, and only then looked at: who waits may come again.
    let all: Vec<_> = (0..200).map(|_| knock(ONE, server.address())).collect();
    let refused = all.into_iter().map(|stream| stream.is_none_or(is_ended)).filter(|&is_ended| is_ended).count();
    assert!(refused >= 150, "only {refused} of 200 connections at once were turned away");
    eventually("that is said", || server.log().contains("too many connections from 127.0.1.1"));
    assert!(!is_closed(NEIGHBOUR, server.address()));
}

/// Whether a connection from there is ended by the server, with a word or without.
fn is_closed(from: [u8; 4], to: SocketAddr) -> bool {
    knock(from, to).is_none_or(is_ended)
}

fn is_ended(mut stream: TcpStream) -> bool {
    // Less than from one tick of a clock to the next; a reverb waits for ever.
    stream.set_read_timeout(Some(Duration::from_millis(700))).expect("a timeout");
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => true,
        Err(e) => e.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn connections_in_quick_succession_are_turned_away_before_they_cost_anything() {
    let server = server(&["--max-rate", "10", "--ban", "off"]);
    let told: Vec<_> = (0..60).map(|_| first_word(ONE, server.address()).map(|(_, reply)| reply)).collect();
    let served = told.iter().filter(|told| told.as_ref().is_ok_and(|reply| reply.code == 220)).count();
    // As many as may come at once, and some that came meanwhile.
    assert!((40..58).contains(&served), "{served} of 60");
    let slower = told.iter().flatten().filter(|reply| reply.code == 421 && reply.shown().contains("slow down"));
    assert!(slower.count() >= 1, "one of them is told why");
    greeted(NEIGHBOUR, server.address());
    eventually("who waits may come again", || {
        std::thread::sleep(Duration::from_millis(100));
        first_word(ONE, server.address()).is_ok_and(|(_, reply)| reply.code == 220)
    });
    assert!(!server.log().contains("banned"));
}

#[test]
fn loopback_is_exempt_unless_told_otherwise() {
    let server = Server::told(&["--anonymous", "off", "--user", USER, "--ban-after", "1", "--max-rate", "1"]);
    for number in 0..20 {
        let mut control = greeted(ONE, server.address());
        control.tell(&format!("USER {USER}"), 331).unwrap();
        control.tell(&format!("PASS guess {number}"), 530).unwrap();
    }
    assert!(!server.log().contains("banned"));
}

#[test]
fn networks_are_allowed_and_denied_for_each_service() {
    let words = ["--allow", "127.0.1.0/24,127.0.2.0/24", "--deny", "127.0.2.2", "--plugin", "reverb", "--port", "0"];
    let server = Server::told(&[&words[..], &["--allow", "127.0.3.0/24"]].concat());
    let (ftp, reverb) = (server.address(), addresses(&server, "reverb", 1)[0]);
    for (from, at_ftp, at_reverb) in [
        (ONE, true, false),
        ([127, 0, 2, 1], true, false),
        ([127, 0, 2, 2], false, false),
        ([127, 0, 3, 1], false, true),
    ] {
        let (_, reply) = first_word(from, ftp).unwrap();
        assert_eq!(reply.code == 220, at_ftp, "{from:?}: {}", reply.shown());
        assert!(at_ftp || reply.code == 421 && reply.shown().contains("not open to your address"));
        // What was denied to all is denied to a plugin, too.
        assert_eq!(!is_closed(from, reverb), at_reverb, "{from:?}");
    }
}

#[test]
fn bans_outlive_the_server_and_are_lifted_while_it_runs() {
    let place = Place::new();
    let file = place.outside().join("bans.json");
    let options = ["--bans", file.to_str().unwrap()];
    let mut server = server_on(place.clone(), &options);
    assert_eq!(guess(ONE, server.address()), 6);
    server.signal(Signal::TERM);
    server.ended();

    let (listed, _) = bans(&["list"], &file);
    assert!(listed.starts_with("127.0.1.1  until 20") && listed.contains("wrong passwords (ban 1)"), "{listed}");
    let server = server_on(place, &options);
    assert_eq!(first_word(ONE, server.address()).unwrap().1.code, 421, "the next server knows");

    let (told, done) = bans(&["lift", "127.0.1.9"], &file);
    assert!(!done && told.contains("127.0.1.9 is not banned"), "{told}");
    let (told, done) = bans(&["lift", "127.0.1.1"], &file);
    assert!(done && told == "127.0.1.1 is no longer banned\n", "{told}");
    eventually("the server knows", || server.log().contains("no longer banned: 127.0.1.1"));
    greeted(ONE, server.address());

    // A second ban, which the server writes itself, is lifted with all others.
    assert_eq!(guess(ONE, server.address()), 6);
    eventually("the ban is kept", || bans(&["list"], &file).0.contains("127.0.1.1 "));
    assert_eq!(bans(&["lift", "all"], &file), ("nobody is banned any longer; 1 were\n".to_string(), true));
    eventually("it is lifted", || first_word(ONE, server.address()).is_ok_and(|(_, reply)| reply.code == 220));
    assert_eq!(bans(&["list"], &file).0, "nobody is banned\n");
}

#[test]
fn a_broken_file_of_bans_is_set_aside_and_said() {
    let place = Place::new();
    let file = place.outside().join("bans.json");
    fs::write(&file, "half of").unwrap();
    let (told, done) = bans(&["list"], &file);
    assert!(!done && told.contains("no file of bans"), "{told}");
    let server = server_on(place.clone(), &["--bans", file.to_str().unwrap()]);
    greeted(ONE, server.address());
    eventually("it is set aside", || server.log().contains("bans.json.broken"));
    assert_eq!(fs::read(place.outside().join("bans.json.broken")).unwrap(), b"half of");
    // Also if somebody breaks it while the server runs: what is in memory holds.
    fs::write(&file, "{").unwrap();
    eventually("it is set aside again", || server.log().matches("bans.json.broken").count() == 2);
    assert_eq!(guess(ONE, server.address()), 6);
    eventually("and written anew", || bans(&["list"], &file).0.contains("127.0.1.1"));
}

#[test]
fn a_file_of_bans_that_cannot_be_written_is_a_mistake() {
    let place = Place::new();
    let file = place.outside().join("missing/bans.json");
    let mut command = crate::server::command(place.root(), &["--port", "0", "--bans"]);
    command.arg(&file);
    let output = outcome(command);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("--bans") && told.contains("give a file in a folder"), "{told}");
}
