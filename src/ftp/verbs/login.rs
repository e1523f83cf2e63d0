//! Who is there: USER, PASS, ACCT, REIN, QUIT (RFC 959 §4.1.1).

use super::super::answer::{Answer, Outcome, Refusal};
use super::super::session::{Session, Who};
use super::super::wire::phrase::phrase;
use super::super::wire::reply::Reply;
use crate::accounts::Password;
use crate::store::VirtualPath;

/// Wrong passwords that one connection may offer: enough for a person who mistypes, few for a program that guesses.
const MOST_FAILURES: u32 = 5;
/// The names under which visitors without an account come (RFC 1635).
const ANONYMOUS_NAMES: [&[u8]; 2] = [b"anonymous", b"ftp"];

fn is_anonymous(name: &[u8]) -> bool {
    ANONYMOUS_NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// USER: a new name, also in the middle of a session, forgets whoever was logged in; transfer parameters stay.
pub async fn user(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let name = argument.unwrap_or_default();
    session.directory = VirtualPath::root();
    session.who = Who::Named(name.to_vec());
    if is_anonymous(name) && session.shared.accounts.anonymous().is_some() {
        return Answer::say(331, phrase!("Anonymous visitor: any password will do."));
    }
    // The same for names that exist and names that do not.
    Answer::say(331, phrase!("Password, please."))
}

/// PASS: the only place where a session becomes somebody.
pub async fn pass(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let name = match &session.who {
        Who::Named(name) => name.clone(),
        Who::Stranger => return Err(Refusal::say(503, phrase!("Send USER first."))),
        Who::In(..) => return Err(Refusal::say(503, phrase!("You are logged in already; USER begins again."))),
    };
    let anonymous = session.shared.accounts.anonymous().filter(|_| is_anonymous(&name));
    let rights = match anonymous {
        Some(rights) => Some(rights),
        None => session.shared.accounts.check(&name, Password::new(argument.unwrap_or_default())).await,
    };
    let (id, from) = (session.origin.id, session.origin.peer);
    if let Some(rights) = rights {
        session.let_in(name, rights);
        log::info!("session {id}: {} from {from} logged in", session.name());
        return Answer::say(230, phrase!("Logged in."));
    }
    session.failures += 1;
    let failures = session.failures;
    log::warn!("session {id}: {} from {from} failed to log in ({failures} of {MOST_FAILURES})", session.name());
    session.who = Who::Stranger;
    if failures >= MOST_FAILURES {
        return Ok(Answer::Goodbye(Reply::new(421, phrase!("Too many wrong passwords; closing."))));
    }
    Err(Refusal::say(530, phrase!("Login incorrect.")))
}

/// ACCT: no command here needs an account (RFC 959 §4.1.1 has 202 for that).
pub async fn acct(_: &mut Session, _: Option<&[u8]>) -> Outcome {
    Answer::say(202, phrase!("No account is needed here."))
}

/// REIN.
pub async fn rein(session: &mut Session, _: Option<&[u8]>) -> Outcome {
    session.reset();
    Answer::say(220, phrase!("Ready for a new user."))
}

/// QUIT.
pub async fn quit(_: &mut Session, _: Option<&[u8]>) -> Outcome {
    Ok(Answer::Goodbye(Reply::new(221, phrase!("Goodbye."))))
}
