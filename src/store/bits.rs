//! Permission bits of new things: they have those that they are told, whatever the umask of this process takes.
//! It refuses to know who says which.

use super::sys::{self, Stat, Sys};
use rustix::io::Errno;
use std::os::fd::AsFd;

/// The bits that a new thing is told; the three special ones are the file system's business.
const TOLD: u32 = 0o777;
/// The special bits, which a new directory may have from the one above it.
const SPECIAL: u32 = 0o7000;
/// What a directory has while it is made, lest this process be shut out of it.
const OWN: u32 = 0o700;

/// Gives a file or directory its permission bits, where its file system has such.
pub(super) fn set(file: impl AsFd, bits: u32) -> Sys<()> {
    match sys::set_permissions(file, bits) {
        // File systems without permission bits say so in these ways.
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        done => done,
    }
}

/// Makes a directory with these permission bits. On an error there is none.
pub(super) fn make_directory(at: impl AsFd, name: &[u8], bits: u32) -> Sys<()> {
    sys::make_directory(&at, name, bits | OWN)?;
    // Gone by now: it was made, and somebody took it away.
    let Ok(made) = sys::stat_at(&at, name) else { return Ok(()) };
    // As a rule the umask takes nothing of what is told, and this look is all it costs.
    if sys::mode(&made) & TOLD == bits {
        return Ok(());
    }
    amend(&at, name, bits, &made).inspect_err(|_| {
        // Nothing is in it that somebody could miss, or else it stays.
        let _ = sys::remove_directory(&at, name);
    })
}

/// Gives a directory that was just made the bits that it was told.
fn amend(at: impl AsFd, name: &[u8], bits: u32, made: &Stat) -> Sys<()> {
    let directory = match sys::open_at(&at, name, sys::READ_DIRECTORY) {
        // Gone by now, or another thing's name.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
        // A file system that has its own mind about who may do what.
        Err(Errno::ACCESS | Errno::PERM) => return Ok(()),
        directory => directory?,
    };
    let now = sys::stat_fd(&directory)?;
    if sys::identity(&now) != sys::identity(made) {
        return Ok(());
    }
    set(&directory, sys::mode(&now) & SPECIAL | bits)
}
