//! FTP: RFC 959 and what has grown around it, as one service among others.
//!
//! A command's way: `conversation` takes a line from the connection, `verbs` look it up in the one table and answer
//! it with the `session`'s memory and the store, `transfer` moves bytes where an answer asks for it, and the reply
//! goes back. `wire` holds the pure parts: parsing and formatting, without sockets, files or a clock.

mod answer;
mod control;
mod conversation;
pub mod data;
mod journal;
pub mod pace;
pub mod protection;
mod roll;
mod session;
mod tls;
mod transfer;
pub mod turns;
mod verbs;
pub mod wire;
mod work;

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::BoxFuture;
use gftp_plugin::{Conn, Service, rt};

use crate::accounts::Accounts;
use crate::store::Store;
use data::passive::{Passive, PassiveOptions};
use pace::{Caps, Pacing};
use protection::Tls;
use roll::Roll;
use turns::Turns;

pub use verbs::table::{VERBS, markdown_table};

/// What an FTP server is told when it is made.
pub struct FtpOptions {
    /// The served tree.
    pub store: Arc<Store>,
    /// Who may log in.
    pub accounts: Arc<Accounts>,
    /// Where passive data connections are taken.
    pub passive: PassiveOptions,
    /// How long a data connection may take to come about.
    pub data_wait: Duration,
    /// How long a transfer may stand still.
    pub stall: Duration,
    /// Whether an upload is only said to be stored when the disk has it.
    pub durable: bool,
    /// How long a session may be silent.
    pub idle: Duration,
    /// How long it may ask to be by SITE IDLE.
    pub max_idle: Duration,
    /// TLS, if clients may use it.
    pub tls: Option<Tls>,
    /// How fast transfers may go.
    pub caps: Caps,
}

/// The FTP service.
pub struct Ftp {
    shared: Arc<Shared>,
    /// TLS comes first.
    implicit: bool,
}

/// What all sessions of one server share.
pub struct Shared {
    /// The served tree.
    pub store: Arc<Store>,
    /// Who may log in.
    pub accounts: Arc<Accounts>,
    /// The shared passive listeners.
    pub passive: Arc<Passive>,
    /// See [`FtpOptions::data_wait`].
    pub data_wait: Duration,
    /// See [`FtpOptions::stall`].
    pub stall: Duration,
    /// See [`FtpOptions::durable`].
    pub durable: bool,
    /// See [`FtpOptions::idle`].
    pub idle: Duration,
    /// See [`FtpOptions::max_idle`].
    pub max_idle: Duration,
    /// See [`FtpOptions::tls`].
    pub tls: Option<Tls>,
    /// Who is logged in.
    pub roll: Arc<Roll>,
    /// Whose turn it is to use a core.
    pub turns: Arc<Turns>,
    /// How fast transfers may go.
    pub pacing: Pacing,
}

impl Ftp {
    /// A server, not yet listening: that is the host's part.
    pub fn new(options: FtpOptions) -> Self {
        let FtpOptions { store, accounts, passive, data_wait, stall, durable, idle, max_idle, tls, caps } = options;
        let (passive, pacing) = (Passive::new(passive), Pacing::new(caps));
        let (roll, turns) = (Arc::default(), Arc::default());
        let shared =
            Shared { store, accounts, passive, data_wait, stall, durable, idle, max_idle, tls, roll, turns, pacing };
        Ftp { shared: Arc::new(shared), implicit: false }
    }
}

impl Ftp {
    /// The same server for a port where TLS comes first (implicit TLS). None where none is spoken.
    pub fn behind_tls(&self) -> Option<Ftp> {
        let shared = Arc::clone(&self.shared);
        shared.tls.is_some().then_some(Ftp { shared, implicit: true })
    }
}

/// Removes interrupted uploads that nobody came back for, for as long as there is a server.
async fn expire_kept(store: Weak<Store>) {
    /// Often enough that an hour is not much more, rarely enough to cost nothing.
    const EVERY: Duration = Duration::from_secs(60);
    loop {
        rt::sleep(EVERY).await;
        let Some(store) = store.upgrade() else { return };
        rt::unblock(move || store.expire_kept()).await;
    }
}

impl Service for Ftp {
    fn name(&self) -> &str {
        "ftp"
    }

    fn begin(&self) {
        // The same server behind TLS has the same uploads.
        if self.implicit {
            return;
        }
        rt::spawn(expire_kept(Arc::downgrade(&self.shared.store)));
    }

    fn logs_in(&self) -> bool {
        true
    }

    fn waits_alone(&self) -> bool {
        // Where TLS comes first nobody does, and a thread to begin on would be left at once.
        !self.implicit
    }

    fn serve(&self, mut conn: Conn) -> BoxFuture<'_, io::Result<()>> {
        // Lent, since a future that is given something keeps room for it twice: where it is given, and where it is used.
        Box::pin(async move { conversation::converse(Arc::clone(&self.shared), &mut conn, self.implicit).await })
    }

    fn turned_away(&self, why: &str) -> Vec<u8> {
        // Who begins with TLS understands nothing before it.
        if self.implicit { Vec::new() } else { format!("421 {why}.\r\n").into_bytes() }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use gftp_plugin::{Limits, Origin, Shutdown, rt::Socket};

    use super::*;
    use crate::accounts::Anonymous;

    /// What a session's future may have, in bytes: it has 1,104, which with its task and what the reactor and the kernel know
    /// of it come to 2.9 KiB. Whoever needs more puts what is rare into a box, or gives a reason here.
    const MOST: usize = 1120;

    #[test]
    fn a_sessions_future_is_small() {
        let root = tempfile::tempdir().unwrap();
        let times = Duration::from_secs(1);
        let ftp = Ftp::new(FtpOptions {
            store: Store::open(root.path()).unwrap().into(),
            accounts: Accounts::new(Anonymous::Read, Vec::new(), 1).into(),
            passive: PassiveOptions::default(),
            data_wait: times,
            stall: times,
            durable: false,
            idle: times,
            max_idle: times,
            tls: None,
            caps: Caps::default(),
        });
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = door.local_addr().unwrap();
        let socket = Socket::new(TcpStream::connect(address).unwrap()).unwrap();
        let origin = Origin { id: 1, peer: address, local: address, bound: address.ip(), proxy: None };
        let conn = Conn::new(socket, origin, Limits::default(), Shutdown::new().1);
        let session = ftp.serve(conn);
        let size = size_of_val(&*session);
        assert!(size <= MOST, "{size} bytes");
    }
}
