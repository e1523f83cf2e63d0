//! Kernels that lack something, folders that are never served, and what cannot be asked for.

use std::ffi::OsString;
use std::io::Write;
use std::net::TcpListener;

use super::{Start, landlock_is_whole, place, started, starts};
use crate::abuse::{assert_serves, eventually};
use crate::clients::{present, skip};
use crate::command_line::{assert_mistake, outcome};
use crate::dialogue::client::{Control, read_all};
use crate::server::{Place, Server, command_by, program};

/// Starts what stands behind it under a filter that knows no Landlock, as an older kernel, or one that was started without.
const WITHOUT_LANDLOCK: &str = r#"
import ctypes, os, struct, sys
ENOSYS, ERRNO, ALLOW, CREATE = 38, 0x00050000, 0x7fff0000, 444
code = b"".join(struct.pack("HBBI", *step) for step in [
    (0x20, 0, 0, 0),                  # the number of the system call
    (0x15, 0, 1, CREATE),             # landlock_create_ruleset, the same on all architectures
    (0x06, 0, 0, ERRNO | ENOSYS),
    (0x06, 0, 0, ALLOW),
])
steps = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", 4, ctypes.addressof(steps))
libc = ctypes.CDLL(None, use_errno=True)
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
if os.getuid() != 0 and libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
    sys.exit("no_new_privs")
if libc.prctl(PR_SET_SECCOMP, FILTER, program, 0, 0):
    sys.exit("seccomp: " + os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[1], sys.argv[1:])
"#;

/// What starts the server without Landlock; None where that cannot be.
fn without_landlock() -> Option<Vec<OsString>> {
    if !present(&["python3"]) {
        return None;
    }
    let words: Vec<OsString> = ["python3", "-I", "-c", WITHOUT_LANDLOCK].map(OsString::from).to_vec();
    let mut works = std::process::Command::new(&words[0]);
    works.args(&words[1..]).arg("true");
    let works = outcome(works);
    if works.status.success() {
        return Some([&words[..], &[program()]].concat());
    }
    skip(&format!("no kernel without Landlock can be played here: {works:?}"));
    None
}

#[test]
fn a_kernel_without_landlock_is_told_of_and_refused_where_it_is_required() {
    let Some(words) = without_landlock() else { return };
    let place = Place::new();
    let server = Server::run(command_by(&words, place.root(), &["--port", "0", "--anonymous", "write"]), place.clone());
    assert_serves(&server);
    eventually("it is said", || server.log().contains("this kernel lacks Landlock (Linux 5.13;"));
    assert!(!server.log().contains("the kernel lets it"), "{}", server.log());
    drop(server);
    let output = outcome(command_by(&words, place.root(), &["--port", "0", "--confine", "require"]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.starts_with("gftp: --confine require: this kernel lacks Landlock") && said.lines().count() == 1,
        "{said}"
    );
    assert!(said.contains("--confine auto"), "{said}");
}

#[test]
fn a_kernel_that_has_all_is_enough() {
    if !landlock_is_whole() {
        return;
    }
    for start in starts() {
        let Some(server) = started(start, program().as_ref(), &place(), &["--confine", "require"]) else { return };
        assert_serves(&server);
        eventually("it is said", || server.log().contains("signal only itself"));
    }
    let server = crate::plugins::alone(&["clock", "--port", "0", "--confine", "require"]);
    eventually("a plugin alone is confined as well", || server.log().contains("connect nowhere by TCP"));
}

/// Logs that go where the process's own output goes, as in a container, have no folder.
#[test]
fn a_log_without_a_folder_is_no_obstacle() {
    if !landlock_is_whole() {
        return;
    }
    let server = Server::start(&["--log-file", "/dev/stdout", "--confine", "require"]);
    eventually("it is confined", || server.log().contains("beside /dev/stdout"));
    rustix::process::kill_process(server.pid(), rustix::process::Signal::HUP).unwrap();
    eventually("it is opened anew", || server.log().contains("SIGHUP"));
    assert!(!server.log().contains("could not be opened again"), "{}", server.log());
    assert_serves(&server);
}

/// Data connections of both kinds, over a range of ports and over any.
#[test]
fn both_modes_work_within_the_rules() {
    let first = crate::server::free_port();
    let range = format!("{first}-{}", first + 3);
    for start in starts() {
        for options in [&[][..], &["--passive-ports", &range]] {
            let Some(server) = started(start, program().as_ref(), &place(), options) else { return };
            let mut control = Control::anonymous(server.address()).unwrap();
            for _ in 0..3 {
                let mut data = control.passive().unwrap();
                control.tell("STOR up", 150).unwrap();
                data.write_all(b"up").unwrap();
                drop(data);
                control.expect(226).unwrap();
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let port = listener.local_addr().unwrap().port();
                control.tell(&format!("EPRT |1|127.0.0.1|{port}|"), 200).unwrap();
                control.tell("RETR up", 150).unwrap();
                let (mut data, _) = listener.accept().unwrap();
                assert_eq!(read_all(&mut data).unwrap(), b"up");
                control.expect(226).unwrap();
            }
        }
    }
}

/// Names of users and groups, renames between folders, and all else that a session does with the disk.
#[test]
fn sessions_miss_nothing() {
    for start in starts() {
        let place = place();
        let Some(server) = started(start, program().as_ref(), &place, &[]) else { return };
        let mut control = Control::anonymous(server.address()).unwrap();
        for (line, code) in [
            ("MKD a", 257),
            ("MKD b", 257),
            ("SITE CPFR inside", 350),
            ("SITE CPTO a/copy", 250),
            ("RNFR a/copy", 350),
            ("RNTO b/moved", 250),
            ("MFMT 20200101000000 b/moved", 213),
            ("SITE CHMOD 640 b/moved", 200),
            ("SITE SYMLINK b/moved a/link", 200),
            ("SIZE a/link", 213),
            ("HASH b/moved", 213),
            ("RNFR b", 350),
            ("RNTO a/b", 250),
            ("RMDA a", 250),
        ] {
            control.tell(line, code).unwrap_or_else(|e| panic!("{start:?}: {line}: {e}"));
        }
        let mut data = control.passive().unwrap();
        control.tell("LIST", 150).unwrap();
        let listing = String::from_utf8(read_all(&mut data).unwrap()).unwrap();
        control.expect(226).unwrap();
        if start == Start::Root {
            assert!(listing.contains(" root "), "names of users are told: {listing}");
        }
    }
}

#[test]
fn what_is_the_kernels_is_no_root() {
    for root in ["/", "/proc", "/proc/self", "/sys", "/sys/kernel", "/../"] {
        assert_mistake(&["serve", "--root", root, "--port", "0"], &[root, "--root /srv"]);
    }
    let device = |path: &str| rustix::fs::stat(path).map(|stat| stat.st_dev).ok();
    if device("/dev") != device("/") {
        assert_mistake(&["serve", "--root", "/dev", "--port", "0"], &["/dev", "--root /srv"]);
    }
}

#[test]
fn what_cannot_be_asked_for_is_refused_with_advice() {
    let place = Place::new();
    let root = place.root().to_str().unwrap();
    let refused = |options: &[&str], hints: &[&str]| {
        assert_mistake(&[&["serve", "--root", root, "--port", "0"], options].concat(), hints);
    };
    refused(&["--run-as", "no-such-user"], &["no-such-user", "useradd"]);
    refused(&["--run-as", "nobody:no-such-group"], &["no-such-group", "groupadd"]);
    refused(&["--writable", "/no/such/folder"], &["/no/such/folder", "mkdir"]);
    refused(&["--confine", "much"], &["auto, require or off"]);
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    if first.trim().parse().is_ok_and(|first: u16| first > 1000) {
        refused(&["--passive-ports", "1000-1010"], &["port 1000", "--passive-ports 50000-50010"]);
    }
    if let Some(words) = super::copied_for_nobody(program().as_ref(), &place) {
        let output = outcome(command_by(&words, place.root(), &["--port", "0", "--run-as", "daemon"]));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("only root can become another user"), "{said}");
    }
}
