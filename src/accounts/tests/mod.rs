//! Logins: what they cost, what is remembered of them, and how many there may be.

mod files;
mod keys;
mod programs;
mod reload;

use std::num::NonZeroU64;

use gftp_plugin::rt;

use super::terms::Terms;
use super::*;
use hash::Cost;
use known::REMEMBERED_FOR;

const HERE: [u8; 4] = [192, 0, 2, 1];

fn from(ip: [u8; 4]) -> Caller {
    Caller { peer: (ip, 50_000).into(), local: ([192, 0, 2, 254], 21).into(), service: "ftp", tls: false }
}

fn user(name: &str, hash: Hash) -> User {
    User {
        name: name.to_string(),
        hash,
        home: VirtualPath::root(),
        rules: Rights::FULL.into(),
        terms: Terms::default(),
        line: 0,
        column: 0,
    }
}

fn secret(password: &str) -> Hash {
    Hash::of(&Password::new(password)).unwrap()
}

fn accounts(most_sessions: usize) -> Accounts {
    let users = vec![user("alice", secret("hers")), user("bob", secret("his"))];
    Accounts::new(Anonymous::Off, users, most_sessions)
}

fn admit(accounts: &Accounts, name: &str, password: &str) -> Verdict {
    rt::block_on(accounts.admit(name.as_bytes(), Password::new(password), &from(HERE)))
}

#[test]
fn a_right_password_is_computed_once_and_a_wrong_one_each_time() {
    let accounts = accounts(10);
    for (name, password, right, computed) in [
        ("alice", "hers", true, 1),
        ("alice", "hers", true, 1),
        ("alice", "his", false, 2),
        ("alice", "his", false, 3),
        // A wrong guess between makes the right one no dearer.
        ("alice", "hers", true, 3),
        ("bob", "hers", false, 4),
        ("nobody", "hers", false, 5),
        ("nobody", "hers", false, 6),
        ("bob", "his", true, 7),
        ("alice", "", false, 8),
    ] {
        let verdict = admit(&accounts, name, password);
        assert_eq!(matches!(verdict, Verdict::In(_)), right, "{name} {password}: {verdict:?}");
        assert_eq!(accounts.hashing.computed(), computed, "{name} {password}");
    }
    assert_eq!(accounts.known.count(), 2, "one for each account that has come, none for others");
    accounts.known.age(REMEMBERED_FOR);
    assert!(matches!(admit(&accounts, "alice", "hers"), Verdict::In(_)));
    assert_eq!(accounts.hashing.computed(), 9, "it was to be forgotten");
}

#[test]
fn an_unknown_name_costs_what_most_accounts_cost() {
    let odd = Hash::of_nobody(Hash::read(ODD).unwrap().cost());
    const ODD: &str = "$argon2id$v=19$m=64,t=3,p=2$bm9ib2R5bm9ib2R5$bm9ib2R5bm9ib2R5bm9ib2R5";
    let users = |odds: usize, usual: usize| {
        let odd = (0..odds).map(|number| user(&format!("odd{number}"), odd.clone()));
        let usual = (0..usual).map(|number| user(&format!("usual{number}"), Hash::of_nobody(Cost::USUAL)));
        odd.chain(usual).collect::<Vec<_>>()
    };
    for (odds, usual, cost) in [(0, 0, Cost::USUAL), (2, 1, odd.cost()), (1, 2, Cost::USUAL), (1, 0, odd.cost())] {
        let accounts = Accounts::new(Anonymous::Off, users(odds, usual), 1);
        assert_eq!(accounts.directory().nobody.cost(), cost, "{odds} odd, {usual} usual");
    }
}

#[test]
fn stays_are_counted_and_given_back() {
    let accounts = accounts(2);
    let mut inside: Vec<_> = (0..2).map(|_| admit(&accounts, "alice", "hers")).collect();
    assert!(matches!(admit(&accounts, "alice", "hers"), Verdict::Full(2)));
    // A guesser is not told that the house is full.
    assert!(matches!(admit(&accounts, "alice", "his"), Verdict::Wrong(None)));
    assert!(matches!(admit(&accounts, "bob", "his"), Verdict::In(_)));
    inside.pop();
    assert!(matches!(admit(&accounts, "alice", "hers"), Verdict::In(_)));
}

#[test]
fn visitors_without_an_account_are_not_one_user() {
    let accounts = Accounts::new(Anonymous::Read, Vec::new(), 0);
    for name in ["anonymous", "FTP"] {
        let Verdict::In(visitor) = admit(&accounts, name, "") else { panic!("{name}") };
        assert_eq!((visitor.rules.rights(), visitor.stay.is_none()), (Rights::READ_ONLY, true));
    }
    assert_eq!(accounts.hashing.computed(), 0);
    // Where there are none, their name is one as any other.
    let accounts = Accounts::new(Anonymous::Off, vec![user("ftp", secret("x"))], 1);
    assert!(matches!(admit(&accounts, "ftp", "x"), Verdict::In(_)));
    assert!(matches!(admit(&accounts, "FTP", "x"), Verdict::Wrong(None)));
}

#[test]
fn the_line_at_start_stays_short() {
    let many = |count: usize| (0..count).map(|number| user(&format!("u{number}"), secret("x"))).collect::<Vec<_>>();
    let mut mixed = many(2);
    mixed[0].rules = Rights::READ_ONLY.into();
    for (anonymous, users, said) in [
        (Anonymous::Off, Vec::new(), "nobody (no account is given)"),
        (Anonymous::Write, Vec::new(), "anyone (reading and writing)"),
        (Anonymous::Off, many(1), "u0 (reading and writing)"),
        (Anonymous::Read, many(3), "anyone (reading only) and u0, u1, u2 (reading and writing)"),
        (Anonymous::Off, mixed, "u0, u1"),
        (Anonymous::Read, many(4), "anyone (reading only) and 4 accounts"),
    ] {
        assert_eq!(describe(anonymous, &users), said);
    }
}
