//! Who may log in, with what rights and where. Knows names, passwords, rights and homes; no protocol and no session.
//!
//! `users` reads the text of a users file, `edit` changes it by `settings`, `file` keeps it; `directory` is what it said when it was last
//! read, `terms` and `rate` what an account is bound to, `stays` who is in. `hashing` compares passwords in the turns of the
//! `desk`, `known` remembers which were right a moment ago. `certificate` reads whom a client's certificate stands for.
//! `beyond` is who is asked about names that no file has: a `program`, or `pam`.

pub mod beyond;
pub mod certificate;
mod desk;
mod directory;
pub mod edit;
pub mod file;
mod hash;
mod hashing;
mod known;
#[cfg(feature = "pam")]
pub mod pam;
pub mod program;
pub mod rate;
mod rules;
pub mod settings;
mod stays;
pub mod terms;
pub mod users;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use gftp_plugin::Time;

use crate::store::{Rights, Rules, VirtualPath};
use beyond::{Asked, Beyond};
pub use directory::Changes;
use directory::{Account, Directory};
pub use hash::Hash;
use hashing::{Compared, Hashing};
use known::Known;
use rate::Rates;
pub use stays::{Ended, Stay};
use stays::{Seats, Standing};
use users::User;

/// The names under which visitors without an account come (RFC 1635), in any case.
const ANONYMOUS_NAMES: [&[u8]; 2] = [b"anonymous", b"ftp"];
/// So many accounts are called by their names in the line at start; more are counted.
const MOST_NAMED: usize = 3;

/// What the line at start says where nobody may log in.
const NOBODY: &str = "nobody (no account is given)";

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
    /// Replaced as a whole when the users file is read again. Held for as long as it takes to take a copy of the pointer.
    directory: RwLock<Arc<Directory>>,
    /// Held by whoever replaces it.
    replacing: Mutex<()>,
    /// Sessions that one account may have at once where nothing else is written of it.
    most_sessions: usize,
    seats: Arc<Seats>,
    hashing: Hashing,
    known: Known,
    /// Who is asked about names that no file has.
    beyond: Option<Beyond>,
    time: Time,
    /// Those who may log in, for the line at start.
    described: String,
}

/// Who asks to be let in.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Where he comes from.
    pub peer: SocketAddr,
    /// Where he has dialled.
    pub local: SocketAddr,
    /// The service that he talks to.
    pub service: &'static str,
    /// Whether nobody between can read the password.
    pub tls: bool,
}

/// What a login comes to.
#[derive(Debug)]
pub enum Verdict {
    /// Come in.
    In(Visitor),
    /// The name or the password is wrong, or the account may not come from there or now; which of them is not told to whoever
    /// asks. The log may be told, where it is more than a wrong password.
    Wrong(Option<String>),
    /// The password is right, and the account has so many sessions already, the most allowed.
    Full(usize),
    /// Too many logins wait to be looked at.
    Busy,
    /// Whoever was to be asked about it cannot say; the log has been told why.
    Failed,
}

/// One who may come in.
#[derive(Debug)]
pub struct Visitor {
    /// What he may do.
    pub rules: Rules,
    /// What he sees as the root, below the served one.
    pub home: VirtualPath,
    /// How fast his transfers may go.
    pub rate: Rates,
    /// His account's place; none for visitors without an account, who are not one user.
    pub stay: Option<Stay>,
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
    /// These accounts, each of which may have so many sessions at once. Names must differ.
    pub fn new(anonymous: Anonymous, users: Vec<User>, most_sessions: usize) -> Self {
        Accounts {
            anonymous,
            described: describe(anonymous, &users),
            directory: RwLock::new(Arc::new(Directory::after(None, users))),
            replacing: Mutex::new(()),
            most_sessions,
            seats: Arc::default(),
            hashing: Hashing::new(),
            known: Known::new(),
            beyond: None,
            time: Time::machine(),
        }
    }

    /// The same; about names that no file has, somebody else is asked.
    pub fn and(mut self, beyond: Option<Beyond>) -> Self {
        if let Some(beyond) = &beyond {
            let others = beyond.describe();
            self.described = if self.described == NOBODY { others } else { format!("{} and {others}", self.described) };
        }
        Accounts { beyond, ..self }
    }

    /// The server ends: whoever is asked about logins is let go.
    pub fn end(&self) {
        if let Some(beyond) = &self.beyond {
            beyond.end();
        }
    }

    /// The same by another clock.
    #[cfg(test)]
    pub(crate) fn by(self, time: Time) -> Self {
        Accounts { time, ..self }
    }

    /// These accounts instead, from now on. Who is being looked at is judged by the old ones; who is in learns from
    /// [`Accounts::ended`] whether he may stay.
    pub fn replace(&self, users: Vec<User>) -> Changes {
        let _one_at_a_time = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.directory();
        let after = Arc::new(Directory::after(Some(&before), users));
        // First, or one who comes in by the new ones could be judged by what was written before.
        let changes = after.announce(&before);
        *self.directory.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&after);
        self.known.keep_only(|name| after.find(name).is_some());
        changes
    }

    /// Whether an account of that name is written.
    #[cfg(test)]
    pub(crate) fn knows(&self, name: &[u8]) -> bool {
        self.directory().find(name).is_some()
    }

    fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory.read().unwrap_or_else(PoisonError::into_inner))
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

    /// Whether who calls may come in as `name`. A wrong name takes as long as a wrong password, and so does an account that
    /// may not come from there or has expired.
    pub async fn admit(&self, name: &[u8], password: Password, caller: &Caller) -> Verdict {
        let from = caller.peer.ip();
        if let Some(rights) = self.anonymous(name) {
            return Verdict::In(Visitor {
                rules: rights.into(),
                home: VirtualPath::root(),
                rate: Rates::default(),
                stay: None,
            });
        }
        let directory = self.directory();
        let account = directory.find(name);
        if let (None, Some(beyond)) = (account, &self.beyond) {
            return self.judge(beyond.ask(name, &password, caller).await, from);
        }
        let hash = account.map_or(&directory.nobody, |account| &account.user.hash);
        let bar = account.and_then(|account| account.user.terms.bar(from, self.time.now()));
        // Who is barred learns nothing from a password that is known to be right, not even by its being quick.
        if bar.is_some() || !self.known.recalls(name, hash, &password) {
            let copy = Password(password.0.clone());
            match self.hashing.compare(hash.clone(), copy, from).await {
                Compared::Right => {}
                Compared::Wrong => return Verdict::Wrong(None),
                Compared::Busy => return Verdict::Busy,
            }
        }
        // Nobody has no password, and were it guessed, there is still no account.
        let Some(account) = account else { return Verdict::Wrong(None) };
        if let Some(bar) = bar {
            return Verdict::Wrong(Some(format!("the password was right, but {bar}")));
        }
        self.known.remember(name, hash, &password);
        self.enter(account, from)
    }

    /// What somebody else's answer comes to. Its terms hold as those of a file do.
    fn judge(&self, asked: Asked, from: IpAddr) -> Verdict {
        match asked {
            Asked::Allowed(user) => match user.terms.bar(from, self.time.now()) {
                Some(bar) => Verdict::Wrong(Some(format!("the password was right, but {bar}"))),
                None => {
                    let user = Arc::new(*user);
                    self.enter(&Account { standing: Standing::of(Arc::clone(&user)), user }, from)
                }
            },
            Asked::Denied(why) => Verdict::Wrong(Some(why)),
            Asked::Busy => Verdict::Busy,
            Asked::Failed => Verdict::Failed,
        }
    }

    /// Lets one in who has proved to be `name` in another way. None where that is no account that is written here, or one that may not come in
    /// now: a password may be asked for as if nothing had been proved.
    pub fn vouch(&self, name: &[u8], caller: &Caller) -> Option<Verdict> {
        let (directory, from) = (self.directory(), caller.peer.ip());
        let account = directory.find(name).filter(|_| !is_anonymous(name) || self.anonymous == Anonymous::Off)?;
        account.user.terms.bar(from, self.time.now()).is_none().then(|| self.enter(account, from))
    }

    /// Lets an account in, if it has a place left.
    fn enter(&self, Account { user, standing }: &Account, from: IpAddr) -> Verdict {
        let most = user.terms.sessions.map_or(self.most_sessions, NonZeroUsize::get);
        match self.seats.take(user, standing, from, most) {
            Some(stay) => {
                let (rules, home, rate) = (user.rules.clone(), user.home.clone(), user.terms.rate);
                Verdict::In(Visitor { rules, home, rate, stay: Some(stay) })
            }
            None => Verdict::Full(most),
        }
    }

    /// Why a session of an account may not stay; None: it may.
    pub fn ended(&self, stay: &Stay) -> Option<Ended> {
        stay.ended(self.time.now())
    }

    /// Those who may log in, for the line at start.
    pub fn describe(&self) -> &str {
        &self.described
    }

    /// How many different homes below the root there are: each costs a descriptor while somebody is in it. Nobody knows how
    /// many there are beyond the file.
    pub fn homes(&self) -> usize {
        if self.beyond.is_some() {
            return usize::MAX;
        }
        let directory = self.directory();
        let homes: std::collections::HashSet<_> = directory.users().map(|user| &user.home).collect();
        homes.iter().filter(|home| !home.is_root()).count()
    }
}

/// Whether this is a name of visitors without an account.
pub fn is_anonymous(name: &[u8]) -> bool {
    ANONYMOUS_NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
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
            let plain = same && first.rules.special().is_none_or(|special| special.directories.is_empty());
            Some(match first.rules.rights() {
                Rights::FULL if plain => format!("{} (reading and writing)", names.join(", ")),
                Rights::READ_ONLY if plain => format!("{} (reading only)", names.join(", ")),
                _ => names.join(", "),
            })
        }
    };
    match (anyone, named) {
        (None, None) => NOBODY.to_string(),
        (Some(anyone), None) => anyone.to_string(),
        (None, Some(named)) => named,
        (Some(anyone), Some(named)) => format!("{anyone} and {named}"),
    }
}
