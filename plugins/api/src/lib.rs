//! What a gftp service stands on.
//!
//! A *service* is a protocol that talks to one connection at a time: it implements [`Service`], is handed a [`Conn`],
//! and talks until the peer leaves. Accepting, counting, limiting, draining and logging are the host's, and the same for
//! every service; FTP is merely the first of them and has no private door.
//!
//! - [`Conn`] — one connection: bounded lines in, replies out, timers and shutdown as [`Event`]s.
//! - [`Limits`] — how long and how much a stranger may take.
//! - [`Shutdown`] — the signal that the server is draining, then ending.
//! - [`listen`] — sockets that listen well: backlog, options, accepting that survives a lack of descriptors.
//! - [`rt`] — the only place that names the async runtime.

mod conn;
mod limits;
pub mod listen;
pub mod rt;
mod service;
mod shutdown;
mod telnet;

pub use conn::{Conn, Event, Origin};
pub use limits::Limits;
pub use service::Service;
pub use shutdown::{Shutdown, ShutdownTrigger};
