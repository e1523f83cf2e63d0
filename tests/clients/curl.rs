//! curl: one process for each step, paths as URLs, other commands by `--quote`.

use std::fs;

use super::suite::{must, suite};
use super::{Desk, Driver, Report, Road, Step, make_content};
use crate::server::{PASSWORD, USER};

/// curl with one of its three ways to reach a file in a folder.
struct Curl(&'static str);

const CURL: Curl = Curl("multicwd");

suite!(CURL; downloads, uploads, resumed_downloads, resumed_uploads, appends, names, directories, roads, refusals);

/// One CWD for each folder, one for all of them, or none: the file arrives in every way.
#[test]
fn every_method_reaches_deep_files() {
    for method in ["multicwd", "nocwd", "singlecwd"] {
        let curl = Curl(method);
        let Some(desk) = Desk::open(&curl) else {
            return;
        };
        let (folder, content) = ("a b/[c]/日本/\"d\"", make_content(29, 100_000));
        fs::create_dir_all(desk.disk(folder)).expect("the root is writable");
        desk.write_disk(&format!("{folder}/have"), &content);
        desk.write_local("up", &content);
        let (have, given) = (format!("{folder}/have"), format!("{folder}/given"));
        let steps =
            [Step::Get { remote: &have, local: "down" }, Step::Put { local: "up", remote: &given }, Step::List(folder)];
        let report = must(&curl, &desk, &steps);
        desk.expect_local("down", &content, &report);
        desk.expect_disk(&given, &content, &report);
        assert!(report.text.contains("have") && report.text.contains("given"), "{}", report.text);
    }
}

/// `--ftp-create-dirs` tries CWD, then MKD, then CWD again.
#[test]
fn makes_missing_folders() {
    let Some(desk) = Desk::open(&CURL) else {
        return;
    };
    desk.write_local("up", b"deep");
    let url = format!("ftp://{}/x%20y/z/up", desk.authority());
    let report = curl(&desk).args(["--ftp-create-dirs", "-T", "up", &url]).run();
    assert!(report.ok, "{}", report.text);
    desk.expect_disk("x y/z/up", b"deep", &report);
}

/// `-R` takes the time from MDTM, `-I` the size from SIZE, `-r` a part by REST and an early close.
#[test]
fn learns_time_size_and_part() {
    let Some(desk) = Desk::open(&CURL) else {
        return;
    };
    let content = make_content(31, 3_000_000);
    desk.write_disk("have", &content);
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let file = fs::File::options().write(true).open(desk.disk("have")).expect("it was just written");
    file.set_modified(time).expect("its time can be set");
    let url = format!("ftp://{}/have", desk.authority());

    let report = curl(&desk).args(["-R", "-o", "down", &url]).run();
    desk.expect_local("down", &content, &report);
    let got = fs::metadata(desk.local("down")).and_then(|data| data.modified());
    assert_eq!(got.expect("a time"), time, "{}", report.text);

    let report = curl(&desk).args(["-I", &url]).run();
    assert!(report.text.contains("Content-Length: 3000000"), "{}", report.text);
    assert!(report.text.contains("Last-Modified: Sun, 09 Sep 2001 01:46:40 GMT"), "{}", report.text);

    let report = curl(&desk).args(["-r", "1000000-1999999", "-o", "part", &url]).run();
    assert!(report.ok, "{}", report.text);
    desk.expect_local("part", &content[1_000_000..2_000_000], &report);
}

/// `-B` is TYPE A: the lines travel with CRLF and are stored with LF.
#[test]
fn text_goes_up_and_down() {
    let Some(desk) = Desk::open(&CURL) else {
        return;
    };
    desk.write_local("up", b"one\ntwo\n");
    let url = format!("ftp://{}/text", desk.authority());
    let report = curl(&desk).args(["-B", "-T", "up", &url]).run();
    assert!(report.ok, "{}", report.text);
    desk.expect_disk("text", b"one\ntwo\n", &report);
    // curl itself turns CRLF back into LF on a Unix machine when it receives text.
    let report = curl(&desk).args(["-B", "-o", "down", &url]).run();
    assert!(report.ok, "{}", report.text);
    let down = fs::read(desk.local("down")).expect("it was fetched");
    assert_eq!(String::from_utf8_lossy(&down).replace('\r', ""), "one\ntwo\n");
}

/// `-Q` sends what is typed before the transfer: a digest, a part of a file, a time by MDTM.
#[test]
fn sends_extensions() {
    let Some(desk) = Desk::open(&CURL) else {
        return;
    };
    desk.write_disk("have", b"0123456789");
    let url = format!("ftp://{}/have", desk.authority());
    let asked = ["-v", "-Q", "HASH have", "-Q", "XCRC \"have\" 0 10", "-Q", "MDTM 20010909014640 have", "-I"];
    let report = curl(&desk).args(asked).args([&url]).run();
    for said in
        ["213 SHA-256 0-9 84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882 have", "250 A684C7C6"]
    {
        assert!(report.ok && report.text.contains(said), "{said}:\n{}", report.text);
    }
    assert!(report.text.contains("Last-Modified: Sun, 09 Sep 2001 01:46:40 GMT"), "{}", report.text);
}

/// `-Q -…` does a command after the transfer: the usual way to keep times and modes with curl.
#[test]
fn sets_times_after_an_upload() {
    let Some(desk) = Desk::open(&CURL) else { return };
    desk.write_local("up", b"x");
    for (name, command) in [
        ("one", "MFMT 20010909014640 one"),
        ("two", "MFF Modify=20010909014640;UNIX.mode=0600; two"),
        ("a b", "SITE UTIME 20010909014640 a b"),
    ] {
        let url = format!("ftp://{}/{}", desk.authority(), encoded(name));
        let report = curl(&desk).args(["-T", "up", "-Q", &format!("-{command}"), &url]).run();
        assert!(report.ok, "{}", report.text);
        let set = fs::metadata(desk.disk(name)).and_then(|data| data.modified()).expect("a time");
        let wanted = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        assert_eq!(set, wanted, "{command}: {}", report.text);
    }
}

impl Driver for Curl {
    fn programs(&self) -> &'static [&'static str] {
        &["curl"]
    }

    fn roads(&self) -> &'static [Road] {
        &[Road::Passive, Road::Pasv, Road::Active, Road::Port, Road::PassiveV6, Road::ActiveV6]
    }

    fn perform(&self, desk: &Desk, steps: &[Step]) -> Report {
        let mut all = Report { ok: true, text: String::new() };
        for step in steps {
            let road: &[&str] = match desk.road {
                Road::Passive | Road::PassiveV6 => &[],
                Road::Pasv => &["--disable-epsv"],
                Road::Active | Road::ActiveV6 => &["--ftp-port", "-"],
                Road::Port => &["--ftp-port", "-", "--disable-eprt"],
            };
            let report =
                curl(desk).args(["--ftp-method", self.0]).args(road.to_vec()).args(arguments(desk, step)).run();
            all.ok &= report.ok;
            all.text += &report.text;
        }
        all
    }
}

/// curl, quiet but for errors, and deaf to the brackets of its own URL patterns.
fn curl(desk: &Desk) -> super::Client {
    let account = format!("{USER}:{PASSWORD}");
    desk.client("curl").args(["-sS", "-g", "--max-time", "100", "-u", &account])
}

fn arguments(desk: &Desk, step: &Step) -> Vec<String> {
    let url = |path: &str| format!("ftp://{}/{}", desk.authority(), encoded(path));
    let quote = |commands: &[String]| -> Vec<String> {
        // --head on a folder: do the commands and fetch nothing.
        let quotes = commands.iter().flat_map(|command| ["-Q".to_owned(), command.clone()]);
        quotes.chain(["-I".to_owned(), url("")]).collect()
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    match *step {
        Step::List("") => vec![url("")],
        Step::List(folder) => vec![url(&format!("{folder}/"))],
        Step::Get { remote, local } => words(&["-o", local, &url(remote)]),
        Step::Put { local, remote } => words(&["-T", local, &url(remote)]),
        Step::ResumeGet { remote, local } => words(&["-C", "-", "-o", local, &url(remote)]),
        Step::ResumePut { local, remote, .. } => words(&["-C", "-", "-T", local, &url(remote)]),
        Step::Append { local, remote } => words(&["--append", "-T", local, &url(remote)]),
        Step::Rename { from, to } => quote(&[format!("RNFR {from}"), format!("RNTO {to}")]),
        Step::Delete(path) => quote(&[format!("DELE {path}")]),
        Step::MakeDir(path) => quote(&[format!("MKD {path}")]),
        Step::RemoveDir(path) => quote(&[format!("RMD {path}")]),
    }
}

/// A path for a URL: everything but letters, digits and the slash as %XX.
pub fn encoded(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'/' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
