//! Whose certificates are taken of clients: the authorities of a file, which is followed.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use futures_rustls::rustls::client::danger::HandshakeSignatureValid;
use futures_rustls::rustls::crypto::CryptoProvider;
use futures_rustls::rustls::pki_types::pem::PemObject;
use futures_rustls::rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use futures_rustls::rustls::server::WebPkiClientVerifier;
use futures_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use futures_rustls::rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};

use super::{files, pair};

/// Who says whether a certificate is good.
pub(super) type Verifier = Arc<dyn ClientCertVerifier>;

/// Reads the authorities. An error is a line for the administrator.
pub(super) fn read(path: &Path, required: bool, provider: &Arc<CryptoProvider>) -> Result<Verifier, String> {
    let option = format!("--tls-client-ca {}", path.display());
    let mut roots = RootCertStore::empty();
    for (number, certificate) in (1..).zip(pair::certificates(&option, path)?) {
        roots.add(certificate).map_err(|e| format!("{option}: certificate {number} of it is of no use: {e}"))?;
    }
    let text = files::read(path).map_err(|e| format!("{option}: {}", pair::readable(&e)))?.bytes;
    let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&text).collect();
    let lists = lists.map_err(|_| format!("{option}: a revocation list in it is damaged"))?;
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    // An authority without a list has revoked nothing.
    builder = builder.with_crls(lists).only_check_end_entity_revocation().allow_unknown_revocation_status();
    if !required {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map_err(|e| format!("{option}: {e}"))
}

/// The authorities as they are now.
pub(super) struct Authorities(RwLock<Verifier>);

impl Authorities {
    pub(super) fn new(verifier: Verifier) -> Self {
        Authorities(RwLock::new(verifier))
    }

    pub(super) fn replace(&self, verifier: Verifier) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = verifier;
    }

    fn now(&self) -> Verifier {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientCertVerifier for Authorities {
    fn offer_client_auth(&self) -> bool {
        self.now().offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.now().client_auth_mandatory()
    }

    /// None: a client then shows what it has. Which authorities there are is nobody's business before.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.now().verify_client_cert(certificate, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.now().verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.now().verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.now().supported_verify_schemes()
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("authorities of clients")
    }
}
