//! Many names in little memory: one arena of bytes and an eight-byte slot each, sorted in place.
//! It refuses to know where names come from.

use super::sys::FileType;
use std::ops::Range;

/// Memory for the names that a pattern may match, or that are copied at once: those of 100,000 files (about 4 MiB) fit, and a client
/// cannot make the server hold a directory of millions.
pub(super) const MAX_MEMORY: usize = 8 * 1024 * 1024;

#[derive(Clone, Copy)]
struct Slot {
    start: u32,
    length: u16,
    kind: u8,
}

/// Names with their kinds.
#[derive(Default)]
pub(super) struct Names {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    /// There is something else than regular files among them.
    are_mixed: bool,
}

impl Names {
    /// None yet, with room for as many as these.
    pub(super) fn with_room_of(other: &Names) -> Names {
        let (bytes, slots) = (Vec::with_capacity(other.bytes.len()), Vec::with_capacity(other.slots.len()));
        Names { bytes, slots, are_mixed: false }
    }

    /// Adds a name of at most 65,535 bytes; longer ones no file system has, and they are refused with false.
    pub(super) fn push(&mut self, name: &[u8], kind: FileType) -> bool {
        let (Ok(start), Ok(length)) = (u32::try_from(self.bytes.len()), u16::try_from(name.len())) else {
            return false;
        };
        self.bytes.extend_from_slice(name);
        self.slots.push(Slot { start, length, kind: pack(kind) });
        self.are_mixed |= kind != FileType::RegularFile;
        true
    }

    /// Whether there is something else than regular files among them, or what it is cannot be told.
    pub(super) fn are_mixed(&self) -> bool {
        self.are_mixed
    }

    /// Bytes in use.
    pub(super) fn memory(&self) -> usize {
        self.bytes.len() + self.slots.len() * size_of::<Slot>()
    }

    /// Orders the names by their bytes.
    pub(super) fn sort(&mut self, reverse: bool) {
        let bytes = &self.bytes;
        self.slots.sort_unstable_by(|a, b| {
            let order = name(bytes, a).cmp(name(bytes, b));
            if reverse { order.reverse() } else { order }
        });
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// One of them with its kind.
    pub(super) fn get(&self, index: usize) -> Option<(&[u8], FileType)> {
        self.range(index..index + 1).next()
    }

    /// Those of a range, none if it goes beyond the last.
    pub(super) fn range(&self, range: Range<usize>) -> impl Iterator<Item = (&[u8], FileType)> {
        let slots = self.slots.get(range).unwrap_or_default();
        slots.iter().map(|slot| (name(&self.bytes, slot), unpack(slot.kind)))
    }

    /// Forgets all names and keeps the room.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.slots.clear();
        self.are_mixed = false;
    }
}

fn name<'a>(bytes: &'a [u8], slot: &Slot) -> &'a [u8] {
    &bytes[slot.start as usize..slot.start as usize + usize::from(slot.length)]
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
        for (number, (name, kind)) in names.range(0..100_000).enumerate() {
            assert_eq!(name, format!("a file with a long name {number:06}").as_bytes());
            assert_eq!(kind, FileType::RegularFile);
        }
        assert_eq!((names.len(), names.range(50_000..100_000).count()), (100_000, 50_000));
        assert!(!names.push(&[b'a'; 70_000], FileType::Unknown));
    }
}
