//! The guard of the whole process: bans and rates behind one lock, and the witness that each connection tells of its peer's
//! conduct. Says in the log who is banned. Knows no service and no socket.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gftp_plugin::{Networks, Offence, Time, Witness};
use ipnet::IpNet;

use super::bans::{Ban, BanRules, Bans, Begun};
use super::gate::{Gate, Out};
use super::rates::{Pace, Rates};
use super::scores::narrow;

/// What the guard was told.
#[derive(Clone, Debug)]
pub struct GuardRules {
    /// When somebody is banned; None: never.
    pub bans: Option<BanRules>,
    /// New connections in a second from one address, and four times as many at once.
    pub per_second: u32,
    /// Who is neither banned nor too fast.
    pub exempt: Networks,
}

/// Everybody may come, as often as they like.
impl Default for GuardRules {
    fn default() -> Self {
        GuardRules { bans: None, per_second: u32::MAX, exempt: Networks::default() }
    }
}

/// Who may not come for what he did.
pub struct Guard {
    exempt: Networks,
    known: Mutex<Known>,
    /// For showing until when.
    time: Time,
}

struct Known {
    bans: Bans,
    rates: Rates,
}

/// Why somebody may not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Banned, for this long yet.
    Banned(Duration),
    /// More connections in a second than one address may make.
    TooFast,
    /// From where this service is not for anybody.
    NotAllowed,
}

impl Guard {
    /// Nobody is known yet.
    pub fn new(rules: GuardRules) -> Arc<Self> {
        let GuardRules { bans, per_second, exempt } = rules;
        let known = Known { bans: Bans::new(bans), rates: Rates::new(per_second) };
        Arc::new(Guard { exempt, known: Mutex::new(known), time: Time::machine() })
    }

    /// Whether this address may come, or why not, and whether that is worth a word: to those who are turned away in masses,
    /// and in the log, it is not said each time.
    pub fn check(&self, address: IpAddr) -> Result<(), (Refused, bool)> {
        if self.exempt.contain(address) {
            return Ok(());
        }
        let now = Instant::now();
        let pace = {
            let mut known = self.known();
            if let Some((left, told)) = known.bans.standing(address, now) {
                return Err((Refused::Banned(left), told));
            }
            known.rates.count(narrow(address), now)
        };
        if pace == Pace::Fine {
            return Ok(());
        }
        self.offence(address, Offence::TooFast);
        Err((Refused::TooFast, pace == Pace::TooFastNow))
    }

    /// Whether this address could not come in now, for a ban.
    fn is_banned(&self, address: IpAddr) -> bool {
        !self.exempt.contain(address) && self.known().bans.is_banned(address, Instant::now())
    }

    /// This address has done something; the network that is banned for it, if one is.
    fn offence(&self, address: IpAddr, offence: Offence) -> Option<IpNet> {
        if self.exempt.contain(address) {
            return None;
        }
        let begun = self.known().bans.offence(address, offence, Instant::now())?;
        self.say(address, &begun);
        Some(begun.network)
    }

    fn say(&self, address: IpAddr, begun: &Begun) {
        let Begun { network, time, times, why } = begun;
        let until = humantime::format_rfc3339_seconds(self.time.now() + *time).to_string();
        let (peer, shown, why) = (address.to_string(), shown(network), why.to_string());
        log::warn!(
            event = "banned", peer = peer.as_str(), network = shown.as_str(), why = why.as_str(),
            seconds = time.as_secs(), until = until.as_str(), times = *times;
            "banned {shown} until {until}: {why} from {peer} (ban {times})"
        );
    }

    /// Whether there is another ban, or one less, than when this was asked last.
    pub fn has_changed(&self) -> bool {
        self.known().bans.has_changed()
    }

    /// All bans, those that are over among them.
    pub fn all(&self) -> Vec<(IpNet, Ban)> {
        self.known().bans.all(Instant::now())
    }

    /// What was to be kept could not be: it is asked for again.
    pub fn not_kept(&self) {
        self.known().bans.not_kept();
    }

    /// How long a ban can be.
    pub fn longest_ban(&self) -> Duration {
        self.known().bans.longest()
    }

    /// Takes over a ban of a server before this one.
    pub fn import(&self, network: IpNet, until: Instant, times: u32, why: String) {
        self.known().bans.import(network, until, times, why);
    }

    /// Forgets all about a network, or about everybody.
    pub fn lift(&self, which: Option<IpNet>) {
        self.known().bans.lift(which);
        let whom = which.map_or("everybody".to_string(), |network| shown(&network));
        log::info!(event = "ban_lifted", network = whom.as_str(); "no longer banned: {whom}");
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Every change is complete before anything can panic, and nothing waits while it is held.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A network as people write it: one address without its mask.
pub fn shown(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}

/// One connection's peer, as the guard and the gate know it.
pub struct Peer {
    guard: Arc<Guard>,
    gate: Arc<Gate>,
    id: u64,
    address: IpAddr,
    out: Out,
}

impl Peer {
    /// The peer of connection `id`, whom `out` shows out.
    pub fn new(guard: Arc<Guard>, gate: Arc<Gate>, id: u64, address: IpAddr, out: Out) -> Self {
        Peer { guard, gate, id, address, out }
    }
}

impl Witness for Peer {
    fn offence(&self, offence: Offence) {
        if let Some(network) = self.guard.offence(self.address, offence) {
            // Whoever has logged in stays: a ban for guessing is no reason to cut a neighbour's transfer.
            self.gate.show_out(|address| network.contains(&address), "banned");
        }
    }

    fn logged_in(&self, who: u32) {
        self.guard.known().bans.logged_in(self.address, who);
    }

    fn settled(&self, is: bool) {
        match is {
            true => self.gate.settled(self.id),
            false => {
                // In this order: a ban that begins meanwhile is seen here, or finds a stranger to show out.
                self.gate.unsettled(self.id, self.address, self.out.clone());
                if self.guard.is_banned(self.address) {
                    self.out.show("banned");
                }
            }
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Banned(left) => {
                // Rounded up, or it would be nothing at the end.
                let left = humantime::format_duration(Duration::from_secs(left.as_secs() + 1));
                write!(f, "Your address is banned for {left}")
            }
            Refused::TooFast => write!(f, "Too many connections in a second from your address, slow down"),
            Refused::NotAllowed => write!(f, "This server is not open to your address"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(per_second: u32) -> Arc<Guard> {
        let bans = Some(BanRules { after: 5, time: Duration::from_secs(60) });
        Guard::new(GuardRules { bans, per_second, exempt: Networks::loopback() })
    }

    #[test]
    fn who_is_exempt_is_neither_banned_nor_too_fast() {
        let (guard, local, stranger) = (guard(1), IpAddr::from([127, 0, 0, 1]), IpAddr::from([192, 0, 2, 1]));
        for _ in 0..1000 {
            assert_eq!(guard.check(local), Ok(()));
            assert_eq!(guard.offence(local, Offence::Http), None);
        }
        assert!((0..10).any(|_| guard.check(stranger).is_err()));
    }

    #[test]
    fn who_is_too_fast_for_long_is_banned() {
        let (guard, stranger) = (guard(1), IpAddr::from([192, 0, 2, 1]));
        let refused: Vec<_> = (0..1000).filter_map(|_| guard.check(stranger).err()).collect();
        assert_eq!(refused[0], (Refused::TooFast, true));
        assert_eq!(refused[1], (Refused::TooFast, false));
        let banned = refused.iter().position(|(refused, _)| matches!(refused, Refused::Banned(_)));
        assert_eq!(banned, Some(101));
        assert!(guard.has_changed() && !guard.has_changed() && guard.all().len() == 1);
        guard.lift(None);
        assert_eq!(guard.check([192, 0, 2, 2].into()), Ok(()));
    }
}
