//! The threads that compare passwords, in the turns that their [`Desk`] gives. Knows passwords, hashes and addresses; no
//! names, no rights.

use std::net::IpAddr;
use std::sync::{Arc, Once};

use futures::channel::oneshot;

use super::Password;
use super::desk::Desk;
use super::hash::Hash;

/// Threads that do nothing but compare passwords. A comparison costs tens of milliseconds of a core and 19 MiB, which
/// is its purpose; a flood of logins makes logins wait and nothing else, and takes no memory but that of these threads.
pub struct Hashing {
    desk: Arc<Desk<Check>>,
    begun: Once,
    #[cfg(test)]
    computed: Arc<std::sync::atomic::AtomicUsize>,
}

/// What came of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// It is the password's hash.
    Right,
    /// It is not.
    Wrong,
    /// Too many wait already.
    Busy,
}

/// A password to be compared, and who wants to know. Dropped unanswered, it says that there was no room.
struct Check {
    hash: Hash,
    password: Password,
    answer: oneshot::Sender<bool>,
}

impl Hashing {
    /// No thread yet: they begin with the first comparison, since one that is older than the process's confinement would
    /// not be confined.
    pub fn new() -> Self {
        Hashing {
            desk: Arc::new(Desk::new()),
            begun: Once::new(),
            #[cfg(test)]
            computed: Arc::default(),
        }
    }

    /// Half the cores may hash at once; the other half serves those who are in.
    fn begin(&self) {
        let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        for _ in 0..threads {
            let desk = Arc::clone(&self.desk);
            #[cfg(test)]
            let computed = Arc::clone(&self.computed);
            std::thread::spawn(move || {
                let mut memory = Vec::new();
                while let Some(check) = desk.next() {
                    // Whoever asked may be gone.
                    if !check.answer.is_canceled() {
                        #[cfg(test)]
                        computed.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        let _ = check.answer.send(check.hash.matches(&check.password, &mut memory));
                    }
                }
            });
        }
    }

    /// Whether `hash` is the password's, for somebody at that address.
    pub async fn compare(&self, hash: Hash, password: Password, from: IpAddr) -> Compared {
        self.begun.call_once(|| self.begin());
        let (answer, answered) = oneshot::channel();
        self.desk.add(from, Check { hash, password, answer });
        match answered.await {
            Ok(true) => Compared::Right,
            Ok(false) => Compared::Wrong,
            Err(oneshot::Canceled) => Compared::Busy,
        }
    }

    /// How many hashes were computed so far.
    #[cfg(test)]
    pub(super) fn computed(&self) -> usize {
        self.computed.load(std::sync::atomic::Ordering::SeqCst)
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        self.desk.close();
    }
}

#[cfg(test)]
mod tests {
    use gftp_plugin::rt;

    use super::super::hash::Cost;
    use super::*;

    #[test]
    fn those_who_have_left_cost_nothing() {
        let hashing = Hashing::new();
        let from = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..100 {
            let (answer, _) = oneshot::channel();
            hashing.desk.add(from, Check { hash: Hash::of_nobody(Cost::USUAL), password: Password::new("x"), answer });
        }
        let hash = Hash::of_nobody(Cost::USUAL);
        let compared = rt::block_on(hashing.compare(hash, Password::new("x"), from));
        assert_eq!((compared, hashing.computed()), (Compared::Wrong, 1));
    }
}
