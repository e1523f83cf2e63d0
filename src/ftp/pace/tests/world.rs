//! Sessions that move bytes, under a clock that is set by hand; and what each of them ought to have.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::time::Duration;

use super::super::fair::{Fair, Grant};
use super::super::lane::AHEAD;
use super::KIB;

/// One who moves bytes.
#[derive(Clone, Copy, Debug)]
pub struct Mover {
    /// Whose session it is, if it is anybody's.
    pub user: Option<usize>,
    /// Its session's cap.
    pub cap: Option<u64>,
    /// Bytes a second that it can move. It asks again a little before it has moved what it was granted.
    pub able: Option<u64>,
    /// When it begins.
    pub from: Duration,
    /// When it has had enough.
    pub until: Duration,
}

impl Mover {
    /// How long the kernel's buffers keep it busy by themselves.
    fn in_kernel(&self) -> Duration {
        self.able.map_or(Duration::ZERO, |able| seconds((128 * KIB) as f64 / able as f64))
    }
}

/// A server with its caps.
#[derive(Clone, Debug)]
pub struct World {
    /// Of all together.
    pub whole: Option<u64>,
    /// Of each user.
    pub users: Vec<u64>,
    /// Who moves bytes.
    pub movers: Vec<Mover>,
    /// The timer sleeps no shorter than this.
    pub tick: Duration,
}

/// What was granted, in order.
pub type History = Vec<(Duration, usize, u64)>;

/// A rate; none for 0.
pub fn rate(bytes: u64) -> Option<NonZeroU64> {
    NonZeroU64::new(bytes)
}

/// So long.
pub fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

impl World {
    /// With nobody in it.
    pub fn new(whole: Option<u64>, users: &[u64]) -> World {
        World { whole, users: users.to_vec(), movers: Vec::new(), tick: Duration::from_millis(5) }
    }

    /// And so many who want all they can get, from the beginning to the end.
    pub fn with(mut self, count: usize, user: Option<usize>, cap: Option<u64>) -> World {
        let mover = Mover { user, cap, able: None, from: Duration::ZERO, until: Duration::MAX };
        self.movers.extend(std::iter::repeat_n(mover, count));
        self
    }

    /// And this one.
    pub fn and(mut self, mover: Mover) -> World {
        self.movers.push(mover);
        self
    }

    /// What is granted within this time.
    pub fn run(&self, time: Duration) -> History {
        let mut fair = Fair::new(self.whole.and_then(rate));
        let mut numbers = BTreeMap::new();
        let members: Vec<u64> = (self.movers.iter().enumerate())
            .map(|(index, mover)| {
                let name = mover.user.map(|user| format!("user {user}").into_bytes());
                let user = name.as_deref().zip(mover.user.and_then(|user| rate(self.users[user])));
                let number = fair.enter(mover.cap.and_then(rate), user, Duration::ZERO);
                numbers.insert(number, index);
                number
            })
            .collect();
        let mut history = Vec::new();
        // When each asks next.
        let mut asks: BTreeSet<_> = self.movers.iter().enumerate().map(|(index, mover)| (mover.from, index)).collect();
        let (mut now, mut busy) = (Duration::ZERO, vec![Duration::ZERO; self.movers.len()]);
        while now < time {
            while let Some((_, index)) = asks.first().copied().filter(|(ask, _)| *ask <= now) {
                asks.pop_first();
                if now < self.movers[index].until {
                    fair.ask(members[index], now);
                }
            }
            for Grant { member, bytes, .. } in fair.deal(now) {
                let index = numbers[&member];
                assert!(bytes > 0);
                history.push((now, index, bytes));
                let takes = self.movers[index].able.map_or(Duration::ZERO, |able| seconds(bytes as f64 / able as f64));
                busy[index] = busy[index].max(now) + takes;
                let ahead = takes / AHEAD.1 as u32 * AHEAD.0 as u32 + self.movers[index].in_kernel();
                asks.insert((busy[index].saturating_sub(ahead).max(now), index));
            }
            // Whoever asks is dealt to at once, the others when the timer goes off.
            let timer = fair.next().map_or(Duration::MAX, |next| next.max(now + self.tick));
            now = asks.first().map_or(timer, |(ask, _)| timer.min(*ask));
        }
        history
    }

    /// What each ought to have in a second: all rates rise together until a cap is reached, then those of the others.
    fn shares(&self) -> Vec<f64> {
        let mut shares = vec![0.0; self.movers.len()];
        let mut open: Vec<usize> = (0..self.movers.len()).collect();
        while !open.is_empty() {
            let under = |cap: &dyn Fn(usize) -> bool| {
                let of_cap = |all: &mut dyn Iterator<Item = usize>| all.filter(|&index| cap(index)).collect::<Vec<_>>();
                of_cap(&mut (0..self.movers.len()))
            };
            let mut caps: Vec<(f64, Vec<usize>)> = Vec::new();
            caps.extend(self.whole.map(|whole| (whole as f64, under(&|_| true))));
            for (user, cap) in self.users.iter().enumerate() {
                caps.push((*cap as f64, under(&|index| self.movers[index].user == Some(user))));
            }
            for (index, mover) in self.movers.iter().enumerate() {
                let own = [mover.cap, mover.able].into_iter().flatten().min();
                caps.extend(own.map(|own| (own as f64, vec![index])));
            }
            let rise = |(cap, under): &(f64, Vec<usize>)| {
                let rising = under.iter().filter(|index| open.contains(index)).count();
                let used: f64 = under.iter().map(|&index| shares[index]).sum();
                (rising > 0).then(|| ((cap - used).max(0.0) / rising as f64, under.clone()))
            };
            let steps: Vec<_> = caps.iter().filter_map(rise).collect();
            let least = steps.iter().map(|(step, _)| *step).fold(f64::INFINITY, f64::min);
            assert!(least.is_finite(), "each is under a cap");
            open.iter().for_each(|&index| shares[index] += least);
            let closed: Vec<_> = steps.iter().filter(|(step, _)| *step <= least * 1.000_001).collect();
            open.retain(|index| !closed.iter().any(|(_, under)| under.contains(index)));
        }
        shares
    }

    /// No cap lets more through between any two moments than its rate allows, and what may gather, and one grant.
    pub fn assert_caps_hold(&self, history: &History) {
        let mut caps: Vec<(u64, Vec<usize>)> = Vec::new();
        caps.extend(self.whole.map(|whole| (whole, (0..self.movers.len()).collect())));
        for (user, cap) in self.users.iter().enumerate() {
            caps.push((*cap, (0..self.movers.len()).filter(|index| self.movers[*index].user == Some(user)).collect()));
        }
        caps.extend(self.movers.iter().enumerate().filter_map(|(index, mover)| Some((mover.cap?, vec![index]))));
        for (cap, under) in caps {
            let under: Vec<bool> = (0..self.movers.len()).map(|index| under.contains(&index)).collect();
            let gathers = (cap / 10).max(16 * KIB) as f64;
            let grant = (cap / 10).max(cap.min(16 * KIB)).max(KIB) as f64;
            // What was granted less what the rate allows, and the least that it ever was: the rise is the excess.
            let (mut granted, mut least) = (0.0, 0.0_f64);
            for (at, index, bytes) in history {
                if under[*index] {
                    least = least.min(granted - cap as f64 * at.as_secs_f64());
                    granted += *bytes as f64;
                    let excess = granted - cap as f64 * at.as_secs_f64() - least;
                    assert!(excess <= gathers + grant + 1.0, "{excess} too many under {cap} at {at:?}");
                }
            }
        }
    }

    /// What each had in a second between two moments.
    pub fn had(&self, history: &History, from: Duration, until: Duration) -> Vec<f64> {
        let mut had = vec![0.0; self.movers.len()];
        for (_, index, bytes) in history.iter().filter(|(at, ..)| (from..until).contains(at)) {
            had[*index] += *bytes as f64 / (until - from).as_secs_f64();
        }
        had
    }

    /// In the long run each has its share: nobody less, and no cap more.
    pub fn assert_fair(&self) {
        // First what the kernel holds is filled.
        let (from, until) = (seconds(8.0), seconds(28.0));
        let history = self.run(until);
        self.assert_caps_hold(&history);
        let (had, shares) = (self.had(&history, from, until), self.shares());
        for (index, (had, share)) in had.iter().zip(&shares).enumerate() {
            // A grant more or less, at either end.
            let grain = (share * 0.25).max(16.0 * KIB as f64) * 2.0 / (until - from).as_secs_f64();
            let off = (had - share).abs();
            assert!(off <= share * 0.05 + grain, "{index} had {had:.0}, not {share:.0}, in {self:?}");
        }
    }
}
