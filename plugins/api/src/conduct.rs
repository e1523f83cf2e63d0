//! How a peer behaves: what a service, or the connection itself, tells of it. Says what has happened and nothing more; what
//! comes of it (a ban, a place that is given to another) is decided by whoever listens, and services need not know.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};

use crate::Conn;

/// What a peer may do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// A name and a password that do not belong together.
    WrongPassword(Guess),
    /// It speaks HTTP.
    Http,
    /// A line longer than [`Limits::line`](crate::Limits::line).
    LongLine,
    /// It was there for [`Limits::login`](crate::Limits::login) and did not log in.
    NoLogin,
    /// A command that there is not, beyond those that honest clients try.
    UnknownCommand,
    /// A TLS handshake that came to nothing.
    FailedHandshake,
    /// More new connections in a second than one address may make.
    TooFast,
}

/// Which password was tried for which name, as far as guesses have to be told from each other: digests with a key that is
/// this process's own and nowhere written, too short to test a password by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess {
    /// Whose password it was to be.
    pub who: u32,
    /// What it was.
    pub what: u32,
}

impl Guess {
    /// That `password` was tried for `name`.
    pub fn of(name: &[u8], password: &[u8]) -> Guess {
        Guess { who: digest(name), what: digest(&(name, password)) }
    }
}

fn digest(of: &(impl std::hash::Hash + ?Sized)) -> u32 {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    // The upper half is as good as the lower.
    (KEY.get_or_init(RandomState::new).hash_one(of) >> 32) as u32
}

/// Whoever listens to what is told of one connection. Nothing here may wait.
pub trait Witness: Send + Sync {
    /// The peer has done this.
    fn offence(&self, offence: Offence);

    /// The peer has shown by a password that it is `who` (see [`Guess::who`]).
    fn logged_in(&self, who: u32);

    /// Whether the peer has shown who it is, which needs no password where visitors are let in.
    fn settled(&self, is: bool);
}

/// To tell of one connection's peer. Where nobody listens it is lost.
#[derive(Clone, Default)]
pub struct Conduct(Option<Arc<dyn Witness>>);

impl Conduct {
    /// What is told goes to `witness`.
    pub fn told_to(witness: Arc<dyn Witness>) -> Conduct {
        Conduct(Some(witness))
    }

    /// The peer has done something that honest clients do seldom, or never.
    pub fn offence(&self, offence: Offence) {
        if let Some(witness) = &self.0 {
            witness.offence(offence);
        }
    }

    /// The peer has given the right password of `name`: its wrong ones of a moment ago were mistakes. Not for visitors who
    /// need none.
    pub fn logged_in(&self, name: &[u8]) {
        if let Some(witness) = &self.0 {
            witness.logged_in(digest(name));
        }
    }

    /// See [`Conn::settled`](crate::Conn::settled), which says it.
    pub(crate) fn settled(&self, is: bool) {
        if let Some(witness) = &self.0 {
            witness.settled(is);
        }
    }
}

impl Conn {
    /// What the peer does is told to this from now on.
    pub fn set_conduct(&mut self, conduct: Conduct) {
        self.conduct = conduct;
    }

    /// To tell how the peer behaves, as far as the connection does not see it by itself.
    pub fn conduct(&self) -> &Conduct {
        &self.conduct
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_are_told_apart() {
        let guess = Guess::of(b"alice", b"one");
        assert_eq!(guess, Guess::of(b"alice", b"one"));
        assert_eq!(guess.who, Guess::of(b"alice", b"two").who);
        assert_ne!(guess.what, Guess::of(b"alice", b"two").what);
        assert_ne!(guess.what, Guess::of(b"bob", b"one").what);
        assert_eq!(guess.who, digest(b"alice".as_slice()));
    }
}
