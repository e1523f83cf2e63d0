//! The buffer in which an upload gathers, and whether it comes so fast that a thread should wait for it. Refuses to know sockets and
//! files.

use std::time::{Duration, Instant};

/// A first receive buffer; it doubles while the peer fills it [`SOON`], so a slow upload holds little memory. From 64 KiB on, glibc
/// tidies all of its heap whenever one is given back.
const FIRST_BUFFER: usize = 32 * 1024;
/// What is filled within this wakes a thread of the pool to write it fifty times a second or more.
const SOON: Duration = Duration::from_millis(20);
/// The largest one of an upload that could go without: a hundred at once, from one client, cost two thirds of the CPU that they
/// cost with the first.
pub(super) const GATHERED: usize = 128 * 1024;
/// Bytes each second from which on an upload is worth a thread that waits for it: more than a quarter of what a gigabit link brings.
/// Of a hundred clients that share such links none is as fast, and a thread for each would be woken for every packet.
const FAST: u128 = 32 * 1024 * 1024;

/// What has come of an upload and is not written yet, and how fast that came.
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    /// When it began to be filled; for the first bytes, when they came.
    pub(super) since: Option<Instant>,
    /// How long that took, of the first bytes or not.
    took: Duration,
    is_first: bool,
}

impl Buffer {
    pub(super) fn new() -> Buffer {
        Buffer { bytes: Vec::with_capacity(FIRST_BUFFER), since: None, took: Duration::ZERO, is_first: true }
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() == self.bytes.capacity()
    }

    fn so_far(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    pub(super) fn filled(&mut self) {
        self.took = self.so_far();
    }

    /// Whether what was in it, and is written now, came fast.
    pub(super) fn is_fast(&self) -> bool {
        // What gathers while the one before is written comes at once, and says little unless it is much.
        let says_much = self.is_first || self.bytes.capacity() >= GATHERED;
        is_fast(self.bytes.len() as u64, if says_much { self.took } else { self.so_far() })
    }

    /// Has twice the room, but no more than `most`, if it was filled soon.
    pub(super) fn grow(&mut self, most: usize) {
        if self.took < SOON && self.bytes.capacity() < most {
            self.bytes = Vec::with_capacity(self.bytes.capacity() * 2);
        }
    }

    /// It is empty and about to be filled anew.
    pub(super) fn begin(&mut self) {
        self.bytes.clear();
        (self.since, self.is_first) = (Some(Instant::now()), false);
    }
}

/// Whether it is worth a thread that waits for more.
pub(super) fn is_fast(bytes: u64, time: Duration) -> bool {
    u128::from(bytes) * 1_000_000 >= FAST * time.as_micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client of a gigabit link has a thread that waits for it, one of a hundred on it has none.
    #[test]
    fn fast_is_a_good_part_of_a_gigabit() {
        let (second, gigabit) = (Duration::from_secs(1), 125_000_000);
        for (bytes, time, is) in [
            (gigabit / 3, second, true),
            (gigabit / 100, second, false),
            (FIRST_BUFFER as u64, Duration::from_millis(2), false),
            (GATHERED as u64, Duration::from_millis(2), true),
            (0, Duration::ZERO, true),
            (u64::MAX, Duration::MAX, false),
        ] {
            assert_eq!(is_fast(bytes, time), is, "{bytes} bytes in {time:?}");
        }
    }
}
