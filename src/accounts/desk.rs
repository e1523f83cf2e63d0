//! Where logins wait to be looked at, and whose turn it is. Knows addresses; it refuses to know what is asked.
//!
//! Each address has a queue of its own and the queues take turns, so that a flood of guesses from one makes those wait
//! who guess, and delays an honest login elsewhere by one question for each address that floods.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use gftp_plugin::listen::household;

/// Questions that may wait, of all addresses: half a minute of work for one thread at 30 ms each, and 8 MiB where
/// every password is as long as a line may be. Beyond it the address that waits for most loses its newest.
pub(super) const MOST_WAITING: usize = 1024;

/// Where questions wait for a thread. One that is dropped unanswered tells its asker that there was no room.
pub(super) struct Desk<T> {
    queues: Mutex<Queues<T>>,
    came: Condvar,
}

struct Queues<T> {
    /// Those who have something to ask, the next one first.
    turns: VecDeque<IpAddr>,
    by_address: HashMap<IpAddr, VecDeque<T>>,
    waiting: usize,
    /// The server is gone, and the threads may go.
    closed: bool,
}

impl<T> Desk<T> {
    /// Nothing waits.
    pub(super) fn new() -> Self {
        Desk { queues: Mutex::new(Queues::new()), came: Condvar::new() }
    }

    /// Adds a question of somebody at that address.
    pub(super) fn add(&self, from: IpAddr, question: T) {
        self.queues().add(household(from), question);
        self.came.notify_one();
    }

    /// Waits for the next question; none when the server is gone.
    pub(super) fn next(&self) -> Option<T> {
        let mut queues = self.queues();
        loop {
            if queues.closed {
                return None;
            }
            if let Some(question) = queues.take() {
                return Some(question);
            }
            queues = self.came.wait(queues).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Drops the questions for which it is true, where nobody may take one soon.
    pub(super) fn drop_where(&self, is_so: impl Fn(&T) -> bool) {
        self.queues().drop_where(is_so);
    }

    /// Whether the server is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.queues().closed
    }

    /// The server is gone.
    pub(super) fn close(&self) {
        let mut queues = self.queues();
        queues.closed = true;
        // Whoever still waits is told so by being dropped.
        queues.by_address.clear();
        queues.turns.clear();
        drop(queues);
        self.came.notify_all();
    }

    fn queues(&self) -> MutexGuard<'_, Queues<T>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Queues<T> {
    fn new() -> Self {
        Queues { turns: VecDeque::new(), by_address: HashMap::new(), waiting: 0, closed: false }
    }

    /// Adds one, in place of another one where too many wait. What is dropped here is told that there was no room.
    fn add(&mut self, from: IpAddr, question: T) {
        if self.closed || (self.waiting >= MOST_WAITING && !self.make_room(from)) {
            return;
        }
        let queue = self.by_address.entry(from).or_default();
        if queue.is_empty() {
            self.turns.push_back(from);
        }
        queue.push_back(question);
        self.waiting += 1;
    }

    /// Drops the newest of the address that waits for most; false if that is the newcomer's, or is as modest as it.
    fn make_room(&mut self, from: IpAddr) -> bool {
        let own = self.by_address.get(&from).map_or(0, VecDeque::len);
        let greediest = self.by_address.values_mut().max_by_key(|queue| queue.len());
        match greediest.filter(|queue| queue.len() > own + 1) {
            None => false,
            Some(queue) => {
                // At least one stays, so the turns need not change.
                queue.pop_back();
                self.waiting -= 1;
                true
            }
        }
    }

    fn drop_where(&mut self, is_so: impl Fn(&T) -> bool) {
        for queue in self.by_address.values_mut() {
            let before = queue.len();
            queue.retain(|question| !is_so(question));
            self.waiting -= before - queue.len();
        }
        self.by_address.retain(|_, queue| !queue.is_empty());
        self.turns.retain(|from| self.by_address.contains_key(from));
    }

    /// Takes the first of the address whose turn it is.
    fn take(&mut self) -> Option<T> {
        let from = self.turns.pop_front()?;
        let queue = self.by_address.get_mut(&from)?;
        let question = queue.pop_front();
        if queue.is_empty() {
            // Addresses with nothing to ask are forgotten, or the map would grow with every visitor there ever was.
            self.by_address.remove(&from);
        } else {
            self.turns.push_back(from);
        }
        self.waiting -= usize::from(question.is_some());
        question
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn addresses_take_turns() {
        let mut queues = Queues::new();
        for (from, name) in [(1, 'a'), (1, 'b'), (1, 'c'), (2, 'd'), (3, 'e'), (2, 'f')] {
            queues.add(address(from), name);
        }
        let order: String = std::iter::from_fn(|| queues.take()).collect();
        assert_eq!(order, "adebfc");
        assert!(queues.by_address.is_empty() && queues.waiting == 0);
    }

    #[test]
    fn a_full_queue_costs_those_who_fill_it() {
        let mut queues = Queues::new();
        for _ in 0..2 * MOST_WAITING {
            queues.add(address(1), "guess");
        }
        assert_eq!(queues.waiting, MOST_WAITING);
        queues.add(address(2), "honest");
        assert_eq!(queues.waiting, MOST_WAITING);
        assert_eq!((queues.take(), queues.take()), (Some("guess"), Some("honest")));
        // Where everyone is as modest as the newcomer, there is no room.
        let mut queues = Queues::new();
        for number in 0..MOST_WAITING as u32 {
            queues.add(IpAddr::from((number + 1).to_be_bytes()), "guess");
        }
        queues.add(address(9), "late");
        assert!(std::iter::from_fn(|| queues.take()).all(|name| name == "guess"));
    }

    #[test]
    fn who_is_dropped_has_no_turn() {
        let mut queues = Queues::new();
        for (from, name) in [(1, 'a'), (2, 'x'), (1, 'x'), (3, 'b'), (1, 'c')] {
            queues.add(address(from), name);
        }
        queues.drop_where(|&name| name == 'x');
        assert_eq!((queues.waiting, queues.turns.len()), (3, 2));
        queues.add(address(2), 'd');
        let order: String = std::iter::from_fn(|| queues.take()).collect();
        assert_eq!(order, "abdc");
        assert!(queues.by_address.is_empty() && queues.waiting == 0);
    }

    #[test]
    fn a_closed_desk_takes_nothing() {
        let desk = Desk::new();
        desk.add(address(1), "asked");
        desk.close();
        desk.add(address(1), "late");
        assert!(desk.is_closed() && desk.next().is_none());
    }
}
