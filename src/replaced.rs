//! Files of the administrator's that are replaced as a whole, in one step and under a lock, so that neither a crash nor two
//! changes at once can leave half of one. It refuses to know what is in them.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::getegid;

/// How long to wait for another change, which takes milliseconds.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// How often to ask whether it is over.
const LOCK_AGAIN: Duration = Duration::from_millis(20);

/// The folder that a file is in, or is to be.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Keeps others who ask in the same way from changing what is in `folder` until it is dropped. It is the folder that is
/// locked, and not the file: that one is another after each change, and before the first there is none.
pub fn lock(folder: &Path) -> io::Result<File> {
    let (file, deadline) = (File::open(folder)?, Instant::now() + LOCK_WAIT);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOCK_AGAIN),
            Err(TryLockError::WouldBlock) => return Err(io::Error::other("another change does not end")),
            Err(TryLockError::Error(e)) => return Err(e),
        }
    }
}

/// The owner reads and writes.
const OWNERS: u32 = 0o600;
/// The group reads: a server that must not change its own accounts comes to them by this.
const GROUP_READS: u32 = 0o040;

/// Puts a new file in the place of an old one, of the same owner and readable by nobody else: hashes and addresses are
/// nobody else's business. But a group that it was given to reads on, if it could. It is on the disk when this returns.
pub fn replace(target: &Path, text: &[u8]) -> io::Result<()> {
    let folder = folder_of(target);
    // Made with mode 0600, and removed again unless it gets to its place.
    let mut new = tempfile::Builder::new().prefix(".gftp-new-").tempfile_in(folder)?;
    new.write_all(text)?;
    if let Ok(old) = fs::metadata(target) {
        let own = new.as_file().metadata()?;
        // Else the server, which may run as that user or in that group, could no longer read it.
        let is_of_group = if own.uid() != old.uid() {
            fchown(new.as_file(), Some(old.uid()), Some(old.gid()))?;
            true
        } else {
            // Not everybody may give a file to a group, and then it is not to be read by another one.
            own.gid() == old.gid() || fchown(new.as_file(), None, Some(old.gid())).is_ok()
        };
        // That whoever changes it has it in a group of his own says nothing: all that he makes is.
        if is_of_group && old.gid() != getegid().as_raw() {
            new.as_file().set_permissions(Permissions::from_mode(OWNERS | (old.mode() & GROUP_READS)))?;
        }
    }
    new.as_file().sync_all()?;
    new.persist(target).map_err(|e| e.error)?;
    File::open(folder)?.sync_all()
}
