//! How quick peers are: each by what it has said, and newcomers by how those before them were. Refuses to know where anybody runs.

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A peer that takes no longer for its next word is quick.
const QUICK: Duration = Duration::from_millis(5);
/// So many quick words are worth a thread: more than who only logs in and waits has, of whom thousands may come at once.
const ENOUGH: u8 = 3;
/// Newcomers that may be trusted before another peer has been quick: twice as many as have been seen to come and go together, and if all
/// of them wait after all, as threads that rest they hold 640 KiB for some seconds.
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
    /// Since when it is waited for, where nobody else's time is counted with it.
    waited_since: Option<Instant>,
    /// Whether what has come since its last word, if anything has, came without letting anybody wait.
    came_quickly: Option<bool>,
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
    /// Takes a newcomer for quick before it has said anything, if those before it were; whether it is.
    pub(crate) fn take_on_trust(&mut self) -> bool {
        if self.repute == Repute::None && TRUST.take() {
            self.repute = Repute::Trusted;
        }
        self.repute == Repute::Trusted
    }

    /// It is waited for, with many others. Who leaves from there has not shown that it was quick.
    pub(crate) fn waits(&mut self) {
        self.waited_since.get_or_insert_with(Instant::now);
        if self.repute == Repute::Trusted {
            self.repute = Repute::None;
        }
    }

    /// It was not what was waited for.
    pub(crate) fn waited_for_others(&mut self) {
        self.waited_since = None;
    }

    /// Something has come.
    pub(crate) fn came(&mut self) {
        let quickly = self.waited_since.take().is_none_or(|since| since.elapsed() < QUICK);
        self.came_quickly = Some(quickly && self.came_quickly != Some(false));
    }

    /// A word was in it. Several that come together are one, and so is one that comes in pieces. Who was quick before has to show it
    /// only once more.
    pub(crate) fn heard(&mut self) {
        match self.came_quickly.take() {
            None => {}
            Some(false) => self.forfeit(),
            Some(true) => {
                self.words = (self.words + 1).min(ENOUGH);
                if self.words == ENOUGH && mem::replace(&mut self.repute, Repute::Own) != Repute::Own {
                    TRUST.earn();
                }
            }
        }
    }

    /// It was waited for, or can have no thread: what it was trusted with is lost.
    pub(crate) fn forfeit(&mut self) {
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
        let mut haste = Haste::default();
        let mut says = |after: Duration| {
            // At once is no wait at all, so that no clock is asked.
            haste.waited_since = Instant::now().checked_sub(after).filter(|_| after >= QUICK);
            haste.came();
            haste.heard();
            haste.is_enough()
        };
        let at_once = Duration::ZERO;
        assert_eq!([at_once; 4].map(&mut says), [false, false, true, true]);
        assert_eq!([QUICK, at_once, QUICK, QUICK, at_once].map(&mut says), [false, true, false, false, true]);
        haste.forfeit();
        assert!(!haste.is_enough());
        haste.came();
        haste.heard();
        assert!(haste.is_enough());
    }

    /// A long line comes in many pieces, and a client that sends ahead in one.
    #[test]
    fn a_word_is_a_line_that_was_waited_for() {
        let mut haste = Haste::default();
        (0..9).for_each(|_| haste.came());
        (0..9).for_each(|_| haste.heard());
        assert_eq!(haste.words, 1);
        haste.waited_since = Instant::now().checked_sub(QUICK);
        haste.came();
        haste.came();
        haste.heard();
        haste.came();
        haste.heard();
        assert_eq!(haste.words, 2, "a piece of it was waited for");
    }

    /// Whoever answers slowly must not take that for his peer's slowness.
    #[test]
    fn only_waiting_for_the_peer_counts() {
        let mut haste = Haste::default();
        haste.waited_since = Instant::now().checked_sub(QUICK);
        haste.waited_for_others();
        haste.came();
        haste.heard();
        assert_eq!(haste.words, 1);
    }

    /// A newcomer that was trusted, and is waited for where all others are, has used it up, and earns it like anybody else.
    #[test]
    fn who_leaves_from_the_executor_gives_nothing_back() {
        let becomes = |of: fn(&mut Haste)| {
            let mut haste = Haste::default();
            haste.repute = Repute::Trusted;
            of(&mut haste);
            mem::take(&mut haste.repute)
        };
        assert!(becomes(Haste::waits) == Repute::None);
        assert!(becomes(Haste::forfeit) == Repute::Own);
    }

    #[test]
    fn trust_is_bounded_and_used_up() {
        let trust = Trust(AtomicUsize::new(0));
        assert!(!trust.take());
        (0..2 * MOST_TRUSTED).for_each(|_| trust.earn());
        assert_eq!((0..2 * MOST_TRUSTED).filter(|_| trust.take()).count(), MOST_TRUSTED);
    }
}
