//! Logs that are moved away, cannot be opened again, or are read by nobody: none of it is a session's concern.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Instant;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::process::{Signal, kill_process};

use crate::abuse::{assert_serves, eventually};
use crate::dialogue::client::{Control, PATIENCE};
use crate::server::{Place, Server};

/// Uploads a small file as a visitor, and removes it.
fn upload(server: &Server, name: &str) {
    let mut control = Control::anonymous(server.address()).unwrap();
    let mut data = control.passive().unwrap();
    control.tell(&format!("STOR {name}"), 150).unwrap();
    data.write_all(b"x").unwrap();
    drop(data);
    control.expect(226).unwrap();
    control.tell("QUIT", 221).unwrap();
}

/// What logrotate does without being told anything special: move the files away, say SIGHUP.
#[test]
fn a_hangup_opens_the_logs_anew() {
    let place = Place::new();
    let paths = ["log", "xferlog"].map(|name| place.outside().join(name));
    let [log, transfers] = paths.each_ref().map(|path| path.to_str().unwrap());
    let server = Server::start_on(place.clone(), &["--log-file", log, "--xferlog", transfers]);
    let has = |path: &str, name: &str| fs::read_to_string(path).unwrap_or_default().contains(name);
    upload(&server, "before");
    for path in [log, transfers] {
        eventually("the upload is logged", || has(path, "/before"));
        fs::rename(path, format!("{path}.1")).unwrap();
    }
    kill_process(server.pid(), Signal::HUP).unwrap();
    for path in [log, transfers] {
        eventually("the file is there again, though nothing is to be logged", || fs::exists(path).unwrap());
    }
    upload(&server, "behind");
    for path in [log, transfers] {
        eventually("what happens now is in the new file", || has(path, "/behind"));
        assert!(!has(path, "/before") && has(&format!("{path}.1"), "/before"));
        assert!(!has(&format!("{path}.1"), "/behind"), "the old file is written on");
    }
    eventually("it is said", || server.log().contains("SIGHUP"));
}

#[test]
fn a_log_that_cannot_be_opened_again_goes_on_in_its_old_file() {
    let place = Place::new();
    let (folder, away) = (place.outside().join("logs"), place.outside().join("away"));
    fs::create_dir(&folder).unwrap();
    let log = folder.join("log");
    let server = Server::start_on(place.clone(), &["--log-file", log.to_str().unwrap()]);
    fs::rename(&folder, &away).unwrap();
    kill_process(server.pid(), Signal::HUP).unwrap();
    eventually("it is said", || server.log().contains("could not be opened again"));
    upload(&server, "after");
    eventually("the old file has it", || fs::read_to_string(away.join("log")).unwrap().contains("/after"));
}

/// Without a file to log to, SIGHUP is what it always was: the terminal is closed.
#[test]
fn a_hangup_ends_a_server_that_logs_to_no_file() {
    let mut server = Server::start(&[]);
    server.signal(Signal::HUP);
    let (_, code) = server.ended();
    assert_eq!(code, None);
}

/// A pipe that nobody reads is full after 64 KiB, and a write to it waits.
#[test]
fn nobody_waits_for_a_log_that_nobody_reads() {
    const COMMANDS: usize = 20_000;
    let place = Place::new();
    let pipe = place.outside().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let options = OFlags::NONBLOCK.bits() as i32;
    let mut reader = fs::OpenOptions::new().read(true).custom_flags(options).open(&pipe).unwrap();
    let server = Server::start_on(
        place.clone(),
        &["--log-level", "debug", "--log-format", "json", "--log-file", pipe.to_str().unwrap()],
    );
    let mut control = Control::anonymous(server.address()).unwrap();
    let before = server.memory();
    // Each is a line in the log; together they are many times what may wait.
    for _ in 0..COMMANDS / 1000 {
        control.send(&b"NOOP\r\n".repeat(1000)).unwrap();
        for _ in 0..1000 {
            control.expect(200).unwrap();
        }
    }
    assert_serves(&server);
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 16 * 1024, "{COMMANDS} lines that nobody reads cost {grown} KiB");
    // Whoever reads at last gets whole lines, and is told how many are missing.
    let (mut read, mut piece, deadline) = (Vec::new(), vec![0; 64 * 1024], Instant::now() + PATIENCE);
    let lost = loop {
        match reader.read(&mut piece) {
            Ok(count) => read.extend_from_slice(&piece[..count]),
            Err(e) => assert_eq!(e.kind(), std::io::ErrorKind::WouldBlock),
        }
        let whole = read.iter().rposition(|&byte| byte == b'\n').map_or(&[][..], |end| &read[..end]);
        let lines = whole.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let records: Vec<serde_json::Value> = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
        let lost: u64 = records.iter().filter_map(|record| record["lost"].as_u64()).sum();
        if lost > 0 {
            assert!(records.iter().any(|record| record["level"] == "DEBUG"), "no line came through");
            break lost;
        }
        assert!(Instant::now() < deadline, "the loss is never told");
    };
    assert!(lost > 0 && lost <= COMMANDS as u64 + 100, "{lost} of {COMMANDS}");
}
