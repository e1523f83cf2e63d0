//! Attacks, one bound each: what a stranger may try, and that the server stays within its means and goes on serving
//! honest clients. Traffic is loopback's, bounded in count and time.

/// What can be held or asked for, up to its bound and beyond.
mod bounds;
/// Files and folders that change while they are transferred.
mod changes;
/// What is cheap to ask and dear to answer.
mod costly;
/// Many clients at once, and more than there is room for.
mod crowds;
/// Data connections that stall, come late, come from elsewhere or never come.
mod data;
/// Signals, lost clients and killed servers.
mod end;
/// Two hundred wrong logins a second.
mod guessers;
/// The control connection: endless lines, noise, floods.
mod lines;
/// Paths and links that lead out of the served folder.
mod paths;
/// Five thousand sessions at once, half of them hostile.
pub mod siege;
/// Ten thousand who connect and never log in.
mod slow;
/// Clients that do the same at the same time.
mod together;

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use crate::dialogue::client::{Control, PATIENCE, Reply, read_all};
use crate::server::Server;

/// An honest client is served: it logs in and lists.
pub fn assert_serves(server: &Server) {
    let mut control = Control::anonymous(server.address()).expect("an honest client gets in");
    let mut data = control.passive().expect("and gets a data connection");
    control.tell("NLST", 150).expect("and lists");
    read_all(&mut data).expect("and the listing comes");
    control.expect(226).expect("and ends well");
    control.tell("QUIT", 221).expect("and leaves");
}

/// Asks again and again until it is so.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "in vain: {what}");
        // The processor is shared with the server that is waited for.
        std::thread::yield_now();
    }
}

/// A connection to `to` from this loopback address.
pub fn connect_from(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((Ipv4Addr::from(from), 0)).into()).expect("every address of 127/8 is ours");
    socket.connect_timeout(&to.into(), PATIENCE).expect("a connection from another address");
    TcpStream::from(socket)
}

/// Logs in, TYPE I.
pub fn guest(server: &Server) -> Control {
    let mut control = Control::anonymous(server.address()).expect("a guest gets in");
    control.tell("TYPE I", 200).expect("TYPE I");
    control
}

fn is_refusal(reply: &Reply) -> bool {
    (400..600).contains(&reply.code)
}
