//! The end of the server, in two steps: *draining* (nothing new begins, what runs may finish) and *ending* (what still
//! runs gives up). Knows nothing of signals, sockets or sessions.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;

use crate::rt::{Receiver, Sender, channel};

/// Nothing is ever sent: a closed channel wakes all who wait, at no cost while it is open.
enum Never {}

/// One listener to the server's end; clone it for each task that wants to know.
#[derive(Clone)]
pub struct Shutdown {
    draining: Receiver<Never>,
    ending: Receiver<Never>,
}

/// The other side of [`Shutdown`]: whoever holds it decides when the end begins. Dropping it is the end too.
pub struct ShutdownTrigger {
    draining: Sender<Never>,
    ending: Sender<Never>,
}

impl Shutdown {
    /// A signal that has not been given yet, and its trigger.
    pub fn new() -> (ShutdownTrigger, Shutdown) {
        let (draining_tx, draining) = channel(1);
        let (ending_tx, ending) = channel(1);
        (ShutdownTrigger { draining: draining_tx, ending: ending_tx }, Shutdown { draining, ending })
    }

    /// Waits until draining begins.
    pub async fn draining(&self) {
        let _ = self.draining.recv().await;
    }

    /// Waits until the end.
    pub async fn ending(&self) {
        let _ = self.ending.recv().await;
    }

    /// Whether draining has begun; else the task is woken when it does. Unlike [`Shutdown::draining`] it keeps its
    /// place in the queue between calls, which matters where it is asked for every command of every session.
    pub(crate) fn poll_draining(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.draining).poll_next(cx).map(|_| ())
    }
}

impl ShutdownTrigger {
    /// Begins draining. Calling it again changes nothing.
    pub fn drain(&self) {
        self.draining.close();
    }

    /// Ends what still runs; draining begins with it if it had not.
    pub fn end(&self) {
        self.draining.close();
        self.ending.close();
    }
}

impl Drop for ShutdownTrigger {
    fn drop(&mut self) {
        self.end();
    }
}
