//! The server's certificates, and whose certificates it takes: opened from files, followed when these change, and given to
//! services as one configuration for the life of the process. Knows neither sockets nor protocols: a handshake is its
//! service's, and so is what a session may be resumed for.

mod client;
mod expiry;
mod files;
mod follow;
mod pair;
mod self_signed;
mod shown;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use futures_rustls::rustls::crypto::{CryptoProvider, ring};
use futures_rustls::rustls::pki_types::UnixTime;
use futures_rustls::rustls::server::NoServerSessionStorage;
use futures_rustls::rustls::version::{TLS12, TLS13};
use futures_rustls::rustls::{CipherSuite, ServerConfig};
use gftp_plugin::rt;

use crate::watched::LOOK_AGAIN;
use client::Authorities;
use follow::Followed;
use pair::Pair;
use shown::Shown;

/// The protocol that clients name which say what they speak (ALPN, RFC 7301; registered for FTP over TLS). One that names
/// others only is refused: it has been led here from elsewhere, a browser say (the ALPACA attack).
const ALPN: &[u8] = b"ftp";

/// Where the certificates are.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// Certificates and their keys.
    pub pairs: Vec<PairFiles>,
    /// A certificate to be made, instead.
    pub self_signed: Option<SelfSigned>,
    /// Whose certificates are taken of clients; none are asked for otherwise.
    pub client: Option<ClientCa>,
}

/// The files of a certificate and its key, which may be the same.
#[derive(Clone, Debug)]
pub struct PairFiles {
    /// The certificate, with those of its issuers behind it.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A certificate that nobody has signed.
#[derive(Clone, Debug)]
pub struct SelfSigned {
    /// The folder in which it is kept; made where it is missing.
    pub folder: PathBuf,
    /// Addresses that it is for, besides those of loopback.
    pub addresses: Vec<IpAddr>,
}

/// Whose certificates are taken of clients.
#[derive(Clone, Debug)]
pub struct ClientCa {
    /// The authorities' certificates, and their revocation lists, if any.
    pub file: PathBuf,
    /// Whether a client must have one.
    pub required: bool,
}

/// Certificates, opened.
pub struct Certificates {
    config: Arc<ServerConfig>,
    shown: Arc<Shown>,
    authorities: Option<Arc<Authorities>>,
    pairs: Vec<(PairFiles, Followed<Pair>)>,
    client: Option<Followed<client::Verifier>>,
    files: Vec<PathBuf>,
    self_signed: Option<PathBuf>,
}

impl Certificates {
    /// Opens them. An error is a line for the administrator, which names the option.
    pub fn open(order: &TlsFiles) -> Result<Certificates, String> {
        let provider = Arc::new(provider());
        let self_signed = order.self_signed.as_ref().map(self_signed::keep).transpose()?;
        let mut files = order.pairs.clone();
        files.extend(self_signed.clone().map(|kept| PairFiles { certificate: kept.clone(), key: kept }));
        let (mut pairs, mut shown) = (Vec::new(), Vec::new());
        for files in files {
            let (read, provider, watched) = (files.clone(), Arc::clone(&provider), files.clone());
            let watched = [watched.certificate.as_path(), watched.key.as_path()];
            let (followed, pair) = Followed::new(watched, move || Pair::read(&read, &provider))?;
            pairs.push((files, followed));
            shown.push(Arc::new(pair));
        }
        let shown = Arc::new(Shown::new(shown));
        let (mut client, mut authorities) = (None, None);
        if let Some(ClientCa { file, required }) = order.client.clone() {
            let (read, provider) = (file.clone(), Arc::clone(&provider));
            let (followed, verifier) =
                Followed::new([file.as_path()], move || client::read(&read, required, &provider))?;
            client = Some(followed);
            authorities = Some(Arc::new(Authorities::new(verifier)));
        }
        let config = Arc::new(configuration(provider, Arc::clone(&shown), authorities.clone())?);
        let named = pairs.iter().flat_map(|(files, _)| [&files.certificate, &files.key]);
        let files = files::with_targets(named.chain(order.client.as_ref().map(|client| &client.file)));
        Ok(Certificates { config, shown, authorities, pairs, client, files, self_signed })
    }

    /// How a handshake is done. It is the same for ever; what it shows and takes follows the files. It stores no sessions
    /// and gives no tickets: who wants them makes a copy with a storage of its own.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// All that is read again, and what links among it lead to now: there the next one is likely to appear.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What people have to know at start: the fingerprint by which they recognise a certificate that nobody has signed.
    pub fn line(&self) -> Option<String> {
        let kept = self.self_signed.as_ref()?.display();
        let pair = self.shown.all().first().cloned()?;
        Some(format!("tls: self-signed certificate {kept}, SHA-256 {}", pair.facts.fingerprint))
    }

    /// What is to be warned of. `served` is a folder that clients may read.
    fn warnings(&self, served: &Path) -> Vec<String> {
        let all = self.shown.all();
        let mut warnings = Vec::new();
        for ((PairFiles { key, .. }, _), pair) in self.pairs.iter().zip(all.iter()) {
            let shown = key.display();
            if pair.key_is_open_to_others {
                warnings.push(format!("--tls-key {shown}: others may read or change this key: chmod 600 {shown}"));
            }
            if key.canonicalize().is_ok_and(|key| key.starts_with(served)) {
                let advice = "whoever may download there may have this key; keep it elsewhere";
                warnings.push(format!("--tls-key {shown}: it lies in the served folder, and {advice}"));
            }
        }
        warnings
    }

    /// Logs what they are and what is to be warned of, and follows them for as long as their configuration is used.
    /// `served` is a folder that clients may read: no key should lie there.
    pub fn follow(self, served: &Path) {
        for warning in self.warnings(served) {
            log::warn!("tls: {warning}");
        }
        let Certificates { shown, authorities, pairs, client, files, .. } = self;
        for ((files, _), pair) in pairs.iter().zip(shown.all().iter()) {
            log::info!("tls: {}: {}", files.certificate.display(), pair.facts);
        }
        let following = Following {
            shown: Arc::downgrade(&shown),
            said: vec![None; pairs.len()],
            pairs,
            authorities: authorities.as_ref().map_or_else(Weak::new, Arc::downgrade),
            client,
        };
        rt::spawn(following.run(files));
    }
}

/// Those who look whether files have changed.
struct Following {
    shown: Weak<Shown>,
    authorities: Weak<Authorities>,
    pairs: Vec<(PairFiles, Followed<Pair>)>,
    client: Option<Followed<client::Verifier>>,
    /// How near the end was when each pair was last warned of.
    said: Vec<Option<i64>>,
}

impl Following {
    async fn run(mut self, files: Vec<PathBuf>) {
        rt::unblock(move || say_unreadable(&files)).await;
        loop {
            let looked = rt::unblock(move || {
                let goes_on = self.look(UnixTime::now());
                (self, goes_on)
            });
            let goes_on;
            (self, goes_on) = looked.await;
            if !goes_on {
                return;
            }
            rt::sleep(LOOK_AGAIN).await;
        }
    }

    /// Looks once; whether anybody still wants to know.
    fn look(&mut self, now: UnixTime) -> bool {
        let Some(shown) = self.shown.upgrade() else { return false };
        for (index, (files, followed)) in self.pairs.iter_mut().enumerate() {
            if let Some(pair) = followed.look() {
                log::info!("tls: {} was read again: {}", files.certificate.display(), pair.facts);
                shown.replace(index, Arc::new(pair));
                self.said[index] = None;
            }
        }
        for ((files, _), (pair, said)) in self.pairs.iter().zip(shown.all().iter().zip(&mut self.said)) {
            if let Some(text) = expiry::due(&pair.facts.validity, now.as_secs(), said) {
                log::warn!("tls: {}: {text}", files.certificate.display());
            }
        }
        if let (Some(authorities), Some(client)) = (self.authorities.upgrade(), &mut self.client)
            && let Some(verifier) = client.look()
        {
            log::info!("tls: the authorities of clients were read again");
            authorities.replace(verifier);
        }
        true
    }
}

/// Who has opened the files may be another user than the process has become since.
fn say_unreadable(files: &[PathBuf]) {
    for file in files {
        if let Err(e) = files::read(file) {
            let advice = "a renewed one is taken up by a restart only; let the user that gftp has become read it";
            log::warn!("tls: {} cannot be read any more ({e}): {advice}", file.display());
        }
    }
}

/// ring, with the quickest of its ciphers first: AES with 128 bits is as far from being broken as with 256, and a third
/// faster.
fn provider() -> CryptoProvider {
    /// The place of a cipher; those of one place stay in their order.
    fn place(suite: CipherSuite) -> usize {
        match suite {
            CipherSuite::TLS13_AES_128_GCM_SHA256 => 0,
            CipherSuite::TLS13_AES_256_GCM_SHA384 => 1,
            CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => 2,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => 3,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => 4,
            _ => 5,
        }
    }
    let mut provider = ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| place(suite.suite()));
    provider
}

fn configuration(
    provider: Arc<CryptoProvider>,
    shown: Arc<Shown>,
    authorities: Option<Arc<Authorities>>,
) -> Result<ServerConfig, String> {
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(&[&TLS13, &TLS12]).map_err(|e| format!("--tls: {e}"))?;
    let builder = match authorities {
        Some(authorities) => builder.with_client_cert_verifier(authorities),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(shown);
    // OpenSSL and GnuTLS ask for the slower one first.
    config.ignore_client_order = true;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}
