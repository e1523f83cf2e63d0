//! rclone: it keeps trees equal by MLSD, SIZE and MFMT, over several sessions at once.

use std::fs;
use std::sync::OnceLock;

use super::suite::{on_disk, suite};
use super::{Client, Desk, Driver, Report, Road, Step, make_content};
use crate::server::{PASSWORD, USER};

struct Rclone;

suite!(Rclone; downloads, uploads, names, directories, roads, refusals);

/// `copy` takes a tree up, `check --download` finds it equal, `sync` makes the server follow what changed.
/// vsftpd_rclone: a recursive download hung there.
#[test]
fn keeps_trees_equal() {
    let Some(desk) = Desk::open(&Rclone) else {
        return;
    };
    let files = ["top", "a b/[br]{x}~.txt", "a b/日本/é", "a b/日本/-dash", "deep/er/est"];
    for (index, file) in files.iter().enumerate() {
        let path = desk.local(&format!("tree/{file}"));
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("folders can be made");
        fs::write(path, make_content(index as u64, 50_000 * index)).expect("files can be written");
    }
    let run = |words: &[&str]| {
        let report = rclone(&desk).args(words.to_vec()).run();
        assert!(report.ok, "{}", report.text);
        report
    };
    let report = run(&["copy", "--transfers", "4", "tree", "t:up"]);
    for (index, file) in files.iter().enumerate() {
        desk.expect_disk(&format!("up/{file}"), &make_content(index as u64, 50_000 * index), &report);
    }
    run(&["check", "--download", "tree", "t:up"]);

    fs::remove_dir_all(desk.local("tree/deep")).expect("it was just planted");
    desk.write_local("tree/top", b"changed");
    let report = run(&["sync", "-v", "tree", "t:up"]);
    desk.expect_disk("up/top", b"changed", &report);
    assert!(!desk.disk("up/deep").exists(), "{}", report.text);
    // The times that MFMT set and MLSD told are what makes rclone leave the other files alone.
    assert!(report.text.contains("Copied (replaced existing)"), "{}", report.text);
    assert_eq!(report.text.matches(": Copied").count(), 1, "only what changed travels\n{}", report.text);

    run(&["sync", "t:up", "home"]);
    run(&["check", "tree", "home"]);
    run(&["purge", "t:up"]);
    assert!(on_disk(&desk, "").is_empty());
}

/// `touch` and every copy set times, by MFMT because FEAT tells of it.
#[test]
fn sets_times() {
    let Some(desk) = Desk::open(&Rclone) else { return };
    desk.write_disk("a b", b"x");
    desk.write_local("up", b"x");
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let local = fs::File::options().write(true).open(desk.local("up")).expect("it was just written");
    local.set_modified(time).expect("its time can be set");
    for words in [&["touch", "-t", "2001-09-09T01:46:40", "t:a b"], &["copy", "-vv", "up", "t:"]] {
        let report = rclone(&desk).args(words.to_vec()).run();
        assert!(report.ok, "{}", report.text);
        let name = if words[0] == "touch" { "a b" } else { "up" };
        let set = fs::metadata(desk.disk(name)).and_then(|data| data.modified()).expect("a time");
        assert_eq!(set, time, "{}", report.text);
    }
}

/// `cat --offset --count` is REST and an early close.
#[test]
fn reads_a_part() {
    let Some(desk) = Desk::open(&Rclone) else {
        return;
    };
    let letters: String = (0..100_000).map(|index| char::from(b'a' + (index % 23) as u8)).collect();
    desk.write_disk("text", letters.as_bytes());
    let report = rclone(&desk).args(["cat", "--offset", "50000", "--count", "1000", "t:text"]).run();
    assert!(report.ok && report.text.starts_with(&letters[50_000..51_000]), "{}", report.text);
}

/// Its ftp backend knows no digests, whatever FEAT offers: should a newer one use them, this says so, and they must be right.
#[test]
fn asks_for_digests() {
    let Some(desk) = Desk::open(&Rclone) else {
        return;
    };
    desk.write_disk("file", b"abc");
    let report = rclone(&desk).args(["hashsum", "sha256", "t:"]).run();
    if report.text.contains("hash type not supported") {
        super::note("rclone: hashsum: its ftp backend asks for no digests");
    } else {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  file";
        assert!(report.ok && report.text.contains(expected), "{}", report.text);
    }
}

impl Driver for Rclone {
    fn programs(&self) -> &'static [&'static str] {
        &["rclone"]
    }

    /// It has no active mode.
    fn roads(&self) -> &'static [Road] {
        &[Road::Passive, Road::Pasv, Road::PassiveV6]
    }

    fn perform(&self, desk: &Desk, steps: &[Step]) -> Report {
        let mut all = Report { ok: true, text: String::new() };
        for step in steps {
            let at = |path: &str| format!("t:{path}");
            let words = match *step {
                Step::List(folder) => vec!["lsf".to_owned(), at(folder)],
                Step::Get { remote, local } => {
                    vec!["copyto".to_owned(), at(remote), local.to_owned()]
                }
                Step::Put { local, remote } => {
                    vec!["copyto".to_owned(), local.to_owned(), at(remote)]
                }
                Step::Rename { from, to } => vec!["moveto".to_owned(), at(from), at(to)],
                Step::Delete(path) => vec!["deletefile".to_owned(), at(path)],
                Step::MakeDir(path) => vec!["mkdir".to_owned(), at(path)],
                Step::RemoveDir(path) => vec!["rmdir".to_owned(), at(path)],
                Step::ResumeGet { .. } | Step::ResumePut { .. } | Step::Append { .. } => {
                    unreachable!("rclone always transfers whole files: {step:?}")
                }
            };
            let report = rclone(desk).args(words).run();
            all.ok &= report.ok;
            all.text += &report.text;
        }
        all
    }

    fn unable(&self, step: &Step) -> Option<&'static str> {
        match step {
            // The MKD is refused, but a folder that is there is what was asked for.
            Step::MakeDir("full") => Some("making a folder that exists is a success for it"),
            Step::Put { remote, .. } if remote.starts_with("absent/") => Some("it makes the folder that is missing"),
            _ => None,
        }
    }
}

/// rclone with a remote `t:` made of environment variables, and one try, because a second would hide a failure.
fn rclone(desk: &Desk) -> Client {
    // The coding is salted but reversible, so that one result serves every test.
    static OBSCURED: OnceLock<String> = OnceLock::new();
    let obscured = OBSCURED.get_or_init(|| {
        let said = desk.client("rclone").args(["obscure", PASSWORD]).run().text;
        said.lines().next().unwrap_or_default().to_owned()
    });
    // It joins host and port with a colon, whatever the host holds.
    let host = if desk.road == Road::PassiveV6 { format!("[{}]", desk.host()) } else { desk.host() };
    let no_epsv = if desk.road == Road::Pasv { "true" } else { "false" };
    desk.client("rclone")
        .args(["--retries", "1", "--low-level-retries", "1", "--contimeout", "30s", "--timeout", "60s"])
        .env("RCLONE_CONFIG_T_TYPE", "ftp")
        .env("RCLONE_CONFIG_T_HOST", &host)
        .env("RCLONE_CONFIG_T_PORT", &desk.port())
        .env("RCLONE_CONFIG_T_USER", USER)
        .env("RCLONE_CONFIG_T_PASS", obscured)
        .env("RCLONE_CONFIG_T_DISABLE_EPSV", no_epsv)
        // By default it writes a trailing space as another character; here names travel as they are.
        .env("RCLONE_CONFIG_T_ENCODING", "Slash,Dot")
}
