//! Digests against programs that are not ours, and what hashing may cost: nobody else's time, and nothing once nobody
//! waits for it.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use crate::abuse::{assert_serves, eventually, guest};
use crate::clients::{make_content, present};
use crate::dialogue::client::Control;
use crate::server::{Place, Server};

/// Nothing, one byte, around the blocks of the digests, around one piece of the server, and several pieces.
const SIZES: [usize; 10] = [0, 1, 55, 64, 111, 128, 1_048_575, 1_048_576, 1_048_577, 3_000_019];

/// A hash of this takes ten minutes and more: whatever it is told meanwhile comes in the middle.
const ENDLESS: u64 = 1 << 40;

/// A name of HASH, the command before it, and the program that tells the truth.
const WAYS: [(&str, &str, &[&str]); 5] = [
    ("SHA-256", "XSHA256", &["sha256sum"]),
    ("SHA-512", "XSHA512", &["sha512sum"]),
    ("SHA-1", "XSHA1", &["sha1sum"]),
    ("MD5", "XMD5", &["md5sum"]),
    ("CRC32", "XCRC", &["python3", "-Ic", "import sys,zlib;print('%08x'%zlib.crc32(sys.stdin.buffer.read()))"]),
];

/// What the program says of these bytes.
fn truth(words: &[&str], bytes: &[u8]) -> String {
    let mut program =
        Command::new(words[0]).args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    program.stdin.take().unwrap().write_all(bytes).unwrap();
    let said = program.wait_with_output().unwrap();
    assert!(said.status.success(), "{words:?}");
    String::from_utf8(said.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

#[test]
fn digests_are_those_of_other_programs() {
    if !present(&["sha256sum", "sha512sum", "sha1sum", "md5sum", "python3"]) {
        return;
    }
    let server = Server::told(&["--anonymous", "read"]);
    let mut control = guest(&server);
    for size in SIZES {
        let (name, content) = (format!("file of {size}"), make_content(size as u64, size));
        fs::write(server.root().join(&name), &content).unwrap();
        // The whole, and a part with an odd beginning and end.
        let (start, end) = (size / 3, size - size / 7);
        for (algorithm, old, program) in WAYS {
            control.tell(&format!("OPTS HASH {algorithm}"), 200).unwrap();
            let (whole, part) = (truth(program, &content), truth(program, &content[start..end]));
            let last = size.saturating_sub(1);
            assert_eq!(
                control.tell(&format!("HASH {name}"), 213).unwrap().shown(),
                format!("213 {algorithm} 0-{last} {whole} {name}")
            );
            // "file of 5" has a number at its end, and is still a name.
            assert_eq!(
                control.tell(&format!("{old} {name}"), 250).unwrap().shown(),
                format!("250 {}", whole.to_uppercase())
            );
            let of_part = control.tell(&format!("{old} \"{name}\" {start} {end}"), 250).unwrap().shown();
            assert_eq!(of_part, format!("250 {}", part.to_uppercase()), "{name} from {start} to {end}");
            if start < end {
                let last = end - 1;
                control.tell(&format!("RANG {start} {last}"), 350).unwrap();
                assert_eq!(
                    control.tell(&format!("HASH {name}"), 213).unwrap().shown(),
                    format!("213 {algorithm} {start}-{last} {part} {name}")
                );
            }
        }
    }
}

/// A sparse file that nobody will have read to its end when the test is over.
fn endless(server: &Server, name: &str) {
    File::create(server.root().join(name)).unwrap().set_len(ENDLESS).unwrap();
}

/// Descriptors that the server has open on this name below its root.
fn open(server: &Server, name: &str) -> usize {
    let path = fs::canonicalize(server.root()).unwrap().join(name);
    let folder = format!("/proc/{}/fd", server.pid().as_raw_nonzero());
    // One that is closed between the listing and the look is not open.
    let targets = fs::read_dir(folder).unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target == &path).count()
}

/// A guest whose HASH of the file has begun.
fn hashing(server: &Server, name: &str) -> Control {
    let before = open(server, name);
    let mut control = guest(server);
    control.say(&format!("HASH {name}")).unwrap();
    eventually("the file is opened", || open(server, name) > before);
    control
}

#[test]
fn who_leaves_takes_the_work_along() {
    let server = Server::told(&["--anonymous", "read"]);
    endless(&server, "large");
    for command in ["HASH large", "XMD5 large", "XSHA512 large 5 1000000000000", "XCRC large"] {
        let mut control = guest(&server);
        control.say(command).unwrap();
        eventually("the file is opened", || open(&server, "large") == 1);
        drop(control);
        eventually("the file is closed when the client has gone", || open(&server, "large") == 0);
    }
    assert_serves(&server);
}

#[test]
fn abor_ends_a_hash_and_not_the_session() {
    let server = Server::told(&["--anonymous", "read"]);
    endless(&server, "large");
    fs::write(server.root().join("small"), b"abc").unwrap();
    let mut control = hashing(&server, "large");
    control.tell("ABOR", 426).unwrap();
    control.expect(226).unwrap();
    eventually("the file is closed", || open(&server, "large") == 0);
    control.tell("XMD5 small", 250).unwrap();
}

/// More who hash than there are processors: others wait for a piece of each, not for a file.
#[test]
fn hashing_holds_nobody_up() {
    const HASHING: usize = 12;
    let server = Server::told(&["--anonymous", "read"]);
    endless(&server, "large");
    fs::write(server.root().join("small"), make_content(1, 9_000_000)).unwrap();
    let before = server.memory();
    let hashing: Vec<_> = (0..HASHING).map(|_| hashing(&server, "large")).collect();
    let mut control = guest(&server);
    let mut data = control.passive().unwrap();
    control.tell("RETR small", 150).unwrap();
    assert_eq!(crate::dialogue::client::read_all(&mut data).unwrap().len(), 9_000_000);
    control.expect(226).unwrap();
    control.tell("HASH small", 213).unwrap();
    assert_serves(&server);
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 40 * 1024, "{HASHING} who hash cost {grown} KiB");
    drop(hashing);
    eventually("all files are closed", || open(&server, "large") == 0);
}

/// The file becomes another while it is read: there is no digest that would be of either.
#[test]
fn a_file_that_changes_has_no_digest() {
    let server = Server::told(&["--anonymous", "read"]);
    endless(&server, "shorter");
    let mut control = hashing(&server, "shorter");
    File::options().write(true).open(server.root().join("shorter")).unwrap().set_len(10).unwrap();
    control.expect(450).unwrap();

    // A second of CRC32, in which its time changes.
    let file = File::create(server.root().join("written")).unwrap();
    file.set_len(4 << 30).unwrap();
    control.tell("OPTS HASH CRC32", 200).unwrap();
    control.say("HASH written").unwrap();
    eventually("the file is opened", || open(&server, "written") > 0);
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    control.expect(450).unwrap();
    control.tell("HASH shorter", 213).unwrap();
}

/// A tree is added up in pieces too, and can be aborted between two.
#[test]
fn abor_ends_a_walk() {
    const NAMES: usize = 20_000;
    let server = Server::told_on(Place::in_memory(), &["--anonymous", "read"]);
    fs::create_dir(server.root().join("many")).unwrap();
    for number in 0..NAMES {
        fs::write(server.root().join(format!("many/{number}")), b"1").unwrap();
    }
    let mut control = guest(&server);
    // In one packet: the first of forty batches is not done when the second line is heard.
    control.send(b"DSIZ many\r\nABOR\r\n").unwrap();
    control.expect(426).unwrap();
    control.expect(226).unwrap();
    eventually("the folder is closed", || open(&server, "many") == 0);
    let counted = control.tell("DSIZ many", 213).unwrap().shown();
    assert_eq!(counted, format!("213 {NAMES}"));
}

/// A tree deeper than any that people make is refused, not climbed down for ever.
#[test]
fn a_walk_has_a_bottom() {
    let server = Server::told(&["--anonymous", "read"]);
    let path = vec!["d"; 300].join("/");
    fs::create_dir_all(server.root().join(Path::new(&path))).unwrap();
    let mut control = guest(&server);
    control.tell("DSIZ", 550).unwrap();
    control.tell(&format!("DSIZ {}", &path[..200]), 213).unwrap();
}
