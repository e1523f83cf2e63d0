//! The front door of every service: it binds, accepts, counts, hands each connection to its service, and at the end
//! drains. Knows services only by their [`Service`] contract; no protocol is named here.

mod bans;
mod entry;
mod gate;
mod guard;
mod rates;
mod remembered;
mod scores;
pub mod tls;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::{self, AbortHandle, Abortable, Either};
use futures::pin_mut;
use gftp_plugin::proxy::{self, Introduced};
use gftp_plugin::rt::{self, Listener, Socket};
use gftp_plugin::{Conduct, Conn, Limits, Origin, Service, Shutdown, ShutdownTrigger, listen};

pub use bans::{Ban, BanRules, MOST_BANS, REFORMED_AFTER};
pub use entry::Entry;
use gate::Out;
pub use gate::{Gate, Places};
pub use guard::{Guard, GuardRules, shown};
use guard::{Peer, Refused};
pub use scores::{narrow, wide};

/// How long sessions that were told to end may take for it before they are left behind: enough to remove a temporary
/// file and say goodbye, not enough to notice.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A service and the sockets it is served on: first such as the system knows, then such as are watched.
pub struct Served<L = Listener> {
    /// Who answers.
    pub service: Arc<dyn Service>,
    /// What each connection to it may take.
    pub limits: Limits,
    /// How many may come to it, within what the whole process takes.
    pub places: Option<Places>,
    /// Who may come to it.
    pub entry: Entry,
    /// Where it listens.
    pub listeners: Vec<L>,
}

/// How the end went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Sessions that did not finish within the grace and were cut off.
    pub cut_off: usize,
}

/// Listens on all of `addresses`. Where they ask for port 0 they all get the same free port, so that "localhost:PORT"
/// is right whichever address the name resolves to. An address marked optional may be missing from this machine.
pub fn bind(addresses: &[Address]) -> Result<Vec<TcpListener>, (SocketAddr, io::Error)> {
    /// A port that is free on one address is rarely taken on the other; more tries than this mean something else.
    const TRIES: usize = 20;
    let mut tries = 0;
    loop {
        tries += 1;
        match bind_once(addresses) {
            Err((at, e)) if e.kind() == io::ErrorKind::AddrInUse && at.port() != 0 && tries < TRIES => {
                if addresses.iter().all(|address| address.at.port() != 0) {
                    return Err((at, e));
                }
            }
            result => return result,
        }
    }
}

/// An address to listen on.
#[derive(Clone, Copy, Debug)]
pub struct Address {
    /// Where; port 0 means any.
    pub at: SocketAddr,
    /// Whether a machine without this address (no IPv6, say) may do without it.
    pub optional: bool,
}

/// Whether IPv4 has a listener for all of its addresses: then that for all of IPv6's must leave IPv4 alone.
pub fn listens_on_any_v4(addresses: &[Address]) -> bool {
    addresses.iter().any(|address| address.at.ip() == IpAddr::from([0, 0, 0, 0]))
}

fn bind_once(addresses: &[Address]) -> Result<Vec<TcpListener>, (SocketAddr, io::Error)> {
    let any_v4 = listens_on_any_v4(addresses);
    let mut listeners = Vec::with_capacity(addresses.len());
    let mut chosen = 0;
    for address in addresses {
        let mut at = address.at;
        if at.port() == 0 {
            at.set_port(chosen);
        }
        match listen::open(at, !any_v4) {
            Ok(listener) => {
                chosen = listener.local_addr().map_err(|e| (at, e))?.port();
                listeners.push(listener);
            }
            Err(e) if address.optional && is_missing(&e) => log::debug!("not listening on {at}: {e}"),
            Err(e) => return Err((at, e)),
        }
    }
    Ok(listeners)
}

fn is_missing(error: &io::Error) -> bool {
    use rustix::io::Errno;
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}

/// Has the sockets watched, which starts the first thread: nothing is given up after this.
pub fn watch(all: Vec<Served<TcpListener>>) -> io::Result<Vec<Served>> {
    all.into_iter()
        .map(|Served { service, limits, places, entry, listeners }| {
            let listeners = listeners.into_iter().map(Listener::new).collect::<io::Result<_>>()?;
            Ok(Served { service, limits, places, entry, listeners })
        })
        .collect()
}

/// Serves until the shutdown says draining; then lets running sessions finish within `grace`, ends the rest, and
/// returns. `trigger` is the other side of `shutdown`.
pub async fn serve(
    all: Vec<Served>,
    gate: Arc<Gate>,
    guard: Arc<Guard>,
    shutdown: Shutdown,
    trigger: Arc<ShutdownTrigger>,
    grace: Duration,
) -> Drained {
    for served in all {
        let Served { service, limits, places, entry, listeners } = served;
        service.begin();
        let gate = places.map_or_else(|| Arc::clone(&gate), |places| Gate::within(Arc::clone(&gate), places));
        for listener in listeners {
            let door = Door {
                service: Arc::clone(&service),
                limits,
                gate: Arc::clone(&gate),
                guard: Arc::clone(&guard),
                entry: entry.clone(),
                shutdown: shutdown.clone(),
                bound: listener.get_ref().local_addr().map_or(IpAddr::from([0, 0, 0, 0]), |at| at.ip()),
            };
            rt::spawn(Arc::new(door).stand_open(listener));
        }
    }
    shutdown.draining().await;
    let inside = gate.count();
    log::info!("draining: no new sessions; {inside} may finish within {}", humantime::format_duration(grace));
    let finished = {
        let (emptied, over) = (gate.close(), shutdown.ending());
        pin_mut!(emptied, over);
        let over = future::select(over, Box::pin(rt::sleep(grace)));
        matches!(future::select(emptied, over).await, Either::Left(_))
    };
    let cut_off = if finished { 0 } else { gate.count() };
    trigger.end();
    let _ = rt::timeout(LAST_WORDS, async {
        gate.close().await;
        Ok(())
    })
    .await;
    Drained { cut_off }
}

/// One listener's way in.
struct Door {
    service: Arc<dyn Service>,
    limits: Limits,
    gate: Arc<Gate>,
    guard: Arc<Guard>,
    entry: Entry,
    shutdown: Shutdown,
    bound: IpAddr,
}

/// A connection, and whose it is.
struct Arrival {
    socket: Socket,
    peer: SocketAddr,
    local: SocketAddr,
    proxy: Option<IpAddr>,
    /// A proxy that asks for itself: it comes every few seconds, and does nothing that anybody wants to read of.
    is_proxys_own: bool,
}

impl Door {
    async fn stand_open(self: Arc<Self>, listener: Listener) {
        loop {
            let accepted = listen::accept(&listener, self.service.name());
            let closing = self.shutdown.draining();
            pin_mut!(accepted, closing);
            match future::select(accepted, closing).await {
                Either::Left(((socket, peer), _)) => {
                    self.open(socket, peer);
                    // Those who made room have to be gone before many more come, or these would be turned away.
                    if self.gate.is_overfull() {
                        rt::yield_now().await;
                    }
                }
                // Dropping the listener makes the kernel refuse newcomers, which tells them more than silence would.
                Either::Right(_) => return,
            }
        }
    }

    /// Somebody knocks, who may be a proxy that has yet to say for whom.
    fn open(self: &Arc<Self>, socket: Socket, peer: SocketAddr) {
        let Ok(local) = socket.get_ref().local_addr() else { return };
        let direct = Arrival { socket, peer, local: listen::canonical(local), proxy: None, is_proxys_own: false };
        if self.entry.proxies.contain(peer.ip()) {
            if let Some(awaited) = proxy::await_header() {
                let door = Arc::clone(self);
                rt::spawn(async move {
                    door.hear_proxy(direct).await;
                    drop(awaited);
                });
            }
        } else if self.entry.only_by_proxy {
            log::debug!("{}: closed a connection from {peer}, which is no proxy", self.service.name());
        } else {
            self.let_in(direct);
        }
    }

    async fn hear_proxy(&self, arrival: Arrival) {
        let by = arrival.peer.ip();
        match proxy::introduction(&arrival.socket).await {
            Ok(Introduced::Client { peer, local }) => self.let_in(Arrival { peer, local, proxy: Some(by), ..arrival }),
            Ok(Introduced::Proxy) => self.let_in(Arrival { is_proxys_own: true, ..arrival }),
            Err(why) => proxy::complain(self.service.name(), by, &why),
        }
    }

    /// Whether this address may come: it is not banned, not too fast, and from where the service is for. Proxies are not
    /// looked at as strangers are, but they need not be allowed either.
    fn check(&self, arrival: &Arrival) -> Result<(), (Refused, bool)> {
        let address = arrival.peer.ip();
        if !arrival.is_proxys_own {
            self.guard.check(address)?;
        }
        if self.entry.admits(address) { Ok(()) } else { Err((Refused::NotAllowed, true)) }
    }

    fn let_in(&self, arrival: Arrival) {
        /// Numbers sessions from 1; process-wide, so that a log line names one session whatever its service.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (service, peer) = (Arc::clone(&self.service), arrival.peer);
        if let Err((refused, is_told)) = self.check(&arrival) {
            return self.turn_away(&arrival, &refused.to_string(), is_told);
        }
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let (abort, registration) = AbortHandle::new_pair();
        let out = Out::new(abort);
        let stranger = service.logs_in().then(|| (id, out.clone()));
        let ticket = match self.gate.admit(peer.ip(), stranger) {
            Ok(ticket) => ticket,
            Err(full) => return self.turn_away(&arrival, &full.to_string(), true),
        };
        let Arrival { socket, local, proxy, is_proxys_own, .. } = arrival;
        let origin = Origin { id, peer, local, bound: self.bound, proxy };
        let mut conn = Conn::new(socket, origin, self.limits, self.shutdown.clone());
        if !is_proxys_own {
            let witness = Peer::new(Arc::clone(&self.guard), Arc::clone(&self.gate), id, peer.ip(), out.clone());
            conn.set_conduct(Conduct::told_to(Arc::new(witness)));
        }
        if !service.logs_in() {
            conn.settled();
        }
        service.arrived(&origin);
        let alone = service.waits_alone();
        let place = if alone { conn.place_on_trust() } else { None };
        // In a box, for else the task would keep room for it after it is given to the service.
        let conn = Box::new(conn);
        let session = async move {
            let _ticket = ticket;
            let began = Instant::now();
            let served = Abortable::new(service.serve(*conn), registration).await;
            let end = served.unwrap_or_else(|_| Err(io::Error::other(out.why().unwrap_or_default())));
            let level = if is_proxys_own { log::Level::Debug } else { log::Level::Info };
            say_goodbye(level, id, peer, service.name(), began.elapsed().as_secs_f64(), end);
        };
        if alone {
            rt::spawn_alone(session, place);
        } else {
            rt::spawn(session);
        }
    }

    /// Closes a connection for which nothing has been done yet. Where many are closed it is not said of each.
    fn turn_away(&self, arrival: &Arrival, why: &str, is_told: bool) {
        let (name, Arrival { socket, peer, .. }) = (self.service.name(), arrival);
        let address = peer.ip().to_string();
        let level = if is_told { log::Level::Info } else { log::Level::Debug };
        log::log!(
            level, event = "turned_away", service = name, peer = address.as_str(), peer_port = peer.port();
            "{name}: turned {peer} away: {why}"
        );
        if is_told {
            // A fresh socket has room for a line; one that has not is not worth waiting for.
            let _ = io::Write::write(&mut socket.get_ref(), &self.service.turned_away(why));
        } else {
            // Nothing is left of it in the kernel either.
            listen::reset_on_close(socket);
        }
    }
}

/// The last line of a session in the log.
fn say_goodbye(level: log::Level, id: u64, peer: SocketAddr, name: &str, seconds: f64, end: io::Result<()>) {
    if !log::log_enabled!(level) {
        // Nobody reads it, and to write addresses takes as long as a command.
        return;
    }
    let (how, error) = match end {
        Ok(()) => ("ended", None),
        Err(e) => ("lost", Some(e.to_string())),
    };
    let why = error.as_ref().map_or(String::new(), |e| format!(": {e}"));
    let address = peer.ip().to_string();
    log::log!(
        level,
        event = "session_end",
        service = name,
        session = id,
        peer = address.as_str(),
        peer_port = peer.port(),
        seconds = (seconds * 1000.0).round() / 1000.0,
        error = error.as_deref();
        "session {id}: connection from {peer} {how} after {seconds:.1} s ({name}){why}"
    );
}
