//! Who is there: USER, PASS, ACCT, REIN, QUIT (RFC 959 §4.1.1).

use super::super::answer::{Answer, Outcome, Refusal};
use super::super::journal;
use super::super::session::{Session, Who};
use super::super::wire::phrase::phrase;
use super::super::wire::reply::Reply;
use crate::accounts::Password;
use crate::store::VirtualPath;

/// Wrong passwords that one connection may offer: enough for a person who mistypes, few for a program that guesses.
const MOST_FAILURES: u32 = 5;

/// USER: a new name, also in the middle of a session, forgets whoever was logged in; transfer parameters stay.
pub async fn user(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let name = argument.unwrap_or_default();
    session.directory = VirtualPath::root();
    session.seat = None;
    session.who = Who::Named(name.to_vec());
    if session.is_anonymous() {
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
    let anonymous = session.shared.accounts.anonymous().filter(|_| session.is_anonymous());
    let rights = match anonymous {
        Some(rights) => Some(rights),
        None => session.shared.accounts.check(&name, Password::new(argument.unwrap_or_default())).await,
    };
    if let Some(rights) = rights {
        session.let_in(name, rights);
        journal::logged_in(session);
        return Answer::say(230, phrase!("Logged in."));
    }
    session.failures += 1;
    let failures = session.failures;
    journal::failed_to_log_in(session, failures, MOST_FAILURES);
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
