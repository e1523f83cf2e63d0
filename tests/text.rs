//! TYPE A over a mebibyte of mixed line ends, so that they lie across the edges of every buffer; what should come is
//! worked out by Python, which shares nothing with the server.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::clients::{make_content, present};
use crate::dialogue::client::{Control, read_all, send_all};
use crate::server::Server;

/// A file as it travels: each LF without a CR before it gets one.
const TO_NETWORK: &str = r"re.sub(rb'(?<!\r)\n', b'\r\n', data)";
/// What travelled as a file: each CRLF is one LF, all else is itself.
const FROM_NETWORK: &str = r"data.replace(b'\r\n', b'\n')";

/// A mebibyte and a bit of letters, CR, LF and CRLF in no order.
fn mixed() -> Vec<u8> {
    let noise = make_content(7, 1024 * 1024 + 77);
    noise.iter().map(|byte| if byte % 3 == 0 { b"\r\n"[usize::from(byte % 2)] } else { b'a' + byte % 26 }).collect()
}

/// What Python makes of `data`.
fn python(expression: &str, data: &[u8]) -> Vec<u8> {
    let script = format!("import re, sys\ndata = sys.stdin.buffer.read()\nsys.stdout.buffer.write({expression})");
    let mut command = Command::new("python3");
    command.args(["-I", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It reads all before it writes, so neither pipe can block the other.
    child.stdin.take().unwrap().write_all(data).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// The two are the same; a mebibyte in a message would help nobody.
fn assert_same(got: &[u8], wanted: &[u8], what: &str) {
    let at = got.iter().zip(wanted).take_while(|(a, b)| a == b).count();
    assert!(got == wanted, "{what}: {} bytes instead of {}, they part at {at}", got.len(), wanted.len());
}

#[test]
fn a_mebibyte_of_mixed_line_ends() {
    if !present(&["python3"]) {
        return;
    }
    let server = Server::start(&[]);
    let (content, path) = (mixed(), server.root().join("text"));
    let mut control = Control::anonymous(server.address()).unwrap();
    for content in [content.clone(), b"\r\n".repeat(600_000), b"\n".repeat(1_100_000), b"\r".repeat(1_100_000)] {
        let wanted = python(TO_NETWORK, &content);
        fs::write(&path, &content).unwrap();
        let mut data = control.passive().unwrap();
        control.tell("RETR text", 150).unwrap();
        assert_same(&read_all(&mut data).unwrap(), &wanted, "a download");
        control.expect(226).unwrap();
        let size = control.tell("SIZE text", 213).unwrap();
        assert_eq!(size.text(), wanted.len().to_string().as_bytes(), "SIZE is what RETR sends");
        let data = control.passive().unwrap();
        control.tell("STOR text", 150).unwrap();
        send_all(data, &content).unwrap();
        control.expect(226).unwrap();
        assert_same(&fs::read(&path).unwrap(), &python(FROM_NETWORK, &content), "an upload");
    }
    // From any point of what travels, a download goes on exactly there.
    let wanted = python(TO_NETWORK, &content);
    fs::write(&path, &content).unwrap();
    for at in [1, 65_535, 65_536, 65_537, 524_288, wanted.len() - 1] {
        let mut data = control.passive().unwrap();
        control.tell(&format!("REST {at}"), 350).unwrap();
        control.tell("RETR text", 150).unwrap();
        assert_same(&read_all(&mut data).unwrap(), &wanted[at..], &format!("a download from {at}"));
        control.expect(226).unwrap();
    }
}
