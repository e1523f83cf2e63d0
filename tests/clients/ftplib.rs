//! Python's ftplib: the script beside this file reads steps, one a line, and does them in one session.

use super::suite::suite;
use super::{Desk, Driver, Report, Road, Step, make_content};
use crate::server::{PASSWORD, USER};

struct Ftplib;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/ftplib.py");

suite!(Ftplib; downloads, uploads, resumed_downloads, resumed_uploads, appends, names, directories, roads, refusals);

/// NLST, LIST, MLSD and SIZE agree with the disk; the rest of the dialogue (PWD, CWD, urgent ABOR, text) is asserted in Python.
#[test]
fn asks_everything() {
    let Some(desk) = Desk::open(&Ftplib) else {
        return;
    };
    let content = make_content(43, 5_000_000);
    desk.write_disk("big", &content);
    desk.write_disk("text", b"one\ntwo\n\nthree");
    for name in super::NAMES {
        desk.write_disk(name, b"x");
    }
    let report = ftplib(&desk, &format!("everything\t{}\n", content.len()));
    assert!(report.ok, "{}", report.text);
    desk.expect_disk("stored text", b"uno\ndos\n", &report);
}

/// MFMT, MFF and SITE UTIME set what MLSD and MDTM then tell.
#[test]
fn sets_facts() {
    let Some(desk) = Desk::open(&Ftplib) else { return };
    let report = ftplib(&desk, "facts\n");
    assert!(report.ok, "{}", report.text);
    let set = std::fs::metadata(desk.disk("three")).and_then(|data| data.modified()).expect("it was stored");
    assert_eq!(set, std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000));
}

impl Driver for Ftplib {
    fn programs(&self) -> &'static [&'static str] {
        &["python3"]
    }

    fn roads(&self) -> &'static [Road] {
        &[Road::Pasv, Road::Port, Road::PassiveV6, Road::ActiveV6]
    }

    fn perform(&self, desk: &Desk, steps: &[Step]) -> Report {
        let script: String = steps.iter().map(|step| line(step) + "\n").collect();
        ftplib(desk, &script)
    }
}

fn ftplib(desk: &Desk, script: &str) -> Report {
    let mode = if desk.active() { "active" } else { "passive" };
    // -I: the tester's own Python settings and modules play no part.
    desk.client("python3").args(["-I", SCRIPT, &desk.host(), &desk.port(), USER, PASSWORD, mode]).script(script).run()
}

/// A word and its arguments, separated by tabs, which no name here holds.
fn line(step: &Step) -> String {
    match *step {
        Step::List(folder) => format!("list\t{folder}"),
        Step::Get { remote, local } => format!("get\t{remote}\t{local}"),
        Step::Put { local, remote } => format!("put\t{local}\t{remote}"),
        Step::ResumeGet { remote, local } => format!("reget\t{remote}\t{local}"),
        Step::ResumePut { local, remote, .. } => format!("reput\t{local}\t{remote}"),
        Step::Append { local, remote } => format!("append\t{local}\t{remote}"),
        Step::Rename { from, to } => format!("rename\t{from}\t{to}"),
        Step::Delete(path) => format!("delete\t{path}"),
        Step::MakeDir(path) => format!("mkdir\t{path}"),
        Step::RemoveDir(path) => format!("rmdir\t{path}"),
    }
}
