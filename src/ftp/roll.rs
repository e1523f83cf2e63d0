//! Who is logged in, and what they are doing: what SITE WHO tells. Refuses to know who may hear it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of a command that are remembered while it runs: its verb and enough of a path to know it by.
const MOST_DOING: usize = 200;

/// All who are logged in.
#[derive(Default)]
pub struct Roll(Mutex<HashMap<u64, Present>>);

/// One of them, in some hundred bytes: there may be ten thousand.
struct Present {
    name: Box<[u8]>,
    peer: SocketAddr,
    since: Instant,
    doing: Option<Box<[u8]>>,
}

/// A place on the roll, for as long as it is held.
pub struct Seat {
    roll: Arc<Roll>,
    session: u64,
}

/// What the roll says of a session.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its number.
    pub session: u64,
    /// The client's address.
    pub peer: SocketAddr,
    /// How long it has been logged in.
    pub here_for: Duration,
    /// The command that it is carrying out, unless that is over in a moment.
    pub doing: Option<Vec<u8>>,
}

impl Roll {
    fn map(&self) -> MutexGuard<'_, HashMap<u64, Present>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a session that has logged in as `name`.
    pub fn enter(self: &Arc<Self>, session: u64, name: &[u8], peer: SocketAddr) -> Seat {
        let present = Present { name: name.into(), peer, since: Instant::now(), doing: None };
        self.map().insert(session, present);
        Seat { roll: Arc::clone(self), session }
    }

    /// How many are logged in, and the oldest `most` sessions of those that `chosen` says so of by number and name.
    pub fn seen(&self, most: usize, chosen: impl Fn(u64, &[u8]) -> bool) -> (usize, Vec<Seen>) {
        let map = self.map();
        let mut sessions: Vec<_> = map.iter().filter(|(session, present)| chosen(**session, &present.name)).collect();
        sessions.sort_unstable_by_key(|(session, _)| **session);
        let seen = sessions.into_iter().take(most).map(|(session, present)| Seen {
            session: *session,
            peer: present.peer,
            here_for: present.since.elapsed(),
            doing: present.doing.as_deref().map(<[u8]>::to_vec),
        });
        (map.len(), seen.collect())
    }
}

impl Seat {
    /// Says what the session is doing from now on; none: nothing that takes time.
    pub fn set_doing(&self, command: Option<&[u8]>) {
        let doing = command.map(|command| command[..command.len().min(MOST_DOING)].into());
        if let Some(present) = self.roll.map().get_mut(&self.session) {
            present.doing = doing;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.roll.map().remove(&self.session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_is_on_no_roll() {
        let (roll, peer) = (Arc::new(Roll::default()), SocketAddr::from(([127, 0, 0, 1], 2)));
        let first = roll.enter(1, b"alice", peer);
        let second = roll.enter(2, b"bob", peer);
        second.set_doing(Some(&[b'x'; 1000]));
        let (all, seen) = roll.seen(9, |_, name| name == b"bob");
        assert_eq!((all, seen.len()), (2, 1));
        assert_eq!((seen[0].session, seen[0].doing.as_ref().map(Vec::len)), (2, Some(MOST_DOING)));
        second.set_doing(None);
        drop(first);
        let (all, seen) = roll.seen(9, |session, _| session == 2);
        assert_eq!((all, seen[0].doing.is_none()), (1, true));
        assert_eq!(roll.seen(0, |_, _| true).1, []);
        drop(second);
        assert_eq!(roll.seen(9, |_, _| true).0, 0);
    }

    #[test]
    fn ten_thousand_are_light() {
        assert!(size_of::<Present>() + size_of::<u64>() + size_of::<Seat>() <= 120);
    }
}
