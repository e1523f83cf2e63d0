//! What clients want to set of a file: the facts of MFF (draft-somers-ftp-mfxx §5), the times of SITE UTIME, and modes.
//! Refuses to know how any of it is set.

use super::time::parse_time;

/// Seconds since 1970 and nanoseconds.
pub type Moment = (i64, u32);

/// Octal digits of a mode: the three of owner, group and others, and a leading one or two.
const MOST_MODE_DIGITS: usize = 5;
/// Digits of a time without its seconds, as SITE UTIME knows it.
const DIGITS_TO_MINUTES: usize = 12;

/// The facts that MFF sets, each at most once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FactChanges {
    /// `Modify`.
    pub modify: Option<Moment>,
    /// `Create`.
    pub create: Option<Moment>,
    /// `UNIX.mode`.
    pub mode: Option<u32>,
}

/// Why facts cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadFacts<'a> {
    /// No list of `fact=value;`.
    Malformed,
    /// The fact of that name is not one that can be set.
    Unknown(&'a [u8]),
    /// The fact of that name cannot have this value.
    BadValue(&'a [u8]),
    /// The fact of that name is there twice.
    Twice(&'a [u8]),
}

/// Reads `Modify=20020717210715;UNIX.mode=0644;`. Names are in any case, and each fact ends with its semicolon.
pub fn parse_facts(text: &[u8]) -> Result<FactChanges, BadFacts<'_>> {
    let list = text.strip_suffix(b";").ok_or(BadFacts::Malformed)?;
    let mut changes = FactChanges::default();
    for fact in list.split(|&byte| byte == b';') {
        let equals = fact.iter().position(|&byte| byte == b'=').ok_or(BadFacts::Malformed)?;
        let (name, value) = (&fact[..equals], &fact[equals + 1..]);
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let twice = if is("Modify") {
            changes.modify.replace(parse_time(value).ok_or(BadFacts::BadValue(name))?).is_some()
        } else if is("Create") {
            changes.create.replace(parse_time(value).ok_or(BadFacts::BadValue(name))?).is_some()
        } else if is("UNIX.mode") {
            changes.mode.replace(parse_mode(value).ok_or(BadFacts::BadValue(name))?).is_some()
        } else {
            return Err(if name.is_empty() { BadFacts::Malformed } else { BadFacts::Unknown(name) });
        };
        if twice {
            return Err(BadFacts::Twice(name));
        }
    }
    Ok(changes)
}

/// All bits that a mode has.
const MOST_MODE: u32 = 0o7777;

/// An octal mode or umask, as 644 or 0644: at most 07777, since what lies beyond says what kind of file it is.
pub fn parse_mode(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > MOST_MODE_DIGITS {
        return None;
    }
    let mode = digits.iter().try_fold(0, |mode, digit| match digit {
        b'0'..=b'7' => Some(mode * 8 + u32::from(digit - b'0')),
        _ => None,
    });
    mode.filter(|&mode| mode <= MOST_MODE)
}

/// What SITE UTIME sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utime<'a> {
    /// Whose times.
    pub name: &'a [u8],
    /// The last access; none: not given.
    pub accessed: Option<Moment>,
    /// The last change.
    pub modified: Moment,
}

/// Reads the two forms that clients send: `YYYYMMDDhhmm[ss] name`, and `name atime mtime ctime UTC`, whose third time no
/// system lets one set. Times are UTC in both. A name may hold blanks; no name can be taken for the other form.
pub fn parse_utime(argument: &[u8]) -> Option<Utime<'_>> {
    if let Some(all) = parse_three_times(argument) {
        return Some(all);
    }
    let space = argument.iter().position(|&byte| byte == b' ')?;
    let (modified, name) = (utime_time(&argument[..space])?, &argument[space + 1..]);
    (!name.is_empty()).then_some(Utime { name, accessed: None, modified })
}

fn parse_three_times(argument: &[u8]) -> Option<Utime<'_>> {
    let mut words = argument.rsplitn(5, |&byte| byte == b' ');
    let zone = words.next()?;
    let [_, modified, accessed] = [utime_time(words.next()?)?, utime_time(words.next()?)?, utime_time(words.next()?)?];
    let name = words.next()?;
    (zone.eq_ignore_ascii_case(b"UTC") && !name.is_empty()).then_some(Utime {
        name,
        accessed: Some(accessed),
        modified,
    })
}

/// A time with or without its seconds.
fn utime_time(digits: &[u8]) -> Option<Moment> {
    match digits.len() {
        DIGITS_TO_MINUTES => parse_time(&[digits, b"00"].concat()),
        _ => parse_time(digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOMENT: Moment = (1_026_940_035, 0);

    /// An argument, and the path, the access time and the modification time in it.
    type Case = (&'static str, Option<(&'static str, Option<Moment>, Moment)>);

    #[test]
    fn facts() {
        let parsed = parse_facts(b"modify=20020717210715;UNIX.MODE=0644;create=20020717210715;");
        assert_eq!(parsed, Ok(FactChanges { modify: Some(MOMENT), create: Some(MOMENT), mode: Some(0o644) }));
        let table: &[(&[u8], BadFacts)] = &[
            (b"", BadFacts::Malformed),
            (b";", BadFacts::Malformed),
            (b"Modify=20020717210715", BadFacts::Malformed),
            (b"Modify=20020717210715;;", BadFacts::Malformed),
            (b"Modify;", BadFacts::Malformed),
            (b"=1;", BadFacts::Malformed),
            (b"Modify=2002;", BadFacts::BadValue(b"Modify")),
            (b"Modify=20020717210715;modify=20020717210715;", BadFacts::Twice(b"modify")),
            (b"UNIX.mode=888;", BadFacts::BadValue(b"UNIX.mode")),
            (b"UNIX.owner=root;", BadFacts::Unknown(b"UNIX.owner")),
            (b"Modify=20020717210715;Size=7;", BadFacts::Unknown(b"Size")),
        ];
        for (text, expected) in table {
            assert_eq!(parse_facts(text), Err(*expected), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn utimes() {
        let minutes = (1_026_940_020, 0);
        let table: &[Case] = &[
            ("20020717210715 a b", Some(("a b", None, MOMENT))),
            ("200207172107 f", Some(("f", None, minutes))),
            ("a b 200207172107 20020717210715 19700101000000 UTC", Some(("a b", Some(minutes), MOMENT))),
            ("f 200207172107 20020717210715 19700101000000 utc", Some(("f", Some(minutes), MOMENT))),
            ("20020717210715 x UTC", Some(("x UTC", None, MOMENT))),
            ("f 200207172107 20020717210715 19700101000000 CET", None),
            ("f 20020717210715 20020717210715 UTC", None),
            ("20020717210715", None),
            ("20020717210715 ", None),
            ("200207172107159 f", None),
            ("20021317210715 f", None),
            ("", None),
            (" ", None),
        ];
        for (argument, expected) in table {
            let found = parse_utime(argument.as_bytes()).map(|it| (it.name, it.accessed, it.modified));
            assert_eq!(found, expected.map(|(name, accessed, time)| (name.as_bytes(), accessed, time)), "{argument}");
        }
    }

    #[test]
    fn modes() {
        let table: &[(&[u8], Option<u32>)] = &[
            (b"644", Some(0o644)),
            (b"07777", Some(0o7777)),
            (b"0", Some(0)),
            (b"", None),
            (b"000644", None),
            (b"20200", None),
            (b"10000", None),
            (b"8", None),
            (b"+7", None),
        ];
        for (digits, expected) in table {
            assert_eq!(parse_mode(digits), *expected);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            let _ = (parse_facts(&bytes), parse_utime(&bytes), parse_mode(&bytes));
        }

        #[test]
        fn any_list_never_panics(text in "((Modify|create|unix.mode|x)?=?[0-9]{0,15};?){0,4}[ UTC0-9]{0,40}") {
            let _ = (parse_facts(text.as_bytes()), parse_utime(text.as_bytes()));
        }

        #[test]
        fn a_name_is_never_taken_for_times(name in "[ a-zUTC0-9]{1,40}") {
            let argument = format!("20020717210715 {name}");
            let found = parse_utime(argument.as_bytes()).unwrap();
            prop_assert!(found.accessed.is_some() || found.name == name.as_bytes());
        }
    }
}
