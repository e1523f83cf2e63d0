//! Passwords that were right a moment ago, without the passwords: what is remembered is a keyed digest, and the key is
//! this process's own and kept nowhere else. Knows names and digests, and nothing of what follows from them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use blake2::Blake2bMac512;
use blake2::digest::{CtOutput, KeyInit, Mac};

use super::Password;
use super::hash::Hash;

/// How long a right password is remembered. Clients that open a connection for each file, or a few for one mirror run,
/// come back within seconds; whoever could read this process's memory could guess quickly at what was used in the last
/// quarter of an hour only. It is not prolonged by use: argon2 is asked again after it, whatever happens.
pub(super) const REMEMBERED_FOR: Duration = Duration::from_secs(15 * 60);
/// Bytes of the key: as many as the digest takes.
const KEY_SIZE: usize = 64;

/// What is remembered: at most one password for each account.
pub struct Known {
    /// None where the system gave no random bytes: then nothing is remembered.
    key: Option<[u8; KEY_SIZE]>,
    digests: Mutex<HashMap<Vec<u8>, Digest>>,
}

struct Digest {
    of: CtOutput<Blake2bMac512>,
    since: Instant,
}

impl Known {
    /// Remembers nothing yet.
    pub fn new() -> Self {
        let mut key = [0; KEY_SIZE];
        let key = getrandom::fill(&mut key).is_ok().then_some(key);
        Known { key, digests: Mutex::default() }
    }

    /// Whether this password was found right for this name and this very hash.
    pub fn recalls(&self, name: &[u8], hash: &Hash, password: &Password) -> bool {
        // Made in any case, so that names of which nothing is known take as long.
        let Some(digest) = self.digest(hash, password) else { return false };
        let mut digests = self.digests();
        match digests.get(name) {
            // Compared in constant time.
            Some(known) if known.since.elapsed() < REMEMBERED_FOR => known.of == digest,
            Some(_) => {
                digests.remove(name);
                false
            }
            None => false,
        }
    }

    /// This password is right. Only accounts that exist get here, so there are as many digests as accounts at most.
    pub fn remember(&self, name: &[u8], hash: &Hash, password: &Password) {
        if let Some(of) = self.digest(hash, password) {
            self.digests().insert(name.to_vec(), Digest { of, since: Instant::now() });
        }
    }

    /// Forgets all names but those of which this is true: an account that is gone leaves nothing here.
    pub fn keep_only(&self, is_there: impl Fn(&[u8]) -> bool) {
        self.digests().retain(|name, _| is_there(name));
    }

    /// A digest of the password and the hash, whose salt makes equal passwords of two accounts differ; another hash is
    /// another digest.
    fn digest(&self, hash: &Hash, password: &Password) -> Option<CtOutput<Blake2bMac512>> {
        let mut mac = Blake2bMac512::new_from_slice(&self.key?).ok()?;
        // The length in front keeps the two apart.
        mac.update(&(hash.text().len() as u64).to_le_bytes());
        mac.update(hash.text().as_bytes());
        mac.update(&password.0);
        Some(mac.finalize())
    }

    fn digests(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Digest>> {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes everything so much older.
    #[cfg(test)]
    pub(super) fn age(&self, by: Duration) {
        for digest in self.digests().values_mut() {
            digest.since = digest.since.checked_sub(by).unwrap_or(digest.since);
        }
    }

    /// How many passwords are remembered.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.digests().len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash::Cost;
    use super::*;

    #[test]
    fn only_the_same_password_of_the_same_name_and_hash_is_recalled() {
        let known = Known::new();
        let (hash, other) = (Hash::of(&Password::new("a")).unwrap(), Hash::of(&Password::new("a")).unwrap());
        let (right, wrong) = (Password::new("a"), Password::new("b"));
        assert!(!known.recalls(b"alice", &hash, &right));
        known.remember(b"alice", &hash, &right);
        assert!(known.recalls(b"alice", &hash, &right));
        assert!(!known.recalls(b"alice", &hash, &wrong));
        assert!(!known.recalls(b"bob", &hash, &right));
        // The account has another hash by now, though of the same password.
        assert!(!known.recalls(b"alice", &other, &right));
        // A wrong guess makes nothing forgotten.
        assert!(known.recalls(b"alice", &hash, &right));
    }

    #[test]
    fn one_password_each_is_remembered_for_a_while() {
        let known = Known::new();
        let hash = Hash::of_nobody(Cost::USUAL);
        for password in ["a", "b"] {
            known.remember(b"alice", &hash, &Password::new(password));
        }
        assert_eq!(known.count(), 1);
        assert!(!known.recalls(b"alice", &hash, &Password::new("a")));
        known.age(REMEMBERED_FOR - Duration::from_secs(60));
        assert!(known.recalls(b"alice", &hash, &Password::new("b")), "too early forgotten");
        known.age(Duration::from_secs(60));
        assert!(!known.recalls(b"alice", &hash, &Password::new("b")));
        assert_eq!(known.count(), 0);
    }
}
