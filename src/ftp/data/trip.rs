//! A trip to the pool: as much of a transfer as can be done without waiting for long, window after window.
//! Refuses to know what moves, and which way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gftp_plugin::rt::{self, Socket};

use super::super::pace::Pace;
use super::pump::Traffic;
use super::sealed::Sealed;

/// How long a trip waits for its peer by itself: many times what a fast peer lets one wait for, and beside it going back and
/// coming again costs nothing.
const MOMENT: Duration = Duration::from_millis(10);
/// What a trip moves before it looks whether it should end, and before STAT can see it: a fraction of a millisecond at memory
/// speed, and a second of a very slow disk.
const WINDOW: u64 = 1024 * 1024;
/// What it moves where the windows before have been [`QUICK`]: one connection is faster by 4 % then, eight are as fast. A disk that
/// becomes slow all of a sudden has one of them.
const LARGEST_WINDOW: u64 = 8 * WINDOW;
/// A window that takes no longer may be followed by a larger one: the largest at 2 GB/s, and nobody who waits for the trip's end
/// notices.
const QUICK: Duration = Duration::from_millis(4);
/// A trip under a cap has some windows, so that the next bytes are asked for before these have gone; but none smaller than
/// this, which would cost more than it helps.
const LEAST_WINDOW: u64 = 64 * 1024;

/// How one window of a trip has ended, and so how the trip goes on.
pub(super) trait WindowEnd {
    /// What comes next.
    fn next(&self) -> Next;
}

/// What comes after a window of a trip.
pub(super) enum Next {
    /// Another one.
    Window,
    /// Another one, once the peer is ready.
    Wait,
    /// Nothing.
    End,
}

/// A data connection as a trip has it.
pub(super) struct Wire {
    pub(super) socket: Arc<Socket>,
    sealed: Option<Arc<Mutex<Sealed>>>,
    moved: Arc<AtomicU64>,
    pace: Option<Arc<Pace>>,
}

impl Wire {
    pub(super) fn of(traffic: &Traffic) -> Wire {
        let Traffic { socket, sealed, moved, pace, .. } = traffic;
        Wire { socket: Arc::clone(socket), sealed: sealed.clone(), moved: Arc::clone(moved), pace: pace.clone() }
    }

    /// Its TLS, where there is any.
    pub(super) fn sealed(&self) -> Option<MutexGuard<'_, Sealed>> {
        // A panic while it is held ends the transfer.
        self.sealed.as_ref().map(|sealed| sealed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A trip of `limit` bytes: one `window` after another, which is told how many bytes have gone and how many may, for as long
    /// as the peer keeps up, which a look with the time to wait for it tells, and until it `should_end`. How many have gone,
    /// whatever happened then. Each window is told of when it is over, so that whoever asked for the trip tells of nothing.
    pub(super) fn trip<E: WindowEnd>(
        &self,
        limit: u64,
        mut window: impl FnMut(u64, u64) -> (u64, E),
        is_ready: impl Fn(Duration) -> bool,
        should_end: &dyn Fn() -> bool,
    ) -> (u64, E) {
        let told = |gone, most| {
            let began = Instant::now();
            let (moved, end) = window(gone, most);
            self.moved.fetch_add(moved, Ordering::Relaxed);
            if let Some(pace) = &self.pace {
                pace.moved(moved);
            }
            (moved, end, began.elapsed())
        };
        let first = if self.pace.is_some() { (limit / 4).clamp(LEAST_WINDOW, WINDOW) } else { WINDOW };
        // A trip gives way to others after each window only.
        let largest = || if self.pace.is_some() || rt::is_to_give_way() { first } else { LARGEST_WINDOW };
        windows(limit, (first, largest), told, is_ready, should_end)
    }
}

/// Whether the next trip waits for its peer by itself. The last one did or not, in vain or not, and then the reactor had to wait for
/// so long. Whoever lets one wait in vain would do so again: a hundred clients who together take what one can would hold a hundred
/// threads, all of which wait.
pub(super) fn waits_next(waits: bool, in_vain: bool, time: Duration) -> bool {
    !in_vain && (waits || time < MOMENT)
}

/// The first window has the first size, and so has one after a slow one; others grow to the largest.
fn windows<E: WindowEnd>(
    limit: u64,
    (first, largest): (u64, impl Fn() -> u64),
    mut window: impl FnMut(u64, u64) -> (u64, E, Duration),
    is_ready: impl Fn(Duration) -> bool,
    should_end: &dyn Fn() -> bool,
) -> (u64, E) {
    let (mut gone, mut size, mut was_ready) = (0, first, false);
    loop {
        let asked = size.min(limit.saturating_sub(gone));
        let (moved, end, time) = window(gone, asked);
        gone += moved;
        if time > QUICK {
            size = first;
        } else if moved >= asked {
            size *= 2;
        }
        size = size.min(largest());
        let goes_on = match end.next() {
            Next::Window => gone < limit && !should_end(),
            // One that is ready and gives nothing is not for this road: an urgent byte (RFC 9293 §3.8.5), say.
            Next::Wait if was_ready && moved == 0 => false,
            Next::Wait => !should_end() && is_ready(MOMENT),
            Next::End => false,
        };
        if !goes_on {
            return (gone, end);
        }
        was_ready = matches!(end.next(), Next::Wait);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io;

    use super::*;

    /// What windows come to, one after another: as much as there may be, or so few bytes and the peer lets us wait.
    fn trip(limit: u64, waits: &[u64], ready: u32, wanted: u32) -> (u64, bool) {
        let (asked, looked, turn) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let window = |gone: u64, most: u64| {
            assert!(most <= WINDOW && gone + most <= limit);
            let little = waits.get(turn.replace(turn.get() + 1)).filter(|little| **little < most);
            let (moved, end) =
                little.map_or((most, Ok(())), |little| (*little, Err(io::Error::from(io::ErrorKind::WouldBlock))));
            (moved, end, Duration::ZERO)
        };
        let (gone, end) = windows(
            limit,
            (WINDOW, || WINDOW),
            window,
            |moment| moment == MOMENT && looked.replace(looked.get() + 1) < ready,
            &|| asked.replace(asked.get() + 1) >= wanted,
        );
        (gone, end.is_ok())
    }

    /// A peer that drips must not hold a thread which others want, nor one that rests hold any.
    #[test]
    fn a_trip_goes_on_until_the_peer_rests_or_others_wait() {
        const ALWAYS: u32 = u32::MAX;
        const ALL: u64 = u64::MAX;
        let whole = 3 * WINDOW + 5;
        assert_eq!(trip(whole, &[], 0, ALWAYS), (whole, true), "all of it");
        assert_eq!(trip(0, &[], 0, ALWAYS), (0, true), "nothing, which may have to be flushed");
        assert_eq!(trip(whole, &[], 0, 1), (2 * WINDOW, true), "others wait after the second window");
        assert_eq!(trip(whole, &[ALL, 7], 0, ALWAYS), (WINDOW + 7, false), "the peer rests");
        assert_eq!(trip(whole, &[7, 7], 2, ALWAYS), (whole, true), "the peer drips, and nobody minds");
        assert_eq!(trip(whole, &[7; 99], ALWAYS, 20), (21 * 7, false), "the peer drips, and others wait");
        assert_eq!(trip(whole, &[7, 0, 7], ALWAYS, ALWAYS), (7, false), "the peer is ready and gives nothing");
        assert_eq!(trip(whole, &[0, 7, 0], ALWAYS, ALWAYS), (7, false), "and the same later");
    }

    #[test]
    fn who_lets_trips_wait_in_vain_is_waited_for_elsewhere() {
        let (soon, late) = (MOMENT - Duration::from_micros(1), MOMENT);
        let after = [(false, late), (true, soon), (false, late), (false, soon), (true, late)].into_iter();
        let waits = after.scan(true, |waits, (in_vain, time)| {
            *waits = waits_next(*waits, in_vain, time);
            Some(*waits)
        });
        assert_eq!(waits.collect::<Vec<_>>(), [true, false, false, true, false]);
    }

    /// Whoever waits for the end of a trip, or for a number in STAT, waits for a window.
    #[test]
    fn windows_grow_while_they_are_quick() {
        let slow = QUICK + Duration::from_millis(1);
        // How much may move, and does; the last one may have what is left.
        let windows_are = [
            (1, 1, QUICK),
            (2, 2, QUICK),
            (4, 3, QUICK),
            (4, 4, QUICK),
            (8, 8, QUICK),
            (8, 8, slow),
            (1, 1, QUICK),
            (1, 1, QUICK),
        ];
        let (mut asked, mut turn) = (Vec::new(), windows_are.iter());
        let window = |_, most: u64| {
            asked.push(most / WINDOW);
            let (_, moved, time) = turn.next().copied().unwrap_or((0, 0, slow));
            (moved * WINDOW, io::Result::Ok(()), time)
        };
        let all = windows_are.iter().map(|(_, moved, _)| moved).sum::<u64>();
        let (gone, _) = windows(all * WINDOW, (WINDOW, || LARGEST_WINDOW), window, |_| false, &|| false);
        let expected: Vec<_> = windows_are.iter().map(|(most, ..)| *most).collect();
        assert_eq!((gone, asked), (all * WINDOW, expected));
    }

    /// A large one that was begun when nobody was there is followed by small ones.
    #[test]
    fn windows_stay_small_while_others_wait_for_their_ends() {
        let (mut asked, turn) = (Vec::new(), Cell::new(0));
        let window = |_, most: u64| {
            asked.push(most / WINDOW);
            turn.set(turn.get() + 1);
            (most, io::Result::Ok(()), Duration::ZERO)
        };
        let largest = || if (3..6).contains(&turn.get()) { WINDOW } else { LARGEST_WINDOW };
        let (gone, _) = windows(14 * WINDOW, (WINDOW, largest), window, |_| false, &|| false);
        assert_eq!((gone, asked), (14 * WINDOW, vec![1, 2, 4, 1, 1, 1, 2, 2]));
    }
}
