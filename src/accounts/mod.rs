//! Who may log in, and what each may do. Knows names, passwords and rights; no protocol, no path.
//!
//! A password is compared by argon2id, which costs tens of milliseconds and 19 MiB on purpose. A few threads do nothing
//! else: a flood of logins makes logins wait and nothing besides, and takes no more memory than those threads have.

use std::fmt;

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use futures::channel::oneshot;
use gftp_plugin::rt::{self, Receiver, Sender};

use crate::store::Rights;

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
    named: Vec<Account>,
    /// What an unknown name's password is checked against, so that it costs as much as a known one's.
    nobody: Hash,
    checks: Sender<Check>,
}

struct Account {
    name: Vec<u8>,
    hash: Hash,
    rights: Rights,
}

/// A password to be compared, and who wants to know.
struct Check {
    hash: Hash,
    password: Password,
    answer: oneshot::Sender<bool>,
}

/// An argon2id hash as a PHC string.
#[derive(Clone)]
struct Hash(String);

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

impl Hash {
    fn of(password: &Password) -> Result<Hash, String> {
        let hash =
            Argon2::default().hash_password(&password.0).map_err(|e| format!("cannot hash the password: {e}"))?;
        Ok(Hash(hash.to_string()))
    }

    fn matches(&self, password: &Password) -> bool {
        !password.is_empty() && Argon2::default().verify_password(&password.0, self.0.as_str()).is_ok()
    }
}

impl Accounts {
    /// Nobody but anonymous visitors.
    pub fn new(anonymous: Anonymous) -> Result<Self, String> {
        // Half the cores at most are hashing at once: the other half serves those who are in.
        let at_once = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        // One for each thread waits its turn; the others wait to ask.
        let (checks, asked) = rt::channel(at_once);
        for _ in 0..at_once {
            let asked = asked.clone();
            std::thread::spawn(move || check_all(&asked));
        }
        Ok(Accounts {
            anonymous,
            named: Vec::new(),
            nobody: Hash::of(&Password::new("an account that nobody has"))?,
            checks,
        })
    }

    /// Adds an account with full rights.
    pub fn add(&mut self, name: &str, password: &Password) -> Result<(), String> {
        if password.is_empty() {
            return Err(format!("the password of {name} is empty"));
        }
        let account = Account { name: name.as_bytes().to_vec(), hash: Hash::of(password)?, rights: Rights::FULL };
        self.named.push(account);
        Ok(())
    }

    /// What an anonymous visitor may do; None where they are not let in.
    pub fn anonymous(&self) -> Option<Rights> {
        match self.anonymous {
            Anonymous::Off => None,
            Anonymous::Read => Some(Rights::READ_ONLY),
            Anonymous::Write => Some(Rights::FULL),
        }
    }

    /// The rights of `name`, if the password is right. A wrong name takes as long as a wrong password.
    pub async fn check(&self, name: &[u8], password: Password) -> Option<Rights> {
        let account = self.named.iter().find(|account| account.name == name);
        let hash = account.map_or(&self.nobody, |account| &account.hash).clone();
        let (answer, answered) = oneshot::channel();
        let asked = self.checks.send(Check { hash, password, answer }).await;
        // Without an answer nobody comes in.
        let right = asked.is_ok() && answered.await.unwrap_or(false);
        account.filter(|_| right).map(|account| account.rights)
    }

    /// Those who may log in, for the line at start.
    pub fn describe(&self) -> String {
        let names: Vec<_> = self.named.iter().map(|account| String::from_utf8_lossy(&account.name)).collect();
        let names = names.join(", ");
        match (self.anonymous, names.is_empty()) {
            (Anonymous::Off, true) => "nobody (no account is given)".to_string(),
            (Anonymous::Off, false) => format!("{names} (reading and writing)"),
            (Anonymous::Read, true) => "anyone (reading only)".to_string(),
            (Anonymous::Read, false) => format!("anyone (reading only) and {names} (reading and writing)"),
            (Anonymous::Write, true) => "anyone (reading and writing)".to_string(),
            (Anonymous::Write, false) => format!("anyone and {names} (reading and writing)"),
        }
    }
}

/// The life of a hashing thread. One whose asker has left is not worth the work.
fn check_all(asked: &Receiver<Check>) {
    while let Ok(Check { hash, password, answer }) = rt::block_on(asked.recv()) {
        if !answer.is_canceled() {
            let _ = answer.send(hash.matches(&password));
        }
    }
}
