//! The reckoning under a clock that is set by hand: shares are fair, caps hold, and nothing is left unused.

mod world;

use std::time::Duration;

use proptest::prelude::*;

use super::fair::Fair;
use world::{Mover, World, rate, seconds};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

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

/// One that had all for itself has had more than each of those who come then will have for a minute.
#[test]
fn who_was_alone_is_not_kept_waiting_by_a_crowd() {
    let crowd = Mover { user: None, cap: None, able: None, from: seconds(2.0), until: Duration::MAX };
    let mut world = World::new(Some(10 * MIB), &[]).with(1, None, None);
    world.movers.extend([crowd; 999]);
    let history = world.run(seconds(14.0));
    world.assert_caps_hold(&history);
    let had = world.had(&history, seconds(4.0), seconds(14.0));
    let share = (10 * MIB) as f64 / 1000.0;
    for (index, had) in had.iter().enumerate() {
        assert!((share * 0.7..share * 1.3).contains(had), "{index} had {had}, not {share}");
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
