//! What a connection waits for besides the words of its peer: the end of the server, or of the peer's time. And where it waits:
//! on the executor, or on a thread of its own. Refuses to know what is said.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use super::Conn;
use crate::give_way;
use crate::own_thread::{self, Ready, Waited};
use crate::rt::Timer;
use crate::{Event, Offence};

impl Conn {
    /// Waits for the peer on a thread that is the session's own, or asks for one; an event if one comes first.
    pub(super) fn poll_alone(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Event>>> {
        if self.stream.tunnel().is_some() {
            // What was received may be held there, and data connections through TLS are waited for beside.
            return Poll::Ready(None);
        }
        if !own_thread::is_here() {
            return if self.haste.is_enough() && own_thread::ask() { Poll::Pending } else { Poll::Ready(None) };
        }
        if let Poll::Ready(event) = self.poll_time(cx) {
            return Poll::Ready(Some(event));
        }
        give_way::listens();
        let waited = own_thread::wait(self.stream.socket(), Ready::Read, cx);
        give_way::listens();
        match waited {
            Waited::Ready | Waited::Not => {
                // However long that was, it was but a moment.
                self.stream.look_again();
                Poll::Ready(None)
            }
            Waited::Silence => {
                self.haste.forfeit();
                Poll::Pending
            }
            Waited::Going => Poll::Pending,
        }
    }

    /// Lets other tasks have their turn.
    pub(super) fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Event>> {
        cx.waker().wake_by_ref();
        self.poll_time(cx)
    }

    /// What comes of its own accord: the end of the server, or of the peer's time.
    pub(super) fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Event>> {
        self.at_once = 0;
        if !self.shutdown_told && self.shutdown.poll_draining(cx).is_ready() {
            self.shutdown_told = true;
            return Poll::Ready(Ok(Event::Shutdown));
        }
        self.poll_deadline(cx).map(Ok)
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if self.busy {
            return Poll::Pending;
        }
        let idle_by = self.active + self.limits.idle;
        let deadline = self.login_by.map_or(idle_by, |login_by| login_by.min(idle_by));
        ready!(self.poll_until(cx, deadline));
        self.active = Instant::now();
        if self.login_by != Some(deadline) {
            return Poll::Ready(Event::Idle);
        }
        self.conduct.offence(Offence::NoLogin);
        Poll::Ready(Event::LoginTimeout)
    }

    /// Comes at that moment.
    pub(super) fn poll_until(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if own_thread::is_here() {
            return if Instant::now() >= deadline { Poll::Ready(()) } else { Poll::Pending };
        }
        // The timer is not moved for every line, only when it went off too early: a busy session costs no timer work.
        let (timer, set_to) = self.timer.get_or_insert_with(|| (Timer::at(deadline), deadline));
        if *set_to > deadline {
            timer.set_at(deadline);
            *set_to = deadline;
        }
        loop {
            ready!(Pin::new(&mut *timer).poll(cx));
            if Instant::now() >= deadline {
                // A timer that has gone off never does so again by itself.
                self.timer = None;
                return Poll::Ready(());
            }
            timer.set_at(deadline);
            *set_to = deadline;
        }
    }
}
