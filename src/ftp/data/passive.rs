//! Passive data connections: few, long-lived listeners that all sessions share.
//!
//! A `PASV` opens nothing: it is an *expectation* that the client's address will come to one of our ports, and while it
//! stands no other session from that address is given the same port. So a transfer costs no bind and no listen, ten
//! thousand idle `PASV` cost ten thousand small entries, and one published port serves any number of clients. An
//! expectation that died unfulfilled quarantines its pair of address and port for a moment, so that a connection that
//! comes late is nobody's. Knows no FTP replies and no files.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use std::{fmt, io};

use event_listener::Event;
use gftp_plugin::rt::{self, Listener, Receiver, Sender, Socket, channel};
use gftp_plugin::{Origin, listen};

/// Listeners at most when the system chooses the ports. Each serves every client address once at a time, so this is
/// how many sessions of one address may be between their PASV and their connection at the same moment.
const MOST_LISTENERS: usize = 512;
/// Listeners that are opened before a session is given back a port that it has left unused. Its connection to that port
/// may still be on its way, and would be taken for the next one.
const FEW_LISTENERS: usize = 8;
/// How long a connection that its client has closed already is held back for a better one, where a session was given
/// back such a port after all: a round trip on a slow line.
const STALE_WAIT: Duration = Duration::from_secs(1);
/// How long a pair of address and port stays unused after an expectation died: a SYN that was lost is sent again after
/// 1, 3 and 7 seconds, so what was on its way then arrives within this.
const QUARANTINE: Duration = Duration::from_secs(8);
/// How long a port is held for a client that asked for one and neither connected nor began a transfer.
const EXPECTED_FOR: Duration = Duration::from_secs(60);
/// How long a PASV waits for a port when all are taken for its address: a few round trips of those who hold them.
const PORT_WAIT: Duration = Duration::from_secs(3);
/// Quarantines end by time, which nobody announces: those who wait look again this often.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Entries after which the expired ones are swept out, so that they cannot gather.
const SWEEP_AT: usize = 1024;

/// Where passive connections are taken and what is announced.
#[derive(Clone, Debug, Default)]
pub struct PassiveOptions {
    /// The ports that may be used; None: any that the system gives.
    pub ports: Option<RangeInclusive<u16>>,
    /// What PASV announces instead of the address that the client dialled, for servers behind NAT.
    pub address: Option<Ipv4Addr>,
}

/// The shared listeners and what is expected on them.
pub struct Passive {
    options: PassiveOptions,
    state: Mutex<State>,
    /// Rung when a pair becomes free.
    freed: Event,
}

#[derive(Default)]
struct State {
    doors: Vec<Door>,
    slots: HashMap<Key, Slot>,
    /// Numbers expectations, so that an old one cannot be taken for a new one on the same pair.
    last: u64,
    sweep_at: usize,
}

/// One listener, and what became of what was announced there.
struct Door {
    bound: IpAddr,
    port: u16,
    told: u64,
    came: u64,
    strangers: u64,
}

/// Which listener (by its place in `doors`, which only grows), and from which address.
type Key = (usize, IpAddr);

enum Slot {
    /// Once its connection has come the pair is free; where it is `stale`, once the session has made its choice.
    Expected { session: u64, number: u64, since: Instant, stale: bool, deliver: Sender<Socket> },
    /// Free again at `until`, or when what was on its way has come; for the session that left it so, at once if need be:
    /// what comes late is its own.
    Quarantined { session: u64, until: Instant },
}

/// Whether a pair may be given to a session.
#[derive(PartialEq, Eq)]
enum Vacancy {
    Free,
    /// Left unused by this very session a moment ago.
    Left,
    Taken,
}

/// A port that was announced to one session. Dropping it ends the expectation.
pub struct Expectation {
    passive: Arc<Passive>,
    key: Key,
    number: u64,
    port: u16,
    /// The session had this port just before, and may have connected to it.
    stale: bool,
    arrivals: Receiver<Socket>,
}

/// Why no port could be given.
#[derive(Debug)]
pub enum NoPort {
    /// Every port is taken for this client's address.
    AllTaken(usize),
    /// The system refuses to listen.
    CannotListen(io::Error),
}

/// What is known of an announced port where nothing came.
#[derive(Clone, Copy, Debug)]
pub struct Absence {
    /// The port that was announced.
    pub port: u16,
    /// How often that port was announced to anyone, and how many connections came of it.
    pub told: u64,
    /// See `told`.
    pub came: u64,
}

impl Passive {
    /// No listener yet: each is opened on first need.
    pub fn new(options: PassiveOptions) -> Arc<Self> {
        Arc::new(Passive { options, state: Mutex::default(), freed: Event::new() })
    }

    /// The IPv4 address that PASV announces to this client. A client on this very machine gets the address it dialled,
    /// which the public one need not be able to reach.
    pub fn announced(&self, origin: &Origin) -> Option<Ipv4Addr> {
        let dialled = match origin.local.ip() {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        };
        if origin.peer.ip().is_loopback() { dialled } else { self.options.address.or(dialled) }
    }

    /// A port for one connection from this client. Waits a moment when its address has all of them.
    pub async fn expect(self: &Arc<Self>, origin: &Origin) -> Result<Expectation, NoPort> {
        let give_up = Instant::now() + PORT_WAIT;
        loop {
            let freed = self.freed.listen();
            if let Some(expectation) = self.expect_now(origin)? {
                return Ok(expectation);
            }
            if Instant::now() >= give_up {
                return Err(NoPort::AllTaken(self.state().doors.len()));
            }
            let _ = rt::timeout(LOOK_AGAIN, async {
                freed.await;
                Ok(())
            })
            .await;
        }
    }

    fn expect_now(self: &Arc<Self>, origin: &Origin) -> Result<Option<Expectation>, NoPort> {
        let (client, now) = (origin.peer.ip(), Instant::now());
        let mut state = self.state();
        state.sweep(now);
        let ours = |state: &State, door: usize| state.doors[door].bound == origin.bound;
        let find = |state: &mut State, wanted: Vacancy| {
            let doors = 0..state.doors.len();
            doors.into_iter().find(|&door| ours(state, door) && state.vacancy((door, client), origin.id, now) == wanted)
        };
        let (mut door, mut stale) = (find(&mut state, Vacancy::Free), false);
        if door.is_none() && state.doors.len() < FEW_LISTENERS {
            door = self.open_door(&mut state, origin.bound)?;
        }
        if door.is_none() {
            door = find(&mut state, Vacancy::Left);
            stale = door.is_some();
        }
        let door = match door {
            Some(door) => Some(door),
            None => self.open_door(&mut state, origin.bound)?,
        };
        Ok(door.map(|door| self.promise(&mut state, (door, client), origin.id, stale)))
    }

    fn promise(self: &Arc<Self>, state: &mut State, key: Key, session: u64, stale: bool) -> Expectation {
        // Two, so that a stale connection and the one that is meant can both come.
        let (deliver, arrivals) = channel(2);
        state.last += 1;
        let number = state.last;
        state.doors[key.0].told += 1;
        state.slots.insert(key, Slot::Expected { session, number, since: Instant::now(), stale, deliver });
        let port = state.doors[key.0].port;
        Expectation { passive: Arc::clone(self), key, number, port, stale, arrivals }
    }

    /// Listens on one more port, if there may be one more.
    fn open_door(self: &Arc<Self>, state: &mut State, bound: IpAddr) -> Result<Option<usize>, NoPort> {
        let listener = match &self.options.ports {
            None if state.doors.len() >= MOST_LISTENERS => return Ok(None),
            None => listen::bind(SocketAddr::new(bound, 0), true).map_err(NoPort::CannotListen)?,
            Some(ports) => {
                let unopened =
                    ports.clone().filter(|port| !state.doors.iter().any(|d| (d.bound, d.port) == (bound, *port)));
                let mut failure = None;
                let opened = unopened.into_iter().find_map(|port| {
                    listen::bind(SocketAddr::new(bound, port), true).map_err(|e| failure = Some(e)).ok()
                });
                match (opened, failure) {
                    (Some(listener), _) => listener,
                    // A port of the range that another program has is no reason to fail while we have others.
                    (None, Some(e)) if !state.doors.iter().any(|d| d.bound == bound) => {
                        return Err(NoPort::CannotListen(e));
                    }
                    (None, _) => return Ok(None),
                }
            }
        };
        let port = listener.get_ref().local_addr().map_err(NoPort::CannotListen)?.port();
        let door = state.doors.len();
        state.doors.push(Door { bound, port, told: 0, came: 0, strangers: 0 });
        rt::spawn(watch(Arc::downgrade(self), listener, door));
        Ok(Some(door))
    }

    /// Gives a connection to the session that expects it; anyone else's is closed by being dropped.
    fn arrived(&self, door: usize, peer: IpAddr, socket: Socket) {
        let mut state = self.state();
        let key = (door, peer);
        let slot = state.slots.remove(&key);
        if let Some(Slot::Expected { deliver, stale, .. }) = &slot {
            let (deliver, stale) = (deliver.clone(), *stale);
            state.doors[door].came += 1;
            if let (true, Some(slot)) = (stale, slot) {
                state.slots.insert(key, slot);
            }
            let _ = deliver.try_send(socket);
        } else {
            // It ends a quarantine: this was what the quarantine waited for.
            state.doors[door].strangers += 1;
            let Door { port, strangers, .. } = state.doors[door];
            log::debug!(
                "passive port {port}: closed a connection from {peer} that nobody expects ({strangers} so far)"
            );
        }
        drop(state);
        self.freed.notify(usize::MAX);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change below is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a port, for the reply to a client that did not come.
    fn absence(&self, door: usize) -> Absence {
        let Door { port, told, came, .. } = self.state().doors[door];
        Absence { port, told, came }
    }
}

impl State {
    /// Whether a pair may be given to the session `asking`; an expectation that has stood too long ends here.
    fn vacancy(&mut self, key: Key, asking: u64, now: Instant) -> Vacancy {
        match self.slots.get(&key) {
            None => Vacancy::Free,
            Some(Slot::Quarantined { until, .. }) if *until <= now => Vacancy::Free,
            Some(Slot::Quarantined { session, .. }) if *session == asking => Vacancy::Left,
            Some(Slot::Quarantined { .. }) => Vacancy::Taken,
            Some(&Slot::Expected { session, since, .. }) => {
                if now.duration_since(since) > EXPECTED_FOR {
                    // Its session is not told until it transfers; then it finds the channel closed.
                    self.slots.insert(key, Slot::Quarantined { session, until: now + QUARANTINE });
                }
                Vacancy::Taken
            }
        }
    }

    fn sweep(&mut self, now: Instant) {
        if self.slots.len() >= self.sweep_at.max(SWEEP_AT) {
            self.slots.retain(|_, slot| !matches!(slot, Slot::Quarantined { until, .. } if *until <= now));
            // What is left is alive; sweeping again before it has doubled would be work without yield.
            self.sweep_at = self.slots.len() * 2;
        }
    }
}

/// Takes connections from one listener for as long as somebody may expect them.
async fn watch(passive: Weak<Passive>, listener: Listener, door: usize) {
    loop {
        let (socket, peer) = listen::accept(&listener, "passive port").await;
        let Some(passive) = passive.upgrade() else { return };
        passive.arrived(door, peer.ip(), socket);
    }
}

impl Expectation {
    /// The port that was announced.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the client's connection.
    pub async fn arrival(self, wait: Duration) -> Result<Socket, Absence> {
        let socket = self.next(wait).await.ok_or_else(|| self.passive.absence(self.key.0))?;
        if self.stale && listen::peer_has_closed(&socket) {
            return Ok(self.next(STALE_WAIT).await.unwrap_or(socket));
        }
        Ok(socket)
    }

    async fn next(&self, wait: Duration) -> Option<Socket> {
        rt::timeout(wait, async { self.arrivals.recv().await.map_err(io::Error::other) }).await.ok()
    }
}

impl Drop for Expectation {
    fn drop(&mut self) {
        let mut state = self.passive.state();
        if let Some(&Slot::Expected { session, number, .. }) = state.slots.get(&self.key)
            && number == self.number
        {
            state.slots.insert(self.key, Slot::Quarantined { session, until: Instant::now() + QUARANTINE });
        }
    }
}

impl fmt::Display for NoPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoPort::AllTaken(ports) => write!(
                f,
                "All {ports} passive ports wait for connections from your address already; try again in a moment"
            ),
            NoPort::CannotListen(e) => write!(f, "Cannot listen for data connections: {e}"),
        }
    }
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Absence { port, told, came } = self;
        write!(f, "port {port} was told to clients {told} times and {came} connections came")?;
        if *came == 0 {
            write!(f, ": is the port published and open in the firewall, is --passive-address right?")?;
        }
        Ok(())
    }
}
