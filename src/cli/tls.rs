//! The options of TLS: which certificates, who must use it, and what clients have to show.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use super::Mistake;
use super::process::addresses;
use crate::accounts::certificate::NameField;
use crate::ftp::protection::{ClientNames, Resume, TlsNeed, TlsPolicy};
use crate::host::Address;
use crate::host::tls::{ClientCa, PairFiles, SelfSigned, TlsFiles};

/// Where the help shows them: the options of others stand around these.
const HEADING: &str = "TLS";
/// What to type where a certificate is missing.
const GIVE_A_CERTIFICATE: &str = "give --tls-cert FILE, or --tls-self-signed DIR to have one made";

/// As typed.
#[derive(Args)]
pub(super) struct TypedTls {
    /// Who must use TLS: nobody can (off), who wants to (optional), whoever logs in (required), and their data
    /// connections too (data-required) [default: optional where there is a certificate]
    #[arg(long, help_heading = HEADING, value_name = "off|optional|required|data-required", value_parser = parse_need)]
    tls: Option<Need>,
    /// A certificate with those of its issuers behind it, in PEM form, repeatable: clients get the one for the name that
    /// they ask for, else the first. It is read again when it changes
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    tls_cert: Vec<PathBuf>,
    /// The key of each --tls-cert, in the same order; may be left out where the keys stand in the certificates' files
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    tls_key: Vec<PathBuf>,
    /// Make a certificate that nobody has signed, and keep it in this folder; its fingerprint is printed at start
    #[arg(long, help_heading = HEADING, value_name = "DIR")]
    tls_self_signed: Option<PathBuf>,
    /// Take client certificates that these authorities have signed (PEM form; revocation lists may stand in it too)
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,
    /// Whether who uses TLS must have such a certificate [default: required]
    #[arg(long, help_heading = HEADING, value_name = "optional|required", value_parser = parse_client)]
    tls_client: Option<bool>,
    /// Log in who has such a certificate, without a password, as the account that is named in this field of it
    #[arg(long, help_heading = HEADING, value_name = "cn|email|uid", value_parser = parse_field)]
    tls_client_user: Option<NameField>,
    /// Want the password beside the certificate, which must name the account
    #[arg(long, help_heading = HEADING)]
    tls_client_password: bool,
    /// Whether a data connection must prove by resumption that it belongs to its session [default: prefer]
    #[arg(long, help_heading = HEADING, value_name = "off|prefer|require", value_parser = parse_resume)]
    tls_resume: Option<Resume>,
    /// Take an upload for whole even where the client does not end TLS properly: for clients that never do
    #[arg(long, help_heading = HEADING)]
    tls_lenient: bool,
    /// Let clients go back to plain text after logging in (CCC), for firewalls that must read along
    #[arg(long, help_heading = HEADING)]
    tls_ccc: bool,
    /// Listen here as well for clients that speak TLS from the first byte (usually 990)
    #[arg(long, help_heading = HEADING, value_name = "PORT")]
    implicit_port: Option<u16>,
}

/// TLS, or none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Off,
    Tls(TlsNeed),
}

/// What concerns TLS.
pub struct TlsOrder {
    /// Where the certificates are.
    pub files: TlsFiles,
    /// What is asked of clients.
    pub policy: TlsPolicy,
    /// Where TLS is spoken from the first byte.
    pub implicit: Vec<Address>,
}

impl TypedTls {
    /// What it means; none where there is no TLS. `listen` and `port` are FTP's; a certificate that is made here is for
    /// the addresses of `listen` and for `public` as well.
    pub(super) fn resolve(
        self,
        listen: &[(IpAddr, Option<u16>)],
        port: u16,
        public: Option<IpAddr>,
    ) -> Result<Option<TlsOrder>, Mistake> {
        let has_certificate = !self.tls_cert.is_empty() || self.tls_self_signed.is_some();
        if let Some(option) = self.first_option().filter(|_| !has_certificate) {
            return Err(Mistake(format!("{option} needs a certificate: {GIVE_A_CERTIFICATE}")));
        }
        let must_have_one = self.tls_client_ca.is_some() && self.tls_client.unwrap_or(true);
        let need = match self.tls {
            Some(Need::Off) => return self.refuse_implicit().map(|()| None),
            None if !has_certificate => return Ok(None),
            // Who must show a certificate must use TLS: else they would only have to do without.
            None if must_have_one => TlsNeed::Required,
            None => TlsNeed::Optional,
            Some(Need::Tls(TlsNeed::Optional)) if must_have_one => {
                let advice = "give --tls required, or --tls-client optional";
                return Err(Mistake(format!("--tls optional lets clients in without TLS and certificate: {advice}")));
            }
            Some(Need::Tls(need)) => need,
        };
        let implicit = self.implicit(listen, port)?;
        let client = self.client()?;
        let policy = TlsPolicy {
            need,
            resume: self.tls_resume.unwrap_or(Resume::Prefer),
            lenient: self.tls_lenient,
            ccc: self.tls_ccc,
            client,
        };
        let names = listen.iter().map(|(ip, _)| *ip).chain(public).filter(|ip| !ip.is_unspecified()).collect();
        Ok(Some(TlsOrder { files: self.files(names)?, policy, implicit }))
    }

    /// An option that means nothing without a certificate.
    fn first_option(&self) -> Option<&'static str> {
        [
            (matches!(self.tls, Some(Need::Tls(TlsNeed::Optional))), "--tls optional"),
            (matches!(self.tls, Some(Need::Tls(TlsNeed::Required))), "--tls required"),
            (matches!(self.tls, Some(Need::Tls(TlsNeed::DataRequired))), "--tls data-required"),
            (!self.tls_key.is_empty(), "--tls-key"),
            (self.tls_client_ca.is_some(), "--tls-client-ca"),
            (self.tls_client.is_some(), "--tls-client"),
            (self.tls_client_user.is_some(), "--tls-client-user"),
            (self.tls_client_password, "--tls-client-password"),
            (self.tls_resume.is_some(), "--tls-resume"),
            (self.tls_lenient, "--tls-lenient"),
            (self.tls_ccc, "--tls-ccc"),
            (self.implicit_port.is_some(), "--implicit-port"),
        ]
        .into_iter()
        .find_map(|(given, option)| given.then_some(option))
    }

    fn refuse_implicit(&self) -> Result<(), Mistake> {
        match self.implicit_port {
            Some(_) => Err(Mistake("--implicit-port is for TLS, and --tls is off: leave one of them out".to_string())),
            None => Ok(()),
        }
    }

    /// The addresses of FTP, each with the other port.
    fn implicit(&self, listen: &[(IpAddr, Option<u16>)], port: u16) -> Result<Vec<Address>, Mistake> {
        let Some(own) = self.implicit_port else { return Ok(Vec::new()) };
        let bare: Vec<_> = listen.iter().map(|(ip, _)| (*ip, None)).collect();
        let (plain, implicit) = (addresses(listen, port), addresses(&bare, own));
        if own != 0 && plain.iter().any(|other| other.at.port() == own) {
            let advice = "another port, usually 990";
            return Err(Mistake(format!("--implicit-port {own} is the port of plain FTP: give it {advice}")));
        }
        Ok(implicit)
    }

    fn client(&self) -> Result<Option<ClientNames>, Mistake> {
        let needs_ca = [
            (self.tls_client.is_some(), "--tls-client"),
            (self.tls_client_user.is_some(), "--tls-client-user"),
            (self.tls_client_password, "--tls-client-password"),
        ];
        if let (None, Some((_, option))) = (&self.tls_client_ca, needs_ca.iter().find(|(given, _)| *given)) {
            return Err(Mistake(format!(
                "{option} is about client certificates: say who signs them, --tls-client-ca FILE"
            )));
        }
        match (self.tls_client_user, self.tls_client_password) {
            (None, true) => {
                let advice = "say where in it the account's name stands, as --tls-client-user cn";
                Err(Mistake(format!("--tls-client-password wants a certificate that names the account: {advice}")))
            }
            (field, password_too) => Ok(field.map(|field| ClientNames { field, password_too })),
        }
    }

    /// Where the certificates are.
    fn files(self, addresses: Vec<IpAddr>) -> Result<TlsFiles, Mistake> {
        let (certificates, keys) = (self.tls_cert.len(), self.tls_key.len());
        if certificates > 0 && self.tls_self_signed.is_some() {
            return Err(Mistake("--tls-self-signed makes a certificate: leave it out, or --tls-cert".to_string()));
        }
        if keys > 0 && keys != certificates {
            let advice = "give one for each, in the same order (a file that holds both, twice)";
            return Err(Mistake(format!("{certificates} --tls-cert but {keys} --tls-key: {advice}")));
        }
        let pairs = if keys == 0 {
            self.tls_cert.into_iter().map(|one| PairFiles { certificate: one.clone(), key: one }).collect()
        } else {
            let both = self.tls_cert.into_iter().zip(self.tls_key);
            both.map(|(certificate, key)| PairFiles { certificate, key }).collect()
        };
        let client = self.tls_client_ca.map(|file| ClientCa { file, required: self.tls_client.unwrap_or(true) });
        let self_signed = self.tls_self_signed.map(|folder| SelfSigned { folder, addresses });
        Ok(TlsFiles { pairs, self_signed, client })
    }
}

fn parse_need(text: &str) -> Result<Need, String> {
    match text {
        "off" => Ok(Need::Off),
        "optional" => Ok(Need::Tls(TlsNeed::Optional)),
        "required" => Ok(Need::Tls(TlsNeed::Required)),
        "data-required" => Ok(Need::Tls(TlsNeed::DataRequired)),
        _ => Err("give off, optional, required or data-required".to_string()),
    }
}

/// Whether a certificate is required.
fn parse_client(text: &str) -> Result<bool, String> {
    match text {
        "optional" => Ok(false),
        "required" => Ok(true),
        _ => Err("give optional or required".to_string()),
    }
}

fn parse_field(text: &str) -> Result<NameField, String> {
    match text {
        "cn" => Ok(NameField::CommonName),
        "email" => Ok(NameField::Email),
        "uid" => Ok(NameField::UserId),
        _ => Err("give cn, email or uid".to_string()),
    }
}

fn parse_resume(text: &str) -> Result<Resume, String> {
    match text {
        "off" => Ok(Resume::Off),
        "prefer" => Ok(Resume::Prefer),
        "require" => Ok(Resume::Require),
        _ => Err("give off, prefer or require".to_string()),
    }
}
