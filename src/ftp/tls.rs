//! What FTP makes of TLS (RFC 4217): what is required, and how data connections are known to be of their session. Owns
//! each session's tickets. Refuses to know certificates, which the host gives, and records, which are the connection's.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_rustls::rustls;
use gftp_plugin::Conn;
use gftp_plugin::tls::{Agreed, Tunnel};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::{NoServerSessionStorage, StoresServerSessions};

use super::protection::{Resume, Tls};

/// Tickets for each control connection (RFC 8446 §4.6.1). Each is good more than once, so one would do; clients that
/// throw a used one away have another.
const TICKETS: usize = 2;
/// What a session's store holds at most: the tickets of one handshake, and those of another after REIN.
const MOST_STORED: usize = 2 * TICKETS;

/// What a session in TLS remembers of it.
pub struct Security {
    /// What was agreed upon.
    pub agreed: Agreed,
    /// It was so from the first byte on (implicit TLS), and is so until the last.
    pub implicit: bool,
    /// The control connection is in plain text again (CCC).
    pub cleared: bool,
    /// PBSZ was sent.
    pub sized: bool,
    /// A data connection that did not resume has been noted.
    pub noted: bool,
    /// What the client has shown, if it has.
    pub certificate: Option<CertificateDer<'static>>,
    /// What data connections are made with.
    tickets: Arc<Tickets>,
}

/// Why a data connection is not taken for this session's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// It has resumed nothing.
    Fresh,
    /// Its certificate is another than the control connection's.
    Other,
}

/// How data connections are protected (RFC 2228 §3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// PROT C.
    #[default]
    Clear,
    /// PROT P.
    Private,
}

/// The TLS sessions that one control connection has begun. Whoever can resume one of them has its keys. Bounded, and
/// gone with the session.
#[derive(Default)]
struct Tickets(Mutex<VecDeque<(Vec<u8>, Vec<u8>)>>);

/// The same for data connections: they may go on with what is there, and add nothing.
struct Shown(Arc<Tickets>);

impl Tls {
    /// Begins TLS on a control connection, and remembers it.
    pub async fn begin(&self, conn: &mut Conn, implicit: bool) -> std::io::Result<Box<Security>> {
        let tickets = Arc::new(Tickets::default());
        conn.secure(Arc::new(self.control_config(&tickets))).await?;
        let Some(agreed) = conn.secured() else { return Err(std::io::ErrorKind::NotConnected.into()) };
        let certificate = conn.peer_certificate().cloned();
        Ok(Box::new(Security { agreed, implicit, cleared: false, sized: implicit, noted: false, certificate, tickets }))
    }

    fn control_config(&self, tickets: &Arc<Tickets>) -> ServerConfig {
        let mut config = self.bare_config();
        if self.policy.resume != Resume::Off {
            config.session_storage = Arc::clone(tickets) as Arc<dyn StoresServerSessions>;
            config.send_tls13_tickets = TICKETS;
        }
        config
    }

    /// For a data connection. It is sent no tickets: a client that closes without reading them would cut its upload off.
    pub fn data_config(&self, security: &Security) -> Arc<ServerConfig> {
        let mut config = self.bare_config();
        if self.policy.resume != Resume::Off {
            config.session_storage = Arc::new(Shown(Arc::clone(&security.tickets)));
        }
        Arc::new(config)
    }

    fn bare_config(&self) -> ServerConfig {
        let mut config = (*self.config).clone();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_tls13_tickets = 0;
        // The order of the suites is the server's: the fastest of good ones comes first.
        config.ignore_client_order = true;
        config
    }
}

impl Security {
    /// Whether a data connection is this session's. One that has resumed is, since nobody else can. Any other may be
    /// somebody else's at the client's address; it shows at least the same certificate, where there is one.
    pub fn recognise(&self, tunnel: &Tunnel, resume: Resume) -> Result<(), Stranger> {
        if tunnel.agreed().is_some_and(|agreed| agreed.resumed) {
            return Ok(());
        }
        if resume == Resume::Require {
            return Err(Stranger::Fresh);
        }
        let same = self.certificate.as_ref().is_none_or(|certificate| tunnel.peer_certificate() == Some(certificate));
        if same { Ok(()) } else { Err(Stranger::Other) }
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.agreed.version, self.agreed.cipher)
    }
}

impl Tickets {
    fn all(&self) -> MutexGuard<'_, VecDeque<(Vec<u8>, Vec<u8>)>> {
        // Every change is complete before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoresServerSessions for Tickets {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let mut all = self.all();
        if all.len() >= MOST_STORED {
            all.pop_front();
        }
        all.push_back((key, value));
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.all().iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    }

    /// A copy: clients use one ticket for many data connections. What makes that unwise elsewhere (early data, which
    /// could be replayed) is not offered here.
    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.get(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

impl StoresServerSessions for Shown {
    fn put(&self, _: Vec<u8>, _: Vec<u8>) -> bool {
        false
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key)
    }

    fn can_cache(&self) -> bool {
        false
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never what is in them: keys.
        f.write_str("Tickets")
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_few_and_good_more_than_once() {
        let tickets = Arc::new(Tickets::default());
        for key in 0..=MOST_STORED as u8 {
            tickets.put(vec![key], vec![key]);
        }
        let shown = Shown(Arc::clone(&tickets));
        assert_eq!(shown.take(&[0]), None, "the oldest is forgotten");
        for _ in 0..3 {
            assert_eq!(shown.take(&[1]), Some(vec![1]));
            assert_eq!(shown.get(&[1]), Some(vec![1]));
        }
        assert!(!shown.put(vec![99], vec![99]));
        assert_eq!(shown.get(&[99]), None, "a data connection adds nothing");
        assert_eq!(tickets.all().len(), MOST_STORED);
    }
}
