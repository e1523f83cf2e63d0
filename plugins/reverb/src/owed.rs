//! The echoes that a connection is still owed, and when each is due. Pure: time is a number that others tell.

use std::time::Duration;

/// Shouts in the air at once: as many as somebody could type in the second or two that one lasts, and more.
pub const MOST_SHOUTS: usize = 64;
/// Bytes of shouts in the air at once, beyond which no more is listened to; one more line may come on top. A few long
/// lines: a connection should not cost much more than its socket's buffers.
pub const MOST_BYTES: usize = 64 * 1024;

/// The shouts in the air.
pub struct Owed {
    delay: Duration,
    most: usize,
    /// In the order they came.
    shouts: Vec<Shout>,
    bytes: usize,
}

struct Shout {
    text: Vec<u8>,
    /// The echoes that have been said.
    said: u8,
    due: Duration,
}

impl Owed {
    /// Nothing yet. `delay` is from one echo of a shout to the next; `sequential` lets no two shouts overlap.
    pub fn new(delay: Duration, sequential: bool) -> Self {
        let most = if sequential { 1 } else { MOST_SHOUTS };
        Owed { delay, most, shouts: Vec::new(), bytes: 0 }
    }

    /// A shout, at this time.
    pub fn add(&mut self, now: Duration, text: &[u8]) {
        self.bytes += text.len();
        self.shouts.push(Shout { text: text.to_vec(), said: 0, due: now });
    }

    /// Whether no more should be listened to for now.
    pub fn is_full(&self) -> bool {
        self.shouts.len() >= self.most || self.bytes >= MOST_BYTES
    }

    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.shouts.is_empty()
    }

    /// When the next echo is due.
    pub fn due(&self) -> Option<Duration> {
        self.shouts.iter().map(|shout| shout.due).min()
    }

    /// Says what is due by now, in the order in which it was.
    pub fn say(&mut self, now: Duration, out: &mut Vec<u8>) {
        // Of those that are due at one time, the one that was shouted first comes first.
        while let Some(at) = (0..self.shouts.len()).min_by_key(|&at| self.shouts[at].due)
            && self.shouts[at].due <= now
        {
            let shout = &mut self.shouts[at];
            out.extend_from_slice(b"\t ");
            match shout.said {
                0 => changed(&shout.text, str::to_uppercase, out),
                1 => out.extend_from_slice(&shout.text),
                _ => changed(&shout.text, str::to_lowercase, out),
            }
            out.push(b'\n');
            (shout.said, shout.due) = (shout.said + 1, shout.due + self.delay);
            if shout.said == 3 {
                self.bytes -= self.shouts.remove(at).text.len();
            }
        }
    }
}

/// Text changed letter by letter; what is no UTF-8 stays as it is.
fn changed(text: &[u8], change: fn(&str) -> String, out: &mut Vec<u8>) {
    for chunk in text.utf8_chunks() {
        out.extend_from_slice(change(chunk.valid()).as_bytes());
        out.extend_from_slice(chunk.invalid());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn said(owed: &mut Owed, now: u64) -> String {
        let mut out = Vec::new();
        owed.say(seconds(now), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn echoes_overlap_in_order() {
        let mut owed = Owed::new(seconds(2), false);
        owed.add(seconds(0), b"Is there");
        assert_eq!(said(&mut owed, 0), "\t IS THERE\n");
        owed.add(seconds(1), b"anybody");
        assert_eq!((owed.due(), said(&mut owed, 1).as_str()), (Some(seconds(1)), "\t ANYBODY\n"));
        assert_eq!(said(&mut owed, 2), "\t Is there\n");
        // A late hand says what it has missed as it would have been.
        assert_eq!(said(&mut owed, 9), "\t anybody\n\t is there\n\t anybody\n");
        assert!(owed.is_empty() && owed.due().is_none());
    }

    #[test]
    fn without_a_delay_a_shout_is_whole() {
        let mut owed = Owed::new(seconds(0), false);
        owed.add(seconds(0), "Grüße".as_bytes());
        owed.add(seconds(0), b"b\xff");
        let mut out = Vec::new();
        owed.say(seconds(0), &mut out);
        assert_eq!(out, ["\t GRÜSSE\n\t Grüße\n\t grüße\n".as_bytes(), b"\t B\xff\n\t b\xff\n\t b\xff\n"].concat());
    }

    #[test]
    fn what_is_in_the_air_is_bounded() {
        let mut one = Owed::new(seconds(1), true);
        one.add(seconds(0), b"a");
        assert!(one.is_full());
        let mut many = Owed::new(seconds(1), false);
        (0..MOST_SHOUTS - 1).for_each(|_| many.add(seconds(0), b"a"));
        assert!(!many.is_full());
        many.add(seconds(0), b"a");
        assert!(many.is_full());
        let mut long = Owed::new(seconds(1), false);
        long.add(seconds(0), &[b'a'; MOST_BYTES]);
        assert!(long.is_full());
        for now in 0..3 {
            said(&mut long, now);
        }
        assert!(!long.is_full() && long.bytes == 0);
    }
}
