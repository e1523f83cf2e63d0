//! Who the process becomes and what it keeps, as the kernel tells it of each of its threads; and that what is to be opened
//! later still can be.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use rustix::process::{Signal, kill_process};

use super::{NOBODY, Start, escape, escaping, place, started, starts, works};
use crate::abuse::{assert_serves, eventually};
use crate::clients::skip;
use crate::command_line::outcome;
use crate::dialogue::client::Control;
use crate::server::{Place, Server, command, program};

/// What /proc says of each thread: name of the field, value.
fn threads(server: &Server) -> Vec<BTreeMap<String, String>> {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid().as_raw_nonzero())).unwrap();
    let statuses = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("status")).ok());
    let fields = |status: String| {
        let fields = status.lines().filter_map(|line| line.split_once(':'));
        fields.map(|(name, value)| (name.to_string(), value.split_whitespace().collect::<Vec<_>>().join(" "))).collect()
    };
    statuses.map(fields).collect()
}

fn upload(server: &Server, name: &str, code: u16) {
    let mut control = Control::anonymous(server.address()).unwrap();
    let mut data = control.passive().unwrap();
    control.tell(&format!("STOR {name}"), if code == 226 { 150 } else { code }).unwrap();
    if code == 226 {
        data.write_all(b"x").unwrap();
        drop(data);
        control.expect(226).unwrap();
    }
    control.tell("QUIT", 221).unwrap();
}

/// Every thread: the log's, the reactor's, the executor's, those of the pool and those that compare passwords.
#[test]
fn every_thread_has_given_up_all() {
    const NONE: &str = "0000000000000000";
    for start in starts() {
        let place = place();
        let users = place.users(&[("carol".to_string(), "/".to_string(), vec!["full".to_string()])]);
        fs::set_permissions(&users, Permissions::from_mode(0o644)).unwrap();
        let options = ["--users", users.to_str().unwrap()];
        let Some(server) = started(start, Path::new(&program()), &place, &options) else { return };
        assert_serves(&server);
        upload(&server, "up", 226);
        let mut control = Control::greeted(server.address()).unwrap();
        control.tell("USER carol", 331).unwrap();
        control.tell(&format!("PASS {}", crate::server::PASSWORD), 230).unwrap();
        let threads = threads(&server);
        assert!(threads.len() >= 5, "where are its threads? {threads:?}");
        for thread in &threads {
            let says = |field: &str| thread.get(field).map(String::as_str).unwrap_or_default();
            for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                assert_eq!(says(set), NONE, "{start:?}: {thread:?}");
            }
            assert_eq!(says("NoNewPrivs"), "1", "{start:?}: {thread:?}");
            if start != Start::Ordinary {
                assert_eq!(says("CapBnd"), NONE, "{start:?}: {thread:?}");
            }
            let expected = if start == Start::Root { "0 0 0 0" } else { "65534 65534 65534 65534" };
            if rustix::process::geteuid().is_root() {
                assert_eq!((says("Uid"), says("Gid")), (expected, expected), "{start:?}: {thread:?}");
            }
            if start == Start::RunAs {
                assert_eq!(says("Groups"), "65534", "{thread:?}");
            }
        }
    }
}

/// Threads that ask a program about logins, and the program itself; a certificate is read and kept before.
#[test]
fn who_asks_about_logins_has_given_up_all_too() {
    for start in starts() {
        let place = place();
        let folder = place.outside().join("outside/tls");
        let options = ["--auth-program", "/bin/cat", "--tls-self-signed", folder.to_str().unwrap()];
        let Some(server) = started(start, Path::new(&program()), &place, &options) else { return };
        let mut control = Control::greeted(server.address()).unwrap();
        control.tell("USER carol", 331).unwrap();
        // What says back what it is asked is no answer.
        assert!(control.ask("PASS x").unwrap().code >= 400);
        assert_serves(&server);
        assert!(!server.log().contains("had begun before"), "{}", server.log());
        for thread in threads(&server) {
            assert_eq!(
                (&*thread["CapPrm"], &*thread["NoNewPrivs"]),
                ("0000000000000000", "1"),
                "{start:?}: {thread:?}"
            );
        }
    }
}

/// A user with other groups has these, and a group that was asked for is the first.
#[test]
fn groups_are_the_users() {
    if starts().len() < 2 {
        return;
    }
    let place = place();
    let server = Server::told_on(place.clone(), &["--anonymous", "write", "--run-as", "daemon:nogroup"]);
    let uploaded = place.root().join("up");
    upload(&server, "up", 226);
    let made = fs::metadata(&uploaded).unwrap();
    let expected = nix::unistd::User::from_name("daemon").unwrap().unwrap().uid.as_raw();
    assert_eq!((made.uid(), made.gid()), (expected, 65534));
    let server = Server::told_on(place.clone(), &["--anonymous", "write", "--run-as", "12345:54321"]);
    for thread in threads(&server) {
        assert_eq!((&*thread["Uid"], &*thread["Gid"]), ("12345 12345 12345 12345", "54321 54321 54321 54321"));
        assert_eq!(thread["Groups"], "54321");
    }
}

/// Who is the user already may come in groups that are not the user's, as in a container that is started by numbers.
#[test]
fn groups_of_others_are_not_kept() {
    let place = place();
    let Some(words) = super::copied_for_nobody(program().as_ref(), &place).filter(|_| starts().len() > 1) else {
        return;
    };
    let copy = words.last().unwrap().clone();
    for groups in [["--regid=0", "--clear-groups"], ["--regid=65534", "--groups=0"]] {
        let words = ["setpriv", "--reuid=65534"].iter().chain(&groups).map(std::ffi::OsString::from);
        let words: Vec<_> = words.chain([copy.clone()]).collect();
        let options = ["--port", "0", "--run-as", NOBODY];
        let output = outcome(crate::server::command_by(&words, place.root(), &options));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains("or leave groups"), "{groups:?}: {said}");
    }
    let options = ["--port", "0", "--run-as", NOBODY];
    let server = Server::run(crate::server::command_by(&words, place.root(), &options), place.clone());
    assert_serves(&server);
}

/// A port below 1024 is bound while that may be done.
#[test]
fn low_ports_are_bound_before_root_is_given_up() {
    if starts().len() < 2 {
        return;
    }
    // Any that nobody has: these are given to no client.
    let free = (600..1000).find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port");
    let place = place();
    let port = free.to_string();
    let server = Server::run(command(place.root(), &["--port", &port, "--run-as", NOBODY]), place.clone());
    assert_eq!(server.address().port(), free);
    assert_serves(&server);
}

/// As systemd starts it (AmbientCapabilities=): an ordinary user who has the right to low ports, and nothing else.
#[test]
fn a_capability_that_was_lent_is_given_back() {
    if starts().len() < 2 || !crate::clients::present(&["setpriv"]) {
        return;
    }
    let place = place();
    let copy = super::copied_for_nobody(program().as_ref(), &place).expect("setpriv is there").pop().unwrap();
    let lent = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"];
    let lent = [&lent[..], &["--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"]].concat();
    let words: Vec<_> = lent.into_iter().map(std::ffi::OsString::from).chain([copy]).collect();
    let free =
        (600..1000).rev().find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port");
    let options = ["--port", &free.to_string(), "--confine", "require"];
    if !super::landlock_is_whole() {
        return;
    }
    let server = Server::run(crate::server::command_by(&words, place.root(), &options), place.clone());
    assert_eq!(server.address().port(), free);
    assert_serves(&server);
    for thread in threads(&server) {
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(thread[set], "0000000000000000", "{thread:?}");
        }
    }
}

/// What logrotate does: the files are moved away, and SIGHUP has them opened anew, by somebody who is no longer root.
#[test]
fn logs_are_opened_anew_by_who_it_became() {
    for start in starts() {
        let place = place();
        let folder = place.outside().join("logs");
        fs::create_dir(&folder).unwrap();
        if starts().len() > 1 {
            chown(&folder, Some(65534), Some(65534)).unwrap();
        }
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        let paths = ["log", "xferlog"].map(|name| folder.join(name));
        let [log, transfers] = paths.each_ref().map(|path| path.to_str().unwrap());
        let options = ["--log-file", log, "--xferlog", transfers];
        let Some(server) = started(start, Path::new(&program()), &place, &options) else { return };
        if start == Start::RunAs {
            assert!(paths.iter().all(|path| fs::metadata(path).unwrap().uid() == 65534), "they are its own");
        }
        let has = |path: &str, name: &str| fs::read_to_string(path).unwrap_or_default().contains(name);
        upload(&server, "before", 226);
        for path in [log, transfers] {
            eventually("the upload is logged", || has(path, "/before"));
            fs::rename(path, format!("{path}.1")).unwrap();
        }
        kill_process(server.pid(), Signal::HUP).unwrap();
        for path in [log, transfers] {
            eventually("the file is there again", || fs::exists(path).unwrap());
        }
        upload(&server, "behind", 226);
        for path in [log, transfers] {
            eventually("what happens now is in the new file", || has(path, "/behind"));
        }
        assert!(!server.log().contains("could not be opened again"), "{}", server.log());
    }
}

/// What will not work later is said at once, with what to do; and what cannot be served is refused.
#[test]
fn what_belongs_to_root_is_told_of() {
    if starts().len() < 2 {
        return;
    }
    let place = place();
    let shut = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let log = place.outside().join("log");
    fs::write(&log, b"").unwrap();
    shut(&log, 0o600);
    let users = place.users(&[("carol".to_string(), "/".to_string(), vec!["full".to_string()])]);
    shut(place.root(), 0o755);
    let options = ["--users", users.to_str().unwrap(), "--log-file", log.to_str().unwrap(), "--run-as", NOBODY];
    let server = Server::told_on(place.clone(), &options);
    for told in ["users.toml: nobody", "log: nobody", "may write only in those folders below"] {
        eventually("it is told of", || server.log().contains(told));
    }
    assert!(!server.log().contains("runs as root"));
    drop(server);
    shut(place.root(), 0o700);
    let output = outcome(command(place.root(), &["--port", "0", "--run-as", NOBODY]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("may not read it") && said.contains("chmod") && said.lines().count() == 1, "{said}");
    // Root without its capabilities is somebody else where a folder is closed to others.
    chown(place.root(), Some(65534), Some(65534)).unwrap();
    let output = outcome(command(place.root(), &["--port", "0"]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("--run-as nobody"), "{said}");
    // A path that leads through somebody's closed folder was opened while that could be done.
    shut(place.root(), 0o755);
    shut(place.outside(), 0o700);
    let server = Server::told_on(place.clone(), &["--run-as", NOBODY]);
    assert_serves(&server);
}

/// Who stays root is told so, unless that was meant.
#[test]
fn staying_root_is_warned_of() {
    if starts().len() < 2 {
        return;
    }
    let warned = |options: &[&str]| {
        let server = Server::start(options);
        eventually("it says who it is", || server.log().contains("root (uid 0)"));
        server.log().contains("[WARN] runs as root: ")
    };
    assert!(warned(&[]));
    assert!(!warned(&["--run-as", "root"]));
    assert!(warned(&["--confine", "off"]));
}

/// A users file is read again when another one takes its place, and what lies beside it in other folders is not read.
#[test]
fn what_is_read_again_can_be() {
    for start in starts() {
        let place = place();
        let (etc, other) = (place.outside().join("etc"), place.outside().join("outside/secret"));
        fs::create_dir(&etc).unwrap();
        let users = etc.join("users.toml");
        let made = place.users(&[("carol".to_string(), "/".to_string(), vec!["full".to_string()])]);
        fs::copy(&made, &users).unwrap();
        fs::set_permissions(&users, Permissions::from_mode(0o644)).unwrap();
        let Some((_server, mut lines)) = escaping(start, &place, &["--users", users.to_str().unwrap()]) else { return };
        let read = format!("read {}", users.display());
        works(&mut lines, &read, "as it was");
        fs::rename(&made, &users).unwrap();
        fs::set_permissions(&users, Permissions::from_mode(0o644)).unwrap();
        works(&mut lines, &read, "another one");
        let (here, _) = super::tried(&mut lines, &format!("read {}", other.display()));
        assert!(!here.starts_with("done") || !super::landlock_is_whole(), "{here}");
    }
}

/// Programs inherit the confinement: they read and run what the user may, and write where the server may, or was told to.
#[test]
fn programs_write_where_the_server_may() {
    let home = std::env::var_os("HOME").filter(|home| !Path::new(home).starts_with("/tmp"));
    let home = home.and_then(|home| tempfile::TempDir::with_prefix_in("gftp-test-", home).ok());
    let Some(home) = home else { return skip("there is no home to write to") };
    let elsewhere = home.path().display().to_string();
    let script =
        format!("head -c 4 /etc/hostname >/dev/null && echo read; echo x >{elsewhere}/new && echo wrote; exec cat");
    let written = |options: &[&str]| {
        let place = Place::new();
        let program = ["--plugin", "/bin/sh", "--port", "0", "--arg", "-c", "--arg", &script];
        let server = Server::told_on(place, &[options, &program].concat());
        let mut lines = crate::plugins::Lines::connect(crate::plugins::addresses(&server, "sh", 1)[0]);
        lines.stream().shutdown(std::net::Shutdown::Write).unwrap();
        lines.rest()
    };
    assert_eq!(written(&["--writable", &elsewhere]), "read\nwrote\n");
    assert_eq!(written(&["--confine", "off"]), "read\nwrote\n");
    if super::landlock_is_whole() {
        assert_eq!(written(&[]), "read\n");
    }
    let server = Server::start(&["--plugin", "/bin/cat", "--port", "0"]);
    eventually("it is said", || server.log().contains("since it runs programs"));
}

/// A thread that a plugin has begun too early is not confined; nobody is told otherwise.
#[test]
fn a_thread_that_is_too_early_is_told_of() {
    let place = place();
    let early = ["--plugin", "escape", "--port", "0", "--early"];
    let server = started(starts()[0], &escape(), &place, &early).unwrap();
    eventually("it is told of", || server.log().contains("1 threads had begun before the process was confined"));
    let mut command = command(place.root(), &[&["--port", "0", "--confine", "require"], &early[..]].concat());
    command = {
        let mut other = std::process::Command::new(escape());
        other.args(command.get_args());
        other
    };
    let output = outcome(command);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let server = Server::start(&[]);
    eventually("it is confined", || server.log().contains("confined: "));
    assert!(!server.log().contains("had begun before"), "the server's own begin too early:\n{}", server.log());
}
