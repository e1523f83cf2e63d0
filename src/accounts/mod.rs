//! Who may log in, and what each may do. Knows names, passwords and rights; no protocol, no path.

mod hashing;

use std::fmt;

use crate::store::Rights;
use hashing::{Hash, Hashing};

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
    hashing: Hashing,
}

struct Account {
    name: Vec<u8>,
    hash: Hash,
    rights: Rights,
}

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
    /// Nobody but anonymous visitors.
    pub fn new(anonymous: Anonymous) -> Self {
        Accounts { anonymous, named: Vec::new(), nobody: Hash::of_nobody(), hashing: Hashing::new() }
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
        let right = self.hashing.matches(hash, password).await;
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
