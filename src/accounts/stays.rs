//! Who of the accounts is in: how many sessions each has, and whether a session may stay. Knows names and numbers; no file,
//! no password and no protocol.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::SystemTime;

use super::terms::Barred;
use super::users::User;

/// How many sessions each name has. It outlives every users file, so that no re-reading makes anybody's places free; a name
/// without a session is not held.
#[derive(Default)]
pub(super) struct Seats {
    taken: Mutex<HashMap<Vec<u8>, usize>>,
}

/// What is written of an account now, for the sessions that are in: nothing once it is gone.
pub(super) struct Standing(RwLock<Option<Arc<User>>>);

/// One session of an account; the place is free again when it is dropped.
pub struct Stay {
    seats: Arc<Seats>,
    name: Vec<u8>,
    from: IpAddr,
    /// What was written when it came in.
    user: Arc<User>,
    standing: Arc<Standing>,
}

/// Why a session may not stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The account is gone.
    Gone,
    /// It has another password, home or rights.
    Changed,
    /// It has expired, or may no longer come from there.
    Barred(Barred),
}

impl Seats {
    /// Takes a place for a session of `user`, if it has fewer than `most`.
    pub(super) fn take(
        self: &Arc<Self>,
        user: &Arc<User>,
        standing: &Arc<Standing>,
        from: IpAddr,
        most: usize,
    ) -> Option<Stay> {
        let name = user.name.clone().into_bytes();
        let mut taken = self.taken();
        let now = taken.get(&name).copied().unwrap_or_default();
        if now >= most {
            return None;
        }
        taken.insert(name.clone(), now + 1);
        drop(taken);
        let (user, standing) = (Arc::clone(user), Arc::clone(standing));
        Some(Stay { seats: Arc::clone(self), name, from, user, standing })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Vec<u8>, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    /// As it is written.
    pub(super) fn of(user: Arc<User>) -> Arc<Standing> {
        Arc::new(Standing(RwLock::new(Some(user))))
    }

    /// It is written otherwise now, or nowhere.
    pub(super) fn set(&self, user: Option<Arc<User>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = user;
    }

    fn now(&self) -> Option<Arc<User>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Stay {
    /// Why this session may not stay at that time; None: it may.
    pub(super) fn ended(&self, now: SystemTime) -> Option<Ended> {
        let Some(user) = self.standing.now() else { return Some(Ended::Gone) };
        if !Arc::ptr_eq(&user, &self.user) && !user.is_as_open_as(&self.user) {
            return Some(Ended::Changed);
        }
        user.terms.bar(self.from, now).map(Ended::Barred)
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        match taken.get_mut(&self.name) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.name)),
        }
    }
}

impl fmt::Debug for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stay")
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Gone => f.write_str("the account is gone"),
            Ended::Changed => f.write_str("the account has another password, home or rights"),
            Ended::Barred(why) => why.fmt(f),
        }
    }
}
