//! A certificate and its key, read from their files: whether they fit each other, and what the certificate says of itself.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use futures_rustls::rustls::crypto::CryptoProvider;
use futures_rustls::rustls::pki_types::pem::{self, PemObject};
use futures_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use futures_rustls::rustls::sign::{CertifiedKey, SigningKey};
use futures_rustls::rustls::{Error, InconsistentKeys};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::PairFiles;
use super::expiry::Validity;
use super::files::{self, Found};

/// The keys that ring can use.
const KINDS: &str =
    "a kind of key that is not used here: give one of RSA (2048 bits or more), ECDSA P-256 or P-384, or Ed25519";

/// A certificate and its key.
pub(super) struct Pair {
    /// For the handshake.
    pub key: Arc<CertifiedKey>,
    /// What the certificate says of itself.
    pub facts: Facts,
    /// Whether the key's file is open to others.
    pub key_is_open_to_others: bool,
}

/// What a certificate says of itself.
pub(super) struct Facts {
    /// The names of servers that it is for, in small letters; one may begin with `*.`.
    pub names: Vec<String>,
    /// When it is good.
    pub validity: Validity,
    /// The SHA-256 of it, as `openssl x509 -fingerprint -sha256` shows it.
    pub fingerprint: String,
}

impl Pair {
    /// Reads it. An error is a line for the administrator, which names the option.
    pub(super) fn read(files: &PairFiles, provider: &CryptoProvider) -> Result<Pair, String> {
        let (certificate, key) = (files.certificate.as_path(), files.key.as_path());
        let chain = certificates(&format!("--tls-cert {}", certificate.display()), certificate)?;
        let facts = Facts::of(&chain[0]).map_err(|e| format!("--tls-cert {}: {e}", certificate.display()))?;
        let said = |why: String| format!("--tls-key {}: {why}", key.display());
        let Found { bytes, is_open_to_others } = files::read(key).map_err(|e| said(readable(&e)))?;
        let private = private_key(&bytes, key, certificate == key).map_err(said)?;
        let signing = provider.key_provider.load_private_key(private).map_err(|_| said(KINDS.to_string()))?;
        let key = fitting(chain, signing, files)?;
        Ok(Pair { key: Arc::new(key), facts, key_is_open_to_others: is_open_to_others })
    }
}

/// The key with its certificate, if it is the key of the first one.
fn fitting(
    chain: Vec<CertificateDer<'static>>,
    signing: Arc<dyn SigningKey>,
    files: &PairFiles,
) -> Result<CertifiedKey, String> {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let both = CertifiedKey::new(chain, signing);
    let is_of = |one: &CertificateDer<'static>| {
        CertifiedKey::new(vec![one.clone()], Arc::clone(&both.key)).keys_match().is_ok()
    };
    match both.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(both),
        Err(Error::InconsistentKeys(_)) if both.cert.iter().skip(1).any(is_of) => {
            let advice = "the server's own certificate must stand first, before those of its issuers";
            Err(format!("--tls-cert {certificate}: {advice}"))
        }
        Err(Error::InconsistentKeys(_)) => {
            let advice = "give the one that it was made for";
            Err(format!("--tls-key {key}: this key is not that of --tls-cert {certificate}: {advice}"))
        }
        Err(e) => Err(format!("--tls-cert {certificate}: {e}")),
    }
}

/// The certificates of a file, in its order, at least one. `option` is how the file was given.
pub(super) fn certificates(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let Found { bytes, .. } = files::read(path).map_err(|e| format!("{option}: {}", readable(&e)))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|e| format!("{option}: {}", unreadable(&e)))?;
    if !found.is_empty() {
        return Ok(found);
    }
    let shown = path.display();
    Err(if is_der(&bytes) {
        format!("{option}: it is not in PEM form: openssl x509 -inform der -in {shown} -out {shown}.pem, and give that")
    } else {
        format!("{option}: it holds no certificate (-----BEGIN CERTIFICATE-----)")
    })
}

fn private_key(bytes: &[u8], path: &Path, with_certificate: bool) -> Result<PrivateKeyDer<'static>, String> {
    let shown = path.display();
    let is_encrypted = ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"];
    if is_encrypted.iter().any(|sign| memchr::memmem::find(bytes, sign.as_bytes()).is_some()) {
        let advice = format!("openssl pkey -in {shown} -out {shown}.plain, and give that");
        return Err(format!("the key is encrypted, and nobody is there to type its password: {advice}"));
    }
    match PrivateKeyDer::from_pem_slice(bytes) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) if is_der(bytes) => {
            Err(format!("it is not in PEM form: openssl pkey -inform der -in {shown} -out {shown}.pem, and give that"))
        }
        Err(pem::Error::NoItemsFound) if with_certificate => {
            Err("it holds the certificate but no key: give the file of its key by --tls-key FILE".to_string())
        }
        Err(pem::Error::NoItemsFound) => Err("it holds no key (-----BEGIN PRIVATE KEY-----)".to_string()),
        Err(e) => Err(unreadable(&e)),
    }
}

/// Whether bytes begin as DER does (a sequence with a long length) and PEM never.
fn is_der(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x30, 0x82])
}

/// Why a file cannot be read. With what to do about the usual reason.
pub(super) fn readable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => format!("{error}; let the user that gftp runs as read it"),
        std::io::ErrorKind::NotFound => "there is no such file".to_string(),
        _ => error.to_string(),
    }
}

/// What is wrong with PEM. Never what stands there: it may be part of a key.
fn unreadable(error: &pem::Error) -> String {
    let why = match error {
        pem::Error::MissingSectionEnd { .. } => "it ends in the middle",
        pem::Error::Base64Decode(_) => "there is something in it that is no base64",
        _ => "it is damaged",
    };
    format!("{why}: give the file as it was issued")
}

impl Facts {
    /// Reads them in a certificate.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Result<Facts, String> {
        let (_, read) = X509Certificate::from_der(certificate).map_err(|e| format!("not a certificate: {e}"))?;
        let (from, until) = (read.validity().not_before.timestamp(), read.validity().not_after.timestamp());
        let digest = Sha256::digest(certificate);
        let fingerprint = digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
        Ok(Facts { names: names(&read), validity: Validity { from, until }, fingerprint })
    }
}

/// The names of servers that a certificate is for; that of its subject only where it has no others (RFC 6125 §6.4.4).
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let listed = alternative.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    let mut names: Vec<String> = listed.collect();
    if alternative.is_none() {
        let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        names.extend(common.map(str::to_ascii_lowercase));
    }
    names
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More names than this make the line long; the certificate has them all.
        const SHOWN: usize = 5;
        let clean = |name: &String| name.escape_debug().to_string();
        let shown: Vec<_> = self.names.iter().take(SHOWN).map(clean).collect();
        let more = if self.names.len() > SHOWN { " …" } else { "" };
        write!(f, "for {}{more}, until {}, SHA-256 {}", shown.join(" "), self.validity.last_day(), self.fingerprint)
    }
}
