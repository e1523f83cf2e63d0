//! One client of a clock: what it is sent, and what it may do meanwhile. Knows no time.
//!
//! A client of a clock listens. What it says is read and forgotten, so that it is not held up; that it has closed its
//! sending side is no reason to end, since it may still read. It has left when the connection breaks.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use futures::future::{self, BoxFuture, Either, FutureExt, select};
use gftp_plugin::{Conn, Event, listen};

use crate::face::Face;

/// A connection, and what is known of who is at its other end.
pub(crate) struct Client {
    conn: Conn,
    /// It has said something.
    has_spoken: bool,
    /// It will say nothing more.
    has_ended: bool,
    /// It has not taken the last line yet.
    is_behind: bool,
    /// Whether others wait for it to be gone.
    is_waited_for: bool,
    /// Comes when a client that will say nothing more is gone altogether.
    gone: BoxFuture<'static, ()>,
}

/// Why a session is over.
enum End {
    /// The client has left.
    Left,
    /// The server ends, or the client is none of a clock.
    Ours,
    /// It has taken nothing for as long as it may.
    Stuck,
}

impl Client {
    pub(crate) fn new(mut conn: Conn) -> Client {
        // Clients of a clock say nothing, and ten thousand that listen need no timer each.
        conn.set_busy(true);
        let gone = future::pending().boxed();
        Client { conn, has_spoken: false, has_ended: false, is_behind: false, is_waited_for: false, gone }
    }

    /// Others wait for this one, so it must be noticed as soon as it is gone, not with the next tick. That takes another
    /// descriptor for each that has closed its sending side.
    pub(crate) fn give_place_when_gone(&mut self) {
        self.is_waited_for = true;
    }

    /// Waits for `turn`, silently. None: the session is over, and the connection closed as it should be.
    pub(crate) async fn wait<T>(mut self, turn: impl Future<Output = T>) -> io::Result<Option<(Client, T)>> {
        let first = match select(pin!(self.listen()), pin!(turn)).await {
            Either::Left((end, _)) => Err(end?),
            Either::Right((turn, _)) => Ok(turn),
        };
        match first {
            // The turn may come because the server ends whose turn it was; it then ends this one as well, without a word.
            Ok(turn) if self.conn.shutdown().draining().now_or_never().is_none() => Ok(Some((self, turn))),
            Ok(_) => self.end(End::Ours).await.map(|()| None),
            Err(end) => self.end(end).await.map(|()| None),
        }
    }

    /// Sends the time until the session is over.
    pub(crate) async fn watch(mut self, face: &Arc<Face>) -> io::Result<()> {
        let mut watcher = face.watch();
        let end = loop {
            let (line, ticked) = watcher.look();
            if let Some(line) = line {
                self.show(&line);
            }
            match select(pin!(self.listen()), ticked).await {
                Either::Left((end, _)) => break end?,
                Either::Right(_) => {}
            }
        };
        drop(watcher);
        self.end(end).await
    }

    /// Sends a line to a client that has taken the last one. Who has not misses this one: it would come too late.
    fn show(&mut self, line: &[u8]) {
        if self.conn.outbox().is_empty() {
            self.conn.queue(line);
            if std::mem::take(&mut self.is_behind) {
                self.conn.set_busy(true);
            }
        } else if !std::mem::replace(&mut self.is_behind, true) {
            // The time in which it has to take something begins.
            self.conn.set_busy(false);
        }
    }

    /// Sends what is queued, and hears what the client does, until the session is over. May be dropped at any time.
    async fn listen(&mut self) -> io::Result<End> {
        loop {
            let event = match self.has_ended {
                false => self.conn.next_bytes().await,
                true => match select(pin!(self.conn.attend()), &mut self.gone).await {
                    Either::Left((event, _)) => event,
                    Either::Right(_) => return Ok(End::Left),
                },
            };
            match event {
                Ok(Event::Shutdown) => return Ok(End::Ours),
                Ok(Event::Idle) if !self.conn.outbox().is_empty() => return Ok(End::Stuck),
                Ok(Event::Bytes(bytes)) => {
                    if !std::mem::replace(&mut self.has_spoken, true) && self.conn.is_browser(&bytes) {
                        return Ok(End::Ours);
                    }
                }
                Ok(Event::Closed) => {
                    self.has_ended = true;
                    if self.is_waited_for {
                        self.gone = self.conn.broken().boxed();
                    }
                }
                Ok(Event::Idle | Event::Line(_) | Event::TooLong | Event::LoginTimeout) => {}
                // It said goodbye before: that it does not take the next line only means that it has left.
                Err(_) if self.has_ended => return Ok(End::Left),
                Err(e) => return Err(e),
            }
        }
    }

    /// Says goodbye as the end asks for.
    async fn end(mut self, end: End) -> io::Result<()> {
        match end {
            End::Left => Ok(()),
            End::Ours => {
                // What it has not taken by now is late, and not worth waiting for.
                self.conn.outbox().clear();
                self.conn.finish().await
            }
            End::Stuck => {
                let id = self.conn.origin().id;
                log::info!(event = "idle", session = id; "session {id}: closed: the peer takes nothing");
                // Closed in order, what it has not taken would stay in the kernel until it does.
                listen::reset_on_close(&self.conn.into_socket());
                Ok(())
            }
        }
    }
}
