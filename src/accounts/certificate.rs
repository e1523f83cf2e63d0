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

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CustomExtension, DnType, DnValue, KeyPair, SanType};

    use super::*;

    fn made(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut params);
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    const UID: [u64; 7] = [0, 9, 2342, 19_200_300, 100, 1, 1];
    const EMAIL: [u64; 7] = [1, 2, 840, 113_549, 1, 9, 1];

    #[test]
    fn each_field_has_its_name() {
        let full = made(|params| {
            params.distinguished_name.push(DnType::CommonName, "alice");
            params.distinguished_name.push(DnType::CustomDnType(UID.to_vec()), "al");
            params.distinguished_name.push(DnType::CustomDnType(EMAIL.to_vec()), "old@example.net");
            params.subject_alt_names = vec![
                SanType::DnsName("alice.example.net".try_into().expect("a name")),
                SanType::Rfc822Name("alice@example.net".try_into().expect("a name")),
                SanType::Rfc822Name("second@example.net".try_into().expect("a name")),
            ];
        });
        let name = |field| name_of(&full, field);
        assert_eq!(name(NameField::CommonName).as_deref(), Some("alice"));
        assert_eq!(name(NameField::UserId).as_deref(), Some("al"));
        assert_eq!(name(NameField::Email).as_deref(), Some("alice@example.net"));
        let subject = made(|params| {
            params.distinguished_name.push(DnType::CustomDnType(EMAIL.to_vec()), "old@example.net");
        });
        assert_eq!(name_of(&subject, NameField::Email).as_deref(), Some("old@example.net"));
        assert_eq!(name_of(&subject, NameField::CommonName), None);
        assert_eq!(name_of(&subject, NameField::UserId), None);
    }

    #[test]
    fn what_is_no_name_stands_for_nobody() {
        for odd in ["", "alice\0.evil", "al\nice", "\u{1b}[31m"] {
            let odd_one = made(|params| params.distinguished_name.push(DnType::CommonName, odd));
            assert_eq!(name_of(&odd_one, NameField::CommonName), None, "{odd:?}");
        }
        let umlaut = made(|params| params.distinguished_name.push(DnType::CommonName, "Jürgen"));
        assert_eq!(name_of(&umlaut, NameField::CommonName).as_deref(), Some("Jürgen"));
        // UTF-16, which nobody writes any more.
        let wide = rcgen::string::BmpString::try_from("alice").expect("a text");
        let wide = made(|params| params.distinguished_name.push(DnType::CommonName, DnValue::BmpString(wide)));
        assert_eq!(name_of(&wide, NameField::CommonName), None);
        assert_eq!(name_of(b"no certificate", NameField::CommonName), None);
        let damaged = made(|params| {
            params.distinguished_name.push(DnType::CommonName, "alice");
            params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], vec![0x30, 0x80, 1])];
        });
        assert_eq!(name_of(&damaged, NameField::Email), None);
    }

    /// Of two names one is the issuer's and one the owner's to choose; nobody knows which.
    #[test]
    fn of_two_names_neither_counts() {
        let two = made(|params| {
            params.distinguished_name.push(DnType::CommonName, "alice");
            params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 3]), "root");
        });
        let count = X509Certificate::from_der(&two).map(|(_, read)| read.subject().iter_common_name().count());
        assert_eq!(count.ok(), Some(2), "rcgen writes both");
        assert_eq!(name_of(&two, NameField::CommonName), None);
    }
}
