//! What is known about one thing in the tree, and whose name stands beside it.
//! It refuses to know how any listing is written.

use super::rights::Rights;
use super::sys::{self, FileType, Identity, Process, Stat};
use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// User and group names remembered each. A server's tree has a few owners; a directory made to have many costs
/// a look-up for each beyond this, not memory.
const MAX_NAMES: usize = 1024;
/// The permission bits of a mode: reading, writing, searching, and the three special ones.
const PERMISSION_BITS: u32 = 0o7777;

/// What kind of thing an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, where it is not followed or leads nowhere.
    Symlink,
    /// A device, socket or pipe.
    Other,
}

/// What is known about a file, directory or link.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// Last change of the content; before 1970 too, with the file system's fraction of a second.
    pub modified: SystemTime,
    /// Permission bits, 0 to 0o7777.
    pub permissions: u32,
    /// Hard links.
    pub links: u64,
    /// Number of the owning user.
    pub uid: u32,
    /// Number of the owning group.
    pub gid: u32,
    /// The device that holds it.
    pub device: u64,
    /// Its number on the device; both together are its identity.
    pub inode: u64,
    /// Name of the owning user without spaces, or the number.
    pub owner: Arc<str>,
    /// Name of the owning group without spaces, or the number.
    pub group: Arc<str>,
    /// Where a [`Kind::Symlink`] leads, as text; an absolute link is told from the served root.
    pub target: Option<Vec<u8>>,
    /// The permission bits let this process read it. Advice: access lists and mount options are not asked.
    pub readable: bool,
    /// The permission bits let this process write it. Advice.
    pub writable: bool,
    /// The permission bits let this process search (a directory) or run it. Advice.
    pub searchable: bool,
    /// What the account may do with it.
    pub rights: Rights,
}

/// Makes entries, remembering the names of their owners.
#[derive(Default)]
pub(super) struct Owners {
    users: Mutex<HashMap<u32, Arc<str>>>,
    groups: Mutex<HashMap<u32, Arc<str>>>,
}

impl Owners {
    /// The names of a thing's owner and group.
    pub(super) fn names(&self, stat: &Stat) -> [Arc<str>; 2] {
        [remembered(&self.users, stat.st_uid, sys::user_name), remembered(&self.groups, stat.st_gid, sys::group_name)]
    }

    /// The entry for `stat`, whose owner and group have these names, without a target and as if everything were allowed.
    pub(super) fn entry(stat: &Stat, process: &Process, [owner, group]: [Arc<str>; 2]) -> Entry {
        let Identity { device, inode } = sys::identity(stat);
        let granted = process.granted(stat);
        Entry {
            kind: match sys::kind(stat) {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Directory,
                FileType::Symlink => Kind::Symlink,
                _ => Kind::Other,
            },
            size: sys::size(stat),
            modified: time(sys::modified(stat)),
            permissions: sys::mode(stat) & PERMISSION_BITS,
            links: sys::links(stat),
            uid: stat.st_uid,
            gid: stat.st_gid,
            device,
            inode,
            owner,
            group,
            target: None,
            readable: granted & 0o4 != 0,
            writable: granted & 0o2 != 0,
            searchable: granted & 0o1 != 0,
            rights: Rights::FULL,
        }
    }

    /// Whether the names of its owners are remembered.
    pub(super) fn know(&self, stat: &Stat) -> bool {
        let has = |names: &Mutex<HashMap<u32, Arc<str>>>, id| {
            names.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&id)
        };
        has(&self.users, stat.st_uid) && has(&self.groups, stat.st_gid)
    }

    /// The entry for something opened.
    pub(super) fn entry_of(&self, fd: impl AsFd) -> sys::Sys<Entry> {
        let stat = sys::stat_fd(fd)?;
        Ok(Owners::entry(&stat, &Process::now(), self.names(&stat)))
    }
}

/// A moment from seconds since 1970 (negative before) and nanoseconds; 1970 itself for what no clock can tell.
pub(super) fn time((seconds, nanoseconds): (i64, u32)) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let base =
        if seconds < 0 { SystemTime::UNIX_EPOCH.checked_sub(whole) } else { SystemTime::UNIX_EPOCH.checked_add(whole) };
    base.and_then(|base| base.checked_add(Duration::from_nanos(nanoseconds.into()))).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The reverse of [`time`]; none for what a file system cannot hold.
pub(super) fn seconds(time: SystemTime) -> Option<(i64, u32)> {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => Some((i64::try_from(after.as_secs()).ok()?, after.subsec_nanos())),
        Err(before) => {
            let before = before.duration();
            let whole = i64::try_from(before.as_secs()).ok()?.checked_neg()?;
            match before.subsec_nanos() {
                0 => Some((whole, 0)),
                nanoseconds => Some((whole.checked_sub(1)?, 1_000_000_000 - nanoseconds)),
            }
        }
    }
}

fn remembered(names: &Mutex<HashMap<u32, Arc<str>>>, id: u32, ask: fn(u32) -> Option<Arc<str>>) -> Arc<str> {
    if let Some(name) = names.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
        return name.clone();
    }
    // Asked without the lock: a user database on the network may take its time.
    let name =
        ask(id).map(|name| column(&name)).filter(|name| !name.is_empty()).unwrap_or_else(|| id.to_string().into());
    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
    if names.len() >= MAX_NAMES {
        names.clear();
    }
    names.insert(id, name.clone());
    name
}

/// A name that cannot break a column: clients split listings at spaces.
fn column(name: &str) -> Arc<str> {
    if name.contains(|character: char| character.is_whitespace() || character.is_control()) {
        name.replace(|character: char| character.is_whitespace() || character.is_control(), "_").into()
    } else {
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_owners_are_columns_and_bounded() {
        assert_eq!(&*column("domain users"), "domain_users");
        let names = Mutex::default();
        for id in 0..3 * MAX_NAMES as u32 {
            assert_eq!(
                &*remembered(&names, id, |id| (id % 2 == 0).then(|| "a b".into())),
                if id % 2 == 0 { "a_b".to_owned() } else { id.to_string() }
            );
        }
        assert!(names.lock().unwrap().len() <= MAX_NAMES);
    }

    proptest! {
        #[test]
        fn times_survive_both_ways(moment in -10_000_000_000i64..10_000_000_000, nanoseconds in 0u32..1_000_000_000) {
            prop_assert_eq!(seconds(time((moment, nanoseconds))), Some((moment, nanoseconds)));
        }
    }

    #[test]
    fn no_time_panics() {
        for moment in [i64::MIN, i64::MIN + 1, i64::MAX] {
            for nanoseconds in [0, 999_999_999] {
                let _ = seconds(time((moment, nanoseconds)));
            }
        }
    }
}
