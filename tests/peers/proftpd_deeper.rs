//! ProFTPD's failures that want many bytes, another file system, a changed file or several sessions at once.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::abuse::{assert_serves, eventually, guest};
use crate::command_line::outcome;
use crate::dialogue::client::{Control, read_all, send_all};
use crate::disk::Mount;
use crate::server::{PASSWORD, Place, Server, command};

/// A session of this account.
fn login(server: &Server, name: &str) -> Control {
    let mut control = Control::greeted(server.address()).unwrap();
    control.tell(&format!("USER {name}"), 331).unwrap();
    control.tell(&format!("PASS {PASSWORD}"), 230).unwrap();
    control.tell("TYPE I", 200).unwrap();
    control
}

/// One account, alice, with these lines in the users file.
fn account(more: &str) -> (Place, std::path::PathBuf) {
    let place = Place::new();
    fs::create_dir(place.root().join("home")).unwrap();
    let alice = ("alice".to_string(), "/home".to_string(), vec!["full".to_string()]);
    let file = place.users_with(&[alice], &[("alice".to_string(), more.to_string())]);
    (place, file)
}

fn store(control: &mut Control, name: &str, bytes: &[u8]) -> u16 {
    let data = control.passive().unwrap();
    let code = control.ask(&format!("STOR {name}")).unwrap().code;
    if code != 150 {
        return code;
    }
    // The server may have had enough before all is sent.
    let _ = send_all(data, bytes);
    control.reply().unwrap().code
}

fn listed(control: &mut Control, command: &str) -> Vec<u8> {
    let mut data = control.passive().unwrap();
    control.tell(command, 150).unwrap();
    let lines = read_all(&mut data).unwrap();
    control.expect(226).unwrap();
    lines
}

/// Issue 2019: bytes above 0x7F in a verb were made large letters of by what knows letters only.
#[test]
fn proftpd_2019_bytes_above_127_in_a_verb_are_no_command() {
    let server = Server::start(&[]);
    let mut control = guest(&server);
    for byte in 0x80..=0xfe {
        // Between them lie Telnet's codes, which mean something behind 0xFF only.
        control.send(&[byte, b'O', b'O', byte, b'\r', b'\n']).unwrap();
        control.expect(500).unwrap();
    }
    control.send(b"\xff\xff\xff\xff\r\n").unwrap();
    control.expect(500).unwrap();
    control.tell("NOOP", 200).unwrap();
}

/// Issue 2030: -B writes an escape for each odd byte, and names full of them overran a buffer.
#[test]
fn proftpd_2030_list_with_b_of_names_full_of_odd_bytes_is_whole() {
    let server = Server::start(&[]);
    for odd in ["\u{1}", "\u{7f}", "\\", "\""] {
        fs::write(server.root().join(odd.repeat(255)), b"x").unwrap();
    }
    let mut control = guest(&server);
    for command in ["LIST -B", "NLST -B", "LIST -B -C -R", "NLST -BCF", "MLSD"] {
        let lines = listed(&mut control, command);
        let long = lines.split(|&byte| byte == b'\n').filter(|line| line.len() >= 255).count();
        assert_eq!(long, 4, "{command}: {}", lines.escape_ascii());
    }
    assert_serves(&server);
}

/// Issue 2066: sessions that store and delete at once drove the count of a quota beyond all numbers.
#[test]
fn proftpd_2066_many_sessions_at_once_leave_the_quota_as_the_disk_is() {
    const SESSIONS: usize = 8;
    const ROUNDS: usize = 12;
    let (place, file) = account("quota = { bytes = 100000 }");
    let server = Server::told_on(place, &["--users", file.to_str().unwrap()]);
    std::thread::scope(|scope| {
        for session in 0..SESSIONS {
            let server = &server;
            scope.spawn(move || {
                let mut control = login(server, "alice");
                for round in 0..ROUNDS {
                    // All write over the same names too, so that one deletes what another has just stored.
                    let name = format!("f{}", (session + round) % 4);
                    let code = store(&mut control, &name, &vec![b'x'; 1000 * session + round]);
                    assert!(matches!(code, 226 | 450 | 552), "STOR {name}: {code}");
                    let code = control.ask(&format!("DELE {name}")).unwrap().code;
                    assert!(matches!(code, 250 | 450 | 550), "DELE {name}: {code}");
                }
                store(&mut control, &format!("last{session}"), &[b'x'; 500]);
            });
        }
    });
    let on_disk: u64 =
        fs::read_dir(server.root().join("home")).unwrap().map(|f| f.unwrap().metadata().unwrap().len()).sum();
    let said = login(&server, "alice").tell("SITE QUOTA", 200).unwrap().shown();
    assert!(said.contains(&format!("Used: {on_disk} of 100000 bytes")), "{on_disk} bytes on the disk; {said}");
}

/// Issue 2146: MLSD and MLST wrote a long path beyond the end of a buffer.
#[test]
fn proftpd_2146_mlsd_and_mlst_of_the_longest_paths_are_whole() {
    const LEVELS: usize = 15;
    let server = Server::start(&[]);
    let mut control = guest(&server);
    let name = "n".repeat(255);
    for _ in 0..LEVELS {
        control.tell(&format!("MKD {name}"), 257).unwrap();
        control.tell(&format!("CWD {name}"), 250).unwrap();
    }
    assert_eq!(store(&mut control, "file", b"12345"), 226);
    let path = format!("/{name}").repeat(LEVELS);
    control.tell("CWD /", 250).unwrap();
    let facts = control.tell(&format!("MLST {path}/file"), 250).unwrap().shown();
    assert!(facts.contains(&format!("; {path}/file")), "{facts}");
    let lines = listed(&mut control, &format!("MLSD {path}"));
    assert!(lines.ends_with(b"; file\r\n"), "{}", lines.escape_ascii());
    // Longer than any path may be.
    for command in ["MLSD", "MLST"] {
        control.tell(&format!("{command} {path}{path}"), 553).unwrap();
    }
    assert_serves(&server);
}

/// Issue 2158: a user's limit counted those who did anything else, so that transfers were without one.
#[test]
fn proftpd_2158_a_limit_holds_while_bytes_flow_and_after_a_reload() {
    let (place, file) = account("sessions = 1");
    let server = Server::told_on(place, &["--users", file.to_str().unwrap()]);
    let mut first = login(&server, "alice");
    let data = first.passive().unwrap();
    first.tell("STOR up", 150).unwrap();
    let refused = |server: &Server| {
        let mut second = Control::greeted(server.address()).unwrap();
        second.tell("USER alice", 331).unwrap();
        second.tell(&format!("PASS {PASSWORD}"), 421).unwrap();
    };
    refused(&server);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\n{}", text.replace("\"alice\"", "\"bob\""))).unwrap();
    eventually("the changed file is read", || server.log().contains("now 2 accounts"));
    refused(&server);
    login(&server, "bob");
    send_all(data, b"content").unwrap();
    first.expect(226).unwrap();
}

/// Issue 2256: a rename to another file system followed links, at both ends, and said 250.
#[test]
fn proftpd_2256_a_rename_to_another_file_system_follows_no_link() {
    let Some(mount) = Mount::new("size=256k") else { return };
    let at = |name: &str| mount.place.root().join(name);
    fs::write(at("target"), b"target").unwrap();
    fs::write(at("file"), b"file").unwrap();
    fs::write(at("small/beyond"), b"beyond").unwrap();
    symlink("target", at("link")).unwrap();
    symlink("beyond", at("small/link")).unwrap();
    let server = Server::start_on(mount.place.clone(), &[]);
    let mut control = guest(&server);
    for (from, to) in [("link", "small/new"), ("file", "small/link"), ("link", "small/link"), ("small/link", "moved")] {
        control.tell(&format!("RNFR {from}"), 350).unwrap();
        control.tell(&format!("RNTO {to}"), 550).unwrap();
    }
    assert!(!at("small/new").exists() && !at("moved").exists());
    assert_eq!(fs::read_link(at("link")).unwrap(), Path::new("target"));
    assert_eq!(fs::read_link(at("small/link")).unwrap(), Path::new("beyond"));
    for (name, content) in [("target", "target"), ("file", "file"), ("small/beyond", "beyond")] {
        assert_eq!(fs::read_to_string(at(name)).unwrap(), content);
    }
}

/// Issues 2275 and 2279: only as many bytes were compared as the file had, so that any password was equal to none.
#[test]
fn proftpd_2279_an_empty_or_cut_hash_is_nobodys_password() {
    let (place, file) = account("");
    let text = fs::read_to_string(&file).unwrap();
    let hash = text.split("hash = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let path = file.to_str().unwrap();
    let cut = &hash[..hash.rfind('$').unwrap()];
    for wrong in ["", "$", "$argon2id$", cut, &format!("{cut}$")] {
        fs::write(&file, text.replace(hash, wrong)).unwrap();
        let output = outcome(command(place.root(), &["--port", "0", "--users", path]));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {said}");
        assert!(said.contains("hash"), "{wrong:?}: {said}");
    }
    fs::write(&file, &text).unwrap();
    let server = Server::told_on(place, &["--users", path]);
    let mut control = Control::greeted(server.address()).unwrap();
    for password in ["PASS", "PASS ", &format!("PASS {}", &PASSWORD[..4])] {
        control.tell("USER alice", 331).unwrap();
        control.tell(password, 530).unwrap();
    }
    login(&server, "alice");
}

/// What mod_procfs was made for: /proc and /sys show the server's own secrets as files.
#[test]
fn proftpd_procfs_is_not_served() {
    for root in ["/proc", "/sys", "/proc/self"] {
        let output = outcome(command(Path::new(root), &["--port", "0"]));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{root}: {said}");
    }
    let server = Server::start(&[]);
    symlink("/proc", server.root().join("proc")).unwrap();
    symlink("/proc/self/environ", server.root().join("environ")).unwrap();
    let mut control = guest(&server);
    for path in ["proc/self/environ", "environ", "/proc/version", "../../proc/version"] {
        control.tell(&format!("RETR {path}"), 550).unwrap();
        control.tell(&format!("SIZE {path}"), 550).unwrap();
    }
    control.tell("CWD proc", 550).unwrap();
}
