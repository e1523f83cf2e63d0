//! Whole sessions: a client's bytes, data connections and the passing of time, into the real conversation over real
//! sockets and a scratch store.
//!
//! An input is what the client sends, with a few control characters that say what else it does ([`Step`]); so a
//! transcript of a session is an input, and the other way round. What is promised, whatever comes: the conversation ends
//! once the client has left, within a bounded time; it speaks in whole replies; and nothing beside the served folder is
//! touched.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown as Half, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use gftp::accounts::{Accounts, Anonymous};
use gftp::ftp::data::passive::PassiveOptions;
use gftp::ftp::protection::{Resume, Tls, TlsNeed, TlsPolicy};
use gftp::ftp::{Ftp, FtpOptions};
use gftp::store::Store;
use gftp_plugin::rt::{self, Socket};
use gftp_plugin::{Conn, Limits, Origin, Service, Shutdown};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, SockRef, Type};
use tempfile::TempDir;

use crate::first::config;

/// An address that nobody else's servers are asked at, since PORT may name any port of the client's own.
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 77, 1);
/// How long a session's end may take once its client has left: far beyond all that is waited for here.
const END: Duration = Duration::from_secs(20);
/// How long something to read is waited for where the input says so: many times what it takes to come.
const REPLY: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
/// How long a call may hold the client: nothing here is worth more.
const CALL: Duration = Duration::from_millis(4);
/// The times of the session, so short that the step that lets time pass passes them.
const SHORT: Duration = Duration::from_millis(2);
/// Steps of one input: beyond them there is nothing new.
const MOST_STEPS: usize = 200;
/// TLS is there for whoever asks for it, and what it may end as well.
const TLS: TlsPolicy =
    TlsPolicy { need: TlsNeed::Optional, resume: Resume::Prefer, lenient: false, ccc: true, client: None };
/// What stands beside the served folder and must stay as it is.
const CANARY: &[u8] = b"outside";

/// What a control character in the input stands for.
#[derive(Clone, Copy)]
enum Step {
    /// 0x01: connects to the port that the server has told last.
    Connect,
    /// 0x02: what follows, up to the next step, goes over the data connection.
    Data,
    /// 0x03: what follows goes over the control connection again; replies are waited for.
    Control,
    /// 0x04: closes the data connection.
    Close,
    /// 0x05: resets it.
    Reset,
    /// 0x06: reads from it.
    Read,
    /// 0x07: lets time pass.
    Wait,
    /// 0x0e: closes the sending side of the control connection.
    Half,
    /// 0x0f: the server begins to drain.
    Drain,
    /// 0x10: takes the connection that the server makes to the port of PORT.
    Accept,
}

impl Step {
    fn of(byte: u8) -> Option<Step> {
        Some(match byte {
            0x01 => Step::Connect,
            0x02 => Step::Data,
            0x03 => Step::Control,
            0x04 => Step::Close,
            0x05 => Step::Reset,
            0x06 => Step::Read,
            0x07 => Step::Wait,
            0x0e => Step::Half,
            0x0f => Step::Drain,
            0x10 => Step::Accept,
            _ => return None,
        })
    }
}

/// The server that all inputs meet.
struct World {
    base: TempDir,
    ftp: Ftp,
    door: TcpListener,
}

/// One session of the client's.
struct Client {
    control: TcpStream,
    data: Option<TcpStream>,
    /// Where PORT may send the server.
    listener: TcpListener,
    heard: Vec<u8>,
}

/// One input. The sessions of one process come one after the other.
pub fn session(data: &[u8]) {
    static WORLD: OnceLock<Mutex<World>> = OnceLock::new();
    let world = WORLD.get_or_init(|| Mutex::new(World::new())).lock().unwrap_or_else(PoisonError::into_inner);
    world.furnish();
    let (client, server) = world.connect();
    let (trigger, shutdown) = Shutdown::new();
    let (origin, short) = (origin(&server), data.first().is_some_and(|byte| byte % 2 == 1));
    let times = if short { SHORT } else { Duration::from_secs(5) };
    let limits = Limits { idle: times, login: times, ..Limits::default() };
    let conn = Conn::new(Socket::new(server).expect("the reactor takes it"), origin, limits, shutdown);
    let input = data.get(1..).unwrap_or_default().to_vec();
    let heard = rt::block_on(async {
        let talk = rt::unblock(move || talk(client, &input, trigger));
        let ended = rt::timeout(END, async { Ok(futures::join!(world.ftp.serve(conn), talk).1) }).await;
        ended.expect("a session ends once its client has left")
    });
    assert_replies(&heard);
    assert_eq!(fs::read(world.base.path().join("canary")).expect("it stands"), CANARY, "nothing outside is touched");
}

impl World {
    fn new() -> World {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { TempDir::with_prefix_in("gftp-fuzz-", memory) } else { TempDir::new() };
        let base = base.expect("a scratch folder");
        fs::write(base.path().join("canary"), CANARY).expect("room for it");
        let root = base.path().join("served");
        fs::create_dir(&root).expect("room for it");
        let ftp = Ftp::new(FtpOptions {
            store: Store::open(&root).expect("it can be served").into(),
            accounts: Accounts::new(Anonymous::Write, Vec::new(), 10).into(),
            passive: PassiveOptions::default(),
            data_wait: SHORT,
            stall: SHORT,
            durable: false,
            idle: Duration::from_secs(5),
            max_idle: Duration::from_secs(5),
            tls: Some(Tls { config: config(), policy: TLS }),
            caps: Default::default(),
        });
        World { base, ftp, door: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port") }
    }

    /// The same tree for every input.
    fn furnish(&self) {
        let root = self.base.path().join("served");
        for entry in fs::read_dir(&root).into_iter().flatten().flatten() {
            let path = entry.path();
            let _ = if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
        let _ = fs::create_dir_all(root.join("pub/deep"));
        let _ = fs::write(root.join("file"), "some text\r\nof two lines\n");
        let _ = fs::write(root.join("pub/large"), vec![b'x'; 100_000]);
        let _ = std::os::unix::fs::symlink("../../canary", root.join("pub/out"));
        let _ = std::os::unix::fs::symlink("pub", root.join("in"));
    }

    fn connect(&self) -> (Client, TcpStream) {
        let control = from_client(self.door.local_addr().expect("it listens"));
        let (server, _) = self.door.accept().expect("it has come");
        let listener = TcpListener::bind((CLIENT, 0)).expect("a port");
        let _ = listener.set_nonblocking(true);
        (Client { control, data: None, listener, heard: Vec::new() }, server)
    }
}

fn origin(server: &TcpStream) -> Origin {
    let (peer, local) = (server.peer_addr().expect("it is connected"), server.local_addr().expect("it is"));
    Origin { id: 1, peer, local, bound: Ipv4Addr::LOCALHOST.into(), proxy: None }
}

fn from_client(to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).expect("a descriptor");
    socket.bind(&SocketAddr::from((CLIENT, 0)).into()).expect("a port");
    socket.connect(&to.into()).expect("the server listens");
    let stream = TcpStream::from(socket);
    let _ = (stream.set_read_timeout(Some(CALL)), stream.set_write_timeout(Some(CALL)));
    stream
}

/// Does what the input says, leaves, and tells what was heard.
fn talk(mut client: Client, input: &[u8], trigger: gftp_plugin::ShutdownTrigger) -> Vec<u8> {
    let mut over_data = false;
    let mut rest = input;
    for _ in 0..MOST_STEPS {
        let end = rest.iter().position(|&byte| Step::of(byte).is_some()).unwrap_or(rest.len());
        let (said, after) = rest.split_at(end);
        client.send(said, over_data);
        let Some((&byte, after)) = after.split_first() else { break };
        rest = after;
        match Step::of(byte) {
            Some(Step::Data) => over_data = true,
            Some(Step::Drain) => trigger.drain(),
            Some(step) => {
                over_data = false;
                client.step(step);
            }
            None => {}
        }
    }
    client.leave();
    client.heard
}

impl Client {
    fn send(&mut self, bytes: &[u8], over_data: bool) {
        let to = if over_data { self.data.as_mut() } else { Some(&mut self.control) };
        // It may have been closed already, or be full: an input need not be heard out.
        let _ = to.map(|to| to.write_all(bytes));
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Connect => {
                self.hear();
                if let Some(port) = told_port(&self.heard) {
                    self.data = Some(from_client((Ipv4Addr::LOCALHOST, port).into()));
                }
            }
            Step::Control => self.hear(),
            Step::Close => self.data = None,
            Step::Reset => {
                if let Some(data) = self.data.take() {
                    let _ = SockRef::from(&data).set_linger(Some(Duration::ZERO));
                }
            }
            Step::Read => {
                if let Some(data) = self.data.as_mut().filter(|data| has_input(data)) {
                    let _ = data.read(&mut [0; 64 * 1024]);
                }
            }
            Step::Wait => std::thread::sleep(2 * SHORT),
            Step::Half => drop(self.control.shutdown(Half::Write)),
            Step::Accept => self.data = self.listener.accept().ok().map(|(data, _)| data).or(self.data.take()),
            Step::Data | Step::Drain => {}
        }
    }

    /// Hears replies until none comes for a moment.
    fn hear(&mut self) {
        let mut chunk = [0; 16 * 1024];
        while has_input(&self.control)
            && let Ok(count @ 1..) = self.control.read(&mut chunk)
        {
            self.heard.extend_from_slice(&chunk[..count]);
            if self.heard.ends_with(b"\r\n") {
                break;
            }
        }
    }

    /// Says that nothing more will come, and hears the rest, which must come to an end.
    fn leave(&mut self) {
        self.data = None;
        let _ = self.control.shutdown(Half::Write);
        let by = Instant::now() + END;
        let mut chunk = [0; 16 * 1024];
        loop {
            match self.control.read(&mut chunk) {
                Ok(0) => return,
                Ok(count) => self.heard.extend_from_slice(&chunk[..count]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
                // Reset: it said something to a server that was about to close.
                Err(_) => return,
            }
            assert!(Instant::now() < by, "the server closes once its client has left");
        }
    }
}

/// Whether there is something to read, or soon.
fn has_input(stream: &TcpStream) -> bool {
    poll(&mut [PollFd::new(stream, PollFlags::IN)], Some(&REPLY)).is_ok_and(|ready| ready > 0)
}

/// The port of the last 227 or 229 that was heard.
fn told_port(heard: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(heard);
    let line = text.lines().rev().find(|line| line.starts_with("227") || line.starts_with("229"))?;
    let numbers = line.get(4..)?.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty());
    let numbers: Vec<u16> = numbers.filter_map(|number| number.parse().ok()).collect();
    match numbers[..] {
        [.., high, low] if line.starts_with("227") => Some(high.checked_mul(256)?.checked_add(low)?),
        [.., port] => Some(port),
        [] => None,
    }
}

/// Telnet's refusals aside, all that is heard is replies: lines that end in CRLF, and a code in front of the first and the
/// last line of each. The last may be cut off by the end.
fn assert_replies(heard: &[u8]) {
    let text = without_telnet(heard);
    let mut open: Option<Vec<u8>> = None;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\r\n") else { continue };
        // A CR that belongs to a name is followed by NUL (RFC 2640 §3.1).
        let alone = line.iter().enumerate().any(|(at, &byte)| byte == b'\r' && line.get(at + 1) != Some(&0));
        assert!(!alone, "no line within a line: {:?}", String::from_utf8_lossy(line));
        let (code, kind) = (line.get(..3).unwrap_or_default(), line.get(3));
        match &open {
            Some(first) => {
                if code == &first[..] && kind == Some(&b' ') {
                    open = None;
                }
            }
            None => {
                let is_code = code.len() == 3 && code.iter().all(u8::is_ascii_digit) && matches!(code[0], b'1'..=b'6');
                assert!(is_code, "a reply begins with its code: {:?}", String::from_utf8_lossy(line));
                match kind {
                    Some(b'-') => open = Some(code.to_vec()),
                    Some(b' ') => {}
                    _ => panic!("a code is followed by a blank or a hyphen: {:?}", String::from_utf8_lossy(line)),
                }
            }
        }
    }
}

fn without_telnet(heard: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(heard.len());
    let mut rest = heard;
    while let Some((&byte, after)) = rest.split_first() {
        match (byte, after) {
            (255, [251..=254, _, after @ ..]) => rest = after,
            (255, [255, after @ ..]) => {
                text.push(255);
                rest = after;
            }
            _ => {
                text.push(byte);
                rest = after;
            }
        }
    }
    text
}
