//! One direction of a server's bandwidth: who waits is woken when its bytes may move. The reckoning is `fair`'s; this is
//! its lock, its clock and its one timer, which is set only while somebody waits. Knows no sockets and no files.

use std::collections::HashMap;
use std::future::poll_fn;
use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use event_listener::Event;
use futures::task::AtomicWaker;
use gftp_plugin::rt;

use super::fair::{Fair, Grant};

/// The timer is not set for less: those whose time comes close together are woken together. No rate is lost by that, since
/// what a cap gathers meanwhile is longer.
const LEAST_SLEEP: Duration = Duration::from_millis(5);

/// With so much of a grant left the next one is asked for, three of four parts: a slow peer need not stand still until its
/// turn has come, and who asks early is counted among those who share.
pub(super) const AHEAD: (u64, u64) = (3, 4);

/// What a lane's clock shows when it is made: a cap that was never used is one that was last used long ago, and the slowest
/// takes hours to gather what goes at once.
const BEGINNING: Duration = Duration::from_secs(24 * 60 * 60);

/// One direction, for all sessions.
pub struct Lane {
    state: Mutex<State>,
    /// Somebody's time comes earlier than the timer's.
    sooner: Event,
    since: Instant,
    /// The cap of the whole server.
    pub rate: Option<NonZeroU64>,
}

struct State {
    fair: Fair,
    slots: HashMap<u64, Arc<Slot>>,
    /// Until when the timer sleeps; none: it does not run.
    timer: Option<Duration>,
}

/// What one session has been granted.
#[derive(Default)]
struct Slot {
    /// Bytes that it may move.
    granted: AtomicU64,
    /// What it was last granted.
    last: AtomicU64,
    /// It has asked for more and waits.
    waits: AtomicBool,
    /// What it may have in a second, as things were when it was last granted something.
    a_second: AtomicU64,
    /// Its transfer is to end: it waits for nothing any more.
    cut: AtomicBool,
    waker: AtomicWaker,
}

/// A session's place in a lane, for as long as it is held.
pub struct Member {
    lane: Arc<Lane>,
    number: u64,
    slot: Arc<Slot>,
}

/// What holds a transfer to the caps of its session. Dropped, what was granted and has not moved is others'.
pub struct Pace {
    member: Arc<Member>,
    /// What the kernel was told to hold of what comes; 0: nothing was told.
    buffer: AtomicUsize,
}

/// The transfer was told to end while it waited.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended;

impl Lane {
    /// With this cap for all together.
    pub fn new(rate: Option<NonZeroU64>) -> Arc<Lane> {
        let state = State { fair: Fair::new(rate), slots: HashMap::new(), timer: None };
        Arc::new(Lane { state: Mutex::new(state), sooner: Event::new(), since: Instant::now(), rate })
    }

    /// A session enters; none where nothing caps it.
    pub fn enter(
        self: &Arc<Self>,
        session: Option<NonZeroU64>,
        user: Option<(&[u8], NonZeroU64)>,
    ) -> Option<Arc<Member>> {
        if session.is_none() && user.is_none() && self.rate.is_none() {
            return None;
        }
        let slot = Arc::<Slot>::default();
        let mut state = self.state();
        let number = state.fair.enter(session, user, self.now());
        state.slots.insert(number, Arc::clone(&slot));
        drop(state);
        Some(Arc::new(Member { lane: Arc::clone(self), number, slot }))
    }

    fn now(&self) -> Duration {
        BEGINNING + self.since.elapsed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deals out what there is, and sees to it that the timer goes off when there is more for who waits.
    fn deal(self: &Arc<Self>, state: &mut State) {
        let Some(next) = state.deal(self.now()) else { return };
        match state.timer {
            None => {
                state.timer = Some(next);
                rt::spawn(Arc::clone(self).keep_time());
            }
            Some(timer) if next < timer => {
                state.timer = Some(next);
                self.sooner.notify(1);
            }
            Some(_) => {}
        }
    }

    /// Deals again and again, until nobody waits.
    async fn keep_time(self: Arc<Self>) {
        loop {
            let sooner = self.sooner.listen();
            let sleep = {
                let mut state = self.state();
                let now = self.now();
                state.timer = state.deal(now);
                let Some(next) = state.timer else { return };
                next.saturating_sub(now).max(LEAST_SLEEP)
            };
            // It is the time that ends the wait, or somebody: which of them makes no difference.
            let sooner = async {
                sooner.await;
                Ok(())
            };
            let _ = rt::timeout(sleep, sooner).await;
        }
    }
}

impl State {
    fn deal(&mut self, now: Duration) -> Option<Duration> {
        for Grant { member, bytes, a_second } in self.fair.deal(now) {
            if let Some(slot) = self.slots.get(&member) {
                slot.a_second.store(a_second, Ordering::Relaxed);
                slot.last.store(bytes, Ordering::Relaxed);
                slot.waits.store(false, Ordering::Relaxed);
                slot.granted.fetch_add(bytes, Ordering::Release);
                slot.waker.wake();
            }
        }
        self.fair.next()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.lane.state();
        state.slots.remove(&self.number);
        state.fair.leave(self.number, self.lane.now());
    }
}

impl Pace {
    /// For one transfer of a session, which has no other at the time.
    pub fn new(member: &Arc<Member>) -> Pace {
        member.slot.cut.store(false, Ordering::Release);
        Pace { member: Arc::clone(member), buffer: AtomicUsize::new(0) }
    }

    /// How many bytes may move now, `most` or fewer; it waits until that is at least one. It ends at once when the transfer
    /// is [`cut`](Pace::cut).
    pub async fn allowed(&self, most: u64) -> Result<u64, Ended> {
        let slot = &self.member.slot;
        if slot.granted.load(Ordering::Acquire) == 0 {
            self.ask();
        }
        poll_fn(|cx| {
            slot.waker.register(cx.waker());
            match slot.granted.load(Ordering::Acquire) {
                _ if slot.cut.load(Ordering::Acquire) => Poll::Ready(Err(Ended)),
                0 => Poll::Pending,
                granted => Poll::Ready(Ok(granted.min(most))),
            }
        })
        .await
    }

    /// So many bytes have moved. What was allowed is not exceeded but by a record of TLS, which comes whole or not at all;
    /// that is paid for before the next bytes are allowed.
    pub fn moved(&self, bytes: u64) {
        let slot = &self.member.slot;
        let less = |granted: u64| Some(granted.saturating_sub(bytes));
        let before = slot.granted.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).unwrap_or_default();
        if bytes > before {
            let Member { lane, number, .. } = &*self.member;
            lane.state().fair.overdraw(*number, bytes - before, lane.now());
        }
        if before.saturating_sub(bytes) <= slot.last.load(Ordering::Relaxed) / AHEAD.1 * AHEAD.0 {
            self.ask();
        }
    }

    fn ask(&self) {
        let Member { lane, number, slot } = &*self.member;
        if !slot.waits.swap(true, Ordering::Relaxed) {
            let mut state = lane.state();
            state.fair.ask(*number, lane.now());
            lane.deal(&mut state);
        }
    }

    /// What the kernel should hold at most of what comes, within `sizes`, if that is to be told anew: a second's worth. The
    /// kernel is left alone where more comes, unless it was told something before.
    pub fn new_buffer(&self, sizes: RangeInclusive<usize>) -> Option<usize> {
        let a_second = usize::try_from(self.member.slot.a_second.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let (told, size) = (self.buffer.load(Ordering::Relaxed), a_second.clamp(*sizes.start(), *sizes.end()));
        let is_new = if told == 0 { size < *sizes.end() } else { size >= 2 * told || size <= told / 2 };
        if is_new {
            self.buffer.store(size, Ordering::Relaxed);
        }
        is_new.then_some(size)
    }

    /// Whoever waits for bytes to be allowed waits no more: the transfer is to end.
    pub fn cut(&self) {
        self.member.slot.cut.store(true, Ordering::Release);
        self.member.slot.waker.wake();
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        let Member { lane, number, slot } = &*self.member;
        let mut state = lane.state();
        let unmoved = slot.granted.swap(0, Ordering::AcqRel);
        slot.waits.store(false, Ordering::Relaxed);
        state.fair.rest(*number, unmoved, lane.now());
        // What is given back may be what others wait for.
        lane.deal(&mut state);
    }
}
