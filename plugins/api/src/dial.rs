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
        let addresses = rt::resolve(to).await.map_err(|e| io::Error::new(e.kind(), format!("{to}: {}", words(&e))))?;
        for address in addresses {
            match rt::timeout(PATIENCE, rt::connect(None, address)).await {
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
        let origin = Origin { id: 0, peer, local, bound: IpAddr::V4(Ipv4Addr::UNSPECIFIED), proxy: None };
        let mut conn = Conn::new(socket, origin, limits, shutdown);
        conn.settled();
        Ok(conn)
    }
}

/// An error as people say it, without the number of the system's.
pub fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_string(),
        io::ErrorKind::TimedOut => "no answer".to_string(),
        io::ErrorKind::ConnectionReset => "connection reset".to_string(),
        _ => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            // What the standard library puts before the resolver's own words, which say as much.
            text.trim_start_matches("failed to lookup address information: ").to_lowercase()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_in_plain_words() {
        let unreachable = io::Error::from_raw_os_error(rustix::io::Errno::HOSTUNREACH.raw_os_error());
        assert_eq!(words(&unreachable), "no route to host");
        assert_eq!(words(&io::ErrorKind::ConnectionRefused.into()), "connection refused");
        let (_trigger, shutdown) = Shutdown::new();
        // A part of a name has at most 63 letters, so nobody need be asked about this one.
        let unknown = format!("{}:80", "a".repeat(64));
        let dialled = rt::block_on(Conn::dial(&unknown, Limits::default(), shutdown));
        let error = dialled.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.starts_with(&format!("{unknown}: ")) && !error.contains("failed to lookup"), "{error}");
    }
}
