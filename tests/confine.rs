//! What the process gives up before it serves anybody: looked at from outside, and tried from inside by a build whose service
//! tries to leave on purpose (examples/escape.rs). Each thing that is stopped works where nothing is given up, so that each
//! test can fail.

/// Who the process becomes, what it keeps, and what it is told about that.
mod identity;
/// Kernels that lack something, roots that are never served, options that cannot be.
mod refusals;

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::io::Errno;

use crate::clients::{note, skip};
use crate::disk::{copied_for_nobody, copy_program};
use crate::plugins::{Lines, addresses};
use crate::server::{Place, Server, command_by, free_port, program};

/// The user that servers are told to become; its number is the same in every Debian.
const NOBODY: &str = "nobody";

/// Who starts the server, and what it is told of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// Root, who stays root.
    Root,
    /// Root, who becomes nobody.
    RunAs,
    /// Nobody.
    Ordinary,
}

/// The ways that there are here.
fn starts() -> Vec<Start> {
    if rustix::process::geteuid().is_root() {
        return vec![Start::Root, Start::RunAs, Start::Ordinary];
    }
    note("not run as root: only an ordinary user's confinement is tested");
    vec![Start::Ordinary]
}

/// The build that tries to leave.
fn escape() -> PathBuf {
    let built = PathBuf::from(program()).with_file_name("examples").join("escape");
    assert!(built.exists(), "build it: cargo build --release --examples");
    built
}

/// A place whose folders are open to everybody, with a file outside of the served one that everybody may read and write.
fn place() -> Place {
    let place = Place::new();
    fs::set_permissions(place.outside(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(place.root(), Permissions::from_mode(0o777)).unwrap();
    fs::write(place.root().join("inside"), b"inside").unwrap();
    let outside = place.outside().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::set_permissions(&outside, Permissions::from_mode(0o777)).unwrap();
    for file in [place.root().join("inside"), outside.join("secret")] {
        fs::write(&file, b"secret").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
    }
    place
}

/// A server of this program with these options.
fn started(start: Start, program: &Path, place: &Place, options: &[&str]) -> Option<Server> {
    let words: Vec<OsString> = match start {
        Start::Ordinary => copied_for_nobody(program, place)?,
        Start::Root | Start::RunAs => vec![program.into()],
    };
    let mut all = vec!["--port", "0", "--anonymous", "write"];
    if start == Start::RunAs {
        all.extend(["--run-as", NOBODY]);
    }
    all.extend(options);
    Some(Server::run(command_by(&words, place.root(), &all), place.clone()))
}

/// A server that tries to leave, and the connection that tells it how.
fn escaping(start: Start, place: &Place, options: &[&str]) -> Option<(Server, Lines)> {
    let options = [&["--plugin", "escape", "--port", "0"], options].concat();
    let server = started(start, &escape(), place, &options)?;
    let lines = Lines::connect(addresses(&server, "escape", 1)[0]);
    Some((server, lines))
}

/// What came of a deed, on the executor and on the pool.
fn tried(lines: &mut Lines, deed: &str) -> (String, String) {
    lines.say(&format!("{deed}\n"));
    let answer = lines.line();
    let (here, there) = answer.split_once("; ").unwrap_or_else(|| panic!("{deed}: {answer}"));
    (here.to_string(), there.to_string())
}

/// Asserts that a deed is stopped in both places, with this error.
fn stopped(lines: &mut Lines, deed: &str, errno: Errno, why: &str) {
    let number = errno.raw_os_error().to_string();
    assert_eq!(tried(lines, deed), (number.clone(), number), "{deed} ({why})");
}

/// Asserts that a deed works, the first time at least.
fn works(lines: &mut Lines, deed: &str, why: &str) {
    let (here, _) = tried(lines, deed);
    assert!(here.starts_with("done"), "{deed} ({why}): {here}");
}

/// Whether this kernel has a Landlock as new as these tests want.
fn landlock_is_whole() -> bool {
    let place = place();
    let server = started(starts()[0], Path::new(&program()), &place, &[]).expect("it starts");
    crate::abuse::eventually("it says how it is confined", || server.log().contains("confined: "));
    let whole = !server.log().contains("this kernel lacks");
    if !whole {
        skip(&format!("this kernel cannot confine all:\n{}", server.log()));
    }
    whole
}

/// A file system call outside of what is served is stopped whatever its path and permissions; inside it works.
#[test]
fn files_outside_are_out_of_reach() {
    if !landlock_is_whole() {
        return;
    }
    for start in starts() {
        let place = place();
        let at = |path: &str| place.outside().join(path).display().to_string();
        let (outside, inside) = (at("outside"), place.root().display().to_string());
        let deeds = [
            format!("read {outside}/secret"),
            format!("list {outside}"),
            format!("append {outside}/secret"),
            format!("make {outside}/new"),
            format!("read {inside}/../outside/secret"),
            format!("remove {outside}/secret"),
        ];
        let Some((_server, mut lines)) = escaping(start, &place, &[]) else { return };
        let why = format!("{start:?}");
        for deed in &deeds {
            stopped(&mut lines, deed, Errno::ACCESS, &why);
        }
        for deed in [format!("rename {inside}/inside {outside}/moved"), format!("link {outside}/secret {inside}/link")]
        {
            let (here, there) = tried(&mut lines, &deed);
            let denied = [Errno::ACCESS, Errno::XDEV, Errno::PERM].map(|errno| errno.raw_os_error().to_string());
            assert!(denied.contains(&here) && denied.contains(&there), "{deed} ({why}): {here}, {there}");
        }
        for path in ["/etc/shadow", "/proc/1/environ", "/proc/self/environ", "/etc/hostname", "/root", "/etc"] {
            let (here, there) = tried(&mut lines, &format!("{} {path}", if path == "/etc" { "list" } else { "read" }));
            // What a folder of root's answers depends on who asks.
            assert!(!here.starts_with("done") && !there.starts_with("done"), "{path} ({why}): {here}, {there}");
        }
        for deed in [format!("read {inside}/inside"), format!("make {inside}/new"), format!("remove {inside}/new")] {
            works(&mut lines, &deed, &why);
        }
        assert_eq!(fs::read(place.outside().join("outside/secret")).unwrap(), b"secret");
        // All of it works where nothing is given up.
        let (_server, mut lines) = escaping(start, &place, &["--confine", "off"]).unwrap();
        for deed in &deeds {
            works(&mut lines, deed, &format!("{why}, off"));
        }
    }
}

#[test]
fn who_only_reads_writes_nothing_inside_either() {
    if !landlock_is_whole() {
        return;
    }
    for start in starts() {
        let place = place();
        let inside = place.root().display().to_string();
        let Some((_server, mut lines)) = escaping(start, &place, &[]) else { return };
        works(&mut lines, &format!("append {inside}/inside"), "anybody may write");
        drop((_server, lines));
        let words: Vec<OsString> = match start {
            Start::Ordinary => copied_for_nobody(&escape(), &place).unwrap(),
            _ => vec![escape().into()],
        };
        let mut options = vec!["--port", "0", "--plugin", "escape", "--port", "0"];
        if start == Start::RunAs {
            options.extend(["--run-as", NOBODY]);
        }
        let server = Server::run(command_by(&words, place.root(), &options), place.clone());
        let mut lines = Lines::connect(addresses(&server, "escape", 1)[0]);
        works(&mut lines, &format!("read {inside}/inside"), "reading");
        for deed in [format!("append {inside}/inside"), format!("make {inside}/new"), format!("remove {inside}/inside")]
        {
            stopped(&mut lines, &deed, Errno::ACCESS, &format!("reading, {start:?}"));
        }
    }
}

/// Ports, signals and sockets that are nobody's business here.
#[test]
fn ports_signals_and_sockets_are_out_of_reach() {
    if !landlock_is_whole() {
        return;
    }
    let name = format!("gftp-test-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let _abstract = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listener.local_addr().unwrap().port();
    for start in starts() {
        let place = place();
        let (bind, connect) = (format!("bind {}", free_port()), format!("connect {open}"));
        let (call, kill) = (format!("call {name}"), format!("kill {}", std::process::id()));
        let Some((_server, mut lines)) = escaping(start, &place, &[]) else { return };
        let why = format!("{start:?}");
        stopped(&mut lines, &bind, Errno::ACCESS, &why);
        stopped(&mut lines, &call, Errno::PERM, &why);
        stopped(&mut lines, &kill, Errno::PERM, &why);
        // Active mode goes to ports that its clients name.
        works(&mut lines, &connect, &why);
        let (_server, mut lines) = escaping(start, &place, &["--confine", "off"]).unwrap();
        for deed in [&bind, &call, &connect] {
            works(&mut lines, deed, &format!("{why}, off"));
        }
        if start == Start::Root {
            works(&mut lines, &kill, "root may signal everybody");
        }
        // Without FTP nobody connects, and no port is opened later.
        let words = match start {
            Start::Ordinary => copied_for_nobody(&escape(), &place).unwrap(),
            _ => vec![escape().into()],
        };
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["escape", "--port", "0"]);
        if start == Start::RunAs {
            command.args(["--run-as", NOBODY]);
        }
        command.stdin(std::process::Stdio::null());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let server = Server::run(command, place.clone());
        let mut lines = Lines::connect(server.address());
        for deed in ["bind 0", &bind, &connect] {
            stopped(&mut lines, deed, Errno::ACCESS, &format!("{why}, without FTP"));
        }
    }
}

/// Root's identity and its capabilities do not come back: not by asking, not by a program that would bring them.
#[test]
fn nothing_that_was_given_up_comes_back() {
    for start in starts() {
        let place = place();
        let inside = place.root().join("inside").display().to_string();
        let Some((_server, mut lines)) = escaping(start, &place, &[]) else { return };
        let why = format!("{start:?}");
        stopped(&mut lines, &format!("own {inside}"), Errno::PERM, &why);
        if start != Start::Root {
            stopped(&mut lines, "become 0", Errno::PERM, &why);
        } else {
            stopped(&mut lines, "become 1", Errno::PERM, &why);
        }
    }
    if !rustix::process::geteuid().is_root() {
        return;
    }
    // A program of root's that makes whoever runs it root.
    let place = place();
    let program = place.outside().join("id");
    copy_program(Path::new("/usr/bin/id"), &program);
    fs::set_permissions(&program, Permissions::from_mode(0o4755)).unwrap();
    let run = format!("run {} -u", program.display());
    let served = ["--plugin", "/bin/cat", "--port", "0"];
    let Some((_server, mut lines)) = escaping(Start::RunAs, &place, &served) else { return };
    assert_eq!(tried(&mut lines, &run).0, "done 65534", "it runs, and gives nothing");
    let (_server, mut lines) = escaping(Start::RunAs, &place, &[&served[..], &["--confine", "off"]].concat()).unwrap();
    match tried(&mut lines, &run).0.as_str() {
        "done 0" => {}
        other => note(&format!("here no program makes anybody root, so nothing was to be stopped: {other}")),
    }
    // Where no program is served, none is run.
    let (_server, mut lines) = escaping(Start::RunAs, &place, &[]).unwrap();
    if landlock_is_whole() {
        stopped(&mut lines, &run, Errno::ACCESS, "no program is served");
    }
}
