//! What a clock says: whether it is a time, and how the rest is shown without doing anything to a terminal. Pure.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The longest line that is taken for a time, in bytes: a date, a zone and more fit in.
pub(crate) const LONGEST_LINE: usize = 64;
/// How much is shown of what is no time, in columns: enough to recognise a protocol by.
const SHOWN: usize = 32;

/// The time that a line tells, as the clock has written it: a short printable text that holds HH:MM or HH:MM:SS.
pub(crate) fn time_in(line: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(line).ok()?.trim();
    let is_time = line.len() <= LONGEST_LINE && text.chars().all(takes_a_place) && holds_time(text).is_some();
    is_time.then(|| text.to_string())
}

/// Whether a time has seconds, so that it must soon be another.
pub(crate) fn has_seconds(time: &str) -> bool {
    holds_time(time) == Some(true)
}

/// What a clock has said instead, for people: nothing in it is more than a picture.
pub(crate) fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut safe = String::new();
    for c in text.chars() {
        if takes_a_place(c) && c != '\\' {
            safe.push(c);
        } else {
            safe.extend(c.escape_default());
        }
    }
    cut(&safe, SHOWN)
}

/// Whether a character is drawn and moves nothing but the cursor, by its own width. What joins the one before is no such
/// character: a hundred of them make a tower.
fn takes_a_place(c: char) -> bool {
    !c.is_control() && !is_hidden(c) && c.width().is_some_and(|width| width > 0)
}

/// Whether a character is not drawn but changes how others are: direction, joining, tags, line ends.
pub(crate) fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Whether a time of day stands anywhere in it, on its own; and then, whether the first one has seconds.
fn holds_time(text: &str) -> Option<bool> {
    let bytes = text.as_bytes();
    let begins = |at: usize| at == 0 || !matches!(bytes[at - 1], b'0'..=b'9' | b':');
    (0..bytes.len()).find_map(|at| if begins(at) { begins_with_time(&bytes[at..]) } else { None })
}

fn begins_with_time(bytes: &[u8]) -> Option<bool> {
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let (hour, rest) = bytes.split_at(digits);
    if !(1..=2).contains(&digits) || number(hour) > 23 {
        return None;
    }
    let rest = field(rest, 59)?;
    // A second may be a leap second. What goes on with a colon and is no second makes the whole no time.
    match rest.first() {
        Some(b':') => field(rest, 60).filter(|rest| rest.first() != Some(&b':')).map(|_| true),
        _ => Some(false),
    }
}

/// What follows `:` and two digits that make at most `most`, and are not followed by a third.
fn field(bytes: &[u8], most: u32) -> Option<&[u8]> {
    let digits = bytes.strip_prefix(b":")?;
    let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    (count == 2 && number(&digits[..2]) <= most).then(|| &digits[2..])
}

fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
}

/// The columns that a text takes, never less than a terminal gives it.
pub(crate) fn columns(text: &str) -> usize {
    // Terminals differ in what they make of joined emoji; that of most columns is the safe one.
    text.width().max(text.chars().map(|c| c.width().unwrap_or(0)).sum())
}

/// The text in at most `most` columns; what is cut says so.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_string();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if columns(&kept) + 1 > most {
            kept.pop();
            break;
        }
    }
    if most > 0 {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times() {
        for line in [
            "09:00:01",
            "09:00",
            "9:05 PM",
            "23:59:60",
            " 00:00:00 ",
            "2026-01-02T03:04:05Z",
            "Mon Jan 2 15:04:05 MST 2006",
            "03:04:05.678+09:00",
            "東京 09:00:01",
        ] {
            assert_eq!(time_in(line.as_bytes()).as_deref(), Some(line.trim()));
        }
        for line in [
            "",
            "hello",
            "24:00",
            "12:60",
            "12:00:61",
            "123:45",
            "12:345",
            "12:34:567",
            "1:2",
            "12:34:56:78",
            "99:12:34",
            "12:34:",
            "12:00\x1b[2J",
            "12:00\u{202e}",
            "12:00\u{9b}2J",
            "12:00\t",
            "12:0\u{301}0",
            "\u{feff}12:00",
        ] {
            let taken = time_in(line.as_bytes());
            assert!(taken.is_none() || line.ends_with('\t'), "{line:?}: {taken:?}");
        }
        assert_eq!(time_in(b"12:00\xff"), None);
        assert_eq!(time_in(format!("12:00 {}", "x".repeat(LONGEST_LINE)).as_bytes()), None);
    }

    #[test]
    fn what_is_no_time_is_shown_and_does_nothing() {
        assert_eq!(shown(b"220 ready"), "220 ready");
        assert_eq!(shown(b"\x1b[2J\x07"), "\\u{1b}[2J\\u{7}");
        assert_eq!(shown("a\u{202e}b\u{9b}".as_bytes()), "a\\u{202e}b\\u{9b}");
        assert_eq!(columns(&shown(&[b'x'; 99])), SHOWN);
    }

    #[test]
    fn texts_are_cut_by_the_columns_they_take() {
        assert_eq!(cut("Tokyo", 5), "Tokyo");
        assert_eq!(cut("Tokyo", 4), "Tok…");
        assert_eq!(cut("東京都", 6), "東京都");
        assert_eq!(cut("東京都", 5), "東京…");
        assert_eq!(cut("東京都", 4), "東…");
        assert_eq!((cut("東", 1), cut("東", 0)), ("…".to_string(), String::new()));
    }

    proptest! {
        #[test]
        fn no_bytes_reach_a_terminal(line in prop::collection::vec(any::<u8>(), 0..80)) {
            for text in [Some(shown(&line)), time_in(&line)].into_iter().flatten() {
                prop_assert!(!text.chars().any(|c| c.is_control() || is_hidden(c)), "{:?}", text);
                prop_assert!(columns(&text) <= LONGEST_LINE);
            }
        }

        #[test]
        fn no_text_is_wider_than_it_may_be(text in "\\PC*", most in 0..40_usize) {
            prop_assert!(columns(&cut(&text, most)) <= most);
        }
    }
}
