//! Who may come in: how many at once, in total and from one address. Knows addresses and numbers, no socket and no
//! protocol. A place is held by a [`Ticket`] and given back when that is dropped, however the session ends.
//!
//! Where places are short, whoever has not logged in gives way to a newcomer, the one who has been there longest first: so
//! ten thousand who connect and say nothing keep nobody out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures::future::AbortHandle;
use gftp_plugin::listen::household;
use gftp_plugin::rt::{Receiver, Sender, channel};

/// For how long somebody who has not logged in need not give way to a newcomer: programs log in within a second, and people
/// who type have connected a moment before.
const FAIR_TRY: Duration = Duration::from_secs(10);
/// More than so many who have not logged in are a crowd: then the first gives way however short a time it had, since among
/// thousands who come each second nobody else could come in at all.
const CROWD: usize = 64;
/// Those who were shown out and are not gone yet, at most: their tasks end at their next turn.
const LEAVING: usize = 256;

/// How many sessions may be open at once. Every service of the process counts.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// In total.
    pub total: usize,
    /// From one address.
    pub per_address: usize,
}

/// The count of who is in.
pub struct Gate {
    /// The gate of the whole process, for that of a single service.
    outer: Option<Arc<Gate>>,
    places: Places,
    inside: Mutex<Inside>,
    emptied: Receiver<()>,
}

struct Inside {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
    /// Who has not logged in, by the number of the session: in the order of their coming.
    strangers: BTreeMap<u64, Stranger>,
    /// The same of each address.
    strangers_of: HashMap<IpAddr, BTreeSet<u64>>,
    /// Cloned into each ticket; when the last clone is gone, so is the last session. None once the gate is closed.
    presence: Option<Sender<()>>,
}

struct Stranger {
    address: IpAddr,
    since: Instant,
    out: Out,
}

/// Shows a session out, whatever it is doing.
#[derive(Clone)]
pub struct Out {
    abort: AbortHandle,
    why: Arc<OnceLock<&'static str>>,
}

impl Out {
    /// By the handle of its task.
    pub fn new(abort: AbortHandle) -> Self {
        Out { abort, why: Arc::default() }
    }

    /// Why it was shown out, if it was.
    pub fn why(&self) -> Option<&'static str> {
        self.why.get().copied()
    }

    /// It ends at its next turn, for this.
    pub fn show(&self, why: &'static str) {
        // Whoever was first has said it.
        let _ = self.why.set(why);
        self.abort.abort();
    }
}

/// One place inside.
pub struct Ticket {
    gate: Arc<Gate>,
    address: IpAddr,
    /// The number of the session, if it is one that logs in.
    stranger: Option<u64>,
    _presence: Sender<()>,
    /// The place that it takes at the outer gate as well.
    _outer: Option<Box<Ticket>>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// All places are taken.
    Total(usize),
    /// This address has all that one address may have.
    Address(usize),
    /// The server is on its way out.
    Closing,
}

impl Gate {
    /// An empty house with so many places.
    pub fn new(places: Places) -> Arc<Self> {
        Gate::made(None, places)
    }

    /// A room of the house, with places of its own: who comes in takes one here and one at the outer gate.
    pub fn within(outer: Arc<Gate>, places: Places) -> Arc<Self> {
        Gate::made(Some(outer), places)
    }

    fn made(outer: Option<Arc<Gate>>, places: Places) -> Arc<Self> {
        let (presence, emptied) = channel(1);
        let inside = Inside {
            total: 0,
            by_address: HashMap::new(),
            strangers: BTreeMap::new(),
            strangers_of: HashMap::new(),
            presence: Some(presence),
        };
        Arc::new(Gate { outer, places, inside: Mutex::new(inside), emptied })
    }

    /// A place for one more session from `address`, or why there is none. One that has to log in is a stranger until it has,
    /// known by its number and shown out by this.
    pub fn admit(self: &Arc<Self>, address: IpAddr, stranger: Option<(u64, Out)>) -> Result<Ticket, Full> {
        // Strangers are the house's, which has most to lose.
        let (outer, stranger) = match &self.outer {
            Some(outer) => (Some(Box::new(outer.admit(address, stranger)?)), None),
            None => (None, stranger),
        };
        let address = household(address);
        let mut inside = self.inside();
        let presence = inside.presence.clone().ok_or(Full::Closing)?;
        inside.find_room(address, self.places)?;
        inside.total += 1;
        *inside.by_address.entry(address).or_insert(0) += 1;
        let number = stranger.as_ref().map(|(number, _)| *number);
        if let Some((number, out)) = stranger {
            inside.add_stranger(number, address, out);
        }
        Ok(Ticket { gate: Arc::clone(self), address, stranger: number, _presence: presence, _outer: outer })
    }

    /// The session of this number has logged in, and stays.
    pub fn settled(&self, number: u64) {
        self.house().inside().remove_stranger(number);
    }

    /// It has logged out again.
    pub fn unsettled(&self, number: u64, address: IpAddr, out: Out) {
        self.house().inside().add_stranger(number, household(address), out);
    }

    /// Shows out those who have not logged in from these addresses.
    pub fn show_out(&self, is_meant: impl Fn(IpAddr) -> bool, why: &'static str) {
        let inside = self.house().inside();
        inside.strangers.values().filter(|stranger| is_meant(stranger.address)).for_each(|s| s.out.show(why));
    }

    fn house(&self) -> &Gate {
        self.outer.as_ref().map_or(self, |outer| outer.house())
    }

    /// Lets nobody in from now on, and waits until the last one has left.
    pub async fn close(&self) {
        drop(self.inside().presence.take());
        let _ = self.emptied.recv().await;
    }

    /// Whether there are more than there are places for: some have been shown out and are not gone yet.
    pub fn is_overfull(&self) -> bool {
        let house = self.house();
        house.count() > house.places.total
    }

    /// How many are inside.
    pub fn count(&self) -> usize {
        self.inside().total
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        // A panic elsewhere cannot leave the count half-written: each change is a few additions.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    /// Sees to it that there is a place for one more from this address, if need be by showing somebody out.
    fn find_room(&mut self, address: IpAddr, places: Places) -> Result<(), Full> {
        let is_full = self.total >= places.total;
        let has_all = self.by_address.get(&address).is_some_and(|&here| here >= places.per_address);
        let is_overrun = self.total >= places.total.saturating_add(LEAVING);
        // Whoever goes from the same address makes room in the house too.
        match (is_full || has_all).then(|| self.who_gives_way(has_all.then_some(address))) {
            None => Ok(()),
            Some(Some(number)) if !is_overrun => {
                self.show_out(number);
                Ok(())
            }
            Some(_) if is_full => Err(Full::Total(places.total)),
            Some(_) => Err(Full::Address(places.per_address)),
        }
    }

    /// The stranger, of one address or of all, who has been here longest, if he has to give way.
    fn who_gives_way(&self, of: Option<IpAddr>) -> Option<u64> {
        let number = match of {
            Some(address) => *self.strangers_of.get(&address)?.first()?,
            None => *self.strangers.keys().next()?,
        };
        let is_crowd = of.is_none() && self.strangers.len() > CROWD;
        (is_crowd || self.strangers.get(&number)?.since.elapsed() >= FAIR_TRY).then_some(number)
    }

    fn show_out(&mut self, number: u64) {
        if let Some(stranger) = self.strangers.get(&number) {
            stranger.out.show("made room for others");
        }
        self.remove_stranger(number);
    }

    fn add_stranger(&mut self, number: u64, address: IpAddr, out: Out) {
        self.strangers.insert(number, Stranger { address, since: Instant::now(), out });
        self.strangers_of.entry(address).or_default().insert(number);
    }

    fn remove_stranger(&mut self, number: u64) {
        let Some(Stranger { address, .. }) = self.strangers.remove(&number) else { return };
        if let Some(numbers) = self.strangers_of.get_mut(&address) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.strangers_of.remove(&address);
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut inside = self.gate.inside();
        if let Some(number) = self.stranger {
            inside.remove_stranger(number);
        }
        inside.total -= 1;
        if let Some(here) = inside.by_address.get_mut(&self.address) {
            *here -= 1;
            // Addresses that have left are forgotten, or the map would grow with every visitor there ever was.
            if *here == 0 {
                inside.by_address.remove(&self.address);
            }
        }
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Full::Total(most) => write!(f, "All {most} places are taken, try again later"),
            Full::Address(most) => write!(f, "Your address has {most} sessions open already, the most allowed"),
            Full::Closing => write!(f, "The server is shutting down"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_takes_places_of_the_house() {
        let (one, two) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let house = Gate::new(Places { total: 3, per_address: 2 });
        let room = Gate::within(Arc::clone(&house), Places { total: 2, per_address: 1 });
        let first = room.admit(one, None);
        assert!(first.is_ok() && house.count() == 1 && room.count() == 1);
        assert_eq!(room.admit(one, None).err(), Some(Full::Address(1)));
        assert_eq!(house.count(), 1, "who is turned away at the room has left the house");
        let second = house.admit(one, None);
        assert_eq!(house.admit(one, None).err(), Some(Full::Address(2)));
        assert_eq!(room.admit(one, None).err(), Some(Full::Address(2)));
        let third = room.admit(two, None);
        assert_eq!(house.admit(two, None).err(), Some(Full::Total(3)));
        drop((first, second, third));
        assert_eq!((house.count(), room.count()), (0, 0));
    }

    /// A stranger's place, and whether he is still let be.
    fn stranger(gate: &Arc<Gate>, number: u64, last: u8) -> Result<(Ticket, Out), Full> {
        let out = Out::new(AbortHandle::new_pair().0);
        let ticket = gate.admit([192, 0, 2, last].into(), Some((number, out.clone())))?;
        Ok((ticket, out))
    }

    #[test]
    fn few_strangers_have_their_time() {
        let house = Gate::new(Places { total: 2, per_address: 2 });
        let _both = [stranger(&house, 1, 1).unwrap(), stranger(&house, 2, 2).unwrap()];
        assert_eq!(stranger(&house, 3, 3).err(), Some(Full::Total(2)));
    }

    #[test]
    fn the_oldest_of_a_crowd_gives_way_and_who_has_logged_in_does_not() {
        let house = Gate::new(Places { total: 100, per_address: 100 });
        let mut all: Vec<_> = (0..100).map(|number| stranger(&house, number, 1).unwrap()).collect();
        house.settled(0);
        assert_eq!(stranger(&house, 100, 1).err(), Some(Full::Total(100)), "its own address is no crowd");
        let newcomers: Vec<_> = (101..111).map(|number| stranger(&house, number, 2).unwrap()).collect();
        let out: Vec<_> = all.iter().map(|(_, out)| out.why().is_some()).collect();
        assert!(!out[0] && out[1..11].iter().all(|&out| out) && !out[11..].contains(&true), "{out:?}");
        assert_eq!((house.count(), house.is_overfull()), (110, true), "they leave at their next turn");
        all.drain(1..11);
        assert_eq!((house.count(), house.is_overfull()), (100, false));
        // Those who log out again are strangers anew, and the last of them to have been here.
        house.unsettled(0, [192, 0, 2, 1].into(), all[0].1.clone());
        house.show_out(|address| address == IpAddr::from([192, 0, 2, 1]), "banned");
        assert!(all.iter().all(|(_, out)| out.why() == Some("banned")));
        assert!(newcomers.iter().all(|(_, out)| out.why().is_none()));
        drop((all, newcomers));
        assert!(house.inside().strangers.is_empty() && house.inside().strangers_of.is_empty());
    }

    #[test]
    fn a_flood_does_not_outrun_those_who_leave() {
        let house = Gate::new(Places { total: 100, per_address: 10_000 });
        let all: Vec<_> = (0..1000).filter_map(|number| stranger(&house, number, 1).ok()).collect();
        assert_eq!(all.len(), 100 + LEAVING);
    }
}
