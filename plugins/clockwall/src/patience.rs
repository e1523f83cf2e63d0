//! How long a clock that failed is left alone, and how much one may say. Pure: told what time it is.

use std::time::{Duration, Instant};

/// How soon a clock is tried again the first time; then twice as late each time.
const FIRST: Duration = Duration::from_secs(1);
/// The most that is waited: a clock that comes back is seen within half a minute.
const LONGEST: Duration = Duration::from_secs(30);
/// The part of the wait that is chance, so that a hundred walls do not come back to a server in the same moment.
const JITTER: f64 = 0.25;
/// Whoever has told the time for so long is well again, and begins anew with short waits.
pub(crate) const WELL: Duration = Duration::from_secs(10);

/// What a line costs: ten a second may be said for ever, ten times as many as a clock has.
const LINE: Duration = Duration::from_millis(100);
/// How much may be said at once beyond that: two minutes of a clock that was held up by the network.
const BURST: Duration = Duration::from_secs(12);

/// The waits between tries.
#[derive(Debug, Default)]
pub(crate) struct BackOff {
    failures: u32,
}

impl BackOff {
    /// How long to wait now that it failed again; `chance` is from 0 to 1.
    pub(crate) fn next(&mut self, chance: f64) -> Duration {
        let wait = FIRST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        wait.mul_f64(1.0 - JITTER * chance.clamp(0.0, 1.0))
    }

    /// It has been well for a while.
    pub(crate) fn forget(&mut self) {
        self.failures = 0;
    }
}

/// How much a clock has said. It is the clock's, not the connection's: coming back does not help who says too much.
#[derive(Debug)]
pub(crate) struct Allowance {
    /// When all that was said would have been said at ten lines a second.
    paid_by: Instant,
}

impl Allowance {
    pub(crate) fn new(now: Instant) -> Allowance {
        Allowance { paid_by: now }
    }

    /// Whether another line may be said now.
    pub(crate) fn takes(&mut self, now: Instant) -> bool {
        let paid_by = self.paid_by.max(now) + LINE;
        let is_enough = paid_by > now + BURST;
        if !is_enough {
            self.paid_by = paid_by;
        }
        !is_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_begin_anew() {
        let mut back_off = BackOff::default();
        let waits: Vec<_> = (0..7).map(|_| back_off.next(0.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        (0..100).for_each(|_| assert!(back_off.next(0.5) <= LONGEST));
        back_off.forget();
        assert_eq!(back_off.next(1.0), Duration::from_millis(750));
        assert_eq!(back_off.next(0.5), Duration::from_millis(1750));
    }

    #[test]
    fn ten_lines_a_second_may_be_said_for_ever_and_no_more() {
        let mut now = Instant::now();
        let mut allowance = Allowance::new(now);
        let at_once = (0..1000).filter(|_| allowance.takes(now)).count();
        assert_eq!(at_once, 120);
        now += Duration::from_secs(1);
        assert_eq!((0..1000).filter(|_| allowance.takes(now)).count(), 10);
        for _ in 0..1000 {
            now += LINE;
            assert!(allowance.takes(now));
        }
    }
}
