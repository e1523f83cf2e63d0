//! Sessions whose peers answer at once, and the threads that they have for as long as they do. A reactor's wake-ups are for those who
//! wait; of a peer whose next word comes within a fraction of a millisecond a thread hears sooner, and may block besides, so
//! that its session needs no trips to the pool. Refuses to know what a session says.

mod haste;

use std::cell::Cell;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use futures::future::BoxFuture;

use crate::give_way;
use crate::listen;
use crate::pool::{self, POOL};
use crate::rt::{self, Socket};

pub(crate) use haste::Haste;

/// Sessions with a thread of their own at once: half of the pool's are left to those who have none.
const MOST: usize = pool::MOST / 2;
/// How long a thread waits for its peer by itself: many times what a fast peer lets one wait for, and beside it going back and
/// coming again costs nothing.
const MOMENT: Duration = Duration::from_millis(10);
/// After so long it is looked whether the session is to end, or others wait for the thread.
const TURN: Duration = Duration::from_millis(20);
/// What a session may do on its thread in a row without listening: as long as a few trips to the pool take.
const WORK: Duration = Duration::from_millis(2);

/// Places that are taken.
static TAKEN: AtomicUsize = AtomicUsize::new(0);
/// More sessions have something to say than there are places. The kernel gives each thread the same, so that all who share the
/// executor's would have as little as one of those who have their own; therefore nobody has one then.
static CROWDED: AtomicBool = AtomicBool::new(false);

/// Whether those who have no thread have to wait for each other.
pub(crate) fn set_crowded(crowded: bool) {
    CROWDED.store(crowded, Ordering::Relaxed);
}

/// Whether there is a place when so many are taken.
fn may_come(taken: usize) -> bool {
    !CROWDED.load(Ordering::Relaxed) && taken < MOST
}

/// Where a task runs just now.
#[derive(Clone, Copy)]
enum Standing {
    /// On the executor or wherever; it is no session, or one that is to stay there.
    Elsewhere,
    /// On the executor; whether it asks for a thread.
    Executor { asks: bool },
    /// On a thread of its own, since the one moment in this turn, having listened at the other; whether it goes back.
    Thread { since: Instant, listened: Instant, leaves: bool },
}

thread_local! {
    static STANDING: Cell<Standing> = const { Cell::new(Standing::Elsewhere) };
}

/// What is waited for.
#[derive(Clone, Copy)]
pub(crate) enum Ready {
    Read,
    Write,
}

/// What comes of waiting.
pub(crate) enum Waited {
    Ready,
    /// It was not ready for a while, and the task is about to go elsewhere: it is polled again.
    Silence,
    /// The task is about to go elsewhere: it is polled again.
    Going,
    /// Here nobody may wait.
    Not,
}

/// Asks for a thread where the task has none and could have one; whether it is about to go there.
pub(crate) fn ask() -> bool {
    let asks = matches!(STANDING.get(), Standing::Executor { .. }) && may_come(TAKEN.load(Ordering::Relaxed));
    if asks {
        STANDING.set(Standing::Executor { asks: true });
    }
    asks
}

/// Has the task go elsewhere with its next wait, where it has a thread of its own.
pub(crate) fn leave() {
    if let Standing::Thread { since, listened, .. } = STANDING.get() {
        STANDING.set(Standing::Thread { since, listened, leaves: true });
    }
}

/// Waits for the socket to be ready, where the task has a thread of its own.
pub(crate) fn wait(socket: &Socket, ready: Ready, cx: &Context<'_>) -> Waited {
    match STANDING.get() {
        Standing::Elsewhere | Standing::Executor { .. } => Waited::Not,
        Standing::Thread { leaves: true, .. } => Waited::Going,
        Standing::Thread { .. } if CROWDED.load(Ordering::Relaxed) => {
            leave();
            Waited::Going
        }
        Standing::Thread { since, .. } if since.elapsed() > TURN => {
            cx.waker().wake_by_ref();
            Waited::Going
        }
        Standing::Thread { since, .. } => {
            let heard = match ready {
                Ready::Read => listen::can_read_within(socket, MOMENT),
                Ready::Write => listen::can_write_within(socket, MOMENT),
            };
            STANDING.set(Standing::Thread { since, listened: Instant::now(), leaves: !heard });
            if heard { Waited::Ready } else { Waited::Silence }
        }
    }
}

/// The same for who is one of several that wait; the others have their turn first. False where nobody may wait here.
pub(crate) async fn wait_beside(socket: &Socket, ready: Ready) -> bool {
    if !is_here() {
        return false;
    }
    others_first().await;
    poll_fn(|cx| match wait(socket, ready, cx) {
        Waited::Ready => Poll::Ready(true),
        Waited::Not => Poll::Ready(false),
        Waited::Silence | Waited::Going => Poll::Pending,
    })
    .await
}

/// Whether the task has a thread of its own. Then nothing it waits for need wake it: it is polled again elsewhere.
pub(crate) fn is_here() -> bool {
    matches!(STANDING.get(), Standing::Thread { .. })
}

/// Whether it has one, and has listened to its peer so lately that it may do what blocks, here and now.
pub(crate) fn may_work() -> bool {
    matches!(STANDING.get(), Standing::Thread { listened, leaves: false, .. } if listened.elapsed() < WORK)
}

/// Does what may be long where the task has a thread of its own and may work, after all others that are polled with it; it is told
/// to end after a moment. Gives it back where it is to be done elsewhere.
pub(crate) async fn work_long<T, W: FnOnce(&dyn Fn() -> bool) -> T>(work: W) -> Result<T, W> {
    if may_work() {
        others_first().await;
    }
    if !may_work() {
        return Err(work);
    }
    let since = Instant::now();
    Ok(work(&|| {
        give_way::give_way();
        since.elapsed() > MOMENT
    }))
}

/// Comes with the next turn of this thread, before which whatever is polled with it has its own.
async fn others_first() {
    let mut had_it = false;
    poll_fn(|cx| {
        if mem::replace(&mut had_it, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A session as a task.
pub(crate) struct Session(At);

enum At {
    Executor(BoxFuture<'static, ()>),
    /// Comes back with the session, unless that has ended.
    Thread(oneshot::Receiver<Option<BoxFuture<'static, ()>>>),
    Over,
}

/// Begins a session, on a thread at once where it has a place for that.
pub(crate) fn begin(session: impl Future<Output = ()> + Send + 'static, place: Option<Place>) {
    let session: BoxFuture<'static, ()> = Box::pin(session);
    let Some(place) = place else { return spawn(session) };
    // No task waits for it: most of those who begin there end there.
    let refused = POOL.begin((session, place), |(session, place), should_end| {
        let left = stay(session, &place, should_end);
        drop(place);
        if let Some(session) = left {
            spawn(session);
        }
    });
    if let Some((session, _)) = refused {
        spawn(session);
    }
}

fn spawn(session: BoxFuture<'static, ()>) {
    drop(rt::spawn(Session(At::Executor(session))));
}

impl Future for Session {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut standing = Standing::Executor { asks: false };
        loop {
            let (next, polled) = match mem::replace(&mut self.0, At::Over) {
                At::Thread(mut back) => match Pin::new(&mut back).poll(cx) {
                    Poll::Ready(Ok(Some(session))) => (At::Executor(session), None),
                    // It has ended; where nothing comes, by a panic.
                    Poll::Ready(Ok(None) | Err(oneshot::Canceled)) => (At::Over, Some(Poll::Ready(()))),
                    Poll::Pending => (At::Thread(back), Some(Poll::Pending)),
                },
                At::Executor(mut session) => {
                    let (polled, stood) = standing_at(standing, || session.as_mut().poll(cx));
                    match stood {
                        Standing::Executor { asks: true } if polled.is_pending() => {
                            // It waits for nothing here, so that it has to be polled again where there is no place.
                            standing = Standing::Elsewhere;
                            (thread_for(session), None)
                        }
                        _ => (At::Executor(session), Some(polled)),
                    }
                }
                At::Over => (At::Over, Some(Poll::Ready(()))),
            };
            self.0 = next;
            if let Some(polled) = polled {
                return polled;
            }
        }
    }
}

/// Gives the session a thread if there is a place for it, and one that is free: it must not wait for those who wait for a disk.
fn thread_for(session: BoxFuture<'static, ()>) -> At {
    let Some(place) = Place::take_if(|| true) else { return At::Executor(session) };
    let (give, back) = oneshot::channel();
    let refused = POOL.begin((session, place, give), |(session, place, give), is_wanted| {
        let left = stay(session, &place, &|| is_wanted() || give.is_canceled());
        drop(place);
        // The task may be gone by now, and with it the session.
        let _ = give.send(left);
    });
    match refused {
        Some((session, ..)) => At::Executor(session),
        None => At::Thread(back),
    }
}

/// Polls it on this thread, until it has ended or has to wait for more than its peer.
fn stay(
    mut session: BoxFuture<'static, ()>,
    _place: &Place,
    should_end: &dyn Fn() -> bool,
) -> Option<BoxFuture<'static, ()>> {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    loop {
        let now = Instant::now();
        let standing = Standing::Thread { since: now, listened: now, leaves: false };
        let (polled, stood) = standing_at(standing, || session.as_mut().poll(&mut Context::from_waker(&waker)));
        if polled.is_ready() {
            return None;
        }
        let leaves = matches!(stood, Standing::Thread { leaves: true, .. });
        if leaves || !woken.0.swap(false, Ordering::SeqCst) || should_end() {
            return Some(session);
        }
    }
}

fn standing_at<T>(standing: Standing, work: impl FnOnce() -> T) -> (T, Standing) {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            STANDING.set(Standing::Elsewhere);
        }
    }
    STANDING.set(standing);
    let _leave = Leave;
    (work(), STANDING.get())
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A place among those who have a thread of their own.
pub struct Place(());

impl Place {
    /// Takes one if there is one, and it is wanted then.
    pub(crate) fn take_if(is_wanted: impl FnOnce() -> bool) -> Option<Place> {
        let one_more = |taken| may_come(taken).then_some(taken + 1);
        let place = TAKEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Place(()))?;
        is_wanted().then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        TAKEN.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
