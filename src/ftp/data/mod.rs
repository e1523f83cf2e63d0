//! The data connection (RFC 959 §3.2): how it is made, and what flows over it. Knows sockets and files; speaks no
//! replies, which are the conversation's.

pub mod ascii;
pub mod coding;
pub mod deflate;
pub mod digest;
mod expected;
pub mod passive;
pub mod pump;
mod receive;
mod send;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use gftp_plugin::rt::{self, Socket};
use gftp_plugin::{Origin, listen};

use super::wire::phrase::{Text, phrase};
use passive::{Absence, Expectation};

/// How the client wants its next data connection.
#[derive(Default)]
pub enum Plan {
    /// It has not said.
    #[default]
    Unset,
    /// It comes to us (PASV, EPSV).
    Passive(Expectation),
    /// We go to it (PORT, EPRT).
    Active(SocketAddr),
}

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
    /// The client's port could not be reached.
    Unreachable(SocketAddr, std::io::Error),
}

impl Plan {
    /// Makes the connection, waiting at most `wait`.
    pub async fn connect(self, origin: &Origin, wait: Duration) -> Result<Socket, NoConnection> {
        match self {
            Plan::Unset => Err(NoConnection::NotAsked),
            Plan::Passive(expectation) => {
                let client = origin.peer.ip();
                let arrival = expectation.arrival(wait).await;
                arrival.map_err(|absence| NoConnection::NotSeen { client, waited: wait, absence })
            }
            Plan::Active(to) => {
                let connected = rt::timeout(wait, rt::connect_from(origin.local.ip(), to)).await;
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

impl NoConnection {
    /// The reason, without a full stop.
    pub fn words(&self) -> Text {
        match self {
            NoConnection::NotAsked => phrase!("No data connection: send PASV, EPSV, PORT or EPRT first"),
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
