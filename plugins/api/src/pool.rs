//! The pool: threads that do what may block, as many as there is work, up to a bound. The one inside async-std begins a thread
//! only where five pieces of work wait for one, so that a transfer which waits for its peer would hold up four others; this one
//! begins a thread at once. Refuses to know what the work is.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;

/// Threads at once. Where there is more work than this it takes turns, and none of it is fast anyway. A thread that waits costs
/// some 20 KiB; a disk that hangs may hold as many.
pub(crate) const MOST: usize = 256;
/// How long a thread waits for more to do: between the files of a session it is not begun again and again.
const REST: Duration = Duration::from_secs(5);

/// The pool of this process; its threads begin with the first work, since one that is older than the process's confinement
/// would not be confined.
pub(crate) static POOL: Pool = Pool::new();

type Work = Box<dyn FnOnce() + Send>;

/// Threads, and what they are to do.
pub(crate) struct Pool {
    queue: Mutex<Queue>,
    called: Condvar,
    /// Whether work waits that no thread is free for.
    wanted: AtomicBool,
}

struct Queue {
    waiting: VecDeque<Work>,
    threads: usize,
    /// Those of the threads that are on their way to what waits.
    starting: usize,
    /// Those of the threads that have nothing to do.
    resting: usize,
}

/// A thread for one more piece of work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// One that rests: it is to be woken.
    Resting,
    /// One that has begun for it.
    Begun,
    /// There is none, until one that works is done with what it does.
    None,
}

impl Pool {
    pub(crate) const fn new() -> Pool {
        let queue = Queue { waiting: VecDeque::new(), threads: 0, starting: 0, resting: 0 };
        Pool { queue: Mutex::new(queue), called: Condvar::new(), wanted: AtomicBool::new(false) }
    }

    /// Does it on a thread, and waits for its result; a panic comes back, too. What has been asked for is done, also when the
    /// waiting future is dropped. It is given a question: whether it should end soon, because others wait for a thread or nobody
    /// waits for the result. Work that could be long asks it often; other work must be bounded by itself.
    pub(crate) async fn run<T: Send + 'static>(
        &'static self,
        work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
    ) -> T {
        let (answer, answered) = oneshot::channel();
        let work = move || {
            let should_end = || self.wanted.load(Ordering::Relaxed) || answer.is_canceled();
            let result = catch_unwind(AssertUnwindSafe(|| work(&should_end)));
            // Whoever asked may be gone by now.
            let _ = answer.send(result);
        };
        self.offer(Box::new(work));
        match answered.await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => resume_unwind(panic),
            // All work is done, so that this does not happen.
            Err(oneshot::Canceled) => std::future::pending().await,
        }
    }

    /// Does it on a thread if one is free for it, and nobody waits for its end; gives it back where there is none, since it may be what
    /// must not wait for a thread. The work is told whether it should end soon, because others wait for a thread.
    pub(crate) fn begin<T: Send + 'static>(
        &'static self,
        lent: T,
        work: impl FnOnce(T, &dyn Fn() -> bool) + Send + 'static,
    ) -> Option<T> {
        let mut queue = self.lock();
        let found = self.find(&mut queue);
        if found == Found::None {
            return Some(lent);
        }
        queue.waiting.push_back(Box::new(move || work(lent, &|| self.wanted.load(Ordering::Relaxed))));
        self.note(&queue);
        drop(queue);
        self.wake(found);
        None
    }

    /// Has it done by another thread, now or once one is free; here where there is none and can be none.
    pub(crate) fn offer(&'static self, work: Work) {
        let mut queue = self.lock();
        let found = self.find(&mut queue);
        if found == Found::None && queue.threads == 0 {
            // It holds up the task that asks, and all others.
            self.wanted.store(true, Ordering::Relaxed);
            drop(queue);
            return work();
        }
        queue.waiting.push_back(work);
        self.note(&queue);
        drop(queue);
        self.wake(found);
    }

    /// Threads that there are.
    #[cfg(test)]
    pub(crate) fn threads(&self) -> usize {
        self.lock().threads
    }

    fn find(&'static self, queue: &mut Queue) -> Found {
        if queue.resting > queue.waiting.len() {
            return Found::Resting;
        }
        if queue.threads == MOST {
            return Found::None;
        }
        match thread::Builder::new().name("gftp-pool".to_string()).spawn(|| self.serve()) {
            Ok(_) => {
                queue.threads += 1;
                queue.starting += 1;
                Found::Begun
            }
            // The machine lets us have no more.
            Err(_) => Found::None,
        }
    }

    /// Not under the lock, which the woken thread takes first.
    fn wake(&self, found: Found) {
        if found == Found::Resting {
            self.called.notify_one();
        }
    }

    /// A thread's life.
    fn serve(&self) {
        let mut queue = self.lock();
        queue.starting -= 1;
        loop {
            while let Some(work) = queue.waiting.pop_front() {
                self.note(&queue);
                drop(queue);
                // So may work that nobody waits for, and a result that nobody wants any more when it is dropped.
                let _ = catch_unwind(AssertUnwindSafe(work));
                queue = self.lock();
            }
            queue.resting += 1;
            let (back, rest) = self.called.wait_timeout(queue, REST).unwrap_or_else(PoisonError::into_inner);
            queue = back;
            queue.resting -= 1;
            if rest.timed_out() && queue.waiting.is_empty() {
                queue.threads -= 1;
                return;
            }
        }
    }

    fn note(&self, queue: &Queue) {
        self.wanted.store(queue.waiting.len() > queue.resting + queue.starting, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing that can panic is done under it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::{Arc, Barrier};

    use futures::executor::block_on;
    use futures::future::join_all;

    use super::*;

    fn pool() -> &'static Pool {
        Box::leak(Box::new(Pool::new()))
    }

    /// As many as wait for each other have a thread each, at once.
    #[test]
    fn who_waits_holds_nobody_up() {
        let (pool, all) = (pool(), Arc::new(Barrier::new(MOST)));
        for _ in 0..2 {
            let works = (0..MOST).map(|_| {
                let all = Arc::clone(&all);
                pool.run(move |_| all.wait().is_leader())
            });
            let leaders = block_on(join_all(works)).into_iter().filter(|leads| *leads).count();
            assert_eq!((leaders, pool.wanted.load(Ordering::SeqCst), pool.lock().threads <= MOST), (1, false, true));
        }
    }

    /// More than there are threads take turns, and whoever holds one is told that it is wanted.
    #[test]
    fn threads_are_bounded_and_go_round() {
        const WORKS: usize = 3 * MOST;
        let (pool, asked) = (pool(), Arc::new(AtomicBool::new(false)));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let works = (0..WORKS).map(|number| {
            let (asked, now, most) = (Arc::clone(&asked), Arc::clone(&now), Arc::clone(&most));
            pool.run(move |should_end| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // The first ones stay until one of them is asked to go.
                while number < MOST && !asked.load(Ordering::SeqCst) {
                    asked.fetch_or(should_end(), Ordering::SeqCst);
                    thread::yield_now();
                }
                now.fetch_sub(1, Ordering::SeqCst);
            })
        });
        assert_eq!(block_on(join_all(works)).len(), WORKS);
        assert!(most.load(Ordering::SeqCst) <= MOST && !pool.wanted.load(Ordering::SeqCst));
    }

    /// A session that could be served elsewhere would be neither greeted nor ended behind a disk that hangs.
    #[test]
    fn what_need_not_wait_for_a_thread_is_given_back() {
        let (pool, all) = (pool(), Arc::new(Barrier::new(MOST + 1)));
        let works: Vec<_> = (0..MOST)
            .map(|_| {
                let all = Arc::clone(&all);
                pool.begin(all, |all, _| {
                    all.wait();
                })
            })
            .collect();
        assert!(works.iter().all(Option::is_none), "each has a thread");
        assert_eq!(pool.begin(7, |_, _| ()), Some(7));
        assert!(!pool.wanted.load(Ordering::SeqCst), "and nobody is held up");
        all.wait();
        let (done, is_done) = std::sync::mpsc::channel();
        while pool.begin(done.clone(), |done, _| done.send(7).unwrap_or_default()).is_some() {
            thread::yield_now();
        }
        assert_eq!(is_done.recv(), Ok(7));
    }

    /// A thread that has had to do with a panic goes on, and so does everybody else.
    #[test]
    fn a_panic_that_nobody_waits_for_is_nobodys() {
        let pool = pool();
        let begun = pool.begin((), |(), _| resume_unwind(Box::new("a panic for a test")));
        assert_eq!((begun, block_on(pool.run(|_| 7))), (None, 7));
    }

    #[test]
    fn a_panic_reaches_whoever_asked_and_nobody_else() {
        let pool = pool();
        let work = pool.run(|_| resume_unwind(Box::new("a panic for a test")));
        let caught: thread::Result<()> = catch_unwind(AssertUnwindSafe(|| block_on(work)));
        assert!(caught.is_err());
        assert_eq!(block_on(pool.run(|_| 7)), 7);
    }

    #[test]
    fn what_was_asked_for_is_done_though_nobody_waits() {
        let (pool, (done, is_done)) = (pool(), std::sync::mpsc::channel());
        let mut work = Box::pin(pool.run(move |_| done.send(7)));
        assert!(futures::FutureExt::now_or_never(&mut work).is_none_or(|sent| sent.is_ok()));
        drop(work);
        assert_eq!(is_done.recv(), Ok(7));
    }

    /// A download whose session is gone would go on to its end, counted by nobody.
    #[test]
    fn long_work_that_nobody_waits_for_is_told_to_end() {
        let (pool, (told, is_told)) = (pool(), std::sync::mpsc::channel());
        let mut work = Box::pin(pool.run(move |should_end| {
            while !should_end() {
                thread::yield_now();
            }
            told.send(()).unwrap();
        }));
        assert!(futures::FutureExt::now_or_never(&mut work).is_none());
        drop(work);
        is_told.recv().unwrap();
    }
}
