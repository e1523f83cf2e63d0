//! Whose turn it is, where one is served at a time: strictly in the order of the numbers that the host gave to the
//! connections as it accepted them. Knows no connection and no clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event_listener::Event;

/// The queue. As long as the host lets people in.
#[derive(Default)]
pub(crate) struct Turns {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    taken: bool,
    /// Who waits, each with what wakes it and nobody else: ten thousand need not wake for one who leaves.
    waiting: BTreeMap<u64, Arc<Event>>,
}

/// Somebody's turn; it passes on when this is dropped.
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
}

/// A place in the queue; given up when dropped.
struct Place<'a> {
    turns: &'a Turns,
    number: u64,
    called: Arc<Event>,
}

impl Turns {
    /// Somebody has come, and will wait for a turn.
    pub(crate) fn enter(&self, number: u64) -> Arc<Event> {
        Arc::clone(self.queue().waiting.entry(number).or_default())
    }

    /// Waits for the turn of this number, which may have entered before. Dropping the future gives up the place, also
    /// before it has been polled.
    pub(crate) fn turn(&self, number: u64) -> impl Future<Output = Turn<'_>> {
        let place = Place { turns: self, number, called: self.enter(number) };
        async move {
            loop {
                let called = place.called.listen();
                if let Some(turn) = self.take(number) {
                    return turn;
                }
                called.await;
            }
        }
    }

    fn take(&self, number: u64) -> Option<Turn<'_>> {
        let mut queue = self.queue();
        let is_next = !queue.taken && queue.waiting.keys().next() == Some(&number);
        queue.taken |= is_next;
        is_next.then(|| Turn { turns: self })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // A panic elsewhere cannot leave it half-written: each change is one call.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn call_next(&self) {
        if let (false, Some(called)) = (self.taken, self.waiting.values().next()) {
            called.notify(1);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queue = self.turns.queue();
        queue.waiting.remove(&self.number);
        queue.call_next();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = self.turns.queue();
        queue.taken = false;
        queue.call_next();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn in_order_and_not_otherwise() {
        let turns = Turns::default();
        let first = turns.turn(1).now_or_never().expect("nobody else is there");
        let (mut third, mut second) = (Box::pin(turns.turn(3)), Box::pin(turns.turn(2)));
        assert!((&mut third).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        drop(first);
        assert!((&mut third).now_or_never().is_none(), "the second came before");
        assert!(turns.turn(4).now_or_never().is_none(), "whoever comes later does not get between");
        let turn = second.now_or_never().expect("it is its turn");
        assert!((&mut third).now_or_never().is_none());
        drop(turn);
        assert!(third.now_or_never().is_some());
        assert!(turns.turn(5).now_or_never().is_some(), "who has left has no place");
    }

    #[test]
    fn who_has_come_first_is_first_however_late_it_asks() {
        let turns = Turns::default();
        turns.enter(1);
        let mut second = Box::pin(turns.turn(2));
        assert!((&mut second).now_or_never().is_none());
        drop(turns.turn(1).now_or_never().expect("it is its turn"));
        assert!(second.now_or_never().is_some());
    }

    #[test]
    fn who_has_left_before_it_could_ask_has_no_place() {
        let turns = Turns::default();
        turns.enter(1);
        let mut second = Box::pin(turns.turn(2));
        assert!((&mut second).now_or_never().is_none());
        drop(turns.turn(1));
        assert!(second.now_or_never().is_some());
    }

    #[test]
    fn who_leaves_gives_up_the_place_even_when_called() {
        let turns = Turns::default();
        let first = turns.turn(1).now_or_never().expect("nobody else is there");
        let (mut second, mut third) = (Box::pin(turns.turn(2)), Box::pin(turns.turn(3)));
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        drop(first);
        // It was woken, and leaves instead.
        drop(second);
        assert!(third.now_or_never().is_some());
    }
}
