//! Those who wait: some for a time, the others for their turn, which comes to who has had least. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

/// Where somebody stands in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What it has had, in bytes: who has had less comes first.
    pub had: u64,
    /// Before this time it may have nothing.
    pub at: Duration,
}

/// A queue of numbers, each of which stands in it once at most.
#[derive(Debug, Default)]
pub struct Queue {
    ready: BTreeSet<(u64, u64)>,
    asleep: BTreeSet<(Duration, u64)>,
    /// What the last one served had had: a newcomer is taken for one who has had as much, so that it neither waits for the
    /// others nor makes them wait for all that they had before it came.
    pub level: u64,
}

impl Queue {
    /// Puts it in.
    pub fn put(&mut self, number: u64, standing: Standing, now: Duration) {
        match standing.at <= now {
            true => self.ready.insert((standing.had, number)),
            false => self.asleep.insert((standing.at, number)),
        };
    }

    /// Takes it out; `standing` is what it was put in with.
    pub fn remove(&mut self, number: u64, standing: Standing) {
        if !self.ready.remove(&(standing.had, number)) {
            self.asleep.remove(&(standing.at, number));
        }
    }

    /// Whose turn it is.
    pub fn first(&self) -> Option<u64> {
        self.ready.first().map(|(_, number)| *number)
    }

    /// One whose time has come, and who does not wait for its turn yet.
    pub fn woken(&self, now: Duration) -> Option<u64> {
        self.asleep.first().filter(|(at, _)| *at <= now).map(|(_, number)| *number)
    }

    /// When somebody may have something; none where nobody waits.
    pub fn next(&self) -> Option<Duration> {
        match self.ready.is_empty() {
            true => self.asleep.first().map(|(at, _)| *at),
            false => Some(Duration::ZERO),
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.ready.len() + self.asleep.len()
    }
}
