//! The control connection while a transfer runs: what the client says meanwhile is answered at once, makes the transfer
//! stop, or waits its turn (RFC 959 §4.1.3, §5.4). Knows the data connection only as something that can be cut off.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::{BoxFuture, Fuse};
use futures::{FutureExt, select_biased};
use gftp_plugin::{Conn, Event, Now, rt};

use super::data::pump::Cut;
use super::wire::command::Command;
use super::wire::phrase::{Language, Text, phrase};
use super::wire::reply::Reply;

/// Commands that may wait for the end of a transfer. A client that pipelines more is not read from until then.
const MOST_WAITING: usize = 64;

/// How long work is waited for once it has been told to end: its socket is cut off by then, so that only a disk can keep it. What it has is
/// then lost with it.
const AFTER_STOP: Duration = Duration::from_secs(60);

/// What is heard while a transfer runs and must be seen to when it is over.
#[derive(Default)]
pub struct Waiting {
    /// Commands, in the order they came.
    pub lines: VecDeque<Vec<u8>>,
    /// The server has begun to drain.
    pub draining: bool,
}

/// Why a transfer is being cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The client sent ABOR.
    Aborted,
    /// The control connection has ended or broken.
    ClientGone,
    /// More commands wait than are listened to: whether the client still wants this is not known.
    Unheard,
    /// The grace of a shutdown is over.
    Ending,
}

/// How far a transfer is.
#[derive(Default)]
pub struct Progress {
    /// What the log calls it: "sent", "received", "listed".
    pub done: &'static str,
    /// Bytes so far.
    pub moved: Arc<AtomicU64>,
}

/// The control connection while a transfer or another long piece of work runs.
pub struct Control<'a> {
    conn: &'a mut Conn,
    waiting: &'a mut Waiting,
    /// What the client is spoken to in.
    language: Language,
    /// Commands had been sent ahead already: answers keep their order.
    pipelined: bool,
    /// Nothing is to come of this without the client: an upload, work for a reply. A download may still be read by one
    /// that has closed its sending side.
    needs_client: bool,
    /// How far a transfer is: what was done with so many bytes.
    progress: Progress,
    /// The client has closed its sending side: there is nothing more to hear.
    deaf: bool,
    /// The 150 has been said. Whatever is said before it would be taken for it.
    under_way: bool,
    /// Why the transfer is being cut short, if it is.
    pub stop: Option<Stop>,
}

impl<'a> Control<'a> {
    /// The client is busy with this from now on.
    pub fn during(
        conn: &'a mut Conn,
        waiting: &'a mut Waiting,
        language: Language,
        needs_client: bool,
        progress: Progress,
    ) -> Self {
        conn.set_busy(true);
        Control {
            pipelined: conn.is_ahead(),
            conn,
            waiting,
            language,
            needs_client,
            progress,
            deaf: false,
            under_way: false,
            stop: None,
        }
    }

    /// Says that the bytes will flow. It leaves as soon as they have to wait for anything, or with what is said at their end.
    pub fn begin(&mut self, reply: &Reply) {
        self.say(reply);
        self.under_way = true;
    }

    /// Waits for `work` while listening to the client. A stop cuts `data` off, upon which the work ends by itself
    /// and is waited for, though not for ever; where nothing is to come of it, or there is no data connection yet, the work is dropped.
    pub async fn attend<T>(&mut self, work: impl Future<Output = T>, data: Option<&dyn Cut>) -> Option<T> {
        let shutdown = self.conn.shutdown().clone();
        let mut ending = pin!(shutdown.ending().fuse());
        let mut work = pin!(work.fuse());
        // Boxed, since most are never told to end.
        let mut is_over: Fuse<BoxFuture<'_, ()>> = Fuse::terminated();
        loop {
            let listening = !self.deaf && self.stop.is_none() && self.waiting.lines.len() < MOST_WAITING;
            let said = {
                let next = async {
                    match listening {
                        true => self.conn.next().await,
                        false => {
                            // What was said leaves also where nothing is heard any more; a failure is no news then.
                            let _ = self.conn.flush().await;
                            std::future::pending().await
                        }
                    }
                };
                let mut next = pin!(next.fuse());
                select_biased! {
                    out = work => return Some(out),
                    event = next => Some(event),
                    () = ending => None,
                    () = is_over => return None,
                }
            };
            let heard = said.map_or(Some(Stop::Ending), |event| self.hear(event));
            if self.stop.is_none() && heard.is_some() {
                self.stop = heard;
                match data {
                    // An upload must come back, and a client that aborts may wait for the end of its download.
                    Some(data) if self.needs_client || heard == Some(Stop::Aborted) => {
                        data.cut();
                        is_over = rt::sleep(AFTER_STOP).boxed().fuse();
                    }
                    _ => return None,
                }
            }
        }
    }

    /// What the client says meanwhile; a reason to stop, if it is one.
    fn hear(&mut self, event: io::Result<Event>) -> Option<Stop> {
        match event {
            Ok(Event::Line(line) | Event::Bytes(line)) => return self.hear_line(line),
            Ok(Event::TooLong) => self.say(&Reply::new(500, phrase!("Line too long."))),
            Ok(Event::Shutdown) => self.waiting.draining = true,
            // The connection is busy, so its timers stand still.
            Ok(Event::Idle | Event::LoginTimeout) => {}
            // A client that has only closed its sending side still wants its download, and one that has said goodbye
            // still wants its upload stored.
            Ok(Event::Closed) if !self.needs_client || self.has_said_goodbye() => self.deaf = true,
            Ok(Event::Closed) | Err(_) => return Some(Stop::ClientGone),
        }
        None
    }

    fn hear_line(&mut self, line: Vec<u8>) -> Option<Stop> {
        let in_order = self.under_way && self.waiting.lines.is_empty() && !self.pipelined;
        match Command::parse(&line).map(|command| (command.verb, command.argument.is_some())) {
            Ok((verb, _)) if verb.as_str() == "ABOR" => {
                // Answered in its turn, after the transfer's own reply: 426, then 226.
                self.waiting.lines.push_back(line);
                return Some(Stop::Aborted);
            }
            Ok((verb, false)) if verb.as_str() == "STAT" && in_order => {
                let (moved, done) = (self.progress.moved.load(Ordering::Relaxed), self.progress.done);
                self.say(&Reply::new(
                    211,
                    phrase!("Transfer in progress: {} bytes {}.", moved, Text::phrase(done, Vec::new())),
                ));
            }
            Ok((verb, _)) if verb.as_str() == "NOOP" && in_order => {
                self.say(&Reply::new(200, phrase!("Still here.")));
            }
            _ => self.waiting.lines.push_back(line),
        }
        None
    }

    /// Hears what the client had to say before its upload ended: an ABOR means that the end was none, and leaving
    /// without a QUIT that the client is gone, however much it said before.
    pub async fn last_words(&mut self) -> Option<Stop> {
        let mut heard_all = self.deaf;
        for _ in 0..MOST_WAITING {
            if heard_all || self.waiting.lines.len() >= MOST_WAITING {
                break;
            }
            match self.conn.next_now().await {
                Now::Event(event) => match self.hear(event) {
                    Some(stop) => return Some(stop),
                    None => heard_all = self.deaf,
                },
                // Here, and with the beginning of a line at most: what it will be is said after the upload's end.
                Now::Silence => return None,
                Now::More => {}
                Now::Nothing => heard_all = true,
            }
        }
        if self.has_said_goodbye() {
            return None;
        }
        if self.conn.has_ended() {
            return Some(Stop::ClientGone);
        }
        // There may be more than may wait, and an ABOR could be in it.
        (!heard_all && self.conn.has_more()).then_some(Stop::Unheard)
    }

    fn has_said_goodbye(&self) -> bool {
        let is_quit = |line: &Vec<u8>| Command::parse(line).is_ok_and(|command| command.verb.as_str() == "QUIT");
        self.waiting.lines.iter().any(is_quit)
    }

    /// Says how it went, and lets the session's timers run again.
    pub fn conclude(self, reply: &Reply) {
        self.conn.set_busy(false);
        say(self.conn, self.language, reply);
    }

    fn say(&mut self, reply: &Reply) {
        say(self.conn, self.language, reply);
    }
}

/// Queues a reply; it leaves before the session next waits.
pub fn say(conn: &mut Conn, language: Language, reply: &Reply) {
    reply.write(language, conn.outbox());
}
