//! One transfer: the data connection, 150, the bytes, and the reply that says how it went, while the control
//! connection stays open for ABOR, STAT, NOOP and QUIT (RFC 959 §4.1.3, §5.4).
//!
//! An upload ends in one of three ways. Whole, as far as plain FTP can tell: the data connection was closed cleanly and
//! the client is still there; then it is published. Broken: reset, aborted, stalled, control connection lost; then it
//! is kept aside for this client to resume. Refused by the store (disk full): then it is removed. The file that stood
//! under the name stands until the moment of publishing.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use gftp_plugin::rt;
use gftp_plugin::{Conn, listen};

use super::answer::{Transfer, code_of, reason};
use super::control::{Control, Progress, Stop, Waiting};
use super::data::coding::Flaw;
use super::data::handshake::Handshake;
use super::data::parting::Parting;
use super::data::pump::{self, Broken, Road, Traffic};
use super::data::sealed::Sealed;
use super::data::{Link, NoConnection};
use super::journal::Passage;
use super::session::{Mode, Session};
use super::wire::phrase::{Text, phrase};
use super::wire::reply::Reply;
use crate::store::{Upload, VirtualPath};

/// How a transfer ended.
enum End {
    Whole,
    Stopped(Stop),
    Failed(Broken),
}

/// Carries out `transfer` and says how it went.
pub async fn run(conn: &mut Conn, session: &mut Session, waiting: &mut Waiting, transfer: Box<Transfer>) {
    let (moved, mut passage) = (Arc::new(AtomicU64::new(0)), Passage::of(&transfer));
    let uploading = matches!(transfer.road, Road::Receive(..));
    let progress = Progress { done: transfer.done, moved: Arc::clone(&moved) };
    let mut control = Control::during(conn, waiting, session.language, uploading, progress);
    let mut socket = None;
    let reply = match connect(&mut control, session).await {
        Some(Ok(link)) => {
            socket = Some(Arc::clone(&link.socket));
            carry(&mut control, session, transfer, link, &moved, &mut passage.path).await
        }
        Some(Err(none)) => {
            give_up(transfer.road).await;
            Reply::new(none.code(), phrase!("{}.", none.words()))
        }
        None => {
            give_up(transfer.road).await;
            stopped(control.stop)
        }
    };
    passage.ended(session, moved.load(Ordering::Relaxed), &reply);
    control.conclude(&reply);
    if waiting.lines.is_empty() {
        // The client goes on while the data connection is closed.
        conn.flush_now();
    }
    drop(socket);
}

/// Makes the data connection; None where the client has stopped that.
async fn connect(control: &mut Control<'_>, session: &mut Session) -> Option<Result<Link, NoConnection>> {
    let plan = std::mem::take(&mut session.plan);
    // Pinned here, so that it is not moved into who attends it.
    let connecting = pin!(plan.connect(&session.origin, session.shared.data_wait, session.data_security()));
    control.attend(connecting, None).await
}

/// Moves the bytes over a data connection that stands: from the 150 to what is to be said at the end. An upload may turn
/// out to be to another `path`.
async fn carry(
    control: &mut Control<'_>,
    session: &mut Session,
    transfer: Box<Transfer>,
    link: Link,
    moved: &Arc<AtomicU64>,
    path: &mut VirtualPath,
) -> Reply {
    let Transfer { opening, unique, road, announced, .. } = *transfer;
    control.begin(&Reply::new(150, opening));
    let Link { socket, handshake } = link;
    let sealed = match handshake {
        None => None,
        // Boxed, since most have none.
        Some(handshake) => match Box::pin(secure(control, session, handshake)).await {
            Ok(sealed) => Some(sealed),
            Err(reply) => {
                give_up(road).await;
                return reply;
            }
        },
    };
    let road = match road {
        // Boxed, since few have.
        Road::Receive(upload, decoders) if upload.has_prefix() => match Box::pin(copied_ahead(control, upload)).await {
            Ok(upload) => Road::Receive(upload, decoders),
            Err(reply) => return reply,
        },
        road => road,
    };
    let is_secure = sealed.is_some();
    let traffic = Traffic {
        socket: Arc::clone(&socket),
        sealed,
        stall: session.shared.stall,
        moved: Arc::clone(moved),
        turns: Arc::clone(&session.shared.turns),
        pace: session.paced.pace(matches!(road, Road::Receive(..))).map(Arc::new),
    };
    let pumped = control.attend(Box::pin(pump::run(road, &traffic)), Some(&traffic)).await;
    let (upload, result) = pumped.unwrap_or((None, Ok(())));
    if upload.is_some() && result.is_ok() && control.stop.is_none() {
        control.stop = control.last_words().await;
    }
    let end = match (control.stop, result) {
        (Some(stop), _) => End::Stopped(stop),
        (None, Ok(())) => End::Whole,
        (None, Err(broken)) => End::Failed(broken),
    };
    if is_secure && matches!(end, End::Whole) {
        session.parting = Some(Box::new(Parting::of(Arc::clone(&socket))));
    }
    let (moved, compressed) = (moved.load(Ordering::Relaxed), session.mode == Mode::Deflate);
    let Some(upload) = upload else {
        if matches!(
            end,
            End::Failed(Broken::Store(_) | Broken::Stalled(_)) | End::Stopped(Stop::ClientGone | Stop::Ending)
        ) {
            // A cut download must not look like a whole one, nor lie in the kernel for who may never read it; a client that sent ABOR
            // knows.
            listen::reset_on_close(&socket);
        }
        return told(end, moved, compressed);
    };
    *path = upload.path().clone();
    // Here the trip is over, which may hold it for longer than anybody may wait.
    let proven = traffic.sealed.as_ref().is_some_and(|sealed| sealed.lock().is_ok_and(|sealed| sealed.has_ended()));
    let receipt = Receipt { unique, moved, compressed, announced, durable: session.shared.durable, proven };
    settle(upload, end, receipt, path).await
}

/// Has an upload copy what it goes on behind, which may take as long as the file that stands is large: before what the client sends is read,
/// and with an ear for what it says.
async fn copied_ahead(control: &mut Control<'_>, mut upload: Box<Upload>) -> Result<Box<Upload>, Reply> {
    while upload.has_prefix() {
        let copying = rt::unblock(move || {
            let copied = upload.copy_on();
            (upload, copied)
        });
        let copied;
        (upload, copied) = match control.attend(pin!(copying), None).await {
            Some(done) => done,
            // What was copied is of no use, and goes with the piece that is being copied.
            None => return Err(stopped(control.stop)),
        };
        if let Err(e) = copied {
            rt::unblock(move || drop(upload)).await;
            return Err(told(End::Failed(Broken::Store(e)), 0, false));
        }
    }
    Ok(upload)
}

/// Brings TLS about on a data connection, which the client may only now begin, and makes sure that it is this session's.
async fn secure(
    control: &mut Control<'_>,
    session: &mut Session,
    mut handshake: Box<Handshake>,
) -> Result<Arc<Mutex<Sealed>>, Reply> {
    let (socket, wait) = (Arc::clone(handshake.socket()), session.shared.data_wait);
    let shaken = control.attend(Box::pin(rt::timeout(wait, handshake.go_on())), Some(&*socket)).await;
    match shaken {
        _ if control.stop.is_some() => return Err(stopped(control.stop)),
        None | Some(Ok(())) => {}
        Some(Err(e)) if e.kind() == io::ErrorKind::TimedOut => {
            let wait = humantime::format_duration(wait).to_string();
            return Err(Reply::new(522, phrase!("TLS did not begin on the data connection within {}.", wait)));
        }
        Some(Err(e)) => {
            return Err(Reply::new(522, phrase!("TLS on the data connection failed: {}.", Text::shown(e))));
        }
    }
    session.recognise(handshake.tunnel()).map_err(|told| Reply::new(522, told))?;
    let lenient = session.shared.tls.as_ref().is_some_and(|tls| tls.policy.lenient);
    Ok(Arc::new(Mutex::new(handshake.finish(lenient))))
}

/// What the reply to an upload tells of it.
struct Receipt {
    /// The server chose the name.
    unique: bool,
    /// Bytes that came.
    moved: u64,
    /// They were compressed, so the file has others.
    compressed: bool,
    /// Bytes that ALLO spoke of.
    announced: Option<u64>,
    /// TLS has said that this is all.
    proven: bool,
    /// The disk must have it before it is said to be stored.
    durable: bool,
}

/// Ends a transfer that never began: an upload that went on with a kept one goes back to where it was.
async fn give_up(road: Road) {
    rt::unblock(move || match road {
        Road::Receive(upload, _) => drop(upload.keep()),
        other => drop(other),
    })
    .await;
}

/// Publishes, keeps or removes an upload, and says which.
async fn settle(upload: Box<Upload>, end: End, receipt: Receipt, path: &mut VirtualPath) -> Reply {
    let Receipt { unique, moved, compressed, announced, durable, proven } = receipt;
    match end {
        End::Whole => {
            match rt::unblock(move || if durable { upload.publish_durably() } else { upload.publish() }).await {
                Ok(published) => {
                    if let Some(replaced) = published.replaced {
                        // The reply does not wait for that.
                        drop(rt::spawn(rt::unblock(move || drop(replaced))));
                    }
                    *path = published.path;
                    let stored = match unique {
                        true => phrase!("Stored {} bytes as {}", moved, published.name),
                        false => phrase!("Stored {} bytes", moved),
                    };
                    let stored = match compressed {
                        true => phrase!("{} of compressed data (the file has {})", stored, published.size),
                        false => stored,
                    };
                    let stored = match proven {
                        true => phrase!("{}, to the end that TLS proves", stored),
                        false => stored,
                    };
                    Reply::new(
                        226,
                        match announced {
                            None => phrase!("{}.", stored),
                            Some(size) if size == published.size => phrase!("{}, the size that was announced.", stored),
                            // ALLO asks for room and need not be exact, so this is no proof of a cut upload.
                            Some(_) => phrase!("{}, not the size that was announced.", stored),
                        },
                    )
                }
                Err(e) => Reply::new(code_of(&e), phrase!("Not stored: {}.", reason(&e))),
            }
        }
        End::Stopped(_)
        | End::Failed(Broken::Connection(_) | Broken::Unproven | Broken::Stalled(_) | Broken::Coding(Flaw::Cut)) => {
            let kept = rt::unblock(move || upload.keep()).await;
            // What is kept goes when the server goes.
            let kept = kept && !matches!(end, End::Stopped(Stop::Ending));
            let reply = told(end, moved, compressed);
            if kept { Reply::new(reply.code(), and_kept(reply.text().clone())) } else { reply }
        }
        End::Failed(Broken::Store(_) | Broken::Coding(Flaw::Corrupt | Flaw::Bomb)) => {
            rt::unblock(move || drop(upload)).await;
            told(end, moved, compressed)
        }
    }
}

fn and_kept(text: Text) -> Text {
    phrase!("{} What came is kept aside for an hour: resume with REST and STOR, or with APPE.", text)
}

/// The reply to a transfer that left nothing to settle.
fn told(end: End, moved: u64, compressed: bool) -> Reply {
    match end {
        End::Whole if compressed => Reply::new(226, phrase!("Sent {} bytes of compressed data.", moved)),
        End::Whole => Reply::new(226, phrase!("Sent {} bytes.", moved)),
        End::Stopped(stop) => stopped(Some(stop)),
        End::Failed(Broken::Connection(e)) => {
            Reply::new(426, phrase!("The data connection broke: {}.", Text::shown(e)))
        }
        End::Failed(Broken::Unproven) => {
            Reply::new(426, phrase!("The data ended without TLS saying so (close_notify): something may be missing."))
        }
        End::Failed(Broken::Stalled(time)) => {
            let time = humantime::format_duration(time).to_string();
            Reply::new(426, phrase!("Nothing moved for {}; given up.", time))
        }
        End::Failed(Broken::Coding(Flaw::Cut)) => {
            Reply::new(426, phrase!("The data ended before their compression did: something is missing."))
        }
        End::Failed(Broken::Coding(Flaw::Corrupt)) => {
            Reply::new(426, phrase!("What came is not what MODE Z sends (one zlib stream); nothing is stored."))
        }
        End::Failed(Broken::Coding(Flaw::Bomb)) => {
            Reply::new(552, phrase!("That little grows to that much only where it is meant to; send it in MODE S."))
        }
        End::Failed(Broken::Store(e)) => Reply::new(code_of(&e), phrase!("Transfer failed: {}.", reason(&e))),
    }
}

pub fn stopped(stop: Option<Stop>) -> Reply {
    match stop {
        Some(Stop::Ending) => Reply::new(426, phrase!("The server is shutting down; transfer given up.")),
        Some(Stop::ClientGone) => Reply::new(426, phrase!("The control connection is gone; transfer given up.")),
        Some(Stop::Unheard) => {
            Reply::new(426, phrase!("Too many commands were sent ahead; the upload is not taken for whole."))
        }
        Some(Stop::Aborted) | None => Reply::new(426, phrase!("Transfer aborted.")),
    }
}
