//! What a client's certificate is good for: whom it logs in, and whom it keeps out. That it is good has been found out in the
//! handshake.

use super::super::session::Session;
use crate::accounts::certificate::name_of;

/// Whether the certificate alone logs this name in.
pub fn is_enough(session: &Session, name: &[u8]) -> bool {
    let names = session.shared.tls.as_ref().and_then(|tls| tls.policy.client);
    names.is_some_and(|names| !names.password_too) && shown(session).is_some_and(|shown| shown.as_bytes() == name)
}

/// Whether this name is not let in whatever the password, since the certificate is not its own.
pub fn is_missing(session: &Session, name: &[u8]) -> bool {
    let names = session.shared.tls.as_ref().and_then(|tls| tls.policy.client);
    let is_wanted = names.is_some_and(|names| names.password_too) && !session.is_anonymous();
    is_wanted && shown(session).is_none_or(|shown| shown.as_bytes() != name)
}

/// The name in the certificate that the client has shown. None in plain text, also after CCC: the words of who is in between
/// are not those of who has the key.
fn shown(session: &Session) -> Option<String> {
    let names = session.shared.tls.as_ref()?.policy.client?;
    let certificate = session.security.as_ref().filter(|_| session.is_secure())?.certificate.as_ref()?;
    name_of(certificate, names.field)
}
