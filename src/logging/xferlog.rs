//! The transfer log in the form of wu-ftpd, which ProFTPD and vsftpd write too and statistics programs read: a line of
//! fields with one space between them for each upload, download and deletion. It takes these from the key-values of
//! their records, whatever the log's level is, and heeds no other record.
//!
//! Two things on which those servers differ: the path is the one the user sees, as vsftpd has it, and a deletion has its
//! line, as ProFTPD has it. The name is always the account's, never what an anonymous visitor gave as a password.

use std::fmt::Write;
use std::time::SystemTime;

use log::kv::{self, Key, Value, VisitSource};
use log::{LevelFilter, Log, Metadata, Record};
use simplelog::{Config, SharedLogger};
use time::OffsetDateTime;

use super::is_ours;
use super::lines::Lines;
use crate::ftp::wire::printable::is_hidden;

/// Transfers and deletions as lines of an xferlog.
pub struct Xferlog {
    lines: Lines,
}

impl Xferlog {
    /// All of them, to `lines`.
    pub fn new(lines: Lines) -> Box<Self> {
        Box::new(Xferlog { lines })
    }
}

impl Log for Xferlog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= LevelFilter::Info && is_ours(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata())
            && let Some(line) = line(record.key_values(), SystemTime::now())
        {
            self.lines.send(line);
        }
    }

    fn flush(&self) {
        self.lines.flush();
    }
}

impl SharedLogger for Xferlog {
    fn level(&self) -> LevelFilter {
        LevelFilter::Info
    }

    fn config(&self) -> Option<&Config> {
        None
    }

    fn as_log(self: Box<Self>) -> Box<dyn Log> {
        self
    }
}

/// A loss cannot be said in a form that has no room for it; the other log says it.
pub fn loss(lost: u64) -> Vec<u8> {
    log::warn!(event = "lost", lost; "{lost} lines of the transfer log lost: it could not be written");
    Vec::new()
}

/// What a record tells of a transfer.
#[derive(Default)]
struct Told {
    event: Option<String>,
    peer: Option<String>,
    user: Option<String>,
    path: Option<String>,
    kind: Option<String>,
    result: Option<String>,
    bytes: u64,
    seconds: f64,
    anonymous: bool,
    directory: bool,
}

impl VisitSource<'_> for Told {
    fn visit_pair(&mut self, key: Key<'_>, value: Value<'_>) -> Result<(), kv::Error> {
        let text = || value.to_borrowed_str().map(String::from);
        match key.as_str() {
            "event" => self.event = text(),
            "peer" => self.peer = text(),
            "user" => self.user = text(),
            "path" => self.path = text(),
            "type" => self.kind = text(),
            "result" => self.result = text(),
            "bytes" => self.bytes = value.to_u64().unwrap_or_default(),
            "seconds" => self.seconds = value.to_f64().unwrap_or_default(),
            "anonymous" => self.anonymous = value.to_bool().unwrap_or_default(),
            "directory" => self.directory = value.to_bool().unwrap_or_default(),
            _ => {}
        }
        Ok(())
    }
}

/// The line of a record, if it is one of a transfer or a deletion.
fn line(source: &dyn kv::Source, time: SystemTime) -> Option<Vec<u8>> {
    let mut told = Told::default();
    source.visit(&mut told).ok()?;
    let direction = match told.event.as_deref()? {
        "download" => 'o',
        "upload" => 'i',
        "delete" => 'd',
        _ => return None,
    };
    // Seconds are whole ones; a transfer has one at least, as vsftpd has it, since bytes are divided by them.
    let seconds = if direction == 'd' { 0 } else { (told.seconds.ceil() as u64).max(1) };
    let kind = if told.kind.as_deref() == Some("ascii") { 'a' } else { 'b' };
    let access = if told.anonymous { 'a' } else { 'r' };
    let completion = if told.result.as_deref() == Some("complete") { 'c' } else { 'i' };
    let mut line = in_ctime(OffsetDateTime::from(time));
    let (host, name) = (field(told.peer), field(told.path) + if told.directory { "/" } else { "" });
    let (bytes, user) = (told.bytes, field(told.user));
    // Into memory: it cannot fail.
    let _ =
        writeln!(line, " {seconds} {host} {bytes} {name} {kind} _ {direction} {access} {user} ftp 0 * {completion}");
    Some(line.into_bytes())
}

/// "Thu Sep  4 11:04:37 2026".
fn in_ctime(time: OffsetDateTime) -> String {
    let (weekday, month) = (time.weekday().to_string(), time.month().to_string());
    let (hour, minute, second) = time.to_hms();
    let (day, year) = (time.day(), time.year());
    format!("{weekday:.3} {month:.3} {day:2} {hour:02}:{minute:02}:{second:02} {year}")
}

/// A text as one field: what would end it, and what nobody can see, becomes `_`, as does every byte that is no UTF-8
/// (the record has a replacement character for it). A field is never empty.
fn field(text: Option<String>) -> String {
    let text = text.filter(|text| !text.is_empty()).unwrap_or_else(|| "?".to_string());
    let unseen = |c: char| c.is_whitespace() || c == char::REPLACEMENT_CHARACTER || is_hidden(c);
    text.chars().map(|c| if unseen(c) { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn of(values: &[(&str, Value<'_>)], seconds: u64) -> Option<String> {
        let line = line(&values, SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))?;
        Some(String::from_utf8(line).unwrap())
    }

    #[test]
    fn lines() {
        let upload = [
            ("event", Value::from("upload")),
            ("peer", Value::from("::1")),
            ("user", Value::from("a b")),
            ("path", Value::from("/in/my file\n\u{2003}\u{85}ü\u{fffd}")),
            ("type", Value::from("ascii")),
            ("result", Value::from("incomplete")),
            ("bytes", Value::from(u64::MAX)),
            ("seconds", Value::from(1.01)),
            ("code", Value::from(426)),
        ];
        assert_eq!(
            of(&upload, 1_788_001_200).unwrap(),
            "Sat Aug 29 11:00:00 2026 2 ::1 18446744073709551615 /in/my_file___ü_ a _ i r a_b ftp 0 * i\n"
        );
        let deletion = [
            ("event", Value::from("delete")),
            ("peer", Value::from("127.0.0.1")),
            ("user", Value::from("ftp")),
            ("anonymous", Value::from(true)),
            ("path", Value::from("/d")),
            ("directory", Value::from(true)),
            ("result", Value::from("complete")),
        ];
        assert_eq!(of(&deletion, 0).unwrap(), "Thu Jan  1 00:00:00 1970 0 127.0.0.1 0 /d/ b _ d a ftp ftp 0 * c\n");
        assert_eq!(of(&[("event", Value::from("login"))], 0), None);
        assert_eq!(of(&[], 0), None);
    }

    proptest! {
        /// Whatever stands in a name, it is one line of just as many fields.
        #[test]
        fn any_text_is_one_line(user: String, path in "(\\PC|[\\x00-\u{ff}\u{2000}-\u{2030}\u{3000}]){0,40}", seconds in 0..253_402_300_799_u64) {
            let values = [
                ("event", Value::from("download")),
                ("user", Value::from(user.as_str())),
                ("path", Value::from(path.as_str())),
            ];
            let line = of(&values, seconds).unwrap();
            let body = line.strip_suffix('\n').unwrap();
            prop_assert_eq!(body.split_whitespace().count(), 18);
            prop_assert_eq!(body.split_whitespace().collect::<Vec<_>>().join(" ").replacen("  ", " ", 1), body.replacen("  ", " ", 1));
            prop_assert!(!body.chars().any(char::is_control));
            prop_assert_eq!(body.split_whitespace().nth(8).unwrap().chars().count(), path.chars().count().max(1));
        }
    }
}
