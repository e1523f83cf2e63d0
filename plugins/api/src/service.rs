//! The contract between a protocol and the host that accepts connections for it.

use std::io;

use futures::future::BoxFuture;

use crate::{Conn, Needs, Origin};

/// A protocol that can be served: FTP, a clock, anything that talks over one connection.
pub trait Service: Send + Sync + 'static {
    /// The service's name, as log lines show it.
    fn name(&self) -> &str;

    /// Talks to one connection until it leaves. An error means that the peer is gone; it is logged once, by the host.
    /// Dropping the connection closes it.
    fn serve(&self, conn: Conn) -> BoxFuture<'_, io::Result<()>>;

    /// Adds what it needs of the machine while it serves: files outside of what FTP serves, programs, connections to others. All
    /// else is given up before anybody is served, and then cannot be had. What is opened while the service is made
    /// stays open. By default nothing.
    fn needs(&self, needs: &mut Needs) {
        let _ = needs;
    }

    /// It is about to be served. Said once, before the first connection: here tasks may be spawned, not while it is made, since
    /// a thread that begins before the process is confined is not confined.
    fn begin(&self) {}

    /// A connection was accepted, and will be served. Said in the order of accepting, which the calls of
    /// [`Service::serve`] need not have, since each runs by itself: for services that keep an order. Nothing here
    /// may wait.
    fn arrived(&self, origin: &Origin) {
        let _ = origin;
    }

    /// Whether a peer has to show who it is within [`Limits::login`](crate::Limits::login); then the service calls
    /// [`Conn::settled`] once it has. By default nobody has to.
    fn logs_in(&self) -> bool {
        false
    }

    /// Whether it waits for its peer by [`Conn::next_alone`], and does with [`rt::unblock`](crate::rt::unblock) what blocks. Then a
    /// session has a thread for itself for as long as its peer answers at once, and does all of that there. By default it has none.
    fn waits_alone(&self) -> bool {
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
