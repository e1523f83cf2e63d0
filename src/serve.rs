//! `gftp serve`: everything is opened and checked, one line says what is served, and then the host serves until a
//! signal ends it.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use async_signal::{Signal, Signals};
use futures::StreamExt;
use gftp_plugin::rt::{self, Listener};
use gftp_plugin::{Shutdown, ShutdownTrigger};

use crate::accounts::users::User;
use crate::accounts::{Accounts, Anonymous, Password, file, is_anonymous};
use crate::cli::{Mistake, Serve};
use crate::ftp::data::passive::MOST_LISTENERS;
use crate::ftp::{Ftp, FtpOptions};
use crate::host::{self, Address, Drained, Gate, Places, Served};
use crate::logging::{self, LogFiles};
use crate::store::{MAX_KEPT, Rights, Store, VirtualPath};

/// Descriptors that are not sessions': passive listeners of both families, kept uploads (two each), and some for the
/// program itself and for turning newcomers away.
const OTHER_DESCRIPTORS: usize = 2 * MOST_LISTENERS + 2 * MAX_KEPT + 64;
/// Descriptors for each session: its own, and one more, since not all transfer at once (a transfer has two or three).
const DESCRIPTORS_EACH: usize = 2;

/// Serves until SIGINT or SIGTERM. A mistake is one that shows before anything is served.
pub fn run(serve: Serve) -> Result<(), Mistake> {
    let logs = logging::start(serve.log).map_err(Mistake)?;
    let root = serve.root.display();
    let store = Store::open(&serve.root)
        .map_err(|e| Mistake(format!("--root {root}: {e}; give a folder that this user may read")))?;
    let store = Arc::new(store);
    let (users, warning) = users(serve.anonymous, serve.user, serve.users.as_deref()).map_err(Mistake)?;
    let accounts = Accounts::new(serve.anonymous, users, serve.most_per_user);
    let (wanted, room) = (serve.places.total, room_for_sessions(accounts.homes()));
    let places = Places { total: wanted.min(room), ..serve.places };
    let listeners = bind(&serve.addresses)?;
    let ready = ready_line(&store, &accounts, &listeners);
    let ftp = Ftp::new(FtpOptions {
        store: Arc::clone(&store),
        accounts,
        passive: serve.passive,
        data_wait: serve.data_wait,
        stall: serve.stall,
        durable: serve.durable,
        idle: serve.limits.idle,
        max_idle: serve.max_idle,
    });
    let (trigger, shutdown) = Shutdown::new();
    let trigger = Arc::new(trigger);
    let drained = rt::block_on(async {
        let watched = watch_signals(Arc::clone(&trigger)).and_then(|()| watch_rotation(logs));
        watched.map_err(|e| Mistake(format!("cannot wait for signals: {e}")))?;
        // Whoever reads the line may send a signal at once: it must be heard already. Nobody may be reading, either.
        let _ = writeln!(io::stdout(), "{ready}");
        if let Some(warning) = warning {
            log::warn!("{warning}");
        }
        if room < wanted {
            log::debug!("room for {room} sessions, not {wanted}: the open-file limit allows no more");
        }
        rt::spawn(sweep(store));
        let served = Served { service: Arc::new(ftp), limits: serve.limits, places: None, listeners };
        Ok(host::serve(vec![served], Gate::new(places), shutdown, trigger, serve.grace).await)
    })?;
    match drained {
        Drained { cut_off: 0 } => log::info!("ended: every session had finished"),
        Drained { cut_off } => log::warn!("ended: {cut_off} sessions were cut off"),
    }
    log::logger().flush();
    Ok(())
}

/// The accounts of the users file, and the one of --user; and what is to be warned of once the server runs, since a
/// mistake is one line. An error is a line for the administrator.
fn users(
    anonymous: Anonymous,
    single: Option<(String, Password)>,
    path: Option<&Path>,
) -> Result<(Vec<User>, Option<String>), String> {
    let (mut users, mut warning) = (Vec::new(), None);
    if let Some(path) = path {
        let shown = path.display();
        let kept = file::read(path)?;
        if kept.is_open_to_others {
            warning = Some(format!(
                "--users {shown}: others than its owner may read or change it, and it holds hashes: chmod 600 {shown}"
            ));
        }
        for User { name, line, column, .. } in &kept.users {
            let at = format!("--users {shown}, line {line}, column {column}");
            if single.as_ref().is_some_and(|(single, _)| single == name) {
                return Err(format!("{at}: \"{name}\" is the account of --user too; give it in one place only"));
            }
            if anonymous != Anonymous::Off && is_anonymous(name.as_bytes()) {
                return Err(format!("{at}: {}", visitors_name(name)));
            }
        }
        if kept.users.is_empty() && single.is_none() && anonymous == Anonymous::Off {
            let add = format!("gftp user add NAME --users {shown}");
            return Err(format!("--users {shown}: it holds no account, so nobody could log in: {add}"));
        }
        users = kept.users;
    }
    if let Some((name, password)) = single {
        if anonymous != Anonymous::Off && is_anonymous(name.as_bytes()) {
            return Err(format!("--user {name}: {}", visitors_name(&name)));
        }
        users.push(User::of(&name, &password, VirtualPath::root(), Rights::FULL)?);
    }
    Ok((users, warning))
}

fn visitors_name(name: &str) -> String {
    format!("\"{name}\" is what visitors without an account call themselves; give another name, or --anonymous off")
}

/// Removes what a server that died has left, beside the serving: a large tree takes its time, and uploads that live are
/// told from dead ones by their locks.
async fn sweep(store: Arc<Store>) {
    let swept = rt::unblock(move || store.sweep()).await;
    if swept.removed > 0 || swept.failed > 0 {
        log::info!("removed {} unfinished uploads of a server that is gone ({} failed)", swept.removed, swept.failed);
    }
}

fn bind(addresses: &[Address]) -> Result<Vec<Listener>, Mistake> {
    host::bind(addresses).map_err(|(at, e)| {
        let advice = match e.kind() {
            io::ErrorKind::AddrInUse => {
                format!("; another program listens there: try --port {}", at.port().wrapping_add(1))
            }
            io::ErrorKind::PermissionDenied => "; ports below 1024 need root: try --port 2121".to_string(),
            io::ErrorKind::AddrNotAvailable => "; this machine has no such address: try --listen 0.0.0.0".to_string(),
            _ => String::new(),
        };
        Mistake(format!("cannot listen on {at}: {e}{advice}"))
    })
}

/// The one line of a server that is ready.
fn ready_line(store: &Store, accounts: &Accounts, listeners: &[Listener]) -> String {
    let at: Vec<SocketAddr> = listeners.iter().filter_map(|listener| listener.get_ref().local_addr().ok()).collect();
    let places: Vec<String> = at.iter().map(SocketAddr::to_string).collect();
    let first = at.first().copied();
    let host = match first {
        Some(first) if first.ip().is_loopback() || first.ip().is_unspecified() => "localhost".to_string(),
        Some(first) => first.ip().to_string(),
        None => String::new(),
    };
    let (root, who, port) = (store.root().display(), accounts.describe(), first.map_or(0, |first| first.port()));
    let places = places.join(" and ");
    format!("gftp serves {root} on {places} to {who}; try it: ftp {host} {port}")
}

/// Sessions that the open-file limit allows for, after it is raised as far as it goes. So many homes cost a descriptor
/// each while somebody is in them: at most one for each session, and at most one for each home.
fn room_for_sessions(homes: usize) -> usize {
    let limit = usize::try_from(crate::store::sys::raise_open_files()).unwrap_or(usize::MAX);
    let left = limit.saturating_sub(OTHER_DESCRIPTORS);
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
