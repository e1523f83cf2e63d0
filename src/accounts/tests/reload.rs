//! Accounts that are replaced: who may come in, who may stay, and what is forgotten.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use super::*;

/// As [`secret`], but for next to nothing, so that many can be compared.
fn cheap(password: &str) -> Hash {
    let cost = argon2::Params::new(8, 1, 1, None).unwrap();
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, cost);
    let hash = argon2::PasswordHasher::hash_password(&argon2, password.as_bytes()).unwrap();
    Hash::read(&hash.to_string()).unwrap()
}

fn with(name: &str, password: &str, change: impl FnOnce(&mut User)) -> User {
    let mut user = user(name, cheap(password));
    change(&mut user);
    user
}

fn enter(accounts: &Accounts, name: &str, password: &str) -> Stay {
    match admit(accounts, name, password) {
        Verdict::In(Visitor { stay: Some(stay), .. }) => stay,
        verdict => panic!("{name}: {verdict:?}"),
    }
}

#[test]
fn who_is_in_stays_unless_his_account_has_changed() {
    let old = ["gone", "password", "rights", "home", "rate", "sessions", "moved", "here", "same"];
    let old = old.map(|name| with(name, "x", |_| {}));
    let accounts = Accounts::new(Anonymous::Off, old.to_vec(), 10);
    let stays = old.clone().map(|user| (user.name.clone(), enter(&accounts, &user.name, "x")));
    let network = |text: &str| vec![terms::parse_network(text).unwrap()];
    let mut new = old.to_vec();
    for user in &mut new {
        match user.name.as_str() {
            "password" => user.hash = cheap("x"),
            "rights" => user.rules = Rights::READ_ONLY.into(),
            "home" => user.home = users::read_home("/home").unwrap(),
            "rate" => user.terms.rate.upload = NonZeroU64::new(1),
            "sessions" => user.terms.sessions = NonZeroUsize::new(1),
            "moved" => user.terms.networks = network("198.51.100.0/24"),
            "here" => user.terms.networks = network("192.0.2.0/24"),
            _ => user.line += 1,
        }
    }
    new.retain(|user| user.name != "gone");
    new.push(with("new", "x", |_| {}));
    let changes = accounts.replace(new.clone());
    assert_eq!(changes, Changes { accounts: 9, added: 1, removed: 1, changed: 7 });
    assert_eq!(changes.to_string(), "9 accounts (1 added, 1 removed, 7 changed)");
    for (name, stay) in &stays {
        let ended = match name.as_str() {
            "gone" => Some(Ended::Gone),
            "password" | "rights" | "home" => Some(Ended::Changed),
            "moved" => Some(Ended::Barred(terms::Barred::Elsewhere)),
            _ => None,
        };
        assert_eq!(accounts.ended(stay), ended, "{name}");
    }
    // What has ended stays so, also where the account comes back; and what comes in then may stay.
    accounts.replace(old.to_vec());
    let (_, gone) = &stays[0];
    assert_eq!(accounts.ended(gone), Some(Ended::Gone));
    assert_eq!(accounts.ended(&enter(&accounts, "gone", "x")), None);
    assert!(matches!(admit(&accounts, "new", "x"), Verdict::Wrong(None)));
}

#[test]
fn places_and_what_is_known_survive_no_longer_than_they_should() {
    let users = |password: &str, sessions: Option<usize>| {
        let hash = |user: &mut User| user.terms.sessions = sessions.and_then(NonZeroUsize::new);
        vec![with("alice", password, hash), with("bob", "his", |_| {})]
    };
    let accounts = Accounts::new(Anonymous::Off, users("hers", None), 3);
    let mut inside: Vec<_> = (0..2).map(|_| enter(&accounts, "alice", "hers")).collect();
    drop(enter(&accounts, "bob", "his"));
    assert_eq!((accounts.hashing.computed(), accounts.known.count()), (2, 2));
    // The same users anew: the two are still in, and a number of one's own goes over the server's, both ways.
    accounts.replace(users("hers", Some(2)));
    assert!(matches!(admit(&accounts, "alice", "hers"), Verdict::Full(2)));
    accounts.replace(users("hers", Some(5)));
    inside.extend((0..3).map(|_| enter(&accounts, "alice", "hers")));
    assert!(matches!(admit(&accounts, "alice", "hers"), Verdict::Full(5)));
    // Another password: the old one is nobody's, however well it was known.
    accounts.replace(users("new", Some(6)));
    let computed = accounts.hashing.computed();
    assert!(matches!(admit(&accounts, "alice", "hers"), Verdict::Wrong(None)));
    assert!(matches!(admit(&accounts, "alice", "new"), Verdict::In(_)));
    assert_eq!(accounts.hashing.computed(), computed + 2);
    // Gone for a while, with four sessions that have not noticed yet: they still count.
    accounts.replace(Vec::new());
    assert_eq!(accounts.known.count(), 0, "a password of nobody is remembered");
    inside.pop();
    accounts.replace(users("new", Some(5)));
    inside.push(enter(&accounts, "alice", "new"));
    assert!(matches!(admit(&accounts, "alice", "new"), Verdict::Full(5)));
}

/// Right at midnight: who comes is refused as with a wrong password, and who is in has to go.
#[test]
fn an_account_expires_at_midnight() {
    let start = UNIX_EPOCH + Duration::from_secs(1_798_761_600 - 1);
    let (time, hand) = Time::by_hand(start);
    let last_day = |user: &mut User| user.terms.expires = "2026-12-31".parse().ok();
    let users = vec![with("alice", "hers", last_day), with("bob", "his", |_| {})];
    let accounts = Accounts::new(Anonymous::Off, users.clone(), 10).by(time);
    let (alice, bob) = (enter(&accounts, "alice", "hers"), enter(&accounts, "bob", "his"));
    assert_eq!((accounts.ended(&alice), accounts.hashing.computed()), (None, 2));
    hand.advance(Duration::from_secs(1));
    let ended = accounts.ended(&alice).map(|why| why.to_string());
    assert_eq!(ended.as_deref(), Some("the account has expired (2026-12-31)"));
    assert_eq!(accounts.ended(&bob), None);
    // The right password is computed as a wrong one is, though it was known a moment ago.
    let Verdict::Wrong(Some(why)) = admit(&accounts, "alice", "hers") else { panic!("let in") };
    assert_eq!(why, "the password was right, but the account has expired (2026-12-31)");
    assert!(matches!(admit(&accounts, "alice", "guess"), Verdict::Wrong(None)), "a guesser is told more");
    assert_eq!(accounts.hashing.computed(), 4);
    // It is prolonged, and all is well for who has not noticed.
    accounts.replace(vec![with("alice", "hers", |user| user.hash = users[0].hash.clone())]);
    assert_eq!(accounts.ended(&alice), None);
}

#[test]
fn who_comes_from_elsewhere_has_a_wrong_password() {
    let here = |user: &mut User| user.terms.networks = vec![terms::parse_network("192.0.2.0/24").unwrap()];
    let accounts = Accounts::new(Anonymous::Off, vec![with("alice", "hers", here)], 10);
    drop(enter(&accounts, "alice", "hers"));
    let elsewhere = from([198, 51, 100, 1]);
    for (password, told) in [("hers", true), ("guess", false)] {
        let computed = accounts.hashing.computed();
        let verdict = rt::block_on(accounts.admit(b"alice", Password::new(password), &elsewhere));
        let Verdict::Wrong(why) = verdict else { panic!("{verdict:?}") };
        assert_eq!(why.is_some_and(|why| why.contains("networks")), told, "{password}");
        assert_eq!(accounts.hashing.computed(), computed + 1, "it costs as much as a wrong one");
    }
    let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
    assert!(mapped.is_ipv6(), "addresses are made canonical where connections are accepted, not here");
}

/// Logins go on while the accounts are replaced a hundred times: each is answered by the old ones or by the new ones.
#[test]
fn logins_under_replacement_are_answered_by_one_file_or_the_other() {
    const FILES: usize = 100;
    let steady = with("steady", "x", |_| {});
    let file = |even: bool| {
        let (there, password) = if even { ("even", "old") } else { ("odd", "new") };
        vec![with(there, "x", |_| {}), with("alice", password, |_| {}), steady.clone()]
    };
    let (even, odd) = (file(true), file(false));
    let accounts = Accounts::new(Anonymous::Off, even.clone(), usize::MAX);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let (mut rounds, mut ins) = (0_u32, 0_u32);
                while !done.load(Ordering::Relaxed) || rounds < 20 {
                    let stay = enter(&accounts, "steady", "x");
                    assert_eq!(accounts.ended(&stay), None, "nothing of it has changed");
                    for (name, password) in [("alice", "old"), ("alice", "new"), ("even", "x"), ("odd", "x")] {
                        match admit(&accounts, name, password) {
                            Verdict::In(_) => ins += 1,
                            Verdict::Wrong(None) => {}
                            verdict => panic!("{name} {password}: {verdict:?}"),
                        }
                    }
                    assert!(matches!(admit(&accounts, "alice", "neither"), Verdict::Wrong(None)));
                    rounds += 1;
                }
                assert!(ins > rounds, "two of four are right at any time: {ins} in {rounds} rounds");
            });
        }
        for number in 0..FILES {
            accounts.replace(if number % 2 == 0 { odd.clone() } else { even.clone() });
            std::thread::sleep(Duration::from_millis(2));
        }
        done.store(true, Ordering::Relaxed);
    });
}
