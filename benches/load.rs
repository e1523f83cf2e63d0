//! The clients of `benches/peers`: one scenario against a server on loopback, measured and printed as one line of JSON.
//!
//! It owns what a client does and how long that took, and refuses to know which server answers. It first logs in, says
//! `ready`, and waits for a line on its input, so that whoever measures the server can look at it before and after. It
//! must cost less than any server: bytes are thrown away inside the kernel, and sent from memory without a copy.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use rustix::fs::{MemfdFlags, memfd_create, sendfile};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

/// A server that says nothing for so long is not slow but stuck.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is taken from a socket in one call at most: more than a socket's buffer holds, so that a call takes all there is.
const DISCARDED_AT_ONCE: u64 = 4 * 1024 * 1024;
/// What an upload is made of, again and again: its pages stay in memory, so that sending costs no copy.
const UPLOADED_PIECE: u64 = 16 * 1024 * 1024;
/// Sessions that wait are opened by so many at once: enough to keep a server that forks for each one busy.
const OPENERS: usize = 16;

/// What went wrong, for people.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
struct Typed {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// Fetch one file over one connection
    Retr {
        #[command(flatten)]
        file: Whole,
    },
    /// Store one file over one connection
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
        #[arg(long)]
        folder: String,
        #[arg(long)]
        files: usize,
        #[arg(long)]
        bytes: u64,
    },
    /// Log in and do nothing; then see who is still alive
    Idle {
        #[command(flatten)]
        crowd: Crowd,
    },
}

/// One large file.
#[derive(Args)]
struct Whole {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    path: String,
    #[arg(long)]
    bytes: u64,
}

/// Many sessions.
#[derive(Args)]
struct Crowd {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    sessions: usize,
}

/// What was done in the measured time.
struct Done {
    count: u64,
    time: Duration,
}

/// A client that has logged in.
struct Session {
    control: BufReader<TcpStream>,
}

impl Session {
    fn open(port: u16) -> Result<Session, Failure> {
        let mut session = Session { control: BufReader::new(connect(port)?) };
        session.expect("the greeting", 220)?;
        session.say("USER anonymous")?;
        let (code, text) = session.reply()?;
        match code {
            230 => {}
            331 => session.ask("PASS load@example.org", 230)?,
            _ => return Err(format!("USER: {text}").into()),
        }
        Ok(session)
    }

    fn say(&mut self, line: &str) -> Result<(), Failure> {
        Ok(self.control.get_mut().write_all(format!("{line}\r\n").as_bytes())?)
    }

    /// The last line of the next reply, and its code.
    fn reply(&mut self) -> Result<(u16, String), Failure> {
        let mut end = None;
        loop {
            let mut line = String::new();
            if self.control.read_line(&mut line)? == 0 {
                return Err("the server has closed the control connection".into());
            }
            let code: Option<u16> = line.get(..3).and_then(|code| code.parse().ok());
            match (code, line.as_bytes().get(3)) {
                (Some(code), Some(b' ')) if end.is_none_or(|end| end == code) => return Ok((code, line)),
                (Some(code), Some(b'-')) if end.is_none() => end = Some(code),
                _ if end.is_none() => return Err(format!("no reply: {line:?}").into()),
                _ => {}
            }
        }
    }

    fn expect(&mut self, what: &str, wanted: u16) -> Result<(), Failure> {
        match self.reply()? {
            (code, _) if code == wanted => Ok(()),
            (_, text) => Err(format!("{what}: {}", text.trim_end()).into()),
        }
    }

    fn ask(&mut self, line: &str, wanted: u16) -> Result<(), Failure> {
        self.say(line)?;
        self.expect(line, wanted)
    }

    /// Makes a data connection and begins a transfer on it.
    fn begin(&mut self, command: &str) -> Result<TcpStream, Failure> {
        self.say("PASV")?;
        let (_, text) = self.reply()?;
        let data = connect(passive_port(&text).ok_or_else(|| format!("PASV: {text}"))?)?;
        self.say(command)?;
        match self.reply()? {
            (125 | 150, _) => Ok(data),
            (_, text) => Err(format!("{command}: {text}").into()),
        }
    }

    /// Fetches a file and throws it away; it must have this size.
    fn fetch(&mut self, path: &str, wanted: u64) -> Result<(), Failure> {
        let data = self.begin(&format!("RETR {path}"))?;
        let bytes = discard(&data, wanted)?;
        // As clients do at the end of a file; vsftpd waits for it, 40 ms if nothing else makes us acknowledge its end.
        drop(data);
        self.expect(path, 226)?;
        if bytes == wanted { Ok(()) } else { Err(format!("{path} came with {bytes} bytes, not {wanted}").into()) }
    }

    fn store(&mut self, path: &str, bytes: u64, piece: &File) -> Result<(), Failure> {
        let data = self.begin(&format!("STOR {path}"))?;
        send(&data, bytes, piece)?;
        drop(data);
        self.expect(path, 226)
    }

    fn leave(mut self) -> Result<(), Failure> {
        self.ask("QUIT", 221)
    }
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// The port of a 227 reply: the last two of its six numbers.
fn passive_port(reply: &str) -> Option<u16> {
    let numbers = reply.strip_prefix("227")?.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty());
    let numbers: Vec<u16> = numbers.map_while(|number| number.parse().ok()).collect();
    let [_, _, _, _, high, low] = numbers[..] else { return None };
    high.checked_mul(256)?.checked_add(low)
}

/// How many bytes come, where so many should. With MSG_TRUNC the kernel drops them where they are: nothing is written to
/// the buffer, whose length alone counts.
fn discard(data: &TcpStream, wanted: u64) -> Result<u64, Failure> {
    let mut buffer = vec![0; usize::try_from(wanted.clamp(1, DISCARDED_AT_ONCE))?];
    let mut total = 0;
    loop {
        match recv(data, &mut buffer[..], RecvFlags::TRUNC) {
            Ok((_, 0)) => return Ok(total),
            Ok((_, count)) => total += count as u64,
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// A file in memory from which uploads are sent.
fn piece() -> Result<File, Failure> {
    let mut piece = File::from(memfd_create("load", MemfdFlags::CLOEXEC)?);
    let bytes: Vec<u8> = (0..UPLOADED_PIECE).map(|at| (at ^ (at >> 8)) as u8).collect();
    piece.write_all(&bytes)?;
    Ok(piece)
}

fn send(data: &TcpStream, bytes: u64, piece: &File) -> Result<(), Failure> {
    let mut left = bytes;
    while left > 0 {
        let mut offset = (bytes - left) % UPLOADED_PIECE;
        let count = left.min(UPLOADED_PIECE - offset);
        match sendfile(data, piece, Some(&mut offset), usize::try_from(count)?) {
            Ok(sent) => left -= sent as u64,
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Everything is ready; measuring begins when this returns.
fn wait_for_go() -> Result<(), Failure> {
    println!("ready");
    match io::stdin().read_line(&mut String::new())? {
        0 => Err("told to end".into()),
        _ => Ok(()),
    }
}

/// Logs all in, a few at once.
fn open_all(crowd: &Crowd) -> Result<Vec<Session>, Failure> {
    let share = |opener| crowd.sessions / OPENERS + usize::from(opener < crowd.sessions % OPENERS);
    let openers = (0..OPENERS).map(|opener| move || (0..share(opener)).map(|_| Session::open(crowd.port)).collect());
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
    Ok(Done { count: counts.into_iter().sum(), time: begun.elapsed() })
}

/// One transfer by a session that has set everything up.
fn whole(file: &Whole, transfer: impl FnOnce(&mut Session) -> Result<(), Failure>) -> Result<Done, Failure> {
    let mut session = Session::open(file.port)?;
    session.ask("TYPE I", 200)?;
    wait_for_go()?;
    let begun = Instant::now();
    transfer(&mut session)?;
    Ok(Done { count: file.bytes, time: begun.elapsed() })
}

fn logins(crowd: &Crowd, seconds: f64) -> Result<Done, Failure> {
    wait_for_go()?;
    repeat(seconds, (0..crowd.sessions).map(|_| || Session::open(crowd.port)?.leave()))
}

fn small(crowd: &Crowd, seconds: f64, folder: &str, files: usize, bytes: u64) -> Result<Done, Failure> {
    let mut sessions = open_all(crowd)?;
    for session in &mut sessions {
        session.ask("TYPE I", 200)?;
    }
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

fn idle(crowd: &Crowd) -> Result<Done, Failure> {
    let mut sessions = open_all(crowd)?;
    wait_for_go()?;
    let begun = Instant::now();
    let alive = sessions.iter_mut().filter_map(|session| session.ask("NOOP", 200).ok()).count();
    Ok(Done { count: alive as u64, time: begun.elapsed() })
}

fn run(scenario: &Scenario) -> Result<Done, Failure> {
    match scenario {
        Scenario::Retr { file } => whole(file, |session| session.fetch(&file.path, file.bytes)),
        Scenario::Stor { file } => {
            let piece = piece()?;
            whole(file, |session| session.store(&file.path, file.bytes, &piece))
        }
        Scenario::Login { crowd, seconds } => logins(crowd, *seconds),
        Scenario::Small { crowd, seconds, folder, files, bytes } => small(crowd, *seconds, folder, *files, *bytes),
        Scenario::Idle { crowd } => idle(crowd),
    }
}

fn main() {
    // `cargo bench` starts every benchmark with this word; alone this one has nothing to measure.
    if std::env::args().any(|argument| argument == "--bench") {
        println!("load: started by benches/peers, which measures servers side by side");
        return;
    }
    match run(&Typed::parse().scenario) {
        Ok(done) => println!("{{\"count\": {}, \"seconds\": {}}}", done.count, done.time.as_secs_f64()),
        Err(failure) => {
            eprintln!("load: {failure}");
            std::process::exit(1);
        }
    }
}
