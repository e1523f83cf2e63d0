//! Work that a reply has to wait for: the client may abort it or leave meanwhile, and what it says else waits its turn.
//! Knows neither what is worked at nor the data connection.

use std::io;
use std::time::Duration;

use gftp_plugin::{Conn, rt};

use super::answer::{Refusal, Work};
use super::control::{Control, Progress, Waiting};
use super::session::Session;
use super::transfer::stopped;
use super::wire::phrase::phrase;
use super::wire::reply::Reply;

/// No client waits longer for an answer: whatever lies between forgets a connection that is silent for so long.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Works, and says what came of it.
pub async fn run(conn: &mut Conn, session: &Session, waiting: &mut Waiting, work: Work) {
    // A reply is wanted by whoever is there to hear it.
    let mut control = Control::during(conn, waiting, session.language, true, Progress::default());
    let reply = match control.attend(within(LONGEST, work), None).await {
        Some(reply) => reply,
        None => stopped(control.stop),
    };
    control.conclude(&reply);
}

/// What came of the work, or that it took too long.
async fn within(longest: Duration, work: Work) -> Reply {
    match rt::timeout(longest, async { io::Result::Ok(work.await) }).await {
        Ok(Ok(reply) | Err(Refusal(reply))) => reply,
        Err(_) => Reply::new(451, phrase!("That takes more than an hour; given up.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_without_an_end_is_given_up() {
        let reply = rt::block_on(within(Duration::from_millis(1), Box::pin(std::future::pending())));
        assert_eq!(reply.code(), 451);
    }
}
