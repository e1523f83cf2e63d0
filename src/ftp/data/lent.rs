//! A file that a transfer reads, lent to its trips: whatever ends the transfer, it is closed where that holds up nobody. Refuses to know how
//! it is read.

use std::ops::Deref;

use gftp_plugin::rt;

use crate::store::Reading;

/// Closed on the pool where that may take long: a file that was deleted or replaced meanwhile gives back its blocks with its last
/// reader, 0.2 s for 1 GiB, and on a network or through another program its end is told there.
pub struct Lent(Option<Reading>);

impl From<Reading> for Lent {
    fn from(reading: Reading) -> Lent {
        Lent(Some(reading))
    }
}

impl Deref for Lent {
    type Target = Reading;

    fn deref(&self) -> &Reading {
        match &self.0 {
            Some(reading) => reading,
            None => unreachable!("only its end takes it"),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(reading) = self.0.take().filter(Reading::may_end_long) {
            rt::drop_elsewhere(reading);
        }
    }
}
