//! Accounts of a users file, as real clients meet them: homes, a drop-box, and an account that may only read.

use std::fs;

use super::{Client, Desk, Report, Road, make_content, present};
use crate::server::{PASSWORD, Place, Server};

/// A server with an account for each of `users` (name, home, rights), if the client is there.
fn desk(program: &str, users: &[(&str, &str, &str)]) -> Option<Desk> {
    if !present(&[program]) {
        return None;
    }
    let place = Place::new();
    let rights = |words: &str| words.split(' ').map(String::from).collect();
    let users: Vec<_> =
        users.iter().map(|(name, home, words)| (name.to_string(), home.to_string(), rights(words))).collect();
    let file = place.users(&users);
    let server = Server::told_on(place, &["--users", file.to_str().expect("the path is text")]);
    Some(Desk::at(server, Road::Passive))
}

fn curl(desk: &Desk, name: &str, path: &str) -> Client {
    let (account, url) = (format!("{name}:{PASSWORD}"), format!("ftp://{}{path}", desk.authority()));
    desk.client("curl").args(["-sS", "-g", "--path-as-is", "--max-time", "60", "-u", &account, &url])
}

fn lftp(desk: &Desk, name: &str, commands: &str) -> Report {
    let settings = "set cmd:fail-exit yes\nset net:max-retries 2\nset net:reconnect-interval-base 1\n";
    let open = format!("open -u {name},{PASSWORD} -p {} {}\n", desk.port(), desk.host());
    desk.client("lftp").args(["--norc"]).script(format!("{settings}{open}{commands}")).run()
}

#[test]
fn curl_in_a_home() {
    let Some(desk) = desk("curl", &[("alice", "/users/alice", "full"), ("bob", "/users/bob", "full")]) else {
        return;
    };
    let content = make_content(41, 300_000);
    desk.write_local("up", &content);
    let report = curl(&desk, "alice", "/in/up").args(["--ftp-create-dirs", "-T", "up"]).run();
    desk.expect_disk("users/alice/in/up", &content, &report);
    let report = curl(&desk, "alice", "/in/up").args(["-o", "down"]).run();
    desk.expect_local("down", &content, &report);
    let report = curl(&desk, "alice", "/").run();
    assert!(report.ok && report.text.contains(" in\n") && !report.text.contains("bob"), "{}", report.text);

    fs::create_dir_all(desk.disk("users/bob")).expect("bob's home");
    desk.write_disk("users/bob/secret", b"his");
    std::os::unix::fs::symlink("../bob/secret", desk.disk("users/alice/link")).expect("a link");
    for path in ["/../bob/secret", "/%2e%2e/bob/secret", "/%2Fusers/bob/secret", "/link", "/in/../../bob/secret"] {
        let report = curl(&desk, "alice", path).args(["-o", "stolen"]).run();
        assert!(!report.ok && !desk.local("stolen").exists(), "{path}: {}", report.text);
    }
    let report = curl(&desk, "bob", "/secret").run();
    assert!(report.ok && report.text.starts_with("his"), "{}", report.text);
}

#[test]
fn lftp_in_a_home() {
    let Some(desk) = desk("lftp", &[("alice", "/users/alice", "full"), ("eve", "/", "read-only")]) else {
        return;
    };
    fs::create_dir_all(desk.local("tree/a b")).expect("the client's folder");
    desk.write_local("tree/a b/f", b"content");
    let report = lftp(&desk, "alice", "mirror -R tree up\nmirror up down\ncd ../../..\npwd\ncls -1\n");
    assert!(report.ok, "{}", report.text);
    desk.expect_disk("users/alice/up/a b/f", b"content", &report);
    desk.expect_local("down/a b/f", b"content", &report);
    // Who may only look sees it from the root, and changes nothing.
    let report = lftp(&desk, "eve", "get \"users/alice/up/a b/f\" -o eves\n");
    desk.expect_local("eves", b"content", &report);
    for command in ["put eves", "rm \"users/alice/up/a b/f\"", "mkdir new", "mv users moved", "chmod 600 users"] {
        let report = lftp(&desk, "eve", &format!("{command}\n"));
        assert!(!report.ok, "{command}: {}", report.text);
        assert!(report.text.contains("550"), "{command}: {}", report.text);
    }
    desk.expect_disk("users/alice/up/a b/f", b"content", &report);
}

#[test]
fn curl_and_a_drop_box() {
    let Some(desk) = desk("curl", &[("camera", "/inbox", "drop-box")]) else {
        return;
    };
    for (number, name) in ["snap.jpg", "snap.jpg.1", "snap.jpg.2"].into_iter().enumerate() {
        let content = make_content(number as u64, 20_000);
        desk.write_local("snap.jpg", &content);
        let report = curl(&desk, "camera", "/snap.jpg").args(["-v", "-T", "snap.jpg"]).run();
        desk.expect_disk(&format!("inbox/{name}"), &content, &report);
        assert!(report.ok && report.text.contains(&format!("as {name}")), "{}", report.text);
    }
    let report = curl(&desk, "camera", "/day/night/a").args(["--ftp-create-dirs", "-T", "snap.jpg"]).run();
    desk.expect_disk("inbox/day/night/a", &make_content(2, 20_000), &report);
    let report = curl(&desk, "camera", "/snap.jpg").args(["-o", "stolen"]).run();
    assert!(!report.ok && !desk.local("stolen").exists(), "{}", report.text);
    // Another session has brought them, so this one sees nothing.
    let report = curl(&desk, "camera", "/").args(["-o", "listing"]).run();
    desk.expect_local("listing", b"", &report);
}

#[test]
fn lftp_and_a_drop_box() {
    let Some(desk) = desk("lftp", &[("camera", "/inbox", "drop-box")]) else {
        return;
    };
    desk.write_local("one", b"1");
    let report = lftp(&desk, "camera", "put one\nput one\nmkdir day\nput one -o day/two\n");
    desk.expect_disk("inbox/one", b"1", &report);
    desk.expect_disk("inbox/one.1", b"1", &report);
    desk.expect_disk("inbox/day/two", b"1", &report);
}
