//! Names that are free, for uploads whose client leaves the choice to us.
//! A name is claimed from when it is promised until the upload ends, so that two uploads are never promised the same.
//! It refuses to know anything else of an upload.

use super::Store;
use super::error::StoreError;
use super::resolve::existing;
use super::sys::{self, Identity};
use super::temporary::random;
use std::os::fd::OwnedFd;
use std::sync::{Arc, PoisonError};

/// Names tried; looking at them all takes some ten milliseconds.
pub(super) const UNIQUE_ATTEMPTS: u32 = 10_000;
/// Of 64 random bits, the 48 that a made-up name shows as twelve digits.
const SHOWN_BITS: u64 = (1 << 48) - 1;

/// A free name that no other upload of this store may choose while this exists.
pub(super) struct UniqueName {
    store: Arc<Store>,
    claim: (Identity, Vec<u8>),
    /// What numbers are put behind; none for a made-up name.
    stem: Option<Vec<u8>>,
}

impl UniqueName {
    /// `stem` itself, or with ".1", ".2" and so on behind it; without one "ftp-" and twelve hexadecimal digits.
    pub(super) fn choose(store: Arc<Store>, directory: &OwnedFd, stem: Option<Vec<u8>>) -> Result<Self, StoreError> {
        let identity = sys::identity(&sys::stat_fd(directory)?);
        for number in 0..UNIQUE_ATTEMPTS {
            let name = match &stem {
                Some(stem) if number == 0 => stem.clone(),
                Some(stem) => [stem.as_slice(), format!(".{number}").as_bytes()].concat(),
                None => format!("ftp-{:012x}", random() & SHOWN_BITS).into_bytes(),
            };
            if existing(sys::stat_at(directory, &name))?.is_some() {
                continue;
            }
            let claim = (identity, name);
            if store.common.claims.lock().unwrap_or_else(PoisonError::into_inner).insert(claim.clone()) {
                return Ok(UniqueName { store, claim, stem });
            }
        }
        Err(StoreError::Exists)
    }

    /// The next free one of the same stem.
    pub(super) fn next(&self, directory: &OwnedFd) -> Result<Self, StoreError> {
        UniqueName::choose(self.store.clone(), directory, self.stem.clone())
    }

    pub(super) fn name(&self) -> &[u8] {
        &self.claim.1
    }
}

impl Drop for UniqueName {
    fn drop(&mut self) {
        self.store.common.claims.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.claim);
    }
}
