//! FTP made ready to be served: its tree is opened, its accounts are read, and what is wrong with either is said.

use std::sync::Arc;

use gftp_plugin::{Needs, Service, rt};

use crate::accounts::beyond::Beyond;
use crate::accounts::program::{DESCRIPTORS_EACH, Program};
use crate::accounts::{Accounts, Anonymous};
use crate::cli::{AuthOrder, FtpOrder, Mistake};
use crate::ftp::data::passive::MOST_LISTENERS;
use crate::ftp::protection::Tls;
use crate::ftp::{Ftp, FtpOptions};
use crate::host::tls::Certificates;
use crate::host::{Address, Entry};
use crate::store::{MAX_KEPT, Store, StoreError};
use crate::watched::Watched;

use super::users::{Given, keep_up};

/// Descriptors that are not sessions': passive listeners of both families, and kept uploads (two each).
const OTHER_DESCRIPTORS: usize = 2 * MOST_LISTENERS + 2 * MAX_KEPT;

/// FTP, ready to be served.
pub struct Opened {
    /// The service.
    pub service: Arc<dyn Service>,
    /// Where it is to listen.
    pub addresses: Vec<Address>,
    /// The same service where TLS comes first, and where that is.
    pub implicit: Option<(Arc<dyn Service>, Vec<Address>)>,
    /// Who may come.
    pub entry: Entry,
    /// What it serves, for people.
    pub root: String,
    /// Whom it serves, for people.
    pub visitors: String,
    /// Homes of accounts, apart from the root.
    pub homes: usize,
    /// What people have to know of its certificate.
    pub certificate: Option<String>,
    /// What it needs of the machine while it serves.
    pub needs: Needs,
    /// Descriptors that are not sessions'.
    pub others: usize,
}

/// What is to be done once FTP is served, since a mistake is one line and serving should not wait.
pub struct OnceReady {
    warning: Option<String>,
    certificates: Option<Certificates>,
    store: Arc<Store>,
    /// Who serves only readers removes nothing.
    sweeps: bool,
    accounts: Arc<Accounts>,
    /// Where they come from, and the file that may change.
    watched: Option<(Given, Watched)>,
}

impl OnceReady {
    /// The accounts, for whoever ends them.
    pub fn accounts(&self) -> Arc<Accounts> {
        Arc::clone(&self.accounts)
    }

    /// Does it.
    pub fn run(self) {
        if let Some(warning) = self.warning {
            log::warn!("{warning}");
        }
        if self.watched.is_some() && self.store.has_spellings() {
            log::warn!(
                "{}: this file system takes several spellings for one name, and what the users file says of single folders and names \
                 can be passed by another spelling; who must not see something there should have a home without it",
                self.store.root().display()
            );
        }
        if let Some(certificates) = self.certificates {
            certificates.follow(self.store.root());
        }
        if self.sweeps {
            rt::spawn(sweep(self.store));
        }
        if let Some((given, watched)) = self.watched {
            rt::spawn(keep_up(given, watched, Arc::downgrade(&self.accounts)));
        }
    }
}

/// Opens and checks what was ordered; and what is to be done once it is served.
pub fn open(order: FtpOrder) -> Result<(Opened, OnceReady), Mistake> {
    let root = order.root.display();
    let store = Store::open(&order.root).map_err(|e| {
        let advice = match e {
            StoreError::BadName(_) => "give a folder with files, as --root /srv",
            _ => "give a folder that this user may read",
        };
        Mistake(format!("--root {root}: {e}; {advice}"))
    })?;
    let store = Arc::new(store);
    let (mut needs, sweeps) = (needs(&order, &store), may_write(&order));
    let beyond = beyond(&order.auth)?;
    let given = Given::new(order.anonymous, order.user, order.users, beyond.is_some()).map_err(Mistake)?;
    let watched = given.watch();
    let (users, warning) = given.read().map_err(Mistake)?;
    let accounts = Arc::new(Accounts::new(order.anonymous, users, order.most_per_user).and(beyond));
    let (root, visitors) = (store.root().display().to_string(), accounts.describe().to_string());
    let homes = accounts.homes();
    let mut behind = Vec::new();
    let (tls, certificates) = match order.tls {
        Some(tls) => {
            let certificates = Certificates::open(&tls.files).map_err(Mistake)?;
            behind = tls.implicit;
            (Some(Tls { config: certificates.config(), policy: tls.policy }), Some(certificates))
        }
        None => (None, None),
    };
    let certificate = certificates.as_ref().and_then(Certificates::line);
    // Not as trees: who the process becomes need not be able to read them. Then a change is not seen, and that is said.
    for file in certificates.iter().flat_map(Certificates::files) {
        needs.reads(file);
    }
    let others = OTHER_DESCRIPTORS + order.auth.program.as_ref().map_or(0, |it| it.processes * DESCRIPTORS_EACH);
    let service = Ftp::new(FtpOptions {
        store: Arc::clone(&store),
        accounts: Arc::clone(&accounts),
        passive: order.passive,
        data_wait: order.data_wait,
        stall: order.stall,
        durable: order.durable,
        idle: order.limits.idle,
        max_idle: order.max_idle,
        tls,
        caps: order.caps,
    });
    let implicit = service.behind_tls().filter(|_| !behind.is_empty());
    let implicit = implicit.map(|ftp| (Arc::new(ftp) as Arc<dyn Service>, behind));
    let watched = watched.map(|watched| (given, watched));
    let (service, once_ready) =
        (Arc::new(service), OnceReady { warning, certificates, store, sweeps, accounts, watched });
    let (addresses, entry) = (order.addresses, order.entry);
    Ok((Opened { service, addresses, implicit, entry, root, visitors, homes, others, certificate, needs }, once_ready))
}

/// Whether anybody may ever change what is served. The users file may give others that right while it is served, and so may
/// who is asked about names that it has not.
fn may_write(order: &FtpOrder) -> bool {
    let accounts = order.user.is_some() || order.users.is_some() || order.auth.is_asked();
    order.anonymous == Anonymous::Write || accounts
}

fn needs(order: &FtpOrder, store: &Store) -> Needs {
    let mut needs = Needs::default();
    match may_write(order) {
        true => needs.writes_tree(store.root()),
        false => needs.reads_tree(store.root()),
    };
    if let Some(users) = &order.users {
        needs.reads(users);
    }
    if order.auth.is_asked() {
        needs.runs_programs();
    }
    // A passive port is opened on first need. In active mode we connect, from a port that the system picks.
    needs.listens(order.passive.ports.clone().unwrap_or(0..=0)).listens(0..=0).connects();
    needs
}

/// Who is asked about names that no file has.
fn beyond(auth: &AuthOrder) -> Result<Option<Beyond>, Mistake> {
    #[cfg(feature = "pam")]
    if let Some(options) = &auth.pam {
        return Ok(Some(Beyond::Pam(crate::accounts::pam::Pam::new(options.clone()))));
    }
    let Some(options) = &auth.program else { return Ok(None) };
    let said = |e| Mistake(format!("--auth-program {}: {e}", options.path.display()));
    Ok(Some(Beyond::Program(Program::new(options.clone()).map_err(said)?)))
}

/// Removes what a server that died has left, beside the serving: a large tree takes its time, and uploads that live are
/// told from dead ones by their locks.
async fn sweep(store: Arc<Store>) {
    let swept = rt::unblock(move || store.sweep()).await;
    if swept.removed > 0 || swept.failed > 0 {
        log::info!("removed {} unfinished uploads of a server that is gone ({} failed)", swept.removed, swept.failed);
    }
}
