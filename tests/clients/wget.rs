//! wget: it only downloads, but goes down whole trees by reading LIST as a person would.

use std::fs;

use super::curl::encoded;
use super::suite::suite;
use super::{Client, Desk, Driver, Report, Road, Step, make_content};
use crate::server::{PASSWORD, USER};

struct Wget;

suite!(Wget; downloads, resumed_downloads, names, roads);

/// `-r` brings home a tree, hostile names included.
#[test]
fn brings_home_a_tree() {
    let Some(desk) = Desk::open(&Wget) else {
        return;
    };
    fs::create_dir_all(desk.disk("a b/日本")).expect("the root is writable");
    let files = [
        "top",
        "a b/two words",
        "a b/[br]{x}~.txt",
        "a b/日本/é",
        "a b/日本/-dash",
    ];
    for (index, file) in files.iter().enumerate() {
        desk.write_disk(file, &make_content(index as u64, 10_000 * index));
    }
    let url = format!("ftp://{}/", desk.authority());
    let report = wget(&desk)
        .args(["-r", "-nH", "--restrict-file-names=nocontrol", &url])
        .run();
    assert!(report.ok, "{}", report.text);
    for (index, file) in files.iter().enumerate() {
        desk.expect_local(file, &make_content(index as u64, 10_000 * index), &report);
    }
}

/// `-N` fetches what is newer or of another size, and nothing else.
#[test]
fn fetches_only_what_is_newer() {
    let Some(desk) = Desk::open(&Wget) else {
        return;
    };
    desk.write_disk("have", b"old");
    let url = format!("ftp://{}/have", desk.authority());
    let fetch = || wget(&desk).args(["-N", &url]).run();
    let report = fetch();
    desk.expect_local("have", b"old", &report);
    let again = fetch();
    assert!(again.text.contains("not retrieving"), "{}", again.text);
    desk.write_disk("have", b"newer");
    let report = fetch();
    desk.expect_local("have", b"newer", &report);
}

impl Driver for Wget {
    fn programs(&self) -> &'static [&'static str] {
        &["wget"]
    }

    fn roads(&self) -> &'static [Road] {
        &[Road::Passive, Road::Active, Road::PassiveV6, Road::ActiveV6]
    }

    fn perform(&self, desk: &Desk, steps: &[Step]) -> Report {
        let mut all = Report {
            ok: true,
            text: String::new(),
        };
        for step in steps {
            let url = |path: &str| format!("ftp://{}/{}", desk.authority(), encoded(path));
            let words = match *step {
                // A folder is fetched as a page made from its listing; the listing itself is kept and shown.
                Step::List(folder) => vec![
                    "-O".to_owned(),
                    "listing.html".to_owned(),
                    "--no-remove-listing".to_owned(),
                    url(folder),
                ],
                Step::Get { remote, local } => vec!["-O".to_owned(), local.to_owned(), url(remote)],
                Step::ResumeGet { remote, local } => vec![
                    "-c".to_owned(),
                    "-O".to_owned(),
                    local.to_owned(),
                    url(remote),
                ],
                _ => unreachable!("wget is unable to do {step:?}, and says so"),
            };
            let mut client = wget(desk).args(words);
            if desk.active() {
                client = client.args(["--no-passive-ftp"]);
            }
            let report = client.run();
            all.ok &= report.ok;
            all.text += &report.text;
            if let (Step::List(_), Ok(listing)) = (step, fs::read_to_string(desk.local(".listing")))
            {
                all.text += &listing;
            }
        }
        all
    }

    fn unable(&self, step: &Step) -> Option<&'static str> {
        match step {
            Step::List(_) | Step::Get { .. } | Step::ResumeGet { .. } => None,
            _ => Some("wget only downloads"),
        }
    }
}

/// `--no-glob`, so that a name with brackets is a name; one try, because a second would hide a failure of the first.
fn wget(desk: &Desk) -> Client {
    let (user, password) = (
        format!("--ftp-user={USER}"),
        format!("--ftp-password={PASSWORD}"),
    );
    desk.client("wget").args([
        "--no-glob",
        "--tries=1",
        "--timeout=30",
        "--no-config",
        &user,
        &password,
    ])
}
