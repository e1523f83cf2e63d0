//! Who must be told of a change to the tree: the ledgers of all homes that it happens in. What an upload takes of quotas
//! while it is on its way, and whether a change fits the account's own. It refuses to know how ledgers count.

use super::Store;
use super::error::StoreError;
use super::ledger::{Change, Ledger, Usage, in_order};
use super::path::VirtualPath;
use super::resolve::Last;
use super::rules::Quota;
use super::sys::Stat;
use super::upload::Upload;
use super::view::View;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

/// Ledgers beyond which those are forgotten that no session uses. One is some hundred bytes, and a home a row in the
/// users file.
const MOST_LEDGERS: usize = 10_000;

/// What an upload takes of quotas; dropped, it takes nothing. The default takes nothing either.
#[derive(Default)]
pub(super) struct Charge {
    /// The outer before the inner; the last is the account's own if it has a quota.
    ledgers: Vec<Arc<Ledger>>,
    quota: Quota,
    id: u64,
    held: u64,
}

impl Store {
    /// The ledger of this tree, which is counted when it is first asked.
    pub(super) fn ledger(&self) -> Arc<Ledger> {
        let (home, identity) = (self.root(), self.resolver.root_identity());
        let mut ledgers = self.common.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ledger) = ledgers.iter().find(|ledger| ledger.is_of(home, identity)) {
            return ledger.clone();
        }
        if ledgers.len() >= MOST_LEDGERS {
            ledgers.retain(|ledger| Arc::strong_count(ledger) > 1);
        }
        // A home that was made anew is another one.
        ledgers.retain(|ledger| !ledger.lies_in(home) || !ledger.holds(home));
        let ledger = Arc::new(Ledger::new(home.to_path_buf(), identity));
        ledgers.push(ledger.clone());
        self.common.has_ledgers.store(true, Ordering::Release);
        ledger
    }

    /// Something at `path` is to change for which nobody counts here: ledgers of homes there may be wrong then.
    pub(super) fn doubt_at(&self, path: &VirtualPath) {
        drop(self.ledgers_at(path));
    }

    /// As if so much time had gone by since trees were counted.
    #[cfg(test)]
    pub(super) fn age_ledgers(&self, by: std::time::Duration) {
        let ledgers = self.common.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        ledgers.iter().for_each(|ledger| ledger.books().age(by));
    }

    /// The ledgers that must be told what happens at `path`: those of this tree and of all around it. Homes within this
    /// tree are not looked into; their ledgers are told to doubt.
    pub(super) fn ledgers_at(&self, path: &VirtualPath) -> Vec<Arc<Ledger>> {
        if !self.common.has_ledgers.load(Ordering::Acquire) {
            return Vec::new();
        }
        let here = self.root();
        let ledgers = self.common.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        let (around, others): (Vec<_>, Vec<_>) = ledgers.iter().cloned().partition(|ledger| ledger.holds(here));
        drop(ledgers);
        let inner: Vec<_> = others.into_iter().filter(|ledger| ledger.lies_in(here)).collect();
        if !inner.is_empty() {
            self.doubt(&inner, path);
        }
        in_order(around)
    }

    /// Makes ledgers of homes within this tree doubt that lie around `path` or beneath it: as it is called, and where
    /// links lead it to.
    fn doubt(&self, inner: &[Arc<Ledger>], path: &VirtualPath) {
        let real = self.resolver.locate_place(path, Last::Followed).real;
        for path in [path, &real] {
            let place = self.root().join(OsStr::from_bytes(path.relative()));
            for ledger in inner.iter().filter(|ledger| ledger.holds(&place) || ledger.lies_in(&place)) {
                ledger.books().doubt();
            }
        }
    }
}

impl View {
    /// The ledger that bounds this account; none if nothing does.
    fn own_ledger(&self) -> Option<Arc<Ledger>> {
        self.rules.quota().is_some().then(|| self.store.ledger())
    }

    /// What is used of the account's quota; none if it has none.
    pub fn usage(&self) -> Result<Option<Usage>, StoreError> {
        self.own_ledger().map(|ledger| ledger.usage(self.rules.quota())).transpose()
    }

    /// Makes a change at `path` that brings so many `files`, if they fit; `work` is told whether to look what it changes.
    pub(super) fn booked<E: From<StoreError>>(
        &self,
        path: &VirtualPath,
        files: u64,
        work: impl FnOnce(bool) -> Result<Change, E>,
    ) -> Result<(), E> {
        let quota = self.rules.quota();
        let own = self.own_ledger().filter(|_| files > 0);
        if let Some(own) = &own {
            own.within(|books| books.check(quota, 0, files))?;
        }
        let ledgers = self.store.ledgers_at(path);
        if ledgers.is_empty() {
            return work(false).map(drop);
        }
        let mut books: Vec<_> = ledgers.iter().map(|ledger| ledger.books()).collect();
        // Once more, now that nobody comes in between.
        if let (Some(_), Some(own)) = (own, books.last()) {
            own.check(quota, 0, files)?;
        }
        let change = work(true)?;
        books.iter_mut().for_each(|books| books.settle(change));
        Ok(())
    }

    /// What an upload to `path` takes of quotas, where `standing` bears the name. Refused where nothing at all would fit.
    pub(super) fn charge(&self, path: &VirtualPath, standing: Option<&Stat>) -> Result<Charge, StoreError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let own = self.own_ledger();
        let ledgers = self.store.ledgers_at(path);
        if ledgers.is_empty() {
            return Ok(Charge::default());
        }
        let (quota, id) = (self.rules.quota(), NEXT.fetch_add(1, Ordering::Relaxed));
        if let Some(own) = own {
            // One byte, since an upload that could not have any is better refused before it begins.
            let (bytes, files) = (u64::from(standing.is_none()), u64::from(standing.is_none()));
            own.within(|books| {
                books.check(quota, bytes, files)?;
                books.begin(id, standing);
                Ok(())
            })?;
        }
        let charge = Charge { ledgers, quota, id, held: 0 };
        for ledger in charge.others() {
            ledger.books().begin(id, standing);
        }
        Ok(charge)
    }
}

impl Charge {
    /// The ledger that bounds it.
    fn own(&self) -> Option<&Arc<Ledger>> {
        self.ledgers.last().filter(|_| self.quota.is_some())
    }

    /// Those that are only told.
    fn others(&self) -> &[Arc<Ledger>] {
        let told = if self.quota.is_some() { self.ledgers.len().saturating_sub(1) } else { self.ledgers.len() };
        self.ledgers.get(..told).unwrap_or_default()
    }

    /// The upload will have so many bytes at least.
    pub(super) fn hold(&mut self, bytes: u64) -> Result<(), StoreError> {
        if self.ledgers.is_empty() || bytes <= self.held {
            return Ok(());
        }
        if let Some(own) = self.own() {
            own.within(|books| books.hold(self.id, bytes, self.quota))?;
        }
        for ledger in self.others() {
            // Nothing is bounded there, so nothing is refused.
            let _ = ledger.books().hold(self.id, bytes, Quota::default());
        }
        self.held = bytes;
        Ok(())
    }

    /// The upload is kept aside with so many bytes, and replaces nothing for now; false if there is no room for that.
    pub(super) fn keep(&mut self, bytes: u64) -> bool {
        self.set(bytes, None, self.quota).is_ok()
    }

    /// It goes on behind so many bytes, to replace what stands.
    pub(super) fn go_on(&mut self, bytes: u64, standing: Option<&Stat>) {
        // It was there and counted already.
        let _ = self.set(bytes, standing, Quota::default());
    }

    fn set(&mut self, bytes: u64, standing: Option<&Stat>, quota: Quota) -> Result<(), StoreError> {
        if let Some(own) = self.own() {
            own.within(|books| books.set(self.id, bytes, standing, quota))?;
        }
        for ledger in self.others() {
            let _ = ledger.books().set(self.id, bytes, standing, Quota::default());
        }
        self.held = bytes;
        Ok(())
    }

    /// The upload gets its name, and in the same moment becomes what lies there.
    pub(super) fn publish(self, upload: &mut Upload) -> Result<(), StoreError> {
        let ledgers = upload.view.store.ledgers_at(upload.path());
        if ledgers.is_empty() {
            return upload.take_name();
        }
        let mut books: Vec<_> = ledgers.iter().map(|ledger| ledger.books()).collect();
        let went = upload.standing()?;
        if let (Some(_), Some(own)) = (self.own(), books.last()) {
            own.check_publishing(self.id, (upload.offset(), went.as_ref()), self.quota)?;
        }
        upload.take_name()?;
        let went = went.and_then(|stat| Change::went(&stat).went);
        for books in &mut books {
            books.release(self.id);
            books.settle(Change { went, ..Change::came(upload.offset()) });
        }
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        for ledger in &self.ledgers {
            ledger.books().release(self.id);
        }
    }
}
