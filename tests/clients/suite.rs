//! What every client must be able to do with the server. The server's disk is the judge, never the client's word.

use std::collections::BTreeSet;
use std::fs;

pub use super::names::{directories, names};
use super::{Desk, Driver, Report, Step, make_content, note};

/// Makes a test of each named part of the suite for a driver.
macro_rules! suite {
    ($driver:expr; $($part:ident),+ $(,)?) => {
        $(#[test]
        fn $part() {
            crate::clients::suite::$part(&$driver);
        })+
    };
}
pub(super) use suite;

/// Empty, one byte, and more than any buffer or socket holds at once.
const SIZES: [usize; 3] = [0, 1, 10 * 1024 * 1024];

/// Does the steps and expects the client to be content.
pub fn must(driver: &dyn Driver, desk: &Desk, steps: &[Step]) -> Report {
    let report = driver.perform(desk, steps);
    assert!(report.ok, "{steps:?}\nthe client said:\n{}", report.text);
    report
}

/// The names on the server's disk, of everything in a folder.
pub fn on_disk(desk: &Desk, folder: &str) -> BTreeSet<String> {
    fs::read_dir(desk.disk(folder))
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
        .collect()
}

/// Files come down as they are.
pub fn downloads(driver: &dyn Driver) {
    let Some(desk) = Desk::open(driver) else {
        return;
    };
    for size in SIZES {
        let (remote, content) = (format!("have-{size}"), make_content(size as u64, size));
        desk.write_disk(&remote, &content);
        let report = must(driver, &desk, &[Step::Get { remote: &remote, local: "got" }]);
        desk.expect_local("got", &content, &report);
        fs::remove_file(desk.local("got")).expect("it was just read");
    }
}

/// Files go up as they are, replace what was there, and leave nothing else behind.
pub fn uploads(driver: &dyn Driver) {
    let Some(desk) = Desk::open(driver) else {
        return;
    };
    for size in SIZES {
        let content = make_content(7 + size as u64, size);
        desk.write_local("give", &content);
        let report = must(driver, &desk, &[Step::Put { local: "give", remote: "given" }]);
        desk.expect_disk("given", &content, &report);
        assert_eq!(on_disk(&desk, ""), BTreeSet::from(["given".to_owned()]), "{}", report.text);
    }
    let shorter = make_content(9, 1000);
    desk.write_local("give", &shorter);
    let report = must(driver, &desk, &[Step::Put { local: "give", remote: "given" }]);
    desk.expect_disk("given", &shorter, &report);
}

/// A download goes on where it stopped; the part that is there is not read again.
pub fn resumed_downloads(driver: &dyn Driver) {
    let Some(desk) = Desk::open(driver) else {
        return;
    };
    let content = make_content(11, 3_000_001);
    desk.write_disk("whole", &content);
    // A mark in the local part shows that the client has really resumed: a full download would wipe it out.
    let mut part = content[..1_234_567].to_vec();
    part[0] ^= 0xff;
    desk.write_local("part", &part);
    let report = must(driver, &desk, &[Step::ResumeGet { remote: "whole", local: "part" }]);
    let mut expected = content;
    expected[0] ^= 0xff;
    desk.expect_local("part", &expected, &report);
}

/// An upload goes on where it stopped, and the part that is there stays as it is.
pub fn resumed_uploads(driver: &dyn Driver) {
    let Some(desk) = Desk::open(driver) else {
        return;
    };
    let content = make_content(13, 3_000_001);
    let have = 1_234_567;
    desk.write_local("whole", &content);
    let mut part = content[..have].to_vec();
    part[0] ^= 0xff;
    desk.write_disk("part", &part);
    let step = Step::ResumePut { local: "whole", remote: "part", have };
    let report = must(driver, &desk, &[step]);
    let mut expected = content;
    expected[0] ^= 0xff;
    desk.expect_disk("part", &expected, &report);
    assert_eq!(on_disk(&desk, ""), BTreeSet::from(["part".to_owned()]));
}

/// APPE adds to what is there, and makes what is not.
pub fn appends(driver: &dyn Driver) {
    let Some(desk) = Desk::open(driver) else {
        return;
    };
    let (first, second) = (make_content(17, 70_000), make_content(19, 50_000));
    desk.write_local("second", &second);
    desk.write_disk("log", &first);
    let append = |remote| Step::Append { local: "second", remote };
    let report = must(driver, &desk, &[append("log"), append("fresh")]);
    desk.expect_disk("log", &[first, second.clone()].concat(), &report);
    desk.expect_disk("fresh", &second, &report);
}

/// Each way to make a data connection carries a listing, an upload and a download.
pub fn roads(driver: &dyn Driver) {
    for &road in driver.roads() {
        let Some(mut desk) = Desk::open(driver) else {
            return;
        };
        desk.road = road;
        let content = make_content(23, 300_000);
        desk.write_local("up", &content);
        desk.write_disk("have", &content);
        let up = Step::Put { local: "up", remote: "up" };
        let steps = [Step::List(""), up, Step::Get { remote: "have", local: "down" }];
        let steps: Vec<_> = steps.into_iter().filter(|step| able(driver, step)).collect();
        let report = must(driver, &desk, &steps);
        desk.expect_local("down", &content, &report);
        if able(driver, &up) {
            desk.expect_disk("up", &content, &report);
        }
    }
}

/// What cannot be done is refused, the client notices, and nothing on either disk changes.
pub fn refusals(driver: &dyn Driver) {
    let Some(desk) = Desk::open(driver) else {
        return;
    };
    desk.write_local("up", b"up");
    fs::create_dir(desk.disk("full")).expect("the root is writable");
    desk.write_disk("full/file", b"kept");
    let steps = [
        Step::Get { remote: "absent", local: "down" },
        Step::Put { local: "up", remote: "absent/up" },
        Step::Put { local: "up", remote: "full" },
        Step::Rename { from: "absent", to: "other" },
        Step::Delete("absent"),
        Step::MakeDir("full"),
        Step::RemoveDir("full"),
        Step::RemoveDir("absent"),
    ];
    for step in steps.iter().filter(|step| able(driver, step)) {
        let report = driver.perform(&desk, std::slice::from_ref(step));
        assert!(!report.ok, "{step:?} must fail\nthe client said:\n{}", report.text);
        assert_eq!(on_disk(&desk, ""), BTreeSet::from(["full".to_owned()]), "{step:?}");
        desk.expect_disk("full/file", b"kept", &report);
    }
}

/// Whether the client can; where it cannot, the reason is told.
pub fn able(driver: &dyn Driver, step: &Step) -> bool {
    let why = driver.unable(step);
    if let Some(why) = why {
        let step = format!("{step:?}");
        let verb = step.split(|c: char| !c.is_alphabetic()).next();
        let client = driver.programs().first().unwrap_or(&"");
        note(&format!("{client}: {}: {why}", verb.unwrap_or_default()));
    }
    why.is_none()
}
