//! What a service learns of a connection: whose it is, and what happens. Plain values.

use std::net::{IpAddr, SocketAddr};

/// What a connection has to say.
#[derive(Debug)]
pub enum Event {
    /// A whole line, without its CRLF or LF.
    Line(Vec<u8>),
    /// Some bytes, as they came; from [`Conn::next_bytes`](crate::Conn::next_bytes) only.
    Bytes(Vec<u8>),
    /// A line longer than [`Limits::line`](crate::Limits::line) began; it is being skipped and never held.
    TooLong,
    /// Nothing came for [`Limits::idle`](crate::Limits::idle): no whole line, or not one byte where bytes are waited for.
    Idle,
    /// The service did not call [`Conn::settled`](crate::Conn::settled) within [`Limits::login`](crate::Limits::login). Only for services that
    /// [log in](crate::Service::logs_in).
    LoginTimeout,
    /// The server is draining. Said once.
    Shutdown,
    /// The peer will send nothing more.
    Closed,
}

/// Where a connection comes from and what it is called in the log.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The session's number, unique in this process.
    pub id: u64,
    /// The peer's address; an IPv4 peer is always an IPv4 address, whatever the socket.
    pub peer: SocketAddr,
    /// Our address as the peer dialled it.
    pub local: SocketAddr,
    /// The address that the listener was bound to: unspecified where it takes connections to any.
    pub bound: IpAddr,
    /// The proxy that passes the connection on, if one does: `peer` and `local` are what it said (see [`crate::proxy`]).
    pub proxy: Option<IpAddr>,
}
