//! The one door to the server under test: start it on a fresh root, learn its address, end it and check that it ended well.
//!
//! `GFTP_TEST_SERVER=PROGRAM` puts a stand-in behind the same door: any program that takes `serve --root DIR --port 0
//! --user NAME` with `GFTP_PASSWORD`, and prints a line with `127.0.0.1:PORT`. A driver that fails against a stand-in too is
//! probably the driver's fault.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

/// The account that every server here knows, with full rights.
pub const USER: &str = "alice";
/// Its password: nothing that a shell, a URL or a client's script would change.
pub const PASSWORD: &str = "Pa55-word";

/// Generous, because two cores may be shared with a whole build.
const READY_WITHIN: Duration = Duration::from_secs(30);
const END_WITHIN: Duration = Duration::from_secs(20);

/// A running server; dropped, it is ended with SIGTERM and must leave with code 0.
pub struct Server {
    root: TempDir,
    address: SocketAddr,
    pid: Pid,
    ended: Receiver<std::io::Result<ExitStatus>>,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// A server with the account [`USER`], no anonymous access, and an empty root.
    pub fn start() -> Self {
        Self::start_with(&["--anonymous", "off", "--user", USER])
    }

    /// A server with these arguments behind `serve --root DIR --port 0`; `GFTP_PASSWORD` is set for a `--user`.
    pub fn start_with(extra: &[&str]) -> Self {
        let root = TempDir::with_prefix("gftp-root-").expect("a root for the server");
        let mut child = command(root.path(), extra)
            .spawn()
            .expect("the server under test starts");
        let pid = Pid::from_child(&child);
        let log = Arc::new(Mutex::new(String::new()));
        let (announce, announced) = mpsc::channel();
        record(
            child.stdout.take().expect("stdout is piped"),
            &log,
            announce.clone(),
        );
        record(
            child.stderr.take().expect("stderr is piped"),
            &log,
            announce,
        );
        let ended = reap(child);
        let Ok(port) = announced.recv_timeout(READY_WITHIN) else {
            // It may have left already, with the reason in its log; the signal is only for one that hangs.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            panic!(
                "no ready line with 127.0.0.1:PORT; the server said:\n{}",
                text(&log)
            );
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            root,
            address,
            pid,
            ended,
            log,
        }
    }

    /// The address on IPv4; [`Self::address_v6`] has the same port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address on IPv6.
    pub fn address_v6(&self) -> SocketAddr {
        SocketAddr::from((Ipv6Addr::LOCALHOST, self.address.port()))
    }

    /// The served folder on this machine's disk, where tests look for the truth.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// What the server has printed so far.
    pub fn log(&self) -> String {
        text(&self.log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that has already gone is not signalled: its number may be another's by now.
        let status = self.ended.try_recv().map_err(|_| ()).or_else(|()| {
            let _ = rustix::process::kill_process(self.pid, Signal::TERM);
            self.ended.recv_timeout(END_WITHIN).map_err(|_| {
                let _ = rustix::process::kill_process(self.pid, Signal::KILL);
            })
        });
        if std::thread::panicking() {
            // A second panic would abort the whole binary; the log is what the reader of a failed test needs.
            eprintln!(
                "--- the server's log ---\n{}--- end of log, {status:?} ---",
                self.log()
            );
            return;
        }
        let status = status
            .expect("the server ends after SIGTERM")
            .expect("its status is readable");
        assert_eq!(
            status.code(),
            Some(0),
            "a server asked to end leaves with code 0: {status}\n{}",
            self.log()
        );
    }
}

/// The command line, with nothing of the tester's environment that would change what the server does.
fn command(root: &Path, extra: &[&str]) -> Command {
    let program =
        std::env::var_os("GFTP_TEST_SERVER").unwrap_or_else(|| env!("CARGO_BIN_EXE_gftp").into());
    let mut command = Command::new(program);
    command
        .arg("serve")
        .arg("--root")
        .arg(root)
        .args(["--port", "0"])
        .args(extra)
        .env("GFTP_PASSWORD", PASSWORD)
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Copies one of the server's outputs to the log, and announces the port when a line names it.
fn record(output: impl Read + Send + 'static, log: &Arc<Mutex<String>>, announce: Sender<u16>) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let port = port_in(&line);
            log.lock()
                .expect("no writer of the log panics")
                .push_str(&(line + "\n"));
            if let Some(port) = port {
                // Only the first line is awaited; later ones that name an address find nobody listening.
                let _ = announce.send(port);
            }
        }
    });
}

/// The port in a line with `127.0.0.1:PORT`.
fn port_in(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("127.0.0.1:")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..digits].parse().ok().filter(|port| *port != 0)
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
    let server = Server::start();
    assert_ne!(server.address().port(), 0);
    std::net::TcpStream::connect(server.address()).expect("it listens on IPv4");
    std::net::TcpStream::connect(server.address_v6()).expect("and on IPv6, with the same port");
}
