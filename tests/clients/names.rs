//! Names that break servers and clients, and the part of the suite that takes each through every command.

use std::collections::BTreeSet;
use std::fs;

use super::suite::{able, must, on_disk};
use super::{Desk, Driver, Report, Step, make_content};

/// Names that break servers and clients. None holds a slash, a line end or a tab (the scripts' separators).
pub const NAMES: &[&str] = &[
    "plain.txt",
    "two words.txt",
    " leading space",
    "trailing space ",
    "é.txt",
    // The same é as two code points: a server must not make it one.
    "e\u{301}.txt",
    "日本語.txt",
    "emoji 😀🏳️‍🌈.txt",
    "quo\"te.txt",
    "\"quoted\"",
    "apos'trophe.txt",
    "back\\slash.txt",
    "[br]{x}~.txt",
    "-dash.txt",
    "--help",
    "~tilde",
    "star*q?.txt",
    "#hash%41.txt",
    "semi;colon&amp=a,b.txt",
    "$HOME `id` (x).txt",
    "..dots",
    // NAME_MAX bytes: leaves no room for a suffix that a server might add to it while uploading.
    LONG,
];

/// A name as long as Linux lets it be.
const LONG: &str = match std::str::from_utf8(&[b'n'; 255]) {
    Ok(name) => name,
    Err(_) => unreachable!(),
};

/// Hostile names go up, are listed, come down, are renamed and deleted, each exactly as written.
pub fn names(driver: &dyn Driver) {
    let Some(desk) = Desk::open(driver) else {
        return;
    };
    let able = |step: &Step| able(driver, step);
    for (index, _) in NAMES.iter().enumerate() {
        desk.write_local(&format!("up-{index}"), &make_content(index as u64, 100 + index));
    }
    let locals: Vec<_> = (0..NAMES.len()).map(|index| (format!("up-{index}"), format!("down-{index}"))).collect();
    let files = || NAMES.iter().zip(&locals).enumerate();

    let puts = files().map(|(_, (&remote, (local, _)))| Step::Put { local, remote });
    let puts: Vec<_> = puts.filter(able).collect();
    let report = perform_some(driver, &desk, &puts);
    let named = |steps: &[Step]| -> BTreeSet<String> { steps.iter().map(|step| remote(step).to_owned()).collect() };
    assert_eq!(on_disk(&desk, ""), named(&puts), "{}", report.text);
    for (index, (name, _)) in files() {
        // What the client cannot send is laid there by hand, because it may well be able to fetch it.
        let content = make_content(index as u64, 100 + index);
        if !desk.disk(name).exists() {
            desk.write_disk(name, &content);
        }
        desk.expect_disk(name, &content, &report);
    }

    listed(driver, &desk);

    let gets = files().map(|(_, (&remote, (_, local)))| Step::Get { remote, local });
    let gets: Vec<_> = gets.filter(able).collect();
    let report = perform_some(driver, &desk, &gets);
    for (index, (_, (_, local))) in files().filter(|(_, (name, _))| gets.iter().any(|step| remote(step) == **name)) {
        desk.expect_local(local, &make_content(index as u64, 100 + index), &report);
    }
    renamed_and_deleted(driver, &desk);
}

/// Every name that the client shows at all appears in its listing as it is on the disk.
fn listed(driver: &dyn Driver, desk: &Desk) {
    if !able(driver, &Step::List("")) {
        return;
    }
    let report = must(driver, desk, &[Step::List("")]);
    for name in on_disk(desk, "").iter().filter(|name| !name.starts_with('.')) {
        assert!(report.text.contains(name.as_str()), "{name:?} is not in the listing:\n{}", report.text);
    }
}

/// Each name is moved away and another is moved to it, so that both arguments are tried; then it is deleted.
fn renamed_and_deleted(driver: &dyn Driver, desk: &Desk) {
    for (away, back) in [(true, false), (false, true)] {
        let plain: Vec<_> = (0..NAMES.len()).map(|index| format!("moved-{index}")).collect();
        let steps = NAMES.iter().zip(&plain).map(|(&name, plain)| {
            if away { Step::Rename { from: name, to: plain } } else { Step::Rename { from: plain, to: name } }
        });
        let steps: Vec<_> = steps.filter(|step| able(driver, step)).collect();
        let report = perform_some(driver, desk, &steps);
        for (index, (&name, plain)) in NAMES.iter().zip(&plain).enumerate() {
            let (from, to) = if away { (name, plain.as_str()) } else { (plain.as_str(), name) };
            if !desk.disk(to).exists() {
                assert!(!able(driver, &Step::Rename { from, to }), "{from:?} did not become {to:?}:\n{}", report.text);
                fs::rename(desk.disk(from), desk.disk(to)).expect("it is still under its old name");
            }
            desk.expect_disk(to, &make_content(index as u64, 100 + index), &report);
            assert!(!desk.disk(from).exists(), "{from:?} is gone\n{}", report.text);
        }
        assert!(away != back);
    }
    let steps: Vec<_> = NAMES.iter().map(|name| Step::Delete(name)).filter(|step| able(driver, step)).collect();
    let report = perform_some(driver, desk, &steps);
    let left = NAMES.iter().filter(|name| !able(driver, &Step::Delete(name)));
    assert_eq!(on_disk(desk, ""), left.map(|&name| name.to_owned()).collect(), "{}", report.text);
}

/// Directories with hostile names are made, filled, listed, emptied and removed.
pub fn directories(driver: &dyn Driver) {
    let Some(desk) = Desk::open(driver) else {
        return;
    };
    desk.write_local("up", b"inside");
    let steps: Vec<_> = NAMES.iter().map(|name| Step::MakeDir(name)).filter(|step| able(driver, step)).collect();
    let report = perform_some(driver, &desk, &steps);
    let made: BTreeSet<_> = steps.iter().map(|step| remote(step).to_owned()).collect();
    assert_eq!(on_disk(&desk, ""), made, "{}", report.text);
    assert!(made.iter().all(|name| desk.disk(name).is_dir()));

    let paths: Vec<_> = made.iter().map(|folder| format!("{folder}/in side")).collect();
    let puts = paths.iter().map(|remote| Step::Put { local: "up", remote });
    let puts: Vec<_> = puts.filter(|step| able(driver, step)).collect();
    let report = perform_some(driver, &desk, &puts);
    for step in &puts {
        desk.expect_disk(remote(step), b"inside", &report);
    }
    for folder in &made {
        // What begins with a dash is an option of LIST, so a person writes ./ in front of it.
        let dash = if folder.starts_with('-') { "./" } else { "" };
        let shown = format!("{dash}{folder}");
        let list = Step::List(&shown);
        let filled = puts.iter().any(|step| remote(step) == format!("{folder}/in side"));
        if filled && able(driver, &list) {
            let report = must(driver, &desk, &[list]);
            assert!(report.text.contains("in side"), "{folder:?}:\n{}", report.text);
        }
        let _ = fs::remove_file(desk.disk(folder).join("in side"));
    }

    let steps: Vec<_> = made.iter().map(|name| Step::RemoveDir(name)).filter(|step| able(driver, step)).collect();
    let report = perform_some(driver, &desk, &steps);
    for step in &steps {
        assert!(!desk.disk(remote(step)).exists(), "{step:?}\n{}", report.text);
    }
}

/// Like [`must`], for a list that a client's inability may have emptied.
fn perform_some(driver: &dyn Driver, desk: &Desk, steps: &[Step]) -> Report {
    if steps.is_empty() {
        return Report { ok: true, text: String::new() };
    }
    must(driver, desk, steps)
}

/// The remote path that a step is about.
fn remote<'a>(step: &Step<'a>) -> &'a str {
    match *step {
        Step::List(path) | Step::Delete(path) | Step::MakeDir(path) | Step::RemoveDir(path) => path,
        Step::Get { remote, .. }
        | Step::Put { remote, .. }
        | Step::ResumeGet { remote, .. }
        | Step::ResumePut { remote, .. }
        | Step::Append { remote, .. } => remote,
        Step::Rename { from, .. } => from,
    }
}
