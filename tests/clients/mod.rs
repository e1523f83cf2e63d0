//! What all client tests share: running a client with a deadline, hostile names, content, and saying what was skipped.
//!
//! A client's file holds its driver (how it is told to do a [`Step`]) and what only that client can do;
//! `suite` holds what every client must be able to do, and verifies it on the server's disk.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::server::{Server, reap};

pub use names::NAMES;

/// curl: one process for each step, addresses as URLs.
mod curl;
/// Python's ftplib, through the script beside it.
mod ftplib;
/// Accounts with homes and few rights, as curl and lftp meet them.
mod homes;
/// GNU inetutils' ftp, the line-oriented client of many systems.
mod inetutils;
/// lftp: mirrors, segmented downloads, several commands in one packet.
mod lftp;
/// The part of the suite that is about hostile names.
mod names;
/// ncftp and its one-shot companions ncftpget, ncftpput, ncftpls.
mod ncftp;
/// Ruby, PHP, Node, Go, aioftp and rclone over TLS, through the scripts beside it.
mod over_tls;
/// rclone: a synchroniser that trusts MLSD, MFMT and SIZE.
mod rclone;
/// openssl, sslscan and nmap: what looks at servers from outside.
mod scanners;
/// The suite every driver runs.
mod suite;
/// suppaftp, a Rust client, inside this process.
mod suppaftp;
/// curl, lftp and ftplib over TLS, and OpenSSL's client.
mod tls;
/// tnftp, NetBSD's ftp and the ancestor of the one in macOS.
mod tnftp;
/// wget: downloads and recursive downloads only.
mod wget;

/// No client may hold a test longer than this; generous, because two cores may be shared with a whole build.
const CLIENT_WITHIN: Duration = Duration::from_secs(120);

/// Content that looks random and is the same in every run: splitmix64 from a seed.
pub fn make_content(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut content = Vec::with_capacity(len + 8);
    while content.len() < len {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        content.extend_from_slice(&(z ^ (z >> 31)).to_le_bytes());
    }
    content.truncate(len);
    content
}

/// One thing to do; remote paths are relative to the server's root, local ones to the client's folder.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    List(&'a str),
    Get {
        remote: &'a str,
        local: &'a str,
    },
    Put {
        local: &'a str,
        remote: &'a str,
    },
    /// The local file holds a beginning of the remote one.
    ResumeGet {
        remote: &'a str,
        local: &'a str,
    },
    /// The remote file holds a beginning of the local one, of `have` bytes.
    ResumePut {
        local: &'a str,
        remote: &'a str,
        have: usize,
    },
    /// The local file goes behind what the remote one holds.
    Append {
        local: &'a str,
        remote: &'a str,
    },
    Rename {
        from: &'a str,
        to: &'a str,
    },
    Delete(&'a str),
    MakeDir(&'a str),
    RemoveDir(&'a str),
}

/// How a client reaches the server, and which side opens the data connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Road {
    /// The client's own choice of passive command on IPv4.
    Passive,
    /// PASV, where the client can be told not to use EPSV.
    Pasv,
    /// The client's own choice of active command on IPv4.
    Active,
    /// PORT, where the client can be told not to use EPRT.
    Port,
    /// IPv6, where only EPSV works.
    PassiveV6,
    /// IPv6, where only EPRT works.
    ActiveV6,
}

/// What a client did: whether it says that all went well, and all that it printed.
#[derive(Debug)]
pub struct Report {
    pub ok: bool,
    pub text: String,
}

/// A client that can be told steps.
pub trait Driver {
    /// The programs it needs; none for a client inside this process.
    fn programs(&self) -> &'static [&'static str];

    /// The roads it can take; the first is the usual one.
    fn roads(&self) -> &'static [Road];

    /// Does the steps in order, in one session where the client can.
    fn perform(&self, desk: &Desk, steps: &[Step]) -> Report;

    /// Why the client itself cannot do this, as observed; `None` where it can.
    fn unable(&self, _step: &Step) -> Option<&'static str> {
        None
    }
}

/// A server, and a folder for the client that serves as its home too, so that nobody's ~/.netrc plays a part.
pub struct Desk {
    pub server: Server,
    pub road: Road,
    folder: TempDir,
}

impl Desk {
    /// A desk for a client, or `None` where its program is missing: that is said aloud, and is an error where all is required.
    pub fn open(driver: &dyn Driver) -> Option<Self> {
        present(driver.programs()).then(|| Self::at(Server::with_account(), driver.roads()[0]))
    }

    /// A desk before this server.
    pub fn at(server: Server, road: Road) -> Self {
        Self { server, road, folder: TempDir::with_prefix("gftp-client-").expect("a folder for the client") }
    }

    /// The host as the client should be told it: a bare address.
    pub fn host(&self) -> String {
        match self.road {
            Road::PassiveV6 | Road::ActiveV6 => self.server.address_v6().ip().to_string(),
            _ => self.server.address().ip().to_string(),
        }
    }

    /// The host and port as they stand in a URL.
    pub fn authority(&self) -> String {
        match self.road {
            Road::PassiveV6 | Road::ActiveV6 => self.server.address_v6().to_string(),
            _ => self.server.address().to_string(),
        }
    }

    pub fn port(&self) -> String {
        self.server.address().port().to_string()
    }

    /// Whether the client must open a listening socket for the data.
    pub fn active(&self) -> bool {
        matches!(self.road, Road::Active | Road::Port | Road::ActiveV6)
    }

    /// A path in the client's folder.
    pub fn local(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A path on the server's disk.
    pub fn disk(&self, name: &str) -> PathBuf {
        self.server.root().join(name)
    }

    pub fn write_local(&self, name: &str, content: &[u8]) {
        write(&self.local(name), content);
    }

    pub fn write_disk(&self, name: &str, content: &[u8]) {
        write(&self.disk(name), content);
    }

    /// The file on the server's disk holds exactly this. Named by length, because ten megabytes help nobody in a message.
    pub fn expect_disk(&self, name: &str, content: &[u8], report: &Report) {
        same(&self.disk(name), content, report);
    }

    /// The same for a file that the client has brought home.
    pub fn expect_local(&self, name: &str, content: &[u8], report: &Report) {
        same(&self.local(name), content, report);
    }

    /// A command to run in the client's folder.
    pub fn client(&self, program: &str) -> Client {
        let mut command = Command::new(program);
        let home = self.folder.path();
        command
            .current_dir(home)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env("TERM", "dumb");
        Client { command, script: Vec::new() }
    }
}

/// A client's process to be.
pub struct Client {
    command: Command,
    script: Vec<u8>,
}

impl Client {
    pub fn args<S: Into<OsString>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args.into_iter().map(Into::into));
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// What the client reads from its standard input.
    pub fn script(mut self, script: impl Into<Vec<u8>>) -> Self {
        self.script = script.into();
        self
    }

    /// Runs it to its end, or kills it and everything it started when the time is over.
    pub fn run(mut self) -> Report {
        use std::os::unix::process::CommandExt;
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        let what = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let mut child = self
            .command
            // A group of its own, so that a deadline ends helpers of the client too.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let pid = Pid::from_child(&child);
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let script = self.script;
        // A client that leaves early breaks this pipe; its own output says why.
        std::thread::spawn(move || stdin.write_all(&script));
        let stdout = drain(child.stdout.take().expect("stdout is piped"));
        let stderr = drain(child.stderr.take().expect("stderr is piped"));
        let ended = reap(child);
        let status = ended.recv_timeout(CLIENT_WITHIN);
        if status.is_err() {
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        }
        let text: String = [stdout, stderr].map(|said| said.recv_timeout(CLIENT_WITHIN).unwrap_or_default()).concat();
        match status {
            Ok(Ok(status)) => Report { ok: status.success(), text: format!("{text}[{what}: {status}]\n") },
            _ => panic!("{what}: killed after {CLIENT_WITHIN:?}; it said:\n{text}"),
        }
    }
}

/// Reads an output to its end in a thread, so that a full pipe never stops the client.
fn drain(mut output: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = output.read_to_end(&mut bytes);
        let _ = tell.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    told
}

fn write(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn same(path: &Path, content: &[u8], report: &Report) {
    let found =
        fs::read(path).unwrap_or_else(|error| panic!("{}: {error}\nthe client said:\n{}", path.display(), report.text));
    assert!(
        found == content,
        "{}: {} bytes, expected {}; they part at byte {}\nthe client said:\n{}",
        path.display(),
        found.len(),
        content.len(),
        found.iter().zip(content).take_while(|(a, b)| a == b).count(),
        report.text
    );
}

/// Whether the programs are there; a missing one is noted, or is a failure where `GFTP_REQUIRE_ALL` is set.
pub fn present(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing: Vec<_> = programs
        .iter()
        .filter(|program| !std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
        .collect();
    if missing.is_empty() {
        return true;
    }
    skip(&format!("not installed: {missing:?}"));
    false
}

/// Says that a test is skipped, and why; a failure where `GFTP_REQUIRE_ALL` is set.
pub fn skip(why: &str) {
    assert!(std::env::var_os("GFTP_REQUIRE_ALL").is_none(), "everything is required, but {why}");
    note(&format!("skipped, {why}"));
}

/// Tells the person who runs the tests what was not tested: aloud, and in the file that `tests/run` prints at its end.
pub fn note(what: &str) {
    eprintln!("{what}");
    if let Some(path) = std::env::var_os("GFTP_TEST_NOTES") {
        let line = format!("{what}\n");
        let noted = fs::OpenOptions::new().create(true).append(true).open(path);
        noted.and_then(|mut file| file.write_all(line.as_bytes())).expect("the notes can be written");
    }
}
