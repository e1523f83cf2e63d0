//! Certificates from their files to a handshake, with a client of rustls's beside the server, both in memory. Here stands
//! what the tests are made with.

mod following;
mod handshakes;
mod opening;
mod travelling;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use futures_rustls::rustls::pki_types::pem::PemObject;
use futures_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use futures_rustls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ProtocolVersion, RootCertStore, ServerConnection,
    SignatureScheme, SupportedProtocolVersion,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;

use super::*;

/// A certificate as PEM, and its key.
struct Made {
    certificate: String,
    key: String,
}

impl Made {
    /// One for these names, signed by itself.
    fn for_names(names: &[&str]) -> Made {
        Made::with(names, |_| {})
    }

    fn with(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Made {
        let key = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_string()).collect::<Vec<_>>()).unwrap();
        change(&mut params);
        Made { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
    }

    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }

    /// In files of these names.
    fn put(&self, folder: &Path, name: &str) -> PairFiles {
        let (certificate, key) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
        fs::write(&certificate, &self.certificate).unwrap();
        fs::write(&key, &self.key).unwrap();
        PairFiles { certificate, key }
    }
}

/// An authority, and what it signs.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority");
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
        Authority { pem: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
    }

    fn sign(&self, serial: u64) -> Made {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.serial_number = Some(serial.into());
        params.distinguished_name.push(DnType::CommonName, "alice");
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        Made { certificate: params.signed_by(&key, &self.issuer).unwrap().pem(), key: key.serialize_pem() }
    }

    /// A list that revokes this one.
    fn revoke(&self, serial: u64) -> String {
        let revoked = rcgen::RevokedCertParams {
            serial_number: serial.into(),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = rcgen::CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2099, 1, 1),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

fn order(pairs: Vec<PairFiles>) -> TlsFiles {
    TlsFiles { pairs, self_signed: None, client: None }
}

fn open(pairs: Vec<PairFiles>) -> Certificates {
    Certificates::open(&order(pairs)).unwrap()
}

fn mistake(order: &TlsFiles) -> String {
    match Certificates::open(order) {
        Ok(_) => panic!("it opens"),
        Err(line) => line,
    }
}

/// Takes whatever it is shown, if it is signed in one of these ways: what was shown is looked at afterwards.
#[derive(Debug)]
struct Credulous(Vec<SignatureScheme>);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

/// A client that takes any certificate, with a certificate of its own perhaps.
fn client(versions: &[&'static SupportedProtocolVersion], own: Option<&Made>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(versions).unwrap();
    let all = ring::default_provider().signature_verification_algorithms.supported_schemes();
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(Credulous(all)));
    match own {
        Some(own) => {
            let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![own.der()], key).unwrap()
        }
        None => builder.with_no_client_auth(),
    }
}

const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// A handshake for a server of this name, to its end.
fn shake(
    server: &Arc<ServerConfig>,
    client: ClientConfig,
    name: &str,
) -> Result<(ClientConnection, ServerConnection), Error> {
    let name = ServerName::try_from(name.to_string()).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    let mut pipe = Vec::new();
    while client.is_handshaking() || server.is_handshaking() || client.wants_write() || server.wants_write() {
        client.write_tls(&mut pipe).unwrap();
        server.read_tls(&mut pipe.as_slice()).map(|_| server.process_new_packets()).unwrap()?;
        pipe.clear();
        server.write_tls(&mut pipe).unwrap();
        client.read_tls(&mut pipe.as_slice()).map(|_| client.process_new_packets()).unwrap()?;
        pipe.clear();
    }
    Ok((client, server))
}

/// What a client is shown that asks for this name.
fn shown_to(server: &Arc<ServerConfig>, name: &str) -> CertificateDer<'static> {
    let (client, _) = shake(server, client(BOTH, None), name).unwrap();
    client.peer_certificates().unwrap()[0].clone().into_owned()
}

/// What follows them, without the task.
fn following(opened: Certificates) -> Following {
    let Certificates { shown, authorities, pairs, client, .. } = opened;
    Following {
        shown: Arc::downgrade(&shown),
        said: vec![None; pairs.len()],
        pairs,
        authorities: authorities.as_ref().map_or_else(Weak::new, Arc::downgrade),
        client,
    }
}
