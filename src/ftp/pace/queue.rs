//! Those who wait: some for a time, the others for their turn, which comes to who has had least, and to who has waited for
//! too long. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

/// Whoever might have had its turn for so long is next, however much it has had: where many come at once, all that one had
/// while it was alone would keep it waiting until each of them has had as much.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Where somebody stands in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What it has had, in bytes: who has had less comes first.
    pub had: u64,
    /// From when on it may have something: before this time it sleeps, after it, it waits for its turn.
    pub at: Duration,
}

/// A queue of numbers, each of which stands in it once at most.
#[derive(Debug, Default)]
pub struct Queue {
    ready: BTreeSet<(u64, u64)>,
    /// The same by the time since when they wait.
    since: BTreeSet<(Duration, u64)>,
    asleep: BTreeSet<(Duration, u64)>,
    /// What the last one served had had: a newcomer is taken for one who has had as much, so that it neither waits for the
    /// others nor makes them wait for all that they had before it came.
    pub level: u64,
}

impl Queue {
    /// Puts it in.
    pub fn put(&mut self, number: u64, standing: Standing, now: Duration) {
        if standing.at <= now {
            self.ready.insert((standing.had, number));
            self.since.insert((standing.at, number));
        } else {
            self.asleep.insert((standing.at, number));
        }
    }

    /// Takes it out; `standing` is what it was put in with.
    pub fn remove(&mut self, number: u64, standing: Standing) {
        self.ready.remove(&(standing.had, number));
        self.since.remove(&(standing.at, number));
        self.asleep.remove(&(standing.at, number));
    }

    /// Whose turn it is.
    pub fn first(&self, now: Duration) -> Option<u64> {
        let longest = self.since.first().filter(|(since, _)| *since + LONGEST_WAIT <= now);
        longest.map(|(_, number)| *number).or_else(|| self.ready.first().map(|(_, number)| *number))
    }

    /// One whose time has come, and who does not wait for its turn yet.
    pub fn woken(&self, now: Duration) -> Option<u64> {
        self.asleep.first().filter(|(at, _)| *at <= now).map(|(_, number)| *number)
    }

    /// When the first of them may have something, or since when; none where nobody waits.
    pub fn next(&self) -> Option<Duration> {
        self.since.first().or_else(|| self.asleep.first()).map(|(at, _)| *at)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.ready.len() + self.asleep.len()
    }
}
