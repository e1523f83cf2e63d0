//! The one door to the server under test: start it on a fresh folder, or any other way; learn its address, measure it,
//! signal it, end it and check that it ended well.
//!
//! `GFTP_TEST_SERVER=PROGRAM` puts a stand-in behind the same door: any program that takes `serve --root DIR --port 0
//! --user NAME` with `GFTP_PASSWORD`, and prints a line with `127.0.0.1:PORT`. A driver that fails against a stand-in too is
//! probably the driver's fault.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The account that servers here know, with full rights.
pub const USER: &str = "alice";
/// Its password: nothing that a shell, a URL or a client's script would change.
pub const PASSWORD: &str = "Pa55-word";

/// Generous, because two cores may be shared with a whole build.
const READY_WITHIN: Duration = Duration::from_secs(30);
const END_WITHIN: Duration = Duration::from_secs(20);

/// What a failed test shows of the log at most.
const SHOWN_LINES: usize = 60;

/// A folder with the served one in it, so that there is something outside that is ours to watch. Copies are of the same
/// folder, which is there as long as one of them.
#[derive(Clone)]
pub struct Place {
    base: Arc<TempDir>,
    root: PathBuf,
}

/// A running server; dropped, it is ended with SIGTERM and must leave with code 0.
pub struct Server {
    place: Place,
    ready: String,
    address: SocketAddr,
    pid: Pid,
    log: Arc<Mutex<String>>,
    /// Behind a lock only so that threads of a test may share the server.
    ended: Mutex<Receiver<std::io::Result<ExitStatus>>>,
    /// The test has told it to end, in a way of its own.
    told: bool,
    /// Its end has been seen and judged.
    judged: bool,
}

impl Place {
    /// An empty served folder.
    pub fn new() -> Place {
        Place::within(TempDir::with_prefix("gftp-test-"))
    }

    /// The same in memory, where this machine has files there: for tests that need very many of them.
    pub fn in_memory() -> Place {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { Place::within(TempDir::with_prefix_in("gftp-test-", memory)) } else { Place::new() }
    }

    fn within(base: std::io::Result<TempDir>) -> Place {
        let base = base.expect("a temporary folder");
        let root = base.path().join("served");
        fs::create_dir(&root).expect("the served folder");
        Place { base: Arc::new(base), root }
    }

    /// The folder around the served one.
    pub fn outside(&self) -> &Path {
        self.base.path()
    }

    /// The served folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A users file beside the served folder: accounts by name, home and rights (a usual combination, or words), each
    /// with the password [`PASSWORD`].
    pub fn users(&self, users: &[(String, String, Vec<String>)]) -> PathBuf {
        // Cheap, because what argon2 costs is no matter of these tests.
        let cheap = argon2::Params::new(64, 1, 1, None).expect("parameters of argon2");
        let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, cheap);
        let hash = argon2::PasswordHasher::hash_password(&argon2, PASSWORD.as_bytes()).expect("a hash");
        let mut text = String::new();
        for (name, home, rights) in users {
            let rights = match rights.as_slice() {
                [preset] if preset.contains('-') || preset == "full" => format!("{preset:?}"),
                words => format!("{words:?}"),
            };
            text += &format!("[[user]]\nname = {name:?}\nhash = \"{hash}\"\nhome = {home:?}\nrights = {rights}\n\n");
        }
        self.users_file(&text)
    }

    /// The same with more keys for some of them, as lines of TOML by the account's name.
    pub fn users_with(&self, users: &[(String, String, Vec<String>)], more: &[(String, String)]) -> PathBuf {
        let mut text = fs::read_to_string(self.users(users)).expect("the users file");
        for (name, line) in more {
            let head = format!("name = {name:?}\n");
            assert!(text.contains(&head), "there is no account {name}");
            text = text.replacen(&head, &format!("{head}{line}\n"), 1);
        }
        self.users_file(&text)
    }

    fn users_file(&self, text: &str) -> PathBuf {
        let file = self.base.path().join("users.toml");
        fs::write(&file, text).expect("the users file");
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("its mode");
        file
    }
}

/// A port that nobody has, for a server that must be told one. It is below those that the kernel gives to whoever asks for
/// any: one of these would soon be a client's of another test, since there are thousands at once.
pub fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const PORTS: u16 = 10_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two runs at once begin at different places.
    let begin = (std::process::id() % u32::from(PORTS)) as u16;
    let mut ports = (0..PORTS).map(|_| FIRST + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS);
    let is_free = |port: &u16| ["0.0.0.0", "::"].iter().all(|all| TcpListener::bind((*all, *port)).is_ok());
    ports.find(is_free).expect("one port of ten thousand is free")
}

/// The program under test.
pub fn program() -> OsString {
    std::env::var_os("GFTP_TEST_SERVER").unwrap_or_else(|| env!("CARGO_BIN_EXE_gftp").into())
}

/// `gftp serve` on `root`, with nothing of the tester's environment that would change what the server does.
pub fn command(root: &Path, options: &[&str]) -> Command {
    command_by(&[program()], root, options)
}

/// The same with other words where the program's name stands: another copy of it, or what starts it in its own way.
pub fn command_by(words: &[OsString], root: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(["serve", "--root"]).arg(root).args(options);
    command.env("GFTP_PASSWORD", PASSWORD).env("TZ", "UTC");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Server {
    /// A server that lets anyone write, with these options, on an empty folder.
    pub fn start(options: &[&str]) -> Server {
        Server::start_on(Place::new(), options)
    }

    /// The same on this folder.
    pub fn start_on(place: Place, options: &[&str]) -> Server {
        Server::told_on(place, &[&["--anonymous", "write"], options].concat())
    }

    /// A server with the account [`USER`], no anonymous access, and an empty folder.
    pub fn with_account() -> Server {
        Server::told(&["--anonymous", "off", "--user", USER])
    }

    /// A server with these options and no others but the port, on an empty folder.
    pub fn told(options: &[&str]) -> Server {
        Server::told_on(Place::new(), options)
    }

    /// The same on this folder.
    pub fn told_on(place: Place, options: &[&str]) -> Server {
        let command = command(place.root(), &[&["--port", "0"], options].concat());
        Server::run(command, place)
    }

    /// What `command` starts, serving `place`.
    pub fn run(mut command: Command, place: Place) -> Server {
        // One pipe for both of its outputs: two would not tell what was said first.
        let (heard, said) = std::io::pipe().expect("a pipe");
        command.stdout(said.try_clone().expect("a descriptor")).stderr(said);
        let child = command.spawn().expect("the server under test starts");
        // It keeps our copies of the writing end.
        drop(command);
        let pid = Pid::from_child(&child);
        let log = Arc::new(Mutex::new(String::new()));
        let (announce, announced) = mpsc::channel();
        record(heard, &log, announce);
        let ended = Mutex::new(reap(child));
        let Ok((ready, address)) = announced.recv_timeout(READY_WITHIN) else {
            // It may have left already, with the reason in its log; the signal is only for one that hangs.
            let _ = kill_process(pid, Signal::KILL);
            panic!("no ready line with an address; the server said:\n{}", text(&log));
        };
        Server { place, ready, address, pid, log, ended, told: false, judged: false }
    }

    /// The first address in its ready line: on IPv4, unless it was told otherwise.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address on IPv6, with the same port.
    pub fn address_v6(&self) -> SocketAddr {
        SocketAddr::from((Ipv6Addr::LOCALHOST, self.address.port()))
    }

    /// The number of its process.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The line that said it was ready.
    pub fn ready(&self) -> &str {
        &self.ready
    }

    /// The served folder on this machine's disk, where tests look for the truth.
    pub fn root(&self) -> &Path {
        self.place.root()
    }

    /// The folder and what is around it.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What the server has printed so far.
    pub fn log(&self) -> String {
        text(&self.log)
    }

    /// Resident memory in KiB.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(self.proc("status")).expect("the server lives");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number of KiB")
    }

    /// Open descriptors.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(self.proc("fd")).expect("the server lives").count()
    }

    /// How many threads there are whose names begin so.
    pub fn threads(&self, name: &str) -> usize {
        self.threads_called(name).count()
    }

    /// How many nanoseconds late the kernel may wake each of the threads whose names begin so. Needs CAP_SYS_NICE.
    pub fn slack(&self, name: &str) -> std::io::Result<Vec<u64>> {
        let told = self.threads_called(name).map(|thread| {
            let number = thread.file_name().expect("its number").to_owned();
            fs::read_to_string(Path::new("/proc").join(number).join("timerslack_ns"))
        });
        told.map(|text| Ok(text?.trim().parse().expect("a number of nanoseconds"))).collect()
    }

    fn threads_called(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        let threads = fs::read_dir(self.proc("task")).expect("the server lives").flatten().map(|thread| thread.path());
        threads.filter(move |thread| fs::read_to_string(thread.join("comm")).is_ok_and(|its| its.starts_with(name)))
    }

    /// Sends a signal; from then on its end is the test's to judge.
    pub fn signal(&mut self, signal: Signal) {
        self.told = true;
        kill_process(self.pid, signal).expect("the server is there to be signalled");
    }

    /// Waits for its end; the folder, and the exit code if it was no signal.
    pub fn ended(mut self) -> (Place, Option<i32>) {
        let status = self.end().expect("the server ends");
        self.judged = true;
        (self.place.clone(), status.code())
    }

    /// Waits for its end, with a deadline that kills.
    fn end(&mut self) -> Result<ExitStatus, String> {
        let status = self.ended.get_mut().expect("no holder of the lock panics").recv_timeout(END_WITHIN);
        match status {
            Ok(status) => status.map_err(|e| e.to_string()),
            Err(_) => {
                let _ = kill_process(self.pid, Signal::KILL);
                Err(format!("not within {END_WITHIN:?}"))
            }
        }
    }

    fn proc(&self, what: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{what}", self.pid.as_raw_nonzero()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.judged {
            return;
        }
        // A server that has already gone is not signalled: its number may be another's by now.
        let gone = self.ended.get_mut().ok().and_then(|ended| ended.try_recv().ok());
        let status = match gone {
            Some(status) => status.map_err(|e| e.to_string()),
            None => {
                if !self.told {
                    let _ = kill_process(self.pid, Signal::TERM);
                }
                self.end()
            }
        };
        if std::thread::panicking() {
            // A second panic would abort the whole binary; the log is what the reader of a failed test needs.
            eprintln!("--- the server's log ---\n{}--- end of log, {status:?} ---", last_lines(&self.log()));
            return;
        }
        let status = status.expect("the server ends after SIGTERM");
        let log = self.log();
        assert!(!log.contains("panicked at"), "a thread of the server has panicked\n{log}");
        let log = last_lines(&log);
        assert!(self.told || status.code() == Some(0), "a server asked to end leaves with code 0: {status}\n{log}");
    }
}

fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n") + "\n"
}

/// Copies what the server says to the log, and announces a line that names an address.
fn record(output: impl Read + Send + 'static, log: &Arc<Mutex<String>>, announce: Sender<(String, SocketAddr)>) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            log.lock().expect("no writer of the log panics").push_str(&format!("{line}\n"));
            if let Some(address) = address_in(&line) {
                // Only the first line is awaited; later ones that name an address find nobody listening.
                let _ = announce.send((line, address));
            }
        }
    });
}

/// The first `ADDRESS:PORT` in a line.
fn address_in(line: &str) -> Option<SocketAddr> {
    let words = line.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '/'));
    words.filter_map(|word| word.parse().ok()).find(|address: &SocketAddr| address.port() != 0)
}

/// Waits for a process in a thread, so that its end can be awaited with a deadline.
pub fn reap(mut child: Child) -> Receiver<std::io::Result<ExitStatus>> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = tell.send(child.wait());
    });
    told
}

fn text(log: &Mutex<String>) -> String {
    log.lock().expect("no writer of the log panics").clone()
}

#[test]
fn starts_and_ends_well() {
    let server = Server::with_account();
    assert_ne!(server.address().port(), 0);
    std::net::TcpStream::connect(server.address()).expect("it listens on IPv4");
    std::net::TcpStream::connect(server.address_v6()).expect("and on IPv6, with the same port");
}
