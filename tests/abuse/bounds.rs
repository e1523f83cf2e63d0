//! What one session, or one client with many, can make the server hold or do: each bound is reached here, and what lies
//! beyond is refused in words or costs nothing more.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::symlink;

use super::{assert_serves, connect_from, eventually, guest};
use crate::dialogue::client::{Control, read_all, reset};
use crate::server::{Place, Server};

const MIB: u64 = 1024 * 1024;

/// Uploads of this many bytes each that have come and are not ended. `kind` is the TYPE.
fn uploads(server: &Server, kind: char, count: usize, size: usize) -> Vec<(Control, TcpStream)> {
    let bytes = b"some line of text\r\n".repeat(size / 19 + 1);
    let begin = |number| {
        let mut control = guest(server);
        control.tell(&format!("TYPE {kind}"), 200).unwrap();
        let mut data = control.passive().unwrap();
        control.tell(&format!("STOR {kind}{number}"), 150).unwrap();
        data.write_all(&bytes[..size]).unwrap();
        (control, data)
    };
    let mut uploads: Vec<_> = (0..count).map(begin).collect();
    let all = format!(" {size} bytes");
    for (control, _) in &mut uploads {
        eventually("all has arrived", || control.ask("STAT").unwrap().shown().contains(&all));
    }
    uploads
}

/// Fast ones may have a buffer of a mebibyte each, and slow ones the first, of 32 KiB.
#[test]
fn an_upload_costs_a_buffer_and_no_more() {
    const SOME: usize = 30;
    const MANY: usize = 90;
    for kind in ['I', 'A'] {
        let server = Server::start(&[]);
        assert_serves(&server);
        let before = server.memory();
        let fast = uploads(&server, kind, SOME, 8_000_000);
        let grown = server.memory().saturating_sub(before);
        // What has been given back to the allocator may be twice that for a moment: text has a second buffer.
        assert!(grown < 2 * 1024 * SOME as u64 + 16 * 1024, "{SOME} uploads of 8 MB in TYPE {kind} cost {grown} KiB");
        drop(fast);
        let server = Server::start(&[]);
        assert_serves(&server);
        let before = server.memory();
        let slow = uploads(&server, kind, MANY, 10);
        let grown = server.memory().saturating_sub(before);
        assert!(grown < 64 * MANY as u64 + 8 * 1024, "{MANY} uploads of 10 bytes in TYPE {kind} cost {grown} KiB");
        drop(slow);
        assert_serves(&server);
    }
}

/// The size of a text in TYPE A is known only to who reads it, and a gibibyte is the most that is read for an answer.
#[test]
fn texts_are_counted_up_to_a_gibibyte() {
    let server = Server::start(&[]);
    for (name, size) in [("most", 1024 * MIB), ("more", 1025 * MIB)] {
        File::create(server.root().join(name)).unwrap().set_len(size).unwrap();
    }
    let mut control = guest(&server);
    control.tell("TYPE A", 200).unwrap();
    let reply = control.tell("SIZE more", 550).unwrap();
    assert!(reply.shown().contains("1024 MiB") && reply.shown().contains("TYPE I"), "{}", reply.shown());
    control.say("SIZE most").unwrap();
    // Others are served while it counts.
    assert_serves(&server);
    let reply = control.expect(213).unwrap();
    assert_eq!(reply.text(), b"1073741824");
    let _data = control.passive().unwrap();
    control.tell("REST 1074266112", 350).unwrap();
    let reply = control.tell("RETR more", 550).unwrap();
    assert!(reply.shown().contains("TYPE I"), "{}", reply.shown());
    control.tell("REST 2147483648", 350).unwrap();
    control.tell("RETR most", 554).unwrap();
    control.tell("TYPE I", 200).unwrap();
    control.tell("SIZE more", 213).unwrap();
    assert_serves(&server);
}

/// Breaks so many uploads off, as a visitor from this address.
fn break_off(server: &Server, from: [u8; 4], count: usize) {
    let mut control = Control::over(connect_from(from, server.address())).unwrap();
    control.expect(220).unwrap();
    control.tell("USER anonymous", 331).unwrap();
    control.tell("PASS x", 230).unwrap();
    control.tell("TYPE I", 200).unwrap();
    for number in 0..count {
        let port = control.epsv().unwrap();
        let mut data = connect_from(from, (server.address().ip(), port).into());
        control.tell(&format!("STOR {}.{number}", from[3]), 150).unwrap();
        data.write_all(b"half").unwrap();
        eventually("it has arrived", || control.ask("STAT").unwrap().shown().contains(" 4 bytes"));
        reset(data).unwrap();
        control.expect(426).unwrap();
    }
}

/// Partial uploads that stand on the disk.
fn kept(server: &Server) -> usize {
    let names = fs::read_dir(server.root()).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with(".gftp-")).count()
}

/// One client that breaks off again and again pushes out its own partial uploads, and many cannot fill the disk.
#[test]
fn broken_uploads_are_kept_in_bounded_number() {
    let server = Server::start(&[]);
    assert_serves(&server);
    let before = server.descriptors();
    break_off(&server, [127, 0, 0, 1], 1);
    break_off(&server, [127, 0, 0, 2], 40);
    assert_eq!(kept(&server), 32 + 1, "an owner has 32 at most");
    let mut first = guest(&server);
    first.tell("SIZE 1.0", 213).expect("another's are not pushed out by them");
    for last in 3..7 {
        break_off(&server, [127, 0, 0, last], 40);
    }
    assert_eq!(kept(&server), 128, "all have 128 at most");
    // Two for each, and listeners for each address that came.
    let most = server.descriptors() - before;
    assert!(most <= 2 * 128 + 64, "{most} descriptors for what is kept");
    assert_serves(&server);
}

/// A tree of any depth is listed as far as 256 levels, and that it goes on is said.
#[test]
fn a_recursive_listing_has_a_bottom() {
    const DEPTH: usize = 300;
    let server = Server::start(&[]);
    fs::create_dir_all(server.root().join("d/".repeat(DEPTH))).unwrap();
    for command in ["LIST -R", "NLST -R"] {
        let mut control = guest(&server);
        let mut data = control.passive().unwrap();
        control.tell(command, 150).unwrap();
        // It ends with a reset, so that half a listing does not look whole.
        let _ = read_all(&mut data);
        let reply = control.reply().unwrap();
        assert!((400..600).contains(&reply.code) && reply.shown().contains("256"), "{command}: {}", reply.shown());
        let mut data = control.passive().unwrap();
        control.tell(&format!("{command} {}", "d/".repeat(DEPTH - 200)), 150).unwrap();
        read_all(&mut data).unwrap();
        control.expect(226).expect("what is left from there is not too deep");
    }
    assert_serves(&server);
}

/// The three ways in which a pattern can be dear: directories, names to compare, names that match.
#[test]
fn patterns_are_refused_beyond_their_bounds() {
    let server = Server::start_on(Place::in_memory(), &[]);
    let root = server.root();
    for number in 0..1025 {
        fs::create_dir_all(root.join(format!("directories/{number:04}"))).unwrap();
    }
    fs::create_dir_all(root.join("many")).unwrap();
    for number in 0..1001 {
        File::create(root.join(format!("many/{number:04}"))).unwrap();
    }
    // A thousand ways to the same thousand names make a million.
    fs::create_dir_all(root.join("names")).unwrap();
    for number in 0..1000 {
        symlink("../many", root.join(format!("names/{number:04}"))).unwrap();
    }
    // With the directory's own name before each, these are more than 8 MiB.
    let long = "matches".repeat(30);
    fs::create_dir_all(root.join(&long)).unwrap();
    for number in 0..20_000 {
        File::create(root.join(&long).join(format!("{number:05} {}", "x".repeat(220)))).unwrap();
    }
    let mut control = guest(&server);
    for (pattern, limit) in [("directories/*/*", "1024"), ("names/*/*z", "1000000"), ("match*/*", "8388608")] {
        for verb in ["NLST", "LIST"] {
            let _data = control.passive().unwrap();
            let reply = control.ask(&format!("{verb} {pattern}")).unwrap();
            assert!(reply.code == 550 && reply.shown().contains(limit), "{verb} {pattern}: {}", reply.shown());
            control.tell("ABOR", 226).unwrap();
        }
    }
    // One less of each is done.
    fs::remove_dir(root.join("directories/1024")).unwrap();
    fs::remove_dir(root.join("directories/1023")).unwrap();
    for pattern in ["directories/*/*", "many/*z", "match*/0*"] {
        let mut data = control.passive().unwrap();
        control.tell(&format!("NLST {pattern}"), 150).unwrap();
        read_all(&mut data).unwrap();
        control.expect(226).unwrap();
    }
    assert_serves(&server);
}
