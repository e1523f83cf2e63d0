//! The time of day, and waiting: the machine's, or a clock that a test sets by hand. Knows no protocol. What bounds
//! strangers ([`Limits`](crate::Limits)) is always by the machine's time.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use event_listener::Event;

use crate::rt;

/// A clock, for services that do things at a certain time. Clones show the same time.
#[derive(Clone)]
pub struct Time {
    by: By,
}

#[derive(Clone)]
enum By {
    Machine { since: Instant },
    Hand(Arc<Hands>),
}

struct Hands {
    state: Mutex<State>,
    /// The time was moved.
    moved: Event,
    /// Somebody began or ceased to wait.
    changed: Event,
}

struct State {
    /// What the clock showed when nothing had elapsed.
    start: SystemTime,
    elapsed: Duration,
    /// Until when those wait who do, by the number that each was given.
    waiting: BTreeMap<u64, Duration>,
    next: u64,
}

/// What moves a [`Time::by_hand`].
pub struct Hand(Arc<Hands>);

impl Time {
    /// The machine's.
    pub fn machine() -> Time {
        Time { by: By::Machine { since: Instant::now() } }
    }

    /// A clock that stands at `start` and moves only by its [`Hand`]: for tests.
    pub fn by_hand(start: SystemTime) -> (Time, Hand) {
        let state = State { start, elapsed: Duration::ZERO, waiting: BTreeMap::new(), next: 0 };
        let hands = Arc::new(Hands { state: Mutex::new(state), moved: Event::new(), changed: Event::new() });
        (Time { by: By::Hand(Arc::clone(&hands)) }, Hand(hands))
    }

    /// The time of day. Somebody may set it, so it is for showing and not for waiting.
    pub fn now(&self) -> SystemTime {
        match &self.by {
            By::Machine { .. } => SystemTime::now(),
            By::Hand(hands) => {
                let state = hands.state();
                state.start + state.elapsed
            }
        }
    }

    /// Time since this clock was made; nobody can set it.
    pub fn elapsed(&self) -> Duration {
        match &self.by {
            By::Machine { since } => since.elapsed(),
            By::Hand(hands) => hands.state().elapsed,
        }
    }

    /// Waits for as long.
    pub fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send + use<> {
        self.sleep_until(self.elapsed().saturating_add(time))
    }

    /// Waits until [`elapsed`](Time::elapsed) is that much.
    pub fn sleep_until(&self, at: Duration) -> impl Future<Output = ()> + Send + use<> {
        let time = self.clone();
        async move {
            match &time.by {
                By::Machine { since } => rt::sleep(at.saturating_sub(since.elapsed())).await,
                By::Hand(hands) => hands.wait(at).await,
            }
        }
    }
}

impl Hand {
    /// Moves the time on. Whoever waited for that is woken, and has not run yet when this returns.
    pub fn advance(&self, by: Duration) {
        self.0.state().elapsed += by;
        self.0.moved.notify(usize::MAX);
    }

    /// Sets the time of day, as somebody may. Nothing has elapsed by that, and nobody is woken.
    pub fn set(&self, now: SystemTime) {
        let mut state = self.0.state();
        // What cannot be counted from is left as it is.
        state.start = now.checked_sub(state.elapsed).unwrap_or(state.start);
    }

    /// Waits until so many wait for a time that has not come: what they do before they wait is done then.
    pub async fn until_waiting(&self, count: usize) {
        loop {
            let changed = self.0.changed.listen();
            if self.0.state().waiting() == count {
                return;
            }
            changed.await;
        }
    }
}

impl State {
    fn waiting(&self) -> usize {
        self.waiting.values().filter(|&&until| until > self.elapsed).count()
    }
}

impl Hands {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave it half-written: each change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait(&self, until: Duration) {
        let _waiter = Waiter::new(self, until);
        loop {
            let moved = self.moved.listen();
            if self.state().elapsed >= until {
                return;
            }
            moved.await;
        }
    }
}

/// Somebody who waits; dropped, it no longer counts.
struct Waiter<'a> {
    hands: &'a Hands,
    number: u64,
}

impl<'a> Waiter<'a> {
    fn new(hands: &'a Hands, until: Duration) -> Self {
        let mut state = hands.state();
        let number = state.next;
        state.next += 1;
        state.waiting.insert(number, until);
        drop(state);
        hands.changed.notify(usize::MAX);
        Waiter { hands, number }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.hands.state().waiting.remove(&self.number);
        self.hands.changed.notify(usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::join;

    use super::*;

    #[test]
    fn a_clock_moves_by_its_hand_only() {
        let (time, hand) = Time::by_hand(SystemTime::UNIX_EPOCH);
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let sleeps = rt::spawn({
            let time = time.clone();
            async move { join(time.sleep(second), time.sleep_until(minute)).map(|_| time.elapsed()).await }
        });
        rt::block_on(async {
            hand.until_waiting(2).await;
            hand.advance(second);
            hand.until_waiting(1).await;
            assert_eq!(time.now(), SystemTime::UNIX_EPOCH + second);
            hand.advance(minute);
            assert_eq!(sleeps.await, second + minute);
            hand.until_waiting(0).await;
            hand.set(SystemTime::UNIX_EPOCH);
            assert_eq!((time.now(), time.elapsed()), (SystemTime::UNIX_EPOCH, second + minute));
        });
    }
}
