//! The steps of a transcript that set up the served folder, and those that look at it behind the server's back.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::client::Outcome;
use super::play::shown;
use super::script::{Word, content};

/// Does one step below `root`.
pub fn step(root: &Path, word: &str, words: &[Word]) -> Outcome<()> {
    let [name, rest @ ..] = words else { return Err(format!("{word} what?")) };
    let path = root.join(OsStr::from_bytes(&name.bytes));
    let done = |result: io::Result<()>| result.map_err(|e| format!("{}: {e}", path.display()));
    match word {
        "file" => done(fs::write(&path, content(rest)?)),
        "sparse" => {
            let [size] = rest else { return Err("sparse NAME BYTES".to_string()) };
            let size = size.number()?;
            done(File::create(&path).and_then(|file| file.set_len(size)))
        }
        "directory" => done(fs::create_dir_all(&path)),
        "symlink" => {
            let [arrow, target] = rest else { return Err("symlink NAME -> TARGET".to_string()) };
            if !arrow.is("->") {
                return Err("symlink NAME -> TARGET".to_string());
            }
            done(std::os::unix::fs::symlink(OsStr::from_bytes(&target.bytes), &path))
        }
        "touch" => done(File::open(&path).and_then(|file| file.set_modified(moment(rest)?))),
        "disk" => {
            let (wanted, got) = (content(rest)?, fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?);
            match wanted == got {
                true => Ok(()),
                false => Err(format!("{} should hold {}, it holds {}", path.display(), shown(&wanted), shown(&got))),
            }
        }
        "absent" => match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => Err(format!("{} should not be there: {other:?}", path.display())),
        },
        _ => modified(&path, rest),
    }
}

fn modified(path: &PathBuf, rest: &[Word]) -> Outcome<()> {
    let wanted = moment(rest).map_err(|e| e.to_string())?;
    let got = fs::metadata(path).and_then(|data| data.modified()).map_err(|e| format!("{}: {e}", path.display()))?;
    match got == wanted {
        true => Ok(()),
        false => Err(format!("{} should be of {wanted:?}, it is of {got:?}", path.display())),
    }
}

/// Seconds since 1970, as a moment.
fn moment(rest: &[Word]) -> io::Result<SystemTime> {
    let [seconds] = rest else { return Err(io::Error::other("one number of seconds since 1970")) };
    Ok(UNIX_EPOCH + Duration::from_secs(seconds.number().map_err(io::Error::other)?))
}
