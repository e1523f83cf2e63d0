//! FTP made ready to be served: its tree is opened, its accounts are read, and what is wrong with either is said.

use std::path::Path;
use std::sync::Arc;

use gftp_plugin::{Service, rt};

use crate::accounts::users::User;
use crate::accounts::{Accounts, Anonymous, Password, file, is_anonymous};
use crate::cli::{FtpOrder, Mistake};
use crate::ftp::data::passive::MOST_LISTENERS;
use crate::ftp::protection::Tls;
use crate::ftp::{Ftp, FtpOptions};
use crate::host::Address;
use crate::host::tls::Certificates;
use crate::store::{MAX_KEPT, Rights, Store, VirtualPath};

/// Descriptors that are not sessions': passive listeners of both families, and kept uploads (two each).
pub const OTHER_DESCRIPTORS: usize = 2 * MOST_LISTENERS + 2 * MAX_KEPT;

/// FTP, ready to be served.
pub struct Opened {
    /// The service.
    pub service: Arc<dyn Service>,
    /// Where it is to listen.
    pub addresses: Vec<Address>,
    /// What it serves, for people.
    pub root: String,
    /// Whom it serves, for people.
    pub visitors: String,
    /// Homes of accounts, apart from the root.
    pub homes: usize,
    /// What people have to know of its certificate.
    pub certificate: Option<String>,
    /// What is to be done once it is served.
    pub once_ready: Option<OnceReady>,
}

/// What is to be done once FTP is served, since a mistake is one line and serving should not wait.
pub struct OnceReady {
    warning: Option<String>,
    certificates: Option<Certificates>,
    store: Arc<Store>,
}

impl OnceReady {
    /// Does it.
    pub fn run(self) {
        if let Some(warning) = self.warning {
            log::warn!("{warning}");
        }
        if let Some(certificates) = self.certificates {
            certificates.follow();
        }
        rt::spawn(sweep(self.store));
    }
}

/// Opens and checks what was ordered.
pub fn open(order: FtpOrder) -> Result<Opened, Mistake> {
    let root = order.root.display();
    let store = Store::open(&order.root)
        .map_err(|e| Mistake(format!("--root {root}: {e}; give a folder that this user may read")))?;
    let store = Arc::new(store);
    let (users, warning) = users(order.anonymous, order.user, order.users.as_deref()).map_err(Mistake)?;
    let accounts = Accounts::new(order.anonymous, users, order.most_per_user);
    let (root, visitors) = (store.root().display().to_string(), accounts.describe().to_string());
    let homes = accounts.homes();
    let (tls, certificates) = match order.tls {
        Some(tls) => {
            let certificates = Certificates::open(&tls.files).map_err(Mistake)?;
            (Some(Tls { config: certificates.config(), policy: tls.policy }), Some(certificates))
        }
        None => (None, None),
    };
    let certificate = certificates.as_ref().and_then(Certificates::line);
    let service = Ftp::new(FtpOptions {
        store: Arc::clone(&store),
        accounts,
        passive: order.passive,
        data_wait: order.data_wait,
        stall: order.stall,
        durable: order.durable,
        idle: order.limits.idle,
        max_idle: order.max_idle,
        tls,
    });
    let (service, once_ready) = (Arc::new(service), OnceReady { warning, certificates, store });
    Ok(Opened { service, addresses: order.addresses, root, visitors, homes, certificate, once_ready: Some(once_ready) })
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
