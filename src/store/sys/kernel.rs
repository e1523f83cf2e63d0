//! File systems that are the kernel's own: what they show as files are its own doings, devices and secrets of processes, never
//! a served tree. Knows paths of the host and numbers of statfs(2), and no root.

use rustix::fs::{self, StatFs};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::OnceLock;

/// They as statfs(2) names them (linux/magic.h): proc, sysfs, devpts, both cgroups, debugfs, tracefs, securityfs, configfs,
/// bpf, mqueue, efivarfs, pstore, selinuxfs, nsfs, binfmt_misc. Not devtmpfs, which calls itself tmpfs.
const MAGIC: [u64; 16] = [
    0x9fa0,
    0x6265_6572,
    0x1cd1,
    0x0027_e0eb,
    0x6367_7270,
    0x6462_6720,
    0x7472_6163,
    0x7363_6673,
    0x6265_6570,
    0xcafe_4a11,
    0x1980_0202,
    0xde5e_81e4,
    0x6165_676c,
    0xf97c_ff8c,
    0x6e73_6673,
    0x4249_4e4d,
];
/// Where they are in every system.
const PLACES: [&str; 3] = ["/proc", "/sys", "/dev"];

/// How a folder of the host lies to the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Reach {
    /// They are in it.
    Contains,
    /// It is in one of them.
    Within,
    /// Neither.
    Apart,
}

/// How a folder lies, by its path without links. What lies in /dev is apart where it is a disk of its own, as /dev/shm is.
pub(in super::super) fn reach(folder: &Path) -> Reach {
    let contains = |place: &&str| Path::new(place).starts_with(folder) && folder != Path::new(place);
    if PLACES.iter().any(|place| contains(place) && Path::new(place).exists()) {
        return Reach::Contains;
    }
    let within = |place: &&str| folder.starts_with(place) && (*place != "/dev" || is_kernel_made_path(folder));
    if PLACES.iter().any(within) { Reach::Within } else { Reach::Apart }
}

/// Whether it lies on a file system of the kernel's.
pub(in super::super) fn is_kernel_made(fd: impl AsFd) -> bool {
    fs::fstatfs(&fd).is_ok_and(|it| is_magic(&it)) || fs::fstat(&fd).is_ok_and(|it| is_devices(&it))
}

/// The same for a path, for the sweep that walks by names.
pub(in super::super) fn is_kernel_made_path(path: &Path) -> bool {
    fs::statfs(path).is_ok_and(|it| is_magic(&it)) || fs::stat(path).is_ok_and(|it| is_devices(&it))
}

// The width of the field, and its sign, differ between architectures; the number is of 32 bits in all of them.
#[allow(clippy::unnecessary_cast)]
fn is_magic(it: &StatFs) -> bool {
    MAGIC.contains(&(it.f_type as u64 & 0xffff_ffff))
}

/// Whether it lies where the devices do, wherever that is mounted as well.
fn is_devices(it: &fs::Stat) -> bool {
    static DEVICES: OnceLock<Option<u64>> = OnceLock::new();
    let devices = DEVICES.get_or_init(|| {
        let (devices, root) = (fs::stat("/dev").ok()?, fs::stat("/").ok()?);
        // Where /dev is a folder as others it is none of the kernel's.
        (devices.st_dev != root.st_dev).then_some(devices.st_dev)
    });
    *devices == Some(it.st_dev)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_kernels_and_what_is_not() {
        assert_eq!(reach(Path::new("/")), Reach::Contains);
        for within in ["/proc", "/proc/self", "/sys", "/sys/kernel"] {
            assert_eq!(reach(Path::new(within)), Reach::Within, "{within}");
        }
        for apart in ["/srv", "/home", "/procedures", "/system", "/tmp", "/usr"] {
            assert_eq!(reach(Path::new(apart)), Reach::Apart, "{apart}");
        }
        assert!(is_kernel_made_path(Path::new("/proc")) && is_kernel_made_path(Path::new("/sys")));
        assert!(!is_kernel_made_path(Path::new("/usr")) && !is_kernel_made_path(Path::new("/")));
        let is_apart = |a: &str, b: &str| fs::stat(a).is_ok_and(|a| fs::stat(b).is_ok_and(|b| a.st_dev != b.st_dev));
        if is_apart("/dev", "/") {
            assert_eq!(reach(Path::new("/dev")), Reach::Within);
        }
        if is_apart("/dev/shm", "/dev") {
            assert_eq!(reach(Path::new("/dev/shm")), Reach::Apart);
        }
    }
}
