//! Lines of LIST in the form of `ls -l`, which is what every client has learnt to read.
//! Refuses to know where rows come from, in which order they stand, and what the time is.

use super::calendar::{Civil, SECONDS_PER_DAY};
use super::text::{push_number, push_replacing};

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Anything else, by its letter in `ls`: `p` FIFO, `s` socket, `c` and `b` devices.
    Other(char),
}

/// One entry of a directory.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// What it is.
    pub kind: Kind,
    /// The permission bits, with setuid, setgid and sticky; bits above 0o7777 are ignored.
    pub permissions: u32,
    /// The number of hard links.
    pub links: u64,
    /// The owner, by name or number.
    pub owner: &'a str,
    /// The group, by name or number.
    pub group: &'a str,
    /// Bytes.
    pub size: u64,
    /// The last modification, seconds since 1970.
    pub modified: i64,
    /// The name, as it is stored.
    pub name: &'a [u8],
    /// Where a symbolic link points to, as it is stored.
    pub target: Option<&'a [u8]>,
}

/// How long a time is written with its hour: the six months of POSIX `ls`, in the days that all servers count.
const RECENT_PAST: i64 = 180 * SECONDS_PER_DAY;
/// How far ahead a clock may be before a time is written with its year. Clients that guess the year from month and
/// day allow a day as well.
const RECENT_FUTURE: i64 = SECONDS_PER_DAY;

/// The columns of vsftpd, which have to be kept only where the values fit.
const LINKS_WIDTH: usize = 4;
const OWNER_WIDTH: usize = 8;
const SIZE_WIDTH: usize = 8;

/// Bytes of a line apart from names: mode, columns, date, arrow, line end.
const USUAL_LENGTH: usize = 64;

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Appends the line of `row` with its CRLF. `now` is in seconds since 1970; all times are UTC.
///
/// Control bytes in names become `?`, so that no name can forge a line; all other bytes stay as they are.
pub fn long_line(row: &Row<'_>, now: i64, out: &mut Vec<u8>) {
    out.reserve(USUAL_LENGTH + row.name.len() + row.target.map_or(0, <[u8]>::len));
    out.extend_from_slice(&mode(row.kind, row.permissions));
    out.push(b' ');
    push_number(out, row.links, LINKS_WIDTH, b' ');
    out.push(b' ');
    push_column(out, row.owner);
    push_column(out, row.group);
    push_number(out, row.size, SIZE_WIDTH, b' ');
    out.push(b' ');
    push_date(out, row.modified, now);
    out.push(b' ');
    push_name(out, row.name);
    if let (Kind::Symlink, Some(target)) = (row.kind, row.target) {
        out.extend_from_slice(b" -> ");
        push_name(out, target);
    }
    out.extend_from_slice(b"\r\n");
}

/// The ten letters of the first column.
fn mode(kind: Kind, permissions: u32) -> [u8; 10] {
    let set = |bit: u32| permissions & bit != 0;
    let letter = |bit: u32, letter: u8| if set(bit) { letter } else { b'-' };
    // The special bits share the place of `x`: small where x is set as well, capital where it is not.
    let execute = |bit: u32, special: u32, small: u8| match (set(bit), set(special)) {
        (true, true) => small,
        (false, true) => small.to_ascii_uppercase(),
        (true, false) => b'x',
        (false, false) => b'-',
    };
    let kind = match kind {
        Kind::File => b'-',
        Kind::Directory => b'd',
        Kind::Symlink => b'l',
        Kind::Other(letter) if letter.is_ascii_alphabetic() => letter as u8,
        Kind::Other(_) => b'?',
    };
    [
        kind,
        letter(0o400, b'r'),
        letter(0o200, b'w'),
        execute(0o100, 0o4000, b's'),
        letter(0o040, b'r'),
        letter(0o020, b'w'),
        execute(0o010, 0o2000, b's'),
        letter(0o004, b'r'),
        letter(0o002, b'w'),
        execute(0o001, 0o1000, b't'),
    ]
}

/// A left-aligned column and the space after it. A blank inside would make two columns of it, and nothing at all none.
fn push_column(out: &mut Vec<u8>, text: &str) {
    let text = if text.is_empty() { "?" } else { text };
    let start = out.len();
    push_replacing(out, text.as_bytes(), b'_', |byte| byte <= b' ' || byte == 0x7f);
    out.resize(out.len().max(start + OWNER_WIDTH), b' ');
    out.push(b' ');
}

/// Twelve columns: `Nov 23 01:21`, or `Nov 23  2026` where the year cannot be guessed.
fn push_date(out: &mut Vec<u8>, modified: i64, now: i64) {
    let recent = now.saturating_sub(RECENT_PAST)..=now.saturating_add(RECENT_FUTURE);
    let date = Civil::from_unix(modified);
    let month = MONTHS.get(usize::from(date.month).saturating_sub(1)).copied().unwrap_or(b"Jan");
    out.extend_from_slice(month);
    out.push(b' ');
    push_number(out, date.day.into(), 2, b' ');
    out.push(b' ');
    if recent.contains(&modified) {
        push_number(out, date.hour.into(), 2, b'0');
        out.push(b':');
        push_number(out, date.minute.into(), 2, b'0');
    } else {
        out.push(b' ');
        push_number(out, date.year.into(), 4, b'0');
    }
}

fn push_name(out: &mut Vec<u8>, name: &[u8]) {
    push_replacing(out, name, b'?', |byte| byte.is_ascii_control());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-11-23 01:30:00.
    const NOW: i64 = 1_795_397_400;

    fn row(kind: Kind, permissions: u32, name: &[u8]) -> Row<'_> {
        Row {
            kind,
            permissions,
            links: 2,
            owner: "root",
            group: "root",
            size: 4096,
            modified: NOW - 540,
            name,
            target: None,
        }
    }

    fn line(row: &Row<'_>) -> String {
        let mut out = Vec::new();
        long_line(row, NOW, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn whole_lines() {
        let directory = row(Kind::Directory, 0o755, b"name");
        assert_eq!(line(&directory), "drwxr-xr-x    2 root     root         4096 Nov 23 01:21 name\r\n");
        let target = Some(&b"../x"[..]);
        let link = Row { kind: Kind::Symlink, permissions: 0o777, target, ..directory };
        assert_eq!(line(&link), "lrwxrwxrwx    2 root     root         4096 Nov 23 01:21 name -> ../x\r\n");
        let big = Row {
            kind: Kind::File,
            permissions: 0o644,
            links: 12_345,
            owner: "longusername",
            group: "",
            size: u64::MAX,
            ..directory
        };
        assert_eq!(line(&big), "-rw-r--r-- 12345 longusername ?        18446744073709551615 Nov 23 01:21 name\r\n");
        let spaced = Row { owner: "domain users", group: "a\tb\n", ..directory };
        assert!(line(&spaced).starts_with("drwxr-xr-x    2 domain_users a_b_         4096 "));
    }

    #[test]
    fn modes() {
        let table = [
            (Kind::File, 0o0000, "----------"),
            (Kind::File, 0o7777, "-rwsrwsrwt"),
            (Kind::File, 0o7000, "---S--S--T"),
            (Kind::File, 0o4755, "-rwsr-xr-x"),
            (Kind::Directory, 0o1777, "drwxrwxrwt"),
            (Kind::Directory, 0o2750, "drwxr-s---"),
            (Kind::Symlink, 0o777, "lrwxrwxrwx"),
            (Kind::Other('p'), 0o640, "prw-r-----"),
            (Kind::Other('\n'), 0o100_644, "?rw-r--r--"),
        ];
        for (kind, permissions, expected) in table {
            assert_eq!(&mode(kind, permissions), expected.as_bytes());
        }
    }

    #[test]
    fn dates() {
        let day = SECONDS_PER_DAY;
        let table = [
            (NOW, "Nov 23 01:30"),
            (NOW + day, "Nov 24 01:30"),
            (NOW + day + 1, "Nov 24  2026"),
            (NOW - 180 * day, "May 27 01:30"),
            (NOW - 180 * day - 1, "May 27  2026"),
            (0, "Jan  1  1970"),
            (-1, "Dec 31  1969"),
            (951_782_400, "Feb 29  2000"),
            (-62_167_219_201, "Jan  1  0000"),
            (i64::MIN, "Jan  1  0000"),
            (i64::MAX, "Dec 31  9999"),
        ];
        for (modified, expected) in table {
            let mut out = Vec::new();
            push_date(&mut out, modified, NOW);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn names_stay_on_their_line() {
        let table: &[(&[u8], &[u8])] = &[
            (b"a\r\nb\tc\x1b\x7f\0", b"a??b?c???"),
            (b" lead and trail ", b" lead and trail "),
            (b"\xff\x85\xc3\xa4", b"\xff\x85\xc3\xa4"),
        ];
        for (name, expected) in table {
            let mut out = Vec::new();
            long_line(&row(Kind::File, 0o644, name), NOW, &mut out);
            assert!(out.ends_with(&[b" ", *expected, b"\r\n"].concat()));
        }
    }

    proptest! {
        #[test]
        fn any_row_is_one_line_of_columns(
            permissions: u32, links: u64, size: u64, modified: i64, now: i64, owner: String, group: String,
            letter: char, name: Vec<u8>, target: Option<Vec<u8>>,
        ) {
            for kind in [Kind::File, Kind::Directory, Kind::Symlink, Kind::Other(letter)] {
                let (owner, group, target) = (owner.as_str(), group.as_str(), target.as_deref());
                let row = Row { kind, permissions, links, owner, group, size, modified, name: &name, target };
                let mut out = Vec::new();
                long_line(&row, now, &mut out);
                prop_assert!(out.ends_with(b"\r\n"));
                prop_assert!(!out[..out.len() - 2].iter().any(u8::is_ascii_control));
                let columns: Vec<&[u8]> =
                    out.split(|&byte| byte == b' ').filter(|column| !column.is_empty()).take(8).collect();
                let size = size.to_string();
                prop_assert_eq!(columns[4], size.as_bytes());
                prop_assert!(MONTHS.iter().any(|month| columns[5] == &month[..]));
                prop_assert!(columns[7].len() == 4 || columns[7].len() == 5);
            }
        }
    }
}
