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
    let limited = rt::timeout(LONGEST, async { io::Result::Ok(work.await) });
    let reply = match control.attend(limited, None).await {
        Some(Ok(Ok(reply) | Err(Refusal(reply)))) => reply,
        Some(Err(_)) => Reply::new(451, phrase!("That takes more than an hour; given up.")),
        None => stopped(control.stop),
    };
    control.conclude(&reply);
}
