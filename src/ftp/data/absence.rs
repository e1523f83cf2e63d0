//! Why there is no passive data connection, in words that say what to do. Knows no sockets.

use std::io;

use super::super::wire::phrase::{Text, phrase};
use super::expected::EXPECTED_FOR;

/// Why no port could be given.
#[derive(Debug)]
pub enum NoPort {
    /// Every port is taken for this client's address.
    AllTaken(usize),
    /// The system refuses to listen.
    CannotListen(io::Error),
}

/// Why nothing came to an announced port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Nothing arrived there in time.
    NotSeen {
        /// The port that was announced.
        port: u16,
        /// How often that port was announced to anyone, and how many connections came of it.
        told: u64,
        /// See `told`.
        came: u64,
    },
    /// The client took so long to begin its transfer that the port went to others.
    TakenBack(u16),
}

impl NoPort {
    /// The reason, without a full stop.
    pub fn words(&self) -> Text {
        match self {
            NoPort::AllTaken(ports) => phrase!(
                "All {} passive ports wait for connections from your address already; try again in a moment",
                *ports
            ),
            NoPort::CannotListen(e) => phrase!("Cannot listen for data connections: {}", Text::shown(e)),
        }
    }
}

impl Absence {
    /// The reason, without a full stop.
    pub fn words(self) -> Text {
        match self {
            Absence::NotSeen { port, told, came: 0 } => phrase!(
                "port {} was told to clients {} times and 0 connections came: \
                 is the port published and open in the firewall, is --passive-address right?",
                port,
                told
            ),
            Absence::NotSeen { port, told, came } => {
                phrase!("port {} was told to clients {} times and {} connections came", port, told, came)
            }
            Absence::TakenBack(port) => phrase!(
                "port {} was held for you for {} s, then given to others: send PASV again",
                port,
                EXPECTED_FOR.as_secs()
            ),
        }
    }
}
