//! A users file that changes while it is served: who comes in by it, who has to go, and what the log says.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::inotify;

use super::{done, login, try_login};
use crate::abuse::{connect_from, eventually};
use crate::dialogue::client::{Control, Reply};
use crate::server::{PASSWORD, Place, Server};

/// A file with these accounts, beside the served folder, replaced as `gftp user` replaces it: by a rename.
fn write(place: &Place, names: &[&str]) -> std::path::PathBuf {
    let users: Vec<_> =
        names.iter().map(|name| (name.to_string(), "/".to_string(), vec!["full".to_string()])).collect();
    place.users(&users)
}

fn add_line(file: &Path, line: &str) {
    let text = fs::read_to_string(file).unwrap();
    fs::write(file, format!("{text}{line}\n")).unwrap();
}

/// Another file in its place, in one step.
fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&new, file).unwrap();
}

/// USER and PASS from another address.
fn try_from(server: &Server, ip: [u8; 4]) -> Reply {
    let mut control = Control::over(connect_from(ip, server.address())).unwrap();
    control.expect(220).unwrap();
    control.tell("USER alice", 331).unwrap();
    control.ask(&format!("PASS {PASSWORD}")).unwrap()
}

#[test]
fn a_changed_file_is_read_again() {
    let place = Place::new();
    let file = write(&place, &["alice", "bob"]);
    let path = file.to_str().unwrap();
    let server = Server::told_on(place, &["--users", path]);
    let (mut alice, mut bob) = (login(&server, "alice"), login(&server, "bob"));
    done(&["add", "carol", "--users", path], "hers\n");
    eventually("the new account is let in", || try_login(&server, "carol", "hers").code == 230);
    eventually("it is said", || server.log().contains("read again; now 3 accounts (1 added, 0 removed, 0 changed)"));
    alice.tell("NOOP", 200).unwrap();
    // Gone: the next command is the last, and the other one stays.
    done(&["remove", "alice", "--users", path], "");
    eventually("the account is gone", || try_login(&server, "alice", PASSWORD).code == 530);
    alice.tell("PWD", 421).unwrap();
    alice.closed().unwrap();
    bob.tell("PWD", 257).unwrap();
    eventually("the log says why", || server.log().contains("has to go: the account is gone"));
    // Another password: the old one is nobody's any more, and who used it has to go.
    done(&["passwd", "bob", "--users", path], "new\n");
    eventually("the new password is right", || try_login(&server, "bob", "new").code == 230);
    assert_eq!(try_login(&server, "bob", PASSWORD).code, 530);
    bob.tell("NOOP", 421).unwrap();
    bob.closed().unwrap();
}

#[test]
fn a_broken_file_is_said_once_and_the_old_one_stays() {
    let place = Place::new();
    let file = write(&place, &["alice"]);
    let server = Server::told_on(place.clone(), &["--users", file.to_str().unwrap(), "--user", "admin"]);
    let mut alice = login(&server, "alice");
    let whole = fs::read_to_string(&file).unwrap();
    let looks = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&looks, &file, inotify::WatchFlags::CLOSE_NOWRITE).unwrap();
    let is_read = || rustix::io::read(&looks, &mut [0; 4096]).is_ok();
    let and = |name: &str| fs::write(&file, whole.clone() + &whole.replace("alice", name)).unwrap();
    let mistakes = [
        ("[[user]]\nname = 7\n", "line 2, column 8: "),
        ("[[user]]\nname = \"admin\"\nrights = \"full\"\n", "line 1, column 1: "),
        ("[[user", "line 1, column 7: "),
    ];
    for (text, said) in mistakes {
        fs::write(&file, text).unwrap();
        eventually(said, || server.log().contains(said));
        // It was read before that was said.
        while is_read() {}
        fs::write(&file, format!("{text}\n")).unwrap();
        alice.tell("NOOP", 200).unwrap();
        assert_eq!(try_login(&server, "alice", PASSWORD).code, 230, "{text}");
        eventually("it is read once more", is_read);
    }
    and("admin");
    eventually("a name given twice", || server.log().contains("\"admin\" is the account of --user too"));
    // The same mistake, read once more, is no news. What would have been said of it stands before what was said last.
    for (_, said) in mistakes {
        assert_eq!(server.log().matches(said).count(), 1, "{said}: {}", server.log());
    }
    and("bob");
    eventually("the mended file counts", || try_login(&server, "bob", PASSWORD).code == 230);
    eventually("it is said", || server.log().contains("read again; now 3 accounts (1 added, 0 removed, 0 changed)"));
    alice.tell("NOOP", 200).unwrap();
    // A file that is gone for a while is no news either.
    fs::remove_file(&file).unwrap();
    assert_eq!(try_login(&server, "bob", PASSWORD).code, 230);
}

/// The words and the codes of one who comes from elsewhere, or too late, are those of a wrong password; the log knows better.
#[test]
fn who_may_not_come_from_there_has_a_wrong_password() {
    let place = Place::new();
    let file = write(&place, &["alice"]);
    add_line(&file, "networks = [\"127.0.0.1\", \"::1/128\"]\nsessions = 2");
    let server = Server::told_on(place, &["--users", file.to_str().unwrap(), "--max-per-user", "1"]);
    let (mut first, _second) = (login(&server, "alice"), login(&server, "alice"));
    assert_eq!(try_login(&server, "alice", PASSWORD).code, 421, "two at once, though the server says one");
    let (wrong, elsewhere) = (try_login(&server, "alice", "guess"), try_from(&server, [127, 0, 0, 2]));
    assert_eq!((elsewhere.code, elsewhere.shown()), (wrong.code, wrong.shown()));
    eventually("the log says why", || {
        server.log().contains("the password was right, but the account may not come from")
    });
    let text = fs::read_to_string(&file).unwrap();
    let denied = "networks = [\"127.0.0.0/8\", \"::1/128\"]\ndenied-networks = [\"127.0.0.2\"]\n";
    fs::write(&file, text.replace("networks = [\"127.0.0.1\", \"::1/128\"]\n", denied)).unwrap();
    eventually("the log says why", || {
        try_from(&server, [127, 0, 0, 2]).code == 530 && server.log().contains("(denied-networks)")
    });
    first.tell("NOOP", 200).unwrap();
    fs::write(&file, text.replace("sessions = 2", "expires = 2020-02-02")).unwrap();
    eventually("it has expired", || try_login(&server, "alice", PASSWORD).code == 530);
    eventually("the log says why", || server.log().contains("but the account has expired (2020-02-02)"));
    first.tell("NOOP", 421).unwrap();
    first.closed().unwrap();
}

/// Logins go on while the file is replaced a hundred times: each is answered by the old one or by the new one.
#[test]
fn logins_go_on_while_the_file_is_replaced() {
    const FILES: usize = 100;
    let place = Place::new();
    let file = write(&place, &["steady", "even"]);
    let server = Server::told_on(place.clone(), &["--users", file.to_str().unwrap()]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let logins: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut rounds = 0;
                    while !done.load(Ordering::Relaxed) {
                        assert_eq!(try_login(&server, "steady", PASSWORD).code, 230);
                        let (even, odd) = (try_login(&server, "even", PASSWORD), try_login(&server, "odd", PASSWORD));
                        assert!([230, 530].contains(&even.code) && [230, 530].contains(&odd.code));
                        assert_eq!(try_login(&server, "steady", "guess").code, 530);
                        rounds += 1;
                    }
                    rounds
                })
            })
            .collect();
        let text = fs::read_to_string(&file).unwrap();
        for number in 0..FILES {
            let other = if number % 2 == 0 { text.replace("even", "odd") } else { text.clone() };
            replace(&file, &other);
            std::thread::sleep(Duration::from_millis(30));
        }
        replace(&file, &text.replace("even", "odd"));
        eventually("the last file counts", || {
            try_login(&server, "odd", PASSWORD).code == 230 && try_login(&server, "even", PASSWORD).code == 530
        });
        done.store(true, Ordering::Relaxed);
        assert!(logins.into_iter().all(|login| login.join().is_ok_and(|rounds| rounds > 0)));
    });
    eventually("it is said", || server.log().contains("read again"));
    assert!(!server.log().contains("WARN] --users"), "{}", server.log());
}
