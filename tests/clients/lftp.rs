//! lftp: many commands in one packet, MLSD, REST for segments, mirrors that trust times and modes.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::suite::{on_disk, suite};
use super::{Desk, Driver, NAMES, Report, Road, Step, make_content};
use crate::server::{PASSWORD, USER};

struct Lftp;

suite!(Lftp; downloads, uploads, resumed_downloads, resumed_uploads, names, directories, roads, refusals);

/// A tree whose files have hostile names, sizes of every kind, and a time in the past.
const TREE: [(&str, usize); 6] = [
    ("top", 1),
    ("a b/empty", 0),
    ("a b/[br]{x}~.txt", 70_000),
    ("a b/日本/é", 5),
    ("a b/日本/ back\\slash \"q\"", 1_000),
    ("deep/er/est", 200_000),
];

/// `mirror` brings a tree home, times included; a second run finds nothing to do.
#[test]
fn mirrors_down() {
    let Some(desk) = Desk::open(&Lftp) else {
        return;
    };
    plant(|name| desk.disk(name), "");
    let report = lftp(&desk, "mirror / tree\n");
    assert!(report.ok, "{}", report.text);
    for (index, (name, size)) in TREE.iter().enumerate() {
        desk.expect_local(&format!("tree/{name}"), &make_content(index as u64, *size), &report);
    }
    assert_eq!(modified(&desk.local("tree/deep/er/est")), past(), "MLSD told the exact time");
    let again = lftp(&desk, "mirror -v / tree\n");
    assert!(again.ok && !again.text.contains("Transferring file"), "{}", again.text);
}

/// `mirror -R` takes a tree up, times included; then `--delete` makes the server equal to what is left at home.
#[test]
fn mirrors_up() {
    let Some(desk) = Desk::open(&Lftp) else {
        return;
    };
    plant(|name| desk.local(name), "tree/");
    let report = lftp(&desk, "mirror -R -p --parallel=3 tree /up\n");
    assert!(report.ok, "{}", report.text);
    for (index, (name, size)) in TREE.iter().enumerate() {
        desk.expect_disk(&format!("up/{name}"), &make_content(index as u64, *size), &report);
    }
    assert_eq!(modified(&desk.disk("up/deep/er/est")), past(), "MFMT set the time");

    fs::remove_dir_all(desk.local("tree/deep")).expect("it was just planted");
    let report = lftp(&desk, "mirror -R --delete -v tree /up\n");
    assert!(report.ok && !report.text.contains("Transferring file"), "{}", report.text);
    let left = ["a b", "top"].map(str::to_owned);
    assert_eq!(on_disk(&desk, "up"), BTreeSet::from(left), "{}", report.text);
}

/// `pget` reads one file by several sessions at once, each its own part.
#[test]
fn downloads_in_segments() {
    let Some(desk) = Desk::open(&Lftp) else {
        return;
    };
    let content = make_content(37, 10 * 1024 * 1024 + 7);
    desk.write_disk("big", &content);
    let report = lftp(&desk, "set pget:min-chunk-size 100k\npget -n 4 big -o down\n");
    assert!(report.ok, "{}", report.text);
    desk.expect_local("down", &content, &report);
}

/// Every listing that lftp can ask for names what is there.
#[test]
fn lists_in_every_way() {
    let Some(desk) = Desk::open(&Lftp) else {
        return;
    };
    for name in NAMES {
        desk.write_disk(name, b"x");
    }
    for command in ["ls", "nlist", "set ftp:use-mlsd on\ncls -1", "set ftp:use-mlsd off\ncls -1", "ls -la", "find ."] {
        let report = lftp(&desk, &format!("{command}\n"));
        assert!(report.ok, "{}", report.text);
        // LIST and NLST hide what begins with a dot, MLSD and LIST -a do not.
        let all = ["on\ncls", "-la", "find"].iter().any(|word| command.contains(word));
        for name in NAMES.iter().filter(|name| all || !name.starts_with('.')) {
            // cls has lost leading spaces when it reads LIST, where nothing tells a name from its padding.
            let shown = if command.contains("use-mlsd off") { name.trim_start() } else { name };
            assert!(report.text.contains(shown), "{command:?}: {name:?}\n{}", report.text);
        }
    }
}

/// Names with wildcards are matched by the client, then sent as they are.
#[test]
fn moves_many_files_at_once() {
    let Some(desk) = Desk::open(&Lftp) else {
        return;
    };
    for index in 0..30 {
        desk.write_local(&format!("file {index}.dat"), &make_content(index, 1_000));
    }
    let script = "mkdir -p in/box\nmput -O in/box *.dat\nmkdir out\nmmv in/box/*1*.dat out\nmrm in/box/*2*.dat\n";
    let report = lftp(&desk, script);
    assert!(report.ok, "{}", report.text);
    let all = |keep: fn(&str) -> bool| -> BTreeSet<String> {
        (0..30).map(|index| format!("file {index}.dat")).filter(|name| keep(name)).collect()
    };
    assert_eq!(on_disk(&desk, "out"), all(|name| name.contains('1')));
    assert_eq!(on_disk(&desk, "in/box"), all(|name| !name.contains('1') && !name.contains('2')));
}

/// `chmod` is SITE CHMOD, for files and folders.
#[test]
fn sets_modes() {
    let Some(desk) = Desk::open(&Lftp) else { return };
    desk.write_disk("a file", b"x");
    fs::create_dir(desk.disk("folder")).expect("the root is writable");
    let report = lftp(&desk, "chmod 640 \"a file\"\nchmod 750 folder\n");
    assert!(report.ok, "{}", report.text);
    for (name, expected) in [("a file", 0o640), ("folder", 0o750)] {
        let mode = fs::metadata(desk.disk(name)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, expected, "{name}\n{}", report.text);
    }
}

/// `use-mode-z` compresses everything: listings, uploads, downloads; what is resumed goes on where it stood.
#[test]
fn compresses() {
    let Some(desk) = Desk::open(&Lftp) else { return };
    let text: String = (0..300_000).map(|number| format!("line {number}\n")).collect();
    let content = make_content(41, 1_000_000);
    desk.write_local("text", text.as_bytes());
    desk.write_local("noise", &content);
    desk.write_local("empty", b"");
    desk.write_local("part", &text.as_bytes()[..1_000_000]);
    let report = lftp(
        &desk,
        "set ftp:use-mode-z yes\nset ftp:compressed-re none\nput text\nput noise\nput empty\nget text -o text2\n\
         get noise -o noise2\nget empty -o empty2\nget -c text -o part\ncls -1\nls\n",
    );
    assert!(report.ok, "{}", report.text);
    desk.expect_disk("text", text.as_bytes(), &report);
    desk.expect_disk("noise", &content, &report);
    desk.expect_disk("empty", b"", &report);
    desk.expect_local("text2", text.as_bytes(), &report);
    desk.expect_local("noise2", &content, &report);
    desk.expect_local("empty2", b"", &report);
    desk.expect_local("part", text.as_bytes(), &report);
    assert!(report.text.contains("noise") && report.text.contains("empty"), "{}", report.text);
    let log = desk.server.log();
    assert_eq!(log.matches("of compressed data").count(), log.matches(" 226 ").count(), "all was compressed:\n{log}");
}

/// It has no command for digests; `quote` sends what is typed, blanks in names and all. HOST it sends by itself.
#[test]
fn asks_for_digests() {
    let Some(desk) = Desk::open(&Lftp) else { return };
    desk.write_disk("a file", b"abc");
    let script =
        "debug 5\nquote OPTS HASH SHA-1\nquote HASH \"a file\"\nquote XMD5 \"\\\"a file\\\" 0 2\"\nquote DSIZ\n";
    let report = lftp(&desk, script);
    for said in
        ["213 SHA-1 0-2 a9993e364706816aba3e25717850c26c9cd0d89d a file", "187EF4436122D1CC2F40DC2B92F0EBA0", "213 3"]
    {
        assert!(report.ok && report.text.contains(said), "{said}:\n{}", report.text);
    }
    assert!(report.text.contains("Host accepted"), "lftp says HOST when FEAT has it\n{}", report.text);
}

/// Uploads keep their time, whichever command it is that sets it: MFMT where FEAT tells of it, else both forms of SITE UTIME.
#[test]
fn sets_times_in_every_way() {
    let Some(desk) = Desk::open(&Lftp) else { return };
    plant(|name| desk.local(name), "");
    let no_feat = "set ftp:use-feat no\n";
    for (index, (settings, said)) in [
        ("", "MFMT 2009"),
        (no_feat, "SITE UTIME 2009"),
        (&*format!("{no_feat}set ftp:use-site-utime2 no\n"), " 20090213233130 20090213233130 UTC"),
    ]
    .into_iter()
    .enumerate()
    {
        let report = lftp(&desk, &format!("debug 9\n{settings}put \"a b/日本/é\" -o \"a way {index}\"\n"));
        assert!(report.ok && report.text.contains(said), "{}", report.text);
        assert_eq!(modified(&desk.disk(&format!("a way {index}"))), past(), "{}", report.text);
    }
}

/// `ln -s` is SITE SYMLINK, and `quote` sends whatever one likes.
#[test]
fn commands_of_this_servers_own() {
    let Some(desk) = Desk::open(&Lftp) else { return };
    desk.write_disk("file", b"content");
    let report = lftp(
        &desk,
        "mkdir folder\nln -s file folder/link\ncat folder/link\nquote SITE CPFR file\nquote SITE CPTO a copy\n\
         quote SITE UMASK 077\nmkdir closed\nquote SITE WHO\nquote SITE IDLE 600\nquote SITE QUOTA\n\
         quote COMB \\\"whole\\\" \\\"a copy\\\"\nquote RMDA folder\n",
    );
    assert!(report.ok && report.text.contains("content"), "{}", report.text);
    desk.expect_disk("whole", b"content", &report);
    assert_eq!(on_disk(&desk, ""), ["closed", "file", "whole"].map(str::to_owned).into(), "{}", report.text);
    let mode = fs::metadata(desk.disk("closed")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "{}", report.text);
    for said in ["this one", "600 seconds", "No quota"] {
        assert!(report.text.contains(said), "{said}: {}", report.text);
    }
}

impl Driver for Lftp {
    fn programs(&self) -> &'static [&'static str] {
        &["lftp"]
    }

    /// Over ::1 (loopback is special to it) it sends `EPRT |2|::|PORT|`, where :: can only mean itself.
    fn roads(&self) -> &'static [Road] {
        &[Road::Passive, Road::Pasv, Road::Active, Road::PassiveV6, Road::ActiveV6]
    }

    fn perform(&self, desk: &Desk, steps: &[Step]) -> Report {
        let lines: Vec<_> = steps.iter().map(line).collect();
        lftp(desk, &(lines.join("\n") + "\n"))
    }
}

/// Runs a script that ends at the first failure and asks no second time.
fn lftp(desk: &Desk, script: &str) -> Report {
    // PASV is what lftp uses on IPv4 unless told otherwise.
    let epsv = if desk.road == Road::Pasv { "no" } else { "yes" };
    let passive = if desk.active() { "no" } else { "yes" };
    let script = format!(
        "set cmd:fail-exit yes\nset cmd:move-background no\nset net:max-retries 1\nset net:timeout 30\n\
         set net:reconnect-interval-base 1\nset xfer:clobber yes\nset ftp:prefer-epsv {epsv}\nset ftp:passive-mode {passive}\n\
         open -u {USER},{PASSWORD} ftp://{}\n{script}",
        desk.authority()
    );
    desk.write_local("script.lftp", script.as_bytes());
    desk.client("lftp").args(["--norc", "-f", "script.lftp"]).run()
}

fn line(step: &Step) -> String {
    match *step {
        Step::List(folder) => format!("ls {}", quoted(folder)),
        Step::Get { remote, local } => format!("get {} -o {local}", quoted(remote)),
        Step::Put { local, remote } => format!("put {local} -o {}", quoted(remote)),
        Step::ResumeGet { remote, local } => format!("get -c {} -o {local}", quoted(remote)),
        Step::ResumePut { local, remote, .. } => format!("put -c {local} -o {}", quoted(remote)),
        Step::Append { local, remote } => format!("put -a {local} -o {}", quoted(remote)),
        Step::Rename { from, to } => format!("mv {} {}", quoted(from), quoted(to)),
        Step::Delete(path) => format!("rm {}", quoted(path)),
        Step::MakeDir(path) => format!("mkdir {}", quoted(path)),
        Step::RemoveDir(path) => format!("rmdir {}", quoted(path)),
    }
}

/// In double quotes only the quote and the backslash are special; `./` in front hides a dash or a tilde.
fn quoted(path: &str) -> String {
    format!("\"./{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}

fn plant(place: impl Fn(&str) -> std::path::PathBuf, under: &str) {
    for (index, (name, size)) in TREE.iter().enumerate() {
        let path = place(&format!("{under}{name}"));
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("folders can be made");
        fs::write(&path, make_content(index as u64, *size)).expect("files can be written");
        let file = fs::File::options().write(true).open(&path).expect("it was just written");
        file.set_modified(past()).expect("its time can be set");
    }
}

fn past() -> std::time::SystemTime {
    std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_234_567_890)
}

fn modified(path: &std::path::Path) -> std::time::SystemTime {
    fs::metadata(path).and_then(|data| data.modified()).expect("it is there and has a time")
}
