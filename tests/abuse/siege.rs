//! Five thousand sessions at once, half of them hostile in every way that is known, and each of the honest half is
//! served: one server under all attacks together, where the other rooms have one each.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::SockRef;

use super::{assert_serves, connect_from, eventually};
use crate::clients::{make_content, skip};
use crate::dialogue::client::{Control, read_all, send_all};
use crate::server::{Place, Server};

/// The honest half, and somewhat more of the others: those who are shown out and come again are never all there.
const GUESTS: usize = 2500;
const BESIEGERS: usize = 280 * KINDS.len();
/// An address has a hundred, which is what one may have by default.
const EACH_ADDRESS: usize = 100;
/// Threads that play each half.
const BESIEGING: usize = 4;
const VISITING: usize = 16;
/// Hostile acts for each step of a guest. Both halves share two cores with the server: at a pace of their own, those who
/// only write would be as busy as the machine allows, and the test would show how fast that is.
const ACTS_A_STEP: usize = 10;
/// Of those who guess passwords: each guess is some tens of milliseconds of a core, and the last must be answered soon
/// after the siege.
const GUESSING: usize = 60;
/// What a guest fetches or brings (bytes).
const SIZE: usize = 4096;
/// Files that are fetched, so that one session's bytes are not another's.
const FILES: usize = 20;
/// Descriptors that the players of this test need, and half as many again for the tests beside it.
const DESCRIPTORS: u64 = 12_000;
/// Ports for data that stay open, and some descriptors of the program's own.
const PORTS: usize = 128 + 16;
/// Two more than its own for each download that nobody reads.
const UNREAD: usize = 2 * BESIEGERS / KINDS.len();
/// Descriptors at most: one for each session and transfer, ports, and what listings and honest transfers have open.
const LARGEST_CROWD: usize = GUESTS + BESIEGERS + UNREAD + PORTS + 1000;
/// KiB for all of them, besides what passwords take: about 12 for each, which is what a line under way and an answer not
/// read may have.
const MOST_MEMORY: u64 = 64 * 1024;

/// Ways of being hostile, in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Connects and says nothing.
    Silent,
    /// Sends bytes now and then, never a line.
    Trickle,
    /// Sends one line without end.
    Endless,
    /// Asks without reading an answer.
    Flood,
    /// Asks for ports and never comes.
    Ports,
    /// Guesses passwords.
    Guess,
    /// Stops within a Telnet sequence.
    Telnet,
    /// Speaks HTTP, again and again.
    Http,
    /// Lists by patterns that are dear.
    Pattern,
    /// Fetches and does not read what comes.
    Unread,
}

const KINDS: [Kind; 10] = [
    Kind::Silent,
    Kind::Trickle,
    Kind::Endless,
    Kind::Flood,
    Kind::Ports,
    Kind::Guess,
    Kind::Telnet,
    Kind::Http,
    Kind::Pattern,
    Kind::Unread,
];

/// What somebody of a kind says at every turn.
fn says(kind: Kind, number: usize) -> Vec<u8> {
    const PATTERN: &str = "*/*/*a*b*c*";
    match kind {
        Kind::Silent | Kind::Unread => Vec::new(),
        Kind::Trickle => b"N".to_vec(),
        Kind::Endless => vec![b'A'; 4096],
        Kind::Flood => [&b"NOOP\r\n".repeat(100)[..], &b"HELP\r\n".repeat(10)].concat(),
        Kind::Ports => b"PASV\r\nEPSV\r\n".to_vec(),
        Kind::Guess => b"USER alice\r\nPASS guess\r\n".to_vec(),
        Kind::Telnet => [b"\xff\xfa\x01".as_slice(), b"\xff", b"\xff\xfd"][number % 3].to_vec(),
        Kind::Http => b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        Kind::Pattern if number.is_multiple_of(2) => format!("STAT {PATTERN}\r\n").into_bytes(),
        Kind::Pattern => format!("EPSV\r\nLIST {PATTERN}\r\nABOR\r\n").into_bytes(),
    }
}

/// One of the hostile half.
struct Besieger {
    kind: Kind,
    number: usize,
    stream: TcpStream,
    _data: Option<TcpStream>,
}

/// The address of the `number`th of a half, of which `half` is the third byte's beginning.
fn address(half: u8, number: usize) -> [u8; 4] {
    [127, 0, half, 2 + (number / EACH_ADDRESS) as u8]
}

const HOSTILE: u8 = 1;
const HONEST: u8 = 2;

const LOGIN: &[u8] = b"USER anonymous\r\nPASS x\r\nTYPE I\r\n";

/// Logs in without an account.
fn guest(from: [u8; 4], server: &Server) -> Control {
    let mut control = Control::over(connect_from(from, server.address())).unwrap();
    control.send(LOGIN).unwrap();
    for code in [220, 331, 230, 200] {
        control.expect(code).expect("a guest gets in");
    }
    control
}

/// A data connection from the session's own address.
fn passive(control: &mut Control, from: [u8; 4], server: &Server) -> TcpStream {
    let port = control.epsv().unwrap();
    connect_from(from, SocketAddr::new(server.address().ip(), port))
}

impl Besieger {
    fn come(server: &Server, number: usize) -> Besieger {
        let kind = match KINDS[number % KINDS.len()] {
            Kind::Guess if number >= GUESSING * KINDS.len() => Kind::Silent,
            kind => kind,
        };
        let from = address(HOSTILE, number);
        let mut stream = connect_from(from, server.address());
        if kind == Kind::Flood {
            // The sooner its side is full of answers, the sooner the server's is.
            SockRef::from(&stream).set_recv_buffer_size(SIZE).unwrap();
        }
        let mut data = None;
        match kind {
            Kind::Flood | Kind::Ports | Kind::Pattern => {
                stream.write_all(LOGIN).unwrap();
            }
            Kind::Unread => {
                let mut control = guest(from, server);
                let unread = passive(&mut control, from, server);
                control.tell("RETR big", 150).unwrap();
                (stream, data) = (control.stream().try_clone().unwrap(), Some(unread));
            }
            _ => {}
        }
        stream.set_nonblocking(true).unwrap();
        Besieger { kind, number, stream, _data: data }
    }

    /// Does its worst once. Who was shown out comes again.
    fn harass(&mut self, server: &Server) {
        let said = says(self.kind, self.number);
        let sent = if said.is_empty() { Ok(0) } else { self.stream.write(&said) };
        let mut gone = sent.is_err_and(|e| e.kind() != ErrorKind::WouldBlock);
        if matches!(self.kind, Kind::Ports | Kind::Guess | Kind::Http | Kind::Pattern) {
            gone |= match self.stream.read(&mut [0; 4096]) {
                Ok(count) => count == 0,
                Err(e) => e.kind() != ErrorKind::WouldBlock,
            };
        }
        if gone {
            *self = Besieger::come(server, self.number);
        }
    }
}

/// Fetches a file or brings one, and looks at every byte.
fn serve(control: &mut Control, number: usize, server: &Server) {
    let mut data = passive(control, address(HONEST, number), server);
    if number.is_multiple_of(2) {
        control.tell(&format!("RETR file{}", number % FILES), 150).unwrap();
        let content = read_all(&mut data).unwrap();
        control.expect(226).unwrap();
        assert!(content == make_content((number % FILES) as u64, SIZE), "guest {number} got something else");
    } else {
        let content = make_content((FILES + number) as u64, SIZE);
        control.tell(&format!("STOR new{number}"), 150).unwrap();
        send_all(data, &content).unwrap();
        control.expect(226).unwrap();
        let stored = fs::read(server.root().join(format!("new{number}"))).unwrap();
        assert!(stored == content, "what guest {number} brought is not on the disk");
    }
}

/// A server with something to fetch, and with a tree in which patterns find much to do.
fn server() -> Server {
    let place = Place::in_memory();
    for file in 0..FILES {
        fs::write(place.root().join(format!("file{file}")), make_content(file as u64, SIZE)).unwrap();
    }
    for folder in 0..100 {
        let below = place.root().join(format!("folder{}/below{folder}", folder % 10));
        fs::create_dir_all(&below).unwrap();
        for file in 0..10 {
            File::create(below.join(format!("{file} {}", "ab".repeat(60)))).unwrap();
        }
    }
    File::create(place.root().join("big")).unwrap().set_len(100_000_000).unwrap();
    // Those who come again may be there twice for a moment; nobody is to leave because the machine is slow.
    Server::start_on(place, &["--user", "alice", "--max-per-ip", "120", "--login-timeout", "5m"])
}

/// Raises this process's open-file limit as far as is needed and may be.
pub fn has_descriptors() -> bool {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= DESCRIPTORS) {
        return true;
    }
    let raised = Rlimit { current: Some(DESCRIPTORS), maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).is_ok()
}

/// Held by whoever needs the whole machine.
pub static WHOLE_MACHINE: Mutex<()> = Mutex::new(());

#[test]
fn five_thousand_at_once_half_of_them_hostile() {
    let _alone = WHOLE_MACHINE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !has_descriptors() {
        skip(&format!("the open-file limit cannot be raised to {DESCRIPTORS}"));
        return;
    }
    let server = server();
    assert_serves(&server);
    let (descriptors, memory) = (server.descriptors(), server.memory());
    let (most, first) = besiege(&server);
    // Who was hostile has left, and so has everybody else: nothing of them may stay but ports for the next who come.
    let given_back = || server.descriptors() <= descriptors + PORTS;
    eventually("descriptors are given back", given_back);
    assert!(most < LARGEST_CROWD, "{most} descriptors for so many sessions");
    let hashing = 20 * 1024 * std::thread::available_parallelism().map_or(1, usize::from).div_ceil(2) as u64;
    let (most, second) = besiege(&server);
    eventually("descriptors are given back again", given_back);
    assert!(most < LARGEST_CROWD, "{most} descriptors the second time");
    assert!(first < memory + hashing + MOST_MEMORY, "they cost {} KiB", first - memory);
    assert!(second < first + MOST_MEMORY / 4, "they cost {} KiB more each time", second - first);
    assert_serves(&server);
}

/// Every guest of five thousand is served while the others go on. The most descriptors and memory (KiB) seen.
fn besiege(server: &Server) -> (usize, u64) {
    let army = all(BESIEGERS, BESIEGING, |number| Besieger::come(server, number));
    let pace = Pace::default();
    std::thread::scope(|scope| {
        for mut part in army {
            let pace = &pace;
            scope.spawn(move || {
                let mut next = (0..part.len()).cycle();
                while let (true, Some(next)) = (pace.may_act(), next.next()) {
                    part[next].1.harass(server);
                }
            });
        }
        // Whatever happens to the guests, the siege must end.
        let visit = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| visit(server, &pace)));
        pace.over.store(true, Ordering::Relaxed);
        visit.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// So many of them, made by so many threads, each thread's apart.
fn all<T: Send>(count: usize, threads: usize, make: impl Fn(usize) -> T + Sync) -> Vec<Vec<(usize, T)>> {
    std::thread::scope(|scope| {
        let makers: Vec<_> = (0..threads)
            .map(|thread| {
                let make = &make;
                scope.spawn(move || (thread..count).step_by(threads).map(|number| (number, make(number))).collect())
            })
            .collect();
        makers.into_iter().map(|maker| maker.join().expect("everybody gets in")).collect()
    })
}

/// How far both halves are.
#[derive(Default)]
struct Pace {
    steps: AtomicUsize,
    acts: AtomicUsize,
    over: AtomicBool,
}

impl Pace {
    /// Waits until the guests are far enough for one more act; false when the siege is over.
    fn may_act(&self) -> bool {
        // The first turn of each is free.
        let may = || self.acts.load(Ordering::Relaxed) < BESIEGERS + ACTS_A_STEP * self.steps.load(Ordering::Relaxed);
        while !self.over.load(Ordering::Relaxed) {
            if may() {
                self.acts.fetch_add(1, Ordering::Relaxed);
                return true;
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        false
    }

    fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }
}

/// Every guest comes in, and when all are there each is served. The most descriptors and memory (KiB) seen meanwhile.
fn visit(server: &Server, pace: &Pace) -> (usize, u64) {
    let guests = all(GUESTS, VISITING, |number| {
        let control = guest(address(HONEST, number), server);
        pace.step();
        control
    });
    let there = server.descriptors();
    // Some of the hostile half are always on their way in or out, but more than half of five thousand are there.
    assert!(there >= 5000 + UNREAD, "only {there} descriptors: the crowd is not there at once");
    let most = Mutex::new((there, 0));
    std::thread::scope(|scope| {
        for part in guests {
            let most = &most;
            scope.spawn(move || {
                for (number, mut control) in part {
                    serve(&mut control, number, server);
                    pace.step();
                    if number % 100 == 0 {
                        let mut most = most.lock().unwrap();
                        *most = (most.0.max(server.descriptors()), most.1.max(server.memory()));
                    }
                }
            });
        }
    });
    most.into_inner().unwrap()
}
