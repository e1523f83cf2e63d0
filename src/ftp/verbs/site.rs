//! SITE (RFC 959 §4.1.3): what this server has of its own.

use super::super::answer::{Answer, Outcome, Refusal};
use super::super::session::Session;
use super::super::wire::phrase::{Text, phrase};
use super::super::wire::printable::printable;
use super::super::wire::reply::Reply;
use super::first_word;
use super::table::{SITE, Verb, find_site};

/// Octal digits of a mode: the three of owner, group and others, and a leading one or two.
const MOST_MODE_DIGITS: usize = 5;

/// SITE with a word that is in no table.
pub async fn unknown(_: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let (word, _) = first_word(argument.unwrap_or_default());
    Err(Refusal::say(504, phrase!("SITE {} is not known here; SITE HELP lists what is.", printable(word))))
}

/// SITE HELP, and HELP SITE (RFC 959 §4.1.3).
pub async fn help(_: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let told = |verb: &Verb| phrase!("{}: {} ({}).", verb.usage(), Text::phrase(verb.help, Vec::new()), verb.rfc);
    match argument {
        None => {
            let lines = SITE.iter().map(told).collect();
            Ok(Answer::Reply(Reply::multi(214, phrase!("SITE commands:"), lines, phrase!("End of SITE commands."))))
        }
        Some(name) => match find_site(name) {
            Some(verb) => Answer::say(214, told(verb)),
            None => Err(Refusal::say(502, phrase!("SITE {} is not known here.", printable(name)))),
        },
    }
}

/// SITE CHMOD: what mirroring clients send after an upload.
pub async fn chmod(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let (digits, name) = first_word(argument.unwrap_or_default());
    let octal = digits.len() <= MOST_MODE_DIGITS && digits.iter().all(|digit| matches!(digit, b'0'..=b'7'));
    let mode = std::str::from_utf8(digits).ok().filter(|_| octal).and_then(|text| u32::from_str_radix(text, 8).ok());
    let (Some(mode), false) = (mode, name.is_empty()) else {
        return Err(Refusal::say(501, phrase!("Use: SITE CHMOD <mode> <path>, the mode as in 644.")));
    };
    let path = session.path(name)?;
    session.store(&path, move |view, path| view.set_permissions(path, mode)).await?;
    Answer::say(200, phrase!("Permissions set."))
}
