//! How many connections an address makes in a second. Pure: time is a parameter.

use std::time::Instant;

use ipnet::IpNet;

use super::remembered::Remembered;

/// Addresses that are remembered at once, of some 50 bytes each: one that is forgotten may make a burst again.
const MOST_ADDRESSES: usize = 65_536;
/// How many seconds' worth may come at once: clients open all their connections together.
const BURST: u32 = 4;

/// What each address may still do.
pub struct Rates {
    buckets: Remembered<IpNet, Bucket>,
    per_second: u32,
}

/// What one address may still do; none: as much as can be.
#[derive(Default)]
struct Bucket(Option<Left>);

struct Left {
    connections: f64,
    /// When that was reckoned.
    since: Instant,
    /// It has been too fast, and has not rested since.
    is_dry: bool,
}

/// Whether one more may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It may.
    Fine,
    /// It may not, for the first time in a while.
    TooFastNow,
    /// It may not, as those before it.
    TooFastStill,
}

impl Rates {
    /// So many in a second at most.
    pub fn new(per_second: u32) -> Self {
        Rates { buckets: Remembered::new(MOST_ADDRESSES), per_second }
    }

    /// One has come.
    pub fn count(&mut self, from: IpNet, now: Instant) -> Pace {
        let full = f64::from(self.per_second) * f64::from(BURST);
        let Bucket(bucket) = self.buckets.entry(from);
        let left = bucket.get_or_insert(Left { connections: full, since: now, is_dry: false });
        let gained = now.saturating_duration_since(left.since).as_secs_f64() * f64::from(self.per_second);
        left.connections = (left.connections + gained).min(full);
        left.since = now;
        if left.connections >= full / 2.0 {
            left.is_dry = false;
        }
        if left.connections >= 1.0 {
            left.connections -= 1.0;
            return Pace::Fine;
        }
        // Who is turned away loses nothing by it, so who waits a moment may come again.
        if std::mem::replace(&mut left.is_dry, true) { Pace::TooFastStill } else { Pace::TooFastNow }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::super::scores::narrow;
    use super::*;

    #[test]
    fn a_burst_and_then_so_many_a_second() {
        let (mut rates, now) = (Rates::new(50), Instant::now());
        let one = narrow([192, 0, 2, 1].into());
        let at_once = (0..1000).filter(|_| rates.count(one, now) == Pace::Fine).count();
        assert_eq!(at_once, 200);
        assert_eq!(rates.count(narrow([192, 0, 2, 2].into()), now), Pace::Fine, "another has its own");
        let (mut now, mut fine) = (now, 0);
        for _ in 0..10_000 {
            now += Duration::from_millis(1);
            fine += usize::from(rates.count(one, now) == Pace::Fine);
        }
        assert!((495..=505).contains(&fine), "{fine} in ten seconds");
        assert_eq!(rates.count(one, now + Duration::from_secs(60)), Pace::Fine);
    }

    #[test]
    fn the_beginning_is_told_from_the_rest() {
        let (mut rates, now) = (Rates::new(1), Instant::now());
        let one = narrow([192, 0, 2, 1].into());
        let paces: Vec<_> = (0..7).map(|_| rates.count(one, now)).collect();
        assert_eq!(paces[..4], [Pace::Fine; 4]);
        assert_eq!(paces[4..], [Pace::TooFastNow, Pace::TooFastStill, Pace::TooFastStill]);
        let later = now + Duration::from_secs(1);
        assert_eq!([rates.count(one, later), rates.count(one, later)], [Pace::Fine, Pace::TooFastStill]);
    }

    /// A million addresses cost what sixty thousand cost.
    #[test]
    fn a_million_addresses_are_forgotten_again() {
        let (mut rates, now) = (Rates::new(50), Instant::now());
        for number in 0..1_000_000_u32 {
            rates.count(narrow(IpAddr::from(number.to_be_bytes())), now);
        }
        assert!(rates.buckets.len() <= MOST_ADDRESSES, "{}", rates.buckets.len());
    }
}
