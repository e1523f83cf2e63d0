//! The certificates that are shown to clients, and which of them a client is shown.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use futures_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use futures_rustls::rustls::sign::CertifiedKey;

use super::pair::Pair;

/// The certificates, in the order typed; at least one.
pub(super) struct Shown(RwLock<Arc<[Arc<Pair>]>>);

impl Shown {
    pub(super) fn new(pairs: Vec<Arc<Pair>>) -> Self {
        Shown(RwLock::new(pairs.into()))
    }

    /// All of them, as they are now.
    pub(super) fn all(&self) -> Arc<[Arc<Pair>]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shows another one from now on.
    pub(super) fn replace(&self, index: usize, pair: Arc<Pair>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *all = all.iter().enumerate().map(|(at, old)| Arc::clone(if at == index { &pair } else { old })).collect();
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let all = self.all();
        let wanted = hello.server_name().map(str::to_ascii_lowercase);
        // One name may have two certificates, of RSA for old clients and of ECDSA for the others.
        let usable = |pair: &&Arc<Pair>| pair.key.key.choose_scheme(hello.signature_schemes()).is_some();
        let fit = |pair: &&Arc<Pair>| wanted.as_deref().map_or(0, |wanted| fitness(&pair.facts.names, wanted));
        // Of equals the last one is the maximum, hence backwards: the first is meant.
        let best = all.iter().rev().filter(usable).max_by_key(fit);
        best.map(|pair| Arc::clone(&pair.key))
    }
}

/// How well names fit the one that is wanted: exactly 2, by a `*` that stands for one label 1, else 0.
fn fitness(names: &[String], wanted: &str) -> u8 {
    let behind = wanted.split_once('.').map(|(_, rest)| rest);
    let exact = names.iter().any(|name| name == wanted);
    let by_star = || names.iter().any(|name| name.strip_prefix("*.").is_some_and(|rest| Some(rest) == behind));
    if exact { 2 } else { u8::from(by_star()) }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} certificates", self.all().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_exactly_or_by_one_label() {
        let names = ["example.net", "*.example.org", "a.example.org"].map(String::from);
        for (wanted, fits) in [
            ("example.net", 2),
            ("a.example.org", 2),
            ("b.example.org", 1),
            ("b.a.example.org", 0),
            ("example.org", 0),
            (".example.org", 1),
            ("ftp.example.net", 0),
            ("", 0),
        ] {
            assert_eq!(fitness(&names, wanted), fits, "{wanted}");
        }
    }
}
