//! The threads that compare passwords, and whose turn it is. Knows passwords, hashes and addresses; no names, no rights.
//!
//! Each address has a queue of its own and the queues take turns, so that a flood of guesses from one makes those wait
//! who guess, and delays an honest login elsewhere by one comparison for each address that floods.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;
use gftp_plugin::listen::household;

use super::Password;
use super::hash::Hash;

/// Comparisons that may wait, of all addresses: half a minute of work for one thread at 30 ms each, and 8 MiB where
/// every password is as long as a line may be. Beyond it the address that waits for most loses its newest.
const MOST_WAITING: usize = 1024;

/// Threads that do nothing but compare passwords. A comparison costs tens of milliseconds of a core and 19 MiB, which
/// is its purpose; a flood of logins makes logins wait and nothing else, and takes no memory but that of these threads.
pub struct Hashing {
    desk: Arc<Desk>,
}

/// What came of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// It is the password's hash.
    Right,
    /// It is not.
    Wrong,
    /// Too many wait already.
    Busy,
}

/// Where comparisons wait for a thread.
#[derive(Default)]
struct Desk {
    queues: Mutex<Queues>,
    came: Condvar,
    #[cfg(test)]
    computed: std::sync::atomic::AtomicUsize,
}

#[derive(Default)]
struct Queues {
    /// Those who have something to compare, the next one first.
    turns: VecDeque<IpAddr>,
    by_address: HashMap<IpAddr, VecDeque<Check>>,
    waiting: usize,
    /// The server is gone, and the threads may go.
    closed: bool,
}

/// A password to be compared, and who wants to know. Dropped unanswered, it says that there was no room.
struct Check {
    hash: Hash,
    password: Password,
    answer: oneshot::Sender<bool>,
}

impl Hashing {
    /// Half the cores may hash at once; the other half serves those who are in.
    pub fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        let desk = Arc::new(Desk::default());
        for _ in 0..threads {
            let desk = Arc::clone(&desk);
            std::thread::spawn(move || desk.work());
        }
        Hashing { desk }
    }

    /// Whether `hash` is the password's, for somebody at that address.
    pub async fn compare(&self, hash: Hash, password: Password, from: IpAddr) -> Compared {
        let (answer, answered) = oneshot::channel();
        self.desk.queues().add(household(from), Check { hash, password, answer });
        self.desk.came.notify_one();
        match answered.await {
            Ok(true) => Compared::Right,
            Ok(false) => Compared::Wrong,
            Err(oneshot::Canceled) => Compared::Busy,
        }
    }

    /// How many hashes were computed so far.
    #[cfg(test)]
    pub(super) fn computed(&self) -> usize {
        self.desk.computed.load(std::sync::atomic::Ordering::SeqCst)
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        self.desk.queues().closed = true;
        self.desk.came.notify_all();
    }
}

impl Desk {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of a hashing thread.
    fn work(&self) {
        let mut memory = Vec::new();
        while let Some(Check { hash, password, answer }) = self.next() {
            // Whoever asked may be gone.
            if answer.is_canceled() {
                continue;
            }
            #[cfg(test)]
            self.computed.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let _ = answer.send(hash.matches(&password, &mut memory));
        }
    }

    /// Waits for the next comparison; none when the server is gone.
    fn next(&self) -> Option<Check> {
        let mut queues = self.queues();
        loop {
            if queues.closed {
                return None;
            }
            if let Some(check) = queues.take() {
                return Some(check);
            }
            queues = self.came.wait(queues).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Queues {
    /// Adds one, in place of another one where too many wait. What is dropped here is told that there was no room.
    fn add(&mut self, from: IpAddr, check: Check) {
        if self.waiting >= MOST_WAITING && !self.make_room(from) {
            return;
        }
        let queue = self.by_address.entry(from).or_default();
        if queue.is_empty() {
            self.turns.push_back(from);
        }
        queue.push_back(check);
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

    /// Takes the first of the address whose turn it is.
    fn take(&mut self) -> Option<Check> {
        let from = self.turns.pop_front()?;
        let queue = self.by_address.get_mut(&from)?;
        let check = queue.pop_front();
        if queue.is_empty() {
            // Addresses with nothing to compare are forgotten, or the map would grow with every visitor there ever was.
            self.by_address.remove(&from);
        } else {
            self.turns.push_back(from);
        }
        self.waiting -= usize::from(check.is_some());
        check
    }
}

#[cfg(test)]
mod tests {
    use gftp_plugin::rt;

    use super::super::hash::Cost;
    use super::*;

    fn check(name: &str) -> (Check, oneshot::Receiver<bool>) {
        let (answer, answered) = oneshot::channel();
        (Check { hash: Hash::of_nobody(Cost::USUAL), password: Password::new(name), answer }, answered)
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn addresses_take_turns() {
        let mut queues = Queues::default();
        let mut answers = Vec::new();
        for (from, name) in [(1, "a"), (1, "b"), (1, "c"), (2, "d"), (3, "e"), (2, "f")] {
            let (check, answered) = check(name);
            queues.add(address(from), check);
            answers.push(answered);
        }
        let mut order = String::new();
        while let Some(check) = queues.take() {
            order += std::str::from_utf8(&check.password.0).unwrap();
        }
        assert_eq!(order, "adebfc");
        assert!(queues.by_address.is_empty() && queues.waiting == 0);
    }

    #[test]
    fn a_full_queue_costs_those_who_fill_it() {
        let mut queues = Queues::default();
        let mut flood: Vec<_> = (0..2 * MOST_WAITING)
            .map(|_| {
                let (check, answered) = check("guess");
                queues.add(address(1), check);
                answered
            })
            .collect();
        assert_eq!(queues.waiting, MOST_WAITING);
        assert_eq!(flood.iter_mut().filter_map(|answer| answer.try_recv().err()).count(), MOST_WAITING);
        let (honest, mut answered) = check("honest");
        queues.add(address(2), honest);
        assert_eq!((queues.waiting, answered.try_recv()), (MOST_WAITING, Ok(None)));
        assert!(queues.take().is_some());
        assert_eq!(queues.take().unwrap().password.0, b"honest");
        // Where everyone is as modest as the newcomer, there is no room.
        let mut queues = Queues::default();
        let answers: Vec<_> = (0..MOST_WAITING as u32)
            .map(|number| {
                let (check, answered) = check("guess");
                queues.add(IpAddr::from((number + 1).to_be_bytes()), check);
                answered
            })
            .collect();
        let (late, mut answered) = check("late");
        queues.add(address(9), late);
        assert_eq!((answered.try_recv(), answers.len()), (Err(oneshot::Canceled), MOST_WAITING));
    }

    #[test]
    fn those_who_have_left_cost_nothing() {
        let hashing = Hashing::new();
        let busy = Arc::clone(&hashing.desk);
        // Nobody takes anything while the queues are held.
        let mut queues = busy.queues();
        for _ in 0..100 {
            queues.add(address(1), check("gone").0);
        }
        drop(queues);
        let hash = Hash::of_nobody(Cost::USUAL);
        let compared = rt::block_on(hashing.compare(hash, Password::new("x"), address(1)));
        assert_eq!((compared, hashing.computed()), (Compared::Wrong, 1));
    }
}
