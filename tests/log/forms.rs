//! The log for programs: everything that a session does, once in JSON and once in the transfer log, each read whole by
//! Python and held against what was done.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use chrono::{NaiveDateTime, Utc};
use serde_json::{Value, json};

use crate::abuse::eventually;
use crate::clients::present;
use crate::command_line::outcome;
use crate::dialogue::client::{Control, read_all, reset};
use crate::server::{PASSWORD, Place, Server, USER};

/// The records of a log, as Python reads them.
pub fn parsed(form: &str, log: &Path) -> Vec<Value> {
    const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/log/parse.py");
    let mut command = Command::new("python3");
    command.args(["-I", SCRIPT, form]).arg(log);
    let output = outcome(command);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{form} is none: {complaint}");
    let printed = String::from_utf8(output.stdout).unwrap();
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Names that try to be more than a name, and what the transfer log makes of them.
const HOSTILE: [(&[u8], &str); 8] = [
    (b"two  blanks and\ta tab", "/two__blanks_and_a_tab"),
    (b"a line\rSat Aug 29 11:00:00 2026 1 ::1", "/a_line_Sat_Aug_29_11:00:00_2026_1_::1"),
    ("\u{2028}\u{85}\u{a0}\u{3000}x\u{202e}\u{200b}".as_bytes(), "/____x__"),
    (b"\xff\xfe\x85latin\xe4", "/___latin_"),
    (b"\"},{\"event\":\"forged\"}", "/\"},{\"event\":\"forged\"}"),
    (b"back\\slash\\u000a\\", "/back\\slash\\u000a\\"),
    (b"\x1b[31mred\x07", "/_[31mred_"),
    ("grüße 日本 👩\u{200d}🚀".as_bytes(), "/grüße_日本_👩\u{200d}🚀"),
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What was done, and what is to be told of it.
#[derive(Default)]
struct Done {
    /// Some of the JSON, in the order in which it happened.
    records: Vec<Value>,
    /// The transfer log from the host on, without seconds.
    transfers: Vec<String>,
}

impl Done {
    /// A transfer of these bytes: its record, and its line's name, type and direction.
    fn moved(&mut self, user: &str, name: &str, mut record: Value) {
        let whole = record["code"] == 226;
        record["result"] = (if whole { "complete" } else { "incomplete" }).into();
        let incoming = record["event"] == "upload";
        record["direction"] = (if incoming { "in" } else { "out" }).into();
        let (bytes, kind) = (&record["bytes"], if record["type"] == "ascii" { 'a' } else { 'b' });
        let (way, access) = (if incoming { 'i' } else { 'o' }, if user == "anonymous" { 'a' } else { 'r' });
        let end = if whole { 'c' } else { 'i' };
        self.transfers.push(format!("127.0.0.1 {bytes} {name} {kind} _ {way} {access} {user} ftp 0 * {end}"));
        self.records.push(record);
    }

    fn deleted(&mut self, name: &str, path: &str, bytes: Option<u64>) {
        let size = bytes.unwrap_or(0);
        self.transfers.push(format!("127.0.0.1 {size} {name} b _ d r alice ftp 0 * c"));
        let mut record = json!({"event": "delete", "path": path, "result": "complete", "code": 250});
        record["directory"] = bytes.is_none().into();
        if let Some(bytes) = bytes {
            record["bytes"] = bytes.into();
        }
        self.records.push(record);
    }
}

/// Sends `bytes` by a command that is given as bytes, and ends well.
fn upload(control: &mut Control, command: &[u8], bytes: &[u8]) {
    let mut data = control.passive().unwrap();
    // 0xFF is Telnet's, and doubled (RFC 854).
    let mut line = Vec::new();
    for &byte in command {
        line.extend(std::iter::repeat_n(byte, 1 + usize::from(byte == 0xff)));
    }
    control.send(&[&line, b"\r\n".as_slice()].concat()).unwrap();
    control.expect(150).unwrap();
    data.write_all(bytes).unwrap();
    drop(data);
    control.expect(226).unwrap();
}

fn download(control: &mut Control, command: &str) {
    let mut data = control.passive().unwrap();
    control.tell(command, 150).unwrap();
    read_all(&mut data).unwrap();
    control.expect(226).unwrap();
}

/// Logs in after a wrong try.
fn login(server: &Server, done: &mut Done) -> Control {
    let mut control = Control::greeted(server.address()).unwrap();
    control.send(b"USER ev\xff\xffe\x1b[2J \"x\r\n").unwrap();
    control.expect(331).unwrap();
    control.tell("PASS not-the-password", 530).unwrap();
    control.tell(&format!("USER {USER}"), 331).unwrap();
    control.tell(&format!("PASS {PASSWORD}"), 230).unwrap();
    control.tell("TYPE I", 200).unwrap();
    control.tell("CLNT a \"client\"\x07", 200).unwrap();
    control.tell("PORT 127,0,0,2,8,8", 504).unwrap();
    let eve = b"ev\xffe\x1b[2J \"x";
    done.records.push(json!({
        "event": "login_failed", "level": "WARN", "user": String::from_utf8_lossy(eve), "user_hex": hex(eve), "failures": 1
    }));
    done.records.push(json!({"event": "login", "user": USER, "anonymous": false, "peer": "127.0.0.1"}));
    done.records.push(json!({"event": "client", "client": "a \"client\"\u{7}"}));
    done.records.push(json!({"event": "bounce_refused", "address": "127.0.0.2:2056"}));
    control
}

/// Everything that ends well.
fn whole_transfers(control: &mut Control, done: &mut Done) {
    let up = |path: &str, bytes: u64| json!({"event": "upload", "path": path, "bytes": bytes, "code": 226, "type": "binary", "offset": 0, "resumed": false, "appended": false});
    upload(control, b"STOR a file", b"12\n45");
    done.moved(USER, "/a_file", up("/a file", 5));
    control.tell("REST 2", 350).unwrap();
    download(control, "RETR a file");
    let down = json!({"event": "download", "path": "/a file", "bytes": 3, "code": 226, "type": "binary", "offset": 2, "resumed": true, "appended": false});
    done.moved(USER, "/a_file", down);
    upload(control, b"APPE a file", b"67");
    let more = json!({"event": "upload", "path": "/a file", "bytes": 2, "code": 226, "appended": true, "resumed": false, "offset": null});
    done.moved(USER, "/a_file", more);
    control.tell("TYPE A", 200).unwrap();
    download(control, "RETR a file");
    // A line end more than on the disk.
    let text = json!({"event": "download", "path": "/a file", "bytes": 8, "code": 226, "type": "ascii", "offset": 0});
    done.moved(USER, "/a_file", text);
    control.tell("TYPE I", 200).unwrap();
    upload(control, b"STOU a file", b"x");
    done.moved(USER, "/a_file.1", up("/a file.1", 1));
    for (name, shown) in HOSTILE {
        upload(control, &[b"STOR ", name].concat(), b"0123456789");
        let path = format!("/{}", String::from_utf8_lossy(name));
        let mut record = up(&path, 10);
        record["path_hex"] = std::str::from_utf8(name).is_err().then(|| hex(&[b"/", name].concat())).into();
        done.moved(USER, shown, record);
    }
    let mut data = control.passive().unwrap();
    control.tell("NLST", 150).unwrap();
    read_all(&mut data).unwrap();
    control.expect(226).unwrap();
    done.records.push(json!({"event": "listing", "path": "/", "code": 226, "result": "complete", "direction": "out"}));
}

/// Waits until the server has seen so many bytes of the upload under way.
fn has_arrived(control: &mut Control, bytes: u64) {
    let text = format!(" {bytes} bytes");
    eventually("the bytes have arrived", || control.ask("STAT").unwrap().shown().contains(&text));
}

/// Everything that ends badly, or not at all.
fn broken_transfers(server: &Server, control: &mut Control, done: &mut Done) {
    fs::File::create(server.root().join("big")).unwrap().set_len(100_000_000).unwrap();
    let mut data = control.passive().unwrap();
    control.tell("STOR half", 150).unwrap();
    data.write_all(b"half").unwrap();
    has_arrived(control, 4);
    control.tell("ABOR", 426).unwrap();
    control.expect(226).unwrap();
    let cut = json!({"event": "upload", "path": "/half", "bytes": 4, "code": 426, "resumed": false});
    done.moved(USER, "/half", cut);
    control.tell("REST 4", 350).unwrap();
    upload(control, b"STOR half", b"half");
    let rest = json!({"event": "upload", "path": "/half", "bytes": 4, "code": 226, "offset": 4, "resumed": true});
    done.moved(USER, "/half", rest);
    control.epsv().unwrap();
    control.tell("RETR a file", 425).unwrap();
    done.moved(USER, "/a_file", json!({"event": "download", "path": "/a file", "bytes": 0, "code": 425}));
    for (command, verb, path) in
        [("RETR no such", "RETR", "/no such"), ("STOR no/such", "STOR", "/no/such"), ("DELE none", "DELE", "/none")]
    {
        control.tell(command, 550).unwrap();
        done.records.push(json!({"event": "refused", "verb": verb, "path": path, "code": 550, "result": "incomplete"}));
    }
}

fn deletions(control: &mut Control, done: &mut Done) {
    control.tell("MKD dir", 257).unwrap();
    control.tell("RMD dir", 250).unwrap();
    done.deleted("/dir/", "/dir", None);
    control.tell("DELE a file", 250).unwrap();
    done.deleted("/a_file", "/a file", Some(7));
}

/// A visitor who leaves in the middle of an upload.
fn visitor(server: &Server, done: &mut Done) {
    let mut control = Control::anonymous(server.address()).unwrap();
    control.tell("TYPE I", 200).unwrap();
    upload(&mut control, b"STOR v", b"v");
    let record = |bytes: u64, code: u16| json!({"event": "upload", "path": "/v", "bytes": bytes, "code": code, "user": "anonymous", "anonymous": true});
    done.records.push(json!({"event": "login", "user": "anonymous", "anonymous": true}));
    done.moved("anonymous", "/v", record(1, 226));
    let mut data = control.passive().unwrap();
    control.tell("STOR v", 150).unwrap();
    data.write_all(b"vw").unwrap();
    has_arrived(&mut control, 2);
    reset(control.stream().try_clone().unwrap()).unwrap();
    drop(control);
    done.moved("anonymous", "/v", record(2, 426));
    read_all(&mut data).unwrap_or_default();
}

/// Does all of it.
fn everything(server: &Server) -> Done {
    let mut done = Done::default();
    let mut control = login(server, &mut done);
    whole_transfers(&mut control, &mut done);
    broken_transfers(server, &mut control, &mut done);
    deletions(&mut control, &mut done);
    control.tell("QUIT", 221).unwrap();
    control.closed().unwrap();
    done.records.push(json!({"event": "session_end", "session": 1, "service": "ftp"}));
    // Each in its turn, so that the log has one order.
    eventually("the session's end is in the log", || server.log().contains("session 1: connection"));
    visitor(server, &mut done);
    done
}

/// A server that logs to these two files.
fn server(place: &Place, options: &[&str]) -> Server {
    let (log, transfers) = (place.outside().join("log"), place.outside().join("xferlog"));
    let files = ["--log-file", log.to_str().unwrap(), "--xferlog", transfers.to_str().unwrap()];
    let accounts = ["--user", USER, "--anonymous", "write", "--data-timeout", "1s"];
    Server::told_on(place.clone(), &[&files[..], &accounts, options].concat())
}

/// The transfer log, when it has as many lines as it is to have; its time and seconds are judged here.
fn transfers(place: &Place, wanted: &[String]) {
    let log = place.outside().join("xferlog");
    eventually("every transfer is in the transfer log", || {
        fs::read_to_string(&log).unwrap_or_default().lines().count() >= wanted.len()
    });
    let mut shown = Vec::new();
    for line in parsed("xferlog", &log) {
        let fields: Vec<_> = line.as_array().unwrap().iter().map(|field| field.as_str().unwrap()).collect();
        let time = NaiveDateTime::parse_from_str(&fields[..5].join(" "), "%a %b %d %H:%M:%S %Y").unwrap();
        let age = Utc::now().naive_utc() - time;
        assert!((-1..120).contains(&age.num_seconds()), "{line}");
        // The transfer that nobody came for took its second; nothing else took long. Deletions take no time.
        let seconds: u64 = fields[5].parse().unwrap();
        assert!(if fields[11] == "d" { seconds == 0 } else { (1..60).contains(&seconds) }, "{line}");
        shown.push(fields[6..].join(" "));
    }
    assert_eq!(shown, wanted);
}

#[test]
fn everything_is_told_in_json_and_in_the_transfer_log() {
    if !present(&["python3"]) {
        return;
    }
    let place = Place::new();
    let server = server(&place, &["--log-format", "json"]);
    let done = everything(&server);
    let log = place.outside().join("log");
    eventually("the last session's end is in the log", || {
        fs::read_to_string(&log).unwrap_or_default().contains("session 2: connection")
    });
    let of_sessions = |record: &serde_json::Value| !record["event"].is_null() && record["event"] != "confined";
    let told: Vec<_> = parsed("json", &log).into_iter().filter(of_sessions).collect();
    let mut left = told.iter();
    for wanted in &done.records {
        let found = left.next().unwrap_or_else(|| panic!("nothing is told of {wanted}"));
        for (key, value) in wanted.as_object().unwrap() {
            assert_eq!(&found[key], value, "{key} of {found}, wanted {wanted}");
        }
        assert!(found["session"].is_u64() && found["peer_port"].is_u64(), "{found}");
        assert!(found["bytes"].is_null() || found["event"] == "delete" || found["seconds"].is_f64(), "{found}");
    }
    assert_eq!(left.as_slice().len(), 1, "more is told than was done: {left:?}");
    transfers(&place, &done.transfers);
    let said = server.log();
    // The first line is for people: it says that the server is ready.
    for line in said.lines().skip(1) {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(record["message"].is_string());
    }
    for log in [fs::read_to_string(&log).unwrap(), said, fs::read_to_string(place.outside().join("xferlog")).unwrap()] {
        for secret in [PASSWORD, "not-the-password", "visitor@"] {
            assert!(!log.contains(secret), "{secret} is in a log");
        }
    }
}

/// The level is that of the log for people.
#[test]
fn the_transfer_log_is_whole_whatever_the_level() {
    if !present(&["python3"]) {
        return;
    }
    for level in ["off", "error", "debug"] {
        let place = Place::new();
        let server = server(&place, &["--log-level", level]);
        let mut done = Done::default();
        visitor(&server, &mut done);
        let mut control = login(&server, &mut done);
        upload(&mut control, b"STOR a file", b"1234567");
        done.moved(USER, "/a_file", json!({"event": "upload", "bytes": 7, "code": 226}));
        deletions(&mut control, &mut done);
        transfers(&place, &done.transfers);
        if level != "debug" {
            assert_eq!(server.log().lines().count(), 1, "more than the ready line is said:\n{}", server.log());
            assert_eq!(fs::read_to_string(place.outside().join("log")).unwrap(), "");
        }
    }
}

#[test]
fn who_is_turned_away_and_who_speaks_http_is_told() {
    let server = Server::start(&["--log-format", "json", "--max-per-ip", "1"]);
    let mut first = Control::greeted(server.address()).unwrap();
    Control::connect(server.address()).unwrap().expect(421).unwrap();
    first.send(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    first.closed().unwrap();
    let told = |event: &str, key: &str| {
        let log = server.log();
        let mut records = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        records.any(|record| record["event"] == event && !record[key].is_null())
    };
    eventually("who was turned away is told", || told("turned_away", "peer"));
    eventually("who spoke HTTP is told", || told("http", "session"));
    eventually("the end is told", || told("session_end", "seconds"));
}
