//! What the disk under a served folder refuses, and what a client is told: full, read-only, another file system, another
//! user's. Nothing is ever half done.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::abuse::{assert_serves, guest};
use crate::clients::{present, skip};
use crate::command_line::outcome;
use crate::dialogue::client::Control;
use crate::server::{Place, Server, command_by, program};

/// A small file system inside a served folder, as `small`; gone with this value.
pub struct Mount {
    pub place: Place,
    pub at: PathBuf,
}

impl Mount {
    /// None where this user or machine cannot mount, which is said.
    pub fn new(options: &str) -> Option<Mount> {
        Mount::of("tmpfs", options)
    }

    fn of(kind: &str, options: &str) -> Option<Mount> {
        let place = Place::new();
        let at = place.root().join("small");
        fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", kind, "-o", options, "gftp-test"]).arg(&at).output();
        if mounted.as_ref().is_ok_and(|output| output.status.success()) {
            return Some(Mount { place, at });
        }
        skip(&format!("no file system can be mounted here: {mounted:?}"));
        None
    }

    /// An NTFS in a file, by the driver that can set when a file was made.
    fn ntfs() -> Option<Mount> {
        if !present(&["mkntfs", "ntfs-3g"]) {
            return None;
        }
        const SIZE: u64 = 16 << 20;
        let place = Place::new();
        let (at, image) = (place.root().join("small"), place.outside().join("image"));
        fs::create_dir(&at).unwrap();
        fs::File::create(&image).unwrap().set_len(SIZE).unwrap();
        let made = Command::new("mkntfs").args(["-F", "-Q"]).arg(&image).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let mounted = Command::new("ntfs-3g").arg(&image).arg(&at).output().unwrap();
        if mounted.status.success() {
            return Some(Mount { place, at });
        }
        skip(&format!("no NTFS can be mounted here: {mounted:?}"));
        None
    }

    fn names(&self) -> Vec<OsString> {
        names(&self.at)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

fn names(folder: &Path) -> Vec<OsString> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

/// An upload that is refused at once or in the middle; the code of its last reply.
fn upload(control: &mut Control, command: &str, bytes: &[u8]) -> u16 {
    let mut data = control.passive().unwrap();
    let code = control.ask(command).unwrap().code;
    if code != 150 {
        return code;
    }
    // The server may have had enough before all is sent.
    let _ = data.write_all(bytes);
    drop(data);
    control.reply().unwrap().code
}

/// lightftp_81: what a full disk did not take was answered 226.
#[test]
fn a_disk_that_fills_up_in_mid_upload_keeps_what_stood() {
    let Some(mount) = Mount::new("size=256k") else { return };
    fs::write(mount.at.join("file"), b"old\n").unwrap();
    let server = Server::start_on(mount.place.clone(), &[]);
    let mut control = guest(&server);
    let much = b"line\n".repeat(400_000);
    for kind in ["TYPE I", "TYPE A"] {
        control.tell(kind, 200).unwrap();
        for command in ["STOR small/file", "APPE small/file", "STOR small/new", "APPE small/new", "STOU small/new"] {
            assert_eq!(upload(&mut control, command, &much), 452, "{kind}, {command}");
            assert_eq!(fs::read(mount.at.join("file")).unwrap(), b"old\n", "{kind}, {command}");
            assert_eq!(mount.names(), ["file"], "{kind}, {command} leaves something behind");
        }
    }
    // All the space is there again, and nothing is left to resume.
    control.tell("TYPE I", 200).unwrap();
    control.tell("SIZE small/new", 550).unwrap();
    assert_eq!(upload(&mut control, "STOR small/file", &much[..200_000]), 226);
    assert_eq!(fs::read(mount.at.join("file")).unwrap(), much[..200_000]);
}

#[test]
fn a_file_system_without_a_free_inode_is_full() {
    let Some(mount) = Mount::new("nr_inodes=2") else { return };
    fs::write(mount.at.join("file"), b"old").unwrap();
    let server = Server::start_on(mount.place.clone(), &[]);
    let mut control = guest(&server);
    for command in ["STOR small/new", "STOR small/file", "STOU small/new"] {
        assert_eq!(upload(&mut control, command, b"x"), 452, "{command}");
    }
    control.tell("MKD small/new", 452).unwrap();
    assert_eq!(mount.names(), ["file"]);
    assert_eq!(fs::read(mount.at.join("file")).unwrap(), b"old");
}

#[test]
fn a_read_only_disk_is_read_and_no_more() {
    let Some(mount) = Mount::new("size=256k") else { return };
    fs::write(mount.at.join("file"), b"old").unwrap();
    fs::create_dir(mount.at.join("d")).unwrap();
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(&mount.at).status().unwrap();
    assert!(remounted.success());
    fs::write(mount.place.root().join("part"), b"part").unwrap();
    let server = Server::start_on(mount.place.clone(), &[]);
    let mut control = guest(&server);
    for command in ["STOR small/new", "STOR small/file", "APPE small/file", "APPE small/new", "STOU small/new"] {
        assert_eq!(upload(&mut control, command, b"x"), 550, "{command}");
    }
    for command in [
        "DELE small/file",
        "MKD small/new",
        "RMD small/d",
        "MFMT 20200101000000 small/file",
        "SITE CHMOD 600 small/file",
        "MFF Modify=20200101000000;UNIX.mode=600; small/file",
        "SITE UTIME 20200101000000 small/file",
        "SITE SYMLINK small/file small/link",
        "RMDA small/d",
        "COMB \"small/file\" \"part\"",
        "COMB \"part\" \"small/file\"",
    ] {
        control.tell(command, 550).unwrap();
    }
    control.tell("RNFR small/file", 350).unwrap();
    control.tell("RNTO small/new", 550).unwrap();
    assert_eq!(mount.names(), ["d", "file"]);
    control.tell("SIZE small/file", 213).unwrap();
    assert_serves(&server);
}

/// A rename is one step or none: a copy that fails half way would leave two halves.
#[test]
fn a_rename_to_another_file_system_is_refused_and_half_of_nothing() {
    let Some(mount) = Mount::new("size=256k") else { return };
    let at = |name: &str| mount.place.root().join(name);
    fs::write(at("file"), b"content").unwrap();
    fs::create_dir_all(at("folder/below")).unwrap();
    fs::write(at("small/taken"), b"taken").unwrap();
    symlink("file", at("link")).unwrap();
    symlink("small", at("door")).unwrap();
    let server = Server::start_on(mount.place.clone(), &[]);
    let mut control = guest(&server);
    for from in ["file", "folder", "link"] {
        for to in ["small/new", "small/taken", "door/new"] {
            control.tell(&format!("RNFR {from}"), 350).unwrap();
            let reply = control.tell(&format!("RNTO {to}"), 550).unwrap();
            assert!(reply.shown().contains("another file system") || to.ends_with("taken"), "{}", reply.shown());
        }
    }
    assert_eq!(mount.names(), ["taken"]);
    assert_eq!(fs::read(at("small/taken")).unwrap(), b"taken");
    assert_eq!(fs::read(at("file")).unwrap(), b"content");
    assert_eq!(fs::read_link(at("link")).unwrap(), Path::new("file"));
    assert!(at("folder/below").is_dir());
    // An upload makes its temporary file where the target lies, so it may lead anywhere inside.
    assert_eq!(upload(&mut control, "STOR door/taken", b"stored"), 226);
    assert_eq!(fs::read(at("small/taken")).unwrap(), b"stored");
}

/// Another file system, or another view of this one, is in use while it is mounted: its content is not what is removed.
#[test]
fn a_tree_is_not_removed_through_a_mount_point() {
    let Some(mount) = Mount::new("size=256k") else { return };
    let at = |name: &str| mount.place.root().join(name);
    fs::write(mount.at.join("file"), b"kept").unwrap();
    fs::create_dir_all(at("tree/a/bound")).unwrap();
    fs::create_dir(at("elsewhere")).unwrap();
    fs::write(at("elsewhere/file"), b"kept").unwrap();
    let bound = Command::new("mount").arg("--bind").args([at("elsewhere"), at("tree/a/bound")]).status().unwrap();
    assert!(bound.success());
    let server = Server::start_on(mount.place.clone(), &[]);
    let mut control = guest(&server);
    for path in ["small", "tree/a/bound", "tree"] {
        let reply = control.tell(&format!("RMDA {path}"), 450).unwrap();
        assert!(reply.shown().contains("in use"), "{}", reply.shown());
    }
    assert_eq!(fs::read(at("elsewhere/file")).unwrap(), b"kept");
    assert_eq!(fs::read(mount.at.join("file")).unwrap(), b"kept");
    assert!(Command::new("umount").arg(at("tree/a/bound")).status().unwrap().success());
    control.tell("RMDA tree", 250).unwrap();
}

/// Copies and joins go from one file system to the other, where renames cannot.
#[test]
fn copies_and_joins_cross_file_systems_and_leave_nothing_on_a_full_one() {
    let Some(mount) = Mount::new("size=256k") else { return };
    let at = |name: &str| mount.place.root().join(name);
    let much = vec![b'x'; 1 << 20];
    fs::write(at("much"), &much).unwrap();
    fs::write(at("part"), b"part").unwrap();
    fs::write(mount.at.join("old"), b"old ").unwrap();
    let server = Server::start_on(mount.place.clone(), &[]);
    let mut control = guest(&server);
    control.tell("SITE CPFR much", 350).unwrap();
    control.tell("SITE CPTO small/old", 452).unwrap();
    control.tell("COMB \"small/old\" \"part\" \"much\"", 452).unwrap();
    assert_eq!(fs::read(mount.at.join("old")).unwrap(), b"old ");
    assert_eq!(mount.names(), ["old"]);
    control.tell("COMB \"small/old\" \"part\"", 250).unwrap();
    assert_eq!(fs::read(mount.at.join("old")).unwrap(), b"old part");
    control.tell("SITE CPFR small/old", 350).unwrap();
    control.tell("SITE CPTO copy", 250).unwrap();
    assert_eq!(fs::read(at("copy")).unwrap(), b"old part");
    assert!(!at("part").exists() && at("much").exists());
}

/// NTFS keeps when a file was made, and its driver lets one set it: what MFCT set is what the disk then says.
#[test]
fn when_a_file_was_made_is_set_where_the_file_system_can() {
    let Some(mount) = Mount::ntfs() else { return };
    fs::write(mount.at.join("file"), b"x").unwrap();
    let server = Server::start_on(mount.place.clone(), &[]);
    let mut control = guest(&server);
    let created = || {
        let name = "system.ntfs_crtime_be";
        let mut value = [0; 8];
        rustix::fs::getxattr(mount.at.join("file"), name, &mut value).expect("ntfs-3g tells it");
        u64::from_be_bytes(value)
    };
    // Steps of 100 ns since 1601, for 2000-01-01 and a day later.
    const FIRST: u64 = 0x01bf_53eb_256d_4000;
    const DAY: u64 = 864_000_000_000;
    let reply = control.tell("MFCT 20000101000000 small/file", 213).unwrap();
    assert_eq!(reply.shown(), "213 Create=20000101000000; small/file");
    assert_eq!(created(), FIRST);
    control.tell("MFF Create=20000102000000.5;Modify=20010909014640; small/file", 213).unwrap();
    assert_eq!(created(), FIRST + DAY + 5_000_000);
    control.tell("MDTM small/file", 213).unwrap();
    assert!(control.tell("MDTM small/file", 213).unwrap().shown().contains("20010909014640"));
    control.tell("MFCT 20000101000000 small", 213).unwrap();
    control.tell("MFF Create=20000101000000;UNIX.owner=root; small/file", 504).unwrap();
    assert_eq!(created(), FIRST + DAY + 5_000_000, "all or nothing");
}

/// What the kernel shows as files is none: a folder with /proc in it would show the server's own secrets.
#[test]
fn what_the_kernel_shows_as_files_is_not_served() {
    let Some(mount) = Mount::of("proc", "ro") else { return };
    let server = Server::start_on(mount.place.clone(), &["--user", "alice"]);
    let mut control = guest(&server);
    for kind in ["TYPE I", "TYPE A"] {
        control.tell(kind, 200).unwrap();
        for path in ["self/environ", "self/mem", "self/root/etc/passwd", "version", "sys/kernel/core_pattern"] {
            for verb in ["RETR", "SIZE"] {
                control.passive().unwrap();
                let reply = control.tell(&format!("{verb} small/{path}"), 550).unwrap();
                assert!(!reply.shown().contains("Pa55"), "{}", reply.shown());
            }
            assert_eq!(upload(&mut control, &format!("STOR small/{path}"), b"x"), 550, "STOR {path}");
        }
    }
    assert_serves(&server);
}

/// Devices call their file system tmpfs; it is told by its number, wherever it is mounted.
#[test]
fn devices_that_are_mounted_below_the_root_do_not_exist() {
    let Some(mount) = Mount::new("size=256k") else { return };
    let devices = mount.place.root().join("devices");
    fs::create_dir(&devices).unwrap();
    let bound = Command::new("mount").arg("--bind").arg("/dev").arg(&devices).status().unwrap();
    assert!(bound.success());
    let server = Server::start_on(mount.place.clone(), &[]);
    let mut control = guest(&server);
    for line in ["CWD devices", "MLST devices/null", "SIZE devices/null", "MKD devices/new", "CWD devices/pts"] {
        control.tell(line, 550).unwrap();
    }
    control.tell("CWD small", 250).unwrap();
    drop(server);
    assert!(Command::new("umount").arg("-l").arg(&devices).status().unwrap().success());
}

#[test]
fn a_name_that_no_disk_holds_is_refused_as_a_name() {
    let server = Server::start(&[]);
    fs::write(server.root().join("file"), b"x").unwrap();
    let mut control = guest(&server);
    let name = "n".repeat(256);
    for verb in ["STOR", "APPE", "STOU"] {
        assert_eq!(upload(&mut control, &format!("{verb} {name}"), b"x"), 553, "{verb}");
    }
    control.tell(&format!("MKD {name}"), 553).unwrap();
    control.tell("RNFR file", 350).unwrap();
    control.tell(&format!("RNTO {name}"), 553).unwrap();
    assert_eq!(names(server.root()), ["file"]);
    // The longest name that there is has room for the temporary file's name too.
    let name = "n".repeat(255);
    assert_eq!(upload(&mut control, &format!("STOR {name}"), b"y"), 226);
    assert_eq!(fs::read(server.root().join(name)).unwrap(), b"y");
}

/// The words that start a copy of the program as somebody whom permission bits stop; None where that cannot be.
fn as_nobody(place: &Place) -> Option<Vec<OsString>> {
    copied_for_nobody(Path::new(&program()), place)
}

/// Copies a program by another process: a child that another test starts meanwhile would hold a file of ours open for
/// writing until it has become its own program, and what is open for writing is not run (ETXTBSY).
pub fn copy_program(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status().unwrap();
    assert!(copied.success(), "{} is not copied", from.display());
}

/// The same of another program.
pub fn copied_for_nobody(program: &Path, place: &Place) -> Option<Vec<OsString>> {
    let copy = place.outside().join(program.file_name().unwrap());
    // One that runs cannot be written to.
    if !copy.exists() {
        copy_program(program, &copy);
    }
    fs::set_permissions(place.outside(), Permissions::from_mode(0o755)).unwrap();
    if !rustix::process::geteuid().is_root() {
        return Some(vec![copy.into()]);
    }
    let words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"].map(OsString::from);
    let works = Command::new(&words[0]).args(&words[1..]).arg(&copy).arg("--version").output();
    if works.as_ref().is_ok_and(|output| output.status.success()) {
        return Some([&words[..], &[copy.into()]].concat());
    }
    skip(&format!("nothing can be run as another user here: {works:?}"));
    None
}

/// What the system denies the server's user, it denies the client: by permission bits, whatever the account may do.
#[test]
fn what_the_system_denies_is_refused() {
    let place = Place::new();
    let Some(words) = as_nobody(&place) else { return };
    let at = |name: &str| place.root().join(name);
    let bits = |name: &str, bits| fs::set_permissions(at(name), Permissions::from_mode(bits)).unwrap();
    fs::create_dir(at("kept")).unwrap();
    fs::create_dir(at("closed")).unwrap();
    fs::write(at("secret"), b"secret").unwrap();
    fs::write(at("kept/file"), b"old").unwrap();
    for (name, mode) in [("secret", 0o000), ("closed", 0o000), ("kept", 0o555)] {
        bits(name, mode);
    }
    let options = ["--port", "0", "--anonymous", "write"];
    let server = Server::run(command_by(&words, place.root(), &options), place.clone());
    let mut control = guest(&server);
    for command in
        ["RETR secret", "STOR kept/file", "STOR kept/new", "APPE kept/file", "STOU kept/new", "STOR closed/x"]
    {
        assert_eq!(upload(&mut control, command, b"x"), 550, "{command}");
    }
    for command in
        ["DELE kept/file", "MKD kept/new", "CWD closed", "LIST closed", "MLSD closed", "NLST closed", "RMD kept"]
    {
        control.tell(command, 550).unwrap();
    }
    control.tell("RNFR kept/file", 350).unwrap();
    control.tell("RNTO kept/new", 550).unwrap();
    assert_serves(&server);
    drop(server);
    assert_eq!(names(&at("kept")), ["file"]);
    assert_eq!(fs::read(at("kept/file")).unwrap(), b"old");
    // A folder that cannot be served is a mistake of whoever typed it.
    let output = outcome(command_by(&words, &at("closed"), &["--port", "0"]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.starts_with("gftp: ") && said.contains("closed") && said.lines().count() == 1, "{said}");
    for name in ["closed", "kept"] {
        bits(name, 0o755);
    }
}
