//! Files and folders that are changed behind the server's back while it transfers them: a transfer ends, whatever
//! happens, and says 226 only of what was promised.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::TcpStream;
use std::time::Instant;

use super::{assert_serves, eventually, guest};
use crate::dialogue::client::{Control, PATIENCE, Reply, read_by, send_all};
use crate::disk::Mount;
use crate::server::{Place, Server};

/// More than all socket buffers between server and client take.
const MUCH: u64 = 50_000_000;

/// A download of [`MUCH`] in this type that has begun, and the bytes that its 150 announced.
fn begin(server: &Server, kind: &str) -> (Control, TcpStream, Option<u64>) {
    File::create(server.root().join("big")).unwrap().set_len(MUCH).unwrap();
    let mut control = guest(server);
    control.tell(kind, 200).unwrap();
    let mut data = control.passive().unwrap();
    let opening = control.tell("RETR big", 150).unwrap().shown();
    let announced = opening.split_once(" bytes)").and_then(|(before, _)| before.rsplit('(').next()?.parse().ok());
    read_by(&mut data, &mut [0], Instant::now() + PATIENCE).unwrap();
    (control, data, announced)
}

/// Reads to the end: how many bytes came behind the first, and whether the end was clean. Bounded, should it be endless.
fn rest(data: &mut TcpStream) -> (u64, bool) {
    let (mut count, mut piece) = (0, vec![0; 256 * 1024]);
    while count < 4 * MUCH {
        match read_by(data, &mut piece, Instant::now() + PATIENCE) {
            Ok(0) => return (count, true),
            Ok(more) => count += more as u64,
            Err(e) if e.contains("in time") => panic!("a download hangs"),
            Err(_) => return (count, false),
        }
    }
    panic!("a download has no end");
}

/// Whether a download came whole and was said to, or was cut and was said to be, with a reset instead of a clean end.
fn assert_honest(count: u64, clean: bool, announced: Option<u64>, reply: &Reply) {
    let shown = reply.shown();
    match reply.code {
        226 => assert!(clean && announced.is_none_or(|announced| count == announced), "{count} bytes came: {shown}"),
        400..600 => assert!(!clean, "a cut download looks whole to who only reads the data: {shown}"),
        _ => panic!("{shown}"),
    }
}

#[test]
fn a_file_cut_short_in_mid_download_is_no_success() {
    cut_short("TYPE I");
}

#[test]
fn a_text_cut_short_in_mid_download_is_no_success() {
    cut_short("TYPE A");
}

fn cut_short(kind: &str) {
    let server = Server::start(&[]);
    let (mut control, mut data, announced) = begin(&server, kind);
    // How long a text will be in transfer is not known when it begins.
    assert_eq!(announced, Some(MUCH).filter(|_| kind == "TYPE I"));
    File::options().write(true).open(server.root().join("big")).unwrap().set_len(10).unwrap();
    let (count, clean) = rest(&mut data);
    let reply = control.reply().unwrap();
    assert!(count + 1 < MUCH, "all of it was on its way already: this test tests nothing");
    assert_ne!(reply.code, 226, "{}", reply.shown());
    assert_honest(count + 1, clean, announced, &reply);
    assert_serves(&server);
}

/// What is announced is what the file had; what comes behind it later is for the next download.
#[test]
fn a_file_that_grows_in_mid_download_ends_where_it_was() {
    grows("TYPE I");
}

#[test]
fn a_text_that_grows_in_mid_download_ends_where_it_was() {
    grows("TYPE A");
}

fn grows(kind: &str) {
    let server = Server::start(&[]);
    let (mut control, mut data, announced) = begin(&server, kind);
    let mut file = OpenOptions::new().append(true).open(server.root().join("big")).unwrap();
    file.write_all(&[b'x'; 100_000]).unwrap();
    let (count, clean) = rest(&mut data);
    let reply = control.expect(226).unwrap();
    assert_eq!(count + 1, MUCH);
    assert_honest(count + 1, clean, announced, &reply);
}

#[test]
fn a_file_replaced_in_mid_download_comes_as_it_was() {
    let server = Server::start(&[]);
    for kind in ["TYPE I", "TYPE A"] {
        let (mut control, mut data, announced) = begin(&server, kind);
        fs::write(server.root().join("new"), b"new").unwrap();
        fs::rename(server.root().join("new"), server.root().join("big")).unwrap();
        let (count, clean) = rest(&mut data);
        let reply = control.expect(226).unwrap();
        assert_eq!(count + 1, MUCH, "{kind}");
        assert_honest(count + 1, clean, announced, &reply);
        let (mut control, mut data, _) = begin(&server, kind);
        fs::remove_file(server.root().join("big")).unwrap();
        assert_eq!(rest(&mut data), (MUCH - 1, true), "{kind}");
        control.expect(226).unwrap();
    }
}

/// In place, as editors and cp do: the same file, emptied and filled again.
#[test]
fn a_file_rewritten_in_mid_download_is_whole_or_no_success() {
    let server = Server::start(&[]);
    for length in [3, MUCH as usize, 2 * MUCH as usize] {
        let (mut control, mut data, announced) = begin(&server, "TYPE I");
        fs::write(server.root().join("big"), vec![b'n'; length]).unwrap();
        let (count, clean) = rest(&mut data);
        assert_honest(count + 1, clean, announced, &control.reply().unwrap());
    }
    assert_serves(&server);
}

#[test]
fn a_folder_removed_in_mid_listing_ends_the_listing() {
    const NAMES: usize = 15_000;
    let server = Server::start_on(Place::in_memory(), &[]);
    let folder = server.root().join("folder");
    for command in ["LIST -R folder", "MLSD folder"] {
        fs::create_dir(&folder).unwrap();
        for number in 0..NAMES {
            File::create(folder.join(format!("{number:05}{}", "n".repeat(200)))).unwrap();
        }
        let mut control = guest(&server);
        let mut data = control.passive().unwrap();
        control.tell(command, 150).unwrap();
        read_by(&mut data, &mut [0], Instant::now() + PATIENCE).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let (_, clean) = rest(&mut data);
        assert_honest(0, clean, None, &control.reply().unwrap());
        control.tell("NOOP", 200).unwrap();
    }
    assert_serves(&server);
}

#[test]
fn a_folder_removed_in_mid_upload_takes_the_upload_along() {
    let server = Server::start(&[]);
    let folder = server.root().join("folder");
    for verb in ["STOR", "APPE", "STOU"] {
        fs::create_dir(&folder).unwrap();
        let mut control = guest(&server);
        let mut data = control.passive().unwrap();
        control.tell(&format!("{verb} folder/file"), 150).unwrap();
        data.write_all(b"a beginning").unwrap();
        fs::remove_dir_all(&folder).unwrap();
        send_all(data, b" and an end").unwrap();
        let reply = control.reply().unwrap();
        assert!(matches!(reply.code, 450..=553), "{verb}: {}", reply.shown());
        assert!(fs::read_dir(server.root()).unwrap().next().is_none(), "{verb} leaves something");
    }
    assert_serves(&server);
}

/// A folder is a place and not a name: what is said to be stored is where the folder is now.
#[test]
fn a_folder_renamed_in_mid_upload_holds_it() {
    let server = Server::start(&[]);
    fs::create_dir(server.root().join("one")).unwrap();
    let mut control = guest(&server);
    let mut data = control.passive().unwrap();
    control.tell("STOR one/file", 150).unwrap();
    data.write_all(b"a beginning").unwrap();
    let mut other = guest(&server);
    other.tell("RNFR one", 350).unwrap();
    other.tell("RNTO two", 250).unwrap();
    send_all(data, b" and an end").unwrap();
    control.expect(226).unwrap();
    assert_eq!(fs::read(server.root().join("two/file")).unwrap(), b"a beginning and an end");
    assert_eq!(fs::read_dir(server.root()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(server.root().join("two")).unwrap().count(), 1);
}

/// Its sender does not wait until the room of the old file is free; but it is so soon, and before somebody needs it.
#[test]
fn a_large_file_is_replaced_again_and_again() {
    const LARGE: usize = 4_000_000;
    // There is room for two such files, and for many.
    for size in ["size=10m", "size=100m"] {
        let Some(mount) = Mount::new(size) else { return };
        let server = Server::start_on(mount.place.clone(), &[]);
        let mut control = guest(&server);
        for _ in 0..20 {
            let data = control.passive().unwrap();
            control.tell("STOR small/file", 150).unwrap();
            send_all(data, &[b'x'; LARGE]).unwrap();
            control.expect(226).unwrap();
        }
        let folder = format!("/proc/{}/fd", server.pid().as_raw_nonzero());
        eventually("no replaced file is held", || {
            let targets = fs::read_dir(&folder).unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
            !targets.into_iter().any(|target| target.to_string_lossy().ends_with("file (deleted)"))
        });
    }
}
