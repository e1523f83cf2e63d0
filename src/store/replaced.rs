//! Files that have lost their name to an upload, and are held until somebody has the time to give their blocks back: for a
//! large one that takes the kernel a fraction of a second, which neither the upload's sender nor anybody who
//! publishes in the same directory need wait for. Refuses to know who has the time.

use super::sys::{self, Stat};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is smaller is given back at once: it takes some 0.2 ms, as long as another thread takes to wake.
pub(super) const LARGE: u64 = 1024 * 1024;
/// How many are held at once, each of which is a descriptor; beyond them it is waited for.
const MOST: usize = 16;

static HELD: AtomicUsize = AtomicUsize::new(0);

/// A file without a name. Dropping it gives its blocks back, which may take long.
#[derive(Debug)]
pub struct Replaced {
    _file: OwnedFd,
    _place: Place,
}

#[derive(Debug)]
struct Place;

impl Replaced {
    /// Of what bears this name just now, before it loses it; none where that is soon done, or many are held, or the disk has no room
    /// for another as large, so that the next upload may need that very one.
    pub(super) fn hold(directory: &OwnedFd, name: &[u8], standing: Option<&Stat>) -> Option<Replaced> {
        let size = standing.map(sys::size).filter(|size| *size >= LARGE)?;
        let _place = Place::take()?;
        sys::free_bytes(directory).ok().filter(|free| *free >= size)?;
        let _file = hold(directory, name, standing?)?;
        Some(Replaced { _file, _place })
    }
}

/// What bears a name that it is about to lose, for as long as nothing else is to wait for its end; none where that is soon. Without it, it
/// is waited for.
pub(super) fn hold(directory: &OwnedFd, name: &[u8], stat: &Stat) -> Option<OwnedFd> {
    (sys::size(stat) >= LARGE).then(|| sys::open_at(directory, name, sys::PLACE).ok()).flatten()
}

impl Place {
    fn take() -> Option<Place> {
        let one_more = |held| (held < MOST).then_some(held + 1);
        HELD.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::How;
    use crate::store::tests::{Ground, put};
    use std::fs;

    #[test]
    fn large_files_are_held_few_of_them_and_no_small_ones() {
        let ground = Ground::new();
        let replace = |size: u64| {
            fs::File::create(ground.host("file")).unwrap().set_len(size).unwrap();
            let replaced = put(&ground.view(), "/file", How::Replace, "new").unwrap().replaced;
            assert_eq!(fs::read_to_string(ground.host("file")).unwrap(), "new");
            replaced
        };
        assert!(replace(LARGE - 1).is_none());
        // Other tests may hold some at the same time.
        let held: Vec<_> = std::iter::from_fn(|| replace(LARGE)).take(MOST + 1).collect();
        assert!((1..=MOST).contains(&held.len()), "{} are held", held.len());
        for replaced in &held {
            let stat = sys::stat_fd(&replaced._file).unwrap();
            assert_eq!((sys::links(&stat), sys::size(&stat)), (0, LARGE));
        }
        drop(held);
        assert!(replace(LARGE).is_some());
    }
}
