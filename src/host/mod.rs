//! The front door of every service: it binds, accepts, counts, hands each connection to its service, and at the end
//! drains. Knows services only by their [`Service`] contract; no protocol is named here.

mod gate;
pub mod tls;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::{self, Either};
use futures::pin_mut;
use gftp_plugin::rt::{self, Listener, Socket};
use gftp_plugin::{Conn, Limits, Origin, Service, Shutdown, ShutdownTrigger, listen};

pub use gate::{Gate, Places};

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
        .map(|Served { service, limits, places, listeners }| {
            let listeners = listeners.into_iter().map(Listener::new).collect::<io::Result<_>>()?;
            Ok(Served { service, limits, places, listeners })
        })
        .collect()
}

/// Serves until the shutdown says draining; then lets running sessions finish within `grace`, ends the rest, and
/// returns. `trigger` is the other side of `shutdown`.
pub async fn serve(
    all: Vec<Served>,
    gate: Arc<Gate>,
    shutdown: Shutdown,
    trigger: Arc<ShutdownTrigger>,
    grace: Duration,
) -> Drained {
    for served in all {
        let Served { service, limits, places, listeners } = served;
        service.begin();
        let gate = places.map_or_else(|| Arc::clone(&gate), |places| Gate::within(Arc::clone(&gate), places));
        for listener in listeners {
            let door = Door {
                service: Arc::clone(&service),
                limits,
                gate: Arc::clone(&gate),
                shutdown: shutdown.clone(),
                bound: listener.get_ref().local_addr().map_or(IpAddr::from([0, 0, 0, 0]), |at| at.ip()),
            };
            rt::spawn(door.stand_open(listener));
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
    shutdown: Shutdown,
    bound: IpAddr,
}

impl Door {
    async fn stand_open(self, listener: Listener) {
        loop {
            let accepted = listen::accept(&listener, self.service.name());
            let closing = self.shutdown.draining();
            pin_mut!(accepted, closing);
            match future::select(accepted, closing).await {
                Either::Left(((socket, peer), _)) => self.let_in(socket, peer),
                // Dropping the listener makes the kernel refuse newcomers, which tells them more than silence would.
                Either::Right(_) => return,
            }
        }
    }

    fn let_in(&self, socket: Socket, peer: SocketAddr) {
        /// Numbers sessions from 1; process-wide, so that a log line names one session whatever its service.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let service = Arc::clone(&self.service);
        let name = service.name();
        let ticket = match self.gate.admit(peer.ip()) {
            Ok(ticket) => ticket,
            Err(full) => {
                let address = peer.ip().to_string();
                log::info!(
                    event = "turned_away", service = name, peer = address.as_str(), peer_port = peer.port();
                    "{name}: turned {peer} away: {full}"
                );
                // A fresh socket has room for a line; one that has not is not worth waiting for.
                let _ = io::Write::write(&mut socket.get_ref(), &self.service.turned_away(&full.to_string()));
                return;
            }
        };
        let Ok(local) = socket.get_ref().local_addr() else { return };
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let origin = Origin { id, peer, local: listen::canonical(local), bound: self.bound };
        let mut conn = Conn::new(socket, origin, self.limits, self.shutdown.clone());
        if !service.logs_in() {
            conn.settled();
        }
        service.arrived(&origin);
        rt::spawn(async move {
            let _ticket = ticket;
            let began = Instant::now();
            let end = service.serve(conn).await;
            say_goodbye(id, peer, service.name(), began.elapsed().as_secs_f64(), end);
        });
    }
}

/// The last line of a session in the log.
fn say_goodbye(id: u64, peer: SocketAddr, name: &str, seconds: f64, end: io::Result<()>) {
    let (how, error) = match end {
        Ok(()) => ("ended", None),
        Err(e) => ("lost", Some(e.to_string())),
    };
    let why = error.as_ref().map_or(String::new(), |e| format!(": {e}"));
    let address = peer.ip().to_string();
    log::info!(
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
