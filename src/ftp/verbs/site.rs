//! SITE (RFC 959 §4.1.3): what this server has of its own.

use super::super::answer::{Answer, Outcome, Refusal};
use super::super::session::Session;
use super::super::wire::printable::printable;
use super::super::wire::reply::Reply;

/// SITE.
pub async fn site(_: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let argument = argument.unwrap_or_default();
    let word = argument.split(|&byte| byte == b' ').next().unwrap_or_default();
    if word.eq_ignore_ascii_case(b"HELP") {
        return Ok(Answer::Reply(Reply::multi(214, "SITE commands:", vec!["HELP"], "End of SITE commands.")));
    }
    Err(Refusal::say(504, format!("SITE {} is not known here; SITE HELP lists what is.", printable(word))))
}
