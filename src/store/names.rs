//! Many names in little memory: one arena of bytes and an eight-byte slot each, sorted in place.
//! It refuses to know where names come from.

use super::sys::FileType;

/// Memory that one listing may hold in names and slots: the names of 100,000 files (about 4 MiB) fit, so an ordinary
/// directory comes sorted as a whole, and a client cannot make the server hold a directory of millions.
pub(super) const MAX_MEMORY: usize = 8 * 1024 * 1024;

#[derive(Clone, Copy)]
struct Slot {
    start: u32,
    length: u16,
    kind: u8,
}

/// Names with their kinds, given out one by one.
#[derive(Default)]
pub(super) struct Names {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    next: usize,
}

impl Names {
    /// Adds a name of at most 65,535 bytes; longer ones no file system has, and they are refused with false.
    pub(super) fn push(&mut self, name: &[u8], kind: FileType) -> bool {
        let (Ok(start), Ok(length)) = (u32::try_from(self.bytes.len()), u16::try_from(name.len())) else {
            return false;
        };
        self.bytes.extend_from_slice(name);
        self.slots.push(Slot { start, length, kind: pack(kind) });
        true
    }

    /// Bytes in use.
    pub(super) fn memory(&self) -> usize {
        self.bytes.len() + self.slots.len() * size_of::<Slot>()
    }

    /// Orders what is still to be given out by the names' bytes.
    pub(super) fn sort(&mut self, reverse: bool) {
        let bytes = &self.bytes;
        let name = |slot: &Slot| &bytes[slot.start as usize..slot.start as usize + usize::from(slot.length)];
        self.slots[self.next..].sort_unstable_by(|a, b| {
            let order = name(a).cmp(name(b));
            if reverse { order.reverse() } else { order }
        });
    }

    /// The next name and its kind.
    pub(super) fn next(&mut self) -> Option<(&[u8], FileType)> {
        let slot = self.slots.get(self.next)?;
        self.next += 1;
        Some((&self.bytes[slot.start as usize..slot.start as usize + usize::from(slot.length)], unpack(slot.kind)))
    }

    /// Whether every name was given out.
    pub(super) fn is_spent(&self) -> bool {
        self.next >= self.slots.len()
    }

    /// Forgets all names and keeps the room.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.slots.clear();
        self.next = 0;
    }
}

/// Only what decides whether a name must be looked at more closely survives.
fn pack(kind: FileType) -> u8 {
    match kind {
        FileType::RegularFile => 1,
        FileType::Directory => 2,
        FileType::Symlink => 3,
        _ => 0,
    }
}

fn unpack(kind: u8) -> FileType {
    match kind {
        1 => FileType::RegularFile,
        2 => FileType::Directory,
        3 => FileType::Symlink,
        _ => FileType::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_thousand_names_fit_and_sort() {
        let mut names = Names::default();
        for number in (0..100_000).rev() {
            assert!(names.push(format!("a file with a long name {number:06}").as_bytes(), FileType::RegularFile));
        }
        assert!(names.memory() < MAX_MEMORY);
        assert_eq!(size_of::<Slot>(), 8);
        names.sort(false);
        let mut number = 0;
        while let Some((name, kind)) = names.next() {
            assert_eq!(name, format!("a file with a long name {number:06}").as_bytes());
            assert_eq!(kind, FileType::RegularFile);
            number += 1;
        }
        assert_eq!(number, 100_000);
        assert!(names.is_spent());
        assert!(!names.push(&[b'a'; 70_000], FileType::Unknown));
    }
}
