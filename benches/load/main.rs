//! The clients of `benches/peers`: one scenario against a server on loopback, measured and printed as one line of JSON.
//!
//! It owns what a client does and how long that took, and refuses to know which server answers. It first logs in, says
//! `ready`, and waits for a line on its input, so that whoever measures the server can look at it before and after. It
//! must cost less than any server, also with TLS: `plain.rs` and `tls.rs` say how.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};
use session::{Session, Target};

/// What stands where a server would.
mod bare;
mod careful;
/// How long answers take.
mod latency;
/// What no server can beat.
mod limits;
/// Bytes without TLS.
mod plain;
/// What a client does.
mod session;
/// Connections with TLS.
mod tls;

/// Sessions that wait are opened by so many at once: enough to keep a server that forks for each one busy.
const OPENERS: usize = 16;

/// So often a session is opened before anything is measured: libunftp may take a handshake that follows AUTH TLS at once
/// for a command, and where it has done so once it is likely to do it again.
const TRIES: usize = 20;
/// One in so many logins may fail, for the same reason, without making the others worthless; they are counted.
const ONE_MAY_FAIL_IN: u64 = 4;

/// Lines that a listing may have beside those of its files: the folder itself, the one above, and their total.
const BESIDE_FILES: u64 = 3;

/// What went wrong, for people.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
struct Typed {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// Fetch one file over each connection
    Retr {
        #[command(flatten)]
        file: Whole,
    },
    /// Store one file over each connection: PATH0, PATH1 …
    Stor {
        #[command(flatten)]
        file: Whole,
    },
    /// Connect, log in and leave, again and again
    Login {
        #[command(flatten)]
        crowd: Crowd,
        #[arg(long)]
        seconds: f64,
    },
    /// Fetch small files, again and again: FOLDER/0, FOLDER/1 …
    Small {
        #[command(flatten)]
        crowd: Crowd,
        #[arg(long)]
        seconds: f64,
        #[command(flatten)]
        pile: Pile,
    },
    /// Store small files, again and again, each session a few names of its own: FOLDER/0-0, FOLDER/0-1 …
    SmallStor {
        #[command(flatten)]
        crowd: Crowd,
        #[arg(long)]
        seconds: f64,
        #[command(flatten)]
        pile: Pile,
        /// The same folder, for us: some servers let no visitor replace a file, so it is removed before
        #[arg(long)]
        local: PathBuf,
    },
    /// List a folder once
    List {
        #[command(flatten)]
        server: Server,
        #[arg(long)]
        command: String,
        #[arg(long)]
        folder: String,
        /// How many files must be told of
        #[arg(long)]
        files: u64,
    },
    /// Say NOOP again and again, while others may download
    Noop(latency::Noop),
    /// Move bytes with neither FTP nor a server
    Limits(limits::Limits),
    /// Be a bare loop of system calls where a server would be
    Bare(bare::Bare),
    /// Log in and do nothing; then see who is still alive
    Idle {
        #[command(flatten)]
        crowd: Crowd,
    },
}

/// Where the server is and how it is spoken to.
#[derive(Args)]
struct Server {
    #[arg(long)]
    port: u16,
    /// With AUTH TLS, and data connections with PROT P
    #[arg(long)]
    tls: bool,
    /// Data connections with EPSV, not with PASV
    #[arg(long)]
    epsv: bool,
}

impl Server {
    fn target(&self) -> Result<Target, Failure> {
        Ok(Target { port: self.port, epsv: self.epsv, tls: self.tls.then(tls::offer).transpose()? })
    }
}

/// Many small files.
#[derive(Args)]
struct Pile {
    #[arg(long)]
    folder: String,
    #[arg(long)]
    files: usize,
    /// Of each file
    #[arg(long)]
    bytes: u64,
}

/// One large file for each connection.
#[derive(Args)]
struct Whole {
    #[command(flatten)]
    server: Server,
    #[arg(long, default_value_t = 1)]
    connections: usize,
    #[arg(long)]
    path: String,
    /// Of each file
    #[arg(long)]
    bytes: u64,
}

/// Many sessions.
#[derive(Args)]
struct Crowd {
    #[command(flatten)]
    server: Server,
    #[arg(long)]
    sessions: usize,
}

/// What was done in the measured time.
#[derive(Default)]
struct Done {
    count: u64,
    time: Duration,
    /// What TLS has agreed upon, for people.
    tls: Option<String>,
    /// What this scenario alone has measured.
    more: Vec<(&'static str, f64)>,
}

impl Done {
    fn told(self) -> Value {
        let Done { count, time, tls, more } = self;
        let mut told = json!({"count": count, "seconds": time.as_secs_f64(), "tls": tls});
        for (name, value) in more {
            told[name] = json!(value);
        }
        told
    }
}

/// Everything is ready; measuring begins when this returns.
fn wait_for_go() -> Result<(), Failure> {
    println!("ready");
    match io::stdin().read_line(&mut String::new())? {
        0 => Err("told to end".into()),
        _ => Ok(()),
    }
}

/// A session, before anything is measured.
fn open_at_last(target: &Target) -> Result<Session, Failure> {
    let mut opened = Session::open(target);
    for _ in 1..TRIES {
        if opened.is_ok() {
            break;
        }
        opened = Session::open(target);
    }
    opened
}

/// Logs all in, a few at once.
fn open_all(crowd: &Crowd) -> Result<Vec<Session>, Failure> {
    let share = |opener| crowd.sessions / OPENERS + usize::from(opener < crowd.sessions % OPENERS);
    let target = &crowd.server.target()?;
    let openers = (0..OPENERS).map(|opener| move || (0..share(opener)).map(|_| Session::open(target)).collect());
    let opened: Vec<Vec<Session>> = at_once(openers)?;
    Ok(opened.into_iter().flatten().collect())
}

/// Does all of this at once, each in a thread, and waits for all.
fn at_once<T: Send, F>(works: impl Iterator<Item = F>) -> Result<Vec<T>, Failure>
where
    F: FnOnce() -> Result<T, Failure> + Send,
{
    thread::scope(|scope| {
        let threads: Vec<_> = works.map(|work| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a thread died".into()))).collect()
    })
}

/// How often each of `works` can be done in a row until the time is over, all of them at once.
fn repeat<F>(seconds: f64, works: impl Iterator<Item = F>) -> Result<Done, Failure>
where
    F: FnMut() -> Result<(), Failure> + Send,
{
    let (begun, time) = (Instant::now(), Duration::from_secs_f64(seconds));
    let counts = at_once(works.map(|mut work| {
        move || {
            let mut count = 0;
            while begun.elapsed() < time {
                work()?;
                count += 1;
            }
            Ok(count)
        }
    }))?;
    Ok(Done { count: counts.into_iter().sum(), time: begun.elapsed(), ..Done::default() })
}

/// One transfer by each of some sessions that have set everything up, all at once.
fn whole(file: &Whole, transfer: impl Fn(&mut Session, usize) -> Result<(), Failure> + Sync) -> Result<Done, Failure> {
    let target = file.server.target()?;
    let mut sessions = (0..file.connections).map(|_| open_at_last(&target)).collect::<Result<Vec<_>, _>>()?;
    for session in &mut sessions {
        session.prepare()?;
    }
    let transfer = &transfer;
    wait_for_go()?;
    let begun = Instant::now();
    at_once(sessions.iter_mut().enumerate().map(|(number, session)| move || transfer(session, number)))?;
    let time = begun.elapsed();
    let tls = sessions.pop().and_then(|session| session.agreed);
    Ok(Done { count: file.bytes * file.connections as u64, time, tls, ..Done::default() })
}

fn logins(crowd: &Crowd, seconds: f64) -> Result<Done, Failure> {
    let target = crowd.server.target()?;
    let mut first = open_at_last(&target)?;
    let tls = first.agreed.take();
    first.leave()?;
    let (tried, failed) = (&AtomicU64::new(0), &AtomicU64::new(0));
    wait_for_go()?;
    let login = || {
        let tried = tried.fetch_add(1, Ordering::Relaxed);
        let Err(failure) = Session::open(&target).and_then(Session::leave) else { return Ok(()) };
        let failed = failed.fetch_add(1, Ordering::Relaxed);
        // One for each client says nothing yet.
        if failed > crowd.sessions as u64 && failed * ONE_MAY_FAIL_IN > tried { Err(failure) } else { Ok(()) }
    };
    let done = repeat(seconds, (0..crowd.sessions).map(|_| login))?;
    let failed = failed.load(Ordering::Relaxed);
    Ok(Done { count: done.count - failed, tls, more: vec![("failed", failed as f64)], ..done })
}

/// Sessions that have set everything up.
fn prepare_all(crowd: &Crowd) -> Result<Vec<Session>, Failure> {
    let mut sessions = open_all(crowd)?;
    for session in &mut sessions {
        session.prepare()?;
    }
    Ok(sessions)
}

fn small(crowd: &Crowd, seconds: f64, pile: &Pile) -> Result<Done, Failure> {
    let &Pile { ref folder, files, bytes } = pile;
    let mut sessions = prepare_all(crowd)?;
    wait_for_go()?;
    let works = sessions.iter_mut().enumerate().map(|(number, session)| {
        // Each begins at a file of its own, as strangers would.
        let mut next = number * files / crowd.sessions;
        move || {
            next = (next + 1) % files;
            session.fetch(&format!("{folder}/{next}"), bytes)
        }
    });
    repeat(seconds, works)
}

fn small_stor(crowd: &Crowd, seconds: f64, pile: &Pile, local: &Path) -> Result<Done, Failure> {
    let &Pile { ref folder, files, bytes } = pile;
    let mut sessions = prepare_all(crowd)?;
    let piece = &plain::piece()?;
    wait_for_go()?;
    let works = sessions.iter_mut().enumerate().map(|(number, session)| {
        let mut stored = 0;
        move || {
            let name = format!("{number}-{}", stored % files);
            if stored >= files {
                fs::remove_file(local.join(&name))?;
            }
            stored += 1;
            session.store(&format!("{folder}/{name}"), bytes, piece)
        }
    });
    repeat(seconds, works)
}

fn list(server: &Server, command: &str, folder: &str, files: u64) -> Result<Done, Failure> {
    let mut session = Session::open(&server.target()?)?;
    session.prepare()?;
    session.go(folder)?;
    wait_for_go()?;
    let begun = Instant::now();
    let (first, lines) = session.list(command)?;
    let time = begun.elapsed();
    if !(files..=files + BESIDE_FILES).contains(&lines) {
        return Err(format!("{command} has {lines} lines for {files} files").into());
    }
    Ok(Done { count: files, time, more: vec![("first", first.as_secs_f64())], ..Done::default() })
}

fn idle(crowd: &Crowd) -> Result<Done, Failure> {
    let mut sessions = open_all(crowd)?;
    wait_for_go()?;
    let begun = Instant::now();
    let alive = sessions.iter_mut().filter_map(|session| session.noop().ok()).count();
    Ok(Done { count: alive as u64, time: begun.elapsed(), ..Done::default() })
}

fn run(scenario: &Scenario) -> Result<Value, Failure> {
    let done = match scenario {
        Scenario::Retr { file } => whole(file, |session, _| session.fetch(&file.path, file.bytes)),
        Scenario::Stor { file } => {
            let piece = plain::piece()?;
            whole(file, |session, number| session.store(&format!("{}{number}", file.path), file.bytes, &piece))
        }
        Scenario::Login { crowd, seconds } => logins(crowd, *seconds),
        Scenario::Small { crowd, seconds, pile } => small(crowd, *seconds, pile),
        Scenario::SmallStor { crowd, seconds, pile, local } => small_stor(crowd, *seconds, pile, local),
        Scenario::List { server, command, folder, files } => list(server, command, folder, *files),
        Scenario::Noop(noop) => noop.run(),
        Scenario::Idle { crowd } => idle(crowd),
        Scenario::Limits(limits) => return limits.run(),
        Scenario::Bare(bare) => return bare.run(),
    };
    Ok(done?.told())
}

fn main() {
    // `cargo bench` starts every benchmark with this word; alone this one has nothing to measure.
    if std::env::args().any(|argument| argument == "--bench") {
        println!("load: started by benches/peers, which measures servers side by side");
        return;
    }
    match run(&Typed::parse().scenario) {
        Ok(measured) => println!("{measured}"),
        Err(failure) => {
            eprintln!("load: {failure}");
            std::process::exit(1);
        }
    }
}
