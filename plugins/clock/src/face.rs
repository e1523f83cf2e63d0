//! What the clock shows now: one line for all clients, and the one timer that renews it. Knows no connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use event_listener::{Event, EventListener};
use futures::future::select;
use futures::pin_mut;
use gftp_plugin::{Time, rt};

use crate::zone::{Format, Zone};

const SECOND: Duration = Duration::from_secs(1);

/// The face of a clock.
pub(crate) struct Face {
    time: Time,
    zone: Zone,
    format: Format,
    shown: Mutex<Shown>,
    /// Another line is shown.
    ticked: Event,
    /// The last watcher has left.
    alone: Event,
}

struct Shown {
    /// The line, with its line end. Who is late finds the newest here and none of those between.
    line: Arc<[u8]>,
    /// How many lines there were. A second may come again, when somebody sets the clock, so it is no name for a line.
    number: u64,
    /// The second that it shows, since 1970.
    second: Option<i64>,
    watchers: usize,
    /// Whether there is a task that ticks.
    ticking: bool,
}

/// Somebody who looks at the clock. It ticks while there is one.
pub(crate) struct Watcher<'a> {
    face: &'a Face,
    /// The number of the line that was taken last.
    seen: u64,
}

impl Face {
    pub(crate) fn new(time: Time, zone: Zone, format: Format) -> Face {
        let shown = Shown { line: Arc::new([]), number: 0, second: None, watchers: 0, ticking: false };
        Face { time, zone, format, shown: Mutex::new(shown), ticked: Event::new(), alone: Event::new() }
    }

    /// One watcher more.
    pub(crate) fn watch(self: &Arc<Self>) -> Watcher<'_> {
        let mut shown = self.shown();
        shown.watchers += 1;
        // What is shown may be old: nothing ticked while nobody watched, and a second may have begun this very moment.
        self.renew(&mut shown);
        if !shown.ticking {
            shown.ticking = true;
            rt::spawn(tick(Arc::clone(self)));
        }
        Watcher { face: self, seen: 0 }
    }

    /// Shows the time, and says when the next second begins, by [`Time::elapsed`]. None: nobody watches any more, and
    /// whoever asks need not tick.
    fn next_second(&self) -> Option<Duration> {
        let mut shown = self.shown();
        if shown.watchers == 0 {
            shown.ticking = false;
            return None;
        }
        Some(self.renew(&mut shown))
    }

    fn renew(&self, shown: &mut Shown) -> Duration {
        // In this order: what lies between the two makes the timer go off early, which costs a look, and not late.
        let elapsed = self.time.elapsed();
        let (second, into) = split(self.time.now());
        // Also where it is earlier than the last: then somebody has set the clock.
        if shown.second != Some(second) {
            shown.second = Some(second);
            shown.number += 1;
            let mut line = self.zone.format(second, &self.format);
            line.push('\n');
            shown.line = line.into_bytes().into();
            self.ticked.notify(usize::MAX);
        }
        elapsed + (SECOND - into)
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        // A panic elsewhere cannot leave it half-written: what can fail is done before anything is changed.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renews the line when a second begins, for as long as somebody watches. The timer is set by the clock on the wall each
/// time, so that nothing adds up; one that goes off early finds the same second, and is set again.
async fn tick(face: Arc<Face>) {
    loop {
        let alone = face.alone.listen();
        let Some(at) = face.next_second() else { return };
        let next = face.time.sleep_until(at);
        pin_mut!(next);
        select(next, alone).await;
    }
}

impl Watcher<'_> {
    /// The line that is shown, where this watcher has not taken it yet; and what comes when there is another.
    pub(crate) fn look(&mut self) -> (Option<Arc<[u8]>>, EventListener) {
        let ticked = self.face.ticked.listen();
        let shown = self.face.shown();
        let is_new = shown.number != self.seen;
        self.seen = shown.number;
        (is_new.then(|| Arc::clone(&shown.line)), ticked)
    }
}

impl Drop for Watcher<'_> {
    fn drop(&mut self) {
        let mut shown = self.face.shown();
        shown.watchers -= 1;
        if shown.watchers == 0 {
            self.face.alone.notify(usize::MAX);
        }
    }
}

/// The second since 1970 that has begun, and how much of it is over.
fn split(now: SystemTime) -> (i64, Duration) {
    let whole = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let part = |time: Duration| Duration::from_nanos(time.subsec_nanos().into());
    match now.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => (whole(since), part(since)),
        Err(before) => match (whole(before.duration()), part(before.duration())) {
            (seconds, Duration::ZERO) => (-seconds, Duration::ZERO),
            (seconds, rest) => (-seconds - 1, SECOND - rest),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A timer that goes off early, and whoever looks in between, finds the second that is shown already.
    #[test]
    fn no_second_is_shown_twice() {
        let (time, hand) = Time::by_hand(SystemTime::UNIX_EPOCH + Duration::from_millis(500));
        let format = "%H:%M:%S".parse().expect("it is one");
        let zone = Zone::of_environment(Some("UTC".as_ref())).expect("it is one");
        let face = Arc::new(Face::new(time, zone, format));
        assert_eq!(face.next_second(), None, "nobody watches");
        let mut watcher = face.watch();
        assert_eq!(watcher.look().0.as_deref(), Some(&b"00:00:00\n"[..]));
        hand.advance(Duration::from_millis(499));
        assert_eq!(face.next_second(), Some(Duration::from_millis(500)));
        assert!(watcher.look().0.is_none());
        hand.advance(Duration::from_millis(1));
        assert_eq!(face.next_second(), Some(Duration::from_millis(1500)));
        assert_eq!(watcher.look().0.as_deref(), Some(&b"00:00:01\n"[..]));
        assert_eq!(face.watch().look().0.as_deref(), Some(&b"00:00:01\n"[..]));
        assert!(watcher.look().0.is_none());
        hand.set(SystemTime::UNIX_EPOCH);
        face.next_second();
        assert_eq!(watcher.look().0.as_deref(), Some(&b"00:00:00\n"[..]), "the clock was set back");
    }

    #[test]
    fn seconds_begin_where_they_begin() {
        let (epoch, ms) = (SystemTime::UNIX_EPOCH, Duration::from_millis);
        assert_eq!(split(epoch), (0, ms(0)));
        assert_eq!(split(epoch + ms(1999)), (1, ms(999)));
        assert_eq!(split(epoch - ms(1)), (-1, ms(999)));
        assert_eq!(split(epoch - ms(2000)), (-2, ms(0)));
    }
}
