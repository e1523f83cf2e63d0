//! A stranger's bytes as text that is safe to look at: one line, no terminal commands, nothing that reorders it.
//! Refuses to know where it is shown.

use std::fmt::{self, Display};

/// Bytes that display as text; made by [`printable`].
#[derive(Clone, Copy)]
pub struct Printable<'a>(&'a [u8]);

/// Shows bytes so that they can be read back: UTF-8 as it is, a backslash doubled, invalid bytes and ASCII controls as
/// `\xNN`, other characters that cannot be seen or that reorder text as `\u{…}`.
pub fn printable(bytes: &[u8]) -> Printable<'_> {
    Printable(bytes)
}

impl Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            write_text(f, chunk.valid())?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for piece in text.split_inclusive(needs_escape) {
        let Some(last) = piece.chars().next_back().filter(|&last| needs_escape(last)) else {
            f.write_str(piece)?;
            continue;
        };
        f.write_str(piece.strip_suffix(last).unwrap_or_default())?;
        match last {
            '\\' => f.write_str("\\\\")?,
            _ if last.is_ascii() => write!(f, "\\x{:02x}", u32::from(last))?,
            _ => write!(f, "\\u{{{:x}}}", u32::from(last))?,
        }
    }
    Ok(())
}

fn needs_escape(c: char) -> bool {
    c == '\\' || is_hidden(c)
}

/// Whether a character cannot be seen as itself, or changes how others are: controls, line ends of any kind, marks that
/// reorder text.
pub fn is_hidden(c: char) -> bool {
    match c {
        ' '..='~' => false,
        // Line and paragraph separators end a line for some viewers.
        '\u{2028}' | '\u{2029}' => true,
        // Marks, embeddings, overrides and isolates of bidirectional text.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        // What has no width hides in a name; the joiners of scripts and emoji (200c, 200d) are left alone.
        '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}' => true,
        _ => c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shown() {
        let table: &[(&[u8], &str)] = &[
            (b"", ""),
            (b"plain name.txt", "plain name.txt"),
            ("grüße 日本 👩\u{200d}🚀".as_bytes(), "grüße 日本 👩\u{200d}🚀"),
            (b"back\\slash", "back\\\\slash"),
            (b"a\r\nb\0\x1b[2J\x7f", "a\\x0d\\x0ab\\x00\\x1b[2J\\x7f"),
            (b"\xff\xe4a\xc3", "\\xff\\xe4a\\xc3"),
            ("\u{85}\u{9b}\u{2028}\u{202e}x\u{feff}".as_bytes(), "\\u{85}\\u{9b}\\u{2028}\\u{202e}x\\u{feff}"),
            (b"\\xff", "\\\\xff"),
            (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
        ];
        for (bytes, expected) in table {
            assert_eq!(printable(bytes).to_string(), *expected);
        }
    }

    /// Reads back what was shown.
    fn read(shown: &str) -> Vec<u8> {
        let (mut out, mut rest) = (Vec::new(), shown);
        while let Some(c) = rest.chars().next() {
            let (bytes, used) = if let Some(hex) = rest.strip_prefix("\\x") {
                (vec![u8::from_str_radix(&hex[..2], 16).unwrap()], 4)
            } else if let Some(hex) = rest.strip_prefix("\\u{") {
                let end = hex.find('}').unwrap();
                let c = char::from_u32(u32::from_str_radix(&hex[..end], 16).unwrap()).unwrap();
                (c.to_string().into_bytes(), 4 + end)
            } else if rest.starts_with("\\\\") {
                (vec![b'\\'], 2)
            } else {
                (c.to_string().into_bytes(), c.len_utf8())
            };
            out.extend(bytes);
            rest = &rest[used..];
        }
        out
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes: Vec<u8>) {
            let shown = printable(&bytes).to_string();
            prop_assert!(!shown.chars().any(char::is_control));
            prop_assert_eq!(read(&shown), bytes);
        }

        #[test]
        fn any_text_comes_back(text in "\\PC{0,9}[\\\\x\u{80}-\u{9f}\u{2020}-\u{2070}]{0,9}") {
            let shown = printable(text.as_bytes()).to_string();
            prop_assert_eq!(read(&shown), text.as_bytes());
        }
    }
}
