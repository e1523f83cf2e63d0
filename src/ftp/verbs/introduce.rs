//! Who speaks with whom: HOST (RFC 7151) and CSID (draft-peterson-streamlined-ftp-command-extensions).

use super::super::answer::{Answer, Outcome, Refusal};
use super::super::session::{Session, Who};
use super::super::wire::host::is_host;
use super::super::wire::phrase::phrase;
use super::super::wire::printable::printable;

/// HOST: there is one host here, and it answers to every name. It is for those who have not said USER yet; REIN makes
/// that so again (RFC 7151 §3.2, §3.3).
pub async fn host(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let name = argument.unwrap_or_default();
    if !is_host(name) {
        return Err(Refusal::say(
            501,
            phrase!("Use: HOST <name>, a domain name, an IPv4 address or [an IPv6 address]."),
        ));
    }
    if !matches!(session.who, Who::Stranger) {
        return Err(Refusal::say(503, phrase!("HOST comes before USER; REIN begins again.")));
    }
    log::debug!("session {}: the client knows this server as {}", session.origin.id, printable(name));
    Answer::say(220, phrase!("Host accepted."))
}

/// CSID: whatever the client says of itself is taken. The version of the system is for those who are in only.
pub async fn csid(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    log::info!("session {}: the client is {}", session.origin.id, printable(argument.unwrap_or_default()));
    let system = rustix::system::uname();
    let release = match session.is_in() {
        true => format!(" OSVer={};", system.release().to_string_lossy().replace(';', "?")),
        false => String::new(),
    };
    let version = env!("CARGO_PKG_VERSION");
    Answer::say(200, format!("Name=gftp; Version={version}; OS=Linux;{release} CaseSensitive=1; DirSep=/;").into())
}
