//! A line becomes an answer: it is looked up in the one [`table`], which says whether the verb may be used now and with
//! what argument, and its handler is called. Nothing here touches a socket.

mod browse;
mod certificate;
mod change;
mod digest;
mod facts;
mod introduce;
mod lines;
mod login;
mod mdtm;
mod room;
mod secure;
mod settings;
mod site;
pub mod table;
mod transfer;
mod tree;

use super::answer::{Answer, Outcome, Refusal};
use super::journal;
use super::session::Session;
use super::wire::command::{Command, Malformed};
use super::wire::phrase::phrase;
use super::wire::range::Part;
use super::wire::reply::Reply;
use table::{Argument, Verb, When};

/// What `line` comes to.
pub async fn answer(session: &mut Session, line: &[u8]) -> Outcome {
    if let Some(why) = session.ended() {
        journal::dismissed(session, &why);
        return Ok(Answer::Goodbye(Reply::new(421, phrase!("Your account has ended or changed; closing."))));
    }
    let Command { verb: name, argument } = Command::parse(line).map_err(|malformed| match malformed {
        Malformed::Empty => Refusal::say(500, phrase!("Empty line; send a command, or HELP for a list.")),
        Malformed::BadVerb => {
            session.note_unknown();
            Refusal::say(500, phrase!("That is no FTP command; send HELP for a list."))
        }
    })?;
    let Some(verb) = table::find(name.as_str()) else {
        session.note_unknown();
        return Err(Refusal::say(500, phrase!("{} is not known here; send HELP for a list.", name.to_string())));
    };
    log::debug!("session {}: {}", session.origin.id, verb.for_log(argument));

    // RNFR, SITE CPFR, REST and RANG announce the very next command (RFC 959 §4.1.3), but for what prepares its data
    // connection.
    let (renaming, copying) = (session.renaming.take(), session.copying.take());
    let (restart, part) = (std::mem::take(&mut session.restart), session.part.take());
    let (verb, argument) = behind_site(verb, argument);
    let outcome = match why_not(session, verb, argument, part) {
        Some(refusal) => Err(refusal),
        None => {
            session.renaming = renaming.filter(|_| verb.name == "RNTO");
            session.copying = copying.filter(|_| verb.name == "SITE CPTO");
            session.restart = if verb.takes_restart { restart } else { 0 };
            session.part = part.filter(|_| verb.takes_restart);
            (verb.run)(session, argument).await
        }
    };
    if let (true, Err(Refusal(reply))) = (verb.logged, &outcome) {
        // Nobody could help a user who "cannot upload" if the log had nothing of it.
        journal::refused(session, verb.name, argument, reply);
    }
    outcome
}

/// SITE's own table says what its argument means; what is not in it stays SITE's.
fn behind_site<'a>(verb: &'static Verb, argument: Option<&'a [u8]>) -> (&'static Verb, Option<&'a [u8]>) {
    let Some(argument) = argument.filter(|_| verb.name == "SITE") else { return (verb, argument) };
    let (word, rest) = first_word(argument);
    match table::find_site(word) {
        Some(command) => (command, (!rest.is_empty()).then_some(rest)),
        None => (verb, Some(argument)),
    }
}

/// Why a verb may not be used now, whatever it would do.
fn why_not(session: &Session, verb: &Verb, argument: Option<&[u8]>, part: Option<Part>) -> Option<Refusal> {
    refused(session, verb, argument)
        .or_else(|| secure::data_refused(session, verb))
        .or_else(|| cannot_take_part(verb, part))
}

/// Why a verb may not be used now, or not so.
fn refused(session: &Session, verb: &Verb, argument: Option<&[u8]>) -> Option<Refusal> {
    match (verb.argument, argument) {
        _ if verb.when == When::LoggedIn && !session.is_in() => {
            Some(Refusal::say(530, phrase!("Log in with USER and PASS first.")))
        }
        (Argument::Required(_), None) => Some(Refusal::say(501, phrase!("Use: {}.", verb.usage()))),
        (Argument::None, Some(_)) => Some(Refusal::say(501, phrase!("{} takes no argument.", verb.name))),
        _ => None,
    }
}

/// What was announced as a part must not be stored over the whole.
fn cannot_take_part(verb: &Verb, part: Option<Part>) -> Option<Refusal> {
    let uploads = matches!(verb.name, "STOR" | "STOU" | "APPE");
    (uploads && part.is_some())
        .then(|| Refusal::say(504, phrase!("RANG is for RETR and HASH; resume an upload with REST and STOR.")))
}

/// The first word, and what is behind the one space after it.
fn first_word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|&byte| byte == b' ') {
        Some(space) => (&text[..space], &text[space + 1..]),
        None => (text, &[]),
    }
}
