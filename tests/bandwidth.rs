//! How fast transfers may go, over real sockets. A cap is shown by the least time that so many bytes must take, which no
//! busy machine shortens; that they do not take for ever is bounded generously.

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread::scope;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use socket2::SockRef;

use crate::abuse::{assert_serves, eventually, guest};
use crate::clients::make_content;
use crate::dialogue::client::{Control, PATIENCE, read_all, read_by, send_all};
use crate::server::{PASSWORD, Place, Server, USER, command};

const KIB: usize = 1024;
/// A mebibyte.
pub const MIB: usize = 1024 * KIB;

/// A session of an account.
fn session(server: &Server, user: &str) -> Control {
    let mut control = Control::greeted(server.address()).unwrap();
    control.tell(&format!("USER {user}"), 331).unwrap();
    control.tell(&format!("PASS {PASSWORD}"), 230).unwrap();
    control.tell("TYPE I", 200).unwrap();
    control
}

/// What `command` sends, and how long that took.
fn fetch(control: &mut Control, command: &str) -> (Vec<u8>, Duration) {
    let mut data = control.passive().unwrap();
    let begin = Instant::now();
    control.tell(command, 150).unwrap();
    let content = read_all(&mut data).unwrap();
    control.expect(226).unwrap();
    (content, begin.elapsed())
}

/// How long it took until these bytes were stored.
fn store(control: &mut Control, command: &str, bytes: &[u8]) -> Duration {
    let data = control.passive().unwrap();
    // What stands in our own buffers is not stored.
    SockRef::from(&data).set_send_buffer_size(64 * KIB).unwrap();
    let begin = Instant::now();
    control.tell(command, 150).unwrap();
    send_all(data, bytes).unwrap();
    control.expect(226).unwrap();
    begin.elapsed()
}

/// So many bytes at that rate take so long: a tenth of a second's worth may go at once, and a grant be on its way.
pub fn assert_takes(took: Duration, bytes: usize, rate: usize) {
    let (least, most) = (bytes as f64 / rate as f64 - 0.2, 3.0 * bytes as f64 / rate as f64 + 5.0);
    assert!((least..most).contains(&took.as_secs_f64()), "{bytes} bytes in {took:?}, not in {least:.2} to {most:.2} s");
}

/// Bytes that compression makes no smaller and that are the same in TYPE A.
pub fn content(len: usize) -> Vec<u8> {
    make_content(7, len).into_iter().map(|byte| byte | 0x80).collect()
}

#[test]
fn every_road_down_keeps_to_a_session_s_cap() {
    let server = Server::start(&["--session-download", "1 MiB/s"]);
    let content = content(2 * MIB);
    fs::write(server.root().join("f"), &content).unwrap();
    let folder = server.root().join("folder");
    fs::create_dir(&folder).unwrap();
    for number in 0..12_000 {
        fs::write(folder.join(format!("{number}-{}", "x".repeat(100))), b"").unwrap();
    }
    scope(|scope| {
        // All at once: a session's cap is nobody else's.
        for settings in [&["TYPE I"][..], &["TYPE A"], &["TYPE I", "MODE Z"], &["TYPE A", "MODE Z"]] {
            let (server, content) = (&server, &content);
            scope.spawn(move || {
                let mut control = guest(server);
                settings.iter().for_each(|setting| drop(control.tell(setting, 200).unwrap()));
                let (wire, took) = fetch(&mut control, "RETR f");
                assert!(settings.contains(&"MODE Z") || wire == *content, "{settings:?}");
                assert_takes(took, wire.len(), MIB);
            });
        }
        scope.spawn(|| {
            let mut control = guest(&server);
            let (lines, took) = fetch(&mut control, "MLSD folder");
            assert!(lines.len() > 3 * MIB / 2, "{}", lines.len());
            assert_takes(took, lines.len(), MIB);
            // The session had its burst; files one after the other are no faster than one.
            let begin = Instant::now();
            let bytes: usize = (0..8).map(|_| fetch(&mut control, "NLST folder/1-*").0.len()).sum();
            assert_takes(begin.elapsed(), bytes, MIB);
        });
    });
}

#[test]
fn every_road_up_keeps_to_a_session_s_cap() {
    let server = Server::start(&["--session-upload", "1 MiB/s"]);
    let content = content(2 * MIB);
    fs::write(server.root().join("f"), &content).unwrap();
    let wire = {
        let mut control = guest(&server);
        control.tell("MODE Z", 200).unwrap();
        fetch(&mut control, "RETR f").0
    };
    scope(|scope| {
        for settings in [&["TYPE I"][..], &["TYPE A"], &["TYPE I", "MODE Z"]] {
            let (server, content) = (&server, &content);
            let sent = if settings.contains(&"MODE Z") { &wire } else { content };
            scope.spawn(move || {
                let mut control = guest(server);
                settings.iter().for_each(|setting| drop(control.tell(setting, 200).unwrap()));
                let name = settings.concat();
                assert_takes(store(&mut control, &format!("STOR {name}"), sent), sent.len(), MIB);
                assert!(fs::read(server.root().join(&name)).unwrap() == *content, "{settings:?}");
            });
        }
    });
}

/// Two clients that begin at once and want the same come to their ends together.
fn assert_equal(times: &[Duration]) {
    let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(first.as_secs_f64() > 0.6 * last.as_secs_f64(), "shares are not equal: {times:?}");
}

#[test]
fn sessions_of_one_user_share_the_user_s_cap() {
    let server = Server::told(&[
        "--user",
        USER,
        "--anonymous",
        "read",
        "--user-download",
        "1 MiB/s",
        "--user-upload",
        "1 MiB/s",
    ]);
    fs::write(server.root().join("f"), content(MIB)).unwrap();
    let mut sessions: Vec<_> = (0..4).map(|_| session(&server, USER)).collect();
    let content = content(MIB);
    let begin = Instant::now();
    scope(|scope| {
        let threads: Vec<_> = (sessions.iter_mut().enumerate())
            .map(|(number, control)| {
                let content = &content;
                scope.spawn(move || {
                    match number % 2 {
                        0 => drop(fetch(control, "RETR f")),
                        _ => drop(store(control, &format!("STOR up{number}"), content)),
                    }
                    begin.elapsed()
                })
            })
            .collect();
        let times: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        for times in [[times[0], times[2]], [times[1], times[3]]] {
            assert_takes(times.into_iter().max().unwrap(), 2 * MIB, MIB);
            assert_equal(&times);
        }
        // Visitors without an account are not one user.
        let (_, took) = fetch(&mut guest(&server), "RETR f");
        assert!(took < Duration::from_secs(1), "{took:?}");
    });
}

/// Accounts with the same rights and home, the last of them with more lines.
fn accounts(place: &Place, names: &[&str], more: &str) -> String {
    let account = |name: &&str| (name.to_string(), "/".to_string(), vec!["full".to_string()]);
    let file = place.users(&names.iter().map(account).collect::<Vec<_>>());
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.trim_end().to_string() + "\n" + more).unwrap();
    path(&file)
}

fn path(path: &Path) -> String {
    path.to_str().unwrap().to_string()
}

#[test]
fn users_share_the_server_s_cap_and_keep_to_their_own() {
    let place = Place::new();
    let users = accounts(&place, &["bob", "carol", "dave"], "download = \"256 KiB/s\"\n");
    let options = ["--users", &users, "--total-download", "2 MiB/s", "--user-download", "8 MiB/s"];
    let server = Server::told_on(place, &options);
    fs::write(server.root().join("big"), content(2 * MIB)).unwrap();
    fs::write(server.root().join("small"), content(MIB / 2)).unwrap();
    let sessions = [("bob", "RETR big"), ("carol", "RETR big"), ("dave", "RETR small")];
    let sessions = sessions.map(|(name, command)| (session(&server, name), command));
    let begin = Instant::now();
    scope(|scope| {
        let [bob, carol, dave] = sessions.map(|(mut control, command)| {
            scope.spawn(move || {
                fetch(&mut control, command);
                begin.elapsed()
            })
        });
        assert_takes(dave.join().unwrap(), MIB / 2, MIB / 4);
        let times = [bob, carol].map(|thread| thread.join().unwrap());
        assert_takes(times.into_iter().max().unwrap(), 4 * MIB + MIB / 2, 2 * MIB);
        assert_equal(&times);
    });
}

#[test]
fn uploads_do_not_wait_for_downloads() {
    let server = Server::start(&["--total-download", "10 KiB/s"]);
    fs::write(server.root().join("f"), content(MIB)).unwrap();
    let (mut waiting, mut control) = (guest(&server), guest(&server));
    let mut data = waiting.passive().unwrap();
    waiting.tell("RETR f", 150).unwrap();
    assert!(read_by(&mut data, &mut [0], Instant::now() + PATIENCE).unwrap() == 1);
    // The download has more than a minute to go.
    store(&mut control, "STOR up", &content(8 * MIB));
    waiting.say("STAT").unwrap();
    waiting.expect(211).unwrap();
}

/// A transfer that would have to wait for hours.
const SLOW: [&str; 4] = ["--session-download", "1 KiB/s", "--session-upload", "1 KiB/s"];

#[test]
fn who_waits_is_heard_at_once() {
    let server = Server::start(&SLOW);
    fs::write(server.root().join("f"), content(8 * MIB)).unwrap();
    let (mut control, free) = (guest(&server), server.descriptors());
    for command in ["RETR f", "STOR up", "APPE up"] {
        let mut data = control.passive().unwrap();
        control.tell(command, 150).unwrap();
        data.set_nonblocking(true).unwrap();
        // As much as goes: it waits from then on.
        if command != "RETR f" {
            let _ = data.write(&content(MIB));
        }
        control.tell("STAT", 211).unwrap();
        control.tell("NOOP", 200).unwrap();
        control.say("ABOR").unwrap();
        control.expect(426).unwrap();
        control.expect(226).unwrap();
    }
    // And who leaves is not kept.
    for (number, command) in (1..).zip(["RETR f", "STOR gone"]) {
        let mut leaving = guest(&server);
        let mut data = leaving.passive().unwrap();
        leaving.tell(command, 150).unwrap();
        data.set_nonblocking(true).unwrap();
        let _ = data.write(&content(MIB));
        drop((leaving, data));
        eventually("its session is over", || server.log().matches("ended after").count() == number);
    }
    control.tell("NOOP", 200).unwrap();
    // Two uploads are kept, with two descriptors each, and passive listeners stay.
    eventually("no descriptor of a transfer is left", || server.descriptors() <= free + 4 + 8);
    assert_serves(&server);
}

#[test]
fn who_waits_for_its_turn_has_not_stalled() {
    let server = Server::start(&[&SLOW[..], &["--stall", "300ms"]].concat());
    let content = content(18 * KIB);
    fs::write(server.root().join("f"), &content).unwrap();
    scope(|scope| {
        scope.spawn(|| {
            let (came, took) = fetch(&mut guest(&server), "RETR f");
            assert!(came == content && took > Duration::from_secs(1), "{took:?}");
        });
        scope.spawn(|| {
            let took = store(&mut guest(&server), "STOR up", &content);
            assert!(took > Duration::from_secs(1), "{took:?}");
        });
    });
    assert!(fs::read(server.root().join("up")).unwrap() == content);
}

#[test]
fn the_end_of_the_server_ends_who_waits() {
    let mut server = Server::start(&[&SLOW[..], &["--grace", "1s"]].concat());
    fs::write(server.root().join("f"), content(MIB)).unwrap();
    let (mut down, mut up) = (guest(&server), guest(&server));
    let (_data, mut sent) = (down.passive().unwrap(), up.passive().unwrap());
    down.tell("RETR f", 150).unwrap();
    up.tell("STOR up", 150).unwrap();
    sent.write_all(&content(64 * KIB)).unwrap();
    server.signal(Signal::TERM);
    down.expect(426).unwrap();
    up.expect(426).unwrap();
    assert_eq!(server.ended().1, Some(0));
}

#[test]
fn little_goes_at_once_however_slow_the_cap_is() {
    let server = Server::start(&SLOW);
    fs::write(server.root().join("f"), content(10 * KIB)).unwrap();
    let (_, took) = fetch(&mut guest(&server), "RETR f");
    assert!(took < Duration::from_secs(5), "{took:?}");
    let took = store(&mut guest(&server), "STOR up", &content(10 * KIB));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// A client that sees megabytes go at once, and then nothing for minutes, gives up.
#[test]
fn a_slow_upload_is_not_swallowed_at_once() {
    let server = Server::start(&["--total-upload", "100 KiB/s"]);
    let mut control = guest(&server);
    let mut data: TcpStream = control.passive().unwrap();
    SockRef::from(&data).set_send_buffer_size(64 * KIB).unwrap();
    control.tell("STOR up", 150).unwrap();
    data.set_nonblocking(true).unwrap();
    let (piece, mut taken, begin) = (content(64 * KIB), 0, Instant::now());
    while begin.elapsed() < Duration::from_secs(2) {
        match data.write(&piece) {
            Ok(count) => taken += count,
            Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(10)),
            Err(e) => panic!("{e}"),
        }
    }
    // Two seconds' worth, the burst, what both ends hold, and a little more.
    assert!(taken < MIB, "{taken} bytes were taken within two seconds");
    control.say("ABOR").unwrap();
    control.expect(426).unwrap();
}

#[test]
fn stat_tells_the_caps_that_hold() {
    let place = Place::new();
    let users = accounts(&place, &[USER], "download = \"500 KiB/s\"\n");
    let options = ["--users", &users, "--session-upload", "2 MB/s", "--user-upload", "1 MiB/s"];
    let server = Server::told_on(place, &[&options[..], &["--total-download", "1 Gbit/s"]].concat());
    let status = session(&server, USER).tell("STAT", 211).unwrap().shown();
    for line in [
        "This session: downloads at any speed, uploads at 2 MB/s",
        "All your sessions together: downloads at 500 KiB/s, uploads at 1 MiB/s",
        "The whole server: downloads at 125 MB/s, uploads at any speed",
    ] {
        assert!(status.contains(line), "no {line:?} in {status}");
    }
    let server = Server::start(&[]);
    assert!(!guest(&server).tell("STAT", 211).unwrap().shown().contains("downloads at"));
}

#[test]
fn what_is_no_rate_is_answered_with_one() {
    let place = Place::new();
    let output = command(place.root(), &["--port", "0", "--total-upload", "fast"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--total-upload") && said.contains("KiB/s") && said.lines().count() == 1, "{said}");
}

/// Sends `bytes` piece by piece, each when the server has said that it has all before it.
fn send_slowly(control: &mut Control, command: &str, bytes: &[u8], piece: usize) -> TcpStream {
    let mut data = control.passive().unwrap();
    control.tell(command, 150).unwrap();
    let mut sent = 0;
    for piece in bytes.chunks(piece) {
        data.write_all(piece).unwrap();
        sent += piece.len();
        while !control.ask("STAT").unwrap().shown().contains(&format!(" {sent} bytes")) {}
    }
    data
}

/// By which road bytes come in depends on how fast they come; what is stored must not.
#[test]
fn uploads_with_pauses_are_whole() {
    const GATHERED: usize = 128 * KIB;
    let server = Server::start(&[]);
    let mut control = guest(&server);
    let content: Vec<u8> = (0..3_000_000_u32).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect();
    let stored = || fs::read(server.root().join("file")).unwrap();
    let by_piece =
        [(4, GATHERED / 4), (8, GATHERED - 1), (8, GATHERED), (8, GATHERED + 1), (50, 400_000), (300, content.len())];
    for (piece, length) in by_piece {
        drop(send_slowly(&mut control, "STOR file", &content[..length], piece * KIB));
        control.expect(226).unwrap();
        assert!(stored() == content[..length], "{length} bytes in pieces of {piece} KiB");
    }
    let (broken_off, end) = (GATHERED + 5, 400_000);
    let data = send_slowly(&mut control, "STOR file", &content[..broken_off], 8 * KIB);
    control.tell("ABOR", 426).unwrap();
    control.expect(226).unwrap();
    drop(data);
    control.tell(&format!("REST {broken_off}"), 350).unwrap();
    drop(send_slowly(&mut control, "STOR file", &content[broken_off..end], 50 * KIB));
    control.expect(226).unwrap();
    assert!(stored() == content[..end], "broken off at {broken_off}");
}
