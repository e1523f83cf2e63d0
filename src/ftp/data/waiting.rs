//! Who waits for a passive port, by address: a port that becomes free for one address is of use to nobody else, and to one
//! session alone. Knows no ports and no sockets.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use event_listener::Event;

/// Those who wait; an address is there for as long as somebody at it waits.
#[derive(Default)]
pub struct Waiting {
    by_address: HashMap<IpAddr, Arc<Event>>,
}

impl Waiting {
    /// Somebody at that address begins to wait: what is rung for him, and for the others there.
    pub fn join(&mut self, address: IpAddr) -> Arc<Event> {
        Arc::clone(self.by_address.entry(address).or_default())
    }

    /// He waits no longer, and gives it back.
    pub fn leave(&mut self, address: IpAddr, rung: Arc<Event>) {
        drop(rung);
        if self.by_address.get(&address).is_some_and(|rung| Arc::strong_count(rung) == 1) {
            self.by_address.remove(&address);
        }
    }

    /// One more who waits there may look again.
    pub fn free(&self, address: IpAddr) {
        if let Some(rung) = self.by_address.get(&address) {
            rung.notify_additional(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_free_port_wakes_one_of_its_address_and_nobody_else() {
        let (mut waiting, [here, there]) = (Waiting::default(), [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from));
        let rung = [here, here, there].map(|address| (address, waiting.join(address)));
        let mut asleep: Vec<_> = rung.iter().map(|(_, rung)| rung.listen()).collect();
        let woken = |asleep: &mut Vec<event_listener::EventListener>| {
            asleep.iter_mut().map(|it| it.now_or_never().is_some()).collect::<Vec<_>>()
        };
        waiting.free(here);
        assert_eq!(woken(&mut asleep), [true, false, false], "who has waited for longest");
        asleep.remove(0);
        waiting.free(here);
        waiting.free(here);
        assert_eq!(woken(&mut asleep), [true, false]);
        for (address, rung) in rung {
            waiting.leave(address, rung);
        }
        assert!(waiting.by_address.is_empty(), "nothing is kept of who has gone");
    }
}
