//! The contract between a protocol and the host that accepts connections for it.

use std::io;

use futures::future::BoxFuture;

use crate::{Conn, Origin};

/// A protocol that can be served: FTP, a clock, anything that talks over one connection.
pub trait Service: Send + Sync + 'static {
    /// The service's name, as log lines show it.
    fn name(&self) -> &str;

    /// Talks to one connection until it leaves. An error means that the peer is gone; it is logged once, by the host.
    /// Dropping the connection closes it.
    fn serve(&self, conn: Conn) -> BoxFuture<'_, io::Result<()>>;

    /// A connection was accepted, and will be served. Said in the order of accepting, which the calls of
    /// [`Service::serve`] need not have, since each is a task of its own: for services that keep an order. Nothing here
    /// may wait.
    fn arrived(&self, origin: &Origin) {
        let _ = origin;
    }

    /// Whether a peer has to show who it is within [`Limits::login`](crate::Limits::login); then the service calls
    /// [`Conn::settled`] once it has. By default nobody has to.
    fn logs_in(&self) -> bool {
        false
    }

    /// Descriptors that a session takes, its connection among them: the open-file limit bounds how many there may be.
    fn descriptors(&self) -> usize {
        1
    }

    /// What a peer is told when the host has no room for it, in the protocol's own words; nothing by default.
    /// `why` is a sentence without its full stop.
    fn turned_away(&self, why: &str) -> Vec<u8> {
        let _ = why;
        Vec::new()
    }
}
