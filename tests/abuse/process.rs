//! A server as a process: started on any folder, with any number of descriptors; measured, signalled, killed, started
//! again. [`crate::server`] is for tests that only want to be served.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::dialogue::client::PATIENCE;
use crate::server::{PASSWORD, reap};

/// A folder with the served one in it, so that there is something outside that is ours to watch.
pub struct Place {
    base: TempDir,
}

/// A running server. Dropped, it is ended with SIGTERM and must leave with code 0.
pub struct Process {
    place: Option<Place>,
    pid: Pid,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    /// Behind a lock only so that threads of a test may share the server.
    ended: Mutex<Receiver<std::io::Result<ExitStatus>>>,
    /// It has ended, or was told to.
    over: bool,
}

impl Place {
    /// An empty served folder.
    pub fn new() -> Place {
        let base = TempDir::with_prefix("gftp-abuse-").expect("a temporary folder");
        fs::create_dir(base.path().join("served")).expect("the served folder");
        Place { base }
    }

    /// The folder around the served one.
    pub fn outside(&self) -> &Path {
        self.base.path()
    }

    /// The served folder.
    pub fn root(&self) -> PathBuf {
        self.base.path().join("served")
    }
}

/// `gftp serve` on `root`, with nothing of the tester's environment.
pub fn command(root: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("serve").arg("--root").arg(root).args(options);
    settle(&mut command);
    command
}

/// The program under test.
pub fn program() -> std::ffi::OsString {
    std::env::var_os("GFTP_TEST_SERVER").unwrap_or_else(|| env!("CARGO_BIN_EXE_gftp").into())
}

/// The environment and the pipes of a server.
fn settle(command: &mut Command) {
    command.env("GFTP_PASSWORD", PASSWORD).env("TZ", "UTC");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
}

impl Process {
    /// A server that lets anyone write, with these options, on an empty folder.
    pub fn start(options: &[&str]) -> Process {
        Process::start_on(Place::new(), options)
    }

    /// The same on this folder.
    pub fn start_on(place: Place, options: &[&str]) -> Process {
        let options = [&["--port", "0", "--anonymous", "write"], options].concat();
        Process::run(command(&place.root(), &options), place)
    }

    /// The same, with so many descriptors.
    pub fn starved(descriptors: u32, options: &[&str]) -> Process {
        let place = Place::new();
        let script = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
        let root = place.root();
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(program());
        let fixed: [&OsStr; 7] = [
            "serve".as_ref(),
            "--root".as_ref(),
            root.as_os_str(),
            "--port".as_ref(),
            "0".as_ref(),
            "--anonymous".as_ref(),
            "write".as_ref(),
        ];
        command.args(fixed).args(options);
        settle(&mut command);
        Process::run(command, place)
    }

    fn run(mut command: Command, place: Place) -> Process {
        let mut child = command.spawn().expect("the server starts");
        let (pid, log) = (Pid::from_child(&child), Arc::new(Mutex::new(String::new())));
        let (tell, told) = mpsc::channel();
        gather(&mut child, &log, &tell);
        drop(tell);
        let ended = Mutex::new(reap(child));
        let port = told.recv_timeout(PATIENCE);
        let port = port.unwrap_or_else(|_| panic!("no ready line: {}", log.lock().expect("the log")));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Process { place: Some(place), pid, address, log, ended, over: false }
    }

    /// Where it listens, on IPv4.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The served folder.
    pub fn root(&self) -> PathBuf {
        self.place().root()
    }

    /// The folder and what is around it.
    pub fn place(&self) -> &Place {
        self.place.as_ref().expect("the place is taken only at the end")
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
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

    /// Sends a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.over = true;
        kill_process(self.pid, signal).expect("the server is there to be signalled");
    }

    /// Waits for its end; the folder, and the exit code if it was no signal.
    pub fn ended(mut self) -> (Place, Option<i32>) {
        self.over = true;
        let status = self.ended.get_mut().expect("the lock").recv_timeout(PATIENCE);
        if status.is_err() {
            let _ = kill_process(self.pid, Signal::KILL);
        }
        let status = status.unwrap_or_else(|_| panic!("the server does not end; its log:\n{}", self.log()));
        (self.place.take().expect("the place"), status.expect("its status").code())
    }

    fn proc(&self, what: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{what}", self.pid.as_raw_nonzero()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.over {
            let _ = kill_process(self.pid, Signal::TERM);
        }
        if self.place.is_none() {
            return;
        }
        let status = self.ended.get_mut().expect("the lock").recv_timeout(PATIENCE);
        if status.is_err() {
            let _ = kill_process(self.pid, Signal::KILL);
        }
        if std::thread::panicking() {
            eprintln!("--- the server's log ---\n{}--- end of log, {status:?} ---", last_lines(&self.log()));
            return;
        }
        let code = status.expect("the server ends after SIGTERM").expect("its status").code();
        assert!(self.over || code == Some(0), "a server asked to end leaves with code 0, not {code:?}");
    }
}

fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n") + "\n"
}

/// Copies what the server says to the log, and tells the port of its ready line.
fn gather(child: &mut Child, log: &Arc<Mutex<String>>, tell: &mpsc::Sender<u16>) {
    let (out, err) = (child.stdout.take().expect("stdout"), child.stderr.take().expect("stderr"));
    let outputs: [Box<dyn Read + Send>; 2] = [Box::new(out), Box::new(err)];
    for output in outputs {
        let (log, tell) = (Arc::clone(log), tell.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                if let Some(port) = port_in(&line) {
                    let _ = tell.send(port);
                }
                log.lock().expect("the log").push_str(&(line + "\n"));
            }
        });
    }
}

fn port_in(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("gftp serves ")?.split_once(" on 127.0.0.1:")?.1;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
