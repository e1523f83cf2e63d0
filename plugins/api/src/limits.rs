//! How much and how long a stranger may take before a service has any reason to trust it. Owns the numbers' meaning;
//! the values come from whoever starts the service.

use std::time::Duration;

/// Bounds on one connection, the same for every service.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest line taken, in bytes without its line end. A longer one becomes [`crate::Event::TooLong`] and is
    /// skipped, so it costs no memory.
    pub line: usize,
    /// How long the peer may stay without a complete line. Bytes that trickle in do not count as a sign of life: only
    /// a whole line does, or a slow writer could hold a connection for ever.
    pub idle: Duration,
    /// How long from the accept until the service calls [`crate::Conn::settled`], lines or no lines.
    pub login: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            // A path of PATH_MAX (4,096) bytes, a verb before it, and as much again for Telnet's doubled 0xFF.
            line: 8192,
            // RFC 1123 §4.1.3.2 wants at least five minutes.
            idle: Duration::from_secs(300),
            // Time to type a password, not time to guess many.
            login: Duration::from_secs(60),
        }
    }
}
