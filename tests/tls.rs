//! TLS (RFC 4217), against a client that can do everything wrong: what is spoken before and behind it, who must use it,
//! whose data connections are whose, and how a transfer ends. Real clients over TLS are in `clients`.

/// Bandwidth.
mod caps;
/// A client made of rustls.
pub mod client;
/// The control connection.
mod control;
/// Data connections.
mod data;
/// Whose a data connection is.
mod resumption;
/// What a stranger may try.
mod strangers;
/// Messages that begin and do not end.
mod unfinished;

use std::net::SocketAddr;

use crate::abuse::eventually;
use crate::server::{Place, Server, USER};

/// A server with the account [`USER`] that speaks TLS with a certificate of its own, and these options.
pub fn server(options: &[&str]) -> Server {
    server_on(Place::new(), &[&["--anonymous", "off", "--user", USER], options].concat())
}

/// The same with no other options.
pub fn server_on(place: Place, options: &[&str]) -> Server {
    let certificates = place.outside().join("certificates");
    let certificates = certificates.to_str().expect("a plain path").to_owned();
    Server::told_on(place, &[&["--tls-self-signed", &certificates], options].concat())
}

/// Where TLS comes first: a line of its own tells it, behind the one that says that the server is ready.
pub fn implicit_address(server: &Server) -> SocketAddr {
    let mut at = None;
    eventually("a line about the port of implicit TLS", || {
        let log = server.log();
        let line = log.lines().find(|line| line.contains("from the first byte"));
        at = line.and_then(|line| line.split([' ', ',']).find_map(|word| word.parse().ok()));
        at.is_some()
    });
    at.expect("it has come")
}
