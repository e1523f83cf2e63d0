//! What every client must be able to do with the server. The server's disk is the judge, never the client's word.

use std::collections::BTreeSet;
use std::fs;

use super::{Desk, Driver, NAMES, Report, Step, make_content, note};

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
        .map(|entry| {
            entry
                .expect("it can be read")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
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
        let report = must(
            driver,
            &desk,
            &[Step::Get {
                remote: &remote,
                local: "got",
            }],
        );
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
        let report = must(
            driver,
            &desk,
            &[Step::Put {
                local: "give",
                remote: "given",
            }],
        );
        desk.expect_disk("given", &content, &report);
        assert_eq!(
            on_disk(&desk, ""),
            BTreeSet::from(["given".to_owned()]),
            "{}",
            report.text
        );
    }
    let shorter = make_content(9, 1000);
    desk.write_local("give", &shorter);
    let report = must(
        driver,
        &desk,
        &[Step::Put {
            local: "give",
            remote: "given",
        }],
    );
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
    let report = must(
        driver,
        &desk,
        &[Step::ResumeGet {
            remote: "whole",
            local: "part",
        }],
    );
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
    let step = Step::ResumePut {
        local: "whole",
        remote: "part",
        have,
    };
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
    let append = |remote| Step::Append {
        local: "second",
        remote,
    };
    let report = must(driver, &desk, &[append("log"), append("fresh")]);
    desk.expect_disk("log", &[first, second.clone()].concat(), &report);
    desk.expect_disk("fresh", &second, &report);
}

/// Hostile names go up, are listed, come down, are renamed and deleted, each exactly as written.
pub fn names(driver: &dyn Driver) {
    let Some(desk) = Desk::open(driver) else {
        return;
    };
    let able = |step: &Step| able(driver, step);
    for (index, _) in NAMES.iter().enumerate() {
        desk.write_local(
            &format!("up-{index}"),
            &make_content(index as u64, 100 + index),
        );
    }
    let locals: Vec<_> = (0..NAMES.len())
        .map(|index| (format!("up-{index}"), format!("down-{index}")))
        .collect();
    let files = || NAMES.iter().zip(&locals).enumerate();

    let puts = files().map(|(_, (&remote, (local, _)))| Step::Put { local, remote });
    let puts: Vec<_> = puts.filter(able).collect();
    let report = perform_some(driver, &desk, &puts);
    let named = |steps: &[Step]| -> BTreeSet<String> {
        steps.iter().map(|step| remote(step).to_owned()).collect()
    };
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
    for (index, (_, (_, local))) in
        files().filter(|(_, (name, _))| gets.iter().any(|step| remote(step) == **name))
    {
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
    for name in on_disk(desk, "")
        .iter()
        .filter(|name| !name.starts_with('.'))
    {
        assert!(
            report.text.contains(name.as_str()),
            "{name:?} is not in the listing:\n{}",
            report.text
        );
    }
}

/// Each name is moved away and another is moved to it, so that both arguments are tried; then it is deleted.
fn renamed_and_deleted(driver: &dyn Driver, desk: &Desk) {
    for (away, back) in [(true, false), (false, true)] {
        let plain: Vec<_> = (0..NAMES.len())
            .map(|index| format!("moved-{index}"))
            .collect();
        let steps = NAMES.iter().zip(&plain).map(|(&name, plain)| {
            if away {
                Step::Rename {
                    from: name,
                    to: plain,
                }
            } else {
                Step::Rename {
                    from: plain,
                    to: name,
                }
            }
        });
        let steps: Vec<_> = steps.filter(|step| able(driver, step)).collect();
        let report = perform_some(driver, desk, &steps);
        for (index, (&name, plain)) in NAMES.iter().zip(&plain).enumerate() {
            let (from, to) = if away {
                (name, plain.as_str())
            } else {
                (plain.as_str(), name)
            };
            if !desk.disk(to).exists() {
                assert!(
                    !able(driver, &Step::Rename { from, to }),
                    "{from:?} did not become {to:?}:\n{}",
                    report.text
                );
                fs::rename(desk.disk(from), desk.disk(to)).expect("it is still under its old name");
            }
            desk.expect_disk(to, &make_content(index as u64, 100 + index), &report);
            assert!(
                !desk.disk(from).exists(),
                "{from:?} is gone\n{}",
                report.text
            );
        }
        assert!(away != back);
    }
    let steps: Vec<_> = NAMES
        .iter()
        .map(|name| Step::Delete(name))
        .filter(|step| able(driver, step))
        .collect();
    let report = perform_some(driver, desk, &steps);
    let left = NAMES
        .iter()
        .filter(|name| !able(driver, &Step::Delete(name)));
    assert_eq!(
        on_disk(desk, ""),
        left.map(|&name| name.to_owned()).collect(),
        "{}",
        report.text
    );
}

/// Directories with hostile names are made, filled, listed, emptied and removed.
pub fn directories(driver: &dyn Driver) {
    let Some(desk) = Desk::open(driver) else {
        return;
    };
    desk.write_local("up", b"inside");
    let steps: Vec<_> = NAMES
        .iter()
        .map(|name| Step::MakeDir(name))
        .filter(|step| able(driver, step))
        .collect();
    let report = perform_some(driver, &desk, &steps);
    let made: BTreeSet<_> = steps.iter().map(|step| remote(step).to_owned()).collect();
    assert_eq!(on_disk(&desk, ""), made, "{}", report.text);
    assert!(made.iter().all(|name| desk.disk(name).is_dir()));

    let paths: Vec<_> = made
        .iter()
        .map(|folder| format!("{folder}/in side"))
        .collect();
    let puts = paths.iter().map(|remote| Step::Put {
        local: "up",
        remote,
    });
    let puts: Vec<_> = puts.filter(|step| able(driver, step)).collect();
    let report = perform_some(driver, &desk, &puts);
    for step in &puts {
        desk.expect_disk(remote(step), b"inside", &report);
    }
    for folder in &made {
        if able(driver, &Step::List(folder))
            && able(
                driver,
                &Step::Put {
                    local: "up",
                    remote: &format!("{folder}/in side"),
                },
            )
        {
            let report = must(driver, &desk, &[Step::List(folder)]);
            assert!(
                report.text.contains("in side"),
                "{folder:?}:\n{}",
                report.text
            );
        }
        let _ = fs::remove_file(desk.disk(folder).join("in side"));
    }

    let steps: Vec<_> = made
        .iter()
        .map(|name| Step::RemoveDir(name))
        .filter(|step| able(driver, step))
        .collect();
    let report = perform_some(driver, &desk, &steps);
    for step in &steps {
        assert!(
            !desk.disk(remote(step)).exists(),
            "{step:?}\n{}",
            report.text
        );
    }
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
        let up = Step::Put {
            local: "up",
            remote: "up",
        };
        let steps = [
            Step::List(""),
            up,
            Step::Get {
                remote: "have",
                local: "down",
            },
        ];
        let steps: Vec<_> = steps
            .into_iter()
            .filter(|step| able(driver, step))
            .collect();
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
        Step::Get {
            remote: "absent",
            local: "down",
        },
        Step::Put {
            local: "up",
            remote: "absent/up",
        },
        Step::Put {
            local: "up",
            remote: "full",
        },
        Step::Rename {
            from: "absent",
            to: "other",
        },
        Step::Delete("absent"),
        Step::MakeDir("full"),
        Step::RemoveDir("full"),
        Step::RemoveDir("absent"),
    ];
    for step in steps.iter().filter(|step| able(driver, step)) {
        let report = driver.perform(&desk, std::slice::from_ref(step));
        assert!(
            !report.ok,
            "{step:?} must fail\nthe client said:\n{}",
            report.text
        );
        assert_eq!(
            on_disk(&desk, ""),
            BTreeSet::from(["full".to_owned()]),
            "{step:?}"
        );
        desk.expect_disk("full/file", b"kept", &report);
    }
}

/// Whether the client can; where it cannot, the reason is told.
fn able(driver: &dyn Driver, step: &Step) -> bool {
    let why = driver.unable(step);
    if let Some(why) = why {
        note(&format!(
            "{}: not tried: {step:?}: {why}",
            driver.programs().join("+")
        ));
    }
    why.is_none()
}

/// Like [`must`], for a list that a client's inability may have emptied.
fn perform_some(driver: &dyn Driver, desk: &Desk, steps: &[Step]) -> Report {
    if steps.is_empty() {
        return Report {
            ok: true,
            text: String::new(),
        };
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
