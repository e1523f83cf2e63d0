//! `gftp clockwall` over real sockets, with honest clocks and others, piped. Nothing here waits for the machine's time but
//! for what is silent.

use std::io::{BufRead, BufReader, PipeReader, Write, pipe};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime};

use clap::FromArgMatches;
use gftp_clockwall::{Options, plugin, run};
use gftp_plugin::{Hand, Time, rt};

/// Longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long silent clocks are waited for.
const PATIENCE: &str = "--patience=300ms";
/// How long an honest clock may be held up by the test itself.
const PATIENT: &str = "--patience=60s";

/// A clock that talks in its own way to each connection, one after the other.
fn clock(mut talk: impl FnMut(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || listener.incoming().for_each(|stream| talk(stream.unwrap())));
    address
}

/// A clock that says what the test tells it to.
fn by_hand() -> (String, Sender<&'static str>) {
    let (say, said) = channel::<&str>();
    let address = clock(move |mut stream| {
        while let Ok(text) = said.recv() {
            if text.is_empty() || stream.write_all(text.as_bytes()).is_err() {
                return;
            }
        }
    });
    (address, say)
}

/// Keeps a connection that says nothing more until the other side leaves.
fn hold(mut stream: TcpStream) {
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

/// A wall at work.
struct Wall {
    lines: Receiver<String>,
    end: Receiver<Result<ExitCode, String>>,
    hand: Hand,
}

fn options(words: &[&str]) -> Options {
    let matches = plugin().command().no_binary_name(true).try_get_matches_from(words).unwrap();
    Options::from_arg_matches(&matches).unwrap()
}

impl Wall {
    fn new(words: &[&str]) -> Wall {
        let (mut wall, reader) = Wall::unread(words);
        let (tell, told) = channel();
        thread::spawn(move || BufReader::new(reader).lines().for_each(|line| drop(tell.send(line.unwrap()))));
        wall.lines = told;
        wall
    }

    /// One whose lines the test itself reads, or not.
    fn unread(words: &[&str]) -> (Wall, PipeReader) {
        let (reader, writer) = pipe().unwrap();
        let (time, hand) = Time::by_hand(SystemTime::UNIX_EPOCH);
        let (options, (tell, end)) = (options(words), channel());
        thread::spawn(move || tell.send(rt::block_on(run(options, time, writer))));
        (Wall { lines: channel().1, end, hand }, reader)
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("another line")
    }

    /// All lines to the end.
    fn all(&self) -> Vec<String> {
        std::iter::from_fn(|| self.lines.recv_timeout(DEADLINE).ok()).collect()
    }

    fn end(&self) -> Result<ExitCode, String> {
        self.end.recv_timeout(DEADLINE).expect("it ends")
    }

    /// Moves the time on once `waiting` clocks wait to be asked again.
    fn advance(&self, waiting: usize, by: Duration) {
        rt::block_on(self.hand.until_waiting(waiting));
        self.hand.advance(by);
    }
}

#[test]
fn honest_rows_go_on_whatever_the_others_do() {
    let (honest, say) = by_hand();
    let (minutes, say_minutes) = by_hand();
    let words = [
        format!("Honest={honest}"),
        format!("Minutes={minutes}"),
        format!("Liar={}", clock(|mut stream| stream.write_all(b"\x1b[2J\xe2\x80\xaeluncheon\n").unwrap())),
        format!("Binary={}", clock(|mut stream| stream.write_all(&[0, 159, 146, 150, b'\n']).unwrap())),
        format!("Endless={}", clock(|mut stream| while stream.write_all(b"12:00:00 ").is_ok() {})),
        format!("Flood={}", clock(|mut stream| while stream.write_all(b"12:00:00\n12:00:01\n").is_ok() {})),
        format!("Silent={}", clock(hold)),
        format!("Gone={}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()),
    ];
    let wall = Wall::new(&words.iter().map(String::as_str).chain(["--patience=3s"]).collect::<Vec<_>>());
    let (mut heard, mut failed) = (Vec::new(), Vec::new());
    say.send("09:00:01\n").unwrap();
    say_minutes.send("18:00\n").unwrap();
    while failed.len() < 6 {
        let line = wall.line();
        assert!(line.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{line:?}");
        if line == "Honest 09:00:01" {
            say.send("09:00:02\n").unwrap();
        }
        if line.ends_with("; again in 1s") && !line.starts_with("Honest") && !line.starts_with("Minutes") {
            failed.push(line);
        } else {
            heard.push(line);
        }
    }
    let failure = |name: &str| failed.iter().find(|line| line.starts_with(name)).expect("its row").as_str();
    assert!(failure("Liar").contains("\\u{1b}[2J\\u{202e}luncheon"), "{failed:?}");
    assert!(failure("Binary").contains("\\u{0}���\", which is no time"), "{failed:?}");
    assert!(failure("Endless").contains("says more than a time"), "{failed:?}");
    assert!(failure("Flood").contains("says too much"), "{failed:?}");
    assert!(failure("Silent").starts_with("Silent no answer from 127.0.0.1:"), "{failed:?}");
    assert!(failure("Gone").starts_with("Gone refused by 127.0.0.1:"), "{failed:?}");
    for line in ["Honest 09:00:01", "Honest 09:00:02", "Minutes 18:00"] {
        assert_eq!(heard.iter().filter(|heard| *heard == line).count(), 1, "{line}: {heard:?}");
    }
    // As much as a clock may say that was held up for a while, and then no more.
    assert!(heard.iter().filter(|line| line.starts_with("Flood")).count() <= 130, "{}", heard.len());
}

#[test]
fn a_clock_dies_and_comes_back() {
    let (clock, say) = by_hand();
    let wall = Wall::new(&[&format!("Tokyo={clock}"), PATIENT]);
    say.send("09:00:01\r\n").unwrap();
    assert_eq!(wall.line(), "Tokyo 09:00:01");
    say.send("").unwrap();
    assert_eq!(wall.line(), format!("Tokyo closed by {clock}; again in 1s"));
    say.send("09:00:03\n").unwrap();
    wall.advance(1, Duration::from_secs(1));
    assert_eq!(wall.line(), "Tokyo 09:00:03");
}

#[test]
fn waits_grow_to_a_bound_while_nobody_is_there() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let wall = Wall::new(&[&format!("Tokyo={gone}"), PATIENT]);
    for most in [1, 2, 4, 8, 16, 30, 30, 30] {
        let line = wall.line();
        let seconds: u64 = line.rsplit(' ').next().unwrap().trim_end_matches('s').parse().unwrap();
        assert!(seconds <= most && seconds * 4 >= most * 3, "{most}: {line}");
        assert!(line.starts_with(&format!("Tokyo refused by {gone}; again in ")), "{line}");
        wall.advance(1, Duration::from_secs(most));
    }
}

#[test]
fn a_clock_that_falls_silent_is_asked_again() {
    let clock = clock(|mut stream| {
        stream.write_all(b"09:00\n").unwrap();
        hold(stream);
    });
    let wall = Wall::new(&[&format!("Tokyo={clock}"), PATIENCE]);
    for _ in 0..3 {
        assert_eq!(wall.line(), "Tokyo 09:00");
        assert!(wall.line().starts_with(&format!("Tokyo {clock} has fallen silent; again in ")));
        wall.advance(1, Duration::from_secs(30));
    }
}

/// It goes on telling a second that must be over; a clock without seconds may do that for a minute.
#[test]
fn a_clock_that_stands_still_is_found_out() {
    // At some pace, since a clock that says too much is another matter.
    let paced = |line: &'static [u8]| {
        clock(move |mut stream| {
            while stream.write_all(line).is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        })
    };
    let (still, slow) = (paced(b"12:34:56\n"), paced(b"12:34 +01:00\n"));
    // Longer than a busy machine may keep a thread from running, which would be silence.
    let wall = Wall::new(&[&format!("Still={still}"), &format!("Slow={slow}"), "--patience=1s"]);
    let said = [wall.line(), wall.line(), wall.line()];
    for wanted in ["Still 12:34:56", "Slow 12:34 +01:00", &format!("Still {still} stands still; again in 1s")] {
        assert!(said.iter().any(|line| line == wanted), "{wanted} is not in {said:?}");
    }
}

/// A flood that goes on after each retry has no new allowance.
#[test]
fn a_flood_is_bounded_for_good() {
    let clock = clock(|mut stream| while stream.write_all(b"12:00:00\n12:00:01\n").is_ok() {});
    let wall = Wall::new(&[&format!("Flood={clock}"), PATIENT]);
    let mut told = 0;
    for _ in 0..5 {
        while !wall.line().contains("says too much") {
            told += 1;
        }
        wall.advance(1, Duration::from_secs(30));
    }
    assert!((100..400).contains(&told), "{told} times");
}

#[test]
fn once_is_a_row_for_each() {
    let (tokyo, say) = by_hand();
    let (london, say_too) = by_hand();
    say.send("09:00:01\n").unwrap();
    say_too.send("00:00:01\n").unwrap();
    let (tokyo, london) = (format!("Tokyo={tokyo}"), format!("London={london}"));
    let wall = Wall::new(&["--once", PATIENT, &tokyo, &london]);
    assert_eq!(wall.all(), ["Tokyo 09:00:01", "London 00:00:01"]);
    assert_eq!(wall.end(), Ok(ExitCode::SUCCESS));
}

#[test]
fn once_does_not_wait_for_the_silent() {
    let (tokyo, say) = by_hand();
    let silent = clock(hold);
    say.send("09:00:01\n").unwrap();
    let wall = Wall::new(&["--once", PATIENCE, "--json", &format!("Tokyo={tokyo}"), &format!("S={silent}")]);
    let said = [
        format!(r#"{{"name":"Tokyo","address":"{tokyo}","time":"09:00:01","state":"telling","why":null}}"#),
        format!(r#"{{"name":"S","address":"{silent}","time":null,"state":"failed","why":"no answer from {silent}"}}"#),
    ];
    assert_eq!(wall.all(), said);
    assert_eq!(wall.end(), Ok(ExitCode::FAILURE));
}

#[test]
fn json_is_an_object_for_each_change() {
    let (clock, say) = by_hand();
    let wall = Wall::new(&["--json", PATIENT, &format!("Tokyo={clock}")]);
    let object = |time: &str, state: &str, why: &str| {
        format!(r#"{{"name":"Tokyo","address":"{clock}","time":"{time}","state":"{state}","why":{why}}}"#)
    };
    say.send("09:00:01\n09:00:01\n").unwrap();
    assert_eq!(wall.line(), object("09:00:01", "telling", "null"));
    say.send("").unwrap();
    assert_eq!(wall.line(), object("09:00:01", "failed", &format!(r#""closed by {clock}""#)));
}

#[test]
fn a_reader_who_leaves_is_the_end() {
    let (clock, say) = by_hand();
    let (wall, reader) = Wall::unread(&[PATIENT, &format!("Tokyo={clock}")]);
    drop(reader);
    say.send("09:00:01\n").unwrap();
    assert_eq!(wall.end(), Ok(ExitCode::SUCCESS));
}

#[test]
fn what_is_typed_wrong_is_one_line() {
    let command = || plugin().command().no_binary_name(true);
    for words in [&["Tokyo"][..], &["=a:1"], &["a=b"], &[]] {
        let text = command().try_get_matches_from(words).unwrap_err().to_string();
        assert!(text.contains("NAME=HOST:PORT"), "{words:?}: {text}");
    }
    let twice = command().try_get_matches_from(["a=b:1", "a=c:1"]).unwrap();
    let plugin = plugin();
    let gftp_plugin::Role::Client(begin) = plugin.role() else { panic!("it is a client") };
    assert!(begin(&twice).err().unwrap().contains("NAME=HOST:PORT"));
}
