//! Requests that are cheap to make and dear to answer: patterns, passwords, listings, and files that are none.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{assert_serves, eventually, guest, is_refusal};
use crate::dialogue::client::{Control, read_all};
use crate::server::{Place, Server};

/// argon2id takes 19 MiB for each hash: one for each processor at most, and not one for each stranger.
#[test]
fn a_flood_of_logins_waits_for_itself() {
    const STRANGERS: usize = 40;
    let server = Server::start(&["--user", "alice"]);
    assert_serves(&server);
    let before = server.memory();
    let mut strangers: Vec<_> = (0..STRANGERS).map(|_| Control::greeted(server.address()).unwrap()).collect();
    for control in &mut strangers {
        control.tell("USER alice", 331).unwrap();
        control.say("PASS guess").unwrap();
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let mut most = 0;
    for control in &mut strangers {
        // Those who are in, or need no password, do not wait for those who guess.
        assert_serves(&server);
        most = most.max(server.memory());
        control.expect(530).unwrap();
    }
    let grown = most.saturating_sub(before);
    assert!(grown < processors * 20 * 1024 + 16 * 1024, "{STRANGERS} guesses cost {grown} KiB");
}

/// Each star and each way up multiplies what a careless matcher looks at.
#[test]
fn patterns_are_bounded() {
    let server = Server::start(&[]);
    for number in 0..40 {
        fs::create_dir_all(server.root().join(format!("d{number}/e/f"))).unwrap();
    }
    fs::write(server.root().join("a".repeat(255)), b"").unwrap();
    let patterns = [
        "*/../".repeat(40) + "*",
        "*/".repeat(60) + "*",
        "*/*/../../".repeat(20) + "*",
        "*a".repeat(120) + "*b",
        "a*".repeat(1000) + "b",
        "[".repeat(200),
        "[a-".repeat(80),
        "?".repeat(255),
        "**/".repeat(60),
        "{a,b}".repeat(100),
        "\\".repeat(199) + "*",
    ];
    let mut control = guest(&server);
    for pattern in patterns {
        for verb in ["NLST", "LIST", "LIST -R"] {
            let mut data = control.passive().unwrap();
            let reply = control.ask(&format!("{verb} {pattern}")).unwrap();
            if reply.code == 150 {
                read_all(&mut data).unwrap();
                control.reply().unwrap();
            } else {
                assert!(is_refusal(&reply), "{}", reply.shown());
            }
        }
    }
    assert_serves(&server);
}

/// Opening a pipe waits for its other end, reading a socket never ends: neither is a file.
#[test]
fn what_is_no_file_keeps_nobody_waiting() {
    let server = Server::start(&[]);
    mknodat(CWD, server.root().join("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(server.root().join("socket")).unwrap();
    symlink("pipe", server.root().join("link")).unwrap();
    let mut control = guest(&server);
    for name in ["pipe", "socket", "link"] {
        let _data = control.passive().unwrap();
        for verb in ["RETR", "STOR", "APPE", "SIZE", "CWD", "MLSD"] {
            let reply = control.ask(&format!("{verb} {name}")).unwrap();
            assert!(is_refusal(&reply), "{verb} {name}: {}", reply.shown());
        }
        control.tell("TYPE A", 200).unwrap();
        for verb in ["SIZE", "RETR"] {
            let reply = control.ask(&format!("{verb} {name}")).unwrap();
            assert!(is_refusal(&reply), "{verb} {name}: {}", reply.shown());
        }
        control.tell("ABOR", 226).unwrap();
    }
    let mut data = control.passive().unwrap();
    control.tell("LIST", 150).unwrap();
    let listing = String::from_utf8(read_all(&mut data).unwrap()).unwrap();
    control.expect(226).unwrap();
    assert!(listing.contains("pipe") && listing.lines().all(|line| !line.starts_with("-")), "{listing}");
    assert_serves(&server);
}

/// A directory of many names is listed whole, to one who reads it and to many who do not.
#[test]
fn a_large_directory_costs_two_pieces_at_a_time() {
    const NAMES: usize = 20_000;
    let server = Server::start_on(Place::in_memory(), &[]);
    for number in 0..NAMES {
        fs::File::create(server.root().join(format!("a name that is not quite short {number:06}"))).unwrap();
    }
    assert_serves(&server);
    let before = server.memory();
    let idle: Vec<_> = (0..20)
        .map(|_| {
            let mut control = guest(&server);
            let data = control.passive().unwrap();
            control.tell("MLSD", 150).unwrap();
            (control, data)
        })
        .collect();
    let mut control = guest(&server);
    let mut data = control.passive().unwrap();
    control.tell("NLST", 150).unwrap();
    let listing = read_all(&mut data).unwrap();
    control.expect(226).unwrap();
    assert_eq!(listing.split(|&byte| byte == b'\n').count(), NAMES + 1);
    // Twenty listings hold twenty times the names, a megabyte each, and two pieces of text.
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 64 * 1024, "twenty listings that nobody reads cost {grown} KiB");
    let reply = control.tell("STAT /", 212).unwrap();
    assert!(reply.text().len() <= 300 * 1024 && reply.shown().contains("There is more"), "a STAT of everything");
    drop(idle);
    assert_serves(&server);
}

/// A line is as long as the text of a link, so as many lines as usual would be tens of megabytes for each who does not read them.
#[test]
fn links_that_lead_far_cost_no_more_than_other_names() {
    const LINKS: usize = 6_000;
    const SESSIONS: u64 = 5;
    let server = Server::start_on(Place::in_memory(), &[]);
    let far = "far/".repeat(1_000);
    for number in 0..LINKS {
        std::os::unix::fs::symlink(&far, server.root().join(format!("{number:04}"))).unwrap();
    }
    let before = server.memory();
    let idle: Vec<_> = (0..SESSIONS)
        .map(|_| {
            let mut control = guest(&server);
            let data = control.passive().unwrap();
            control.tell("LIST", 150).unwrap();
            (control, data)
        })
        .collect();
    let mut control = guest(&server);
    let mut data = control.passive().unwrap();
    control.tell("LIST", 150).unwrap();
    let listing = read_all(&mut data).unwrap();
    control.expect(226).unwrap();
    assert_eq!(listing.split(|&byte| byte == b'\n').filter(|line| line.len() > 4_000).count(), LINKS);
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 12 * 1024 * (SESSIONS + 1), "{SESSIONS} listings that nobody reads cost {grown} KiB");
    for (mut control, data) in idle {
        control.tell("ABOR", 426).unwrap();
        control.expect(226).unwrap();
        drop(data);
    }
    assert_serves(&server);
}

/// A listing in a reply is held in memory; one that is too long is cut and says so.
#[test]
fn a_status_of_a_large_directory_is_cut_and_says_so() {
    let server = Server::start_on(Place::in_memory(), &[]);
    for number in 0..4000 {
        fs::write(server.root().join(format!("{number:04} {}", "n".repeat(200))), b"").unwrap();
    }
    let mut control = guest(&server);
    let reply = control.tell("STAT .", 212).unwrap();
    let size: usize = reply.lines.iter().map(Vec::len).sum();
    assert!(size < 280 * 1024, "{size} bytes in one reply");
    assert!(reply.lines.len() > 500 && reply.shown().ends_with("There is more: use LIST."));
    control.tell("NOOP", 200).unwrap();
}

/// What a client has sent ahead is answered though it has closed its side; but one who is gone altogether and guesses
/// passwords is noticed before the next guess but one, because each is some tens of milliseconds of a core.
#[test]
fn a_guesser_who_has_left_is_not_answered_to_the_end() {
    let server = Server::start(&["--user", "alice"]);
    let mut control = Control::greeted(server.address()).unwrap();
    control.send(&b"USER alice\r\nPASS guess\r\n".repeat(5)).unwrap();
    drop(control);
    eventually("the session ends", || server.log().contains("session 1: connection"));
    let guesses = server.log().matches("failed to log in").count();
    assert!((1..=3).contains(&guesses), "{guesses} guesses of one who was not there were looked at");
}
