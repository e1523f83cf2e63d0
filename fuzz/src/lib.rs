//! What is thrown at gftp, as plain functions: each takes any bytes and panics where a promise is broken. libFuzzer calls
//! them through `targets/`, the ordinary tests through `tests/replay.rs`. What gftp promises about these bytes is said in
//! each assertion; nothing here knows how the product keeps it.

#![forbid(unsafe_code)]

mod bytes;
mod files;
mod first;
mod lines;
mod session;

pub use bytes::{ascii, deflate, telnet};
pub use files::{paths, users};
pub use first::{handshake, proxy};
pub use lines::{addresses, commands};
pub use session::session;

/// A target.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const TARGETS: [(&str, Target); 10] = [
    ("addresses", addresses),
    ("ascii", ascii),
    ("commands", commands),
    ("deflate", deflate),
    ("handshake", handshake),
    ("paths", paths),
    ("proxy", proxy),
    ("session", session),
    ("telnet", telnet),
    ("users", users),
];

/// Takes `data` apart into pieces whose lengths its own bytes decide: how a stream is cut must never matter.
fn pieces(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    let mut at = 0;
    std::iter::from_fn(move || {
        let &length = data.get(at)?;
        at += 1;
        let (piece, after) = rest.split_at_checked(usize::from(length % 7) + 1).unwrap_or((rest, &[]));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}
