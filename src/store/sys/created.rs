//! When a file was made, on the file systems that let this be set. Linux has no call for it; two drivers have an
//! attribute: the one of Windows shares (cifs), and ntfs-3g. Refuses to know who asks.

use super::{Moment, Sys};
use rustix::fs::{self, XattrFlags};
use rustix::io::Errno;
use std::os::fd::AsFd;

/// Windows' clock: steps of 100 ns since 1601.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Ticks(u64);

const TICKS_PER_SECOND: i64 = 10_000_000;
const NANOSECONDS_PER_TICK: u32 = 100;
/// Seconds from 1601 to 1970.
const EPOCH: i64 = 11_644_473_600;
/// How far what is read back may be from what was set: file systems keep this time as coarsely as two seconds.
const COARSEST: u64 = 2 * TICKS_PER_SECOND as u64;

/// CIFS and SMB 2 as statfs(2) names them (linux/magic.h).
const SHARES: [u64; 2] = [0xff53_4d42, 0xfe53_4d42];
/// Eight bytes in the order of the processor. Anywhere but on a share it would be an attribute without a meaning.
const SHARE_ATTRIBUTE: &str = "user.cifs.creationtime";
/// Eight bytes, the highest first. No other file system has it.
const NTFS_ATTRIBUTE: &str = "system.ntfs_crtime_be";

impl Ticks {
    /// None for what lies outside of Windows' clock.
    pub(in crate::store) fn of((seconds, nanoseconds): Moment) -> Option<Self> {
        let ticks = seconds.checked_add(EPOCH)?.checked_mul(TICKS_PER_SECOND)?;
        u64::try_from(ticks.checked_add((nanoseconds / NANOSECONDS_PER_TICK).into())?).ok().map(Ticks)
    }

    /// The same moment, as far as a file system can hold one.
    pub(in crate::store) fn is_about(self, other: Self) -> bool {
        self.0.abs_diff(other.0) <= COARSEST
    }
}

/// The attribute that this file's time of creation is kept in, if it can be set at all.
#[allow(clippy::unnecessary_cast)]
fn attribute(file: impl AsFd) -> Option<(&'static str, [u8; 8])> {
    let on_share = fs::fstatfs(&file).is_ok_and(|it| SHARES.contains(&(it.f_type as u64 & 0xffff_ffff)));
    let name = if on_share { SHARE_ATTRIBUTE } else { NTFS_ATTRIBUTE };
    let mut value = [0; 8];
    let length = fs::fgetxattr(file, name, &mut value).ok()?;
    (length == value.len()).then_some((name, value))
}

/// When it was made; none where that could not be set either.
pub(in crate::store) fn created(file: impl AsFd) -> Option<Ticks> {
    let (name, value) = attribute(file)?;
    Some(Ticks(if name == SHARE_ATTRIBUTE { u64::from_ne_bytes(value) } else { u64::from_be_bytes(value) }))
}

/// Sets when it was made. Callers know that [`created`] says something.
pub(in crate::store) fn set_created(file: impl AsFd, ticks: Ticks) -> Sys<()> {
    let (name, _) = attribute(&file).ok_or(Errno::OPNOTSUPP)?;
    let value = if name == SHARE_ATTRIBUTE { ticks.0.to_ne_bytes() } else { ticks.0.to_be_bytes() };
    fs::fsetxattr(file, name, &value, XattrFlags::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_clock_begins_in_1601() {
        assert_eq!(Ticks::of((-EPOCH, 0)), Some(Ticks(0)));
        assert_eq!(Ticks::of((-EPOCH - 1, 0)), None);
        // From the documentation of ntfs-3g.
        assert_eq!(Ticks::of((946_684_800, 199)), Some(Ticks(0x01bf_53eb_256d_4001)));
        assert_eq!(Ticks::of((i64::MAX, 0)), None);
        assert!(Ticks(COARSEST).is_about(Ticks(0)) && !Ticks(COARSEST + 1).is_about(Ticks(0)));
    }
}
