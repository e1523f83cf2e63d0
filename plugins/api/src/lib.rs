//! What a gftp service stands on.
//!
//! A *service* is a protocol that talks to one connection at a time: it implements [`Service`], is handed a [`Conn`],
//! and talks until the peer leaves. Accepting, counting, limiting, draining and logging are the host's, and the same for
//! every service; FTP is merely the first of them and has no private door.
//!
//! - [`Conn`] — one connection: bounded lines or bytes in, replies out, timers and shutdown as [`Event`]s.
//! - [`Plugin`] — what the command line knows of a service, or of a client.
//! - [`Conduct`] — to tell how a peer behaves; what comes of it (a ban) is the host's.
//! - [`Limits`] — how long and how much a stranger may take.
//! - [`Needs`] — what of the machine is to be had once the process is confined.
//! - [`Shutdown`] — the signal that the server is draining, then ending.
//! - [`Time`] — the time of day and waiting, which tests set by hand.
//! - [`listen`] — sockets that listen well: backlog, options, accepting that survives a lack of descriptors.
//! - [`inbox`], [`telnet`] — what is made of bytes; pure, and public so that anything can be thrown at them.
//! - [`tls`] — TLS without sockets; [`Conn::secure`] is what a service needs of it.
//! - [`program`], [`stderr`] — programs of the administrator's: whether one may be run, and what it says in the log.
//! - [`Networks`] — networks as people write them; [`proxy`] — what a proxy says of its clients.
//! - [`rt`] — the only place that names the async runtime.

mod conduct;
mod conn;
mod crew;
mod dial;
mod event;
mod give_way;
pub mod inbox;
mod limits;
pub mod listen;
mod needs;
mod networks;
mod own_thread;
mod plugin;
mod pool;
pub mod program;
pub mod proxy;
pub mod rt;
mod service;
mod share;
mod shutdown;
mod socket;
pub mod stderr;
mod stream;
pub mod telnet;
mod time;
pub mod tls;

pub use conduct::{Conduct, Guess, Offence, Witness};
pub use conn::{Conn, Now};
pub use dial::words;
pub use event::{Event, Origin};
pub use limits::Limits;
pub use needs::{Access, Needs};
pub use networks::{Networks, canonical, parse_network};
pub use plugin::{Begin, Make, Plugin, Role, Run, Serving, parse_time};
pub use service::Service;
pub use shutdown::{Shutdown, ShutdownTrigger};
pub use time::{Hand, Time};
