//! What has reached the disk, and what may yet be refused.

use super::Sys;
use rustix::fs;
use rustix::io::{Errno, retry_on_intr};
use std::fs::File;
use std::os::fd::AsFd;

/// File systems as statfs(2) names them: NFS, SMB of the first and of later kinds, Ceph, AFS, 9P. They take what is written and may refuse it later.
const ON_NETWORKS: [u64; 6] = [0x6969, 0xff53_4d42, 0xfe53_4d42, 0x00c3_6400, 0x5346_414f, 0x0102_1997];

/// Whether what was written there without an error may still be refused, until it has been asked for.
#[allow(clippy::unnecessary_cast)]
pub(in crate::store) fn refuses_late(fd: impl AsFd) -> bool {
    fs::fstatfs(fd).is_ok_and(|it| ON_NETWORKS.contains(&(it.f_type as u64 & 0xffff_ffff)))
}

/// Forces the content to the disk.
pub(in crate::store) fn sync(file: &File) -> Sys<()> {
    retry_on_intr(|| fs::fdatasync(file))
}

/// Forces the names in a directory to the disk, where the file system has anything of that kind.
pub(in crate::store) fn sync_directory(directory: impl AsFd) -> Sys<()> {
    match retry_on_intr(|| fs::fsync(&directory)) {
        Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS | Errno::ROFS) => Ok(()),
        done => done,
    }
}
