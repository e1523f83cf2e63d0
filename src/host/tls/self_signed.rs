//! A certificate that nobody has signed: for a server that has no name in the world, or none yet. Its clients know it by
//! its fingerprint, so it is made once and kept.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use futures_rustls::rustls::pki_types::CertificateDer;
use futures_rustls::rustls::pki_types::UnixTime;
use futures_rustls::rustls::pki_types::pem::PemObject;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType,
};
use time::{Duration, OffsetDateTime};

use super::{SelfSigned, files};

/// How long it is good. Clients remember the certificate itself, and a new one looks to them like an attack, so nothing is
/// won by making it short; and ten years are longer than the machine lasts.
const GOOD_FOR: Duration = Duration::days(3650);
/// How long it has been good when it is made: clients' clocks go wrong.
const GOOD_SINCE: Duration = Duration::days(1);

/// The file that holds it with its key; it is made where it is missing. An error is a line for the administrator.
pub(super) fn keep(order: &SelfSigned) -> Result<PathBuf, String> {
    let shown = order.folder.display();
    files::keep(&order.folder, || make(order), alone)
        .map_err(|e| format!("--tls-self-signed {shown}: {e}; give a folder that gftp may make and write"))
}

/// Key and certificate as text.
fn make(order: &SelfSigned) -> io::Result<String> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(io::Error::other)?;
    let certificate = params(order).and_then(|params| params.self_signed(&key)).map_err(io::Error::other)?;
    Ok(key.serialize_pem() + &certificate.pem())
}

fn params(order: &SelfSigned) -> Result<CertificateParams, rcgen::Error> {
    const HERE: &str = "localhost";
    let system = rustix::system::uname();
    let host = system.nodename().to_str().unwrap_or(HERE).to_ascii_lowercase();
    let is_name = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let host = if is_name { host } else { HERE.to_string() };
    let mut params = CertificateParams::default();
    for name in [HERE, host.as_str()] {
        params.subject_alt_names.push(SanType::DnsName(name.try_into()?));
    }
    let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    params.subject_alt_names.extend(loopback.iter().chain(&order.addresses).copied().map(SanType::IpAddress));
    params.subject_alt_names.dedup();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, host);
    let now = i64::try_from(UnixTime::now().as_secs()).unwrap_or_default();
    let now = OffsetDateTime::from_unix_timestamp(now).map_err(|_| rcgen::Error::Time)?;
    (params.not_before, params.not_after) = (now - GOOD_SINCE, now + GOOD_FOR);
    // It signs nothing but itself; clients of rustls refuse authorities that serve.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

/// The certificate without its key, for clients.
fn alone(kept: &[u8]) -> Option<String> {
    CertificateDer::from_pem_slice(kept).ok()?;
    let text = std::str::from_utf8(kept).ok()?;
    Some(text[text.find("-----BEGIN CERTIFICATE-----")?..].to_string())
}
