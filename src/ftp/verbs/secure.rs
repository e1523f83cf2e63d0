//! TLS asked for and given up: AUTH, PBSZ, PROT, CCC (RFC 2228, RFC 4217), and what is refused without it. The handshake
//! itself is the conversation's.

use super::super::answer::{Answer, Outcome, Refusal};
use super::super::data::Plan;
use super::super::protection::{Tls, TlsNeed};
use super::super::session::Session;
use super::super::tls::Protection;
use super::super::wire::phrase::phrase;
use super::super::wire::printable::printable;
use super::super::wire::reply::Reply;
use super::table::Verb;

/// AUTH. Whoever was logged in is not any more (RFC 4217 §4): who they are is to be said again where nobody listens.
pub async fn auth(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    if session.shared.tls.is_none() {
        return Err(Refusal::say(502, phrase!("There is no TLS here: this server was started without it.")));
    }
    let protection = match argument.unwrap_or_default().to_ascii_uppercase().as_slice() {
        b"TLS" | b"TLS-C" => Protection::Clear,
        // Of drafts before RFC 4217: these protect the data too, and who sends them may send no PROT.
        b"SSL" | b"TLS-P" => Protection::Private,
        other => return Err(Refusal::say(504, phrase!("{} is not done; use AUTH TLS.", printable(other)))),
    };
    if session.is_secure() {
        return Err(Refusal::say(503, phrase!("TLS is spoken already.")));
    }
    session.log_out();
    Ok(Answer::Secure(Reply::new(234, phrase!("Begin TLS.")), protection))
}

/// PBSZ (RFC 2228 §3): TLS has buffers of its own, so 0 is all there is (RFC 4217 §8).
pub async fn pbsz(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let Some(security) = &mut session.security else { return Err(before_auth()) };
    let argument = argument.unwrap_or_default();
    if argument.is_empty() || !argument.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::say(501, phrase!("Use: PBSZ 0.")));
    }
    security.sized = true;
    Answer::say(200, "PBSZ=0".into())
}

/// PROT (RFC 2228 §3, RFC 4217 §9).
pub async fn prot(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    match &session.security {
        None => return Err(before_auth()),
        Some(security) if !security.sized => return Err(Refusal::say(503, phrase!("Send PBSZ 0 first."))),
        Some(_) => {}
    }
    let needs_tls = session.shared.tls.as_ref().is_some_and(|tls| tls.policy.need == TlsNeed::DataRequired);
    let wanted = match argument.unwrap_or_default().to_ascii_uppercase().as_slice() {
        b"P" => Protection::Private,
        b"C" if needs_tls => {
            return Err(Refusal::say(534, phrase!("Data goes through TLS only here: use PROT P.")));
        }
        b"C" => Protection::Clear,
        b"S" | b"E" => return Err(Refusal::say(536, phrase!("TLS knows only PROT C and PROT P."))),
        _ => return Err(Refusal::say(504, phrase!("Use: PROT P or PROT C."))),
    };
    if session.protection != wanted && matches!(session.plan, Plan::Early(_)) {
        // Its connection has begun TLS.
        session.plan = Plan::Unset;
    }
    session.protection = wanted;
    match wanted {
        Protection::Private => Answer::say(200, phrase!("Data connections use TLS.")),
        Protection::Clear => Answer::say(200, phrase!("Data connections are in plain text.")),
    }
}

/// CCC (RFC 4217 §12): plain text on the control connection from now on, for who is in between and rewrites addresses.
pub async fn ccc(session: &mut Session, _: Option<&[u8]>) -> Outcome {
    let allowed = session.shared.tls.as_ref().is_some_and(|tls| tls.policy.ccc);
    if !session.is_secure() {
        return Err(Refusal::say(533, phrase!("There is no TLS to end.")));
    }
    let Some(security) = session.security.as_mut().filter(|security| allowed && !security.implicit) else {
        return Err(Refusal::say(534, phrase!("The control connection stays in TLS here.")));
    };
    security.cleared = true;
    Ok(Answer::Clear(Reply::new(200, phrase!("End TLS; plain text from then on."))))
}

/// Why nobody may say who they are now.
pub fn login_refused(session: &Session) -> Option<Refusal> {
    let needed = session.shared.tls.as_ref().is_some_and(|tls| tls.policy.need >= TlsNeed::Required);
    let refusal = || Refusal::say(530, phrase!("TLS is required to log in: send AUTH TLS first."));
    (needed && !session.is_secure()).then(refusal)
}

/// Why no data may flow now (RFC 4217 §10).
pub fn data_refused(session: &Session, verb: &Verb) -> Option<Refusal> {
    let needed = session.shared.tls.as_ref().is_some_and(|tls| tls.policy.need == TlsNeed::DataRequired);
    let moves = matches!(verb.name, "RETR" | "STOR" | "STOU" | "APPE" | "LIST" | "NLST" | "MLSD");
    let refusal = || Refusal::say(521, phrase!("TLS is required for data: send PBSZ 0 and PROT P first."));
    (needed && moves && session.protection == Protection::Clear).then(refusal)
}

/// Whether FEAT is silent about a verb, since it is of no use here.
pub fn is_hidden(tls: Option<&Tls>, verb: &Verb) -> bool {
    match verb.name {
        "AUTH" | "PBSZ" | "PROT" => tls.is_none(),
        "CCC" => tls.is_none_or(|tls| !tls.policy.ccc),
        _ => false,
    }
}

fn before_auth() -> Refusal {
    Refusal::say(503, phrase!("Send AUTH TLS first."))
}
