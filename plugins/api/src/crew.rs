//! How many threads run the tasks. One is best where few sessions have something to say: of two, the one that hears of an event wakes
//! the other. Where many do and have to wait for their turn, more are better. A task that wants to be woken at a time measures that, by
//! how late it is. Refuses to know what the tasks do.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_io::Timer;
use event_listener::Event;

use crate::own_thread;

/// How often it is looked: a crowd waits for some of them before it is helped, and each costs some 20 µs.
const BEAT: Duration = Duration::from_millis(20);
/// How many beats later it is looked where there is no crowd: a tenth of a second. One download of what is in memory, whose two
/// threads each look would disturb, is faster by 4 %.
const LAZY: u32 = 5;
/// Who is later than this had to wait for others: to be woken takes 50 to 150 µs, and a command as long.
const LATE: Duration = Duration::from_micros(400);
/// With fewer who say something in a beat, it is rarely them one has to wait for, but others on this machine, or transfers on threads
/// of their own.
const SEVERAL: u32 = 4;
/// Others on this machine let nobody wait for so long, as a rule: it is work that the tasks themselves have, handshakes for instance.
const VERY_LATE: Duration = Duration::from_millis(5);
/// Late so often, of as many again, means a crowd and no coincidence.
const CROWD: u32 = 4;
/// Not late for so many beats (two seconds) means that there is none any more.
const CALM: u32 = 100;
/// As many of them a late one counts for.
const UNREST: u32 = 10;

/// The number of the next look, which is never 0.
static NUMBER: AtomicU32 = AtomicU32::new(1);
/// Connections whose peers have said something since the last one.
static VOICES: AtomicU32 = AtomicU32::new(0);
/// Rung by the first of them.
static BELL: Event = Event::new();

/// What a connection remembers of when its peer was heard.
#[derive(Default)]
pub(crate) struct Voice(u32);

impl Voice {
    /// The peer has said something.
    pub(crate) fn raise(&mut self) {
        let number = NUMBER.load(Ordering::Relaxed);
        if self.0 != number {
            self.0 = number;
            if VOICES.fetch_add(1, Ordering::SeqCst) == 0 {
                BELL.notify(1);
            }
        }
    }
}

/// As many threads as there may be: half of the cores, since what costs time is done on the pool, but two where there are two.
pub(crate) fn most() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).max(cores.min(2))
}

/// Adds threads and takes them away, for ever. Where nobody says anything it rests.
pub(crate) async fn follow() {
    let (mut pulse, mut added) = (Pulse::default(), 0);
    loop {
        let due = Instant::now() + BEAT * pulse.beats();
        Timer::at(due).await;
        NUMBER.store(NUMBER.load(Ordering::Relaxed).wrapping_add(1).max(1), Ordering::Relaxed);
        let voices = VOICES.swap(0, Ordering::SeqCst);
        match pulse.look(due.elapsed(), voices) {
            Some(Change::More) => {
                own_thread::set_crowded(voices >= SEVERAL);
                // Where the system lets us have no more, there are no more.
                added += async_global_executor::spawn_more_threads(1).await.unwrap_or(0);
            }
            Some(Change::Fewer) => {
                own_thread::set_crowded(false);
                if added > 0 {
                    added -= usize::from(async_global_executor::stop_thread().await);
                } else if voices == 0 {
                    rest().await;
                }
            }
            None => {}
        }
    }
}

/// Until somebody says something.
async fn rest() {
    let rung = BELL.listen();
    if VOICES.load(Ordering::SeqCst) == 0 {
        rung.await;
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Change {
    More,
    Fewer,
}

/// What was seen lately.
#[derive(Default)]
struct Pulse {
    /// There may be a crowd.
    alert: bool,
    /// Late beats, less the others.
    crowd: u32,
    /// The others, less the late ones.
    calm: u32,
}

impl Pulse {
    /// How many beats there are until the next look.
    fn beats(&self) -> u32 {
        if self.alert { 1 } else { LAZY }
    }

    /// A look, so much later than it was due, and as many who have said something since the last one.
    fn look(&mut self, late: Duration, voices: u32) -> Option<Change> {
        let (beats, several) = (self.beats(), voices >= SEVERAL);
        let waited = late > LATE && several;
        if late > VERY_LATE || waited && self.alert {
            (self.crowd, self.calm) = (self.crowd + 1, self.calm.saturating_sub(UNREST * beats));
        } else if !waited {
            (self.crowd, self.calm) = (self.crowd.saturating_sub(beats), self.calm + beats);
        }
        // As many in a tenth of a second may be a crowd, which the next look tells.
        self.alert = several || self.crowd > 0;
        if self.crowd >= CROWD {
            self.crowd = 0;
            return Some(Change::More);
        }
        (self.calm >= CALM).then(|| {
            self.calm = 0;
            Change::Fewer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of beats that are late by so many microseconds, for who looks at each.
    fn changes(beats: impl IntoIterator<Item = u64>, voices: u32) -> Vec<Change> {
        let mut pulse = Pulse { alert: true, ..Pulse::default() };
        beats.into_iter().filter_map(|late| pulse.look(Duration::from_micros(late), voices)).collect()
    }

    #[test]
    fn a_crowd_gets_more_and_a_coincidence_does_not() {
        assert_eq!(changes([900; 4], SEVERAL), [Change::More]);
        assert_eq!(changes([900; 8], SEVERAL), [Change::More, Change::More]);
        assert_eq!(changes([900, 100].repeat(50), SEVERAL), []);
        assert_eq!(changes([900, 900, 100].repeat(3), SEVERAL), [Change::More]);
    }

    /// Whoever is late then, it is not for the few who say something.
    #[test]
    fn few_get_more_only_where_they_wait_for_long() {
        assert_eq!(changes([900; 20], SEVERAL - 1), []);
        assert_eq!(changes([9_000; 4], 0), [Change::More]);
    }

    #[test]
    fn what_is_not_needed_goes_after_a_while() {
        assert_eq!(changes([100; 99], SEVERAL), []);
        assert_eq!(changes([100; 200], SEVERAL), [Change::Fewer, Change::Fewer]);
        // One late beat puts it off, and does not forbid it.
        let beats = [[100; 99].as_slice(), &[900], &[100; 12]].concat();
        assert_eq!((changes(beats[..110].to_vec(), SEVERAL), changes(beats, SEVERAL)), (vec![], vec![Change::Fewer]));
    }
    #[test]
    fn it_looks_seldom_until_there_may_be_a_crowd() {
        let (mut pulse, prompt, late) = (Pulse::default(), Duration::from_micros(100), Duration::from_micros(900));
        let mut beats = |late, voices| (pulse.look(late, voices), pulse.beats());
        assert_eq!(beats(late, SEVERAL - 1), (None, LAZY));
        assert_eq!(beats(prompt, SEVERAL), (None, 1));
        assert_eq!(beats(prompt, SEVERAL - 1), (None, LAZY));
        assert_eq!(beats(VERY_LATE + late, 0), (None, 1));
        assert_eq!(beats(prompt, 0), (None, LAZY));
        // The first look finds a crowd, and then it has to be one.
        let looks: Vec<_> = (0..=CROWD).filter_map(|_| beats(late, SEVERAL).0).collect();
        assert_eq!(looks, [Change::More]);
        let calm = (0..CALM).position(|_| beats(prompt, 0).0 == Some(Change::Fewer));
        assert!(calm.is_some_and(|looks| looks < (CALM / LAZY) as usize + 2), "{calm:?}");
    }
}
