//! Replies as bytes (RFC 959 §4.2): whatever text goes in, exactly one reply comes out.
//! Refuses to know which code fits which event.

use super::phrase::{Language, Text};

/// Room for the text of most replies: a buffer that grows with it is moved several times.
const USUAL: usize = 128;
/// The code and the separator before a text, and the end of its line.
const AROUND: usize = 6;

/// What the server says: a code and one line, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    first: Text,
    rest: Option<Rest>,
}

/// The lines after the first, of which there is always a last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rest {
    middle: Vec<Text>,
    last: Text,
}

impl Reply {
    /// A reply of one line. `code` has three digits.
    pub fn new(code: u16, text: Text) -> Reply {
        debug_assert!((100..1000).contains(&code));
        Reply { code, first: text, rest: None }
    }

    /// A reply of several lines: `first` and `last` carry the code, each of `middle` gets one leading space, as
    /// FEAT (RFC 2389 §3.2) and MLST (RFC 3659 §7.2) want it and so that none can look like the end.
    pub fn multi(code: u16, first: Text, middle: Vec<Text>, last: Text) -> Reply {
        Reply { rest: Some(Rest { middle, last }), ..Reply::new(code, first) }
    }

    /// The code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The text of the first line.
    pub fn text(&self) -> &Text {
        &self.first
    }

    /// Appends the reply as it is sent, with its line ends.
    pub fn write(&self, language: Language, out: &mut Vec<u8>) {
        let said = |text: &Text| {
            let mut line = Vec::with_capacity(USUAL);
            text.say(language, &mut line);
            line
        };
        let Some(rest) = &self.rest else {
            self.write_line(out, b' ', &said(&self.first));
            return;
        };
        self.write_line(out, b'-', &said(&self.first));
        for text in &rest.middle {
            out.push(b' ');
            push_text(out, &said(text));
            out.extend_from_slice(b"\r\n");
        }
        self.write_line(out, b' ', &said(&rest.last));
    }

    fn write_line(&self, out: &mut Vec<u8>, separator: u8, text: &[u8]) {
        out.reserve(text.len() + AROUND);
        let [hundreds, tens, ones] = [100, 10, 1].map(|unit| b'0' + (self.code / unit % 10) as u8);
        out.extend_from_slice(&[hundreds, tens, ones, separator]);
        push_text(out, text);
        out.extend_from_slice(b"\r\n");
    }
}

/// Writes text so that it stays on its line: 0xFF doubled (RFC 854), CR as CR NUL (RFC 2640 §3.1). LF, VT and FF
/// would move to another line and a NUL would change what CR means; they have no spelling, so they become `?`.
fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    if !text.iter().any(|byte| matches!(byte, 0xff | b'\r' | b'\n' | 0x0b | 0x0c | 0)) {
        return out.extend_from_slice(text);
    }
    out.reserve(text.len());
    for &byte in text {
        match byte {
            0xff => out.extend_from_slice(b"\xff\xff"),
            b'\r' => out.extend_from_slice(b"\r\0"),
            b'\n' | 0x0b | 0x0c | 0 => out.push(b'?'),
            _ => out.push(byte),
        }
    }
}

/// A path as replies 257 name it: in quotes, those inside it doubled (RFC 959 Appendix II).
pub fn quote(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len() + 2);
    out.push(b'"');
    for &byte in path {
        out.push(byte);
        if byte == b'"' {
            out.push(byte);
        }
    }
    out.push(b'"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(reply: &Reply) -> Vec<u8> {
        let mut out = Vec::new();
        reply.write(Language::English, &mut out);
        out
    }

    #[test]
    fn single_lines() {
        let table: &[(u16, &'static [u8], &[u8])] = &[
            (220, b"Ready", b"220 Ready\r\n"),
            (200, b"", b"200 \r\n"),
            (257, b"\"\xe4\xff\"", b"257 \"\xe4\xff\xff\"\r\n"),
            (250, b"a\rb", b"250 a\r\0b\r\n"),
            (250, b"a\r\n226 forged\x0b\x0c\0", b"250 a\r\0?226 forged???\r\n"),
        ];
        for (code, text, expected) in table {
            assert_eq!(written(&Reply::new(*code, Text::plain(*text))), *expected);
        }
    }

    #[test]
    fn several_lines() {
        let reply = Reply::multi(211, "Features:".into(), vec!["UTF8".into(), "211 x".into()], "End".into());
        assert_eq!(written(&reply), b"211-Features:\r\n UTF8\r\n 211 x\r\n211 End\r\n");
        assert_eq!(written(&Reply::multi(214, "a".into(), vec![], "b".into())), b"214-a\r\n214 b\r\n");
    }

    #[test]
    fn quotes() {
        let table: &[(&[u8], &[u8])] =
            &[(b"/", b"\"/\""), (b"a\"b", b"\"a\"\"b\""), (b"", b"\"\""), (b"\"", b"\"\"\"\"")];
        for (path, expected) in table {
            assert_eq!(quote(path), *expected);
        }
    }

    proptest! {
        /// Whatever the texts, a client that reads as RFC 959 §4.2 says sees as many lines as were given, and one reply.
        #[test]
        fn one_reply_comes_out(code in 100..600_u16, first: Vec<u8>, middle: Vec<Vec<u8>>, last: Vec<u8>) {
            let lines = middle.iter().cloned().map(Text::from).collect();
            let out = written(&Reply::multi(code, first.into(), lines, last.into()));
            prop_assert!(out.ends_with(b"\r\n"));
            let lines: Vec<&[u8]> = out[..out.len() - 2].split(|&byte| byte == b'\n').collect();
            prop_assert_eq!(lines.len(), middle.len() + 2);
            let end = format!("{code} ");
            let ends = lines.iter().filter(|line| line.starts_with(end.as_bytes())).count();
            prop_assert_eq!(ends, 1);
            let prefix = format!("{code}-");
            prop_assert!(lines[0].starts_with(prefix.as_bytes()));
        }
    }
}
