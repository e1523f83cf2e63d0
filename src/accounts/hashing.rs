//! argon2id, and the threads that compute it. Knows passwords and hashes, no names and no rights.

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHasher, Version};
use futures::channel::oneshot;
use gftp_plugin::rt::{self, Receiver, Sender};

use super::Password;

/// An argon2id hash as a PHC string.
#[derive(Clone)]
pub struct Hash(String);

/// Threads that do nothing but compare passwords. A comparison costs tens of milliseconds of a core and 19 MiB, which
/// is its purpose; a flood of logins makes logins wait and nothing else, and takes no memory but that of these threads.
pub struct Hashing {
    checks: Sender<Check>,
}

/// A password to be compared, and who wants to know.
struct Check {
    hash: Hash,
    password: Password,
    answer: oneshot::Sender<bool>,
}

impl Hash {
    /// Hashes with the crate's defaults (those of OWASP) and a random salt.
    pub fn of(password: &Password) -> Result<Hash, String> {
        let hash =
            Argon2::default().hash_password(&password.0).map_err(|e| format!("cannot hash the password: {e}"))?;
        Ok(Hash(hash.to_string()))
    }

    /// A hash that costs as much as any and that no password has: its output is made up.
    pub fn of_nobody() -> Hash {
        let (m, t, p) = (Params::DEFAULT_M_COST, Params::DEFAULT_T_COST, Params::DEFAULT_P_COST);
        let (salt, output) = ("bm9ib2R5bm9ib2R5", "bm9ib2R5bm9ib2R5bm9ib2R5bm9ib2R5bm9ib2R5bm8");
        Hash(format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${output}"))
    }

    /// Whether this is the password's hash. `memory` is kept between calls: an allocator that gets 19 MiB back and is
    /// asked for them again tends to hold several times as much. An empty password matches nothing, and neither does
    /// a hash that cannot be read.
    fn matches(&self, password: &Password, memory: &mut Vec<Block>) -> bool {
        !password.is_empty() && self.compare(password, memory).unwrap_or(false)
    }

    fn compare(&self, password: &Password, memory: &mut Vec<Block>) -> Option<bool> {
        let known = PasswordHash::new(&self.0).ok()?;
        let algorithm = Algorithm::try_from(known.algorithm.as_str()).ok()?;
        let version = Version::try_from(known.version?).ok()?;
        let params = Params::try_from(&known).ok()?;
        let (salt, wanted) = (known.salt?, known.hash?);
        memory.resize(params.block_count(), Block::default());
        let mut output = vec![0; wanted.len()];
        let argon2 = Argon2::new(algorithm, version, params);
        argon2.hash_password_into_with_memory(&password.0, &salt, &mut output, memory.as_mut_slice()).ok()?;
        // Output compares in constant time.
        Some(Output::new(&output).ok()? == wanted)
    }
}

impl Hashing {
    /// Half the cores may hash at once; the other half serves those who are in.
    pub fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        // One for each thread waits its turn; the others wait to ask.
        let (checks, asked) = rt::channel(threads);
        for _ in 0..threads {
            let asked = asked.clone();
            std::thread::spawn(move || check_all(&asked));
        }
        Hashing { checks }
    }

    /// Whether `hash` is the password's.
    pub async fn matches(&self, hash: Hash, password: Password) -> bool {
        let (answer, answered) = oneshot::channel();
        let asked = self.checks.send(Check { hash, password, answer }).await;
        // Without an answer nobody comes in.
        asked.is_ok() && answered.await.unwrap_or(false)
    }
}

/// The life of a hashing thread.
fn check_all(asked: &Receiver<Check>) {
    let mut memory = Vec::new();
    while let Ok(Check { hash, password, answer }) = rt::block_on(asked.recv()) {
        let _ = answer.send(hash.matches(&password, &mut memory));
    }
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier;

    use super::*;

    #[test]
    fn agrees_with_the_crate_that_made_the_hash() {
        let (right, wrong) = (Password::new("correct horse"), Password::new("correct house"));
        let hash = Hash::of(&right).unwrap();
        assert!(Argon2::default().verify_password(&right.0, hash.0.as_str()).is_ok());
        let mut memory = Vec::new();
        // Memory that is full of something else makes no difference.
        for _ in 0..2 {
            assert!(hash.matches(&right, &mut memory));
            assert!(!hash.matches(&wrong, &mut memory));
        }
    }

    #[test]
    fn nobody_costs_as_much_as_anybody_and_has_no_password() {
        let nobody = PasswordHash::new(&Hash::of_nobody().0).map(|hash| (hash.params, hash.hash.unwrap().len()));
        let somebody = Hash::of(&Password::new("x")).unwrap();
        let somebody = PasswordHash::new(&somebody.0).map(|hash| (hash.params, hash.hash.unwrap().len()));
        assert_eq!(nobody.unwrap(), somebody.unwrap());
        for hash in [Hash::of_nobody(), Hash(String::new()), Hash("$argon2id$".to_string())] {
            assert!(!hash.matches(&Password::new("x"), &mut Vec::new()));
            assert!(!hash.matches(&Password::new(""), &mut Vec::new()));
        }
    }
}
