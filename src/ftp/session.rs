//! What one session remembers between commands. No socket, no clock; the verbs read and write it, the conversation
//! owns it.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use gftp_plugin::tls::Tunnel;
use gftp_plugin::{Conduct, Offence, Origin, rt};

use super::Shared;
use super::answer::Refusal;
use super::data::ascii::{FromNetwork, ToNetwork};
use super::data::coding::{Decoders, Encoders};
use super::data::deflate::{Deflate, Inflate, Level};
use super::data::digest::Algorithm;
use super::data::parting::Parting;
use super::data::{Plan, Secure};
use super::journal;
use super::pace::Paced;
use super::protection::Resume;
use super::roll::Seat;
use super::tls::{Protection, Security, Stranger};
use super::wire::command::argument_path;
use super::wire::facts::Facts;
use super::wire::phrase::{Language, Text, phrase};
use super::wire::printable::printable;
use super::wire::range::Part;
use crate::accounts::{Ended, Stay, Visitor};
use crate::store::{StoreError, View, VirtualPath};

/// How file bytes are represented while they travel (RFC 959 §3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Representation {
    /// TYPE A: lines end in CRLF on the wire. The default, as the RFC has it.
    Ascii,
    /// TYPE I and L 8: bytes as they are.
    Image,
}

/// How a data connection carries the bytes (RFC 959 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// MODE S: as they are; the end of the connection is the end of the data.
    Stream,
    /// MODE Z: compressed.
    Deflate,
}

/// Who this is.
pub enum Who {
    /// Nobody has said anything.
    Stranger,
    /// USER gave this name; PASS is to come.
    Named(Vec<u8>),
    /// Logged in under this name, with this door to the store, and as one stay of the account.
    In(Vec<u8>, View, Option<Box<Stay>>),
}

/// One session's memory.
pub struct Session {
    /// What all sessions of the server share.
    pub shared: Arc<Shared>,
    /// Who is on the line.
    pub origin: Arc<Origin>,
    /// Who has logged in.
    pub who: Who,
    /// The working directory.
    pub directory: VirtualPath,
    /// TYPE.
    pub representation: Representation,
    /// MODE.
    pub mode: Mode,
    /// OPTS MODE Z LEVEL.
    pub level: Level,
    /// TLS, once it was begun: it outlives CCC, for the data connections.
    pub security: Option<Box<Security>>,
    /// PROT.
    pub protection: Protection,
    /// How the next data connection is to be made.
    pub plan: Plan,
    /// The last data connection, where its end is waited for.
    pub parting: Option<Box<Parting>>,
    /// EPSV ALL was sent: no other way to make data connections (RFC 2428 §4).
    pub only_epsv: bool,
    /// REST: where the next transfer begins.
    pub restart: u64,
    /// RANG: what the next RETR or HASH is about.
    pub part: Option<Part>,
    /// RNFR: what RNTO will rename.
    pub renaming: Option<VirtualPath>,
    /// SITE CPFR: what SITE CPTO will copy.
    pub copying: Option<VirtualPath>,
    /// SITE IDLE: how long the client may be silent. The conversation keeps to it.
    pub idle: Duration,
    /// What SITE WHO says of this session.
    pub seat: Option<Seat>,
    /// How fast its transfers may go.
    pub paced: Paced,
    /// ALLO: how large the next upload will be.
    pub announced: Option<u64>,
    /// OPTS MLST.
    pub facts: Facts,
    /// OPTS HASH.
    pub algorithm: Algorithm,
    /// LANG.
    pub language: Language,
    /// Wrong passwords so far, since a right one.
    pub failures: u32,
    /// Commands so far that there are not.
    unknown: u32,
    /// To tell how the client behaves.
    pub conduct: Conduct,
}

/// Commands that there are not, after which each further one counts as an offence: honest clients try a few, to learn what a
/// server can do.
const HONEST_TRIES: u32 = 10;

impl Session {
    /// A stranger's session.
    pub fn new(shared: Arc<Shared>, origin: Arc<Origin>, conduct: Conduct) -> Self {
        Session {
            idle: shared.idle,
            shared,
            origin,
            who: Who::Stranger,
            directory: VirtualPath::root(),
            representation: Representation::Ascii,
            mode: Mode::Stream,
            level: Level::default(),
            security: None,
            protection: Protection::Clear,
            plan: Plan::Unset,
            parting: None,
            only_epsv: false,
            restart: 0,
            part: None,
            renaming: None,
            copying: None,
            seat: None,
            paced: Paced::default(),
            announced: None,
            facts: Facts::DEFAULT,
            algorithm: Algorithm::default(),
            language: Language::English,
            failures: 0,
            unknown: 0,
            conduct,
        }
    }

    /// Forgets all but who is on the line, how, and how often they were wrong: the state of a new session (REIN, RFC 959
    /// §4.1.1).
    pub fn reset(&mut self) {
        let (failures, unknown, security) = (self.failures, self.unknown, self.security.take());
        *self = Session::new(Arc::clone(&self.shared), Arc::clone(&self.origin), self.conduct.clone());
        (self.failures, self.unknown) = (failures, unknown);
        self.secured(security);
    }

    /// The client has sent a command that there is not.
    pub fn note_unknown(&mut self) {
        self.unknown = self.unknown.saturating_add(1);
        if self.unknown > HONEST_TRIES {
            self.conduct.offence(Offence::UnknownCommand);
        }
    }

    /// Forgets who was logged in, and what they were about; transfer parameters stay.
    pub fn log_out(&mut self) {
        (self.who, self.seat, self.directory) = (Who::Stranger, None, VirtualPath::root());
        (self.plan, self.announced, self.security) = (Plan::Unset, None, None);
        self.protection = Protection::Clear;
    }

    /// TLS is spoken from now on, or is not.
    pub fn secured(&mut self, security: Option<Box<Security>>) {
        // Where TLS comes first, data goes through it from the beginning, as all servers have it.
        self.protection = match &security {
            Some(security) if security.implicit => Protection::Private,
            _ => Protection::Clear,
        };
        self.security = security;
    }

    /// Whether the control connection is in TLS.
    pub fn is_secure(&self) -> bool {
        self.security.as_ref().is_some_and(|security| !security.cleared)
    }

    /// Whether it was so from the first byte on.
    pub fn is_implicit(&self) -> bool {
        self.security.as_ref().is_some_and(|security| security.implicit)
    }

    /// Lets `name` in, if the home can be opened: it is made where it does not stand.
    pub async fn let_in(&mut self, name: Vec<u8>, visitor: Visitor) -> Result<(), StoreError> {
        let Visitor { rules, home, rate, stay, .. } = visitor;
        let store = Arc::clone(&self.shared.store);
        let store = if home.is_root() { store } else { rt::unblock(move || store.home(&home)).await? };
        let address = match self.origin.peer.ip() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        // All addresses are as long, so that no two owners are the same.
        let owner = [&address.octets()[..], &name].concat();
        // A visitor without an account has shown nothing, and goes on to count from where he was.
        if stay.is_some() {
            self.failures = 0;
        }
        // In this order: a seat that is given up takes the session off the roll.
        self.seat = None;
        self.seat = Some(self.shared.roll.enter(self.origin.id, &name, self.origin.peer));
        self.paced = self.shared.pacing.enter(stay.is_some().then_some(&name), rate);
        self.who = Who::In(name, store.view(rules, owner), stay.map(Box::new));
        Ok(())
    }

    /// What data connections are made with, where they use TLS.
    pub fn data_security(&self) -> Secure {
        data_security(&self.shared, self.security.as_deref(), self.protection)
    }

    /// Whether there are data connections to be seen to between commands.
    pub fn has_affairs(&self) -> bool {
        self.parting.is_some() || (self.protection == Protection::Private && self.plan.can_go_ahead())
    }

    /// Sees to them, to the end. May be dropped and called again.
    pub async fn see_to_affairs(&mut self) {
        let Session { shared, security, protection, plan, parting, .. } = self;
        let secure = || data_security(shared, security.as_deref(), *protection);
        let coming = async {
            if *protection == Protection::Private && plan.can_go_ahead() {
                plan.go_ahead(secure).await;
            }
        };
        let going = async {
            if let Some(last) = parting {
                last.end().await;
            }
            *parting = None;
        };
        futures::join!(coming, going);
    }

    /// Whether a data connection is this session's; what to say where it is not. One that need not prove it is noted once.
    pub fn recognise(&mut self, tunnel: &Tunnel) -> Result<(), Text> {
        let Some(resume) = self.shared.tls.as_ref().map(|tls| tls.policy.resume) else { return Ok(()) };
        let Some(security) = &mut self.security else { return Ok(()) };
        security.recognise(tunnel, resume).map_err(|stranger| match stranger {
            Stranger::Fresh => phrase!(
                "Data connections must resume the TLS session of the control connection here: have your client reuse it."
            ),
            Stranger::Other => phrase!("The data connection shows another certificate than the control connection."),
        })?;
        let is_resumed = tunnel.agreed().is_some_and(|agreed| agreed.resumed);
        if !is_resumed && resume == Resume::Prefer && !std::mem::replace(&mut security.noted, true) {
            journal::not_resumed(self);
        }
        Ok(())
    }

    /// Whether somebody is logged in.
    pub fn is_in(&self) -> bool {
        matches!(self.who, Who::In(..))
    }

    /// Why whoever is logged in may not stay: his account has ended, or is another one now. None: he may.
    pub fn ended(&self) -> Option<Ended> {
        match &self.who {
            Who::In(_, _, Some(stay)) => self.shared.accounts.ended(stay),
            _ => None,
        }
    }

    /// Says what SITE WHO is to tell of this session: the command that it carries out, or none.
    pub fn set_doing(&self, command: Option<&[u8]>) {
        if let Some(seat) = &self.seat {
            seat.set_doing(command);
        }
    }

    /// What bytes become on their way out; `text` says where TYPE A stands.
    pub fn encoders(&self, text: Option<ToNetwork>) -> Encoders {
        let encoders = text.map_or_else(Encoders::default, |text| Encoders::default().then(text));
        match self.mode {
            Mode::Stream => encoders,
            Mode::Deflate => encoders.then(Deflate::new(self.level)),
        }
    }

    /// What bytes become on their way in; `text` as for [`Session::encoders`].
    pub fn decoders(&self, text: Option<FromNetwork>) -> Decoders {
        let decoders = match self.mode {
            Mode::Stream => Decoders::default(),
            Mode::Deflate => Decoders::default().then(Inflate::default()),
        };
        match text {
            Some(text) => decoders.then(text),
            None => decoders,
        }
    }

    /// The name that was given; empty where there was none.
    pub fn user(&self) -> &[u8] {
        match &self.who {
            Who::Stranger => &[],
            Who::Named(name) | Who::In(name, ..) => name,
        }
    }

    /// Whether the name that was given is one for visitors without an account, and these are let in.
    pub fn is_anonymous(&self) -> bool {
        self.shared.accounts.anonymous(self.user()).is_some()
    }

    /// The door to the store. The verb table lets nobody get here who is not logged in; should it ever err, they are
    /// refused here.
    pub fn view(&self) -> Result<View, Refusal> {
        match &self.who {
            Who::In(_, view, _) => Ok(view.clone()),
            _ => Err(Refusal::say(530, phrase!("Log in with USER and PASS first."))),
        }
    }

    /// What a path that the client typed means here.
    pub fn path(&self, argument: &[u8]) -> Result<VirtualPath, Refusal> {
        let argument = argument_path(argument);
        self.directory.join(&argument).map_err(|e| {
            let reason = Text::phrase(e.words(), Vec::new());
            Refusal::say(553, phrase!("{}: {}.", printable(&argument), reason))
        })
    }

    /// As [`Session::store`], without the trip to the pool where all that is wanted is in memory.
    pub async fn look_up<T: Send + 'static>(
        &self,
        path: &VirtualPath,
        work: impl Fn(&View, &VirtualPath) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        match work(&self.view()?.from_memory(), path) {
            Err(StoreError::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => self.store(path, work).await,
            done => done.map_err(|e| Refusal::about(path, e)),
        }
    }

    /// Does `work` with the store on the pool; an error becomes a refusal that names `path`.
    pub async fn store<T: Send + 'static>(
        &self,
        path: &VirtualPath,
        work: impl FnOnce(&View, &VirtualPath) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (view, asked) = (self.view()?, path.clone());
        let done = rt::unblock(move || work(&view, &asked)).await;
        done.map_err(|e| Refusal::about(path, e))
    }
}

fn data_security(shared: &Shared, security: Option<&Security>, protection: Protection) -> Secure {
    let (tls, security) = (shared.tls.as_ref()?, security?);
    (protection == Protection::Private).then(|| tls.data_config(security))
}
