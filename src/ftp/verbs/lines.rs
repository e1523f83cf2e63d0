//! The lines of listings: what the store shows, in the form that the verb promises. Runs on the pool.

use std::time::{SystemTime, UNIX_EPOCH};

use super::super::data::pump::Lines;
use super::super::wire::facts::{self, Can, EntryType, Facts, mlsx_line};
use super::super::wire::listing::{self, Row, long_line};
use crate::store::{Entry, Item, Kind, Listing, Part, StoreError};
use gftp_plugin::rt;

/// How entries are written.
#[derive(Clone)]
pub struct Shape {
    form: Form,
    /// What is put before each name.
    prefix: Vec<u8>,
    /// How much of `prefix` belongs to the listed directory itself.
    top: usize,
}

#[derive(Clone, Copy)]
enum Form {
    /// As `ls -l`, at this time (seconds since 1970), which decides how dates are written.
    Long(i64),
    /// Names alone.
    Names,
    /// MLSD.
    Facts(Facts),
}

impl Shape {
    /// LIST.
    pub fn long(now: i64) -> Self {
        Shape { form: Form::Long(now), prefix: Vec::new(), top: 0 }
    }

    /// NLST; `prefix` goes before each name.
    pub fn names(prefix: Vec<u8>) -> Self {
        Shape { form: Form::Names, top: prefix.len(), prefix }
    }

    /// MLSD.
    pub fn facts(facts: Facts) -> Self {
        Shape { form: Form::Facts(facts), prefix: Vec::new(), top: 0 }
    }

    /// For names that are paths as they were typed.
    pub fn bare(self) -> Self {
        Shape { prefix: Vec::new(), top: 0, ..self }
    }

    /// A listing of this one thing.
    pub fn single(self, name: &[u8], entry: &Entry) -> Lines {
        let mut text = self.one(name, entry);
        Box::new(move |out, _| {
            out.append(&mut text);
            Ok(false)
        })
    }

    /// The line of this one thing.
    pub fn one(mut self, name: &[u8], entry: &Entry) -> Vec<u8> {
        let mut text = Vec::new();
        let item = if matches!(self.form, Form::Names) { Item::Name(name) } else { Item::Entry { name, entry } };
        self.write(item, &mut text);
        text
    }

    /// Appends the line of one item.
    pub fn write(&mut self, item: Item<'_>, out: &mut Vec<u8>) {
        match (item, &self.form) {
            (Item::Directory(below), Form::Names) => {
                self.prefix.truncate(self.top);
                self.prefix.extend_from_slice(below);
                self.prefix.push(b'/');
            }
            (Item::Directory(below), _) => {
                // As `ls -lR` heads each directory.
                out.extend_from_slice(b"\r\n./");
                out.extend(below.iter().map(|&byte| printable(byte)));
                out.extend_from_slice(b":\r\n");
            }
            (item, _) => self.line(item, out),
        }
    }

    /// Appends the line of something in the directory at hand.
    fn line(&self, item: Item<'_>, out: &mut Vec<u8>) {
        match (item, &self.form) {
            (Item::Name(name) | Item::Entry { name, .. }, Form::Names) => {
                push_printable(&self.prefix, out);
                push_printable(name, out);
                out.extend_from_slice(b"\r\n");
            }
            (Item::Entry { name, entry }, Form::Long(now)) => long_line(&row(entry, name), *now, out),
            (Item::Entry { name, entry }, Form::Facts(facts)) => {
                facts_line(entry, *facts, name, out);
                out.extend_from_slice(b"\r\n");
            }
            // Names alone come only where names alone were asked for, and directories that are entered are no lines.
            (Item::Name(_), Form::Long(_) | Form::Facts(..)) | (Item::Directory(_), _) => {}
        }
    }

    /// About as many bytes as a line has beside its name, and where a link leads.
    fn beside_the_name(&self) -> usize {
        match self.form {
            Form::Long(_) => 60,
            Form::Names => 2 + self.prefix.len(),
            Form::Facts(_) => 90,
        }
    }

    /// As many bytes as what is told of one name may have at most, from what it leads to.
    fn beyond(&self, names: &Part) -> usize {
        let (targets, below) = names.beyond();
        if matches!(self.form, Form::Names) { below } else { targets + below }
    }
}

/// A name must not end its line and begin a forged one.
fn printable(byte: u8) -> u8 {
    if matches!(byte, b'\r' | b'\n' | 0) { b'?' } else { byte }
}

fn push_printable(text: &[u8], out: &mut Vec<u8>) {
    if has_controls(text) {
        out.extend(text.iter().map(|&byte| printable(byte)));
    } else {
        out.extend_from_slice(text);
    }
}

/// Whether there may be control characters, which hardly any name has: some 3 % of the time of NLST went into looking for them one
/// by one.
fn has_controls(text: &[u8]) -> bool {
    let Some(last) = text.last_chunk() else { return text.iter().any(|byte| *byte <= b'\r') };
    text.as_chunks().0.iter().chain([last]).any(|word| has_any_up_to_13(u64::from_ne_bytes(*word)))
}

/// Whether one of eight bytes is less than 14, and so may be CR, LF or NUL: less what each of them is to have at least, its
/// highest bit is set, which it was not before.
fn has_any_up_to_13(word: u64) -> bool {
    const LEAST: u64 = u64::from_ne_bytes([b'\r' + 1; 8]);
    const HIGHEST: u64 = u64::from_ne_bytes([0x80; 8]);
    word.wrapping_sub(LEAST) & !word & HIGHEST != 0
}

/// Bytes that are made before they are sent, as far as names tell, while there are more: some milliseconds of work, and more than one
/// run of names that are wanted soon, so that the next is read while those before are looked at by another thread.
const PIECE: usize = 256 * 1024;
/// Bytes that it may come to where links lead far or names are put behind a long path: what one batch may.
const LARGEST_PIECE: usize = 2 * 1024 * 1024;

/// A listing as lines. The first batch is made at once, in the same trip to the pool that opened it: most directories
/// have no other.
pub fn lines(mut listing: Listing, mut shape: Shape) -> Result<Lines, StoreError> {
    let mut first = Vec::new();
    let more = listing.next_batch(|item| shape.write(item, &mut first))?;
    let mut first = Some(first);
    Ok(Box::new(move |out, should_end| match first.take() {
        Some(mut text) => {
            out.append(&mut text);
            Ok(more)
        }
        None => loop {
            // Each trip does something, however often it is asked to end.
            let looked = listing.needs_looks() && by_two(&mut listing, &shape, out, should_end)?;
            let is_enough = |out: &Vec<u8>| out.len() >= PIECE || should_end();
            let more = looked && is_enough(out) || listing.next_batch(|item| shape.write(item, out))?;
            if !more || is_enough(out) {
                return Ok(more);
            }
        },
    }))
}

/// Appends lines of the directory at hand until there are no more or they make a piece; false if there were none. Two threads look at
/// the names, which is most of the time that it takes.
fn by_two(
    listing: &mut Listing,
    shape: &Shape,
    out: &mut Vec<u8>,
    should_end: &dyn Fn() -> bool,
) -> Result<bool, StoreError> {
    let (mut expected, mut possible, beside, mut failed) = (out.len(), 0, shape.beside_the_name(), None);
    let parts = std::iter::from_fn(|| {
        if expected >= PIECE || possible >= LARGEST_PIECE || possible > 0 && should_end() {
            return None;
        }
        let part = listing.next_part(LARGEST_PIECE / beside).unwrap_or_else(|error| {
            failed = Some(error);
            None
        })?;
        let (names, bytes) = part.size();
        let length = names * beside + bytes;
        expected += length;
        possible += length + shape.beyond(&part);
        Some((part, length))
    });
    let shape = shape.clone();
    let written = rt::share(parts, move |(part, length): (Part, usize)| {
        let mut text = Vec::with_capacity(length);
        let below = part.look(|item| shape.line(item, &mut text))?;
        Ok::<_, StoreError>((text, below))
    });
    let looked = !written.is_empty();
    for part in written {
        let (mut text, below) = part?;
        out.append(&mut text);
        listing.seen(below)?;
    }
    failed.map_or(Ok(looked), Err)
}

/// The facts of one entry, without a line end.
pub fn facts_line(entry: &Entry, facts: Facts, name: &[u8], out: &mut Vec<u8>) {
    let rights = entry.rights;
    let can = Can {
        append: rights.append && entry.writable,
        create: rights.write && entry.writable,
        delete: rights.delete,
        enter: entry.searchable,
        rename: rights.rename,
        list: rights.list && entry.readable,
        mkdir: rights.mkdir && entry.writable,
        purge: rights.delete && entry.writable,
        retrieve: rights.read && entry.readable,
        write: rights.write && entry.writable,
    };
    let kind = match entry.kind {
        Kind::File => EntryType::File,
        Kind::Directory => EntryType::Directory,
        Kind::Symlink => EntryType::Symlink(entry.target.as_deref()),
        Kind::Other => EntryType::Other("other"),
    };
    let row = facts::Entry {
        kind,
        size: entry.size,
        modified: seconds(entry.modified),
        can,
        unique: (entry.device, entry.inode),
        mode: entry.permissions,
        owner: &entry.owner,
        group: &entry.group,
    };
    mlsx_line(&row, facts, name, out);
}

fn row<'a>(entry: &'a Entry, name: &'a [u8]) -> Row<'a> {
    let kind = match entry.kind {
        Kind::File => listing::Kind::File,
        Kind::Directory => listing::Kind::Directory,
        Kind::Symlink => listing::Kind::Symlink,
        Kind::Other => listing::Kind::Other('?'),
    };
    Row {
        kind,
        permissions: entry.permissions,
        links: entry.links,
        owner: &entry.owner,
        group: &entry.group,
        size: entry.size,
        modified: seconds(entry.modified),
        name,
        target: entry.target.as_deref(),
    }
}

/// Seconds since 1970, negative before.
pub fn seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        // A fraction before a whole second belongs to the second below it.
        Err(before) => i64::try_from(before.duration().as_secs_f64().ceil() as u64).map_or(i64::MIN, |since| -since),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::{Rights, Selection, Store, VirtualPath};

    #[test]
    fn a_name_is_one_line_whatever_is_in_it() {
        for length in 0..20 {
            for (byte, shown) in
                [(b'\r', b'?'), (b'\n', b'?'), (0, b'?'), (b'\t', b'\t'), (14, 14), (0x80, 0x80), (0xff, 0xff)]
            {
                for at in 0..length {
                    let (mut name, mut line) = (vec![b'x'; length], vec![b'x'; length]);
                    (name[at], line[at]) = (byte, shown);
                    line.extend_from_slice(b"\r\n");
                    let mut written = Vec::new();
                    Shape::names(Vec::new()).write(Item::Name(&name), &mut written);
                    assert_eq!(written, line, "{byte} at {at} of {length}");
                }
            }
        }
    }

    /// While others wait for a thread, every trip is asked to end at once; a listing must come to its end all the same.
    #[test]
    fn who_is_always_asked_to_end_gets_on() {
        // The first batch may be all that there is, which nobody knows then.
        for (files, shape) in [(511, Shape::long(0)), (3_000, Shape::long(0)), (3_000, Shape::names(Vec::new()))] {
            let root = tempfile::tempdir().unwrap();
            for number in 0..files {
                std::fs::File::create(root.path().join(format!("{number:04}"))).unwrap();
            }
            let view = Arc::new(Store::open(root.path()).unwrap()).view(Rights::FULL, Vec::new());
            let selection = Selection { names_only: matches!(shape.form, Form::Names), ..Selection::default() };
            let mut lines = lines(view.list(&VirtualPath::root(), selection).unwrap(), shape).unwrap();
            let (mut text, mut trips, mut more) = (Vec::new(), 0, true);
            while more {
                let before = text.len();
                more = lines(&mut text, &|| true).unwrap();
                assert!(!more || text.len() > before, "a trip that did nothing");
                trips += 1;
            }
            assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), files);
            assert!(trips > files / 1_000, "nobody heeded the question");
        }
    }
}
