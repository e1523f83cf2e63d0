//! What offences come to: points for an address and for the network around it, which time and good conduct take off again.
//! Pure: time is a parameter. What happens to who has too many is `bans.rs`'s.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use gftp_plugin::{Guess, Offence};
use ipnet::IpNet;

/// Points of one wrong password; the others are parts of it.
pub const POINTS: u32 = 20;
/// How long it takes until a full score is forgotten: who guesses more slowly than this tries some hundred passwords a day,
/// of which none should be that bad; and who mistypes a few times a day is never near it.
pub const FORGOTTEN_WITHIN: Duration = Duration::from_secs(3600);
/// Guesses that are told from each other, for each address: as many people behind it may be mistyping at once.
const GUESSES: usize = 8;

/// The points of an offence.
fn points(offence: Offence) -> u32 {
    match offence {
        Offence::WrongPassword(_) => POINTS,
        // A person who types the address into a browser makes some of these; a scanner makes them all day.
        Offence::Http | Offence::LongLine => POINTS,
        // Certificates are refused by people who look at them, and networks fail.
        Offence::NoLogin | Offence::FailedHandshake => POINTS / 2,
        Offence::UnknownCommand => POINTS / 10,
        // Of each connection that was turned away, so hundreds of them are as bad as twenty guesses.
        Offence::TooFast => POINTS / 20,
    }
}

/// A password that was tried already: a forgotten program with an old password, not a guess.
const SAME_GUESS: u32 = POINTS / 20;

/// An address, as far as it is one household's: IPv4's itself, IPv6's /64.
pub fn narrow(address: IpAddr) -> IpNet {
    around(address, 32, 64)
}

/// The network around it, which is somebody's: IPv4's /24, IPv6's /48.
pub fn wide(address: IpAddr) -> IpNet {
    around(address, 24, 48)
}

fn around(address: IpAddr, v4: u8, v6: u8) -> IpNet {
    let bits = if address.is_ipv4() { v4 } else { v6 };
    // These lengths are lengths of both families.
    IpNet::new(address, bits).unwrap_or_else(|_| IpNet::from(address)).trunc()
}

/// One address's or network's.
#[derive(Debug, Default)]
pub struct Score {
    points: u32,
    /// Up to when time has been taken off.
    since: Option<Instant>,
    guesses: [Option<Guess>; GUESSES],
    next: usize,
}

impl Score {
    /// The points of an offence, as far as this address has not had them for the same already. Guesses are remembered.
    pub fn weigh(&mut self, offence: Offence) -> u32 {
        let Offence::WrongPassword(guess) = offence else { return points(offence) };
        if self.guesses.contains(&Some(guess)) {
            return SAME_GUESS;
        }
        self.guesses[self.next] = Some(guess);
        self.next = (self.next + 1) % GUESSES;
        points(offence)
    }

    /// Adds points; true if there are more now than `most`, all of which time takes off within [`FORGOTTEN_WITHIN`].
    pub fn add(&mut self, points: u32, most: u32, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let gone =
            now.saturating_duration_since(since).as_secs_f64() / FORGOTTEN_WITHIN.as_secs_f64() * f64::from(most);
        // Whole points are taken off, and what is left of the time is kept for the next.
        if gone >= 1.0 {
            self.points = self.points.saturating_sub(gone as u32);
            self.since = Some(now);
        }
        if self.points == 0 {
            self.since = Some(now);
        }
        self.points = self.points.saturating_add(points);
        self.points > most
    }

    /// The right password of `who` was given: what had been tried for it were mistakes. The points that are taken off again.
    pub fn forgive(&mut self, who: u32) -> u32 {
        let mut forgiven = 0;
        for guess in &mut self.guesses {
            if guess.is_some_and(|guess| guess.who == who) {
                *guess = None;
                forgiven += POINTS;
            }
        }
        self.take_off(forgiven);
        forgiven
    }

    /// Takes points off.
    pub fn take_off(&mut self, points: u32) {
        self.points = self.points.saturating_sub(points);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u32 = 20 * POINTS;

    fn guess(who: &str, number: usize) -> Offence {
        Offence::WrongPassword(Guess::of(who.as_bytes(), number.to_string().as_bytes()))
    }

    /// How many offences of these are one too many.
    fn until_too_many(offences: impl Iterator<Item = Offence>) -> usize {
        let (mut score, now) = (Score::default(), Instant::now());
        let mut bad = offences.take_while(|offence| {
            let points = score.weigh(*offence);
            !score.add(points, MOST, now)
        });
        bad.by_ref().count() + 1
    }

    #[test]
    fn what_is_how_bad() {
        assert_eq!(until_too_many((0..).map(|number| guess("alice", number))), 21);
        assert_eq!(until_too_many(std::iter::repeat(Offence::Http)), 21);
        assert_eq!(until_too_many(std::iter::repeat(Offence::NoLogin)), 41);
        assert_eq!(until_too_many(std::iter::repeat(Offence::UnknownCommand)), 201);
        assert_eq!(until_too_many(std::iter::repeat(Offence::TooFast)), 401);
        assert_eq!(until_too_many(std::iter::repeat(guess("alice", 0))), 382, "an old password is not a guess");
    }

    #[test]
    fn a_right_password_forgives_the_wrong_ones_of_its_own_account() {
        let (mut score, now) = (Score::default(), Instant::now());
        for person in 0..1000 {
            let name = format!("person {}", person % 50);
            for number in 0..3 {
                let points = score.weigh(guess(&name, number));
                assert!(!score.add(points, MOST, now), "a company of people who mistype is banned");
            }
            assert_eq!(score.forgive(Guess::of(name.as_bytes(), b"").who), 3 * POINTS);
        }
        // Whoever has an account of his own cannot guess another's in its shadow.
        let tries = (0..100).take_while(|&number| {
            score.forgive(Guess::of(b"mallory", b"").who);
            let points = score.weigh(guess("alice", number));
            !score.add(points, MOST, now)
        });
        assert_eq!(tries.count(), 20);
    }

    #[test]
    fn time_forgets() {
        let (mut score, mut now) = (Score::default(), Instant::now());
        for number in 0..1000 {
            let points = score.weigh(guess("alice", number));
            assert!(!score.add(points, MOST, now), "at {number}");
            now += FORGOTTEN_WITHIN / 20;
        }
        now += FORGOTTEN_WITHIN;
        // Also where it is asked so often that each time is less than a point's.
        for _ in 0..10_000 {
            assert!(!score.add(0, MOST, now));
            now += FORGOTTEN_WITHIN / 10_000;
        }
        assert_eq!(score.points, 0);
    }

    #[test]
    fn networks_around_an_address() {
        for (address, is_narrow, is_wide) in [
            ("192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ] {
            let address = address.parse().unwrap();
            assert_eq!((narrow(address).to_string(), wide(address).to_string()), (is_narrow.into(), is_wide.into()));
        }
    }
}
