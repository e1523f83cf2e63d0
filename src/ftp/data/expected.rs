//! Who is expected where: pairs of a listener and a client's address, each given to one session at a time. Knows no
//! sockets: time is a parameter, and what is delivered is the caller's.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long a pair stays unused after an expectation died, unless its connection comes late: a SYN that was lost is sent
/// again after 1, 3 and 7 seconds, so what was on its way then arrives within this.
pub const QUARANTINE: Duration = Duration::from_secs(8);
/// How long a port is held for a client that asked for one and neither connected nor began a transfer.
pub const EXPECTED_FOR: Duration = Duration::from_secs(60);
/// How long a pair stays unused after a connection that nobody expected: somebody at that address may be trying to be
/// there before the one who is meant (RFC 2577 §7).
pub const KNOCKED: Duration = Duration::from_secs(2);
/// Pairs that rest or are expected, at most, when one more is to rest for a stranger's knock: 5 MB. Who comes from more addresses than that
/// within seconds, as a network of IPv6 has, is not remembered, and may find a port free that he was at before.
const MOST_KNOCKED: usize = 64 * 1024;
/// Entries after which the expired ones are swept out, so that they cannot gather.
const SWEEP_AT: usize = 1024;

/// Which listener, by its number, and from which address.
pub type Pair = (usize, IpAddr);

/// The expectations that stand, and the pairs that rest. `D` is what a connection is delivered by.
pub struct Expected<D> {
    slots: HashMap<Pair, Slot<D>>,
    /// Numbers expectations, so that an old one cannot be taken for a new one on the same pair.
    last: u64,
    sweep_at: usize,
    swept: Option<Instant>,
}

enum Slot<D> {
    /// Once its connection has come the pair is free; where it is `stale`, once the session has made its choice.
    Expected { session: u64, number: u64, since: Instant, stale: bool, deliver: D },
    /// Free again at `until`, or when what was on its way has come; for the session that left it so, at once if need be:
    /// what comes late is its own.
    Resting { session: Option<u64>, until: Instant },
}

/// Whether a pair may be given to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vacancy {
    /// To anyone.
    Free,
    /// Only to this very session, which left it unused a moment ago.
    Left,
    /// Not now.
    Taken,
}

impl<D> Default for Expected<D> {
    fn default() -> Self {
        Expected { slots: HashMap::new(), last: 0, sweep_at: SWEEP_AT, swept: None }
    }
}

impl<D: Clone> Expected<D> {
    /// Whether a pair may be given to `session`. An expectation that has stood too long ends here; its session finds
    /// out when it wants to transfer.
    pub fn vacancy(&mut self, pair: Pair, session: u64, now: Instant) -> Vacancy {
        match self.slots.get(&pair) {
            None => Vacancy::Free,
            Some(Slot::Resting { until, .. }) if *until <= now => Vacancy::Free,
            Some(Slot::Resting { session: left, .. }) if *left == Some(session) => Vacancy::Left,
            Some(Slot::Resting { .. }) => Vacancy::Taken,
            Some(&Slot::Expected { session: other, since, .. }) => {
                if now.duration_since(since) > EXPECTED_FOR {
                    self.rest(pair, Some(other), now + QUARANTINE);
                }
                Vacancy::Taken
            }
        }
    }

    /// Gives a pair to `session`; the number names this expectation.
    pub fn expect(&mut self, pair: Pair, session: u64, stale: bool, deliver: D, now: Instant) -> u64 {
        self.sweep(now);
        self.last += 1;
        self.slots.insert(pair, Slot::Expected { session, number: self.last, since: now, stale, deliver });
        self.last
    }

    /// A connection has come: by what it is delivered, or None if nobody expects it.
    pub fn arrived(&mut self, pair: Pair, now: Instant) -> Option<D> {
        match self.slots.remove(&pair) {
            Some(Slot::Expected { session, number, since, stale, deliver }) => {
                if stale {
                    let deliver = deliver.clone();
                    self.slots.insert(pair, Slot::Expected { session, number, since, stale, deliver });
                }
                Some(deliver)
            }
            // What the pair rested for.
            Some(Slot::Resting { session: Some(_), until }) if until > now => None,
            _ => {
                self.sweep(now);
                if self.slots.len() < MOST_KNOCKED {
                    self.rest(pair, None, now + KNOCKED);
                }
                None
            }
        }
    }

    /// An expectation has ended; if its connection had not come, the pair rests.
    pub fn ended(&mut self, pair: Pair, number: u64, now: Instant) {
        if let Some(&Slot::Expected { session, number: standing, .. }) = self.slots.get(&pair)
            && standing == number
        {
            self.rest(pair, Some(session), now + QUARANTINE);
        }
    }

    fn rest(&mut self, pair: Pair, session: Option<u64>, until: Instant) {
        self.slots.insert(pair, Slot::Resting { session, until });
    }

    fn sweep(&mut self, now: Instant) {
        // A flood of knocks is over when as much time has gone by, however few come after it.
        let is_long_ago = self.swept.is_none_or(|swept| now.duration_since(swept) >= KNOCKED);
        if self.slots.len() >= self.sweep_at || (self.slots.len() >= SWEEP_AT && is_long_ago) {
            self.slots.retain(|_, slot| !matches!(slot, Slot::Resting { until, .. } if *until <= now));
            // What is left is alive; sweeping again before it has doubled would be work without yield.
            self.sweep_at = SWEEP_AT.max(self.slots.len() * 2);
            self.slots.shrink_to(self.sweep_at);
            self.swept = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: Pair = (0, IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_pair_belongs_to_one_session_until_its_connection_has_come() {
        let (mut expected, now) = (Expected::default(), Instant::now());
        assert_eq!(expected.vacancy(PAIR, 1, now), Vacancy::Free);
        expected.expect(PAIR, 1, false, "one", now);
        assert_eq!(expected.vacancy(PAIR, 1, now), Vacancy::Taken);
        assert_eq!(expected.vacancy((0, [127, 0, 0, 2].into()), 2, now), Vacancy::Free);
        assert_eq!(expected.arrived(PAIR, now), Some("one"));
        assert_eq!(expected.vacancy(PAIR, 2, now), Vacancy::Free);
    }

    #[test]
    fn what_comes_late_reaches_nobody_and_ends_the_rest() {
        let (mut expected, now) = (Expected::default(), Instant::now());
        let number = expected.expect(PAIR, 1, false, "one", now);
        expected.ended(PAIR, number, now);
        assert_eq!(expected.vacancy(PAIR, 2, now + QUARANTINE - SECOND), Vacancy::Taken);
        assert_eq!(expected.vacancy(PAIR, 1, now), Vacancy::Left);
        assert_eq!(expected.vacancy(PAIR, 2, now + QUARANTINE), Vacancy::Free);
        assert_eq!(expected.arrived(PAIR, now + SECOND), None);
        assert_eq!(expected.vacancy(PAIR, 2, now + SECOND), Vacancy::Free);
    }

    #[test]
    fn an_ended_expectation_does_not_end_its_successor() {
        let (mut expected, now) = (Expected::default(), Instant::now());
        let old = expected.expect(PAIR, 1, false, "old", now);
        expected.expect(PAIR, 1, true, "new", now);
        expected.ended(PAIR, old, now);
        // Both the stale connection and the one that is meant come to the new one.
        assert_eq!(expected.arrived(PAIR, now), Some("new"));
        assert_eq!(expected.arrived(PAIR, now), Some("new"));
    }

    #[test]
    fn a_pair_that_strangers_knock_at_is_given_to_nobody() {
        let (mut expected, now) = (Expected::<()>::default(), Instant::now());
        assert_eq!(expected.arrived(PAIR, now), None);
        assert_eq!(expected.arrived(PAIR, now + SECOND), None);
        assert_eq!(expected.vacancy(PAIR, 1, now + KNOCKED), Vacancy::Taken);
        assert_eq!(expected.vacancy(PAIR, 1, now + SECOND + KNOCKED), Vacancy::Free);
    }

    #[test]
    fn a_port_that_nobody_came_for_is_taken_back() {
        let (mut expected, now) = (Expected::default(), Instant::now());
        expected.expect(PAIR, 1, false, (), now);
        let later = now + EXPECTED_FOR + SECOND;
        assert_eq!(expected.vacancy(PAIR, 2, later), Vacancy::Taken);
        assert_eq!(expected.vacancy(PAIR, 2, later + QUARANTINE), Vacancy::Free);
    }

    /// A network of IPv6 has more addresses than any memory, and nobody need ask for a port meanwhile.
    #[test]
    fn those_who_knock_do_not_gather() {
        let (mut expected, mut now) = (Expected::<()>::default(), Instant::now());
        let from = |number: u128| IpAddr::from((0x2001_0db8 << 96 | number).to_be_bytes());
        for number in 0..200_000 {
            expected.arrived((0, from(number)), now);
        }
        assert!(expected.slots.len() <= MOST_KNOCKED, "{}", expected.slots.len());
        for number in 0..200_000 {
            now += KNOCKED / 100;
            expected.arrived((0, from(number)), now);
        }
        let (there, room) = (expected.slots.len(), expected.slots.capacity());
        assert!(there <= 2 * SWEEP_AT && room <= 8 * SWEEP_AT, "{there} in {room}");
    }

    #[test]
    fn what_rests_does_not_gather() {
        let (mut expected, mut now) = (Expected::default(), Instant::now());
        for number in 0..100_000 {
            let number = expected.expect((number, PAIR.1), 1, false, (), now);
            expected.ended((number as usize - 1, PAIR.1), number, now);
            now += QUARANTINE / 100;
        }
        assert!(expected.slots.len() <= 2 * SWEEP_AT, "{}", expected.slots.len());
    }
}
