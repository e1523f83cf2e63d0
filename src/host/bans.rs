//! Who is banned, for how long, and why. Pure: time is a parameter, and what is kept across restarts is kept by others.
//! An address and the network around it are scored alike (`scores.rs`); whoever has too many points is banned, each time
//! for longer.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use gftp_plugin::Offence;
use ipnet::IpNet;

use super::remembered::Remembered;
use super::scores::{POINTS, Score, narrow, wide};

/// Addresses and networks whose offences are remembered, of 200 bytes or so: 13 MB. Who comes from more addresses than
/// these is of some network that is remembered, unless he has a whole internet.
const MOST_SCORES: usize = 65_536;
/// Bans that are remembered, those that are over among them: the one that ends first is forgotten for a new one. They are
/// written to a file, which has about a megabyte then.
pub const MOST_BANS: usize = 10_000;
/// How much worse than an address the network around it has to be, so that nobody is banned for a few neighbours.
const NETWORK: u32 = 8;
/// How long the bans of one address are, as multiples of the first: a minute, five, half an hour, four hours and a day.
const LONGER: [u32; 5] = [1, 5, 30, 240, 1440];
/// After a ban that was the last for so long, the next one is a first one again: addresses change hands.
pub const REFORMED_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);
/// Those who are turned away for a ban and told so; the rest of them is closed without a word, which costs less.
const TOLD: u32 = 3;

/// When somebody is banned.
#[derive(Clone, Debug)]
pub struct BanRules {
    /// Wrong passwords of one address, within an hour, after which it is banned; other offences are parts of them.
    pub after: u32,
    /// How long the first ban is.
    pub time: Duration,
}

/// One ban. Once it is over it is remembered for a while, so that the next one is longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Until when.
    pub until: Instant,
    /// The how manieth of this network it is.
    pub times: u32,
    /// What the last offence was.
    pub why: String,
    /// How many have been turned away for it and told so.
    told: u32,
}

/// A ban that has just begun.
#[derive(Debug, PartialEq, Eq)]
pub struct Begun {
    /// Whom it is for.
    pub network: IpNet,
    /// How long it is.
    pub time: Duration,
    /// The how manieth of this network it is.
    pub times: u32,
    /// What the last offence was.
    pub why: Why,
}

/// An offence in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Why(Offence);

/// All that is known of who behaved how.
pub struct Bans {
    rules: Option<BanRules>,
    scores: Remembered<IpNet, Score>,
    bans: HashMap<IpNet, Ban>,
    by_end: BTreeSet<(Instant, IpNet)>,
    /// Something is different from what was exported last.
    is_changed: bool,
}

impl Bans {
    /// Nobody is banned. Without rules nobody will be.
    pub fn new(rules: Option<BanRules>) -> Self {
        Bans {
            rules,
            scores: Remembered::new(MOST_SCORES),
            bans: HashMap::new(),
            by_end: BTreeSet::new(),
            is_changed: false,
        }
    }

    /// How long this address is banned yet, and whether it should be told.
    pub fn standing(&mut self, address: IpAddr, now: Instant) -> Option<(Duration, bool)> {
        self.rules.as_ref()?;
        [narrow(address), wide(address)].into_iter().find_map(|network| {
            let ban = self.bans.get_mut(&network).filter(|ban| ban.until > now)?;
            ban.told = ban.told.saturating_add(1);
            Some((ban.until - now, ban.told <= TOLD))
        })
    }

    /// Whether this address is banned, for itself or with the network around it.
    pub fn is_banned(&self, address: IpAddr, now: Instant) -> bool {
        self.rules.is_some() && [narrow(address), wide(address)].iter().any(|network| self.holds(network, now))
    }

    fn holds(&self, network: &IpNet, now: Instant) -> bool {
        self.bans.get(network).is_some_and(|ban| ban.until > now)
    }

    /// This address has done something; the ban that comes of it, if one does.
    pub fn offence(&mut self, address: IpAddr, offence: Offence, now: Instant) -> Option<Begun> {
        let (after, first) = self.rules.as_ref().map(|rules| (rules.after, rules.time))?;
        // Sessions that were there before the ban may go on to offend. What they do is not their neighbours' fault: that one
        // address is banned is enough.
        if self.holds(&narrow(address), now) {
            return None;
        }
        let most = after.saturating_mul(POINTS);
        let points = self.scores.entry(narrow(address)).weigh(offence);
        let scored = [(narrow(address), most), (wide(address), most.saturating_mul(NETWORK))];
        let mut begun = None;
        for (network, most) in scored {
            if !self.holds(&network, now) && self.scores.entry(network).add(points, most, now) {
                self.scores.forget(&network);
                begun = Some(self.begin(network, first, Why(offence), now));
            }
        }
        begun
    }

    /// How long a ban can be; where nobody is banned, those that are remembered may be as long as they like.
    pub fn longest(&self) -> Duration {
        self.rules.as_ref().map_or(Duration::MAX, |rules| rules.time.saturating_mul(LONGER[LONGER.len() - 1]))
    }

    /// This address has shown by a password that it is `who`.
    pub fn logged_in(&mut self, address: IpAddr, who: u32) {
        if let Some(score) = self.scores.get_mut(&narrow(address)) {
            let forgiven = score.forgive(who);
            if let Some(score) = self.scores.get_mut(&wide(address)) {
                score.take_off(forgiven);
            }
        }
    }

    fn begin(&mut self, network: IpNet, first: Duration, why: Why, now: Instant) -> Begun {
        let before = self.bans.get(&network).filter(|ban| ban.until + REFORMED_AFTER > now);
        let times = before.map_or(0, |ban| ban.times).saturating_add(1);
        let time = first * LONGER[(times as usize).clamp(1, LONGER.len()) - 1];
        self.insert(network, Ban { until: now + time, times, why: why.to_string(), told: 0 });
        self.is_changed = true;
        Begun { network, time, times, why }
    }

    fn insert(&mut self, network: IpNet, ban: Ban) {
        self.by_end.insert((ban.until, network));
        if let Some(old) = self.bans.insert(network, ban)
            && self.bans.get(&network).is_some_and(|ban| ban.until != old.until)
        {
            self.by_end.remove(&(old.until, network));
        }
        while self.bans.len() > MOST_BANS
            && let Some((_, network)) = self.by_end.pop_first()
        {
            self.bans.remove(&network);
        }
    }

    /// Takes over a ban of a server before this one. One that is known already is left as it is.
    pub fn import(&mut self, network: IpNet, until: Instant, times: u32, why: String) {
        if !self.bans.contains_key(&network) {
            self.insert(network, Ban { until, times, why, told: 0 });
        }
    }

    /// Forgets all about these networks and what is in them, or about everybody.
    pub fn lift(&mut self, which: Option<IpNet>) {
        let is_meant = |network: &IpNet| which.is_none_or(|which| which.contains(network));
        let (before, by_end) = (self.bans.len(), &mut self.by_end);
        self.bans.retain(|network, ban| {
            let stays = !is_meant(network);
            if !stays {
                by_end.remove(&(ban.until, *network));
            }
            stays
        });
        self.scores.forget_where(is_meant);
        self.is_changed |= self.bans.len() != before;
    }

    /// Whether there is another ban, or one less, than when this was asked last.
    pub fn has_changed(&mut self) -> bool {
        std::mem::take(&mut self.is_changed)
    }

    /// All bans, those that are over but not forgotten among them; those that can be forgotten are.
    pub fn all(&mut self, now: Instant) -> Vec<(IpNet, Ban)> {
        self.bans.retain(|_, ban| ban.until + REFORMED_AFTER > now);
        self.by_end.retain(|(_, network)| self.bans.contains_key(network));
        self.bans.iter().map(|(network, ban)| (*network, ban.clone())).collect()
    }

    /// What was to be kept could not be: it is asked for again.
    pub fn not_kept(&mut self) {
        self.is_changed = true;
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Offence::WrongPassword(_) => "wrong passwords",
            Offence::Http => "HTTP",
            Offence::LongLine => "lines without end",
            Offence::NoLogin => "connections without a login",
            Offence::UnknownCommand => "unknown commands",
            Offence::FailedHandshake => "failed TLS handshakes",
            Offence::TooFast => "too many connections",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const TWO: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn bans() -> Bans {
        Bans::new(Some(BanRules { after: 5, time: MINUTE }))
    }

    /// Offends until that brings a ban.
    fn offend(bans: &mut Bans, address: IpAddr, now: Instant) -> Begun {
        let mut begun = (0..100).filter_map(|_| bans.offence(address, Offence::Http, now));
        begun.next().expect("a hundred offences bring a ban")
    }

    #[test]
    fn each_ban_is_longer_than_the_last_and_good_conduct_begins_anew() {
        let (mut bans, mut now) = (bans(), Instant::now());
        for (number, minutes) in (1..).zip([1, 5, 30, 240, 1440, 1440]) {
            let begun = offend(&mut bans, ONE, now);
            assert_eq!((begun.time, begun.times), (MINUTE * minutes, number));
            assert_eq!(begun.network, narrow(ONE));
            assert_eq!(bans.standing(ONE, now), Some((begun.time, true)));
            assert_eq!(bans.standing(TWO, now), None, "a neighbour is not banned");
            now += begun.time;
            assert_eq!(bans.standing(ONE, now), None);
        }
        now += REFORMED_AFTER;
        assert_eq!(offend(&mut bans, ONE, now).times, 1);
    }

    #[test]
    fn the_first_are_told_and_the_others_are_not() {
        let (mut bans, now) = (bans(), Instant::now());
        offend(&mut bans, ONE, now);
        let told: Vec<_> = (0..5).filter_map(|_| bans.standing(ONE, now)).map(|(_, told)| told).collect();
        assert_eq!(told, [true, true, true, false, false]);
    }

    #[test]
    fn a_network_is_banned_for_many_of_its_addresses() {
        let (mut bans, now) = (bans(), Instant::now());
        // Each stays just below what an address may do.
        let begun = (1..=255).find_map(|last| {
            (0..5)
                .find_map(|_| bans.offence([198, 51, 100, last].into(), Offence::Http, now))
                .map(|begun| (last, begun))
        });
        let (last, begun) = begun.expect("a whole network offends");
        assert_eq!((last, begun.network), (9, wide([198, 51, 100, 0].into())));
        assert!(bans.standing([198, 51, 100, 200].into(), now).is_some(), "whoever is in it");
        assert!(bans.standing([198, 51, 101, 1].into(), now).is_none());
    }

    /// The worst that one address can do is to be banned itself.
    #[test]
    fn who_is_banned_already_adds_nothing_to_the_network() {
        let (mut bans, now) = (bans(), Instant::now());
        assert_eq!(offend(&mut bans, ONE, now).network, narrow(ONE));
        assert!((0..1000).all(|_| bans.offence(ONE, Offence::Http, now).is_none()));
        assert!(bans.is_banned(ONE, now) && !bans.is_banned(TWO, now));
    }

    #[test]
    fn a_host_of_ipv6_is_its_network() {
        let (mut bans, now) = (bans(), Instant::now());
        let address = |last: u16| IpAddr::from([0x2001, 0xdb8, 1, 2, 0, 0, 0, last]);
        let begun = (0..100).find_map(|last| bans.offence(address(last), Offence::Http, now));
        assert_eq!(begun.map(|begun| begun.network), Some(narrow(address(0))));
    }

    #[test]
    fn without_rules_nobody_is_banned() {
        let (mut bans, now) = (Bans::new(None), Instant::now());
        bans.import(narrow(ONE), now + MINUTE, 1, String::new());
        assert!((0..1000).all(|_| bans.offence(ONE, Offence::Http, now).is_none()));
        assert_eq!(bans.standing(ONE, now), None);
    }

    #[test]
    fn lifted_is_forgotten() {
        let (mut bans, now) = (bans(), Instant::now());
        for which in [Some(narrow(ONE)), Some(wide(ONE)), None] {
            assert_eq!(offend(&mut bans, ONE, now).times, 1);
            bans.lift(Some(narrow(TWO)));
            assert!(bans.standing(ONE, now).is_some());
            bans.lift(which);
            assert!(bans.standing(ONE, now).is_none() && bans.by_end.is_empty());
            assert!(bans.has_changed() && !bans.has_changed() && bans.all(now).is_empty());
        }
    }

    /// A million addresses cost what sixty thousand cost, and bans are bounded too.
    #[test]
    fn a_million_addresses_are_forgotten_again() {
        let (mut bans, mut now) = (bans(), Instant::now());
        bans.rules.as_mut().unwrap().after = 1;
        for number in 0..1_000_000_u32 {
            // Networks of their own, as of those who have many.
            let address = IpAddr::from([0x2001, (number >> 16) as u16, number as u16, 0, 0, 0, 0, 0]);
            bans.offence(address, Offence::Http, now);
            if number % 10 == 0 {
                bans.offence(address, Offence::Http, now);
                now += Duration::from_millis(1);
            }
        }
        assert!(bans.scores.len() <= MOST_SCORES, "{}", bans.scores.len());
        assert_eq!((bans.bans.len(), bans.by_end.len()), (MOST_BANS, MOST_BANS));
        assert_eq!(bans.all(now).len(), MOST_BANS);
        bans.all(now + MINUTE + REFORMED_AFTER);
        assert!(bans.bans.is_empty() && bans.by_end.is_empty());
    }
}
