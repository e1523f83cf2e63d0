//! MODE Z against a zlib that is not ours: Python's makes the streams that go up and reads those that come down.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::abuse::guest;
use crate::clients::{make_content, present};
use crate::dialogue::client::{Control, read_all, send_all};
use crate::server::{Place, Server};

/// What a bomb may cost in memory: far below what it grows to.
const MOST_MEMORY: u64 = 32 * 1024;

/// What Python makes of `input`.
fn python(expression: &str, input: &[u8]) -> Vec<u8> {
    let script = format!("import sys, zlib; data = sys.stdin.buffer.read(); sys.stdout.buffer.write({expression})");
    let mut child = Command::new("python3")
        .args(["-I", "-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("its output");
    writer.join().expect("no panic").expect("it reads everything");
    assert!(output.status.success(), "{expression} fails");
    output.stdout
}

fn inflated(wire: &[u8]) -> Vec<u8> {
    python("zlib.decompress(data)", wire)
}

pub fn deflated(content: &[u8], level: u32) -> Vec<u8> {
    python(&format!("zlib.compress(data, {level})"), content)
}

fn compressing(server: &Server) -> Control {
    let mut control = guest(server);
    control.tell("MODE Z", 200).unwrap();
    control
}

fn fetch(control: &mut Control, command: &str) -> Vec<u8> {
    let mut data = control.passive().unwrap();
    control.tell(command, 150).unwrap();
    let wire = read_all(&mut data).unwrap();
    control.expect(226).unwrap();
    wire
}

/// Nothing, a byte, what does not shrink, what shrinks well, and text.
fn contents() -> Vec<Vec<u8>> {
    let text: String = (0..200_000).map(|number| format!("line {number}\n")).collect();
    vec![Vec::new(), vec![7], make_content(3, 700_001), vec![0; 3_000_000], text.into_bytes()]
}

#[test]
fn what_comes_down_is_a_zlib_stream() {
    if !present(&["python3"]) {
        return;
    }
    let server = Server::start(&[]);
    let mut control = compressing(&server);
    for (number, content) in contents().iter().enumerate() {
        fs::write(server.root().join(format!("f{number}")), content).unwrap();
        for level in [1, 3, 9] {
            control.tell(&format!("OPTS MODE Z LEVEL {level}"), 200).unwrap();
            let wire = fetch(&mut control, &format!("RETR f{number}"));
            assert!(inflated(&wire) == *content, "content {number} at level {level}");
        }
    }
    assert_eq!(inflated(&fetch(&mut control, "NLST")), b"f0\r\nf1\r\nf2\r\nf3\r\nf4\r\n");
    // REST counts the file's bytes, whatever they travel as.
    control.tell("REST 1000000", 350).unwrap();
    let rest = inflated(&fetch(&mut control, "RETR f4"));
    assert!(rest == contents()[4][1_000_000..]);
    control.tell("TYPE A", 200).unwrap();
    let text = String::from_utf8(inflated(&fetch(&mut control, "RETR f4"))).unwrap();
    assert!(text.replace("\r\n", "\n").into_bytes() == contents()[4] && text.matches("\r\n").count() == 200_000);
}

#[test]
fn what_goes_up_is_a_zlib_stream() {
    if !present(&["python3"]) {
        return;
    }
    let server = Server::start(&[]);
    let mut control = compressing(&server);
    for (number, content) in contents().iter().enumerate() {
        for level in [0, 1, 9] {
            let data = control.passive().unwrap();
            control.tell(&format!("STOR f{number}"), 150).unwrap();
            send_all(data, &deflated(content, level)).unwrap();
            let reply = control.expect(226).unwrap();
            assert!(reply.shown().contains(&format!("the file has {}", content.len())), "{}", reply.shown());
            assert!(fs::read(server.root().join(format!("f{number}"))).unwrap() == *content, "{number} at {level}");
        }
    }
}

/// The end of the connection is no proof in stream mode; here the stream knows its own end.
#[test]
fn a_cut_stream_is_not_published_and_goes_on() {
    if !present(&["python3"]) {
        return;
    }
    let server = Server::start(&[]);
    let mut control = compressing(&server);
    let content = make_content(11, 2_000_000);
    let wire = deflated(&content, 6);
    let data = control.passive().unwrap();
    control.tell("STOR f", 150).unwrap();
    send_all(data, &wire[..wire.len() / 2]).unwrap();
    control.expect(426).unwrap();
    assert!(!server.root().join("f").exists());
    let size: usize = control.tell("SIZE f", 213).unwrap().shown()[4..].parse().unwrap();
    assert!(size > 500_000 && size < content.len(), "{size}");
    let data = control.passive().unwrap();
    control.tell(&format!("REST {size}"), 350).unwrap();
    control.tell("STOR f", 150).unwrap();
    send_all(data, &deflated(&content[size..], 6)).unwrap();
    control.expect(226).unwrap();
    assert!(fs::read(server.root().join("f")).unwrap() == content);
}

/// A megabyte that grows to a gibibyte fills neither memory nor disk.
#[test]
fn a_bomb_is_refused() {
    if !present(&["python3"]) {
        return;
    }
    let server = Server::start_on(Place::in_memory(), &[]);
    let mut control = compressing(&server);
    let bomb = python(
        "(lambda c: b''.join(c.compress(bytes(1 << 20)) for _ in range(1024)) + c.flush())(zlib.compressobj(9))",
        b"",
    );
    assert!(bomb.len() < 2 * 1024 * 1024);
    fs::write(server.root().join("good"), "good").unwrap();
    let before = server.memory();
    let data = control.passive().unwrap();
    control.tell("STOR good", 150).unwrap();
    // It may be refused before it has all been sent.
    let _ = send_all(data, &bomb);
    let reply = control.expect(552).unwrap();
    assert!(reply.shown().contains("MODE S"), "{}", reply.shown());
    let grown = server.memory().saturating_sub(before);
    assert!(grown < MOST_MEMORY, "a bomb cost {grown} KiB");
    assert_eq!(fs::read(server.root().join("good")).unwrap(), b"good");
    assert_eq!(fs::read_dir(server.root()).unwrap().count(), 1, "nothing of it is left");
}
