//! Who may log in, with what rights and where. Knows names, passwords, rights and homes; no protocol and no session.
//!
//! `users` reads the text of a users file, `edit` changes it, `file` keeps it; `hashing` compares passwords, `known`
//! remembers which were right a moment ago. `certificate` reads whom a client's certificate stands for.

pub mod certificate;
pub mod edit;
pub mod file;
mod hash;
mod hashing;
mod known;
pub mod users;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::store::{Rights, Rules, VirtualPath};
use hash::Cost;
pub use hash::Hash;
use hashing::{Compared, Hashing};
use known::Known;
use users::User;

/// The names under which visitors without an account come (RFC 1635), in any case.
const ANONYMOUS_NAMES: [&[u8]; 2] = [b"anonymous", b"ftp"];
/// So many accounts are called by their names in the line at start; more are counted.
const MOST_NAMED: usize = 3;

/// What a visitor without an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anonymous {
    /// Not come in.
    Off,
    /// List and download.
    Read,
    /// Everything.
    Write,
}

/// A secret that no log or debug print can show.
pub struct Password(Vec<u8>);

/// All who may log in.
pub struct Accounts {
    anonymous: Anonymous,
    named: HashMap<Vec<u8>, Arc<Account>>,
    /// Sessions that one account may have at once.
    most_sessions: usize,
    /// What an unknown name's password is compared with, so that it costs as much as a known one's.
    nobody: Hash,
    hashing: Hashing,
    known: Known,
    /// Those who may log in, for the line at start.
    described: String,
}

struct Account {
    hash: Hash,
    home: VirtualPath,
    rules: Rules,
    sessions: AtomicUsize,
}

/// What a login comes to.
#[derive(Debug)]
pub enum Verdict {
    /// Come in.
    In(Visitor),
    /// The name or the password is wrong; which of them is not told.
    Wrong,
    /// The password is right, and the account has so many sessions already, the most allowed.
    Full(usize),
    /// Too many logins wait to be looked at.
    Busy,
}

/// One who may come in.
#[derive(Debug)]
pub struct Visitor {
    /// What he may do.
    pub rules: Rules,
    /// What he sees as the root, below the served one.
    pub home: VirtualPath,
    /// His account's place; none for visitors without an account, who are not one user.
    pub stay: Option<Stay>,
}

/// One session of an account; the place is free again when it is dropped.
pub struct Stay(Arc<Account>);

impl Password {
    /// Takes the secret over.
    pub fn new(secret: impl Into<Vec<u8>>) -> Self {
        Password(secret.into())
    }

    /// Whether nothing was typed. An empty password never opens an account.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Accounts {
    /// These accounts, each of which may have so many sessions at once. Names must differ.
    pub fn new(anonymous: Anonymous, users: Vec<User>, most_sessions: usize) -> Self {
        let nobody = Hash::of_nobody(most_usual(&users));
        let described = describe(anonymous, &users);
        let account = |User { hash, home, rules, .. }| Account { hash, home, rules, sessions: AtomicUsize::new(0) };
        let named = users.into_iter().map(|user| (user.name.clone().into_bytes(), Arc::new(account(user)))).collect();
        let (hashing, known) = (Hashing::new(), Known::new());
        Accounts { anonymous, named, most_sessions, nobody, hashing, known, described }
    }

    /// What one who comes under this name without an account may do; None where there are no such visitors.
    pub fn anonymous(&self, name: &[u8]) -> Option<Rights> {
        match self.anonymous {
            _ if !is_anonymous(name) => None,
            Anonymous::Off => None,
            Anonymous::Read => Some(Rights::READ_ONLY),
            Anonymous::Write => Some(Rights::FULL),
        }
    }

    /// Whether somebody at that address may come in as `name`. A wrong name takes as long as a wrong password.
    pub async fn admit(&self, name: &[u8], password: Password, from: IpAddr) -> Verdict {
        if let Some(rights) = self.anonymous(name) {
            return Verdict::In(Visitor { rules: rights.into(), home: VirtualPath::root(), stay: None });
        }
        let account = self.named.get(name);
        let hash = account.map_or(&self.nobody, |account| &account.hash);
        if !self.known.recalls(name, hash, &password) {
            let copy = Password(password.0.clone());
            match self.hashing.compare(hash.clone(), copy, from).await {
                Compared::Right => {}
                Compared::Wrong => return Verdict::Wrong,
                Compared::Busy => return Verdict::Busy,
            }
        }
        // Nobody has no password, and were it guessed, there is still no account.
        let Some(account) = account else { return Verdict::Wrong };
        self.known.remember(name, hash, &password);
        match account.stay(self.most_sessions) {
            Some(stay) => {
                let (rules, home) = (account.rules.clone(), account.home.clone());
                Verdict::In(Visitor { rules, home, stay: Some(stay) })
            }
            None => Verdict::Full(self.most_sessions),
        }
    }

    /// Those who may log in, for the line at start.
    pub fn describe(&self) -> &str {
        &self.described
    }

    /// How many different homes below the root there are: each costs a descriptor while somebody is in it.
    pub fn homes(&self) -> usize {
        let homes: std::collections::HashSet<_> = self.named.values().map(|account| &account.home).collect();
        homes.iter().filter(|home| !home.is_root()).count()
    }
}

impl Account {
    fn stay(self: &Arc<Self>, most: usize) -> Option<Stay> {
        let taken =
            self.sessions.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < most).then_some(now + 1));
        taken.is_ok().then(|| Stay(Arc::clone(self)))
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stay")
    }
}

/// Whether this is a name of visitors without an account.
pub fn is_anonymous(name: &[u8]) -> bool {
    ANONYMOUS_NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// What most of the hashes cost; the usual cost where there are none.
fn most_usual(users: &[User]) -> Cost {
    let mut counts = BTreeMap::new();
    for user in users {
        *counts.entry(user.hash.cost()).or_insert(0) += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or(Cost::USUAL, |(cost, _)| cost)
}

/// Who may log in, in half a line however many they are.
fn describe(anonymous: Anonymous, users: &[User]) -> String {
    let anyone = match anonymous {
        Anonymous::Off => None,
        Anonymous::Read => Some("anyone (reading only)"),
        Anonymous::Write => Some("anyone (reading and writing)"),
    };
    let named = match users {
        [] => None,
        users if users.len() > MOST_NAMED => Some(format!("{} accounts", users.len())),
        [first, rest @ ..] => {
            let names: Vec<_> = users.iter().map(|user| user.name.as_str()).collect();
            let same = rest.iter().all(|user| user.rules == first.rules);
            Some(match first.rules.rights() {
                Rights::FULL if same => format!("{} (reading and writing)", names.join(", ")),
                Rights::READ_ONLY if same => format!("{} (reading only)", names.join(", ")),
                _ => names.join(", "),
            })
        }
    };
    match (anyone, named) {
        (None, None) => "nobody (no account is given)".to_string(),
        (Some(anyone), None) => anyone.to_string(),
        (None, Some(named)) => named,
        (Some(anyone), Some(named)) => format!("{anyone} and {named}"),
    }
}
