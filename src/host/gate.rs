//! Who may come in: how many at once, in total and from one address. Knows addresses and numbers, no socket and no
//! protocol. A place is held by a [`Ticket`] and given back when that is dropped, however the session ends.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gftp_plugin::listen::household;
use gftp_plugin::rt::{Receiver, Sender, channel};

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
    /// Cloned into each ticket; when the last clone is gone, so is the last session. None once the gate is closed.
    presence: Option<Sender<()>>,
}

/// One place inside.
pub struct Ticket {
    gate: Arc<Gate>,
    address: IpAddr,
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
        let inside = Inside { total: 0, by_address: HashMap::new(), presence: Some(presence) };
        Arc::new(Gate { outer, places, inside: Mutex::new(inside), emptied })
    }

    /// A place for one more session from `address`, or why there is none.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Ticket, Full> {
        let outer = self.outer.as_ref().map(|outer| outer.admit(address).map(Box::new)).transpose()?;
        let address = household(address);
        let mut inside = self.inside();
        let presence = inside.presence.clone().ok_or(Full::Closing)?;
        if inside.total >= self.places.total {
            return Err(Full::Total(self.places.total));
        }
        if inside.by_address.get(&address).is_some_and(|&here| here >= self.places.per_address) {
            return Err(Full::Address(self.places.per_address));
        }
        inside.total += 1;
        *inside.by_address.entry(address).or_insert(0) += 1;
        Ok(Ticket { gate: Arc::clone(self), address, _presence: presence, _outer: outer })
    }

    /// Lets nobody in from now on, and waits until the last one has left.
    pub async fn close(&self) {
        drop(self.inside().presence.take());
        let _ = self.emptied.recv().await;
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

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut inside = self.gate.inside();
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
        let first = room.admit(one);
        assert!(first.is_ok() && house.count() == 1 && room.count() == 1);
        assert_eq!(room.admit(one).err(), Some(Full::Address(1)));
        assert_eq!(house.count(), 1, "who is turned away at the room has left the house");
        let second = house.admit(one);
        assert_eq!(house.admit(one).err(), Some(Full::Address(2)));
        assert_eq!(room.admit(one).err(), Some(Full::Address(2)));
        let third = room.admit(two);
        assert_eq!(house.admit(two).err(), Some(Full::Total(3)));
        drop((first, second, third));
        assert_eq!((house.count(), room.count()), (0, 0));
    }
}
