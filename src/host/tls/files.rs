//! The files that certificates are in: read within bounds, and kept where one was made. The only file of the host's that
//! touches the disk; it refuses to know what stands in them.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A file larger than this holds no certificates: those of all public authorities together are a quarter of it.
const LARGEST: u64 = 1024 * 1024;
/// Permission bits that a key should not have. The group may read it, as Debian's `ssl-cert` does.
const OTHERS: u32 = 0o027;
/// The certificate that was made and its key, in one file, so that they appear and are replaced together.
const KEPT: &str = "self-signed.pem";
/// The certificate alone, to be handed to clients.
const FOR_CLIENTS: &str = "certificate.pem";
/// What everybody may read.
const PUBLIC: u32 = 0o644;

/// What stands in a file.
pub(super) struct Found {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Others than those whose key it is may read or change it.
    pub is_open_to_others: bool,
}

/// Reads a file.
pub(super) fn read(path: &Path) -> io::Result<Found> {
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    (&file).take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("larger than {} MiB, which no certificate is", LARGEST >> 20)));
    }
    Ok(Found { bytes, is_open_to_others: file.metadata()?.mode() & OTHERS != 0 })
}

/// These files, and what they lead to now where they are links, as certbot's do: each once.
pub(super) fn with_targets<'a>(files: impl Iterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
    let mut all: Vec<_> = files.flat_map(|file| [Some(file.clone()), fs::canonicalize(file).ok()]).flatten().collect();
    all.sort();
    all.dedup();
    all
}

/// What is kept in a folder: the certificate that `make` gives, with its key, unless there is one already; so two servers
/// that begin at once have the same. `alone` gives what clients may have of it.
pub(super) fn keep(
    folder: &Path,
    make: impl FnOnce() -> io::Result<String>,
    alone: impl FnOnce(&[u8]) -> Option<String>,
) -> io::Result<PathBuf> {
    let path = folder.join(KEPT);
    if !fs::exists(&path)? {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // Made with mode 0600.
        let mut new = tempfile::Builder::new().prefix(".gftp-tls-").tempfile_in(folder)?;
        new.write_all(make()?.as_bytes())?;
        new.as_file().sync_all()?;
        match new.persist_noclobber(&path) {
            Err(e) if e.error.kind() != io::ErrorKind::AlreadyExists => return Err(e.error),
            _ => File::open(folder)?.sync_all()?,
        }
    }
    if let Some(alone) = alone(&read(&path)?.bytes) {
        // Nothing depends on it, and the folder may be one that is only read by now.
        let _ = publish(folder, &alone);
    }
    Ok(path)
}

/// Puts the certificate alone beside it, unless it is there.
fn publish(folder: &Path, alone: &str) -> io::Result<()> {
    let path = folder.join(FOR_CLIENTS);
    if fs::read(&path).is_ok_and(|there| there == alone.as_bytes()) {
        return Ok(());
    }
    let mut new = tempfile::Builder::new().prefix(".gftp-tls-").tempfile_in(folder)?;
    new.write_all(alone.as_bytes())?;
    new.as_file().set_permissions(fs::Permissions::from_mode(PUBLIC))?;
    new.persist(&path).map(drop).map_err(|e| e.error)
}
