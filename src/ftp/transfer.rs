//! One transfer: the data connection, 150, the bytes, and the reply that says how it went, while the control
//! connection stays open for ABOR, STAT, NOOP and QUIT (RFC 959 §4.1.3, §5.4).
//!
//! An upload ends in one of three ways. Whole, as far as plain FTP can tell: the data connection was closed cleanly and
//! the client is still there; then it is published. Broken: reset, aborted, stalled, control connection lost; then it
//! is kept aside for this client to resume. Refused by the store (disk full): then it is removed. The file that stood
//! under the name stands until the moment of publishing.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use futures::{FutureExt, select_biased};
use gftp_plugin::rt::{self, Socket};
use gftp_plugin::{Conn, Event, listen};

use super::answer::{Transfer, code_of};
use super::data::pump::{self, Broken, Road, Traffic};
use super::session::Session;
use super::wire::command::Command;
use super::wire::printable::printable;
use super::wire::reply::Reply;
use crate::store::Upload;

/// Commands that may wait for the end of a transfer. A client that pipelines more is not read from until then.
const MOST_WAITING: usize = 64;

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
enum Stop {
    /// The client sent ABOR.
    Aborted,
    /// The control connection has ended or broken.
    ClientGone,
    /// More commands wait than are listened to: whether the client still wants this is not known.
    Unheard,
    /// The grace of a shutdown is over.
    Ending,
}

/// How a transfer ended.
enum End {
    Whole,
    Stopped(Stop),
    Failed(Broken),
}

/// Carries out `transfer` and says how it went.
pub async fn run(conn: &mut Conn, session: &mut Session, waiting: &mut Waiting, transfer: Transfer) -> io::Result<()> {
    conn.set_busy(true);
    let pipelined = conn.has_line();
    let moved = Arc::new(AtomicU64::new(0));
    let Transfer { done, path, opening, unique, road, announced } = transfer;
    let uploading = matches!(road, Road::Receive(_) | Road::ReceiveText(..));
    let name = printable(&path.absolute()).to_string();
    let mut control = Control {
        conn,
        waiting,
        pipelined,
        uploading,
        moved: Arc::clone(&moved),
        done,
        deaf: false,
        under_way: false,
        stop: None,
    };

    let connecting = std::mem::take(&mut session.plan).connect(&session.origin, session.shared.data_wait);
    let socket = match control.attend(connecting, None).await {
        Some(Ok(socket)) => Arc::new(socket),
        other => {
            give_up(road).await;
            let reply = match other {
                Some(Err(none)) => Reply::new(425, format!("{none}.")),
                _ => stopped(control.stop),
            };
            note(session, done, &name, 0, Instant::now(), &reply);
            return control.conclude(reply);
        }
    };
    say(control.conn, &Reply::new(150, opening));
    if let Err(e) = control.conn.flush().await {
        give_up(road).await;
        return Err(e);
    }
    control.under_way = true;

    let began = Instant::now();
    let traffic = Traffic { socket: Arc::clone(&socket), stall: session.shared.stall, moved: Arc::clone(&moved) };
    let (upload, result) = match control.attend(Box::pin(pump::run(road, &traffic)), Some(&socket)).await {
        Some(outcome) => outcome,
        None => (None, Ok(())),
    };
    if uploading && control.stop.is_none() && result.is_ok() {
        control.stop = control.last_words().await;
    }
    let end = match (control.stop, result) {
        (Some(stop), _) => End::Stopped(stop),
        (None, Ok(())) => End::Whole,
        (None, Err(broken)) => End::Failed(broken),
    };
    if !uploading && matches!(end, End::Failed(Broken::Store(_)) | End::Stopped(Stop::ClientGone | Stop::Ending)) {
        // A cut download must not look like a whole one; a client that sent ABOR knows.
        listen::reset_on_close(&socket);
    }
    drop((traffic, socket));

    let moved = moved.load(Ordering::Relaxed);
    let reply = match upload {
        Some(upload) => {
            settle(upload, end, Receipt { unique, moved, announced, durable: session.shared.durable }).await
        }
        None => told(end, moved),
    };
    note(session, done, &name, moved, began, &reply);
    control.conclude(reply)
}

/// The transfer's line in the log.
fn note(session: &Session, done: &str, name: &str, moved: u64, began: Instant, reply: &Reply) {
    let (id, seconds) = (session.origin.id, began.elapsed().as_secs_f64());
    let (who, from, code, text) = (session.name(), session.origin.peer, reply.code(), printable(reply.text()));
    log::info!("session {id}: {who} from {from} {done} {name}: {moved} bytes in {seconds:.3} s: {code} {text}");
}

/// What the reply to an upload tells of it.
struct Receipt {
    /// The server chose the name.
    unique: bool,
    /// Bytes that came.
    moved: u64,
    /// Bytes that ALLO spoke of.
    announced: Option<u64>,
    /// The disk must have it before it is said to be stored.
    durable: bool,
}

/// Ends a transfer that never began: an upload that went on with a kept one goes back to where it was.
async fn give_up(road: Road) {
    rt::unblock(move || match road {
        Road::Receive(upload) | Road::ReceiveText(upload, _) => drop(upload.keep()),
        other => drop(other),
    })
    .await;
}

/// Publishes, keeps or removes an upload, and says which.
async fn settle(upload: Upload, end: End, receipt: Receipt) -> Reply {
    let Receipt { unique, moved, announced, durable } = receipt;
    const KEPT: &[u8] = b" What came is kept aside for an hour: resume with REST and STOR, or with APPE.";
    match end {
        End::Whole => {
            match rt::unblock(move || if durable { upload.publish_durably() } else { upload.publish() }).await {
                Ok(published) => {
                    let mut text = format!("Stored {moved} bytes").into_bytes();
                    if unique {
                        text.extend_from_slice(&[b" as ", published.name.as_slice()].concat());
                    }
                    text.extend_from_slice(match announced {
                        None => b".",
                        Some(size) if size == published.size => b", the size that was announced.",
                        // ALLO asks for room and need not be exact, so this is no proof of a cut upload.
                        Some(_) => b", not the size that was announced.",
                    });
                    Reply::new(226, text)
                }
                Err(e) => Reply::new(code_of(&e), format!("Not stored: {e}.")),
            }
        }
        End::Stopped(_) | End::Failed(Broken::Connection(_) | Broken::Stalled(_)) => {
            let kept = rt::unblock(move || upload.keep()).await;
            // What is kept goes when the server goes.
            let kept = kept && !matches!(end, End::Stopped(Stop::Ending));
            let reply = told(end, moved);
            if kept { Reply::new(reply.code(), [reply.text(), KEPT].concat()) } else { reply }
        }
        End::Failed(Broken::Store(_)) => {
            rt::unblock(move || drop(upload)).await;
            told(end, moved)
        }
    }
}

/// The reply to a transfer that left nothing to settle.
fn told(end: End, moved: u64) -> Reply {
    match end {
        End::Whole => Reply::new(226, format!("Sent {moved} bytes.")),
        End::Stopped(stop) => stopped(Some(stop)),
        End::Failed(Broken::Connection(e)) => Reply::new(426, format!("The data connection broke: {e}.")),
        End::Failed(Broken::Stalled(time)) => {
            Reply::new(426, format!("Nothing moved for {}; given up.", humantime::format_duration(time)))
        }
        End::Failed(Broken::Store(e)) => Reply::new(code_of(&e), format!("Transfer failed: {e}.")),
    }
}

fn stopped(stop: Option<Stop>) -> Reply {
    match stop {
        Some(Stop::Ending) => Reply::new(426, "The server is shutting down; transfer given up."),
        Some(Stop::ClientGone) => Reply::new(426, "The control connection is gone; transfer given up."),
        Some(Stop::Unheard) => Reply::new(426, "Too many commands were sent ahead; the upload is not taken for whole."),
        Some(Stop::Aborted) | None => Reply::new(426, "Transfer aborted."),
    }
}

/// The control connection while a transfer runs.
struct Control<'a> {
    conn: &'a mut Conn,
    waiting: &'a mut Waiting,
    /// Commands had been sent ahead already: answers keep their order.
    pipelined: bool,
    uploading: bool,
    moved: Arc<AtomicU64>,
    done: &'static str,
    /// The client has closed its sending side: there is nothing more to hear.
    deaf: bool,
    /// The 150 has been said. Whatever is said before it would be taken for it.
    under_way: bool,
    stop: Option<Stop>,
}

impl Control<'_> {
    /// Waits for `work` while listening to the client. A stop shuts `data` down, upon which the work ends by itself
    /// and is waited for; where nothing is to come of it, or there is no data connection yet, the work is dropped.
    async fn attend<T>(&mut self, work: impl Future<Output = T>, data: Option<&Socket>) -> Option<T> {
        let shutdown = self.conn.shutdown().clone();
        let mut ending = pin!(shutdown.ending().fuse());
        let mut work = pin!(work.fuse());
        loop {
            let listening = !self.deaf && self.stop.is_none() && self.waiting.lines.len() < MOST_WAITING;
            let said = {
                let next = async {
                    match listening {
                        true => self.conn.next().await,
                        false => std::future::pending().await,
                    }
                };
                let mut next = pin!(next.fuse());
                select_biased! {
                    out = work => return Some(out),
                    event = next => Some(event),
                    () = ending => None,
                }
            };
            let heard = said.map_or(Some(Stop::Ending), |event| self.hear(event));
            if self.stop.is_none() && heard.is_some() {
                self.stop = heard;
                match data {
                    // An upload must come back, and a client that aborts may wait for the end of its download.
                    Some(socket) if self.uploading || heard == Some(Stop::Aborted) => {
                        drop(socket.get_ref().shutdown(std::net::Shutdown::Both));
                    }
                    _ => return None,
                }
            }
        }
    }

    /// What the client says meanwhile; a reason to stop, if it is one.
    fn hear(&mut self, event: io::Result<Event>) -> Option<Stop> {
        match event {
            Ok(Event::Line(line)) => return self.hear_line(line),
            Ok(Event::TooLong) => say(self.conn, &Reply::new(500, "Line too long.")),
            Ok(Event::Shutdown) => self.waiting.draining = true,
            // The connection is busy, so its timers stand still.
            Ok(Event::Idle | Event::LoginTimeout) => {}
            // A client that has only closed its sending side still wants its download, and one that has said goodbye
            // still wants its upload stored.
            Ok(Event::Closed) if !self.uploading || self.has_said_goodbye() => self.deaf = true,
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
                let (moved, done) = (self.moved.load(Ordering::Relaxed), self.done);
                say(self.conn, &Reply::new(211, format!("Transfer in progress: {moved} bytes {done}.")));
            }
            Ok((verb, _)) if verb.as_str() == "NOOP" && in_order => say(self.conn, &Reply::new(200, "Still here.")),
            _ => self.waiting.lines.push_back(line),
        }
        None
    }

    /// Hears what the client had to say before its upload ended: an ABOR means that the end was none, and leaving
    /// without a QUIT that the client is gone, however much it said before.
    async fn last_words(&mut self) -> Option<Stop> {
        for _ in 0..MOST_WAITING {
            if self.deaf || self.waiting.lines.len() >= MOST_WAITING {
                break;
            }
            let Some(event) = self.conn.next_now().await else { break };
            if let Some(stop) = self.hear(event) {
                return Some(stop);
            }
        }
        if self.has_said_goodbye() {
            return None;
        }
        match (self.conn.has_ended(), !self.deaf && self.conn.has_more()) {
            (true, _) => Some(Stop::ClientGone),
            // There is more than may wait, and an ABOR could be in it.
            (false, true) => Some(Stop::Unheard),
            (false, false) => None,
        }
    }

    fn has_said_goodbye(&self) -> bool {
        let is_quit = |line: &Vec<u8>| Command::parse(line).is_ok_and(|command| command.verb.as_str() == "QUIT");
        self.waiting.lines.iter().any(is_quit)
    }

    /// Says how it went, and lets the session's timers run again.
    fn conclude(self, reply: Reply) -> io::Result<()> {
        self.conn.set_busy(false);
        say(self.conn, &reply);
        Ok(())
    }
}

/// Queues a reply; it leaves before the session next waits.
pub fn say(conn: &mut Conn, reply: &Reply) {
    reply.write(conn.outbox());
}
