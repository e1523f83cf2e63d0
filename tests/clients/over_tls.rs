//! Clients that bring a TLS of their own: Ruby's, PHP's, Node's, Go's, and Python's asynchronous one; and rclone, many
//! connections at once. Each uploads twice, so that a ticket must be good more than once or do without, looks, downloads
//! and tidies up, in a script beside this file.

use super::{Desk, Report, Road, make_content, present, skip};
use crate::server::{PASSWORD, USER};
use crate::tls::{implicit_address, server};

/// More than sockets hold, so that an end that is cut shows.
const SIZE: usize = 3_000_000;

/// A desk before a server whose certificate these clients look at, and whose TLS they must use.
fn desk(programs: &[&str], options: &[&str]) -> Option<Desk> {
    present(programs).then(|| {
        let desk = Desk::at(server(&[&["--tls", "data-required"], options].concat()), Road::Passive);
        desk.write_local("up", &make_content(7, SIZE));
        desk
    })
}

fn script(name: &str) -> String {
    format!("{}/tests/clients/over_tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// What a script is told: host, port, account, certificate, what to bring and where to fetch to.
fn words(desk: &Desk, port: &str) -> Vec<String> {
    let certificate = desk.server.place().outside().join("certificates/certificate.pem");
    let certificate = certificate.to_str().expect("a plain path");
    ["localhost", port, USER, PASSWORD, certificate, "up", "down"].map(str::to_owned).to_vec()
}

fn expect_whole(desk: &Desk, report: &Report) {
    assert!(report.ok, "{}\nthe server:\n{}", report.text, desk.server.log());
    let content = make_content(7, SIZE);
    desk.expect_disk("in/second", &content, report);
    desk.expect_local("down", &content, report);
    assert!(!desk.disk("in/first").exists() && !desk.disk("in/third").exists(), "{}", report.text);
}

/// Net::FTP, with the certificate and the host's name verified.
#[test]
fn ruby() {
    let Some(desk) = desk(&["ruby"], &[]) else { return };
    let report = desk.client("ruby").args([vec![script("ruby.rb")], words(&desk, &desk.port())].concat()).run();
    expect_whole(&desk, &report);
}

/// pureftpd_php: `ftp_ssl_connect`, whose data connections fail there.
#[test]
fn php() {
    let Some(desk) = desk(&["php"], &[]) else { return };
    let report = desk.client("php").args([vec![script("php.php")], words(&desk, &desk.port())].concat()).run();
    expect_whole(&desk, &report);
}

/// aioftp finishes the handshake of a data connection before it sends the command.
#[test]
fn aioftp() {
    // Debian's Python has it; another that stands before it on the path need not.
    const PYTHON: &str = "/usr/bin/python3";
    let has_it = std::process::Command::new(PYTHON).args(["-c", "import aioftp"]).output();
    if !has_it.is_ok_and(|done| done.status.success()) {
        return skip("Python's aioftp is not installed");
    }
    let Some(desk) = desk(&["python3"], &["--implicit-port", "0"]) else { return };
    let port = implicit_address(&desk.server).port().to_string();
    let words = [vec!["-I".to_string(), script("with_aioftp.py")], words(&desk, &port)].concat();
    let report = desk.client(PYTHON).args(words).run();
    expect_whole(&desk, &report);
}

/// basic-ftp, in both policies: Node resumes each time.
#[test]
fn basic_ftp() {
    let modules = std::env::var("GFTP_NODE_MODULES").unwrap_or_default();
    if !std::path::Path::new(&modules).join("basic-ftp").is_dir() {
        return skip("Node's basic-ftp is not installed (GFTP_NODE_MODULES)");
    }
    for policy in ["prefer", "require"] {
        let Some(desk) = desk(&["node"], &["--tls-resume", policy]) else { return };
        let words = [vec![script("basic-ftp.js")], words(&desk, &desk.port())].concat();
        let report = desk.client("node").env("NODE_PATH", &modules).args(words).run();
        expect_whole(&desk, &report);
    }
}

/// jlaffaye/ftp finishes the handshake before the command, and resumes each time.
#[test]
fn go() {
    const PATH: &str = "/usr/share/gocode";
    if !std::path::Path::new(PATH).join("src/github.com/jlaffaye/ftp").is_dir() {
        return skip("Go's jlaffaye/ftp is not installed");
    }
    for policy in ["prefer", "require"] {
        let Some(desk) = desk(&["go"], &["--tls-resume", policy]) else { return };
        let cache = desk.local("cache");
        let cache = cache.to_str().expect("a plain path");
        let go = desk.client("go").env("GO111MODULE", "off").env("GOPATH", PATH).env("GOCACHE", cache);
        let report = go.args([vec!["run".into(), script("jlaffaye.go")], words(&desk, &desk.port())].concat()).run();
        expect_whole(&desk, &report);
    }
}

/// vsftpd_rclone_tls: rclone, eight files at once over as many sessions, there and back.
#[test]
fn rclone() {
    let Some(desk) = desk(&["rclone"], &[]) else { return };
    let names: Vec<String> = (0..40).map(|number| format!("{number}")).collect();
    std::fs::create_dir(desk.local("tree")).expect("a folder");
    for (number, name) in names.iter().enumerate() {
        desk.write_local(&format!("tree/{name}"), &make_content(number as u64, number * 10_000));
    }
    let obscured = desk.client("rclone").args(["obscure", PASSWORD]).run();
    let obscured = obscured.text.lines().next().unwrap_or_default().to_owned();
    for version in ["", ",disable_tls13=true"] {
        let remote = format!(
            ":ftp,host=localhost,port={},user={USER},pass={obscured},explicit_tls=true,no_check_certificate=true{version}:",
            desk.port()
        );
        let usual = ["--transfers", "8", "--checkers", "4", "--retries", "1", "--low-level-retries", "1"];
        let there = format!("{remote}in");
        for words in [&["sync", "tree", &there][..], &["check", "--download", "tree", &there]] {
            let report = desk.client("rclone").args(usual).args(words.iter().copied()).run();
            assert!(report.ok, "{}\nthe server:\n{}", report.text, desk.server.log());
        }
        for (number, name) in names.iter().enumerate() {
            let report = Report { ok: true, text: String::new() };
            desk.expect_disk(&format!("in/{name}"), &make_content(number as u64, number * 10_000), &report);
        }
        std::fs::remove_dir_all(desk.disk("in")).expect("it was just made");
    }
}
