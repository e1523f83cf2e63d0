//! Temporary files: where an upload lives until it is whole, and how those of dead processes are told and removed.
//! It refuses to know what is uploaded, and for whom.

use super::sys::{self, Sys};
use rustix::io::Errno;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::OwnedFd;

/// Reserved names are `.gftp-`, sixteen hexadecimal digits in lower case, `.part`; nothing else is.
const PREFIX: &[u8] = b".gftp-";
const SUFFIX: &[u8] = b".part";
const DIGITS: usize = 16;
/// Fresh names tried. They are drawn from 2^64, so the second try is already improbable.
const ATTEMPTS: u32 = 16;

/// Whether `name` is reserved for uploads in progress. Such names exist for no client, whatever bears them.
#[inline]
pub fn is_temporary(name: &[u8]) -> bool {
    let middle = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
    middle.is_some_and(|digits| {
        digits.len() == DIGITS && digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Sixty-four bits that differ from call to call and process to process. No secret: names only must not meet.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn fresh_name() -> Vec<u8> {
    [PREFIX, format!("{:016x}", random()).as_bytes(), SUFFIX].concat()
}

/// Makes a symbolic link under a temporary name, which it returns. Nothing locks it: it must not stay for long.
pub(super) fn make_link(directory: &OwnedFd, text: &[u8]) -> Sys<Vec<u8>> {
    for _ in 0..ATTEMPTS {
        let name = fresh_name();
        match sys::make_link(text, directory, &name) {
            Err(Errno::EXIST) => continue,
            made => return made.map(|()| name),
        }
    }
    Err(Errno::EXIST)
}

/// A file under a temporary name, locked for its life: the lock says to other processes that its writer lives.
/// Dropping it removes the file unless it was given a name.
pub(super) struct Temporary {
    pub(super) directory: OwnedFd,
    name: Vec<u8>,
    pub(super) file: File,
    /// The device that it lies on.
    pub(super) device: u64,
    /// The temporary name still stands.
    stands: bool,
}

impl Temporary {
    /// An empty file that only this process's user can read.
    pub(super) fn create(directory: OwnedFd) -> Sys<Self> {
        let mut name = Vec::new();
        for _ in 0..ATTEMPTS {
            name = fresh_name();
            let file = match sys::create_new(&directory, &name) {
                Err(Errno::EXIST) => continue,
                other => other?,
            };
            // A sweep that met the file before it was locked has taken it for a dead one: leave it to the sweep.
            let locked = sys::try_lock(&file);
            let stat = sys::stat_fd(&file)?;
            let lost = match locked {
                Ok(locked) => !locked || sys::links(&stat) == 0,
                // No locks on this file system; then a sweep cannot take one either, and removes nothing.
                Err(_) => false,
            };
            if !lost {
                return Ok(Temporary { directory, name, file, device: sys::identity(&stat).device, stands: true });
            }
        }
        debug_assert!(is_temporary(&name));
        Err(Errno::EXIST)
    }

    /// Gives the file its name, in place of what bears it.
    pub(super) fn replace(&mut self, name: &[u8]) -> Sys<()> {
        sys::rename(&self.directory, &self.name, &self.directory, name)?;
        self.stands = false;
        Ok(())
    }

    /// Gives the file its name unless something bears it.
    pub(super) fn claim(&mut self, name: &[u8]) -> Sys<()> {
        sys::rename_new(&self.directory, &self.name, &self.directory, name)?;
        self.stands = false;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.stands {
            // What cannot be removed now is what a sweep is for.
            let _ = sys::unlink(&self.directory, &self.name);
        }
    }
}

/// Removes the temporary file of that name if its writer is dead. Ok(false): it lives.
pub(super) fn remove_if_dead(directory: &OwnedFd, name: &[u8]) -> Sys<bool> {
    let file = match sys::open_at(directory, name, sys::READ_FILE) {
        Err(Errno::NOENT) => return Ok(true),
        // A link is under such a name for a moment only; this one has been left.
        Err(Errno::LOOP) => return sys::unlink(directory, name).map(|()| true),
        other => other?,
    };
    let stat = sys::stat_fd(&file)?;
    if sys::kind(&stat) != sys::FileType::RegularFile {
        return Err(Errno::INVAL);
    }
    if !sys::try_lock(&file)? {
        return Ok(false);
    }
    // Published between opening and locking: then the temporary name is free, or somebody else's.
    match sys::stat_at(directory, name) {
        Ok(now) if sys::identity(&now) == sys::identity(&stat) => sys::unlink(directory, name).map(|()| true),
        Ok(_) => Ok(false),
        Err(Errno::NOENT) => Ok(true),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_are_exactly_these() {
        assert!(is_temporary(b".gftp-0123456789abcdef.part"));
        for name in [
            &b".gftp-0123456789ABCDEF.part"[..],
            b".gftp-0123456789abcde.part",
            b".gftp-.part",
            b".gftp-0123456789abcdef.part2",
            b"x.gftp-0123456789abcdef.part",
            b".gftp-0123456789abcdeg.part",
            b".part",
            b"",
        ] {
            assert!(!is_temporary(name), "{}", name.escape_ascii());
        }
        assert_ne!(random(), random());
    }
}
