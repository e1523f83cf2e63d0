//! Turns at the cores: hashing and compressing would take them all from those who only want an answer. Knows nothing of
//! what is computed.

use std::num::NonZero;

use async_lock::Semaphore;
use gftp_plugin::rt;

/// As many at once as there are cores; the others wait in the order they came.
pub struct Turns(Semaphore);

impl Default for Turns {
    fn default() -> Self {
        Turns(Semaphore::new(std::thread::available_parallelism().map_or(1, NonZero::get)))
    }
}

impl Turns {
    /// Computes one bounded piece (milliseconds) on the blocking pool when it is its turn. Not for what waits for a disk: a
    /// slow one would hold the turn.
    pub async fn take<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let _turn = self.0.acquire().await;
        rt::unblock(work).await
    }
}
