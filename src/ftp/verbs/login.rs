//! Who is there: USER, PASS, ACCT, REIN, QUIT (RFC 959 §4.1.1).

use std::time::Duration;

use gftp_plugin::{Guess, Offence, Origin, rt};

use super::super::answer::{Answer, Outcome, Refusal, reason};
use super::super::journal;
use super::super::session::{Session, Who};
use super::super::wire::phrase::phrase;
use super::super::wire::reply::Reply;
use super::certificate;
use super::secure::login_refused;
use crate::accounts::{Caller, Password, Verdict, Visitor};
use crate::store::VirtualPath;

/// Wrong passwords that one connection may offer: enough for a person who mistypes, few for a program that guesses.
const MOST_FAILURES: u32 = 5;
/// How long the first wrong password is not answered; each further one waits twice as long. One who mistypes does not
/// notice it, five guesses take a second and a half, and a program that guesses has to hold its connection as long.
const FIRST_DELAY: Duration = Duration::from_millis(50);

/// USER: a new name, also in the middle of a session, forgets whoever was logged in; transfer parameters stay.
pub async fn user(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    if let Some(refusal) = login_refused(session) {
        return Err(refusal);
    }
    let name = argument.unwrap_or_default();
    session.directory = VirtualPath::root();
    session.seat = None;
    session.who = Who::Named(name.to_vec());
    if session.is_anonymous() {
        return Answer::say(331, phrase!("Anonymous visitor: any password will do."));
    }
    if certificate::is_enough(session, name)
        && let Some(verdict) = session.shared.accounts.vouch(name, &caller(session))
    {
        let told = Reply::new(232, phrase!("Logged in by your certificate."));
        // Boxed: hardly any name is let in without a word more.
        return Box::pin(settle(session, name.to_vec(), verdict, told)).await;
    }
    // The same for names that exist and names that do not.
    Answer::say(331, phrase!("Password, please."))
}

/// PASS.
pub async fn pass(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    if let Some(refusal) = login_refused(session) {
        return Err(refusal);
    }
    let name = match &session.who {
        Who::Named(name) => name.clone(),
        Who::Stranger => return Err(Refusal::say(503, phrase!("Send USER first."))),
        Who::In(..) => return Err(Refusal::say(503, phrase!("You are logged in already; USER begins again."))),
    };
    let password = argument.unwrap_or_default();
    let (guess, password) = (Guess::of(&name, password), Password::new(password));
    if certificate::is_missing(session, &name) {
        return fail(session, guess, Some("the client has no certificate of this name")).await;
    }
    match session.shared.accounts.admit(&name, password, &caller(session)).await {
        Verdict::Wrong(why) => fail(session, guess, why.as_deref()).await,
        verdict => settle(session, name, verdict, Reply::new(230, phrase!("Logged in."))).await,
    }
}

fn caller(session: &Session) -> Caller {
    let Origin { peer, local, .. } = *session.origin;
    Caller { peer, local, service: "ftp", tls: session.is_secure() }
}

/// What a login has come to: the only place where a session becomes somebody, who is told so by `welcome`.
async fn settle(session: &mut Session, name: Vec<u8>, verdict: Verdict, welcome: Reply) -> Outcome {
    match verdict {
        Verdict::In(visitor) => enter(session, name, visitor, welcome).await,
        Verdict::Wrong(_) => Err(incorrect()),
        Verdict::Full(most) => {
            journal::turned_away(session, &format!("{most} sessions already"));
            let told = phrase!("This account has {} sessions open already, the most allowed.", most);
            Ok(Answer::Goodbye(Reply::new(421, told)))
        }
        Verdict::Failed => {
            journal::turned_away(session, "nobody could say whether the password is right");
            let told = phrase!("Logins cannot be looked at just now; come back in a moment.");
            Ok(Answer::Goodbye(Reply::new(421, told)))
        }
        Verdict::Busy => {
            journal::turned_away(session, "too many logins at once");
            let told = phrase!("Too many logins are being looked at; come back in a moment.");
            Ok(Answer::Goodbye(Reply::new(421, told)))
        }
    }
}

/// Lets the visitor into his home.
async fn enter(session: &mut Session, name: Vec<u8>, visitor: Visitor, welcome: Reply) -> Outcome {
    let home = visitor.home.clone();
    if let Err(e) = session.let_in(name, visitor).await {
        journal::homeless(session, &home, &e);
        session.who = Who::Stranger;
        let told = phrase!("Your home folder cannot be opened: {}. Please tell the administrator.", reason(&e));
        return Err(Refusal::say(530, told));
    }
    journal::logged_in(session, &home);
    if !session.is_anonymous() {
        session.conduct.logged_in(session.user());
    }
    Ok(Answer::Reply(welcome))
}

/// The name or the password was wrong: that is answered late, and not often.
async fn fail(session: &mut Session, guess: Guess, why: Option<&str>) -> Outcome {
    session.failures += 1;
    let failures = session.failures;
    journal::failed_to_log_in(session, failures, MOST_FAILURES, why);
    session.conduct.offence(Offence::WrongPassword(guess));
    session.who = Who::Stranger;
    // A client that leaves meanwhile is noticed right after it; nothing but its connection is held until then.
    rt::sleep(FIRST_DELAY * 2_u32.pow(failures.min(MOST_FAILURES) - 1)).await;
    if failures >= MOST_FAILURES {
        return Ok(Answer::Goodbye(Reply::new(421, phrase!("Too many wrong passwords; closing."))));
    }
    Err(incorrect())
}

fn incorrect() -> Refusal {
    Refusal::say(530, phrase!("Login incorrect."))
}

/// ACCT: no command here needs an account (RFC 959 §4.1.1 has 202 for that).
pub async fn acct(_: &mut Session, _: Option<&[u8]>) -> Outcome {
    Answer::say(202, phrase!("No account is needed here."))
}

/// REIN. TLS ends with it, where it did not come first (RFC 4217 §11), and is forgotten where it has ended already (CCC).
pub async fn rein(session: &mut Session, _: Option<&[u8]>) -> Outcome {
    let ends_tls = session.is_secure() && !session.is_implicit();
    session.reset();
    if !session.is_implicit() {
        session.secured(None);
    }
    let reply = Reply::new(220, phrase!("Ready for a new user."));
    Ok(if ends_tls { Answer::Clear(reply) } else { Answer::Reply(reply) })
}

/// QUIT.
pub async fn quit(_: &mut Session, _: Option<&[u8]>) -> Outcome {
    Ok(Answer::Goodbye(Reply::new(221, phrase!("Goodbye."))))
}
