//! The dialogue of one session: line, answer, reply, in that order, until one side has had enough. The only place,
//! with [`super::transfer`] and [`super::work`], that speaks.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, select_biased};
use gftp_plugin::{Conn, Event, rt};

use super::answer::{Answer, Refusal};
use super::control::{Waiting, say};
use super::session::Session;
use super::wire::phrase::phrase;
use super::wire::reply::Reply;
use super::{Shared, journal, transfer, verbs, work};

/// How long a command may wait for its disk, or for whoever knows the accounts, before the session gives its place to others: a disk that
/// is woken, or a tape's robot, takes less, and one that hangs for ever would collect those who try again.
const LONGEST_ANSWER: Duration = Duration::from_secs(5 * 60);

/// Talks to one client from greeting to goodbye.
pub async fn converse(shared: Arc<Shared>, conn: &mut Conn, implicit: bool) -> io::Result<()> {
    conn.speak_telnet();
    let mut session = Session::new(shared, Arc::clone(conn.origin()), conn.conduct().clone());
    if implicit {
        Box::pin(secure(conn, &mut session, true)).await?;
    }
    let mut waiting = Waiting::default();
    // Single-line: some devices take any further line for an answer to their first command.
    say(conn, session.language, &Reply::new(220, phrase!("gftp ready.")));
    loop {
        let event = match waiting.lines.pop_front() {
            Some(line) => Event::Line(line),
            None if waiting.draining => Event::Shutdown,
            None => next(conn, &mut session).await?,
        };
        let last = match event {
            Event::Line(line) | Event::Bytes(line) => {
                // Boxed: the longest-lived part of a session is the wait above, and pays for no command's state.
                if Box::pin(obey(conn, &mut session, &mut waiting, &line)).await? {
                    break;
                }
                continue;
            }
            Event::TooLong => {
                let told = phrase!("Line too long; a path has at most 4096 bytes.");
                say(conn, session.language, &Reply::new(500, told));
                continue;
            }
            Event::Idle => phrase!("Idle for too long; closing."),
            Event::LoginTimeout => phrase!("Nobody has logged in in time; closing."),
            Event::Shutdown => phrase!("The server is shutting down; come back later."),
            Event::Closed => return Ok(()),
        };
        say(conn, session.language, &Reply::new(421, last));
        break;
    }
    conn.finish().await
}

/// What happens next; meanwhile the data connections that need no command are seen to.
async fn next(conn: &mut Conn, session: &mut Session) -> io::Result<Event> {
    while session.has_affairs() {
        // Boxed, because most sessions wait without any.
        let event = Box::pin(async {
            let (mut event, mut affairs) = (pin!(conn.next().fuse()), pin!(session.see_to_affairs().fuse()));
            select_biased! {
                event = event => Some(event),
                () = affairs => None,
            }
        });
        if let Some(event) = event.await {
            return event;
        }
    }
    conn.next_alone().await
}

/// Answers one line. True: that was the last one.
async fn obey(conn: &mut Conn, session: &mut Session, waiting: &mut Waiting, line: &[u8]) -> io::Result<bool> {
    let was_in = session.is_in();
    let Ok(answer) = within(LONGEST_ANSWER, verbs::answer(session, line)).await else {
        say(conn, session.language, &Reply::new(421, phrase!("What that is about does not answer; closing.")));
        return Ok(true);
    };
    match (was_in, session.is_in()) {
        (false, true) => conn.settled(),
        (true, false) => conn.unsettled(),
        _ => {}
    }
    // Also after REIN, which forgets what SITE IDLE said.
    conn.set_idle(session.idle);
    let takes_time = matches!(answer, Ok(Answer::Work(_) | Answer::Transfer(_)));
    if takes_time {
        session.set_doing(Some(line));
    }
    match answer {
        Ok(Answer::Reply(reply)) | Err(Refusal(reply)) => say(conn, session.language, &reply),
        Ok(Answer::Goodbye(reply)) => {
            say(conn, session.language, &reply);
            return Ok(true);
        }
        Ok(Answer::Secure(reply, protection)) => {
            say(conn, session.language, &reply);
            // What was sent ahead in plain text may be somebody else's, and is not to be taken for said in TLS.
            waiting.lines.clear();
            Box::pin(secure(conn, session, false)).await?;
            session.protection = protection;
        }
        Ok(Answer::Clear(reply)) => {
            say(conn, session.language, &reply);
            conn.unsecure().await?;
        }
        // Boxed, as the others that take time: a command that does not is a small piece of memory.
        Ok(Answer::Work(job)) => Box::pin(work::run(conn, session, waiting, job)).await,
        Ok(Answer::Transfer(transfer)) => Box::pin(transfer::run(conn, session, waiting, transfer)).await,
    }
    if takes_time {
        session.set_doing(None);
    }
    if session.failures > 0 && !session.is_in() {
        // Only who is written to is known to have left, and a guess that was sent ahead is dear to answer.
        conn.flush().await?;
    }
    Ok(false)
}

/// What comes of it, unless it takes too long.
async fn within<T>(longest: Duration, answer: impl Future<Output = T>) -> io::Result<T> {
    rt::timeout(longest, async { Ok(answer.await) }).await
}

/// Speaks TLS from now on.
async fn secure(conn: &mut Conn, session: &mut Session, implicit: bool) -> io::Result<()> {
    let Some(tls) = session.shared.tls.clone() else { return Err(io::ErrorKind::Unsupported.into()) };
    match tls.begin(conn, implicit).await {
        Ok(security) => {
            session.secured(Some(security));
            journal::secured(session);
            Ok(())
        }
        Err(e) => {
            journal::not_secured(session, &e);
            Err(e)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_answers_is_given_up() {
        let waits = within(Duration::from_millis(1), std::future::pending::<()>());
        assert_eq!(rt::block_on(waits).map_err(|e| e.kind()), Err(io::ErrorKind::TimedOut));
        assert_eq!(rt::block_on(within(LONGEST_ANSWER, async { 7 })).ok(), Some(7));
    }
}
