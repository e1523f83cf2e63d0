//! One cap: when the next bytes may pass under it. Pure: the time is told. It refuses to know who wants them.

use std::num::NonZeroU64;
use std::time::Duration;

/// What a cap that nobody used for a while lets through at once, as the time that it takes to gather: too short to be seen
/// in a rate over seconds, long enough that a task which comes late by some milliseconds loses nothing of its rate.
const BURST: Duration = Duration::from_millis(100);
/// A slow cap lets so many bytes through at once all the same: a short listing or a small file need not wait.
const LEAST_BURST: u64 = 16 * 1024;
/// Grants in a second for each who takes all that it may: rarely enough to cost nothing, often enough to look steady.
const GRANTS: u64 = 20;
/// A grant is not smaller than this where that is not more than a second's worth: smaller ones cost a trip for nothing.
const USUAL_GRANT: u64 = 16 * 1024;
/// No grant is smaller than this, however slow the cap is and however many share it.
pub const LEAST_GRANT: u64 = 1024;

/// A cap, or none.
#[derive(Debug)]
pub struct Cap {
    rate: Option<NonZeroU64>,
    /// When all that was taken is paid for. What lies in the past by up to the burst may be taken at once.
    free: Duration,
}

impl Cap {
    /// One of so many bytes a second, of which nothing has been taken.
    pub fn new(rate: Option<NonZeroU64>) -> Cap {
        Cap { rate, free: Duration::ZERO }
    }

    /// From now on it is this rate; what was taken stays taken.
    pub fn set(&mut self, rate: Option<NonZeroU64>) {
        self.rate = rate;
    }

    /// From when on something may pass.
    pub fn free_at(&self) -> Duration {
        self.rate.map_or(Duration::ZERO, |_| self.free)
    }

    /// Whether all that it would let through at once has gathered: it is as good as a new one.
    pub fn is_rested(&self, now: Duration) -> bool {
        self.rate.is_none_or(|rate| self.free + burst(rate) <= now)
    }

    /// Takes so many bytes. More than is free is paid for later.
    pub fn take(&mut self, bytes: u64, now: Duration) {
        if let Some(rate) = self.rate {
            self.free = self.free.max(now.saturating_sub(burst(rate))).saturating_add(time_for(bytes, rate));
        }
    }

    /// Gives back bytes that were taken and did not pass.
    pub fn give_back(&mut self, bytes: u64) {
        if let Some(rate) = self.rate {
            self.free = self.free.saturating_sub(time_for(bytes, rate));
        }
    }

    /// What one of so many who want it now may have in a second.
    pub fn share(&self, wanting: u64) -> u64 {
        self.rate.map_or(u64::MAX, |rate| rate.get() / wanting.max(1))
    }

    /// The most that one of so many who want it now may be granted: all have had their turn within a twentieth of a
    /// second, or within a second where grants would be small, unless even the smallest ones take longer.
    pub fn largest_grant(&self, wanting: u64) -> u64 {
        let share = self.share(wanting);
        (share / GRANTS).max(share.min(USUAL_GRANT)).max(LEAST_GRANT)
    }
}

/// What gathers at most.
fn burst(rate: NonZeroU64) -> Duration {
    BURST.max(time_for(LEAST_BURST, rate))
}

/// How long so many bytes take; never too short.
fn time_for(bytes: u64, rate: NonZeroU64) -> Duration {
    const NANOS: u128 = 1_000_000_000;
    let nanos = (u128::from(bytes) * NANOS).div_ceil(u128::from(rate.get()));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cap(rate: u64) -> Cap {
        Cap::new(NonZeroU64::new(rate))
    }

    #[test]
    fn what_gathers_is_bounded() {
        let (mut cap, hour) = (cap(1_000_000), Duration::from_secs(3600));
        assert!(cap.is_rested(hour));
        cap.take(100_000, hour);
        assert_eq!(cap.free_at(), hour);
        cap.take(100_000, hour);
        assert_eq!(cap.free_at(), hour + BURST);
        assert!(!cap.is_rested(hour + BURST) && cap.is_rested(hour + 2 * BURST));
        cap.give_back(100_000);
        assert_eq!(cap.free_at(), hour);
    }

    #[test]
    fn grants_are_moderate() {
        // A twentieth of a second's worth; where that is little, more, and never more than a second's.
        assert_eq!(cap(10_000_000).largest_grant(1), 500_000);
        assert_eq!(cap(100_000).largest_grant(1), USUAL_GRANT);
        assert_eq!(cap(5_000).largest_grant(1), 5_000);
        assert_eq!(cap(1).largest_grant(1), LEAST_GRANT);
        // A round of all takes a second at most.
        assert_eq!(cap(10_000_000).largest_grant(1_000), 10_000);
        assert_eq!(cap(10_000_000).largest_grant(1_000_000), LEAST_GRANT);
    }

    #[test]
    fn no_rate_is_too_large_or_too_small() {
        for rate in [1, u64::MAX] {
            let mut cap = cap(rate);
            for bytes in [1, u64::MAX, u64::MAX] {
                cap.take(bytes, Duration::from_secs(1));
                cap.give_back(bytes / 2);
            }
            assert!(cap.largest_grant(0) >= LEAST_GRANT);
        }
    }
}
