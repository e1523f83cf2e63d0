//! A server, from its orders to its end: everything is opened and checked, what is not needed any more is given up, a line
//! for each service says what is served, and then the host serves until a signal ends it.

mod bans;
mod ftp;
mod users;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use async_signal::{Signal, Signals};
use futures::StreamExt;
use gftp_plugin::{Limits, Needs, Shutdown, ShutdownTrigger, rt};

use crate::cli::{Mistake, Process, Serve, ServiceOrder};
use crate::confine::{self, User};
use crate::host::{self, Address, Drained, Gate, Guard, Places, Served};
use crate::logging::{self, LogFiles};
use bans::Keeper;

/// Descriptors that are no session's: some for the program itself and for turning newcomers away.
const OTHER_DESCRIPTORS: usize = 64;
/// Descriptors for each session: its own, and one more, since not all transfer at once (a transfer has two or three).
const DESCRIPTORS_EACH: usize = 2;

/// Serves until SIGINT or SIGTERM. A mistake is one that shows before anything is served.
pub fn run(serve: Serve) -> Result<(), Mistake> {
    let Serve { ftp, mut services, process } = serve;
    let Process { places, grace, log, confine: confinement, guard, bans } = process;
    // Open and bind, become, confine, and only then the first thread: none that is older would be confined (ARCHITECTURE.md).
    let user = confinement.run_as.as_deref().map(User::look_up).transpose().map_err(Mistake)?;
    let logs_needed = [log.file.clone(), log.xferlog.clone()];
    let logs = logging::open(log, user.as_ref().map(User::numbers)).map_err(Mistake)?;
    let limits = ftp.as_ref().map_or_else(Limits::default, |ftp| ftp.limits);
    let (ftp, once_ready) = ftp.map(ftp::open).transpose()?.unzip();
    refuse_collisions(ftp.as_ref(), &services)?;
    let (wanted, room) = (places.total, room_for_sessions(ftp.as_ref(), &mut services));
    let places = Places { total: wanted.min(room), ..places };
    let mut needs = needs(ftp.as_ref(), &services, logs_needed);
    if let Some(file) = &bans {
        needs.keeps(file);
    }
    let (all, ready) = listen(ftp, services, limits)?;
    rt::look_at_machine();
    let confined = confine::confine(&confinement, user.as_ref(), needs).map_err(Mistake)?;
    let logs = logs.begin();
    let accounts = once_ready.as_ref().map(ftp::OnceReady::accounts);
    let (trigger, shutdown) = Shutdown::new();
    let trigger = Arc::new(trigger);
    let drained = rt::run(async move {
        let watched = watch_signals(Arc::clone(&trigger)).and_then(|()| watch_rotation(logs));
        watched.map_err(|e| Mistake(format!("cannot wait for signals: {e}")))?;
        let all = host::watch(all).map_err(|e| Mistake(format!("cannot wait for connections: {e}")))?;
        // When this process is who it will be: the file is to be its own.
        let guard = Guard::new(guard);
        let keeper = bans.map(|path| Keeper::open(path, Arc::clone(&guard))).transpose()?;
        let kept = keeper.map(|keeper| keeper.kept_until(shutdown.clone()));
        // Whoever reads the lines may send a signal at once: it must be heard already. Nobody may be reading, either.
        let _ = io::stdout().write_all(ready.as_bytes());
        confined.say();
        if room < wanted {
            log::debug!("room for {room} sessions, not {wanted}: the open-file limit allows no more");
        }
        if let Some(once_ready) = once_ready {
            once_ready.run();
        }
        let drained = host::serve(all, Gate::new(places), guard, shutdown, trigger, grace).await;
        if let Some(kept) = kept {
            kept.await;
        }
        Ok(drained)
    })?;
    match drained {
        Drained { cut_off: 0 } => log::info!("ended: every session had finished"),
        Drained { cut_off } => log::warn!("ended: {cut_off} sessions were cut off"),
    }
    if let Some(accounts) = accounts {
        accounts.end();
    }
    log::logger().flush();
    Ok(())
}

/// What all parts of the server need of the machine from now on; all else is given up.
fn needs(ftp: Option<&ftp::Opened>, services: &[ServiceOrder], logs: [Option<PathBuf>; 2]) -> Needs {
    let mut needs = ftp.map_or_else(Needs::default, |ftp| ftp.needs.clone());
    services.iter().for_each(|order| order.service.needs(&mut needs));
    for log in logs.into_iter().flatten() {
        needs.appends(log);
    }
    needs
}

/// Listens for every service; and the line that each has for people.
fn listen(
    ftp: Option<ftp::Opened>,
    services: Vec<ServiceOrder>,
    limits: Limits,
) -> Result<(Vec<Served<TcpListener>>, String), Mistake> {
    let (mut all, mut ready) = (Vec::new(), String::new());
    if let Some(ftp) = ftp {
        let listeners = bind("ftp", &ftp.addresses)?;
        let (at, host) = (shown(&listeners), try_it(&listeners, ' '));
        ready += &format!("gftp serves {} on {at} to {}; try it: ftp {host}\n", ftp.root, ftp.visitors);
        ready.extend(ftp.certificate.map(|line| line + "\n"));
        let entry = ftp.entry;
        all.push(Served { service: ftp.service, limits, places: None, entry: entry.clone(), listeners });
        if let Some((service, addresses)) = ftp.implicit {
            let listeners = bind("implicit TLS", &addresses)?;
            let (at, host) = (shown(&listeners), try_it(&listeners, ':'));
            ready += &format!("gftp serves the same on {at}, with TLS from the first byte; try it: ftps://{host}\n");
            all.push(Served { service, limits, places: None, entry, listeners });
        }
    }
    for ServiceOrder { service, addresses, places, entry } in services {
        let listeners = bind(service.name(), &addresses)?;
        let (at, host) = (shown(&listeners), try_it(&listeners, ':'));
        ready += &format!("gftp serves {} on {at}; try it: gftp netcat {host}\n", service.name());
        all.push(Served { service, limits, places: Some(places), entry, listeners });
    }
    Ok((all, ready))
}

/// Two services that want the same port: said before the kernel would say that somebody has it.
fn refuse_collisions(ftp: Option<&ftp::Opened>, services: &[ServiceOrder]) -> Result<(), Mistake> {
    let ftp = ftp.map(|ftp| ("ftp", &ftp.addresses));
    let all = ftp.into_iter().chain(services.iter().map(|order| (order.service.name(), &order.addresses)));
    let mut taken: Vec<(&str, &Vec<Address>)> = Vec::new();
    for (name, addresses) in all {
        for (first, others) in &taken {
            if let Some(Address { at, .. }) =
                addresses.iter().find(|one| others.iter().any(|other| collide(one, other)))
            {
                let (port, next) = (at.port(), at.port().wrapping_add(1));
                let advice = format!("give one of them another, as --port {next}");
                return Err(Mistake(format!("{first} and {name} both want port {port}: {advice}")));
            }
        }
        taken.push((name, addresses));
    }
    Ok(())
}

fn collide(one: &Address, other: &Address) -> bool {
    let (one, other) = (one.at, other.at);
    // All addresses of IPv6 are those of IPv4 as well.
    let holds = |all: SocketAddr, one: SocketAddr| all.ip().is_unspecified() && (all.is_ipv6() || one.is_ipv4());
    let same = one.ip() == other.ip() || holds(one, other) || holds(other, one);
    one.port() != 0 && one.port() == other.port() && same
}

fn bind(name: &str, addresses: &[Address]) -> Result<Vec<TcpListener>, Mistake> {
    host::bind(addresses).map_err(|(at, e)| {
        let advice = match e.kind() {
            io::ErrorKind::AddrInUse => {
                format!("; another program listens there: try --port {}", at.port().wrapping_add(1))
            }
            io::ErrorKind::PermissionDenied => "; ports below 1024 need root: try --port 2121".to_string(),
            io::ErrorKind::AddrNotAvailable => "; this machine has no such address: try --listen 0.0.0.0".to_string(),
            _ => String::new(),
        };
        let whose = if name == "ftp" { String::new() } else { format!(" for {name}") };
        Mistake(format!("cannot listen on {at}{whose}: {e}{advice}"))
    })
}

/// Where a service listens.
fn shown(listeners: &[TcpListener]) -> String {
    let at = listeners.iter().filter_map(|listener| listener.local_addr().ok());
    at.map(|at| at.to_string()).collect::<Vec<_>>().join(" and ")
}

/// Host and port to try it at, with this between them.
fn try_it(listeners: &[TcpListener], between: char) -> String {
    let Some(first) = listeners.first().and_then(|listener| listener.local_addr().ok()) else {
        return String::new();
    };
    let host = match first {
        _ if first.ip().is_loopback() || first.ip().is_unspecified() => "localhost".to_string(),
        SocketAddr::V6(v6) if between == ':' => format!("[{}]", v6.ip()),
        _ => first.ip().to_string(),
    };
    format!("{host}{between}{}", first.port())
}

/// Sessions that the open-file limit allows for, after it is raised as far as it goes. FTP's homes cost a descriptor each
/// while somebody is in them: at most one for each session, and at most one for each home. Services whose sessions take
/// more get fewer places where these would take too much.
fn room_for_sessions(ftp: Option<&ftp::Opened>, services: &mut [ServiceOrder]) -> usize {
    /// The part of all descriptors that dear sessions may have, so that FTP always has most.
    const DEAR_PART: usize = 4;
    let (mut others, homes) = ftp.map_or((0, 0), |ftp| (ftp.others, ftp.homes));
    let limit = usize::try_from(crate::store::sys::raise_open_files()).unwrap_or(usize::MAX);
    let dear = |order: &ServiceOrder| order.service.descriptors().saturating_sub(DESCRIPTORS_EACH);
    let kinds = services.iter().filter(|order| dear(order) > 0).count();
    for order in services.iter_mut().filter(|order| dear(order) > 0) {
        let most = (limit / DEAR_PART / kinds / order.service.descriptors()).max(1);
        if order.places.total > most {
            let (name, wanted) = (order.service.name(), order.places.total);
            log::debug!("room for {most} sessions of {name}, not {wanted}: the open-file limit allows no more");
            order.places.total = most;
        }
        others += order.places.total * dear(order);
    }
    let left = limit.saturating_sub(OTHER_DESCRIPTORS + others);
    (left.saturating_sub(homes) / DESCRIPTORS_EACH).max(left / (DESCRIPTORS_EACH + 1)).max(1)
}

/// The first signal begins the end, the second finishes it.
fn watch_signals(trigger: Arc<ShutdownTrigger>) -> io::Result<()> {
    let mut signals = Signals::new([Signal::Int, Signal::Term])?;
    rt::spawn(async move {
        if signals.next().await.is_some() {
            trigger.drain();
        }
        if signals.next().await.is_some() {
            trigger.end();
        }
    });
    Ok(())
}

/// SIGHUP is how who rotates logs says that the old files have been moved away. Where no file is logged to, it keeps its
/// usual meaning: the terminal is gone, and so is the server.
fn watch_rotation(logs: LogFiles) -> io::Result<()> {
    if logs.is_empty() {
        return Ok(());
    }
    let mut signals = Signals::new([Signal::Hup])?;
    rt::spawn(async move {
        while signals.next().await.is_some() {
            logs.reopen();
            log::info!("SIGHUP: the logs are opened anew");
        }
    });
    Ok(())
}
