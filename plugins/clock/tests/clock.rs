//! The clock over real sockets: crowds, clients that do not read, and clients that have closed half of their connection. The
//! time is set by hand, so nothing here sleeps; what is said in order stands in fixtures/transcripts/clock*.service.

use std::future::poll_fn;
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, Shutdown as Half, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant, SystemTime};

use clap::{Args, Command, FromArgMatches};
use gftp_clock::{Clock, Options};
use gftp_plugin::{Conn, Hand, Limits, Origin, Service, Shutdown, ShutdownTrigger, Time, listen, rt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How long anything may take that is to come: long, since the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(20);
const SECOND: Duration = Duration::from_secs(1);

/// Descriptors are shared by all tests of this process: a crowd has them to itself.
static DESCRIPTORS: RwLock<()> = RwLock::new(());

/// A clock that is served, and the hand that moves it.
struct Served {
    at: SocketAddr,
    hand: Hand,
    /// How often the first session was polled.
    polls: Arc<AtomicU64>,
    _trigger: ShutdownTrigger,
    _descriptors: Option<RwLockReadGuard<'static, ()>>,
}

/// Serves a clock beside those of other tests.
fn serve(options: &[&str], limits: Limits) -> Served {
    let descriptors = DESCRIPTORS.read().unwrap_or_else(PoisonError::into_inner);
    Served { _descriptors: Some(descriptors), ..serve_alone(options, limits) }
}

/// Serves a clock, which shows the seconds since 1970, from 0.
fn serve_alone(options: &[&str], limits: Limits) -> Served {
    let command = Options::augment_args(Command::new("clock").no_binary_name(true));
    let options = Options::from_arg_matches(&command.get_matches_from(options)).unwrap();
    let (time, hand) = Time::by_hand(SystemTime::UNIX_EPOCH);
    let clock = Arc::new(Clock::new(options, time).unwrap());
    let (trigger, shutdown) = Shutdown::new();
    let listener = rt::block_on(async { listen::bind((Ipv4Addr::LOCALHOST, 0).into(), false) }).unwrap();
    let at = listener.get_ref().local_addr().unwrap();
    let polls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&polls);
    rt::spawn(async move {
        for id in 1.. {
            let (socket, peer) = listen::accept(&listener, "clock").await;
            let origin = Origin { id, peer, local: at, bound: at.ip(), proxy: None };
            let mut conn = Conn::new(socket, origin, limits, shutdown.clone());
            conn.settled();
            clock.arrived(&origin);
            let (clock, polls) = (Arc::clone(&clock), Arc::clone(&counted));
            rt::spawn(async move {
                let mut session = clock.serve(conn);
                let _ = poll_fn(|cx| {
                    polls.fetch_add(u64::from(id == 1), Ordering::Relaxed);
                    session.as_mut().poll(cx)
                })
                .await;
            });
        }
    });
    Served { at, hand, polls, _trigger: trigger, _descriptors: None }
}

impl Served {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A second passes, once as many moments are waited for.
    fn second(&self, waiting: usize) {
        let waits = rt::timeout(PATIENCE, async {
            self.hand.until_waiting(waiting).await;
            Ok(())
        });
        rt::block_on(waits).unwrap_or_else(|_| panic!("not {waiting} timers"));
        self.hand.advance(SECOND);
    }
}

/// Reads exactly this.
fn expect(stream: &mut TcpStream, wanted: &str) {
    let mut got = vec![0; wanted.len()];
    stream.read_exact(&mut got).unwrap_or_else(|e| panic!("{wanted:?}: {e}"));
    assert_eq!(String::from_utf8_lossy(&got), wanted);
}

/// How many can be there at once, of those that are wanted: each has two ends in this process.
fn room(wanted: usize) -> usize {
    /// What the test itself and the runtime have open, and what other tests have left for the kernel to close.
    const OTHERS: u64 = 500;
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let room = (getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX).saturating_sub(OTHERS)) / 2;
    wanted.min(usize::try_from(room).unwrap_or(usize::MAX))
}

/// Ten thousand clients, or as many as may be, have one timer, and each hears every second, once.
#[test]
fn a_crowd_on_one_timer() {
    let _alone = DESCRIPTORS.write().unwrap_or_else(PoisonError::into_inner);
    let count = room(10_000);
    assert!(count >= 500, "the limit of open files is too low for a crowd: ulimit -n");
    let served = serve_alone(&["--tz", "UTC", "--format", "%s"], Limits::default());
    let mut crowd: Vec<_> = (0..count).map(|_| served.connect()).collect();
    crowd.iter_mut().for_each(|stream| expect(stream, "0\n"));
    for second in 1..=5 {
        served.second(1);
        crowd.iter_mut().for_each(|stream| expect(stream, &format!("{second}\n")));
    }
    // Nothing else comes, and where one comes in between it is told the time and nothing that was.
    expect(&mut served.connect(), "5\n");
    for stream in &crowd {
        stream.set_nonblocking(true).unwrap();
        assert_eq!(stream.peek(&mut [0]).map_err(|e| e.kind()), Err(ErrorKind::WouldBlock));
    }
}

/// A line so long that a few of them fill what the kernel holds for a client that does not read.
fn long_format() -> String {
    format!("%s {}", "x".repeat(60_000))
}

/// More seconds of such lines than the kernel holds, which is some MiB for each side.
const MANY: u64 = 1000;

/// The seconds of long lines, for who reads them all.
fn expect_long(stream: &mut TcpStream, second: u64) {
    expect(stream, &format!("{second} {}\n", "x".repeat(60_000)));
}

/// What a client does not take is not kept for it: it goes on with the time that it is then.
#[test]
fn who_stops_reading_misses_ticks_and_never_gets_them_late() {
    let served = serve(&["--tz", "UTC", "--format", &long_format()], Limits::default());
    let (mut reader, mut slow) = (served.connect(), served.connect());
    expect_long(&mut reader, 0);
    for second in 1..=MANY {
        served.second(1);
        expect_long(&mut reader, second);
    }
    let newest = Arc::new(AtomicU64::new(0));
    let heard = {
        let newest = Arc::clone(&newest);
        std::thread::spawn(move || {
            let (mut heard, mut text, mut piece) = (Vec::new(), Vec::new(), vec![0; 1 << 20]);
            while newest.load(Ordering::Relaxed) <= MANY {
                let count = slow.read(&mut piece).expect("it is not let go");
                text.extend_from_slice(&piece[..count]);
                while let Some(end) = text.iter().position(|&byte| byte == b'\n') {
                    let line = String::from_utf8(text.drain(..=end).collect()).unwrap();
                    let (second, rest) = line.split_once(' ').unwrap();
                    assert_eq!(rest.len(), 60_001, "a line is whole or not there");
                    let second = second.parse().unwrap();
                    heard.push(second);
                    newest.store(second, Ordering::Relaxed);
                }
            }
            heard
        })
    };
    let until = Instant::now() + PATIENCE;
    let mut second = MANY;
    while newest.load(Ordering::Relaxed) <= MANY {
        assert!(Instant::now() < until, "the slow client hears nothing new");
        second += 1;
        served.second(1);
        expect_long(&mut reader, second);
    }
    let heard = heard.join().unwrap();

    assert!(heard.is_sorted_by(|a, b| a < b), "no second comes twice: {heard:?}");
    assert!(heard.len() as u64 <= MANY / 2, "{} lines were kept for a client that does not read", heard.len());
}

/// Who takes nothing is let go after a while; who listens silently for longer stays.
#[test]
fn who_takes_nothing_is_let_go_and_who_says_nothing_is_not() {
    let limits = Limits { idle: Duration::from_millis(300), ..Limits::default() };
    let served = serve(&["--tz", "UTC", "--format", &long_format()], limits);
    let (mut reader, stuck) = (served.connect(), served.connect());
    expect_long(&mut reader, 0);
    let until = Instant::now() + PATIENCE;
    let mut second = 0;
    // Reset: what it has not taken is not kept in the kernel either.
    while stuck.take_error().unwrap().is_none() {
        assert!(Instant::now() < until, "it is still there");
        second += 1;
        served.second(1);
        expect_long(&mut reader, second);
    }
    served.second(1);
    expect_long(&mut reader, second + 1);
}

/// After the end of what a client says there is nothing to hear from it, and nobody listens without a pause.
#[test]
fn half_a_connection_is_not_listened_to_all_the_time() {
    /// Of a session that is left alone, for what had begun before.
    const FEW: u64 = 3;
    for options in [&["--tz", "UTC", "--format", "%s"][..], &["--tz", "UTC", "--format", "%s", "--sequential"]] {
        let served = serve(options, Limits::default());
        let mut stream = served.connect();
        stream.shutdown(Half::Write).unwrap();
        expect(&mut stream, "0\n");
        served.second(1);
        expect(&mut stream, "1\n");
        served.second(1);
        expect(&mut stream, "2\n");
        let before = served.polls.load(Ordering::Relaxed);
        // Time for the sessions to be polled often, by what the machine has to do meanwhile.
        for _ in 0..200 {
            served.connect();
        }
        let polls = served.polls.load(Ordering::Relaxed) - before;
        assert!(polls <= FEW, "{polls} polls while nothing happened");
        served.second(1);
        expect(&mut stream, "3\n");
    }
}

/// One after the other, in the order of coming, and the next at once when one breaks off.
#[test]
fn a_queue_is_served_in_order() {
    let served = serve(&["--tz", "UTC", "--format", "%s", "--sequential"], Limits::default());
    let queue: Vec<_> = (0..50).map(|_| served.connect()).collect();
    let mut second = 0;
    for mut stream in queue {
        expect(&mut stream, &format!("{second}\n"));
        second += 1;
        served.second(1);
        expect(&mut stream, &format!("{second}\n"));
        second += 1;
        served.second(1);
        // A client that leaves with something unread breaks the connection.
        stream.peek(&mut [0]).unwrap();
    }
}
