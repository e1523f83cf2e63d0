//! An upload as gftp promises it, by the system calls that each promise needs and none besides: the process is confined to what it serves,
//! a path cannot lead outside, the name is looked at before anything comes, the file beside it is locked and nobody else's until it is
//! whole, every wait has an end, and a client that has gone has stored nothing. Knows no more FTP than the bare loop around it.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use landlock::{ABI, Access, AccessFs, PathBeneath, Ruleset, RulesetAttr, RulesetCreatedAttr};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{
    CWD, FlockOperation, Mode, OFlags, RenameFlags, ResolveFlags, fchmod, flock, fstat, openat, openat2, renameat,
    renameat_with,
};
use rustix::io::{Errno, pwrite};
use rustix::net::{RecvFlags, SocketFlags, accept_with, recv};

use crate::Failure;

/// How long anybody is waited for: as gftp waits for a peer that is silent.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// What gftp asks of Landlock, where the kernel has it.
const LANDLOCK: ABI = ABI::V5;

/// What is served by it.
pub struct Careful {
    root: OwnedFd,
}

impl Careful {
    /// Confines this thread, and those that it begins, to what lies in `root`.
    pub fn confined(root: &Path) -> Result<Careful, Failure> {
        let directory = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let all = AccessFs::from_all(LANDLOCK);
        let rules = Ruleset::default().handle_access(all)?.create()?;
        rules.add_rule(PathBeneath::new(&directory, all))?.restrict_self()?;
        Ok(Careful { root: directory })
    }

    /// Stores what comes over the connection that `begin` takes as `path`, below the root, unless `control` says something by then. Gives
    /// the connection back, which need not be closed before the client knows.
    pub fn store(
        &self,
        path: &str,
        number: usize,
        control: &TcpStream,
        begin: impl FnOnce() -> io::Result<OwnedFd>,
        buffer: &mut [u8],
    ) -> io::Result<OwnedFd> {
        let (folder, name) = path.trim_start_matches('/').rsplit_once('/').unwrap_or((".", path));
        let way = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        let folder =
            openat2(&self.root, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), way)?;
        // A look that keeps nobody from writing there: nothing is replaced, and so nothing done.
        let is_free = renameat_with(&folder, name, &folder, name, RenameFlags::NOREPLACE) == Err(Errno::NOENT);
        let aside = format!(".{name}.aside{number}");
        let new = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(&folder, &aside, new, Mode::RUSR | Mode::WUSR)?);
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        if fstat(&file)?.st_nlink == 0 {
            return Err(ErrorKind::NotFound.into());
        }
        let data = begin()?;
        receive(&data, &file, buffer)?;
        // Whether the client has left, or taken it back.
        match recv(control, &mut [0; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Err(Errno::AGAIN) => {}
            heard => return Err(heard.map_or_else(io::Error::from, |_| ErrorKind::Interrupted.into())),
        }
        fchmod(&file, Mode::from_raw_mode(0o644))?;
        match is_free {
            true => renameat_with(&folder, &aside, &folder, name, RenameFlags::NOREPLACE)?,
            false => renameat(&folder, &aside, &folder, name)?,
        }
        Ok(data)
    }
}

/// Waits until there is something to read.
pub fn wait(socket: &impl AsFd) -> io::Result<()> {
    let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
    match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&patience))? {
        0 => Err(ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}

/// Takes a connection that has come, or comes, and whose client has not thought better of it.
pub fn accept(listener: &TcpListener) -> io::Result<OwnedFd> {
    let socket = accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    rustix::net::sockopt::socket_error(&socket)??;
    Ok(socket)
}

fn receive(data: &OwnedFd, file: &File, buffer: &mut [u8]) -> io::Result<()> {
    wait(data)?;
    let mut offset = 0;
    loop {
        match recv(data, &mut *buffer, RecvFlags::empty()) {
            Ok((_, 0)) => return Ok(()),
            Ok((_, count)) => {
                let mut at = 0;
                while at < count {
                    let written = pwrite(file, &buffer[at..count], offset)?;
                    (at, offset) = (at + written, offset + written as u64);
                }
            }
            Err(Errno::AGAIN) => wait(data)?,
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}
