//! What the kernel answers from memory: names that it remembers, pages that it holds. Whoever must not wait for a disk asks
//! here first, and takes a refusal for "ask again where waiting is allowed". It refuses to know who that is.

use super::Sys;
use rustix::fs::{self, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, ReadWriteFlags, retry_on_intr};
use std::fs::File;
use std::io::IoSliceMut;
use std::os::fd::{AsFd, OwnedFd};

/// How a file system answers who must not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Backing {
    /// It lives in memory, so that it never waits (but for what was swapped out, which is rare where there is a choice).
    Memory,
    /// A disk of this machine: the kernel can say that it would have to wait.
    Disk,
    /// A network, another program or something that is not known: any call may wait.
    Elsewhere,
}

/// They as statfs(2) names them (linux/magic.h): tmpfs, ramfs.
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];
/// The same: ext2 to ext4, XFS, Btrfs, F2FS. Those that read and look up without waiting where they are told to.
const ON_DISKS: [u64; 4] = [0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010];

/// What is known of the file system that holds it.
// The width of the field, and its sign, differ between architectures; the number is of 32 bits in all of them.
#[allow(clippy::unnecessary_cast)]
pub(in super::super) fn backing(fd: impl AsFd) -> Backing {
    let magic = fs::fstatfs(fd).map_or(0, |it| it.f_type as u64 & 0xffff_ffff);
    match magic {
        magic if IN_MEMORY.contains(&magic) => Backing::Memory,
        magic if ON_DISKS.contains(&magic) => Backing::Disk,
        _ => Backing::Elsewhere,
    }
}

/// The same: FAT, exFAT, NTFS (two drivers), HFS+, SMB of the first and of later kinds. There one name has several spellings, by case or short.
const WITH_SPELLINGS: [u64; 7] = [0x4d44, 0x2011_bab0, 0x5346_544e, 0x7366_746e, 0x482b, 0xff53_4d42, 0xfe53_4d42];

/// Whether its file system is known to take several spellings for one name.
#[allow(clippy::unnecessary_cast)]
pub(in super::super) fn has_spellings(fd: impl AsFd) -> bool {
    fs::fstatfs(fd).is_ok_and(|it| WITH_SPELLINGS.contains(&(it.f_type as u64 & 0xffff_ffff)))
}

/// As [`super::open_beneath`], of names that are remembered, on the file system of `root` alone (Linux 5.12). AGAIN: it
/// would have to wait; INVAL: the kernel does not know the question.
pub(in super::super) fn open_beneath_cached(
    root: impl AsFd,
    path: &[u8],
    flags: OFlags,
    no_symlinks: bool,
) -> Sys<OwnedFd> {
    let mut resolve =
        ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV | ResolveFlags::CACHED;
    if no_symlinks {
        resolve |= ResolveFlags::NO_SYMLINKS;
    }
    let path = if path.is_empty() { b"." } else { path };
    retry_on_intr(|| fs::openat2(&root, path, flags, Mode::empty(), resolve))
}

/// Reads what of it is in memory; fewer bytes than there is room for may mean the end, or that the rest is not. AGAIN: nothing is.
pub(in super::super) fn read_cached(file: &File, buffer: &mut [u8], offset: u64, backing: Backing) -> Sys<usize> {
    let flags = match backing {
        Backing::Elsewhere => return Err(Errno::AGAIN),
        Backing::Disk => ReadWriteFlags::NOWAIT,
        // It knows no other way, and so not this one either.
        Backing::Memory => ReadWriteFlags::empty(),
    };
    retry_on_intr(|| rustix::io::preadv2(file, &mut [IoSliceMut::new(buffer)], offset, flags))
}
