//! The control connection under attack: lines without end, noise, floods, and peers that speak something else.

use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use super::{assert_serves, guest};
use crate::dialogue::client::{Control, PATIENCE, connect, read_all, read_by};
use crate::server::Server;

/// What any one of these attacks may cost: far below what is thrown at the server, far above the allocator's noise.
const MOST_MEMORY: u64 = 24 * 1024;

/// Sends a byte now and then, never a line, until a reply comes.
fn trickle(control: &mut Control) -> u16 {
    let deadline = Instant::now() + PATIENCE;
    let stream = control.stream().try_clone().unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    while stream.peek(&mut [0]).is_err() {
        assert!(Instant::now() < deadline, "a client that sends no line keeps its session");
        if control.send(b"N").is_err() {
            break;
        }
    }
    control.reply().unwrap().code
}

#[test]
fn bytes_without_a_line_do_not_log_in() {
    let server = Server::start(&["--login-timeout", "1s"]);
    let mut control = Control::greeted(server.address()).unwrap();
    assert_eq!(trickle(&mut control), 421);
    assert_serves(&server);
}

#[test]
fn bytes_without_a_line_are_idle() {
    let server = Server::start(&["--idle", "1s"]);
    let mut control = guest(&server);
    assert_eq!(trickle(&mut control), 421);
    assert_serves(&server);
}

#[test]
fn commands_do_not_prolong_the_login() {
    let server = Server::start(&["--login-timeout", "1s"]);
    let mut control = Control::greeted(server.address()).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while control.ask("NOOP").unwrap().code == 200 {
        assert!(Instant::now() < deadline, "a stranger may stay for ever");
    }
    assert_serves(&server);
}

#[test]
fn a_long_line_costs_nothing() {
    let server = Server::start(&[]);
    let mut control = guest(&server);
    let before = server.memory();
    let piece = vec![b'A'; 1024 * 1024];
    for _ in 0..64 {
        control.send(&piece).unwrap();
    }
    control.expect(500).unwrap();
    control.send(b"\r\n").unwrap();
    control.tell("NOOP", 200).unwrap();
    let grown = server.memory().saturating_sub(before);
    assert!(grown < MOST_MEMORY, "a line of 64 MiB cost {grown} KiB");
    assert_serves(&server);
}

#[test]
fn a_line_just_too_long_is_one_refusal() {
    let server = Server::start(&[]);
    let mut control = guest(&server);
    for length in [4096, 8185, 8190, 8191, 8192, 8193, 8194, 9000, 20_000] {
        let reply = control.ask(&format!("CWD {}", "a/".repeat(length / 2))).unwrap();
        assert!((500..600).contains(&reply.code), "{}", reply.shown());
        control.tell("NOOP", 200).unwrap();
    }
}

#[test]
fn noise() {
    let server = Server::start(&[]);
    let before = server.memory();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..200 {
        let noise: Vec<u8> = (0..4096)
            .map(|_| {
                // xorshift: the same noise in every run.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect();
        let mut control = if round % 2 == 0 { guest(&server) } else { Control::connect(server.address()).unwrap() };
        // The server may have closed before it has read everything: then it has judged well.
        let _ = control.send(&noise);
        let _ = control.stream().shutdown(Shutdown::Write);
        let mut stream = control.stream().try_clone().unwrap();
        while let Ok(1..) = read_by(&mut stream, &mut [0; 4096], Instant::now() + PATIENCE) {}
    }
    let grown = server.memory().saturating_sub(before);
    assert!(grown < MOST_MEMORY, "200 noisy clients cost {grown} KiB");
    assert_serves(&server);
}

#[test]
fn browsers_are_shown_out() {
    let server = Server::start(&[]);
    for line in ["GET / HTTP/1.1", "POST /x HTTP/1.0", "OPTIONS * HTTP/1.1", "PRI * HTTP/2.0", "HEAD / HTTP/1.1"] {
        let mut stream = connect(server.address()).unwrap();
        // More than the first line, as browsers do: what they smuggle in the body must not be obeyed.
        stream
            .write_all(format!("{line}\r\nHost: x\r\n\r\nUSER anonymous\r\nPASS x\r\nMKD smuggled\r\n").as_bytes())
            .unwrap();
        let mut said = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = read_by(&mut stream, &mut piece, Instant::now() + PATIENCE) {
            said.extend_from_slice(&piece[..count]);
        }
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.is_empty() || said == "220 gftp ready.\r\n", "{line} was answered: {said}");
    }
    assert!(!server.root().join("smuggled").exists());
    assert_serves(&server);
}

#[test]
fn two_thousand_commands_in_one_write() {
    let server = Server::start(&[]);
    let mut control = guest(&server);
    control.send(&b"NOOP\r\n".repeat(2000)).unwrap();
    for _ in 0..2000 {
        control.expect(200).unwrap();
    }
    control.tell("PWD", 257).unwrap();
}

#[test]
fn commands_during_a_transfer_wait_outside() {
    let server = Server::start(&[]);
    let mut control = guest(&server);
    let data = control.passive().unwrap();
    control.tell("STOR up", 150).unwrap();
    let before = server.memory();
    // Each as long as a line may be without being refused for it: 10,000 of them would be 80 MB.
    let line = [b"CWD ".as_slice(), &b"a/".repeat(4000), b"\r\n"].concat();
    let mut flood = control.stream().try_clone().unwrap();
    flood.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut sent = 0;
    // It stops taking them long before the last: that is the bound.
    while sent < 10_000 && flood.write_all(&line).is_ok() {
        sent += 1;
    }
    assert!(sent < 10_000, "10,000 long commands were taken during a transfer");
    let grown = server.memory().saturating_sub(before);
    assert!(grown < MOST_MEMORY, "commands that wait cost {grown} KiB");
    assert_serves(&server);
    drop((data, control, flood));
    assert_serves(&server);
}

#[test]
fn ten_thousand_short_commands_during_a_transfer_are_all_answered() {
    let server = Server::start(&[]);
    let mut control = guest(&server);
    let data = control.passive().unwrap();
    control.tell("STOR up", 150).unwrap();
    let mut flood = control.stream().try_clone().unwrap();
    let writer = std::thread::spawn(move || flood.write_all(&b"PWD\r\n".repeat(10_000)));
    drop(data);
    // Among what was not heard in time there could be an ABOR: the upload may be refused, and nothing else.
    let stored = control.reply().unwrap().code;
    assert!(matches!(stored, 226 | 426), "{stored}");
    for _ in 0..10_000 {
        control.expect(257).unwrap();
    }
    writer.join().unwrap().unwrap();
    control.tell("NOOP", 200).unwrap();
}

/// An ABOR behind more commands than may wait was not heard, and the cut upload took the place of the good file.
#[test]
fn an_abort_behind_a_flood_of_commands_is_not_overheard() {
    let server = Server::start(&[]);
    fs::write(server.root().join("good"), "good").unwrap();
    let mut control = guest(&server);
    let mut data = control.passive().unwrap();
    control.tell("STOR good", 150).unwrap();
    data.write_all(b"cut").unwrap();
    control.send(&[&b"PWD\r\n".repeat(100), b"ABOR\r\n".as_slice()].concat()).unwrap();
    drop(data);
    control.expect(426).unwrap();
    assert_eq!(fs::read(server.root().join("good")).unwrap(), b"good");
}

/// Behind a line without end as well: after so many reads of it the upload counted as heard out.
#[test]
fn an_abort_behind_an_endless_line_is_not_overheard() {
    let server = Server::start(&[]);
    fs::write(server.root().join("good"), "good").unwrap();
    let mut control = guest(&server);
    let mut data = control.passive().unwrap();
    data.write_all(b"cut").unwrap();
    drop(data);
    control.send(&[b"STOR good\r\n".as_slice(), &[b'A'; 128 * 1024], b"\r\nABOR\r\n"].concat()).unwrap();
    for code in [150, 500, 426, 226] {
        control.expect(code).unwrap();
    }
    assert_eq!(fs::read(server.root().join("good")).unwrap(), b"good");
}

/// What a client sends ahead is answered in its order, wherever one read ends and the next begins.
#[test]
fn what_was_sent_ahead_of_a_transfer_is_answered_behind_it() {
    /// What a session reads at once: the command that begins the transfer is the last in it.
    const AT_ONCE: usize = 512;
    let server = Server::start(&[]);
    fs::File::create(server.root().join("big")).unwrap().set_len(64 << 20).unwrap();
    let mut control = guest(&server);
    let mut data = control.passive().unwrap();
    let retr = b"RETR big\r\n";
    let before = [&b"PWD\r\n".repeat(2)[..], &b"NOOP\r\n".repeat(82), retr].concat();
    assert_eq!(before.len(), AT_ONCE);
    control.send(&[&before[..], b"NOOP\r\n"].concat()).unwrap();
    (0..2).for_each(|_| drop(control.expect(257).unwrap()));
    (0..82).for_each(|_| drop(control.expect(200).unwrap()));
    control.expect(150).unwrap();
    assert_eq!(read_all(&mut data).unwrap().len(), 64 << 20);
    control.expect(226).unwrap();
    control.expect(200).unwrap();
}

/// As Python's ftplib aborts: a read stops before the last byte of what is urgent. A session that answers at once has a thread for
/// itself, and may look but once before it publishes.
#[test]
fn an_urgent_abort_of_a_quick_client_is_heard() {
    let server = Server::start(&[]);
    fs::write(server.root().join("good"), "good").unwrap();
    let mut control = guest(&server);
    for _ in 0..20 {
        (0..4).for_each(|_| drop(control.tell("NOOP", 200).unwrap()));
        let mut data = control.passive().unwrap();
        control.tell("STOR good", 150).unwrap();
        control.send_urgent(b"ABOR\r\n").unwrap();
        data.write_all(b"cut").unwrap();
        drop(data);
        control.expect(426).unwrap();
        control.expect(226).unwrap();
    }
    assert_eq!(fs::read(server.root().join("good")).unwrap(), b"good");
}

#[test]
fn replies_that_nobody_reads_do_not_gather() {
    let server = Server::start(&["--idle", "1s"]);
    let mut control = guest(&server);
    let before = server.memory();
    let mut flood = control.stream().try_clone().unwrap();
    flood.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    // HELP answers six bytes with a thousand.
    let piece = b"HELP\r\n".repeat(1000);
    let mut sent = 0;
    while sent < 10_000 && flood.write_all(&piece).is_ok() {
        sent += 1;
    }
    assert!(sent < 10_000, "60 MB of commands were taken from a client that reads nothing");
    let grown = server.memory().saturating_sub(before);
    assert!(grown < MOST_MEMORY, "unread replies cost {grown} KiB");
    assert_serves(&server);
    let _ = control.send(b"");
}

#[test]
fn a_half_closed_session_gets_its_answers() {
    let server = Server::start(&[]);
    let mut control = guest(&server);
    control.send(b"NOOP\r\nPWD\r\nNO").unwrap();
    control.stream().shutdown(Shutdown::Write).unwrap();
    control.expect(200).unwrap();
    control.expect(257).unwrap();
    control.closed().unwrap();
    std::fs::write(server.root().join("f"), b"content").unwrap();
    let mut control = guest(&server);
    let mut data = control.passive().unwrap();
    control.say("RETR f").unwrap();
    control.stream().shutdown(Shutdown::Write).unwrap();
    control.expect(150).unwrap();
    assert_eq!(read_all(&mut data).unwrap(), b"content");
    control.expect(226).unwrap();
    control.closed().unwrap();
}
