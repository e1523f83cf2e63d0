//! Bytes in both directions: all of them, in order, however fast or slow either side is.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use super::harness::{Server, eventually, read_all, read_line};

/// Bytes that repeat only after a long time, so that a piece that is missing or doubled shows.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[test]
fn an_echo_through_cat() {
    let server = Server::sh("exec cat");
    let mut client = server.connect();
    for line in ["one\n", "two\n"] {
        client.write_all(line.as_bytes()).unwrap();
        assert_eq!(read_line(&mut client), line.trim_end());
    }
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut client), b"");
    server.ended().expect("in order");
}

#[test]
fn binary_both_ways_at_once() {
    let server = Server::sh("exec cat");
    let (sent, mut client) = (noise(8 << 20), server.connect());
    let mut writer = client.try_clone().unwrap();
    let copy = sent.clone();
    let writing = thread::spawn(move || {
        writer.write_all(&copy).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    assert!(read_all(&mut client) == sent, "what comes back is what was sent");
    writing.join().unwrap();
    server.ended().expect("in order");
}

#[test]
fn the_end_of_input_is_not_the_end_of_output() {
    let server = Server::sh("exec wc -c");
    let answer = server.answer(&noise(300_000));
    assert_eq!(String::from_utf8(answer).unwrap().trim(), "300000");
    server.ended().expect("in order");
}

#[test]
fn a_slow_reader_gets_every_byte() {
    const BYTES: usize = 8 << 20;
    let server = Server::narrow(&format!("head -c {BYTES} /dev/zero | tr '\\0' x; printf end"));
    let mut client = server.connect_narrow();
    let (mut got, mut piece) = (Vec::with_capacity(BYTES), [0; 700]);
    loop {
        match client.read(&mut piece).expect("no reset") {
            0 => break,
            count => got.extend_from_slice(&piece[..count]),
        }
    }
    assert_eq!(got.len(), BYTES + 3);
    assert!(got.ends_with(b"xend") && got[..BYTES].iter().all(|&b| b == b'x'));
    drop(client);
    server.ended().expect("in order");
}

/// The last bytes lie in the pipe when the program is gone, and nobody has read any yet.
#[test]
fn what_was_written_before_the_exit_is_delivered() {
    for kilobytes in (100..900).step_by(50) {
        let server = Server::narrow(&format!("head -c {kilobytes}000 /dev/zero; echo end; exit 3"));
        let mut client = server.connect_narrow();
        assert_eq!(client.peek(&mut [0]).unwrap(), 1);
        let (got, count) = (read_all(&mut client), kilobytes * 1000);
        assert_eq!((got.len(), &got[count..]), (count + 4, &b"end\n"[..]));
    }
}

/// The program does not read: the client has to wait, and what it sends is not gathered anywhere.
#[test]
fn who_is_not_read_from_has_to_wait() {
    const KERNELS: usize = 1 << 20;
    let deaf = Server::narrow("echo ready; exec sleep 1000");
    let mut client = deaf.connect_narrow();
    assert_eq!(read_line(&mut client), "ready");
    client.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let (piece, mut taken) = (noise(10_000), 0);
    let end = loop {
        match client.write(&piece) {
            Ok(count) => taken += count,
            Err(e) => break e,
        }
        assert!(taken < KERNELS, "more is taken than two sockets and a pipe hold");
    };
    assert_eq!(end.kind(), ErrorKind::WouldBlock);
    assert!(taken > 64 * 1024, "the pipe holds as much: {taken}");
    assert!(!deaf.has_ended());
}

/// And the program has to wait for a client that does not read.
#[test]
fn what_is_not_read_is_not_gathered() {
    let server = Server::narrow("i=0; while [ $i -lt 2000 ]; do printf %01000d $i; i=$((i+1)); echo $i >&2; done");
    let mut client = server.connect_narrow();
    client.peek(&mut [0]).unwrap();
    // It says how far it has come, until it is blocked or the log has had enough of it.
    eventually("it writes until it must wait", || server.log().len() > 50);
    assert!(!server.has_ended());
    let got = read_all(&mut client);
    assert_eq!(got.len(), 2_000_000);
    assert!(got.ends_with(b"0001999"));
}

/// Data that nobody has read would make a close a reset, which would overtake the answer.
#[test]
fn an_answer_arrives_though_the_question_was_not_read() {
    for script in
        ["exec <&-; head -c 150000 /dev/zero", "head -c 150000 /dev/zero", "head -c 1; head -c 149999 /dev/zero"]
    {
        let server = Server::narrow(&format!("{script}; echo written >&2"));
        let mut client = server.connect_narrow();
        client.write_all(&noise(30_000)).unwrap();
        eventually("the program has ended", || !server.log().is_empty());
        // What it still sends goes nowhere, and is taken for a while.
        client.write_all(&noise(1 << 20)).expect("no reset");
        assert_eq!(read_all(&mut client).len(), 150_000, "{script}");
        drop(client);
        server.ended().expect("in order");
    }
}

/// A program may put something else in place of its stdout and go on reading.
#[test]
fn the_end_of_output_is_not_the_end_of_input() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sink");
    let server = Server::sh(&format!("exec cat > {}", file.display()));
    let (sent, mut client) = (noise(1 << 20), server.connect());
    assert_eq!(read_all(&mut client), b"", "there will be no answer");
    client.write_all(&sent).expect("and it is still read from");
    client.shutdown(Shutdown::Write).unwrap();
    server.ended().expect("in order");
    assert!(std::fs::read(&file).unwrap() == sent);
}

#[test]
fn http_is_a_programs_own_business() {
    let server = Server::sh("read line; printf 'HTTP/1.0 200 OK\\r\\n\\r\\n%s\\n' \"$line\"");
    let mut client = server.connect();
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(read_all(&mut client), b"HTTP/1.0 200 OK\r\n\r\nGET / HTTP/1.0\r\n");
}
