//! Parts of files as clients write them: `RANG 0 49`, and the numbers behind a name as `XMD5 "a name" 0 50` has them.
//! Refuses to know which files there are and how large they are.

use std::borrow::Cow;

/// Digits of a place in a file: all of a 64-bit number.
const MOST_DIGITS: usize = 20;
/// The kernel's file offsets are signed; no file has a byte beyond this.
pub const LARGEST_OFFSET: u64 = i64::MAX as u64;

/// Bytes of a file, from the one to before the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Bytes before it.
    pub start: u64,
    /// Bytes up to its end; no less than `start`.
    pub end: u64,
}

/// That is no range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadRange;

/// A number of digits only.
pub fn parse_decimal(digits: &[u8]) -> Option<u64> {
    let plain = digits.len() <= MOST_DIGITS && digits.iter().all(u8::is_ascii_digit);
    if plain { std::str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

/// What RANG says (draft-bryan-ftp-range-08 §3): the first and the last byte. `1 0` takes an earlier range back, which
/// is `None`.
pub fn parse_rang(argument: &[u8]) -> Result<Option<Part>, BadRange> {
    let space = argument.iter().position(|&byte| byte == b' ').ok_or(BadRange)?;
    let (first, last) = (offset(&argument[..space])?, offset(&argument[space + 1..])?);
    match (first, last) {
        (1, 0) => Ok(None),
        (first, last) if first > last => Err(BadRange),
        // The last byte is in it; beyond the largest offset there is none that could be missed.
        (first, last) => Ok(Some(Part { start: first, end: last + 1 })),
    }
}

/// What `XMD5` and its like are asked about, if the argument as a whole is no file's name: `name end`, `name start end`,
/// and the name may be in quotes, those inside it doubled. The end is the first byte that is not meant, as in the
/// servers that began with these commands: `0` and the size is the whole file.
pub fn parse_name_and_part(argument: &[u8]) -> Result<(Cow<'_, [u8]>, Option<Part>), BadRange> {
    if let Some(quoted) = argument.strip_prefix(b"\"") {
        let (name, rest) = unquote(quoted).ok_or(BadRange)?;
        let numbers: Vec<&[u8]> = rest.split(|&byte| byte == b' ').collect();
        return match numbers[..] {
            [b""] => Ok((name, None)),
            [b"", end] => Ok((name, Some(part(b"0", end)?))),
            [b"", start, end] => Ok((name, Some(part(start, end)?))),
            _ => Err(BadRange),
        };
    }
    let Some((rest, end)) = last_number(argument) else { return Ok((Cow::Borrowed(argument), None)) };
    let (name, part) = match last_number(rest) {
        Some((name, start)) => (name, part(start, end)?),
        None => (rest, part(b"0", end)?),
    };
    Ok((Cow::Borrowed(name), Some(part)))
}

fn part(start: &[u8], end: &[u8]) -> Result<Part, BadRange> {
    let (start, end) = (offset(start)?, offset(end)?);
    if start <= end { Ok(Part { start, end }) } else { Err(BadRange) }
}

fn offset(digits: &[u8]) -> Result<u64, BadRange> {
    parse_decimal(digits).filter(|&offset| offset <= LARGEST_OFFSET).ok_or(BadRange)
}

/// A name in quotes whose first is gone, and what is behind the last.
fn unquote(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let mut name = Vec::new();
    let mut rest = text;
    loop {
        let quote = rest.iter().position(|&byte| byte == b'"')?;
        name.extend_from_slice(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix(b"\"") {
            Some(more) => {
                name.push(b'"');
                rest = more;
            }
            None => return Some((Cow::Owned(name), rest)),
        }
    }
}

/// The number at the end and what is before it and its blank, which is not nothing.
fn last_number(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = text.iter().rposition(|&byte| byte == b' ').filter(|&at| at > 0)?;
    let number = &text[space + 1..];
    (!number.is_empty() && number.iter().all(u8::is_ascii_digit)).then_some((&text[..space], number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges() {
        let part = |start, end| Ok(Some(Part { start, end }));
        for (argument, expected) in [
            ("0 49", part(0, 50)),
            ("0 0", part(0, 1)),
            ("1 0", Ok(None)),
            ("7 7", part(7, 8)),
            ("0 9223372036854775807", part(0, 1 << 63)),
            ("2 1", Err(BadRange)),
            ("2 0", Err(BadRange)),
            ("-1 5", Err(BadRange)),
            ("0 -1", Err(BadRange)),
            ("+0 1", Err(BadRange)),
            ("0 9223372036854775808", Err(BadRange)),
            ("0 18446744073709551615", Err(BadRange)),
            ("0 18446744073709551616", Err(BadRange)),
            ("000000000000000000000 1", Err(BadRange)),
            ("0", Err(BadRange)),
            ("", Err(BadRange)),
            (" 1", Err(BadRange)),
            ("0 ", Err(BadRange)),
            ("0  1", Err(BadRange)),
            ("0 1 2", Err(BadRange)),
            ("0-1", Err(BadRange)),
            ("a b", Err(BadRange)),
        ] {
            assert_eq!(parse_rang(argument.as_bytes()), expected, "{argument:?}");
        }
    }

    /// An argument, and the name, start and end that it means.
    type Case = (&'static str, Result<(&'static str, Option<(u64, u64)>), BadRange>);

    #[test]
    fn names_and_parts() {
        let table: &[Case] = &[
            ("f", Ok(("f", None))),
            ("f 5", Ok(("f", Some((0, 5))))),
            ("f 2 5", Ok(("f", Some((2, 5))))),
            ("f 5 5", Ok(("f", Some((5, 5))))),
            ("f 5 2", Err(BadRange)),
            ("f 0 9223372036854775808", Err(BadRange)),
            ("a b 2 5", Ok(("a b", Some((2, 5))))),
            ("a 1 2 5", Ok(("a 1", Some((2, 5))))),
            ("a b", Ok(("a b", None))),
            ("f -1 5", Ok(("f -1", Some((0, 5))))),
            ("f ", Ok(("f ", None))),
            ("f  5", Ok(("f ", Some((0, 5))))),
            (" 5", Ok((" 5", None))),
            ("5", Ok(("5", None))),
            ("5 5", Ok(("5", Some((0, 5))))),
            ("\"a b\"", Ok(("a b", None))),
            ("\"a b\" 5", Ok(("a b", Some((0, 5))))),
            ("\"a 1\" 2 5", Ok(("a 1", Some((2, 5))))),
            ("\"a \"\"b\"\"\" 2 5", Ok(("a \"b\"", Some((2, 5))))),
            ("\"a\"5", Err(BadRange)),
            ("\"a\" ", Err(BadRange)),
            ("\"a\" 1 2 3", Err(BadRange)),
            ("\"a\" x", Err(BadRange)),
            ("\"a\" -1 5", Err(BadRange)),
            ("\"a", Err(BadRange)),
            ("\"", Err(BadRange)),
        ];
        for (argument, expected) in table {
            let found = parse_name_and_part(argument.as_bytes());
            let found = found.map(|(name, part)| (name.into_owned(), part.map(|part| (part.start, part.end))));
            let expected = expected.map(|(name, part)| (name.as_bytes().to_vec(), part));
            assert_eq!(found, expected, "{argument:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_range_or_refused(argument: Vec<u8>) {
            if let Ok(Some(part)) = parse_rang(&argument) {
                prop_assert!(part.start < part.end && part.start <= LARGEST_OFFSET);
            }
        }

        #[test]
        fn near_ranges_are_ranges_or_refused(argument in "[-+ ]?[0-9]{0,21}[ ,-]{0,2}[-+]?[0-9]{0,21} ?") {
            let found = parse_rang(argument.as_bytes());
            let plain = argument.split_once(' ').and_then(|(first, last)| {
                let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<i64>().ok())?;
                Some((number(first)?, number(last)?)).filter(|_| first.len() <= 20 && last.len() <= 20)
            });
            match plain {
                Some((1, 0)) => prop_assert_eq!(found, Ok(None)),
                Some((first, last)) if first <= last => {
                    prop_assert_eq!(found, Ok(Some(Part { start: first as u64, end: last as u64 + 1 })));
                }
                _ => prop_assert_eq!(found, Err(BadRange)),
            }
        }

        #[test]
        fn any_bytes_are_a_name_or_refused(argument: Vec<u8>) {
            if let Ok((name, part)) = parse_name_and_part(&argument) {
                prop_assert!(part.is_none_or(|part| part.start <= part.end && part.end <= LARGEST_OFFSET));
                prop_assert!(name.len() <= argument.len());
            }
        }

        #[test]
        fn what_is_put_in_quotes_comes_out(name: Vec<u8>, start in 0..=LARGEST_OFFSET, more in 0..1_000_000_u64) {
            let end = start.saturating_add(more).min(LARGEST_OFFSET);
            let quoted = super::super::reply::quote(&name);
            prop_assert_eq!(parse_name_and_part(&quoted), Ok((Cow::Borrowed(&name[..]), None)));
            let argument = [&quoted, format!(" {start} {end}").as_bytes()].concat();
            prop_assert_eq!(parse_name_and_part(&argument), Ok((Cow::Borrowed(&name[..]), Some(Part { start, end }))));
        }

        #[test]
        fn numbers_behind_any_name_are_its_part(name in prop::collection::vec(any::<u8>(), 1..30), start in 0..1000_u64, more in 0..1000_u64) {
            prop_assume!(name[0] != b'"');
            let argument = [&name, format!(" {start} {}", start + more).as_bytes()].concat();
            let expected = Part { start, end: start + more };
            prop_assert_eq!(parse_name_and_part(&argument), Ok((Cow::Borrowed(&name[..]), Some(expected))));
        }
    }
}
