//! What an account may do, where, and with which names. It refuses to know who has which rules, and what each is checked for.

use super::rights::Rights;

/// The rules of one account. Cheap to clone: every session of the account has the same ones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rules {
    rights: Rights,
}

impl Rules {
    /// What holds where nothing else is said.
    pub fn rights(&self) -> Rights {
        self.rights
    }
}

impl From<Rights> for Rules {
    fn from(rights: Rights) -> Self {
        Rules { rights }
    }
}
