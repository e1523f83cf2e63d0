//! Where a users file is kept: it is read whole, and replaced in one step under a lock, so that neither a crash nor two
//! edits at once can leave half of it. The only file of accounts that touches the disk; it refuses to know any protocol.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::users::{self, User};
use crate::replaced::{folder_of, lock, replace};

/// A file larger than this is no users file: it has room for a quarter of a million accounts.
const LARGEST: u64 = 64 * 1024 * 1024;
/// Links followed to the file itself; the kernel's own bound (MAXSYMLINKS).
const MOST_LINKS: u32 = 40;
/// Permission bits that give others than the owner a way to the hashes.
const OTHERS: u32 = 0o077;

/// What stands in a users file.
pub struct Kept {
    /// The accounts.
    pub users: Vec<User>,
    /// Others than its owner may read or write it.
    pub is_open_to_others: bool,
}

/// Reads a users file. An error is a line for the user, which names the file as typed.
pub fn read(path: &Path) -> Result<Kept, String> {
    find(path)?.ok_or_else(|| missing(path))
}

/// The same where it may be missing.
pub fn find(path: &Path) -> Result<Option<Kept>, String> {
    match text_of(path) {
        Ok((text, mode)) => Ok(Some(Kept { users: parse(path, &text)?, is_open_to_others: mode & OTHERS != 0 })),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("--users {}: {e}", path.display())),
    }
}

fn missing(path: &Path) -> String {
    let shown = path.display();
    format!("--users {shown}: there is no such file; gftp user add NAME --users {shown} makes it")
}

/// Replaces a users file by what `change` makes of its text, while nobody else does so; with `make`, one that is missing
/// counts as empty. What is not a users file is not changed.
pub fn edit(
    path: &Path,
    make: bool,
    change: impl FnOnce(&str, &[User]) -> Result<String, String>,
) -> Result<(), String> {
    let shown = path.display();
    let said = |e: io::Error| format!("--users {shown}: {e}");
    let target = followed(path).map_err(said)?;
    let folder = folder_of(&target);
    let lock = lock(folder).map_err(|e| format!("--users {shown}: cannot lock {}: {e}", folder.display()))?;
    let old = match text_of(&target) {
        Err(e) if e.kind() == io::ErrorKind::NotFound && make => Vec::new(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(missing(path)),
        other => other.map_err(said)?.0,
    };
    let users = parse(path, &old)?;
    // It has been read as text just now.
    let new = change(&String::from_utf8_lossy(&old), &users).map_err(|e| format!("--users {shown}: {e}"))?;
    replace(&target, new.as_bytes()).map_err(said)?;
    drop(lock);
    Ok(())
}

fn parse(path: &Path, text: &[u8]) -> Result<Vec<User>, String> {
    users::read(text).map_err(|misread| format!("--users {}, {misread}", path.display()))
}

/// The text and the permission bits.
fn text_of(path: &Path) -> io::Result<(Vec<u8>, u32)> {
    let file = File::open(path)?;
    let mut text = Vec::new();
    (&file).take(LARGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("larger than {} MiB, which no users file is", LARGEST >> 20)));
    }
    Ok((text, file.metadata()?.mode()))
}

/// Where the path leads, so that a link stays one and what it leads to is replaced. It need not be there.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => {
                let target = fs::read_link(&path)?;
                path = path.parent().map_or_else(|| target.clone(), |folder| folder.join(&target));
            }
            Ok(_) => return Ok(path),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(path),
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::other("too many levels of symbolic links"))
}
