//! What a program writes to its stderr, cut into lines that a log can bear: none too long, and not too many of them.
//! Pure: the clock is handed in, and it refuses to know where lines go.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A longer line is cut: a page of text, more than any line that people read.
const LONGEST_LINE: usize = 1024;
/// Lines of one session at once: a long traceback, twice over.
const BURST: u32 = 100;
/// After that, one line in this time: a program that says what it does is heard, one that floods is told apart.
const EACH: Duration = Duration::from_secs(1);
/// The same for all sessions of a service together, since whoever floods connects more than once: a gigabyte of log takes
/// hours, not minutes.
const SERVICE_BURST: u32 = 1000;
/// See [`SERVICE_BURST`].
const SERVICE_EACH: Duration = Duration::from_millis(20);

/// How many lines may still be written: some at once, and then one now and then.
pub struct Quota {
    most: u32,
    each: Duration,
    left: u32,
    /// When the last one was added.
    since: Instant,
}

/// What becomes of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// A line, without its end.
    Line(&'a [u8]),
    /// The beginning of a line that is too long.
    Cut(&'a [u8]),
    /// So many lines are left out here.
    Lost(u64),
}

/// The stderr of one session.
pub struct Stderr<'a> {
    line: Vec<u8>,
    /// Inside a line that was too long, until its end.
    skipping: bool,
    lost: u64,
    quota: Quota,
    service: &'a Mutex<Quota>,
}

impl Quota {
    /// That of a whole service.
    pub fn of_service() -> Quota {
        Quota::new(SERVICE_BURST, SERVICE_EACH)
    }

    fn new(most: u32, each: Duration) -> Quota {
        Quota { most, each, left: most, since: Instant::now() }
    }

    /// Takes one, if there is one.
    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since);
        let added = u32::try_from(passed.as_nanos() / self.each.as_nanos()).unwrap_or(u32::MAX);
        if added >= self.most - self.left {
            (self.left, self.since) = (self.most, now);
        } else {
            self.left += added;
            self.since += self.each * added;
        }
        let is_there = self.left > 0;
        self.left -= u32::from(is_there);
        is_there
    }
}

impl<'a> Stderr<'a> {
    /// Nothing said yet; `service` is what all sessions together may say.
    pub fn new(service: &'a Mutex<Quota>) -> Self {
        Stderr { line: Vec::new(), skipping: false, lost: 0, quota: Quota::new(BURST, EACH), service }
    }

    /// Takes what was written, and tells what becomes of it. At most one line of it is kept.
    pub fn take(&mut self, written: &[u8], now: Instant, mut tell: impl FnMut(Said<'_>)) {
        for piece in written.split_inclusive(|&b| b == b'\n') {
            let (piece, ends) = piece.strip_suffix(b"\n").map_or((piece, false), |piece| (piece, true));
            if !self.skipping {
                let room = LONGEST_LINE - self.line.len();
                self.line.extend_from_slice(&piece[..piece.len().min(room)]);
                if piece.len() > room {
                    self.skipping = true;
                    self.finish(true, now, &mut tell);
                } else if ends {
                    self.finish(false, now, &mut tell);
                }
            }
            self.skipping &= !ends;
        }
    }

    /// The end of it: what is left is a line.
    pub fn end(&mut self, now: Instant, mut tell: impl FnMut(Said<'_>)) {
        self.finish(false, now, &mut tell);
        if self.lost > 0 {
            tell(Said::Lost(std::mem::take(&mut self.lost)));
        }
    }

    fn finish(&mut self, cut: bool, now: Instant, tell: &mut impl FnMut(Said<'_>)) {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if line.is_empty() {
            return;
        }
        // A panic elsewhere cannot leave it half-written in a way that matters: it only counts.
        let may = self.quota.take(now) && self.service.lock().unwrap_or_else(PoisonError::into_inner).take(now);
        if !may {
            self.lost += 1;
            return;
        }
        if self.lost > 0 {
            tell(Said::Lost(std::mem::take(&mut self.lost)));
        }
        tell(if cut { Said::Cut(line) } else { Said::Line(line) });
    }
}

/// Bytes as text of one line that moves no cursor: what cannot be seen is escaped.
pub fn printable(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                // Nothing here is quoted, and a backslash of a traceback is a backslash.
                '\'' | '"' | '\\' => shown.push(c),
                _ => shown.extend(c.escape_debug()),
            }
        }
        shown.extend(chunk.invalid().iter().flat_map(|&byte| std::ascii::escape_default(byte)).map(char::from));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of these pieces and their end, as text.
    fn told(pieces: &[&[u8]]) -> Vec<String> {
        let service = Mutex::new(Quota::of_service());
        let (mut stderr, mut told) = (Stderr::new(&service), Vec::new());
        let now = Instant::now();
        for piece in pieces {
            stderr.take(piece, now, |said| told.push(text(&said)));
            assert!(stderr.line.len() <= LONGEST_LINE);
        }
        stderr.end(now, |said| told.push(text(&said)));
        told
    }

    fn text(said: &Said<'_>) -> String {
        match said {
            Said::Line(line) => String::from_utf8_lossy(line).into_owned(),
            Said::Cut(line) => format!("{}…", line.len()),
            Said::Lost(lines) => format!("-{lines}"),
        }
    }

    #[test]
    fn lines_are_put_together() {
        assert_eq!(told(&[b"a", b"b\nc\r\n\n\r\nd", b"", b"\ne"]), ["ab", "c", "d", "e"]);
        assert_eq!(told(&[]), [""; 0]);
    }

    #[test]
    fn a_long_line_is_cut_and_costs_nothing() {
        let (just, long) = (vec![b'x'; LONGEST_LINE], vec![b'x'; 10 * LONGEST_LINE]);
        assert_eq!(told(&[&just, b"\n", b"next"]), [String::from_utf8_lossy(&just).into_owned(), "next".to_string()]);
        assert_eq!(told(&[&just, b"y", &long, b"z\nnext\n"]), ["1024…", "next"]);
        assert_eq!(told(&[&long, &long]), ["1024…"]);
    }

    #[test]
    fn a_flood_is_cut_and_said() {
        let flood: Vec<u8> = b"again\n".repeat(100_000);
        let told = told(&[&flood, b"last"]);
        assert_eq!(told.len(), BURST as usize + 1);
        assert_eq!(told[BURST as usize], format!("-{}", 100_001 - BURST));
    }

    #[test]
    fn a_quota_fills_up_again() {
        let mut quota = Quota::new(2, Duration::from_secs(1));
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let taken: Vec<bool> =
            [0, 0, 0, 999, 1500, 1600, 2100, 2200, 9000, 9000, 9000].map(|t| quota.take(at(t))).into();
        assert_eq!(taken, [true, true, false, false, true, false, true, false, true, true, false]);
        assert!(!quota.take(start), "a clock that runs backwards gives nothing");
    }

    #[test]
    fn many_sessions_flood_no_more_than_a_service_may() {
        let service = Mutex::new(Quota::of_service());
        let now = Instant::now();
        let mut lines = 0;
        for _ in 0..100 {
            let mut stderr = Stderr::new(&service);
            stderr.take(&b"x\n".repeat(BURST as usize), now, |said| lines += u32::from(said != Said::Lost(0)));
        }
        // Some are added while it runs.
        assert!((SERVICE_BURST..SERVICE_BURST + 10).contains(&lines), "{lines}");
    }

    #[test]
    fn what_is_shown_moves_no_cursor() {
        let table: &[(&[u8], &str)] = &[
            (b"File \"a.py\", line 1, in f: it's", "File \"a.py\", line 1, in f: it's"),
            ("größer 日本".as_bytes(), "größer 日本"),
            (b"a\tb\x1b[2J\x07\r", "a\\tb\\u{1b}[2J\\u{7}\\r"),
            ("\u{202e}gnp.exe\u{9b}\u{2028}".as_bytes(), "\\u{202e}gnp.exe\\u{9b}\\u{2028}"),
            (b"\xff\xe4\0", "\\xff\\xe4\\0"),
        ];
        for (bytes, shown) in table {
            assert_eq!(printable(bytes), *shown);
        }
    }
}
