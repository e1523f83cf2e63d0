//! One connection: bytes become lines, replies become bytes, and time and shutdown become events.
//!
//! Two rules hold this file together. Everything that waits does so in [`Conn::poll_event`], and all that it has learnt
//! is in the struct, so any future of this file may be dropped at any await point without losing a byte: that is what
//! lets a session listen while it transfers. And whatever a stranger can grow is bounded here, by [`Limits`].

mod secure;
mod strangers;
mod waiting;

use std::future::poll_fn;
use std::io;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use crate::crew::Voice;
use crate::inbox::{Inbox, Taken};
use crate::own_thread::{self, Haste, Place};
use crate::rt::{Socket, Timer};
use crate::stream::{Received, Stream};
use crate::telnet::Telnet;
use crate::{Conduct, Event, Limits, Offence, Origin, Shutdown, listen};

/// What one read may bring: a few command lines of an honest client, and no more, since the room for it is cleared each time.
const READ_SIZE: usize = 512;
/// The same through TLS, where a line comes in a record of its own and handshakes are larger.
const SEALED_SIZE: usize = 4096;
/// The same where bytes are wanted as they are: fewer calls, and still small enough for the stack.
const BYTES_SIZE: usize = 16 * 1024;
/// Replies gathered for pipelined commands leave at this size at the latest: one full TCP segment train, not a heap.
const FLUSH_SIZE: usize = 16 * 1024;
/// Events in a row, without having had to wait for one, after which other tasks get their turn and the deadlines are
/// looked at: a peer that sends without pause must neither keep a thread nor outlive its time.
const MOST_AT_ONCE: u32 = 64;
/// How long they may take together, since some are dearer than others: with hundreds of peers that ask without pause for
/// what is dear, everybody else's turn comes within a tenth of a second.
const LONGEST_TURN: Duration = Duration::from_micros(200);
/// How long replies may wait for a peer that does not read them while nothing else bounds the wait.
const SEND_WAIT: Duration = Duration::from_secs(30);

/// What is wanted of what the peer sends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Lines,
    /// And nothing else that may happen.
    LinesAlone,
    Bytes,
    /// Nothing is read, so that the peer has to wait.
    Nothing,
}

/// What [`Conn::next_now`] has found.
#[derive(Debug)]
pub enum Now {
    /// That has happened.
    Event(io::Result<Event>),
    /// The peer has said nothing more, and has not left.
    Silence,
    /// Nothing yet, and it has more to say: what was read was no event so far.
    More,
    /// Nothing that is known of: it speaks TLS, or has replies to take before it is listened to.
    Nothing,
}

/// One accepted connection, or one that was dialled.
pub struct Conn {
    stream: Stream,
    origin: Arc<Origin>,
    limits: Limits,
    pub(crate) conduct: Conduct,
    shutdown: Shutdown,
    shutdown_told: bool,
    telnet: Option<Telnet>,
    inbox: Inbox,
    /// Replies that wait for the peer.
    outbox: Vec<u8>,
    ended: bool,
    /// When the last line was handed out, or the last long answer was over.
    active: Instant,
    busy: bool,
    login_by: Option<Instant>,
    /// When a TLS handshake that has begun must be over.
    handshake_by: Option<Instant>,
    /// One timer for the whole life of the connection; it is set to the earliest of our deadlines or before.
    timer: Option<(Timer, Instant)>,
    /// How often there was something to do without waiting, and since when.
    at_once: u32,
    turn_began: Instant,
    voice: Voice,
    haste: Haste,
}

impl Conn {
    /// Wraps an accepted socket. The login time begins now.
    pub fn new(socket: Socket, origin: Origin, limits: Limits, shutdown: Shutdown) -> Self {
        let now = Instant::now();
        Conn {
            stream: Stream::new(socket),
            origin: Arc::new(origin),
            limits,
            conduct: Conduct::default(),
            shutdown,
            shutdown_told: false,
            telnet: None,
            inbox: Inbox::default(),
            outbox: Vec::new(),
            ended: false,
            active: now,
            busy: false,
            login_by: Some(now + limits.login),
            handshake_by: None,
            timer: None,
            at_once: 0,
            turn_began: now,
            voice: Voice::default(),
            haste: Haste::default(),
        }
    }

    /// A thread for the session to begin on, if the peer is taken for quick because those were that came before. What newcomers are
    /// trusted with is bounded, and this takes some of it: it is for who begins the session with that.
    pub fn place_on_trust(&mut self) -> Option<Place> {
        Place::take_if(|| self.haste.take_on_trust())
    }

    /// Speaks Telnet (RFC 854) from now on: its commands are taken out of the text and its options refused.
    pub fn speak_telnet(&mut self) {
        self.telnet = Some(Telnet::default());
    }

    /// Who is there; whoever remembers it need not copy it.
    pub fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// The server's shutdown signal, for tasks beside this connection.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// The peer has shown who it is: the login time no longer runs.
    pub fn settled(&mut self) {
        self.login_by = None;
        self.conduct.settled(true);
    }

    /// The peer has gone back to being a stranger (FTP's REIN): the login time begins again.
    pub fn unsettled(&mut self) {
        self.login_by = Some(Instant::now() + self.limits.login);
        self.conduct.settled(false);
    }

    /// Changes how long the peer may stay without a line.
    pub fn set_idle(&mut self, idle: Duration) {
        self.limits.idle = idle;
    }

    /// While busy, the idle and login times stand still (a transfer has its own watch); afterwards they begin anew.
    pub fn set_busy(&mut self, busy: bool) {
        self.busy = busy;
        self.active = Instant::now();
        self.haste.waited_for_others();
    }

    /// The next thing that happens. Replies that were queued leave first, in one write. Safe to cancel: nothing
    /// received is lost. After [`Event::Closed`] it says the same again.
    pub async fn next(&mut self) -> io::Result<Event> {
        poll_fn(|cx| self.poll_event(cx, Wanted::Lines)).await
    }

    /// The same for who waits for nothing else meanwhile, of a service that [waits alone](crate::Service::waits_alone): where
    /// the peer is quick and speaks plain text it is a thread of the session's own that waits.
    pub async fn next_alone(&mut self) -> io::Result<Event> {
        poll_fn(|cx| self.poll_event(cx, Wanted::LinesAlone)).await
    }

    /// The same for a service that takes bytes as they come: [`Event::Bytes`] instead of lines, at most 16 KiB of them.
    /// [`Limits::idle`] then counts from the last byte. Telnet is taken out as of lines, if it was asked for.
    pub async fn next_bytes(&mut self) -> io::Result<Event> {
        poll_fn(|cx| self.poll_event(cx, Wanted::Bytes)).await
    }

    /// The same for a service that has enough to do: nothing is read, so a peer that sends has to wait (back-pressure).
    /// What was queued leaves; time and shutdown are told of. A peer that is gone shows when something is sent to it.
    pub async fn attend(&mut self) -> io::Result<Event> {
        poll_fn(|cx| self.poll_event(cx, Wanted::Nothing)).await
    }

    /// Queues bytes for the peer; they leave with the next [`Conn::next`] or [`Conn::flush`].
    pub fn queue(&mut self, bytes: &[u8]) {
        self.outbox.extend_from_slice(bytes);
    }

    /// A place to write replies to, with the same effect as [`Conn::queue`].
    pub fn outbox(&mut self) -> &mut Vec<u8> {
        &mut self.outbox
    }

    /// Sends what is queued. Waits for a peer that does not read, but not for ever.
    pub async fn flush(&mut self) -> io::Result<()> {
        if self.outbox.is_empty() && self.stream.unsent() == 0 {
            return Ok(());
        }
        crate::rt::timeout(SEND_WAIT, poll_fn(|cx| self.stream.poll_write(cx, &mut self.outbox))).await
    }

    /// Sends what is queued as far as the peer takes it at once, unless it has said more already, whose answers then leave together.
    pub fn flush_now(&mut self) {
        if !self.has_line() {
            // What fails now fails again with whatever waits for it.
            let _ = self.stream.poll_write(&mut Context::from_waker(Waker::noop()), &mut self.outbox);
        }
    }

    /// Whether a whole line waits already: the peer sent it without waiting for an answer.
    pub fn has_line(&self) -> bool {
        self.inbox.has_line()
    }

    /// What has happened already, if anything: [`Conn::next`] without the waiting.
    pub async fn next_now(&mut self) -> Now {
        // Not now for want of a turn would not mean nothing.
        self.at_once = 0;
        self.stream.look_again();
        match poll_fn(|cx| Poll::Ready(self.poll_event(cx, Wanted::Lines))).await {
            Poll::Ready(event) => Now::Event(event),
            Poll::Pending if self.stream.is_silent() => Now::Silence,
            // It could have been read on.
            Poll::Pending if self.outbox.is_empty() && self.stream.unsent() == 0 && !self.stream.waits() => Now::More,
            Poll::Pending => Now::Nothing,
        }
    }

    /// Whether the peer has sent more than was handed out, without waiting for an answer, as far as the last read tells.
    pub fn is_ahead(&self) -> bool {
        !self.inbox.is_empty() || self.stream.has_left()
    }

    /// Whether the peer has sent something that was not looked at yet.
    pub fn has_more(&self) -> bool {
        !self.inbox.is_empty() || self.stream.has_more()
    }

    /// Whether the peer has closed its sending side, even if there is still something to read before that.
    pub fn has_ended(&self) -> bool {
        self.ended || listen::peer_has_closed(self.stream.socket())
    }

    /// Comes when it is broken: reset by the peer, or the peer out of reach; one that has closed in order has broken nothing.
    /// For who reads nothing for a while and would not learn of it otherwise, and for a service that goes on after
    /// [`Event::Closed`], so that it learns who has left with the first thing that it sends, and not with the second.
    /// Costs a descriptor; where there is none it never comes.
    pub fn broken(&self) -> impl Future<Output = ()> + Send + use<> {
        listen::broken(self.stream.socket())
    }

    /// Gives the socket up to who has a road of its own for the bytes. What was received or queued and has not gone its
    /// way is lost, so it is for the beginning of a connection. One that speaks TLS has no bytes for others: it is closed.
    pub fn into_socket(self) -> Socket {
        if self.stream.tunnel().is_some() {
            let _ = self.stream.socket().get_ref().shutdown(std::net::Shutdown::Both);
        }
        self.stream.into_socket()
    }

    fn poll_event(&mut self, cx: &mut Context<'_>, wanted: Wanted) -> Poll<io::Result<Event>> {
        if self.stream.is_handshaking() {
            ready!(self.poll_handshake(cx))?;
        }
        // Between events only: who asks whether there is one now is never put off by a clock.
        if own_thread::is_here() {
            // There is nobody else whose turn it could be.
            self.at_once = 0;
        } else if self.at_once == 0 {
            self.turn_began = Instant::now();
        } else if self.turn_began.elapsed() > LONGEST_TURN {
            return self.poll_pause(cx);
        }
        let mut has_read = false;
        loop {
            self.at_once += 1;
            if self.at_once > MOST_AT_ONCE {
                return self.poll_pause(cx);
            }
            // A peer that pipelines gets its answers together, unless they grow large.
            if self.outbox.len() + self.stream.unsent() < FLUSH_SIZE
                && let Some(event) = self.take(wanted)
            {
                return Poll::Ready(Ok(event));
            }
            let flushed = self.stream.poll_write(cx, &mut self.outbox)?;
            // Nothing is read for a peer that does not take its replies: that is what bounds the outbox.
            if flushed.is_pending() || wanted == Wanted::Nothing {
                return self.poll_time(cx);
            }
            if let Some(event) = self.take(wanted) {
                return Poll::Ready(Ok(event));
            }
            if self.ended {
                return Poll::Ready(Ok(Event::Closed));
            }
            if wanted == Wanted::LinesAlone
                && let Some(event) = ready!(self.poll_alone(cx))
            {
                return Poll::Ready(event);
            }
            if mem::replace(&mut has_read, true) {
                // What was no event is not all: a read stops at an urgent mark (RFC 959 §4.1.3's Synch), whatever is behind it.
                self.stream.look_again();
            }
            let received = match wanted {
                Wanted::Bytes => self.poll_receive::<BYTES_SIZE>(cx),
                _ if self.stream.tunnel().is_some() => self.poll_receive::<SEALED_SIZE>(cx),
                Wanted::Lines | Wanted::LinesAlone | Wanted::Nothing => self.poll_receive::<READ_SIZE>(cx),
            };
            if received?.is_pending() {
                if !own_thread::is_here() {
                    self.haste.waits();
                }
                return self.poll_time(cx);
            }
        }
    }

    fn poll_receive<const SIZE: usize>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The buffer lives on the stack of this call only: an idle connection holds none.
        let mut chunk = [0; SIZE];
        match ready!(self.stream.poll_read(cx, &mut chunk))? {
            Received::Bytes(count) => self.receive(&chunk[..count]),
            Received::Nothing => {}
            Received::End => self.ended = true,
        }
        Poll::Ready(Ok(()))
    }

    /// Takes Telnet out of what was received, if that is spoken.
    fn receive(&mut self, received: &[u8]) {
        if !own_thread::is_here() {
            self.voice.raise();
        }
        self.haste.came();
        match &mut self.telnet {
            None => self.inbox.extend(received),
            Some(telnet) => telnet.take_apart(
                received,
                |text| self.inbox.extend(text),
                |answer| self.outbox.extend_from_slice(answer),
            ),
        }
    }

    /// What was received and is wanted, if there is any.
    fn take(&mut self, wanted: Wanted) -> Option<Event> {
        let taken = match wanted {
            Wanted::Lines | Wanted::LinesAlone => self.inbox.take_line(self.limits.line)?,
            Wanted::Bytes => {
                let bytes = self.inbox.take_bytes()?;
                self.active = Instant::now();
                return Some(Event::Bytes(bytes));
            }
            Wanted::Nothing => return None,
        };
        // A line without end is no sign of life: a slow writer could hold a connection for ever.
        if taken != Taken::Endless {
            self.active = Instant::now();
        }
        Some(match taken {
            Taken::Line(line) => {
                self.haste.heard();
                Event::Line(line)
            }
            Taken::TooLong | Taken::Endless => {
                self.conduct.offence(Offence::LongLine);
                Event::TooLong
            }
            Taken::Http => {
                self.conduct.offence(Offence::Http);
                self.show_out("http", "speaks HTTP")
            }
            Taken::Tls => {
                self.conduct.offence(Offence::FailedHandshake);
                let what = "begins with TLS, and here plain text comes first: implicit TLS has a port of its own";
                self.show_out("tls_first", what)
            }
        })
    }
}
