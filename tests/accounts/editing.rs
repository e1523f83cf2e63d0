//! The users file as `gftp user` makes and changes it: what is printed, what a mistake is answered, and what stands there.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{done, refused, try_login, user};
use crate::clients::present;
use crate::command_line::outcome;
use crate::server::{Place, Server, program};

#[test]
fn accounts_are_made_changed_listed_and_removed() {
    let place = Place::new();
    let file = place.outside().join("users.toml");
    let file = file.to_str().unwrap();
    let said = done(&["add", "alice", "--users", file], "hers\nnot this\n");
    assert_eq!(
        said,
        "alice may list, read, write, append, create, delete, rename, mkdir, site in /; a running server takes note within seconds\n"
    );
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    done(&["add", "bob", "--users", file, "--home", "users/bob", "--rights", "list,read"], "his\r\n");
    done(&["add", "camera", "--users", file, "--home", "/inbox", "--rights", "drop-box"], "snap");
    assert_eq!(
        done(&["list", "--users", file], ""),
        "alice   /           full\nbob     /users/bob  read-only\ncamera  /inbox      drop-box\n"
    );
    let text = fs::read_to_string(file).unwrap();
    assert!(!text.contains("hers") && !text.contains("his\"") && text.contains("$argon2id$"), "{text}");
    fs::write(file, format!("# Ours.\n\n{text}")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    done(&["passwd", "alice", "--users", file], "new\n");
    done(&["remove", "camera", "--users", file], "");
    let text = fs::read_to_string(file).unwrap();
    assert!(text.starts_with("# Ours.\n\n[[user]]\nname = \"alice\"\n") && !text.contains("camera"), "{text}");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "others may no longer read it");

    let server = Server::told_on(place.clone(), &["--users", file]);
    assert!(server.ready().contains(" to alice, bob; try"), "{}", server.ready());
    assert!(!server.log().contains("chmod"), "{}", server.log());
    for (name, password, code) in [
        ("alice", "new", 230),
        ("alice", "hers", 530),
        ("bob", "his", 230),
        ("camera", "snap", 530),
        ("anonymous", "x", 530),
    ] {
        assert_eq!(try_login(&server, name, password).code, code, "{name}");
    }
    assert!(place.root().join("users/bob").is_dir());
    // Nothing but the file is left beside the served folder.
    assert_eq!(fs::read_dir(place.outside()).unwrap().count(), 2);
}

#[test]
fn mistakes_of_gftp_user_are_one_line() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("users.toml");
    let file = file.to_str().unwrap();
    refused(&user(&[], ""), &["gftp user add"]);
    refused(&user(&["ad"], ""), &["ad", "add"]);
    refused(&user(&["add", "alice"], ""), &["--users", "gftp user --help"]);
    refused(&user(&["add", "--users", file], ""), &["NAME"]);
    for action in ["passwd", "remove"] {
        refused(&user(&[action, "alice", "--users", file], "x\n"), &[file, "gftp user add"]);
    }
    refused(&user(&["list", "--users", file], ""), &[file, "gftp user add"]);
    refused(&user(&["add", "alice", "--users", file], "\n"), &["alice", "must not be empty"]);
    refused(&user(&["add", "alice", "--users", file], ""), &["alice", "must not be empty"]);
    refused(&user(&["add", "alice", "--users", file], &"x".repeat(4097)), &["4096"]);
    refused(&user(&["add", "", "--users", file], "x\n"), &["empty name"]);
    refused(&user(&["add", "a\nb", "--users", file], "x\n"), &["control character"]);
    refused(&user(&["add", "alice", "--users", file, "--home", "../x"], "x\n"), &["--home", "below the root"]);
    refused(&user(&["add", "alice", "--users", file, "--rights", "raed"], "x\n"), &["--rights", "raed", "create"]);
    refused(&user(&["add", "alice", "--users", "/no/such/folder/users.toml"], "x\n"), &["/no/such/folder"]);
    assert!(!Path::new(file).exists(), "a mistake makes no file");
    done(&["add", "alice", "--users", file], "x\n");
    refused(&user(&["add", "alice", "--users", file], "x\n"), &["alice", "line 2", "passwd"]);
    refused(&user(&["passwd", "bob", "--users", file], "x\n"), &["no account bob"]);
    refused(&user(&["remove", "bob", "--users", file], ""), &["no account bob"]);
    let text = "[[user]]\nname = 7\n";
    fs::write(file, text).unwrap();
    refused(&user(&["add", "bob", "--users", file], "x\n"), &["line 2, column 8", "string"]);
    refused(&user(&["list", "--users", file], ""), &["line 2, column 8"]);
    assert_eq!(fs::read_to_string(file).unwrap(), text);
}

#[test]
fn edits_at_once_lose_nothing_and_a_link_stays_one() {
    const AT_ONCE: usize = 8;
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("real")).unwrap();
    symlink("real/users.toml", folder.path().join("link")).unwrap();
    let link = folder.path().join("link");
    let path = link.to_str().unwrap();
    std::thread::scope(|scope| {
        for number in 0..AT_ONCE {
            scope.spawn(move || done(&["add", &format!("u{number}"), "--users", path], "x\n"));
        }
    });
    assert!(link.is_symlink() && folder.path().join("real/users.toml").is_file());
    let all = done(&["list", "--users", path], "");
    assert!((0..AT_ONCE).all(|number| all.contains(&format!("u{number} "))), "{all}");
    assert_eq!(fs::read_dir(folder.path().join("real")).unwrap().count(), 1, "something is left beside the file");
    if rustix::process::geteuid().is_root() {
        // What root edits is still the server's.
        std::os::unix::fs::chown(&link, Some(12345), Some(12345)).unwrap();
        done(&["passwd", "u0", "--users", path], "y\n");
        let found = fs::metadata(&link).unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o777), (12345, 12345, 0o600));
        // So is what it reads by its group only, so that it cannot change it.
        std::os::unix::fs::chown(&link, Some(0), Some(12345)).unwrap();
        for (before, after) in [(0o640, 0o640), (0o664, 0o640), (0o604, 0o600)] {
            fs::set_permissions(&link, fs::Permissions::from_mode(before)).unwrap();
            done(&["passwd", "u0", "--users", path], "z\n");
            let found = fs::metadata(&link).unwrap();
            assert_eq!((found.uid(), found.gid(), found.mode() & 0o777), (0, 12345, after), "{before:o}");
        }
    }
}

/// Someone at a keyboard types a new password twice, unseen.
#[test]
fn a_new_password_is_typed_twice_at_a_terminal() {
    if !present(&["python3"]) {
        return;
    }
    const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/terminal-twice.py");
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("users.toml");
    let ask = |first: &str, second: &str| {
        let mut command = Command::new("python3");
        command.args(["-I", SCRIPT, first, second]).arg(program()).args(["user", "add", "alice", "--users"]).arg(&file);
        let output = outcome(command);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("New password for alice: "), "{said}{}", String::from_utf8_lossy(&output.stderr));
        (output.status.code(), said)
    };
    let (code, said) = ask("typed", "mistyped");
    assert!(code == Some(2) && said.contains("differ") && !file.exists(), "{said}");
    let (code, said) = ask("", "");
    assert!(code == Some(2) && said.contains("must not be empty") && !file.exists(), "{said}");
    let (code, said) = ask("typed by hand", "typed by hand");
    assert!(code == Some(0) && said.contains("alice may") && !said.contains("typed by hand"), "{said}");
    assert!(fs::read_to_string(&file).unwrap().contains("$argon2id$"));
}

#[test]
fn terms_are_set_listed_and_taken_out() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("users.toml");
    let file = file.to_str().unwrap();
    let add = ["add", "alice", "--users", file, "--networks", "192.0.2.0/24,2001:db8::/32", "--sessions", "4"];
    done(&[&add[..], &["--expires", "2026-12-31", "--denied-networks", "192.0.2.7"]].concat(), "hers\n");
    done(&["add", "bob", "--users", file], "his\n");
    assert_eq!(
        done(&["list", "--users", file], ""),
        "alice  /  full  from 192.0.2.0/24 or 2001:db8::/32, not from 192.0.2.7/32, 4 at once, until 2026-12-31\nbob    /  full\n"
    );
    let set =
        ["set", "alice", "--users", file, "--networks", "unset", "--denied-networks", "unset", "--rights", "read-only"];
    let said = done(&[&set[..], &["--home", "/a", "--upload", "2 MB/s", "--expires", "2027-01-31"]].concat(), "");
    assert_eq!(said, "alice is changed; a running server takes note within seconds\n");
    let said = done(&["list", "--users", file], "");
    assert!(said.starts_with("alice  /a  read-only  4 at once, until 2027-01-31, up 2 MB/s\n"), "{said}");
    let before = fs::read_to_string(file).unwrap();
    for (options, hints) in [
        (&[][..], &["nothing to set", "--expires"][..]),
        (&["--networks", "example.org"], &["--networks", "\"example.org\"", "192.0.2.0/24"]),
        (&["--denied-networks", "192.0.2.0/33"], &["--denied-networks", "192.0.2.0/33", "192.0.2.0/24"]),
        (&["--sessions", "0"], &["--sessions", "at least 1"]),
        (&["--expires", "soon"], &["--expires", "\"soon\"", "2026-12-31"]),
        (&["--download", "10"], &["--download", "KiB/s"]),
        (&["--home", "../x"], &["--home", "below the root"]),
    ] {
        refused(&user(&[&["set", "alice", "--users", file], options].concat(), ""), hints);
    }
    refused(&user(&["set", "carol", "--users", file, "--sessions", "1"], ""), &["no account carol"]);
    assert_eq!(fs::read_to_string(file).unwrap(), before);
}
