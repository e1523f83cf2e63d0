//! When long work lets go of its core: for a session that is to be heard soon, and would not be otherwise.
//!
//! Where the kernel shares the cores among groups of threads first, long work uses up the part of this process's group. Whoever of it is
//! woken then waits until the others have had theirs, which the kernel looks at with each tick only (of 4 ms, where it has 250 in a second).
//! With work that lets go of its core every fraction of a millisecond nobody's part is used up. Where all threads are alike, whoever is
//! woken has its turn at once. Refuses to know what the work is.

use std::fs;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Whether each session of processes is a group (sched(7), autogroups). It is a hint: control groups are groups as well, and replace
/// these.
const AUTOGROUPS: &str = "/proc/sys/kernel/sched_autogroup_enabled";

/// How long after it was last listened to a quick peer counts as one who may say something: as long as a thread waits for it.
const SOON: Duration = Duration::from_millis(10);

static GROUPS: AtomicBool = AtomicBool::new(false);
/// When a thread has listened to a quick peer, or been woken by it, for the last time: in microseconds since [`BEGAN`].
static LISTENED: AtomicU64 = AtomicU64::new(NEVER);
const NEVER: u64 = u64::MAX;
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Looks whether there are groups; until then, and where it cannot be told, there are none. Before the process is confined.
pub(crate) fn look() {
    GROUPS.store(fs::read(AUTOGROUPS).is_ok_and(|told| told.starts_with(b"1")), Ordering::Relaxed);
}

/// A thread begins to listen to a quick peer, or has heard it and is to answer.
pub(crate) fn listens() {
    if GROUPS.load(Ordering::Relaxed) {
        LISTENED.store(now(), Ordering::Relaxed);
    }
}

fn now() -> u64 {
    u64::try_from(BEGAN.elapsed().as_micros()).unwrap_or(NEVER)
}

/// Whether long work should let go of its core often.
pub(crate) fn is_due() -> bool {
    GROUPS.load(Ordering::Relaxed) && is_soon_after(LISTENED.load(Ordering::Relaxed), now())
}

/// With downloads alone it would gain nothing.
fn is_soon_after(listened: u64, now: u64) -> bool {
    listened != NEVER && u128::from(now.saturating_sub(listened)) < SOON.as_micros()
}

/// Lets go of the core if it is due: those who are ready have their turns first.
pub(crate) fn give_way() {
    if is_due() {
        thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_work_gives_way_only_where_that_helps_somebody() {
        let soon = u64::try_from(SOON.as_micros()).unwrap();
        assert!(is_soon_after(7, 7) && is_soon_after(7, 6 + soon) && is_soon_after(8, 7));
        assert!(!is_soon_after(7, 7 + soon) && !is_soon_after(NEVER, 7));
        look();
        let are = fs::read_to_string(AUTOGROUPS).is_ok_and(|told| told == "1\n");
        assert_eq!(GROUPS.load(Ordering::Relaxed), are);
    }
}
