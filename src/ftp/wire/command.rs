//! A line of the control connection, without its end, as verb and argument (RFC 959 §5.3).
//! Refuses to know which verbs exist, and what an argument means.

use std::borrow::Cow;
use std::fmt;

/// The longest verb that is looked at. FTP's own have 3 or 4 letters, `XSHA512` has 7; 8 also covers the verbs of
/// HTTP and WebDAV, which are worth knowing because who speaks them is not talking to us.
pub const MAX_VERB: usize = 8;

/// The verb of a command: 1 to 8 ASCII letters and digits, the first a letter, in upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerbName {
    bytes: [u8; MAX_VERB],
    len: u8,
}

impl VerbName {
    fn parse(bytes: &[u8]) -> Option<VerbName> {
        let starts_with_letter = bytes.first().is_some_and(u8::is_ascii_alphabetic);
        if !starts_with_letter || !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let mut verb = VerbName { bytes: [0; MAX_VERB], len: bytes.len() as u8 };
        verb.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        verb.bytes.make_ascii_uppercase();
        Some(verb)
    }

    /// The verb in upper case.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        // Always ASCII: parse lets nothing else in.
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Display for VerbName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for VerbName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// One command of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command<'a> {
    /// What is asked for.
    pub verb: VerbName,
    /// Everything after the one space that ends the verb, never empty. A path in it needs [`argument_path`].
    pub argument: Option<&'a [u8]>,
}

/// Why a line is no command; both are answered with 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// The line is empty.
    Empty,
    /// The line does not begin with 1 to 8 ASCII letters and digits followed by a space or the end.
    BadVerb,
}

impl Command<'_> {
    /// Takes a line apart, given without its CRLF or LF. One space separates verb and argument: any further one,
    /// and any at the end, belongs to the argument, because names may begin and end with spaces.
    pub fn parse(line: &[u8]) -> Result<Command<'_>, Malformed> {
        if line.is_empty() {
            return Err(Malformed::Empty);
        }
        // Only the first bytes can hold the space: a long line is not searched for it.
        let space = line.iter().take(MAX_VERB + 1).position(|&byte| byte == b' ');
        let (verb, argument) = match space.and_then(|at| line.split_at_checked(at)) {
            Some((verb, rest)) => (verb, rest.get(1..).filter(|argument| !argument.is_empty())),
            None => (line, None),
        };
        let verb = VerbName::parse(verb).ok_or(Malformed::BadVerb)?;
        Ok(Command { verb, argument })
    }
}

/// The path that an argument stands for: CR NUL in it means CR (RFC 2640 §3.1).
pub fn argument_path(argument: &[u8]) -> Cow<'_, [u8]> {
    if !argument.windows(2).any(|pair| pair == b"\r\0") {
        return Cow::Borrowed(argument);
    }
    let mut path = Vec::with_capacity(argument.len());
    let mut after_cr = false;
    for &byte in argument {
        if !(after_cr && byte == 0) {
            path.push(byte);
        }
        after_cr = byte == b'\r';
    }
    Cow::Owned(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A line, its verb and its argument.
    type Case = (&'static [u8], &'static str, Option<&'static [u8]>);

    #[test]
    fn lines() {
        let table: &[Case] = &[
            (b"NOOP", "NOOP", None),
            (b"noop", "NOOP", None),
            (b"PASV ", "PASV", None),
            (b"PWD", "PWD", None),
            (b"CWD  a b ", "CWD", Some(b" a b ")),
            (b"CWD  ", "CWD", Some(b" ")),
            (b"USER a", "USER", Some(b"a")),
            (b"xSha256 f", "XSHA256", Some(b"f")),
            (b"epsv4 off", "EPSV4", Some(b"off")),
            (b"PROPFIND /", "PROPFIND", Some(b"/")),
            (b"RETR \xff\x00\t", "RETR", Some(b"\xff\x00\t")),
            (b"SITE CHMOD 644 f", "SITE", Some(b"CHMOD 644 f")),
        ];
        for (line, verb, argument) in table {
            let command = Command::parse(line).unwrap();
            assert_eq!((command.verb.as_str(), command.argument), (*verb, *argument));
        }
    }

    #[test]
    fn no_commands() {
        assert_eq!(Command::parse(b""), Err(Malformed::Empty));
        let table: &[&[u8]] = &[
            b" ",
            b" NOOP",
            b"\tNOOP",
            b"NOOP\t",
            b"NO\0OP",
            b"\0",
            b"N\xc3\x96OP",
            b"\xff\xff\xff\xff",
            b"NOOP\r",
            b"ABCDEFGHI",
            b"ABCDEFGHI x",
            b"4EPSV",
            b"\x16\x03\x01\x02",
            b"USER:a",
            b"\n",
            b"NO-OP",
            b"%s%n",
        ];
        for line in table {
            assert_eq!(Command::parse(line), Err(Malformed::BadVerb), "{line:?}");
        }
        assert_eq!(Command::parse(&[b'A'; 1 << 16]), Err(Malformed::BadVerb));
        assert_eq!(Command::parse(&[b' '; 1 << 16]), Err(Malformed::BadVerb));
    }

    #[test]
    fn paths() {
        let table: &[(&[u8], &[u8])] = &[
            (b"a", b"a"),
            (b"a\r\0b", b"a\rb"),
            (b"\r\0", b"\r"),
            (b"\r\0\0", b"\r\0"),
            (b"\r\r\0", b"\r\r"),
            (b"\0\r", b"\0\r"),
            (b"\r\n", b"\r\n"),
        ];
        for (argument, path) in table {
            assert_eq!(&*argument_path(argument), *path);
        }
    }

    proptest! {
        #[test]
        fn any_line_is_a_command_or_refused(line: Vec<u8>) {
            if let Ok(command) = Command::parse(&line) {
                let verb = command.verb.as_str();
                prop_assert!(!verb.is_empty() && verb.len() <= MAX_VERB);
                prop_assert!(line[..verb.len()].eq_ignore_ascii_case(verb.as_bytes()));
                prop_assert_ne!(command.argument, Some(&b""[..]));
            }
        }

        #[test]
        fn what_is_put_together_comes_apart(verb in "[A-Z][A-Z0-9]{0,7}", argument in prop::collection::vec(any::<u8>(), 1..40)) {
            let line = [verb.as_bytes(), b" ", &argument].concat();
            let command = Command::parse(&line).unwrap();
            prop_assert_eq!(command.verb.as_str(), verb);
            prop_assert_eq!(command.argument, Some(&argument[..]));
        }

        #[test]
        fn padded_cr_comes_back(path in prop::collection::vec(prop::sample::select(&b"\r\0a"[..]), 0..20)) {
            let mut sent = Vec::new();
            for &byte in &path {
                sent.push(byte);
                if byte == b'\r' {
                    sent.push(0);
                }
            }
            prop_assert_eq!(&*argument_path(&sent), &path[..]);
        }
    }
}
