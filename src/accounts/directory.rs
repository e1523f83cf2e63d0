//! What the users file said when it was last read: a value that is replaced as a whole, and what a new one changes for those
//! who are in. Knows accounts; no file, no clock and nobody who waits.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use super::hash::{Cost, Hash};
use super::stays::Standing;
use super::users::User;

/// All accounts that are written, by name.
pub(super) struct Directory {
    named: HashMap<Vec<u8>, Account>,
    /// What an unknown name's password is compared with, so that it costs as much as a known one's.
    pub(super) nobody: Hash,
}

/// One of them.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) user: Arc<User>,
    pub(super) standing: Arc<Standing>,
}

/// What a new file is to an old one, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Accounts in the new one.
    pub accounts: usize,
    /// Those that the old one had not.
    pub added: usize,
    /// Those that only the old one had.
    pub removed: usize,
    /// Those of which something else is written now.
    pub changed: usize,
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Changes { accounts, added, removed, changed } = self;
        let s = if *accounts == 1 { "" } else { "s" };
        write!(f, "{accounts} account{s} ({added} added, {removed} removed, {changed} changed)")
    }
}

impl Directory {
    /// These accounts, whose names differ, in the place of those before. Sessions keep the standing of their account; they
    /// are not told yet.
    pub(super) fn after(before: Option<&Directory>, users: Vec<User>) -> Directory {
        let nobody = Hash::of_nobody(most_usual(&users));
        let account = |user: User| {
            let (name, user) = (user.name.clone().into_bytes(), Arc::new(user));
            let standing = match before.and_then(|before| before.named.get(&name)) {
                Some(account) => Arc::clone(&account.standing),
                None => Standing::of(Arc::clone(&user)),
            };
            (name, Account { user, standing })
        };
        Directory { named: users.into_iter().map(account).collect(), nobody }
    }

    /// The account of that name.
    pub(super) fn find(&self, name: &[u8]) -> Option<&Account> {
        self.named.get(name)
    }

    /// All of them.
    pub(super) fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.named.values().map(|account| &account.user)
    }

    /// Tells the sessions of all accounts of `before` what is written of them here.
    pub(super) fn announce(&self, before: &Directory) -> Changes {
        let mut changes = Changes { accounts: self.named.len(), ..Changes::default() };
        for (name, Account { user: old, standing }) in &before.named {
            match self.named.get(name) {
                None => {
                    changes.removed += 1;
                    standing.set(None);
                }
                Some(Account { user, .. }) => {
                    let is_same = user.is_as_open_as(old) && user.terms == old.terms;
                    changes.changed += usize::from(!is_same);
                    standing.set(Some(Arc::clone(user)));
                }
            }
        }
        changes.added = changes.accounts + changes.removed - before.named.len();
        changes
    }
}

/// What most of the hashes cost; the usual cost where there are none.
fn most_usual(users: &[User]) -> Cost {
    let mut counts = BTreeMap::new();
    for user in users {
        *counts.entry(user.hash.cost()).or_insert(0) += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or(Cost::USUAL, |(cost, _)| cost)
}
