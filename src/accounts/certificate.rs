//! Which account a client's certificate stands for: the name that is read in it. Knows no TLS; that the certificate is
//! good has been found out before.

use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

/// Where in a certificate the name of a user stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameField {
    /// The common name of the subject (CN).
    CommonName,
    /// The first e-mail address of the alternative names (rfc822Name), or else that of the subject.
    Email,
    /// The user identifier of the subject (UID, RFC 4519 §2.39).
    UserId,
}

/// The name of the user that a certificate (in DER) stands for. None where the field is missing, empty or no text, and where
/// there are two: then nobody can say whose it is.
pub fn name_of(certificate: &[u8], field: NameField) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let subject = certificate.subject();
    let name = match field {
        NameField::CommonName => {
            only(subject, |name| name.iter_common_name().map(|found| found.as_str().ok()).collect())
        }
        NameField::UserId => only(subject, |name| {
            name.iter_by_oid(&x509_parser::oid_registry::OID_USERID).map(|found| found.as_str().ok()).collect()
        }),
        NameField::Email => first_address(&certificate)
            .or_else(|| only(subject, |name| name.iter_email().map(|found| found.as_str().ok()).collect())),
    }?;
    // What no account could be called is nobody's name; a NUL has been used to show one name and mean another.
    let is_name = !name.is_empty() && !name.chars().any(char::is_control);
    is_name.then_some(name)
}

/// The one value of an attribute.
fn only<'a>(subject: &'a X509Name<'a>, values: impl Fn(&'a X509Name<'a>) -> Vec<Option<&'a str>>) -> Option<String> {
    match values(subject).as_slice() {
        [Some(value)] => Some((*value).to_string()),
        _ => None,
    }
}

fn first_address(certificate: &X509Certificate<'_>) -> Option<String> {
    let names = certificate.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::RFC822Name(address) => Some((*address).to_string()),
        _ => None,
    })
}
