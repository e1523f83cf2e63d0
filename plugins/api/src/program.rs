//! Programs of the administrator's that are to be run: whether they may be, and what to do about one that may not. It refuses to
//! know what they are run for.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;

/// The full path of a program that this user may run, now. An error is a line that says what to do.
pub fn runnable(path: &Path) -> Result<PathBuf, String> {
    let shown = path.display();
    let kind = path.metadata().map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => "there is no such program; give its path, as ./my-service.py".to_string(),
        _ => format!("{e}; give the path of a program that this user may run"),
    })?;
    if kind.is_dir() {
        return Err("that is a folder; give a program in it".to_string());
    }
    if !kind.is_file() {
        return Err("that is no file; give a program".to_string());
    }
    access(path, Access::EXEC_OK).map_err(|_| format!("this user may not run it: chmod +x {shown}"))?;
    std::path::absolute(path).map_err(|e| format!("{e}; give its full path"))
}

/// What to do about a program that cannot be started.
pub fn advice(error: &io::Error) -> &'static str {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT | Errno::NOTDIR) => {
            "the file is gone, or there is no such interpreter as its first line names (a line that ends in CR LF names none)"
        }
        Some(Errno::ACCESS | Errno::PERM) => "let this user run it: chmod +x",
        Some(Errno::NOEXEC) => "a script must begin with a line such as #!/bin/sh",
        Some(Errno::TXTBSY) => "somebody is writing it; to replace a program, rename a new file to its name",
        Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => {
            "too many processes or open files: raise their limit, or lower --max-sessions"
        }
        _ => "try to run it by hand",
    }
}
