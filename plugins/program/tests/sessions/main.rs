//! Programs as services, over real sockets: what passes, what a program finds, and how it ends.

/// Ends of all kinds, and that nothing is left afterwards.
mod endings;
/// The one door: serves a program, connects to it, and keeps the log.
mod harness;
/// Bytes in both directions.
mod streams;
/// What a program finds, and what becomes of its stderr and its exit code.
mod world;
