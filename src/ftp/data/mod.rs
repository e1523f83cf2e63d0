//! The data connection (RFC 959 §3.2): how it is made, and what flows over it. Knows sockets and files; speaks no
//! replies, which are the conversation's.

mod absence;
mod arrivals;
pub mod ascii;
pub mod coding;
pub mod deflate;
pub mod digest;
mod expected;
mod gathered;
pub mod handshake;
pub mod lent;
pub mod parting;
pub mod passive;
pub mod pump;
mod receive;
pub mod sealed;
mod send;
mod trip;
mod waiting;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_rustls::rustls::ServerConfig;
use gftp_plugin::rt::{self, Socket};
use gftp_plugin::{Origin, listen};

use super::wire::phrase::{Text, phrase};
use absence::Absence;
use handshake::Handshake;
use passive::Expectation;

/// How the client wants its next data connection.
#[derive(Default)]
pub enum Plan {
    /// It has not said.
    #[default]
    Unset,
    /// It comes to us (PASV, EPSV). Boxed as the next one is: most sessions expect nothing most of the time.
    Passive(Box<Expectation>),
    /// It has come before its command, and TLS has begun: some clients send no command before that has ended.
    Early(Box<Early>),
    /// We go to it (PORT, EPRT).
    Active(SocketAddr),
}

/// A data connection that came before its command.
pub struct Early {
    /// The port that it came to stays the session's.
    expectation: Expectation,
    handshake: Handshake,
}

/// A data connection that stands.
pub struct Link {
    /// The connection.
    pub socket: Arc<Socket>,
    /// Its TLS, which may not have begun yet.
    pub handshake: Option<Box<Handshake>>,
}

/// What data connections are made with, where they use TLS.
pub type Secure = Option<Arc<ServerConfig>>;

/// Why there is no data connection.
#[derive(Debug)]
pub enum NoConnection {
    /// Neither PASV nor PORT came before.
    NotAsked,
    /// Nothing came to the announced port.
    NotSeen {
        /// Who was expected.
        client: IpAddr,
        /// For how long.
        waited: Duration,
        /// What is known of the port.
        absence: Absence,
    },
    /// It came, and the client had broken it off before its command.
    BrokenOff,
    /// TLS had begun and come to nothing.
    Insecure(std::io::Error),
    /// The client's port could not be reached.
    Unreachable(SocketAddr, std::io::Error),
}

impl Plan {
    /// Whether something can be done before there is a command, where TLS is used.
    pub fn can_go_ahead(&self) -> bool {
        match self {
            Plan::Passive(_) => true,
            Plan::Early(early) => early.handshake.is_under_way() || early.waits_for_better(),
            Plan::Unset | Plan::Active(_) => false,
        }
    }

    /// Waits for the connection and begins TLS over it. May be dropped and called again.
    pub async fn go_ahead(&mut self, config: impl Fn() -> Secure) {
        if let Plan::Passive(expectation) = self {
            let Some(socket) = expectation.comes().await else { return std::future::pending().await };
            let Plan::Passive(expectation) = std::mem::take(self) else { return };
            if let Some(Ok(handshake)) = config().map(|config| Handshake::new(Arc::new(socket), config)) {
                *self = Plan::Early(Box::new(Early { expectation: *expectation, handshake }));
            }
        }
        if let Plan::Early(early) = self {
            early.go_on(config).await;
        }
    }

    /// Makes the connection, waiting at most `wait`, with TLS to come where it is `secure`.
    pub async fn connect(self, origin: &Origin, wait: Duration, secure: Secure) -> Result<Link, NoConnection> {
        if let Plan::Early(early) = self {
            return Box::pin(early.connect(secure)).await;
        }
        let socket = Arc::new(self.connect_plainly(origin, wait).await?);
        // A client that has thought better of it is not told that its transfer begins.
        if !matches!(socket.get_ref().take_error(), Ok(None)) {
            return Err(NoConnection::BrokenOff);
        }
        let handshake = secure.map(|config| Handshake::new(Arc::clone(&socket), config)).transpose();
        Ok(Link { socket, handshake: handshake.map_err(NoConnection::Insecure)?.map(Box::new) })
    }

    async fn connect_plainly(self, origin: &Origin, wait: Duration) -> Result<Socket, NoConnection> {
        match self {
            Plan::Unset | Plan::Early(_) => Err(NoConnection::NotAsked),
            Plan::Passive(expectation) => {
                let client = origin.peer.ip();
                let arrival = expectation.arrival(wait).await;
                arrival.map_err(|absence| NoConnection::NotSeen { client, waited: wait, absence })
            }
            Plan::Active(to) => {
                // Boxed, so that who is connected to pays for no state of it.
                let connected = rt::timeout(wait, Box::pin(rt::connect(Some(origin.local.ip()), to))).await;
                connected.map_err(|e| {
                    if listen::is_shortage(&e) {
                        log::warn!("session {}: no descriptor for a data connection: {e}", origin.id);
                    }
                    NoConnection::Unreachable(to, e)
                })
            }
        }
    }
}

impl Early {
    /// The port that was announced for it.
    pub fn port(&self) -> u16 {
        self.expectation.port()
    }

    /// It has come to nothing, and was perhaps of a command before: the one that is meant is still to come.
    fn waits_for_better(&self) -> bool {
        self.handshake.has_failed() && self.expectation.is_stale()
    }

    /// Goes on to the end; may be dropped and called again.
    async fn go_on(&mut self, config: impl Fn() -> Secure) {
        // Whoever wants the connection is told of a failure.
        while self.handshake.go_on().await.is_err() && self.waits_for_better() {
            let Some(socket) = self.expectation.comes().await else { return std::future::pending().await };
            if let Some(Ok(handshake)) = config().map(|config| Handshake::new(Arc::new(socket), config)) {
                self.handshake = handshake;
            }
        }
    }

    async fn connect(self, secure: Secure) -> Result<Link, NoConnection> {
        let Early { expectation, mut handshake } = self;
        if let (Some(socket), Some(config)) = (expectation.better_than(handshake.socket()).await, secure) {
            handshake = Handshake::new(Arc::new(socket), config).map_err(NoConnection::Insecure)?;
        }
        if handshake.has_failed() {
            handshake.go_on().await.map_err(NoConnection::Insecure)?;
        }
        Ok(Link { socket: Arc::clone(handshake.socket()), handshake: Some(Box::new(handshake)) })
    }
}

impl NoConnection {
    /// The code to say it with (RFC 4217 §10: 522 where TLS is the reason).
    pub fn code(&self) -> u16 {
        if matches!(self, NoConnection::Insecure(_)) { 522 } else { 425 }
    }

    /// The reason, without a full stop.
    pub fn words(&self) -> Text {
        match self {
            NoConnection::Insecure(e) => phrase!("TLS on the data connection failed: {}", Text::shown(e)),
            NoConnection::NotAsked => phrase!("No data connection: send PASV, EPSV, PORT or EPRT first"),
            NoConnection::BrokenOff => phrase!("No data connection: it was broken off before the command"),
            NoConnection::NotSeen { absence: absence @ Absence::TakenBack(_), .. } => {
                phrase!("No data connection: {}", absence.words())
            }
            NoConnection::NotSeen { client, waited, absence } => phrase!(
                "No data connection: nothing came from {} within {}; {}",
                *client,
                humantime::format_duration(*waited).to_string(),
                absence.words()
            ),
            NoConnection::Unreachable(to, e) if e.kind() == std::io::ErrorKind::TimedOut => {
                phrase!("No data connection: {} did not answer; is the client behind a firewall? Try passive mode", *to)
            }
            NoConnection::Unreachable(to, e) => {
                phrase!("No data connection: {} cannot be reached: {}; try passive mode", *to, Text::shown(e))
            }
        }
    }
}
