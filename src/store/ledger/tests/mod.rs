//! Counting: who does it, and who waits for that. What the books say is in the store's own tests.

use super::*;
use std::thread;

/// A hundred uploads into a home of a million files must not walk it a hundred times.
#[test]
fn who_finds_somebody_counting_does_not_count() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("file"), "four").unwrap();
    let stat = rustix::fs::stat(home.path()).unwrap();
    let ledger = Ledger::new(home.path().to_owned(), sys::identity(&stat));
    ledger.refresh(false).unwrap();
    std::fs::write(home.path().join("other"), "four").unwrap();
    ledger.books().age(2 * RECOUNT_AFTER);
    ledger.books().counting = true;
    ledger.refresh(false).unwrap();
    assert_eq!(ledger.books().totals(), (4, 1), "it goes on with what is known");
    thread::scope(|threads| {
        let doubts = threads.spawn(|| ledger.refresh(true));
        drop(Counting(&ledger));
        doubts.join().unwrap().unwrap();
    });
    assert_eq!(ledger.books().totals(), (8, 2), "who doubts waits, and looks again");
}
