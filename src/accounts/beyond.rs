//! Accounts that are in no file: somebody else is asked about each login. Knows what is asked and what comes of it; it refuses
//! to know how the answer is found.

#[cfg(feature = "pam")]
use super::pam::Pam;
use super::program::Program;
use super::users::{User, check_name};
use super::{Caller, Password};

/// Who is asked about names that no file has.
pub enum Beyond {
    /// A program of the administrator's.
    Program(Program),
    /// The machine's accounts.
    #[cfg(feature = "pam")]
    Pam(Pam),
}

/// What comes of asking.
#[derive(Debug)]
pub enum Asked {
    /// This account may come in, on these terms.
    Allowed(Box<User>),
    /// It may not; why, for the log.
    Denied(String),
    /// Too many wait to be asked about.
    Busy,
    /// Nobody could say; the log has been told why.
    Failed,
}

impl Beyond {
    /// Asks. What no account can have is not asked about: a name that no file could hold, bytes that are no text, and
    /// an empty password, which some directories take for a visitor without one and say yes.
    pub(super) async fn ask(&self, name: &[u8], password: &Password, caller: &Caller) -> Asked {
        let (Ok(name), Ok(secret)) = (std::str::from_utf8(name), std::str::from_utf8(&password.0)) else {
            return Asked::Denied("the name or the password is no UTF-8 text".to_string());
        };
        if let Err(wrong) = check_name(name) {
            return Asked::Denied(wrong);
        }
        if secret.is_empty() {
            return Asked::Denied("an empty password opens no account".to_string());
        }
        match self {
            Beyond::Program(program) => program.ask(name, secret, caller).await,
            #[cfg(feature = "pam")]
            Beyond::Pam(pam) => pam.ask(name, secret, caller).await,
        }
    }

    /// Who is let in so, for the line at start.
    pub(super) fn describe(&self) -> String {
        match self {
            Beyond::Program(program) => format!("whom {} lets in", program.shown()),
            #[cfg(feature = "pam")]
            Beyond::Pam(pam) => format!("whom PAM ({}) lets in", pam.service()),
        }
    }

    /// The server ends: nobody is asked any more.
    pub(super) fn end(&self) {
        match self {
            Beyond::Program(program) => program.end(),
            #[cfg(feature = "pam")]
            Beyond::Pam(pam) => pam.end(),
        }
    }
}
