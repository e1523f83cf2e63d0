//! Files that are read again when they change: what a file looks like from outside, and whether it looks otherwise now.
//! It refuses to know what is in them, and who reads them.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use std::os::unix::fs::MetadataExt;

/// How often watched files are looked at: a change shows before who made it has turned round, and a look is one system call.
/// Not inotify, which sees neither network file systems nor the other end of a bind mount.
pub const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A file, and what it looked like when it was last looked at.
#[derive(Debug)]
pub struct Watched {
    path: PathBuf,
    seen: Option<Look>,
}

/// All that tells a file from another, or from itself after a change: a rename puts another inode under the name, and
/// writing moves the times and often the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    device: u64,
    inode: u64,
    size: u64,
    modified: Option<SystemTime>,
    changed: (i64, i64),
}

impl Watched {
    /// Watches `path` from now on: what is there now is no change. To be made before the file is read, so that no change
    /// falls between the two.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let seen = look(&path);
        Watched { path, seen }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it looks different from when this was last asked. A file that has gone is no change: it may be on its way
    /// back, and what was read stays good meanwhile. To be asked on the pool.
    pub fn has_changed(&mut self) -> bool {
        match look(&self.path) {
            Some(now) if self.seen != Some(now) => {
                self.seen = Some(now);
                true
            }
            _ => false,
        }
    }
}

fn look(path: &Path) -> Option<Look> {
    let found = std::fs::metadata(path).ok()?;
    Some(Look {
        device: found.dev(),
        inode: found.ino(),
        size: found.size(),
        modified: found.modified().ok(),
        changed: (found.ctime(), found.ctime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_writing_and_going_away() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("users.toml");
        let mut missing = Watched::new(&path);
        assert!(!missing.has_changed(), "nothing there, as before");
        std::fs::write(&path, "one")?;
        assert!(missing.has_changed() && !missing.has_changed(), "it has come");
        let mut watched = Watched::new(&path);
        assert!(!watched.has_changed());
        std::fs::write(&path, "three")?;
        assert!(watched.has_changed() && !watched.has_changed(), "written to");
        std::fs::write(folder.path().join("new"), "three")?;
        std::fs::rename(folder.path().join("new"), &path)?;
        assert!(watched.has_changed() && !watched.has_changed(), "replaced by one of the same size");
        std::fs::remove_file(&path)?;
        assert!(!watched.has_changed(), "gone is no change");
        assert_eq!(watched.path(), path);
        Ok(())
    }
}
