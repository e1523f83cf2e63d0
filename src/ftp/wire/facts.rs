//! The facts of MLST and MLSD (RFC 3659 §7).
//! Refuses to know where the values come from, and who may do what.

use super::text::{push_number, push_replacing};
use super::time::format_time;

/// Which facts a client wants to see (RFC 3659 §7.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts(u8);

impl Default for Facts {
    fn default() -> Facts {
        Facts::DEFAULT
    }
}

const TYPE: u8 = 1;
const SIZE: u8 = 1 << 1;
const MODIFY: u8 = 1 << 2;
const PERM: u8 = 1 << 3;
const UNIQUE: u8 = 1 << 4;
const MODE: u8 = 1 << 5;
const OWNER: u8 = 1 << 6;
const GROUP: u8 = 1 << 7;

/// Every fact, in the order in which FEAT, OPTS and the lines name them.
const NAMES: [(u8, &str); 8] = [
    (TYPE, "Type"),
    (SIZE, "Size"),
    (MODIFY, "Modify"),
    (PERM, "Perm"),
    (UNIQUE, "Unique"),
    (MODE, "UNIX.mode"),
    (OWNER, "UNIX.owner"),
    (GROUP, "UNIX.group"),
];

impl Facts {
    /// What a client sees that never said `OPTS MLST`: all but the names of owner and group, which cost a look-up.
    pub const DEFAULT: Facts = Facts(TYPE | SIZE | MODIFY | PERM | UNIQUE | MODE);

    /// The facts that `OPTS MLST` lists, `a;b;c;` in any case; what we do not know is ignored (RFC 3659 §7.9).
    /// `list` is what follows `MLST`; nothing at all chooses no fact.
    pub fn choose(list: &[u8]) -> Facts {
        let known = |given: &[u8]| {
            let given = given.trim_ascii();
            NAMES.iter().find(|(_, name)| given.eq_ignore_ascii_case(name.as_bytes())).map_or(0, |(fact, _)| *fact)
        };
        Facts(list.split(|&byte| byte == b';').fold(0, |chosen, given| chosen | known(given)))
    }

    /// The line of FEAT, `MLST Type*;…`, with a star after what is chosen (RFC 3659 §7.8).
    pub fn feat(self) -> String {
        let mut text = String::from("MLST ");
        for (fact, name) in NAMES {
            text.push_str(name);
            text.push_str(if self.has(fact) { "*;" } else { ";" });
        }
        text
    }

    /// The text of the reply to `OPTS MLST`, `MLST OPTS Type;…` (RFC 3659 §7.9).
    pub fn answer(self) -> String {
        let mut text = String::from("MLST OPTS");
        let chosen = NAMES.iter().filter(|(fact, _)| self.has(*fact));
        for (index, (_, name)) in chosen.enumerate() {
            text.push_str(if index == 0 { " " } else { "" });
            text.push_str(name);
            text.push(';');
        }
        text
    }

    /// Whether a line needs the names of owner or group, so that a caller need not look them up in vain.
    pub fn wants_names(self) -> bool {
        self.has(OWNER | GROUP)
    }

    fn has(self, facts: u8) -> bool {
        self.0 & facts != 0
    }
}

/// What an entry is (RFC 3659 §7.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryType<'a> {
    /// `file`.
    File,
    /// `dir`.
    Directory,
    /// `cdir`: the directory that is listed.
    Current,
    /// `pdir`: the one above it.
    Parent,
    /// `OS.unix=slink:target`. Where the target is not known or cannot stand in a fact: `OS.unix=symlink`.
    Symlink(Option<&'a [u8]>),
    /// `OS.unix=` and this word: `fifo`, `socket`, `chr`, `blk`.
    Other(&'static str),
}

/// What the client may do with an entry (RFC 3659 §7.5.5). The caller fills in what the policy says; which of the
/// letters mean something for the type of the entry is decided here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Can {
    /// `a`: APPE to this file.
    pub append: bool,
    /// `c`: STOR and the like create files in this directory.
    pub create: bool,
    /// `d`: DELE or RMD removes it.
    pub delete: bool,
    /// `e`: CWD enters this directory.
    pub enter: bool,
    /// `f`: RNFR takes it.
    pub rename: bool,
    /// `l`: LIST, NLST and MLSD show this directory.
    pub list: bool,
    /// `m`: MKD creates directories in this one.
    pub mkdir: bool,
    /// `p`: what is in this directory may be deleted.
    pub purge: bool,
    /// `r`: RETR reads this file.
    pub retrieve: bool,
    /// `w`: STOR overwrites this file.
    pub write: bool,
}

/// One entry, with the values of all facts that may be asked for.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// What it is.
    pub kind: EntryType<'a>,
    /// Bytes; shown for files only, because what other types have is no number of bytes to transfer.
    pub size: u64,
    /// The last modification, seconds since 1970.
    pub modified: i64,
    /// What the client may do with it.
    pub can: Can,
    /// Device and inode, which together no other entry has.
    pub unique: (u64, u64),
    /// The permission bits; bits above 0o7777 are ignored.
    pub mode: u32,
    /// The owner, by name or number.
    pub owner: &'a str,
    /// The group, by name or number.
    pub group: &'a str,
}

/// Appends `Type=file;Size=12; name`, without a line end: MLSD adds CRLF, MLST makes it a line of its reply.
///
/// What would break the line (CR, LF, VT, FF and NUL) becomes `?` in names; all other bytes stay as they are.
pub fn mlsx_line(entry: &Entry<'_>, facts: Facts, name: &[u8], out: &mut Vec<u8>) {
    for (fact, label) in NAMES {
        if !facts.has(fact) || (fact == SIZE && entry.kind != EntryType::File) {
            continue;
        }
        out.extend_from_slice(label.as_bytes());
        out.push(b'=');
        push_value(out, fact, entry);
        out.push(b';');
    }
    out.push(b' ');
    push_replacing(out, name, b'?', |byte| matches!(byte, b'\r' | b'\n' | 0x0b | 0x0c | 0));
}

fn push_value(out: &mut Vec<u8>, fact: u8, entry: &Entry<'_>) {
    match fact {
        TYPE => push_type(out, entry.kind),
        SIZE => push_number(out, entry.size, 0, b' '),
        MODIFY => out.extend_from_slice(&format_time(entry.modified)),
        PERM => push_perm(out, entry),
        UNIQUE => {
            push_hex(out, entry.unique.0);
            // A letter that is no hexadecimal digit keeps the two numbers apart.
            out.push(b'U');
            push_hex(out, entry.unique.1);
        }
        // Plain octal, and not the `S_IF…` bits: lftp takes anything else for an unreadable directory.
        MODE => out.extend([9, 6, 3, 0].map(|shift| b'0' + (entry.mode >> shift & 7) as u8)),
        OWNER => push_replacing(out, entry.owner.as_bytes(), b'_', breaks_a_fact),
        _ => push_replacing(out, entry.group.as_bytes(), b'_', breaks_a_fact),
    }
}

fn push_type(out: &mut Vec<u8>, kind: EntryType<'_>) {
    let word = match kind {
        EntryType::File => "file",
        EntryType::Directory => "dir",
        EntryType::Current => "cdir",
        EntryType::Parent => "pdir",
        EntryType::Symlink(Some(target)) if !target.iter().copied().any(breaks_a_fact) => {
            out.extend_from_slice(b"OS.unix=slink:");
            out.extend_from_slice(target);
            return;
        }
        EntryType::Symlink(_) => "OS.unix=symlink",
        EntryType::Other(word) => {
            out.extend_from_slice(b"OS.unix=");
            word
        }
    };
    out.extend_from_slice(word.as_bytes());
}

/// A semicolon ends a fact, and for many clients the first space ends them all.
fn breaks_a_fact(byte: u8) -> bool {
    byte == b';' || byte <= b' ' || byte == 0x7f
}

fn push_perm(out: &mut Vec<u8>, entry: &Entry<'_>) {
    let can = entry.can;
    let is_directory = matches!(entry.kind, EntryType::Directory | EntryType::Current | EntryType::Parent);
    let letters = [
        (b'a', can.append && !is_directory),
        (b'c', can.create && is_directory),
        (b'd', can.delete),
        (b'e', can.enter && is_directory),
        (b'f', can.rename),
        (b'l', can.list && is_directory),
        (b'm', can.mkdir && is_directory),
        (b'p', can.purge && is_directory),
        (b'r', can.retrieve && !is_directory),
        (b'w', can.write && !is_directory),
    ];
    out.extend(letters.iter().filter(|(_, shown)| *shown).map(|(letter, _)| letter));
}

fn push_hex(out: &mut Vec<u8>, number: u64) {
    // At least the last digit is written.
    let digits = (16 - number.leading_zeros() / 4).max(1);
    for place in (0..digits).rev() {
        let digit = (number >> (4 * place) & 15) as u8;
        out.push(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: Can = Can {
        append: true,
        create: true,
        delete: true,
        enter: true,
        rename: true,
        list: true,
        mkdir: true,
        purge: true,
        retrieve: true,
        write: true,
    };

    fn entry(kind: EntryType<'_>) -> Entry<'_> {
        Entry {
            kind,
            size: 12,
            modified: 1_795_396_860,
            can: ALL,
            unique: (0x803, 0x1a2b),
            mode: 0o100_644,
            owner: "me",
            group: "a b;",
        }
    }

    fn line(kind: EntryType<'_>, facts: Facts, name: &[u8]) -> String {
        let mut out = Vec::new();
        mlsx_line(&entry(kind), facts, name, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines() {
        let all = Facts(u8::MAX);
        assert_eq!(
            line(EntryType::File, all, b" name"),
            "Type=file;Size=12;Modify=20261123012100;Perm=adfrw;Unique=803U1a2b;UNIX.mode=0644;UNIX.owner=me;\
             UNIX.group=a_b_;  name"
        );
        assert_eq!(
            line(EntryType::Directory, Facts::DEFAULT, b"d"),
            "Type=dir;Modify=20261123012100;Perm=cdeflmp;Unique=803U1a2b;UNIX.mode=0644; d"
        );
        assert_eq!(line(EntryType::File, Facts(0), b"a\r\nb\0"), " a??b?");
    }

    #[test]
    fn types() {
        let table = [
            (EntryType::Current, "cdir"),
            (EntryType::Parent, "pdir"),
            (EntryType::Symlink(Some(b"../a")), "OS.unix=slink:../a"),
            (EntryType::Symlink(Some(b"a b")), "OS.unix=symlink"),
            (EntryType::Symlink(Some(b"a;Perm=w")), "OS.unix=symlink"),
            (EntryType::Symlink(Some(b"a\nb")), "OS.unix=symlink"),
            (EntryType::Symlink(None), "OS.unix=symlink"),
            (EntryType::Other("fifo"), "OS.unix=fifo"),
        ];
        for (kind, expected) in table {
            assert_eq!(line(kind, Facts(TYPE | SIZE), b"n"), format!("Type={expected}; n"));
        }
    }

    #[test]
    fn choices() {
        let table: &[(&[u8], &str)] = &[
            (b"type;size;", "MLST OPTS Type;Size;"),
            (b"SIZE;TYPE", "MLST OPTS Type;Size;"),
            (b"unix.MODE;fish;cakes;UNIX.owner;", "MLST OPTS UNIX.mode;UNIX.owner;"),
            (b" modify ; perm", "MLST OPTS Modify;Perm;"),
            (b"", "MLST OPTS"),
            (b";;;\xff\0", "MLST OPTS"),
        ];
        for (list, expected) in table {
            assert_eq!(Facts::choose(list).answer(), *expected);
        }
        let feat = "MLST Type*;Size*;Modify*;Perm*;Unique*;UNIX.mode*;UNIX.owner;UNIX.group;";
        assert_eq!(Facts::DEFAULT.feat(), feat);
        assert!(!Facts::DEFAULT.wants_names() && Facts::choose(b"unix.group").wants_names());
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            let _ = Facts::choose(&bytes);
        }

        #[test]
        fn choices_come_back(bits: u8) {
            let answer = Facts(bits).answer();
            let list = answer.strip_prefix("MLST OPTS").unwrap();
            prop_assert_eq!(Facts::choose(list.as_bytes()), Facts(bits));
        }

        #[test]
        fn any_entry_is_one_line_of_facts(
            bits: u8, size: u64, modified: i64, unique: (u64, u64), mode: u32, owner: String, group: String,
            name: Vec<u8>, target: Vec<u8>,
        ) {
            let (kind, owner, group) = (EntryType::Symlink(Some(&target)), owner.as_str(), group.as_str());
            let entry = Entry { kind, size, modified, can: ALL, unique, mode, owner, group };
            let mut out = Vec::new();
            mlsx_line(&entry, Facts(bits), &name, &mut out);
            prop_assert!(!out.contains(&b'\n') && !out.contains(&b'\r'));
            let space = out.iter().position(|&byte| byte == b' ').unwrap();
            prop_assert_eq!(out.len() - space - 1, name.len());
            let count = out[..space].iter().filter(|&&byte| byte == b';').count();
            prop_assert_eq!(count as u32, (bits & !SIZE).count_ones());
        }

        #[test]
        fn hexadecimal(number: u64) {
            let mut out = Vec::new();
            push_hex(&mut out, number);
            push_hex(&mut out, 0);
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("{number:x}0"));
        }
    }
}
