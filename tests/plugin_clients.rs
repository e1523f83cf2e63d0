//! `gftp netcat` and `gftp clockwall` as people run them: in pipes here, in a terminal in `terminal.rs`. What they do with
//! strangers that lie or break is for the tests of their packages.

/// In tmux: what is drawn over what, and how the terminal is left.
mod terminal;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};

use crate::command_line::run;
use crate::server::{Place, Server, program, reap};

/// The textbook's clocks: what each is called, and the zone that it is started with.
const ZONES: [(&str, &str); 3] = [("NewYork", "US/Eastern"), ("Tokyo", "Asia/Tokyo"), ("London", "Europe/London")];
/// Seconds of a day.
const DAY: i64 = 24 * 3600;

/// `gftp` with these arguments as a server of its own.
pub fn serve(arguments: &[&str], zone: &str) -> Server {
    let mut command = Command::new(program());
    command.args(arguments).args(["--port", "0"]).env("TZ", zone);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Server::run(command, Place::new())
}

/// The three clocks, and what the wall is told of them.
pub fn three_clocks() -> (Vec<Server>, Vec<String>) {
    let clocks: Vec<_> = ZONES.iter().map(|(_, zone)| serve(&["clock"], zone)).collect();
    let words = ZONES.iter().zip(&clocks).map(|((name, _), clock)| format!("{name}={}", clock.address()));
    let words = words.collect();
    (clocks, words)
}

/// `gftp` with these arguments and with pipes. Ctrl-C is to end it, also where the tests run in the background (`tests/run &`),
/// where they, and all that they start, ignore it.
fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new("env");
    command.arg("--default-signal=INT").arg(program()).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("gftp starts")
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it is there to be signalled");
}

/// How it ended, and what it said on stderr; its other ends stay as they are.
fn end(mut child: Child) -> (ExitStatus, String) {
    let (pid, mut stderr) = (Pid::from_child(&child), child.stderr.take().expect("stderr is piped"));
    let status = reap(child).recv_timeout(crate::dialogue::client::PATIENCE).unwrap_or_else(|_| {
        let _ = kill_process(pid, Signal::KILL);
        panic!("gftp does not end");
    });
    let mut said = String::new();
    stderr.read_to_string(&mut said).expect("stderr is text");
    (status.expect("its end"), said)
}

/// What netcat makes of this input.
fn netcat(arguments: &[&str], input: &[u8]) -> (ExitStatus, Vec<u8>, String) {
    let mut child = start(&[&["netcat"], arguments].concat());
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let input = input.to_vec();
    let feeding = std::thread::spawn(move || stdin.write_all(&input));
    let mut output = Vec::new();
    stdout.read_to_end(&mut output).expect("stdout is read");
    let _ = feeding.join();
    let (status, said) = end(child);
    (status, output, said)
}

/// The seconds since midnight of `HH:MM:SS`.
fn seconds(time: &str) -> i64 {
    let fields: Vec<i64> = time.split(':').map(|field| field.parse().expect("a number")).collect();
    let [hour, minute, second] = fields[..] else { panic!("{time:?} is no HH:MM:SS") };
    hour * 3600 + minute * 60 + second
}

/// That these are the times of the three zones, now; the clocks tick up to a second apart from us and each other.
fn assert_zones(times: &HashMap<String, String>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 % DAY;
    let ahead = |name: &str| ((seconds(&times[name]) - now).rem_euclid(DAY) as f64 / 3600.0).round() as i64 % 24;
    let (new_york, tokyo, london) = (ahead("NewYork"), ahead("Tokyo"), ahead("London"));
    assert_eq!(tokyo, 9, "{times:?}");
    assert!([0, 1].contains(&london) && [19, 20].contains(&new_york), "{times:?}");
    let minutes = |name: &str| (seconds(&times[name]) - now).rem_euclid(3600);
    assert!(ZONES.iter().all(|(name, _)| [0, 1, 2, 3597, 3598, 3599].contains(&minutes(name))), "{times:?}, {now}");
}

#[test]
fn netcat_receives_the_last_echoes_after_the_end_of_input() {
    let reverb = serve(&["reverb", "--delay", "50ms"], "UTC");
    let address = reverb.address().to_string();
    let (status, output, said) = netcat(&["-v", &address], b"Hello?\nIs there anybody there?\n");
    assert_eq!(status.code(), Some(0));
    let text = String::from_utf8(output).unwrap();
    assert_eq!(text.lines().count(), 6, "{text}");
    assert!(text.ends_with("is there anybody there?\n") && text.contains("HELLO?"), "{text}");
    assert_eq!(said, format!("connected to {address}\ndone\n"));
}

#[test]
fn netcat_that_does_not_wait_ends_with_its_input() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (status, output, said) = netcat(&["--no-wait", "127.0.0.1", &port], b"Hello?\n");
    assert_eq!((status.code(), output.as_slice(), said.as_str()), (Some(0), &b""[..], ""));
    // It did not wait for this side, which has not even been looked at.
    let mut heard = String::new();
    listener.accept().unwrap().0.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "Hello?\n");
}

#[test]
fn netcat_that_only_reads_shows_a_clock_until_its_reader_leaves() {
    let clock = serve(&["clock"], "Asia/Tokyo");
    let mut child = start(&["netcat", "--read-only", &clock.address().to_string()]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (first, second) = (lines.next().unwrap().unwrap(), lines.next().unwrap().unwrap());
    assert_eq!((seconds(&second) - seconds(&first)).rem_euclid(DAY), 1);
    drop(lines);
    let (status, said) = end(child);
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn netcat_changes_no_byte_either_way() {
    let reverb = serve(&["reverb", "--plain"], "UTC");
    let sent: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(1 << 20).collect();
    let (status, output, said) = netcat(&[&reverb.address().to_string()], &sent);
    assert!(output == sent, "{} bytes came back of {}", output.len(), sent.len());
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn netcat_says_in_one_line_what_it_cannot_reach() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = run(&["netcat", "-v", &gone], &[]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("gftp netcat: {gone}: connection refused\n"));
    assert_eq!(output.status.code(), Some(1));
    // A part of a name has at most 63 letters, so nobody need be asked about this one.
    let unknown = format!("{}:80", "a".repeat(64));
    let output = run(&["netcat", &unknown], &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with(&format!("gftp netcat: {unknown}: ")) && said.lines().count() == 1, "{said}");
}

#[test]
fn netcat_ends_at_once_and_silently_on_ctrl_c() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut child = start(&["netcat", &listener.local_addr().unwrap().to_string()]);
    let (stream, _) = listener.accept().unwrap();
    (&stream).write_all(b"x").unwrap();
    // It is at work.
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    let stdin = child.stdin.take();
    signal(&child, Signal::INT);
    let (status, said) = end(child);
    assert_eq!((status.signal(), said.as_str()), (Some(Signal::INT.as_raw()), ""));
    drop((stdin, stdout));
}

#[test]
fn a_wall_of_three_zones_once() {
    let (_clocks, words) = three_clocks();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let output = run(&[&["clockwall", "--once"], &words[..]].concat(), &[]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<_> = text.lines().map(|line| line.split_once(' ').expect("a name and a time")).collect();
    assert_eq!(rows.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ZONES.map(|(name, _)| name));
    assert_zones(&rows.iter().map(|(name, time)| (name.to_string(), time.to_string())).collect());

    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rome = format!("Rome={gone}");
    let output = run(&[&["clockwall", "--once", "--json"], &words[..], &[&rome]].concat(), &[]);
    assert_eq!(output.status.code(), Some(1), "one tells no time");
    let text = String::from_utf8(output.stdout).unwrap();
    let objects: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let time = |object: &serde_json::Value| (text_of(object, "name"), text_of(object, "time"));
    assert_zones(&objects[..3].iter().map(time).collect());
    assert_eq!(objects[3]["why"], format!("refused by {gone}"));
    assert!(objects[3]["time"].is_null() && objects[3]["state"] == "failed");
}

fn text_of(object: &serde_json::Value, key: &str) -> String {
    object[key].as_str().expect("a text").to_string()
}

#[test]
fn a_wall_in_a_pipe_says_each_change() {
    let (mut clocks, words) = three_clocks();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let mut child = start(&[&["clockwall"], &words[..]].concat());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    let mut times: HashMap<String, Vec<String>> = HashMap::new();
    while times.len() < 3 || times.values().any(|times| times.len() < 2) {
        let line = lines.next().expect("another line");
        let (name, time) = line.split_once(' ').expect("a name and a time");
        times.entry(name.to_string()).or_default().push(time.to_string());
    }
    for times in times.values() {
        assert!(times.windows(2).all(|two| (seconds(&two[1]) - seconds(&two[0])).rem_euclid(DAY) == 1), "{times:?}");
    }
    assert_zones(&times.into_iter().map(|(name, mut times)| (name, times.pop().unwrap())).collect());
    // One dies, and the others go on.
    let address = clocks[1].address();
    drop(clocks.remove(1));
    let fate = lines.find(|line| line.starts_with("Tokyo ") && line.contains(" by ")).unwrap();
    assert!(fate.starts_with(&format!("Tokyo closed by {address}; again in 1s")), "{fate}");
    assert!(lines.by_ref().take(8).any(|line| line.starts_with("London ")));
    drop(lines);
    assert_eq!(end(child).0.code(), Some(0), "whoever read it has left");
}

/// A server that says this to whoever comes first, and what came back before it ended.
pub fn says(text: &'static [u8]) -> (String, std::thread::JoinHandle<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let talking = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(text).unwrap();
        stream
    });
    (address, talking)
}
