//! One session: bytes pass between a client and a program, both ways at once, until both have had their say or one has
//! had too much time. Refuses to know what the bytes mean.
//!
//! One task does it all, and nothing is read from one side before the other has taken what was read before: a piece in
//! each direction is all that is ever held.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, FutureExt};
use gftp_plugin::rt::Timer;
use gftp_plugin::stderr::{Quota, Said, Stderr};
use gftp_plugin::{Conn, Event};

use crate::Options;
use crate::journal::{self, Subject};
use crate::process::{Process, poll_read};

/// What is read from a program at once: half of what a pipe holds, so that it writes while we send.
const PIECE: usize = 32 * 1024;
/// The same of its stderr: some lines.
const STDERR_PIECE: usize = 4096;
/// Pieces in a row, without having had to wait for one, after which other tasks get their turn.
const MOST_AT_ONCE: u32 = 32;
/// How long what a program has left behind (a filter that it put before its output, say) may go on writing.
const AFTERMATH: Duration = Duration::from_secs(1);
/// How long a client may go on after the last byte for it: closing with something unread would reset the connection, and
/// a reset may overtake that byte.
const LINGER: Duration = Duration::from_secs(2);

/// A session while it runs.
pub(crate) struct Pump<'a> {
    conn: Conn,
    process: Process,
    subject: Subject<'a>,
    options: &'a Options,
    stderr: Stderr<'a>,
    /// On its way to the program, as far as `written`.
    input: Vec<u8>,
    written: usize,
    /// The client will send nothing more.
    ended: bool,
    /// When the client was told that nothing more comes.
    finished: Option<Instant>,
    /// When the program exited.
    exited: Option<Instant>,
    /// Nothing is left of it.
    reaped: bool,
    /// When something moved last.
    moved: Instant,
    /// Comes when the connection is reset: while nothing is read from it, nothing else would tell.
    broken: BoxFuture<'static, ()>,
    /// The server drains, and the program knows it.
    drained: Option<Drained>,
    /// Set to the earliest of our deadlines or before.
    timer: Option<(Timer, Instant)>,
}

/// A program that was told to end.
struct Drained {
    kill_at: Instant,
    /// The end of the server, which is no later.
    ending: BoxFuture<'static, ()>,
    killed: bool,
}

impl<'a> Pump<'a> {
    pub(crate) fn new(
        mut conn: Conn,
        process: Process,
        subject: Subject<'a>,
        options: &'a Options,
        quota: &'a Mutex<Quota>,
    ) -> Self {
        // What counts as idle is decided here, where both directions are seen.
        conn.set_busy(true);
        let (now, broken) = (Instant::now(), conn.broken().boxed());
        Pump {
            conn,
            process,
            subject,
            options,
            stderr: Stderr::new(quota),
            input: Vec::new(),
            written: 0,
            ended: false,
            finished: None,
            exited: None,
            reaped: false,
            moved: now,
            broken,
            drained: None,
            timer: None,
        }
    }

    /// Until it is over. An error means that the client is gone.
    pub(crate) async fn run(mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        for _ in 0..MOST_AT_ONCE {
            let mut moved = self.poll_client(cx)?;
            moved |= self.poll_input(cx);
            moved |= self.poll_output(cx)?;
            moved |= self.poll_stderr(cx);
            moved |= self.poll_exit(cx);
            if self.is_over() {
                return Poll::Ready(Ok(()));
            }
            if !moved {
                return self.poll_time(cx);
            }
        }
        cx.waker().wake_by_ref();
        self.poll_time(cx)
    }

    /// What the client sends and takes.
    fn poll_client(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let queued = self.conn.outbox().len();
        let event = match self.listens() {
            true => pin!(self.conn.next_bytes()).poll(cx),
            false => pin!(self.conn.attend()).poll(cx),
        };
        if self.conn.outbox().len() < queued {
            self.moved = Instant::now();
        }
        match event {
            Poll::Ready(event) => {
                self.hear(event?);
                Ok(true)
            }
            Poll::Pending => Ok(false),
        }
    }

    /// Whether something is wanted of the client.
    fn listens(&self) -> bool {
        !self.ended && self.input.is_empty()
    }

    fn hear(&mut self, event: Event) {
        match event {
            // To a program that reads no more it is nothing, but it must not stay unread.
            Event::Bytes(bytes) | Event::Line(bytes) if self.process.stdin.is_some() => self.input = bytes,
            Event::Closed => self.ended = true,
            Event::Shutdown => self.drain(),
            Event::Bytes(_) | Event::Line(_) | Event::TooLong | Event::Idle | Event::LoginTimeout => {}
        }
    }

    fn drain(&mut self) {
        self.close_input();
        self.process.terminate();
        let shutdown = self.conn.shutdown().clone();
        let ending = async move { shutdown.ending().await }.boxed();
        self.drained = Some(Drained { kill_at: Instant::now() + self.options.kill_after, ending, killed: false });
    }

    fn close_input(&mut self) {
        self.process.stdin = None;
        (self.input, self.written) = (Vec::new(), 0);
    }

    /// To the program.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        while !self.input.is_empty() {
            match self.process.poll_write(cx, &self.input[self.written..]) {
                Poll::Ready(Ok(count)) if count > 0 => {
                    (moved, self.moved) = (true, Instant::now());
                    self.written += count;
                    if self.written == self.input.len() {
                        (self.input, self.written) = (Vec::new(), 0);
                    }
                }
                Poll::Ready(_) => {
                    self.close_input();
                    return true;
                }
                Poll::Pending => return moved,
            }
        }
        if self.ended && self.process.stdin.is_some() {
            self.close_input();
        }
        moved
    }

    /// From the program, once the client has taken what came before; and at its end, that there is no more.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        if self.finished.is_some() || !self.conn.outbox().is_empty() {
            return Ok(false);
        }
        if let Some(stdout) = &mut self.process.stdout {
            let mut piece = [0; PIECE];
            match poll_read(stdout, cx, &mut piece) {
                Poll::Ready(count) if count > 0 => {
                    self.conn.queue(&piece[..count]);
                    return Ok(true);
                }
                // Whoever still holds it is nobody of ours.
                Poll::Pending if !self.reaped => return Ok(false),
                _ => self.process.stdout = None,
            }
        }
        let Poll::Ready(finished) = pin!(self.conn.finish()).poll(cx) else { return Ok(false) };
        finished?;
        self.finished = Some(Instant::now());
        Ok(true)
    }

    fn poll_stderr(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(pipe) = &mut self.process.stderr else { return false };
        let mut piece = [0; STDERR_PIECE];
        let count = match poll_read(pipe, cx, &mut piece) {
            Poll::Pending if !self.reaped => return false,
            Poll::Pending => 0,
            Poll::Ready(count) => count,
        };
        let subject = &self.subject;
        let tell = |said: Said<'_>| match said {
            Said::Line(line) => journal::said(subject, line, false),
            Said::Cut(line) => journal::said(subject, line, true),
            Said::Lost(lines) => journal::lost(subject, lines),
        };
        if count == 0 {
            self.process.stderr = None;
            self.stderr.end(Instant::now(), tell);
        } else {
            self.stderr.take(&piece[..count], Instant::now(), tell);
        }
        true
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> bool {
        if self.reaped {
            return false;
        }
        if self.exited.is_none() && self.process.poll_exit(cx).is_ready() {
            self.exited = Some(Instant::now());
        }
        let Some(exited) = self.exited else { return false };
        let silent = self.process.stdout.is_none() && self.process.stderr.is_none();
        if !silent && exited.elapsed() < AFTERMATH {
            return false;
        }
        let status = self.process.reap();
        self.reaped = true;
        self.close_input();
        // How it ends when we make it end is no news.
        if let Some(status) = status.filter(|status| !status.success() && self.drained.is_none()) {
            journal::failed(&self.subject, status);
        }
        true
    }

    /// Whether all is said and done: the program is gone, the client knows it, and has gone too or had time to.
    fn is_over(&self) -> bool {
        let gone = self.ended || self.finished.is_some_and(|finished| finished.elapsed() >= LINGER);
        self.is_done() && self.process.stderr.is_none() && gone
    }

    /// Whether nothing is waited for but the client's leaving.
    fn is_done(&self) -> bool {
        self.reaped && self.finished.is_some()
    }

    /// What is due by now: an end, or a kill. The task is woken when more is.
    fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unheard().is_some_and(|since| since + LINGER <= Instant::now()) {
            journal::unheard(&self.subject);
            self.drain();
        }
        self.poll_drain(cx);
        if self.broken.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if !self.is_done() && Instant::now() >= self.moved + self.options.idle {
            journal::idle(&self.subject, self.options.idle);
            return Poll::Ready(Ok(()));
        }
        self.set_timer(cx);
        Poll::Pending
    }

    /// A program that has been told to end has some time for it, but none once the server itself ends.
    fn poll_drain(&mut self, cx: &mut Context<'_>) {
        let Some(drained) = self.drained.as_mut().filter(|drained| !drained.killed && !self.reaped) else { return };
        if drained.kill_at <= Instant::now() || drained.ending.as_mut().poll(cx).is_ready() {
            drained.killed = true;
            journal::killed(&self.subject);
            self.process.kill();
        }
    }

    /// Since when both sides have closed while the program goes on: nothing can reach its client any more, and no reset will
    /// ever tell. Nothing, once it was told to end.
    fn unheard(&self) -> Option<Instant> {
        self.finished.filter(|_| self.ended && !self.reaped && self.drained.is_none())
    }

    /// The next moment at which something is due.
    fn deadline(&self) -> Option<Instant> {
        let idle = (!self.is_done()).then(|| self.moved + self.options.idle);
        let kill =
            self.drained.as_ref().filter(|drained| !drained.killed && !self.reaped).map(|drained| drained.kill_at);
        let aftermath = self.exited.filter(|_| !self.reaped).map(|exited| exited + AFTERMATH);
        let linger = self.finished.filter(|_| self.reaped).map(|finished| finished + LINGER);
        let unheard = self.unheard().map(|since| since + LINGER);
        [idle, kill, aftermath, linger, unheard].into_iter().flatten().min()
    }

    /// It is not moved with every byte, only when it would be late or has gone off too early.
    fn set_timer(&mut self, cx: &mut Context<'_>) {
        let Some(deadline) = self.deadline() else { return };
        let (timer, set_to) = self.timer.get_or_insert_with(|| (Timer::at(deadline), deadline));
        if *set_to > deadline {
            timer.set_at(deadline);
            *set_to = deadline;
        }
        if Pin::new(timer).poll(cx).is_ready() {
            // One that has gone off never does so again by itself.
            self.timer = None;
            cx.waker().wake_by_ref();
        }
    }
}
