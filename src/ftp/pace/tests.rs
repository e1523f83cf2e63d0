//! The reckoning under a clock that is set by hand: shares are fair, caps hold, and nothing is left unused.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::time::Duration;

use proptest::prelude::*;

use super::fair::{Fair, Grant};
use super::lane::AHEAD;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// One who moves bytes.
#[derive(Clone, Copy, Debug)]
struct Mover {
    /// Whose session it is, if it is anybody's.
    user: Option<usize>,
    cap: Option<u64>,
    /// Bytes a second that it can move. It asks again a little before it has moved what it was granted.
    able: Option<u64>,
    /// When it begins, and when it has had enough.
    from: Duration,
    until: Duration,
}

impl Mover {
    /// How long the kernel's buffers keep it busy by themselves.
    fn in_kernel(&self) -> Duration {
        self.able.map_or(Duration::ZERO, |able| seconds((128 * KIB) as f64 / able as f64))
    }
}

/// A server with its caps.
#[derive(Clone, Debug)]
struct World {
    whole: Option<u64>,
    users: Vec<u64>,
    movers: Vec<Mover>,
    /// The timer sleeps no shorter than this.
    tick: Duration,
}

/// What was granted, in order.
type History = Vec<(Duration, usize, u64)>;

fn rate(bytes: u64) -> Option<NonZeroU64> {
    NonZeroU64::new(bytes)
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

impl World {
    fn new(whole: Option<u64>, users: &[u64]) -> World {
        World { whole, users: users.to_vec(), movers: Vec::new(), tick: Duration::from_millis(5) }
    }

    fn with(mut self, count: usize, user: Option<usize>, cap: Option<u64>) -> World {
        let mover = Mover { user, cap, able: None, from: Duration::ZERO, until: Duration::MAX };
        self.movers.extend(std::iter::repeat_n(mover, count));
        self
    }

    fn and(mut self, mover: Mover) -> World {
        self.movers.push(mover);
        self
    }

    fn run(&self, time: Duration) -> History {
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
    fn assert_caps_hold(&self, history: &History) {
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
    fn had(&self, history: &History, from: Duration, until: Duration) -> Vec<f64> {
        let mut had = vec![0.0; self.movers.len()];
        for (_, index, bytes) in history.iter().filter(|(at, ..)| (from..until).contains(at)) {
            had[*index] += *bytes as f64 / (until - from).as_secs_f64();
        }
        had
    }

    /// In the long run each has its share: nobody less, and no cap more.
    fn assert_fair(&self) {
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

#[test]
fn each_has_an_equal_part() {
    World::new(Some(10 * MIB), &[]).with(4, None, None).assert_fair();
    World::new(None, &[10 * MIB]).with(3, Some(0), None).assert_fair();
    World::new(Some(10 * MIB), &[MIB]).with(3, Some(0), None).with(2, None, None).assert_fair();
    // Transfers are equal, not users.
    World::new(Some(10 * MIB), &[20 * MIB, 20 * MIB]).with(4, Some(0), None).with(1, Some(1), None).assert_fair();
    World::new(Some(100 * MIB), &[]).with(1, None, Some(10 * KIB)).with(1, None, None).assert_fair();
}

#[test]
fn a_thousand_have_their_part_too() {
    World::new(Some(10 * MIB), &[]).with(1000, None, None).assert_fair();
    World::new(Some(MIB), &[MIB / 2]).with(500, None, None).with(500, Some(0), None).assert_fair();
    World::new(None, &[]).with(1000, None, Some(100 * KIB)).assert_fair();
}

#[test]
fn what_one_does_not_use_the_others_get() {
    let slow = Mover { user: None, cap: None, able: Some(MIB), from: Duration::ZERO, until: Duration::MAX };
    World::new(Some(10 * MIB), &[]).and(slow).with(2, None, None).assert_fair();
    // As fast as its part just so.
    World::new(Some(10 * MIB), &[]).and(Mover { able: Some(5 * MIB), ..slow }).with(1, None, None).assert_fair();
    World::new(Some(10 * MIB), &[]).and(Mover { able: Some(8 * MIB), ..slow }).with(1, None, None).assert_fair();
    World::new(Some(10 * MIB), &[5 * MIB]).and(Mover { user: Some(0), ..slow }).with(3, Some(0), None).assert_fair();
}

#[test]
fn a_newcomer_has_its_part_within_a_second() {
    for others in [1, 10, 100] {
        let newcomer = Mover { user: None, cap: None, able: None, from: seconds(10.0), until: seconds(20.0) };
        let world = World::new(Some(10 * MIB), &[]).with(others, None, None).and(newcomer);
        let history = world.run(seconds(30.0));
        world.assert_caps_hold(&history);
        let share = (10 * MIB) as f64 / (others + 1) as f64;
        let had = world.had(&history, seconds(10.0), seconds(11.0))[others];
        assert!(had > share * 0.7, "of {others}: {had}, not {share}");
        let had = world.had(&history, seconds(10.0), seconds(20.0))[others];
        assert!((had - share).abs() < share * 0.1, "of {others}: {had}, not {share}");
        // And when it has gone, all is the others' again.
        let had: f64 = world.had(&history, seconds(21.0), seconds(30.0)).iter().sum();
        assert!((had - (10 * MIB) as f64).abs() < (10 * MIB) as f64 * 0.05, "{had}");
    }
}

#[test]
fn who_was_away_has_saved_nothing_up() {
    let late = Mover { user: Some(0), cap: None, able: None, from: seconds(30.0), until: Duration::MAX };
    let world = World::new(Some(10 * MIB), &[8 * MIB]).with(1, Some(0), None).with(1, None, None).and(late);
    let history = world.run(seconds(32.0));
    world.assert_caps_hold(&history);
    let had = world.had(&history, seconds(30.0), seconds(32.0));
    for had in had {
        assert!((had - (10 * MIB) as f64 / 3.0).abs() < MIB as f64 / 2.0, "{had}");
    }
}

#[test]
fn a_user_who_comes_back_finds_the_cap_as_it_was() {
    let (mut fair, mut had) = (Fair::new(None), 0);
    for login in 0..1000_u64 {
        let now = Duration::from_millis(login);
        let number = fair.enter(None, Some((b"alice", rate(100 * KIB).unwrap())), now);
        fair.ask(number, now);
        had += fair.deal(now).iter().map(|grant| grant.bytes).sum::<u64>();
        fair.leave(number, now);
        // Others come and go, and are forgotten.
        let other = fair.enter(None, Some((format!("user {login}").as_bytes(), rate(MIB).unwrap())), now);
        fair.leave(other, now);
    }
    assert!(had <= (100 + 16 + 16) * KIB, "{had} in a second of 100 KiB");
    assert!(format!("{fair:?}").matches("User {").count() < 200, "users are remembered for ever");
}

#[test]
fn what_was_not_moved_is_given_back() {
    let mut fair = Fair::new(rate(MIB));
    let members = [(); 2].map(|()| fair.enter(None, None, Duration::ZERO));
    let now = seconds(9.0);
    let mut had = 0;
    // Small files: each is granted more than it needs.
    for file in 0..10_000 {
        let member = members[file % 2];
        fair.ask(member, now);
        let Some(grant) = fair.deal(now).pop() else { break };
        assert_eq!(grant.member, member);
        had += 100;
        fair.rest(member, grant.bytes - 100, now);
    }
    assert!((MIB / 10..MIB / 5).contains(&had), "{had}");
    assert_eq!(fair.next().map(|next| next > now), Some(true));
    // Who no longer wants anything is not waited for.
    for member in members {
        fair.rest(member, 0, now);
    }
    assert_eq!(fair.next(), None);
}

#[test]
fn what_was_moved_beyond_a_grant_is_paid_for() {
    let mut fair = Fair::new(rate(100 * KIB));
    let member = fair.enter(rate(50 * KIB), None, Duration::ZERO);
    let (mut now, mut had) = (seconds(100.0), 0);
    while now < seconds(110.0) {
        fair.ask(member, now);
        for grant in fair.deal(now) {
            // As a record of TLS, which is opened whole.
            fair.overdraw(member, 20 * KIB, now);
            had += grant.bytes + 20 * KIB;
        }
        now += Duration::from_millis(10);
    }
    assert!((475 * KIB..=560 * KIB).contains(&had), "{had}");
}

fn movers(users: usize) -> impl Strategy<Value = Mover> {
    let rate = || prop::option::of(20 * KIB..4 * MIB);
    (prop::option::of(0..users), rate(), rate()).prop_map(|(user, cap, able)| Mover {
        user,
        cap,
        able,
        from: Duration::ZERO,
        until: Duration::MAX,
    })
}

prop_compose! {
    fn worlds()(
        whole in 100 * KIB..20 * MIB,
        users in prop::collection::vec(50 * KIB..8 * MIB, 3),
        movers in prop::collection::vec(movers(3), 1..12),
        tick in 1_u64..20,
    ) -> World {
        World { whole: Some(whole), users, movers, tick: Duration::from_millis(tick) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn shares_are_fair_and_caps_hold(world in worlds()) {
        world.assert_fair();
    }

    /// Whoever comes, goes and asks in whatever order: nothing panics, caps hold, and nobody is forgotten.
    #[test]
    fn any_order_of_events_is_fine(events in prop::collection::vec((0..5_u8, 0..6_usize, 0..50_u64), 1..300)) {
        let (mut fair, mut now) = (Fair::new(rate(MIB)), Duration::ZERO);
        let mut members: [Option<(u64, u64)>; 6] = [None; 6];
        let mut moved = 0;
        for (event, index, number) in events {
            now += Duration::from_millis(number);
            match (event, members[index]) {
                (0, None) => {
                    let user = (index % 2 == 0).then_some((&b"alice"[..], rate(MIB / 2).unwrap()));
                    members[index] = Some((fair.enter(rate(100 * KIB), user, now), 0));
                }
                (1, Some((member, unmoved))) => {
                    fair.rest(member, unmoved, now);
                    fair.leave(member, now);
                    members[index] = None;
                }
                (2, Some((member, unmoved))) => {
                    fair.rest(member, unmoved / 2, now);
                    moved += unmoved - unmoved / 2;
                    members[index] = Some((member, 0));
                }
                (_, Some((member, 0))) => fair.ask(member, now),
                _ => {}
            }
            for grant in fair.deal(now) {
                let of = members.iter_mut().flatten().find(|(member, _)| *member == grant.member);
                of.expect("it is there").1 += grant.bytes;
            }
        }
        prop_assert!(moved as f64 <= MIB as f64 * (now.as_secs_f64() + 0.1) + 6.0 * (MIB / 10) as f64);
        // Whoever waits is served within the time that all of them take.
        for (member, unmoved) in members.into_iter().flatten() {
            fair.rest(member, unmoved, now);
            fair.ask(member, now);
        }
        now += Duration::from_secs(2);
        let mut served: Vec<_> = fair.deal(now).iter().map(|grant| grant.member).collect();
        while let Some(next) = fair.next() {
            now = now.max(next);
            served.extend(fair.deal(now).iter().map(|grant| grant.member));
        }
        served.sort_unstable();
        let mut all: Vec<_> = members.into_iter().flatten().map(|(member, _)| member).collect();
        all.sort_unstable();
        prop_assert_eq!(served, all);
    }
}
