//! What was received and not handed out yet: bytes become lines, of bounded length, or are handed out as they are. Pure:
//! knows no socket and no time.

/// How TLS begins: the record of a handshake, version 3 (RFC 8446 §5.1). No command begins so.
const CLIENT_HELLO: [u8; 2] = [22, 3];

/// Received bytes: never more than one line and one read. Empty while idle, with no memory of its own.
#[derive(Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    /// How much of it is known to hold no line end.
    searched: usize,
    /// Inside a line that was too long, until its end.
    skipping: bool,
    /// The first line has been handed out, or bytes have.
    begun: bool,
}

/// What was taken out.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// A line, without its CRLF or LF.
    Line(Vec<u8>),
    /// A whole line that is longer than it may be.
    TooLong,
    /// A line that is longer already and has not ended; it is being skipped and never held.
    Endless,
    /// The first line is a browser's.
    Http,
    /// The first bytes are TLS's, where plain text is spoken.
    Tls,
}

impl Inbox {
    /// More bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether nothing is here.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether a line end is here.
    pub fn has_line(&self) -> bool {
        self.bytes.contains(&b'\n')
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        (self.bytes, self.searched) = (Vec::new(), 0);
    }

    /// Forgets everything, and that it was in the midst of anything: what comes next has nothing to do with it, and is looked
    /// at as the first.
    pub(crate) fn begin_again(&mut self) {
        *self = Inbox::default();
    }

    /// All that is here, as it came; what is left of a line that was too long is not.
    pub fn take_bytes(&mut self) -> Option<Vec<u8>> {
        if std::mem::take(&mut self.skipping) {
            let end = self.bytes.iter().position(|&b| b == b'\n').map_or(self.bytes.len(), |end| end + 1);
            self.skipping = end == self.bytes.len() && self.bytes.last() != Some(&b'\n');
            self.bytes.drain(..end);
        }
        (self.searched, self.begun) = (0, true);
        (!self.bytes.is_empty()).then(|| std::mem::take(&mut self.bytes))
    }

    /// The next whole line, of at most `longest` bytes.
    pub fn take_line(&mut self, longest: usize) -> Option<Taken> {
        if !self.begun && self.bytes.starts_with(&CLIENT_HELLO) {
            return Some(Taken::Tls);
        }
        loop {
            let end = self.bytes[self.searched..].iter().position(|&b| b == b'\n').map(|at| self.searched + at);
            let Some(end) = end else {
                self.searched = self.bytes.len();
                return self.give_up_on_long_line(longest);
            };
            let rest = self.bytes.split_off(end + 1);
            let mut line = std::mem::replace(&mut self.bytes, rest);
            self.searched = 0;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if line.len() > longest {
                return Some(Taken::TooLong);
            }
            // An empty line is nothing said: a browser may send one first.
            let is_first = !self.begun;
            self.begun |= !line.is_empty();
            return Some(if is_first && is_http(&line) { Taken::Http } else { Taken::Line(line) });
        }
    }

    /// Keeps an endless line from growing: what came of it is forgotten, and said once.
    fn give_up_on_long_line(&mut self, longest: usize) -> Option<Taken> {
        // One more than the limit, for the CR of a line that is just as long as it may be.
        if !self.skipping && self.bytes.len() <= longest + 1 {
            return None;
        }
        let told = std::mem::replace(&mut self.skipping, true);
        self.clear();
        (!told).then_some(Taken::Endless)
    }
}

/// Whether what a peer says first is a browser's or a scanner's. No line protocol here has these verbs, and answering
/// them would let a web page make a browser talk to us (field reports call it cross-protocol scripting).
pub fn is_http(first: &[u8]) -> bool {
    const METHODS: [&[u8]; 10] =
        [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"CONNECT", b"TRACE", b"PATCH", b"PRI"];
    METHODS.iter().any(|method| first.strip_prefix(*method).is_some_and(|rest| rest.first() == Some(&b' ')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Option<Taken> {
        Some(Taken::Line(text.as_bytes().to_vec()))
    }

    #[test]
    fn lines_of_all_lengths() {
        let mut inbox = Inbox::default();
        inbox.extend(b"abc\r\nabcd\nab");
        assert_eq!(inbox.take_line(3), line("abc"));
        assert_eq!(inbox.take_line(3), Some(Taken::TooLong));
        assert_eq!(inbox.take_line(3), None);
        inbox.extend(b"cdef");
        assert_eq!(inbox.take_line(3), Some(Taken::Endless));
        assert!(inbox.is_empty());
        inbox.extend(b"ghi");
        assert_eq!(inbox.take_line(3), None);
        inbox.extend(b"\nGET \n");
        assert_eq!(inbox.take_line(4), line("GET "));
    }

    #[test]
    fn a_first_line_of_http() {
        for (text, is_http) in [("GET / HTTP/1.1\r\n", true), ("get / HTTP/1.1\r\n", false), ("GETS x\n", false)] {
            let mut inbox = Inbox::default();
            inbox.extend(b"\r\n");
            assert_eq!(inbox.take_line(100), line(""));
            inbox.extend(text.as_bytes());
            assert_eq!(inbox.take_line(100) == Some(Taken::Http), is_http, "{text:?}");
        }
    }

    #[test]
    fn first_bytes_of_tls() {
        let mut inbox = Inbox::default();
        inbox.extend(&[22]);
        assert_eq!(inbox.take_line(100), None);
        inbox.extend(&[3, 1, 0]);
        assert_eq!(inbox.take_line(100), Some(Taken::Tls));
        let mut inbox = Inbox::default();
        inbox.extend(b"NOOP\n\x16\x03\n");
        assert_eq!(inbox.take_line(100), line("NOOP"));
        assert_eq!(inbox.take_line(100), line("\x16\x03"));
    }

    #[test]
    fn bytes_as_they_came() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.take_bytes(), None);
        inbox.extend(b"a\r\nb\0");
        assert_eq!(inbox.take_line(9), line("a"));
        assert_eq!(inbox.take_bytes(), Some(b"b\0".to_vec()));
        inbox.extend(b"GET / \n");
        assert_eq!(inbox.take_line(9), line("GET / "));
    }

    #[test]
    fn bytes_behind_a_line_that_was_too_long() {
        let mut inbox = Inbox::default();
        inbox.extend(b"aaaaaa");
        assert_eq!(inbox.take_line(3), Some(Taken::Endless));
        inbox.extend(b"aa");
        assert_eq!(inbox.take_bytes(), None);
        inbox.extend(b"aa\nbb");
        assert_eq!(inbox.take_bytes(), Some(b"bb".to_vec()));
    }
}
