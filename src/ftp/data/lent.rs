//! A file that is read, while nobody reads it: between the trips of a transfer, which take it along. Whatever ends that, it is closed where
//! that holds up nobody. Refuses to know how it is read.

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

impl Lent {
    /// For a trip, from which it comes back; none if it is on one.
    pub fn take(&mut self) -> Option<Reading> {
        self.0.take()
    }

    /// The same to look at.
    pub fn get(&self) -> Option<&Reading> {
        self.0.as_ref()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(reading) = self.0.take().filter(Reading::may_end_long) {
            rt::drop_elsewhere(reading);
        }
    }
}
