//! SITE (RFC 959 §4.1.3): what this server has of its own.

use super::super::answer::{Answer, Outcome, Refusal};
use super::super::session::Session;
use super::super::wire::phrase::phrase;
use super::super::wire::printable::printable;
use super::super::wire::reply::Reply;

/// Octal digits of a mode: the three of owner, group and others, and a leading one or two.
const MOST_MODE_DIGITS: usize = 5;

/// SITE.
pub async fn site(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let argument = argument.unwrap_or_default();
    let (word, rest) = split(argument);
    match word.to_ascii_uppercase().as_slice() {
        b"HELP" => Ok(Answer::Reply(Reply::multi(
            214,
            phrase!("SITE commands:"),
            vec![phrase!("CHMOD <mode> <path>: set permissions, as 644"), phrase!("HELP: this list")],
            phrase!("End of SITE commands."),
        ))),
        b"CHMOD" => chmod(session, rest).await,
        _ => Err(Refusal::say(504, phrase!("SITE {} is not known here; SITE HELP lists what is.", printable(word)))),
    }
}

/// SITE CHMOD: what mirroring clients send after an upload.
async fn chmod(session: &mut Session, argument: &[u8]) -> Outcome {
    let (digits, name) = split(argument);
    let octal = digits.len() <= MOST_MODE_DIGITS && digits.iter().all(|digit| matches!(digit, b'0'..=b'7'));
    let mode = std::str::from_utf8(digits).ok().filter(|_| octal).and_then(|text| u32::from_str_radix(text, 8).ok());
    let (Some(mode), false) = (mode, name.is_empty()) else {
        return Err(Refusal::say(501, phrase!("Use: SITE CHMOD <mode> <path>, the mode as in 644.")));
    };
    let path = session.path(name)?;
    session.store(&path, move |view, path| view.set_permissions(path, mode)).await?;
    Answer::say(200, phrase!("Permissions set."))
}

/// The first word, and what is behind the one space after it.
fn split(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|&byte| byte == b' ') {
        Some(space) => (&text[..space], &text[space + 1..]),
        None => (text, &[]),
    }
}
