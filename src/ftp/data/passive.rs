//! Passive data connections: few, long-lived listeners that all sessions share.
//!
//! A `PASV` opens nothing: it is an *expectation* that the client's address will come to one of our ports, and while it
//! stands no other session from that address is given the same port. So a transfer costs no bind and no listen, ten
//! thousand idle `PASV` cost ten thousand small entries, and one published port serves any number of clients. Knows no
//! FTP replies and no files; who may have which port when is `expected.rs`'s.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use event_listener::Event;
use gftp_plugin::proxy::{self, Introduced};
use gftp_plugin::rt::{self, Listener, Receiver, Sender, Socket, channel};

use gftp_plugin::{Networks, Origin, listen};

use super::absence::{Absence, NoPort};
use super::arrivals::Arrivals;
use super::expected::{Expected, Pair, QUARANTINE, Vacancy};
use super::waiting::Waiting;

/// Listeners at most for each address that the server listens on. Each serves every client address once at a time, so
/// this is how many sessions of one address may be between their PASV and their connection at the same moment.
pub const MOST_LISTENERS: usize = 128;
/// Listeners that are opened before any is used twice: with a choice of ports, the next one cannot be foretold by those
/// who would like to be there first (RFC 2577 §7), and a session need not be given back a port that it left unused.
const FEW_LISTENERS: usize = 8;
/// How long a PASV waits for a port when all are taken for its address: until what rests there has rested.
const PORT_WAIT: Duration = Duration::from_secs(QUARANTINE.as_secs() + 1);
/// Rest ends by time, which nobody announces: those who wait look again this often.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How long a connection that its client has closed already is held back for a better one, where a session was given
/// back a port that it left unused after all: a round trip on a slow line.
const STALE_WAIT: Duration = Duration::from_secs(1);
/// After a port could not be opened, others are not tried for this long: whoever holds it will not let go sooner.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Where passive connections are taken and what is announced.
#[derive(Clone, Debug, Default)]
pub struct PassiveOptions {
    /// The ports that may be used; None: any that the system gives.
    pub ports: Option<RangeInclusive<u16>>,
    /// What PASV announces instead of the address that the client dialled, for servers behind NAT.
    pub address: Option<Ipv4Addr>,
    /// Whether a listener on the unspecified IPv6 address takes IPv4 too, as the control connections' does.
    pub dual: bool,
    /// Proxies: a connection from there begins with a PROXY header, and is its client's.
    pub proxies: Networks,
}

/// The shared listeners and what is expected on them.
pub struct Passive {
    options: PassiveOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Only grows: a listener's number is its place here.
    doors: Vec<Door>,
    expected: Expected<Sender<Socket>>,
    /// Who waits for a pair to become free.
    waiting: Waiting,
    /// No port is opened before this.
    shut_until: Option<Instant>,
}

/// One listener, and what became of what was announced there.
struct Door {
    arrivals: Arc<Arrivals>,
    bound: IpAddr,
    port: u16,
    told: u64,
    came: u64,
    strangers: u64,
}

/// A port that was announced to one session. Dropping it ends the expectation.
pub struct Expectation {
    passive: Arc<Passive>,
    door: Arc<Arrivals>,
    pair: Pair,
    number: u64,
    port: u16,
    /// The session had this port just before, and may have connected to it.
    stale: bool,
    arrivals: Receiver<Socket>,
}

impl Passive {
    /// No listener yet: each is opened on first need.
    pub fn new(options: PassiveOptions) -> Arc<Self> {
        Arc::new(Passive { options, state: Mutex::default() })
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
        if let Some(expectation) = self.expect_now(origin)? {
            return Ok(expectation);
        }
        let (give_up, place) = (Instant::now() + PORT_WAIT, Place::new(self, origin.peer.ip()));
        loop {
            let freed = place.rung.listen();
            if let Some(expectation) = self.expect_now(origin)? {
                return Ok(expectation);
            }
            if Instant::now() >= give_up {
                return Err(NoPort::AllTaken(self.state().doors_of(origin.bound)));
            }
            let _ = rt::timeout(LOOK_AGAIN, async {
                freed.await;
                Ok(())
            })
            .await;
        }
    }

    fn expect_now(self: &Arc<Self>, origin: &Origin) -> Result<Option<Expectation>, NoPort> {
        let mut state = self.state();
        let (mut door, mut stale) = (None, false);
        if state.doors_of(origin.bound) < FEW_LISTENERS {
            door = self.open_door(&mut state, origin.bound)?;
        }
        if door.is_none() {
            door = state.find(origin, Vacancy::Free);
        }
        if door.is_none() {
            door = state.find(origin, Vacancy::Left);
            stale = door.is_some();
        }
        if door.is_none() {
            door = self.open_door(&mut state, origin.bound)?;
        }
        Ok(door.map(|door| self.promise(&mut state, door, origin, stale)))
    }

    fn promise(self: &Arc<Self>, state: &mut State, door: usize, origin: &Origin, stale: bool) -> Expectation {
        // What has come by now is not what is promised here.
        self.take(state, door);
        // Two, so that a stale connection and the one that is meant can both come.
        let (deliver, arrivals) = channel(2);
        let pair = (door, origin.peer.ip());
        state.doors[door].told += 1;
        let number = state.expected.expect(pair, origin.id, stale, deliver, Instant::now());
        let port = state.doors[door].port;
        let passive = Arc::clone(self);
        Expectation { passive, door: Arc::clone(&state.doors[door].arrivals), pair, number, port, stale, arrivals }
    }

    /// Listens on one more port, if there may be one more and one can be had.
    fn open_door(self: &Arc<Self>, state: &mut State, bound: IpAddr) -> Result<Option<usize>, NoPort> {
        let opened = state.doors_of(bound);
        let most = self.options.ports.as_ref().map_or(MOST_LISTENERS, |ports| ports.len().min(MOST_LISTENERS));
        if opened >= most || state.shut_until.is_some_and(|until| Instant::now() < until) {
            return Ok(None);
        }
        let listener = match self.bind_one(state, bound) {
            Ok(listener) => listener,
            Err(e) => {
                state.shut_until = Some(Instant::now() + TRY_AGAIN);
                // A port of the range that another program has is no reason to fail while we have others.
                return if opened == 0 { Err(NoPort::CannotListen(e)) } else { Ok(None) };
            }
        };
        let port = listener.get_ref().local_addr().map_err(NoPort::CannotListen)?.port();
        let door = state.doors.len();
        let arrivals = Arc::new(Arrivals::new(listener));
        rt::spawn(watch(Arc::downgrade(self), Arc::clone(&arrivals), door));
        state.doors.push(Door { arrivals, bound, port, told: 0, came: 0, strangers: 0 });
        Ok(Some(door))
    }

    fn bind_one(&self, state: &State, bound: IpAddr) -> io::Result<Listener> {
        let listen_on = |port| listen::bind(SocketAddr::new(bound, port), self.options.dual);
        let Some(ports) = &self.options.ports else { return listen_on(0) };
        let mut failure = io::ErrorKind::AddrInUse.into();
        for port in ports.clone() {
            if state.doors.iter().any(|door| (door.bound, door.port) == (bound, port)) {
                continue;
            }
            match listen_on(port) {
                Ok(listener) => return Ok(listener),
                Err(e) => failure = e,
            }
        }
        Err(failure)
    }

    /// Takes all that has come to a port. False: there is no descriptor for more.
    fn take(self: &Arc<Self>, state: &mut State, door: usize) -> bool {
        let arrivals = Arc::clone(&state.doors[door].arrivals);
        arrivals.take(|socket, peer| {
            if let Some(socket) = self.introduced(door, socket, peer) {
                state.arrived(door, peer, socket);
            }
        })
    }

    /// A connection that is its peer's own. None of a proxy's, which arrives when it has said whose it is.
    fn introduced(self: &Arc<Self>, door: usize, socket: Socket, peer: IpAddr) -> Option<Socket> {
        if !self.options.proxies.contain(peer) {
            return Some(socket);
        }
        if let Some(awaited) = proxy::await_header() {
            let passive = Arc::downgrade(self);
            rt::spawn(async move {
                hear_proxy(passive, socket, peer, door).await;
                drop(awaited);
            });
        }
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one who waits for a port, given up when it is dropped.
struct Place<'a> {
    passive: &'a Passive,
    address: IpAddr,
    rung: Arc<Event>,
}

impl<'a> Place<'a> {
    fn new(passive: &'a Passive, address: IpAddr) -> Place<'a> {
        let rung = passive.state().waiting.join(address);
        Place { passive, address, rung }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.passive.state().waiting.leave(self.address, std::mem::take(&mut self.rung));
    }
}

impl State {
    fn doors_of(&self, bound: IpAddr) -> usize {
        self.doors.iter().filter(|door| door.bound == bound).count()
    }

    /// Gives a connection to the session that expects it; anyone else's is closed by being dropped.
    fn arrived(&mut self, door: usize, peer: IpAddr, socket: Socket) {
        let deliver = self.expected.arrived((door, peer), Instant::now());
        // One that comes late ends a rest.
        self.waiting.free(peer);
        let Door { port, came, strangers, .. } = &mut self.doors[door];
        if let Some(deliver) = deliver {
            *came += 1;
            let _ = deliver.try_send(socket);
        } else {
            *strangers += 1;
            log::debug!(
                "passive port {port}: closed a connection from {peer} that nobody expects ({strangers} so far)"
            );
        }
    }

    /// A listener for this client, looked for from a random one on.
    fn find(&mut self, origin: &Origin, wanted: Vacancy) -> Option<usize> {
        let now = Instant::now();
        let first = fastrand::usize(..self.doors.len().max(1));
        let mut doors = (first..self.doors.len()).chain(0..first);
        doors.find(|&door| {
            self.doors[door].bound == origin.bound
                && self.expected.vacancy((door, origin.peer.ip()), origin.id, now) == wanted
        })
    }
}

/// Takes what nobody takes himself.
async fn watch(passive: Weak<Passive>, arrivals: Arc<Arrivals>, door: usize) {
    loop {
        arrivals.come().await;
        let Some(passive) = passive.upgrade() else { return };
        let enough = passive.take(&mut passive.state(), door);
        drop(passive);
        if enough { arrivals.rest().await } else { rt::sleep(listen::BACK_OFF).await }
    }
}

/// A proxy's connection is whose its header says: the client is expected by its own address.
async fn hear_proxy(passive: Weak<Passive>, socket: Socket, by: IpAddr, door: usize) {
    match proxy::introduction(&socket).await {
        Ok(Introduced::Client { peer, .. }) => {
            if let Some(passive) = passive.upgrade() {
                passive.state().arrived(door, peer.ip(), socket);
            }
        }
        // It only asks whether we listen.
        Ok(Introduced::Proxy) => {}
        Err(why) => proxy::complain("passive port", by, &why),
    }
}

impl Expectation {
    /// The port that was announced.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the client's connection.
    pub async fn arrival(self, wait: Duration) -> Result<Socket, Absence> {
        let socket = self.next(wait).await?;
        Ok(self.better_than(&socket).await.unwrap_or(socket))
    }

    /// The client's connection, for who has other things to do until it comes: may be dropped and called again. None: the
    /// port was taken back.
    pub async fn comes(&self) -> Option<Socket> {
        if let Some(socket) = self.here() {
            return Some(socket);
        }
        let _waiting = self.door.wait();
        self.arrivals.recv().await.ok()
    }

    /// The connection, if it has come.
    fn here(&self) -> Option<Socket> {
        if let Ok(socket) = self.arrivals.try_recv() {
            return Some(socket);
        }
        // Others who want a port need not wait until the kernel has made a socket. What has come for somebody else is given
        // to him, and of what may come after ours the watch takes care.
        let (passive, door) = (&self.passive, self.pair.0);
        let mut own = None;
        self.door.take_awaited(|socket, peer| {
            if let Some(socket) = passive.introduced(door, socket, peer) {
                passive.state().arrived(door, peer, socket);
            }
            own = self.arrivals.try_recv().ok();
            own.is_some()
        });
        own.or_else(|| self.arrivals.try_recv().ok())
    }

    /// Whether a connection of a command before may come first.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// One that is meant, where this one was of a command before.
    pub async fn better_than(&self, socket: &Socket) -> Option<Socket> {
        let is_stale = self.stale && listen::peer_has_closed(socket);
        // Boxed: hardly any is.
        if is_stale { Box::pin(self.next(STALE_WAIT)).await.ok() } else { None }
    }

    async fn next(&self, wait: Duration) -> Result<Socket, Absence> {
        let arrived = rt::timeout(wait, async { Ok(self.comes().await) }).await;
        match arrived {
            Ok(Some(socket)) => Ok(socket),
            Ok(None) => Err(Absence::TakenBack(self.port)),
            Err(_) => {
                let Door { port, told, came, .. } = self.passive.state().doors[self.pair.0];
                Err(Absence::NotSeen { port, told, came })
            }
        }
    }
}

impl Drop for Expectation {
    fn drop(&mut self) {
        self.passive.state().expected.ended(self.pair, self.number, Instant::now());
    }
}
