//! How quick peers are: each by what it has said, and newcomers by how those before them were. Refuses to know where anybody runs.

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A peer that takes no longer for its next word is quick.
pub(super) const QUICK: Duration = Duration::from_millis(5);
/// So many quick words are worth a thread: more than who only logs in and waits has, of whom thousands may come at once.
const ENOUGH: u8 = 3;
/// Newcomers that are trusted at once: twice as many as have been seen to come and go together, and if all of them wait after all, as
/// threads that rest they hold 640 KiB for some seconds.
const MOST_TRUSTED: usize = 32;

/// What newcomers are trusted with.
static TRUST: Trust = Trust(AtomicUsize::new(0));

/// How many newcomers may be taken for quick. Each that turns out to be so makes room for another; one that does not takes its own
/// along, so that thousands that log in and then wait are soon known for what they are.
struct Trust(AtomicUsize);

impl Trust {
    fn earn(&self) {
        let one_more = |trusted: usize| (trusted < MOST_TRUSTED).then_some(trusted + 1);
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
    }

    /// Whether there is some left.
    fn take(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |trusted| trusted.checked_sub(1)).is_ok()
    }
}

/// How quick a peer has been.
#[derive(Default)]
pub(crate) struct Haste {
    /// Its quick words, as far as they count.
    words: u8,
    repute: Repute,
}

#[derive(Default, PartialEq, Eq)]
enum Repute {
    /// A newcomer, of whom nothing is known.
    #[default]
    None,
    /// A newcomer that is taken for quick.
    Trusted,
    /// What it is counts, and no longer what others were.
    Own,
}

impl Haste {
    /// Whether a newcomer is taken for quick before it has said anything, because those before it were.
    pub(crate) fn is_trusted(&mut self) -> bool {
        if self.repute == Repute::None && TRUST.take() {
            self.repute = Repute::Trusted;
        }
        self.repute == Repute::Trusted
    }

    /// A word has come after so long. Who was quick before has to show it only once more.
    pub(crate) fn heard(&mut self, after: Duration) {
        if after >= QUICK {
            return self.waited();
        }
        self.words = (self.words + 1).min(ENOUGH);
        if self.words == ENOUGH && mem::replace(&mut self.repute, Repute::Own) != Repute::Own {
            TRUST.earn();
        }
    }

    /// None has come for a while.
    pub(crate) fn waited(&mut self) {
        self.words = self.words.min(ENOUGH - 1);
        self.repute = Repute::Own;
    }

    /// Whether it is worth a thread.
    pub(crate) fn is_enough(&self) -> bool {
        self.words >= ENOUGH
    }
}

impl Drop for Haste {
    fn drop(&mut self) {
        // It has left without having been waited for.
        if self.repute == Repute::Trusted {
            TRUST.earn();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who logs in and waits has said too little to be worth a thread.
    #[test]
    fn haste_is_shown_by_a_few_words_and_once_more_after_each_rest() {
        let (mut haste, at_once) = (Haste::default(), Duration::from_millis(1));
        let mut says = |after: Duration| {
            haste.heard(after);
            haste.is_enough()
        };
        assert_eq!([at_once; 4].map(&mut says), [false, false, true, true]);
        assert_eq!([QUICK, at_once, QUICK, QUICK, at_once].map(&mut says), [false, true, false, false, true]);
        haste.waited();
        assert!(!haste.is_enough());
        haste.heard(at_once);
        assert!(haste.is_enough());
    }

    #[test]
    fn trust_is_bounded_and_used_up() {
        let trust = Trust(AtomicUsize::new(0));
        assert!(!trust.take());
        (0..2 * MOST_TRUSTED).for_each(|_| trust.earn());
        assert_eq!((0..2 * MOST_TRUSTED).filter(|_| trust.take()).count(), MOST_TRUSTED);
    }
}
