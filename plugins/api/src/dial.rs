//! Connections that begin here, for clients. Knows names and addresses, and no protocol.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::rt::{self, Socket};
use crate::{Conn, Limits, Origin, Shutdown, listen};

/// How long one address may take to answer: three tries of the kernel's (1, 2 and 4 s apart). A name has few addresses.
const PATIENCE: Duration = Duration::from_secs(7);

impl Conn {
    /// Connects to `HOST:PORT`, trying the addresses of the name in turn. The error is the last one's, and says to
    /// which address. Within `limits` it is like an accepted connection; nobody has to log in.
    pub async fn dial(to: &str, limits: Limits, shutdown: Shutdown) -> io::Result<Conn> {
        let mut failure = io::Error::new(io::ErrorKind::NotFound, format!("{to} has no address"));
        for address in rt::resolve(to).await? {
            match rt::timeout(PATIENCE, Socket::connect(address)).await {
                Ok(socket) => return Conn::dialled(socket, address, limits, shutdown),
                Err(e) => failure = io::Error::new(e.kind(), format!("{address}: {}", words(&e))),
            }
        }
        Err(failure)
    }

    fn dialled(socket: Socket, peer: SocketAddr, limits: Limits, shutdown: Shutdown) -> io::Result<Conn> {
        socket.get_ref().set_nodelay(true)?;
        let local = listen::canonical(socket.get_ref().local_addr()?);
        // Nobody counts what is dialled, and it is bound to no listener.
        let origin = Origin { id: 0, peer, local, bound: IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
        let mut conn = Conn::new(socket, origin, limits, shutdown);
        conn.settled();
        Ok(conn)
    }
}

/// An error as people say it, without the number of the system's.
fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_string(),
        io::ErrorKind::TimedOut => "no answer".to_string(),
        io::ErrorKind::ConnectionReset => "connection reset".to_string(),
        _ => error.to_string(),
    }
}
