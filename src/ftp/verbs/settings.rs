//! How things travel (TYPE, STRU, MODE, OPTS), and what the server says of itself (FEAT, HELP, SYST, NOOP, CLNT).

use super::super::answer::{Answer, Outcome, Refusal};
use super::super::data::deflate::Level;
use super::super::journal;
use super::super::session::{Mode, Representation, Session};
use super::super::wire::facts::Facts;
use super::super::wire::phrase::{BadTag, Language, Text, phrase};
use super::super::wire::printable::printable;
use super::super::wire::reply::Reply;
use super::table::{MORE_FEATURES, SITE, VERBS, find};

/// TYPE (RFC 959 §4.1.2). Telnet and carriage-control formats (A T, A C) are for printers, EBCDIC is not done.
pub async fn kind(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let wanted = argument.unwrap_or_default().to_ascii_uppercase();
    session.representation = match wanted.as_slice() {
        b"A" | b"A N" => Representation::Ascii,
        b"I" | b"L 8" => Representation::Image,
        b"A T" | b"A C" => {
            return Err(Refusal::say(504, phrase!("Of text formats only A N (no print control) is done.")));
        }
        [b'E', ..] => return Err(Refusal::say(504, phrase!("EBCDIC is not done; use TYPE A or TYPE I."))),
        [b'L', b' ', ..] => return Err(Refusal::say(504, phrase!("Bytes have 8 bits here; use TYPE L 8 or TYPE I."))),
        _ => return Err(Refusal::say(501, phrase!("Use: TYPE A, TYPE A N, TYPE I or TYPE L 8."))),
    };
    match session.representation {
        Representation::Ascii => Answer::say(200, phrase!("Type A: text, lines end in CRLF.")),
        Representation::Image => Answer::say(200, phrase!("Type I: bytes as they are.")),
    }
}

/// STRU.
pub async fn stru(_: &mut Session, argument: Option<&[u8]>) -> Outcome {
    match argument.unwrap_or_default().to_ascii_uppercase().as_slice() {
        b"F" => Answer::say(200, phrase!("Structure F.")),
        b"R" | b"P" => Err(Refusal::say(504, phrase!("Only STRU F (files without records) is done."))),
        _ => Err(Refusal::say(501, phrase!("Use: STRU F."))),
    }
}

/// MODE.
pub async fn mode(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    session.mode = match argument.unwrap_or_default().to_ascii_uppercase().as_slice() {
        b"S" => Mode::Stream,
        b"Z" => Mode::Deflate,
        b"B" | b"C" => {
            return Err(Refusal::say(504, phrase!("Only MODE S (stream) and MODE Z (compressed) are done.")));
        }
        _ => return Err(Refusal::say(501, phrase!("Use: MODE S or MODE Z."))),
    };
    match session.mode {
        Mode::Stream => Answer::say(200, phrase!("Mode S.")),
        Mode::Deflate => Answer::say(200, phrase!("Mode Z: compressed, level {}.", session.level.number())),
    }
}

/// OPTS MODE Z (draft-preston-ftpext-deflate §3): the level. The engine and method that the draft names are the ones.
fn mode_options(session: &mut Session, options: &[u8]) -> Outcome {
    let options = options.to_ascii_uppercase();
    let mut words = options.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let wrong = || Refusal::say(501, phrase!("Use: OPTS MODE Z LEVEL <1 to 9>."));
    if words.next() != Some(b"Z") {
        return Err(wrong());
    }
    let words: Vec<&[u8]> = words.collect();
    let (pairs, []) = words.as_chunks::<2>() else { return Err(wrong()) };
    for [name, value] in pairs {
        match (*name, *value) {
            (b"LEVEL", value) => {
                let number = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                session.level = number.and_then(Level::new).ok_or_else(wrong)?;
            }
            (b"ENGINE", b"ZLIB") | (b"METHOD", b"8") => {}
            _ => return Err(wrong()),
        }
    }
    Answer::say(200, phrase!("MODE Z LEVEL set to {}.", session.level.number()))
}

/// LANG (RFC 2640 §4): the language of the replies' text; the default one where none is named.
pub async fn lang(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    session.language = match argument.map_or(Ok(Language::default()), Language::of_tag) {
        Ok(language) => language,
        Err(BadTag::Syntax) => return Err(Refusal::say(501, phrase!("Use: LANG <tag>, as LANG en or LANG de."))),
        Err(BadTag::Unknown) => {
            return Err(Refusal::say(504, phrase!("Only English (en) and German (de) are spoken here.")));
        }
    };
    Answer::say(200, phrase!("Replies are in English now."))
}

/// SMNT: there is one tree.
pub async fn smnt(_: &mut Session, _: Option<&[u8]>) -> Outcome {
    Err(Refusal::say(502, phrase!("There is nothing to mount here.")))
}

/// OPTS (RFC 2389 §4).
pub async fn opts(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let argument = argument.unwrap_or_default();
    let mut words = argument.splitn(2, |&byte| byte == b' ');
    let verb = words.next().unwrap_or_default().to_ascii_uppercase();
    let options = words.next().unwrap_or_default();
    match verb.as_slice() {
        b"UTF8" | b"UTF-8" => match options.to_ascii_uppercase().as_slice() {
            // Names are bytes here and always have been UTF-8 where they were UTF-8 on disk; there is nothing to do.
            b"" | b"ON" | b"NLST" => Answer::say(200, phrase!("Names are UTF-8.")),
            b"OFF" => Answer::say(200, phrase!("Names are sent as they are on disk, either way.")),
            _ => Err(Refusal::say(501, phrase!("Use: OPTS UTF8 ON or OPTS UTF8 OFF."))),
        },
        b"MLST" => {
            session.facts = Facts::choose(options);
            Answer::say(200, session.facts.answer().into())
        }
        b"MODE" => mode_options(session, options),
        b"HASH" => super::digest::choose(session, options),
        _ => match find(&String::from_utf8_lossy(&verb)) {
            Some(_) => Err(Refusal::say(501, phrase!("{} has no options.", printable(&verb)))),
            None => Err(Refusal::say(501, phrase!("{} is not known here.", printable(&verb)))),
        },
    }
}

/// CLNT.
pub async fn clnt(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    journal::is_client(session, argument.unwrap_or_default());
    Answer::say(200, phrase!("Noted."))
}

/// FEAT (RFC 2389 §3).
pub async fn feat(session: &mut Session, _: Option<&[u8]>) -> Outcome {
    let tls = session.shared.tls.as_ref();
    let verbs = VERBS.iter().chain(SITE).filter(|verb| !super::secure::is_hidden(tls, verb));
    let mut lines: Vec<String> = verbs.filter_map(|verb| verb.feat.map(String::from)).collect();
    lines.extend(MORE_FEATURES.iter().map(|line| line.to_string()));
    // RFC 3659 §7.8: the facts chosen now are starred; likewise the digest of HASH and the language.
    lines.extend([session.facts.feat(), session.algorithm.feat(), session.language.feat()]);
    lines.sort();
    let lines = lines.into_iter().map(Text::from).collect();
    Ok(Answer::Reply(Reply::multi(211, phrase!("Features:"), lines, phrase!("End"))))
}

/// HELP.
pub async fn help(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let Some(argument) = argument else {
        /// Names on one line: eight, of up to seven letters and a blank, stay well within a terminal.
        const PER_LINE: usize = 8;
        let names: Vec<_> = VERBS.iter().map(|verb| format!("{:<7} ", verb.name)).collect();
        let lines = names.chunks(PER_LINE).map(|line| line.concat().trim_end().to_string().into()).collect();
        let (first, last) = (phrase!("These commands are known:"), phrase!("HELP <verb> says more."));
        return Ok(Answer::Reply(Reply::multi(214, first, lines, last)));
    };
    let name = argument.to_ascii_uppercase();
    match name.strip_prefix(b"SITE") {
        Some([]) => return super::site::help(session, None).await,
        Some([b' ', word @ ..]) => return super::site::help(session, Some(word)).await,
        _ => {}
    }
    match find(&String::from_utf8_lossy(&name)) {
        Some(verb) => {
            Answer::say(214, phrase!("{}: {} ({}).", verb.usage(), Text::phrase(verb.help, Vec::new()), verb.rfc))
        }
        None => Err(Refusal::say(502, phrase!("{} is not known here.", printable(&name)))),
    }
}

/// SYST: clients take it for the form of LIST.
pub async fn syst(_: &mut Session, _: Option<&[u8]>) -> Outcome {
    Answer::say(215, "UNIX Type: L8".into())
}

/// NOOP.
pub async fn noop(_: &mut Session, _: Option<&[u8]>) -> Outcome {
    Answer::say(200, phrase!("Still here."))
}
