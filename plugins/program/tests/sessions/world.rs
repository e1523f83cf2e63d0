//! What a program finds: environment, descriptors, signals; and what becomes of its stderr and its exit code.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use log::Level;

use super::harness::{Line, Server, options, read_all, script};

/// The lines of the log that are this event's.
fn events(server: &Server, event: &str) -> Vec<Line> {
    let event = format!("event={event}");
    server.log().into_iter().filter(|line| line.has(&event)).collect()
}

#[test]
fn the_environment() {
    let server = Server::sh("env | sort");
    let mut client = server.connect();
    let (here, there) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    let env = String::from_utf8(read_all(&mut client)).unwrap();
    let has = |line: String| assert!(env.lines().any(|has| has == line), "{line} is not in:\n{env}");
    for (ours, ucspi, value) in [
        ("GFTP_PEER", "TCPREMOTEIP", here.ip().to_string()),
        ("GFTP_PEER_PORT", "TCPREMOTEPORT", here.port().to_string()),
        ("GFTP_LOCAL", "TCPLOCALIP", there.ip().to_string()),
        ("GFTP_LOCAL_PORT", "TCPLOCALPORT", there.port().to_string()),
    ] {
        has(format!("{ours}={value}"));
        has(format!("{ucspi}={value}"));
    }
    has("PROTO=TCP".to_string());
    has("GFTP_SERVICE=sh".to_string());
    has(format!("PATH={}", std::env::var("PATH").unwrap()));
    let session = env.lines().find_map(|line| line.strip_prefix("GFTP_SESSION=")).expect("a number");
    assert!(session.parse::<u64>().unwrap() > 0);
}

/// This process runs itself again with the variables that gftp must not hand on, as an environment cannot be changed safely.
#[test]
fn secrets_and_stale_names_are_not_handed_on() {
    if std::env::var_os("GFTP_PASSWORD").is_none() {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "world::secrets_and_stale_names_are_not_handed_on"]);
        again.env("GFTP_PASSWORD", "Pa55-word").env("TCPREMOTEHOST", "stale").env("TCPREMOTEIP", "stale");
        let output = again.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let env = Server::sh("env").says();
    assert!(env.contains("TCPREMOTEIP=127.0.0.1"), "{env}");
    assert!(!env.contains("Pa55-word") && !env.contains("GFTP_PASSWORD") && !env.contains("stale"), "{env}");
}

/// Its descriptors and signals are those of a program that is started by hand from here, whatever this process has open.
#[test]
fn descriptors_and_signals_are_as_by_hand() {
    const SCRIPT: &str = "for fd in $(ls /proc/$$/fd); do test -e /proc/$$/fd/$fd && echo $fd; done; grep -E '^Sig(Blk|Ign)' /proc/self/status";
    let by_hand = Command::new("/bin/sh").args(["-c", SCRIPT]).output().unwrap();
    let by_hand = String::from_utf8(by_hand.stdout).unwrap();
    let server = Server::sh(SCRIPT);
    let _others: Vec<_> = (0..10).map(|_| server.connect()).collect();
    let found = server.says();
    assert_eq!(found, by_hand.trim_end());
    assert!(["0", "1", "2"].iter().all(|fd| found.lines().any(|line| line == *fd)), "{found}");
    let ignored = found.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask").trim();
    assert_eq!(u64::from_str_radix(ignored, 16).unwrap() & 0x1000, 0, "SIGPIPE ends a program whose reader is gone");
}

/// A program that finds its stdin not to wait fails with "Resource temporarily unavailable".
#[test]
fn its_descriptors_wait() {
    let server = Server::python("import os; print([os.get_blocking(fd) for fd in (0, 1, 2)], flush=True)");
    assert_eq!(server.says(), "[True, True, True]");
}

#[test]
fn arguments_and_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = script(folder.path(), "my service.sh", "#!/bin/sh\nprintf '%s|' \"$0\" \"$@\"; pwd\n");
    let server = Server::of(&path, options(&["-v", "two words", "", "*"]));
    let here = std::env::current_dir().unwrap();
    assert_eq!(server.says(), format!("{}|-v|two words||*|{}", path.display(), here.display()));
}

#[test]
fn stderr_goes_to_the_log() {
    let server = Server::sh("echo 'went \\ wrong' >&2; printf 'red \\033[31m, half' >&2; echo answer");
    assert_eq!(server.says(), "answer");
    server.ended().unwrap();
    let lines = events(&server, "stderr");
    let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
    let session = lines[0].session;
    let head = format!("session {session}: sh: ");
    assert_eq!(texts, [format!("{head}went \\ wrong"), format!("{head}red \\u{{1b}}[31m, half")]);
    for value in ["service=sh", &format!("session={session}"), "peer=127.0.0.1", "line=went \\ wrong", "cut=false"] {
        assert!(lines[0].has(value), "{value} is not in {:?}", lines[0].values);
    }
}

#[test]
fn a_flood_on_stderr_fills_no_log() {
    let server =
        Server::sh("yes 'all the same' | head -c 20000000 >&2; head -c 100000 /dev/zero | tr '\\0' x >&2; echo done");
    assert_eq!(server.says(), "done");
    server.ended().unwrap();
    let (lines, lost) = (events(&server, "stderr"), events(&server, "stderr_lost"));
    // A hundred at once, ten a second, however long it takes.
    assert!((100..1000).contains(&lines.len()), "{}", lines.len());
    assert!(lines.iter().all(|line| line.text.len() < 1200));
    assert!(!lost.is_empty() && lost.iter().all(|line| line.level == Level::Warn), "{lost:?}");
    let count: u64 = lost
        .iter()
        .flat_map(|line| &line.values)
        .filter_map(|value| value.strip_prefix("lost=")?.parse::<u64>().ok())
        .sum();
    let written = 20_000_000_u64.div_ceil(13) + 1;
    assert!((written - 1..=written).contains(&(count + lines.len() as u64)), "{count} + {} of {written}", lines.len());
}

#[test]
fn an_exit_that_is_none_is_said() {
    for (script, value, says) in [
        ("echo x; exit 3", "code=3", "sh: it ended with exit status: 3"),
        ("echo x; kill -SEGV $$", "signal=11", "sh: it ended with signal: 11 (SIGSEGV)"),
    ] {
        let server = Server::sh(script);
        assert_eq!(server.says(), "x");
        server.ended().expect("to the client it is an end like others");
        let lines = server.log();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].has("event=exit") && lines[0].has(value) && lines[0].level == Level::Warn, "{lines:?}");
        assert!(lines[0].text.contains(says), "{lines:?}");
    }
    let server = Server::sh("echo x");
    assert_eq!(server.says(), "x");
    server.ended().unwrap();
    assert!(server.log().is_empty(), "{:?}", server.log());
}

#[test]
fn what_cannot_be_started_is_said_and_the_client_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let gone = script(folder.path(), "gone", "#!/bin/sh\necho here\n");
    let server = Server::of(&gone, options(&[]));
    assert_eq!(server.says(), "here");
    fs::remove_file(&gone).unwrap();
    assert_fails(&server, &gone, "the file is gone, or there is no such interpreter");
    let lost = script(folder.path(), "lost", "#!/no/such/interpreter\n");
    assert_fails(&Server::of(&lost, options(&[])), &lost, "no such interpreter as its first line names");
    let bare = script(folder.path(), "bare", "echo here\n");
    assert_fails(&Server::of(&bare, options(&[])), &bare, "must begin with a line such as #!/bin/sh");
}

fn assert_fails(server: &Server, path: &Path, advice: &str) {
    assert_eq!(server.says(), "");
    eventually_logged(server);
    let lines = server.log();
    let last = lines.last().expect("it is said");
    assert!(last.has("event=not_started") && last.level == Level::Error, "{lines:?}");
    assert!(last.text.contains(&format!("cannot run {}: ", path.display())) && last.text.contains(advice), "{lines:?}");
}

fn eventually_logged(server: &Server) {
    super::harness::eventually("it is said", || !server.log().is_empty());
}

/// A new version takes the place of an old one between two connections.
#[test]
fn a_program_can_be_replaced_while_it_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = script(folder.path(), "service", "#!/bin/sh\necho old; read line; echo still old\n");
    let server = Server::of(&path, options(&[]));
    let mut early = server.connect();
    assert_eq!(super::harness::read_line(&mut early), "old");
    let new = script(folder.path(), "new", "#!/bin/sh\necho new\n");
    fs::rename(new, &path).unwrap();
    assert_eq!(server.says(), "new");
    early.write_all(b"\n").unwrap();
    assert_eq!(read_all(&mut early), b"still old\n");
}
