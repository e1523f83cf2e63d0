//! Work in parts, done by two threads where a core is to spare. The thread that has the parts does them, and another one of the pool
//! helps: what nobody has begun it does by itself, so that it never waits for a thread. A disk that hangs may hold the helpers; all others
//! then do their parts alone. Refuses to know what the parts are.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::pool::Pool;

/// Who helps, of all that may at once.
pub(crate) struct Helpers {
    now: AtomicUsize,
    most: usize,
}

impl Helpers {
    pub(crate) const fn new(most: usize) -> Helpers {
        Helpers { now: AtomicUsize::new(0), most }
    }

    fn enter(&self) -> bool {
        self.now.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < self.most).then_some(now + 1)).is_ok()
    }

    fn leave(&self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Parts that wait for somebody to do them, and what came of the others.
struct Shared<P, R, W> {
    desk: Mutex<Desk<P, R>>,
    /// The helper has gone.
    gone: Condvar,
    work: W,
}

struct Desk<P, R> {
    waiting: VecDeque<(usize, P)>,
    /// By the numbers of their parts.
    results: Vec<Option<thread::Result<R>>>,
    helper: Helper,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Helper {
    Nobody,
    /// A thread is to come.
    Called,
    AtWork,
}

/// Does `work` with each part, as they come, and returns the results in the order of the parts; a panic comes back, too.
pub(crate) fn share<P: Send + 'static, R: Send + 'static, W: Fn(P) -> R + Send + Sync + 'static>(
    pool: &'static Pool,
    helpers: &'static Helpers,
    parts: impl Iterator<Item = P>,
    work: W,
) -> Vec<R> {
    let desk = Mutex::new(Desk { waiting: VecDeque::new(), results: Vec::new(), helper: Helper::Nobody });
    let shared = Arc::new(Shared { desk, gone: Condvar::new(), work });
    for part in parts {
        // One alone is sooner done than a thread is woken.
        if shared.put(part) > 1 && helpers.enter() {
            shared.desk().helper = Helper::Called;
            let shared = Arc::clone(&shared);
            pool.offer(Box::new(move || {
                shared.help();
                helpers.leave();
            }));
        }
    }
    shared.work_off();
    shared.results()
}

impl<P, R, W: Fn(P) -> R> Shared<P, R, W> {
    /// How many wait then; one where somebody helps already.
    fn put(&self, part: P) -> usize {
        let mut desk = self.desk();
        let number = desk.results.len();
        desk.results.push(None);
        desk.waiting.push_back((number, part));
        if desk.helper == Helper::Nobody { desk.waiting.len() } else { 1 }
    }

    /// Does parts until none waits.
    fn work_off(&self) {
        loop {
            let Some((number, part)) = self.desk().waiting.pop_front() else { return };
            let result = catch_unwind(AssertUnwindSafe(|| (self.work)(part)));
            self.desk().results[number] = Some(result);
        }
    }

    /// What another thread does, if it has not come too late.
    fn help(&self) {
        {
            let mut desk = self.desk();
            if desk.helper != Helper::Called {
                return;
            }
            desk.helper = Helper::AtWork;
        }
        self.work_off();
        self.desk().helper = Helper::Nobody;
        self.gone.notify_one();
    }

    /// What came of all parts, once whoever helps has done the last one.
    fn results(&self) -> Vec<R> {
        let mut desk = self.desk();
        while desk.helper == Helper::AtWork {
            desk = self.gone.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
        // Who has not come yet is not waited for.
        desk.helper = Helper::Nobody;
        let results = std::mem::take(&mut desk.results);
        drop(desk);
        let nobody = || Err(Box::new("a part that nobody has done") as Box<dyn Any + Send>);
        let done = |result: Option<thread::Result<R>>| result.unwrap_or_else(nobody);
        results.into_iter().map(|result| done(result).unwrap_or_else(|panic| resume_unwind(panic))).collect()
    }

    fn desk(&self) -> MutexGuard<'_, Desk<P, R>> {
        // Nothing that can panic is done under it.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::pool;

    fn pool() -> &'static Pool {
        Box::leak(Box::new(Pool::new()))
    }

    fn helpers(most: usize) -> &'static Helpers {
        Box::leak(Box::new(Helpers::new(most)))
    }

    /// Two parts that wait for each other are done by two threads, at once.
    #[test]
    fn another_thread_helps() {
        let both = Barrier::new(2);
        let leaders = share(pool(), helpers(1), 0..2, move |_| both.wait().is_leader());
        assert_eq!(leaders.iter().filter(|leads| **leads).count(), 1);
    }

    #[test]
    fn results_come_in_the_order_of_their_parts() {
        let (pool, helpers) = (pool(), helpers(1));
        for count in [0, 1, 2, 1_000] {
            assert_eq!(
                share(pool, helpers, 0..count, |part| part * 2),
                (0..count).map(|part| part * 2).collect::<Vec<_>>()
            );
        }
        // Whoever came too late leaves, too.
        while !helpers.enter() {
            thread::yield_now();
        }
    }

    #[test]
    fn helpers_are_counted() {
        let (pool, none) = (pool(), helpers(0));
        let here = || (0..9).map(|part| (part, thread::current().id())).collect::<Vec<_>>();
        assert_eq!(share(pool, none, 0..9, |part| (part, thread::current().id())), here());
        assert_eq!(pool.threads(), 0, "nobody was called");
        let one = helpers(1);
        assert!(one.enter() && !one.enter());
        assert_eq!(share(pool, one, 0..9, |part| (part, thread::current().id())), here());
        assert_eq!(pool.threads(), 0, "whoever may help is busy elsewhere");
    }

    /// A thread that never comes is not waited for: all of the pool's may hang at a disk.
    #[test]
    fn nobody_is_waited_for_who_has_not_begun() {
        let (pool, held) = (pool(), Arc::new(Barrier::new(pool::MOST + 1)));
        for _ in 0..pool::MOST {
            let held = Arc::clone(&held);
            pool.offer(Box::new(move || _ = held.wait()));
        }
        let here: Vec<_> = (0..9).map(|part| (part, thread::current().id())).collect();
        assert_eq!(share(pool, helpers(1), 0..9, |part| (part, thread::current().id())), here);
        held.wait();
    }

    /// Also if it was the other thread's.
    #[test]
    fn a_panic_reaches_whoever_shares() {
        let (here, both) = (thread::current().id(), Barrier::new(2));
        let panics_elsewhere = move |part: u32| {
            both.wait();
            if thread::current().id() == here { part } else { resume_unwind(Box::new("a panic for a test")) }
        };
        assert!(catch_unwind(AssertUnwindSafe(|| share(pool(), helpers(1), 0..2, panics_elsewhere))).is_err());
        let panics = |part| if part == 7 { resume_unwind(Box::new("a panic for a test")) } else { part };
        assert!(catch_unwind(|| share(pool(), helpers(0), 0..9, panics)).is_err());
    }
}
