//! Turns at the cores: hashing and compressing would take them all from those who only want an answer. Knows nothing of
//! what is computed.

use std::num::NonZero;

use async_lock::{Mutex, Semaphore};
use gftp_plugin::rt;

/// As many at once as there are cores; the others wait in the order they came.
pub struct Turns {
    free: Semaphore,
    /// Held by whoever is next. The semaphore alone would give a turn back to who has just had one and asks again; the
    /// lock hands itself to who has waited for longest.
    next: Mutex<()>,
}

impl Default for Turns {
    fn default() -> Self {
        let free = Semaphore::new(std::thread::available_parallelism().map_or(1, NonZero::get));
        Turns { free, next: Mutex::new(()) }
    }
}

impl Turns {
    /// Computes one bounded piece (milliseconds) on the pool when it is its turn. Not for what waits for a disk: a
    /// slow one would hold the turn.
    pub async fn take<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let next = self.next.lock().await;
        let _turn = self.free.acquire().await;
        drop(next);
        rt::unblock(work).await
    }
}
