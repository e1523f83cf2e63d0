//! What a session has brought to a drop-box: all that it is shown there. It refuses to know how it came.

use super::path::VirtualPath;
use super::sys::{self, FileType, Identity, Stat};
use super::upload::Stamp;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Things remembered of one session, the latest: a camera or a backup that looks after its uploads does so at once. With
/// usual names it is a hundred kilobytes.
pub(super) const MAX_OWN: usize = 1024;

/// One thing, as it was brought: whoever changes it, or puts another under its name, has made it theirs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Brought {
    File(Stamp),
    Directory(Identity),
}

/// What one session has brought.
#[derive(Default)]
pub(super) struct Own(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// By where it really lies.
    things: HashMap<VirtualPath, Brought>,
    /// The oldest first.
    order: VecDeque<VirtualPath>,
}

impl Own {
    /// The session has brought what lies there now.
    pub(super) fn add(&self, real: &VirtualPath, stat: &Stat) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.things.insert(real.clone(), brought(stat)).is_some() {
            return;
        }
        known.order.push_back(real.clone());
        if known.order.len() > MAX_OWN
            && let Some(oldest) = known.order.pop_front()
        {
            known.things.remove(&oldest);
        }
    }

    /// Whether what lies there is what the session has brought.
    pub(super) fn has(&self, real: &VirtualPath, stat: &Stat) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.things.get(real).is_some_and(|known| *known == brought(stat))
    }
}

fn brought(stat: &Stat) -> Brought {
    match sys::kind(stat) {
        FileType::Directory => Brought::Directory(sys::identity(stat)),
        _ => Brought::File(Stamp::of(stat)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_and_no_more() {
        let (own, stat) = (Own::default(), sys::stat_fd(std::fs::File::open("/").unwrap()).unwrap());
        let path = |number: usize| VirtualPath::root().child(number.to_string().as_bytes());
        for number in 0..2 * MAX_OWN {
            own.add(&path(number), &stat);
            own.add(&path(number), &stat);
        }
        assert!(!own.has(&path(MAX_OWN - 1), &stat) && own.has(&path(MAX_OWN), &stat));
        let known = own.0.lock().unwrap();
        assert_eq!((known.things.len(), known.order.len()), (MAX_OWN, MAX_OWN));
    }
}
