//! Every system call of the store, one thin function each; names are single components unless said otherwise.
//! It refuses to know policy: what may be called with what is decided above. Only what belongs to the whole process is public.

use rustix::fs::{self, Access, Advice, AtFlags, FlockOperation, Mode, OFlags, RawDir, RenameFlags, ResolveFlags};
use rustix::fs::{StatxAttributes, StatxFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, recv};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with, splice};
use rustix::thread::CapabilitySet;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

mod cached;
mod copy;
mod created;
mod durable;
mod kernel;

pub(super) use cached::{Backing, backing, has_spellings, open_beneath_cached, read_cached};
pub(super) use copy::{clone_file, copy_piece};
pub(super) use created::{Ticks, created, set_created};
pub(super) use durable::{refuses_late, sync, sync_directory};
pub(super) use kernel::{Reach, is_kernel_made, is_kernel_made_path, reach};
pub(super) use rustix::fs::{FileType, Stat};

/// Result of a bare system call.
pub(super) type Sys<T> = Result<T, Errno>;

/// A handle on a place in the tree: it can be stood on and asked about, and nothing can be read through it.
pub(super) const PLACE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
/// The same, and it must be a directory.
pub(super) const PLACE_DIRECTORY: OFlags = PLACE.union(OFlags::DIRECTORY);
/// A directory whose entries are to be read.
pub(super) const READ_DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// A file to be read. NONBLOCK and NOCTTY: a pipe must not hang us and a terminal must not adopt us before it is refused.
pub(super) const READ_FILE: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
/// The same for writing: only to change what the inode says, where reading is denied.
pub(super) const WRITE_FILE: OFlags =
    OFlags::WRONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// Room for one getdents call: about a thousand entries, and small enough to live on the heap of a passing batch.
const DIRECTORY_BUFFER: usize = 32 * 1024;
/// Bytes asked of sendfile at once: large enough to cost nothing, small enough that a signal gets a word in.
const SEND_STEP: usize = 64 * 1024 * 1024;

/// Which file it is, whatever its name: device and inode.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Identity {
    /// Number of the device that holds it.
    pub device: u64,
    /// Its number on that device.
    pub inode: u64,
}

// The widths of Stat's fields differ between architectures; these are the only places that see them.
#[allow(clippy::unnecessary_cast)]
pub(super) fn identity(stat: &Stat) -> Identity {
    Identity { device: stat.st_dev as u64, inode: stat.st_ino as u64 }
}

/// Seconds since 1970 (negative before) and nanoseconds of the last change of content.
#[allow(clippy::unnecessary_cast)]
pub(super) fn modified(stat: &Stat) -> (i64, u32) {
    (stat.st_mtime as i64, stat.st_mtime_nsec as u32)
}

#[allow(clippy::unnecessary_cast)]
pub(super) fn links(stat: &Stat) -> u64 {
    stat.st_nlink as u64
}

/// Size in bytes.
#[allow(clippy::unnecessary_cast)]
pub(super) fn size(stat: &Stat) -> u64 {
    (stat.st_size as i64).max(0) as u64
}

#[allow(clippy::unnecessary_cast)]
pub(super) fn mode(stat: &Stat) -> u32 {
    stat.st_mode as u32
}

pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Opens a path (several components) that the kernel keeps beneath `root`, under further conditions.
pub(super) fn open_beneath(root: impl AsFd, path: &[u8], flags: OFlags, conditions: ResolveFlags) -> Sys<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | conditions;
    let path = if path.is_empty() { b"." } else { path };
    retry_on_intr(|| fs::openat2(&root, path, flags, Mode::empty(), resolve))
}

/// Opens one component, never through a link.
pub(super) fn open_at(directory: impl AsFd, name: &[u8], flags: OFlags) -> Sys<OwnedFd> {
    retry_on_intr(|| fs::openat(&directory, name, flags | OFlags::NOFOLLOW, Mode::empty()))
}

/// The one opening by a whole path: the root itself, at start.
pub(super) fn open_root(path: &Path) -> Sys<OwnedFd> {
    fs::open(path, READ_DIRECTORY, Mode::empty())?;
    fs::open(path, PLACE_DIRECTORY, Mode::empty())
}

/// A new file for reading and writing that nobody else can read.
pub(super) fn create_new(directory: impl AsFd, name: &[u8]) -> Sys<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    retry_on_intr(|| fs::openat(&directory, name, flags, Mode::RUSR | Mode::WUSR)).map(File::from)
}

pub(super) fn stat_fd(fd: impl AsFd) -> Sys<Stat> {
    fs::fstat(fd)
}

/// What the name itself is; a link is a link.
pub(super) fn stat_at(directory: impl AsFd, name: &[u8]) -> Sys<Stat> {
    fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT)
}

/// Where a link that was opened as a place leads.
pub(super) fn read_link(link: impl AsFd) -> Sys<Vec<u8>> {
    fs::readlinkat(link, "", Vec::new()).map(|text| text.into_bytes())
}

/// Where the link of that name leads.
pub(super) fn read_link_at(directory: impl AsFd, name: &[u8]) -> Sys<Vec<u8>> {
    fs::readlinkat(directory, name, Vec::new()).map(|text| text.into_bytes())
}

pub(super) fn may_search(directory: impl AsFd) -> Sys<()> {
    fs::accessat(directory, ".", Access::EXEC_OK, AtFlags::EACCESS)
}

/// Whether this process may write the file of that name. Callers know that it is no link.
pub(super) fn may_write(directory: impl AsFd, name: &[u8]) -> Sys<()> {
    fs::accessat(directory, name, Access::WRITE_OK, AtFlags::EACCESS)
}

/// The file will be read from front to back; only a hint, so a refusal is no matter.
pub(super) fn advise_sequential(file: &File) {
    let _ = fs::fadvise(file, 0, None, Advice::Sequential);
}

pub(super) fn unlink(directory: impl AsFd, name: &[u8]) -> Sys<()> {
    fs::unlinkat(directory, name, AtFlags::empty())
}

pub(super) fn remove_directory(directory: impl AsFd, name: &[u8]) -> Sys<()> {
    fs::unlinkat(directory, name, AtFlags::REMOVEDIR)
}

pub(super) fn make_directory(directory: impl AsFd, name: &[u8], mode: u32) -> Sys<()> {
    fs::mkdirat(directory, name, Mode::from_raw_mode(mode))
}

pub(super) fn rename(from: impl AsFd, old: &[u8], to: impl AsFd, new: &[u8]) -> Sys<()> {
    fs::renameat(from, old, to, new)
}

/// A rename that refuses a taken name. File systems without the flag get a look before the leap.
pub(super) fn rename_new(from: impl AsFd, old: &[u8], to: impl AsFd, new: &[u8]) -> Sys<()> {
    match fs::renameat_with(&from, old, &to, new, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => match stat_at(&to, new) {
            Ok(_) => Err(Errno::EXIST),
            Err(Errno::NOENT) => fs::renameat(from, old, to, new),
            Err(errno) => Err(errno),
        },
        result => result,
    }
}

/// As [`stat_at`], for a name that most likely is free: a rename to itself that must replace nothing does nothing, and says so first.
/// A mere look at what is not there waits for the directory as a reader, and has all who write there sleep instead of trying again.
pub(super) fn stat_new_at(directory: impl AsFd, name: &[u8]) -> Sys<Stat> {
    match fs::renameat_with(&directory, name, &directory, name, RenameFlags::NOREPLACE) {
        Err(Errno::NOENT) => Err(Errno::NOENT),
        _ => stat_at(directory, name),
    }
}

/// Whether a file system is mounted on it, be it a bind mount of the same one. Old kernels do not say.
pub(super) fn is_mount_point(fd: impl AsFd) -> bool {
    let told = fs::statx(fd, "", AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT, StatxFlags::empty());
    told.is_ok_and(|told| (told.stx_attributes & told.stx_attributes_mask).contains(StatxAttributes::MOUNT_ROOT))
}

/// A moment as the kernel takes it: seconds since 1970 and nanoseconds.
pub(super) type Moment = (i64, u32);

fn timestamps(accessed: Option<Moment>, modified: Option<Moment>) -> Timestamps {
    let spec = |moment: Option<Moment>| match moment {
        Some((seconds, nanoseconds)) => Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() },
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
    };
    Timestamps { last_access: spec(accessed), last_modification: spec(modified) }
}

/// Sets the times of the last access and the last change, those that are given; a link is never followed.
pub(super) fn set_times_at(
    directory: impl AsFd,
    name: &[u8],
    accessed: Option<Moment>,
    modified: Option<Moment>,
) -> Sys<()> {
    fs::utimensat(directory, name, &timestamps(accessed, modified), AtFlags::SYMLINK_NOFOLLOW)
}

/// The same for an open file.
pub(super) fn set_times(file: impl AsFd, accessed: Option<Moment>, modified: Option<Moment>) -> Sys<()> {
    fs::futimens(file, &timestamps(accessed, modified))
}

/// Makes a link with this text.
pub(super) fn make_link(text: &[u8], directory: impl AsFd, name: &[u8]) -> Sys<()> {
    fs::symlinkat(text, directory, name)
}

pub(super) fn set_permissions(file: impl AsFd, permissions: u32) -> Sys<()> {
    fs::fchmod(file, Mode::from_raw_mode(permissions))
}

/// Gives the file to another owner where we may.
pub(super) fn set_owner(file: impl AsFd, uid: u32, gid: u32) -> Sys<()> {
    // The largest number means "leave as it is" to the kernel, and to rustix a broken promise.
    if uid == u32::MAX || gid == u32::MAX {
        return Err(Errno::INVAL);
    }
    fs::fchown(file, Some(fs::Uid::from_raw(uid)), Some(fs::Gid::from_raw(gid)))
}

/// Takes the lock that says "its writer lives". Ok(false): someone else holds it.
pub(super) fn try_lock(file: impl AsFd) -> Sys<bool> {
    match retry_on_intr(|| fs::flock(&file, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Bytes that an ordinary user can still write here; as many as can be said where the file system does not tell its size.
pub(super) fn free_bytes(fd: impl AsFd) -> Sys<u64> {
    fs::fstatvfs(fd).map(|it| if it.f_blocks == 0 { u64::MAX } else { it.f_bavail.saturating_mul(it.f_frsize) })
}

/// Writes some of non-empty `bytes` at `offset`; returns how many, at least one.
pub(super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> Sys<usize> {
    match retry_on_intr(|| rustix::io::pwrite(file, bytes, offset))? {
        // A file system that takes nothing and says no error has no room.
        0 => Err(Errno::NOSPC),
        written => Ok(written),
    }
}

/// Reads some bytes at `offset`; 0 at the end.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> Sys<usize> {
    retry_on_intr(|| rustix::io::pread(file, &mut *buffer, offset))
}

/// Sends some bytes of a file to another descriptor, at most `count` and what one call moves.
pub(super) fn send_file(to: impl AsFd, file: &File, mut offset: u64, count: u64) -> Sys<usize> {
    let count = usize::try_from(count).unwrap_or(SEND_STEP).min(SEND_STEP);
    retry_on_intr(|| fs::sendfile(&to, file, Some(&mut offset), count))
}

/// A pipe (its reading end, its writing end) and how many bytes it holds: `wanted`, or what the kernel gives.
pub(super) fn pipe(wanted: usize) -> Sys<(OwnedFd, OwnedFd, usize)> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    // Refused to users who have many; it then stays as it was born.
    let _ = fcntl_setpipe_size(&writer, wanted);
    let room = fcntl_getpipe_size(&writer)?;
    Ok((reader, writer, room))
}

/// Moves some of what has come to a socket into a pipe, without waiting; 0 when the peer has ended.
pub(super) fn splice_in(from: impl AsFd, pipe: impl AsFd, count: usize) -> Sys<usize> {
    retry_on_intr(|| splice(&from, None, &pipe, None, count, SpliceFlags::NONBLOCK))
}

/// Whether a socket has ended, and not only stopped: before an urgent byte the above finds nothing, although there is more.
pub(super) fn has_ended(socket: impl AsFd) -> Sys<bool> {
    match retry_on_intr(|| recv(&socket, &mut [0; 1][..], RecvFlags::PEEK)) {
        Ok((_, count)) => Ok(count == 0),
        // It is a pipe, which knows no such bytes.
        Err(Errno::NOTSOCK) => Ok(true),
        Err(errno) => Err(errno),
    }
}

/// Moves some of what a pipe holds into a file at `offset`; at least one byte.
pub(super) fn splice_out(pipe: impl AsFd, file: &File, mut offset: u64, count: usize) -> Sys<usize> {
    match retry_on_intr(|| splice(&pipe, None, file, Some(&mut offset), count, SpliceFlags::empty()))? {
        // As for write_at.
        0 => Err(Errno::NOSPC),
        moved => Ok(moved),
    }
}

pub(super) fn truncate(file: &File, size: u64) -> Sys<()> {
    retry_on_intr(|| fs::ftruncate(file, size))
}

/// Reads names from where the directory's descriptor stands, "." and ".." left out. Once `see` says that it has enough,
/// reading stops where no name is lost. Returns whether more may come.
pub(super) fn read_names(directory: impl AsFd, mut see: impl FnMut(&[u8], FileType) -> bool) -> Sys<bool> {
    let mut buffer = Vec::with_capacity(DIRECTORY_BUFFER);
    let mut names = RawDir::new(directory.as_fd(), buffer.spare_capacity_mut());
    let mut enough = false;
    while let Some(entry) = names.next() {
        let entry = match entry {
            // The directory was removed while it was read: it has no more entries.
            Err(Errno::NOENT) => return Ok(false),
            Err(Errno::INTR) => continue,
            other => other?,
        };
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            enough |= see(name, entry.file_type());
        }
        if enough && names.is_buffer_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Raises this process's limit of open files as far as it goes without privileges, and returns it.
pub fn raise_open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // A refusal leaves the limit that is; what counts is asked again below.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Who this process is to the file system: effective user, and effective and supplementary groups.
pub(super) struct Process {
    user: u32,
    groups: Vec<u32>,
    /// Root's power over permission bits, and over what others own: it is not root that has it but the capability.
    overrides: bool,
    owns_all: bool,
}

impl Process {
    pub(super) fn now() -> Self {
        let mut groups = vec![rustix::process::getegid().as_raw()];
        groups.extend(rustix::process::getgroups().unwrap_or_default().into_iter().map(|group| group.as_raw()));
        let capabilities = rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
        Process {
            user: rustix::process::geteuid().as_raw(),
            groups,
            overrides: capabilities.contains(CapabilitySet::DAC_OVERRIDE),
            owns_all: capabilities.contains(CapabilitySet::FOWNER),
        }
    }

    /// Whether it is ours to set times and permissions of, as far as that can be told beforehand.
    pub(super) fn owns(&self, stat: &Stat) -> bool {
        self.owns_all || stat.st_uid == self.user
    }

    /// What the permission bits grant us: four for reading, two for writing, one for searching. Only the bits are asked:
    /// access lists and mount options are not, so this advises and does not decide.
    pub(super) fn granted(&self, stat: &Stat) -> u32 {
        let bits = mode(stat);
        if self.overrides {
            let directory = kind(stat) == FileType::Directory;
            return if directory || bits & 0o111 != 0 { 0o7 } else { 0o6 };
        }
        if stat.st_uid == self.user {
            bits >> 6 & 0o7
        } else if self.groups.contains(&stat.st_gid) {
            bits >> 3 & 0o7
        } else {
            bits & 0o7
        }
    }
}

/// The account's name, asked of the system's user database.
pub(super) fn user_name(uid: u32) -> Option<Arc<str>> {
    nix::unistd::User::from_uid(uid.into()).ok().flatten().map(|user| user.name.into())
}

/// The group's name, asked of the system's group database.
pub(super) fn group_name(gid: u32) -> Option<Arc<str>> {
    nix::unistd::Group::from_gid(gid.into()).ok().flatten().map(|group| group.name.into())
}
