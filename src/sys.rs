//! System calls that have no safe wrapper in the standard library, one thin function each. Knows no policy.

use std::io;
use std::os::fd::AsFd;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Sends at most `count` bytes of `file` from `offset` to a socket, inside the kernel. Zero: the file ends there.
pub fn send_file(socket: impl AsFd, file: impl AsFd, offset: u64, count: usize) -> io::Result<usize> {
    let mut from = offset;
    Ok(rustix::fs::sendfile(socket, file, Some(&mut from), count)?)
}

/// Raises this process's limit of open files as far as it may go, and says how far that is.
pub fn raise_open_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    // None means no limit at all.
    if raised { maximum } else { current }.unwrap_or(u64::MAX)
}
