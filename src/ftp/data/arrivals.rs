//! A port on which passive connections come. Whoever was promised one and has a command for it takes it himself, since it has
//! usually come by then; a task that watches the port takes all others. Knows a listener and who waits at it; whose a
//! connection is, `passive.rs` says.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use event_listener::Event;
use gftp_plugin::listen::{self, BACKLOG};
use gftp_plugin::rt::{self, Listener, Socket};
use std::net::IpAddr;

/// How long a port is not watched after something has come there: in a row of transfers each session takes its own
/// connection, and the two wake-ups of the watch are spared. Short enough that strangers cannot fill the kernel's queue
/// for longer than anyone notices.
const REST: Duration = Duration::from_millis(100);
/// As many as the kernel can hold ready at a moment, so that what had come by then is taken.
const MOST_AT_ONCE: usize = BACKLOG as usize + 1;

/// The listener of a port.
pub(super) struct Arrivals {
    listener: Listener,
    /// Sessions that have a command for a connection that has not come.
    waiting: AtomicUsize,
    /// Rung by them.
    bell: Event,
}

/// A session waits for its connection; the port is watched without rest until this is dropped.
pub(super) struct Waiting<'a>(&'a Arrivals);

impl Arrivals {
    pub(super) fn new(listener: Listener) -> Self {
        Arrivals { listener, waiting: AtomicUsize::new(0), bell: Event::new() }
    }

    /// Hands over all that has come. False: there is no descriptor for more.
    pub(super) fn take(&self, mut hand_over: impl FnMut(Socket, IpAddr)) -> bool {
        // Most often nothing has, or but one.
        let hand_over = |socket, peer| {
            hand_over(socket, peer);
            !listen::has_come(&self.listener)
        };
        !listen::has_come(&self.listener) || self.take_awaited(hand_over)
    }

    /// Hands over what has come, until that says that it is enough: for who has reason to think that something has. False: there
    /// is no descriptor for more.
    pub(super) fn take_awaited(&self, mut hand_over: impl FnMut(Socket, IpAddr) -> bool) -> bool {
        for _ in 0..MOST_AT_ONCE {
            match listen::accept_now(&self.listener, "passive port") {
                Ok(Some((socket, peer))) => {
                    if hand_over(socket, peer.ip()) {
                        break;
                    }
                }
                Ok(None) => break,
                Err(_) => return false,
            }
        }
        true
    }

    /// Comes when there is something to take.
    pub(super) async fn come(&self) {
        if self.listener.readable().await.is_err() {
            // Not to be watched now; it is looked at nevertheless.
            rt::sleep(REST).await;
        }
    }

    /// Comes after the rest, or as soon as somebody waits.
    pub(super) async fn rest(&self) {
        let rung = self.bell.listen();
        if self.waiting.load(Ordering::SeqCst) == 0 {
            let _ = rt::timeout(REST, async {
                rung.await;
                Ok(())
            })
            .await;
        }
    }

    /// Somebody waits from now on.
    pub(super) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.bell.notify(usize::MAX);
        Waiting(self)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
