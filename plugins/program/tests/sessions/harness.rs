//! Serves a program in this process, over a real socket; connects to it; keeps what is logged.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use gftp_plugin::rt::{self, JoinHandle};
use gftp_plugin::{Conn, Limits, Origin, Service, ShutdownTrigger, listen};
use gftp_program::{Options, Program};
use log::kv::{self, Key, Value, VisitSource};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use socket2::SockRef;

/// Generous, because two cores may be shared with a whole build.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// What sockets of a [`Server::narrow`] hold: little, so that a test fills them soon, and more than a segment of loopback's,
/// or they crawl.
const NARROW: usize = 128 * 1024;

/// A program that is served.
pub struct Server {
    address: SocketAddr,
    trigger: ShutdownTrigger,
    ended: Receiver<io::Result<()>>,
    sessions: Arc<Mutex<Sessions>>,
}

#[derive(Default)]
struct Sessions {
    numbers: Vec<u64>,
    tasks: Vec<JoinHandle<()>>,
}

/// What was logged about a session.
#[derive(Clone, Debug)]
pub struct Line {
    pub session: u64,
    pub level: log::Level,
    pub text: String,
    /// Key-values, as `key=value`.
    pub values: Vec<String>,
}

/// Usual options, with these arguments.
pub fn options(args: &[&str]) -> Options {
    let args = args.iter().map(OsString::from).collect();
    Options { args, idle: Duration::from_secs(300), kill_after: Duration::from_secs(5) }
}

impl Server {
    /// What this script does for each connection.
    pub fn sh(script: &str) -> Server {
        Server::sh_with(script, |_| {})
    }

    /// The same with other options.
    pub fn sh_with(script: &str, change: impl FnOnce(&mut Options)) -> Server {
        let mut options = options(&["-c", script]);
        change(&mut options);
        Server::of(Path::new("/bin/sh"), options)
    }

    /// What this script in Python does.
    pub fn python(script: &str) -> Server {
        let found = Command::new("sh").args(["-c", "command -v python3"]).output().expect("sh");
        let path = String::from_utf8(found.stdout).expect("a path");
        Server::of(Path::new(path.trim()), options(&["-c", script]))
    }

    /// This program.
    pub fn of(path: &Path, options: Options) -> Server {
        Server::made(path, options, false)
    }

    /// One whose sockets hold little.
    pub fn narrow(script: &str) -> Server {
        Server::made(Path::new("/bin/sh"), options(&["-c", script]), true)
    }

    fn made(path: &Path, options: Options, narrow: bool) -> Server {
        keep_log();
        let program = Arc::new(Program::new(path, options).expect("a program"));
        let (trigger, shutdown) = gftp_plugin::Shutdown::new();
        let (tell, ended) = mpsc::channel();
        let sessions = Arc::<Mutex<Sessions>>::default();
        let listener = listen::bind(SocketAddr::from(([127, 0, 0, 1], 0)), false).expect("a listener");
        if narrow {
            SockRef::from(listener.get_ref()).set_recv_buffer_size(NARROW).expect("a small buffer");
            SockRef::from(listener.get_ref()).set_send_buffer_size(NARROW).expect("a small buffer");
        }
        let address = listener.get_ref().local_addr().expect("an address");
        let all = Arc::clone(&sessions);
        rt::spawn(async move {
            loop {
                let (socket, peer) = listen::accept(&listener, "test").await;
                let id = next_session();
                let origin = Origin { id, peer, local: address, bound: address.ip(), proxy: None };
                let conn = Conn::new(socket, origin, Limits::default(), shutdown.clone());
                let (program, tell) = (Arc::clone(&program), tell.clone());
                let mut all = all.lock().expect("no holder panics");
                all.numbers.push(id);
                all.tasks.push(rt::spawn(async move {
                    let _ = tell.send(program.serve(conn).await);
                }));
            }
        });
        Server { address, trigger, ended, sessions }
    }

    /// A client; it waits for no answer longer than [`PATIENCE`].
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time");
        stream
    }

    /// A client whose socket holds little.
    pub fn connect_narrow(&self) -> TcpStream {
        let stream = self.connect();
        SockRef::from(&stream).set_recv_buffer_size(NARROW).expect("a small buffer");
        SockRef::from(&stream).set_send_buffer_size(NARROW).expect("a small buffer");
        stream
    }

    /// What it answers to this and the end of it.
    pub fn answer(&self, sent: &[u8]) -> Vec<u8> {
        let mut client = self.connect();
        client.write_all(sent).expect("it takes what is sent");
        client.shutdown(Shutdown::Write).expect("half a close");
        read_all(&mut client)
    }

    /// The same as text, without the last line's end.
    pub fn says(&self) -> String {
        String::from_utf8(self.answer(b"")).expect("text").trim_end().to_string()
    }

    /// How the next session that ends has ended.
    pub fn ended(&self) -> io::Result<()> {
        self.ended.recv_timeout(PATIENCE).expect("a session ends in time")
    }

    /// Whether one has ended that was not asked about.
    pub fn has_ended(&self) -> bool {
        self.ended.try_recv().is_ok()
    }

    /// The server begins to drain.
    pub fn drain(&self) {
        self.trigger.drain();
    }

    /// The server ends.
    pub fn end(&self) {
        self.trigger.end();
    }

    /// Drops all its sessions, wherever they are.
    pub fn drop_sessions(&self) {
        let tasks = std::mem::take(&mut self.sessions.lock().expect("no holder panics").tasks);
        for task in tasks {
            rt::block_on(task.cancel());
        }
    }

    /// What was logged about its sessions.
    pub fn log(&self) -> Vec<Line> {
        let numbers = self.sessions.lock().expect("no holder panics").numbers.clone();
        let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().filter(|line| numbers.contains(&line.session)).cloned().collect()
    }
}

/// No program outlives its test.
impl Drop for Server {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.drop_sessions();
        }
    }
}

impl Line {
    pub fn has(&self, value: &str) -> bool {
        self.values.iter().any(|has| has == value)
    }
}

/// All until the end; a reset is no end.
pub fn read_all(client: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    client.read_to_end(&mut all).expect("an answer, and an end in order");
    all
}

/// One line, byte by byte, so that nothing behind it is taken.
pub fn read_line(client: &mut TcpStream) -> String {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while byte != *b"\n" {
        client.read_exact(&mut byte).expect("a line");
        line.extend(byte);
    }
    String::from_utf8(line).expect("text").trim_end().to_string()
}

/// Resets the connection.
pub fn reset(client: TcpStream) {
    SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("linger");
}

/// A process that a program has told of, watched so that its number stays its own.
pub struct Watched(std::os::fd::OwnedFd);

/// The process of this number, which lives.
pub fn watch(number: &str) -> Watched {
    let pid = number.parse().ok().and_then(Pid::from_raw).expect("a process's number");
    Watched(pidfd_open(pid, PidfdFlags::empty()).expect("it lives"))
}

impl Watched {
    /// Whether it dies within that time.
    pub fn dies_within(&self, time: Duration) -> bool {
        let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
        poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&time)).expect("poll") > 0
    }
}

/// Asks again and again until it is so.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::yield_now();
    }
}

/// An executable file of that name. Another process writes it: a descriptor of ours might be open in a child that is just
/// being made, and a file that somebody writes cannot be run.
pub fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    let mut command = Command::new("install");
    command.args(["-m", "755", "/dev/stdin"]).arg(&path).stdin(Stdio::piped());
    let mut install = command.spawn().expect("install is there");
    install.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    assert!(install.wait().expect("it ends").success());
    path
}

fn next_session() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

static LOG: Mutex<Vec<Line>> = Mutex::new(Vec::new());

struct Kept;

fn keep_log() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        log::set_logger(&Kept).expect("the only logger");
        log::set_max_level(log::LevelFilter::Debug);
    });
}

impl log::Log for Kept {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("gftp")
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut values = Values(Vec::new());
        record.key_values().visit(&mut values).expect("values");
        let session = record.key_values().get(Key::from("session")).and_then(|value| value.to_u64()).unwrap_or(0);
        let line = Line { session, level: record.level(), text: record.args().to_string(), values: values.0 };
        LOG.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn flush(&self) {}
}

struct Values(Vec<String>);

impl<'kvs> VisitSource<'kvs> for Values {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        self.0.push(format!("{key}={value}"));
        Ok(())
    }
}
