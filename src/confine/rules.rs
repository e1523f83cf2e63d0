//! Landlock: what is needed as rules that the kernel holds the process to. Knows paths and ports, and refuses to know what
//! they are for.
//!
//! A rule stands on an open file or folder, so all are opened before the process becomes somebody who may not open them.
//! A file that is replaced by a rename would be behind its rule, so the rule of such a file is its folder's.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use gftp_plugin::{Access, Needs};
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope, make_bitflags,
};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, fstatfs, openat};

use super::words::Landlock;

/// The versions that are made use of, newest first. The seventh adds nothing but what the kernel logs; what newer ones add
/// was not tried, and so is not asked for.
const VERSIONS: [(ABI, u8); 6] = [(ABI::V6, 6), (ABI::V5, 5), (ABI::V4, 4), (ABI::V3, 3), (ABI::V2, 2), (ABI::V1, 1)];

/// What every server reads. Names of users and groups: the databases, and what the C library finds them through. The time
/// zone. How many cores a container may use, as the standard library asks.
const EVERYBODY_READS: [&str; 20] = [
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/etc/userdb",
    "/run/userdb",
    "/usr/lib/userdb",
    "/run/systemd/userdb",
    "/run/nscd",
    "/var/lib/sss/mc",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/etc/timezone",
    "/proc/self/cgroup",
    "/proc/self/mountinfo",
    "/sys/fs/cgroup",
];
/// What every server writes to: whatever wants to see nothing.
const EVERYBODY_WRITES: [&str; 1] = ["/dev/null"];
/// Where programs keep what is temporary, and the terminal they may have been started from.
const PROGRAMS_WRITE: [&str; 4] = ["/tmp", "/var/tmp", "/dev/shm", "/dev/tty"];

const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
const APPEND: BitFlags<AccessFs> = make_bitflags!(AccessFs::{WriteFile | MakeReg});
const KEEP: BitFlags<AccessFs> =
    make_bitflags!(AccessFs::{ReadFile | ReadDir | WriteFile | MakeReg | RemoveFile | Truncate});
const RUN: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir | Execute});
/// All but running what is there, and making devices.
const WRITE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | ReadDir | WriteFile | RemoveDir | RemoveFile | MakeDir | MakeReg | MakeSock | MakeFifo | MakeSym | Refer
        | Truncate
});

/// A file or folder that a rule is to stand on.
struct Ground {
    fd: OwnedFd,
    allowed: BitFlags<AccessFs>,
}

/// The rules, ready to be obeyed.
pub(super) struct Rules {
    /// None where the kernel has no Landlock, or none that serves.
    ruleset: Option<RulesetCreated>,
    about: Landlock,
}

impl Rules {
    /// Makes the rules of what is needed, as far as this kernel has them.
    pub(super) fn prepare(needs: &Needs) -> Rules {
        let version = VERSIONS.into_iter().find(|(abi, _)| has(*abi));
        let writes = needs.files().any(|(_, access)| matches!(access, Access::WriteTree | Access::Run));
        let mut about = Landlock { version: version.map_or(0, |(_, number)| number), writes, ..Landlock::default() };
        let mut ruleset = None;
        if let Some((abi, _)) = version.filter(|_| about.is_used()) {
            match made(abi, needs) {
                Ok(made) => ruleset = Some(made),
                Err(e) => about.failed = Some(e.to_string()),
            }
        }
        Rules { ruleset, about }
    }

    /// Has this thread, and all that it starts, obey them for good; and what came of it.
    pub(super) fn obey(self) -> Landlock {
        let Rules { ruleset, mut about } = self;
        if let Some(ruleset) = ruleset
            && let Err(e) = ruleset.restrict_self()
        {
            about.failed = Some(e.to_string());
        }
        about
    }
}

/// Whether the kernel has all of a version. Nothing is made of it.
fn has(abi: ABI) -> bool {
    let wanted = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let wanted = wanted.handle_access(AccessFs::from_all(abi));
    let wanted = match AccessNet::from_all(abi) {
        net if net.is_empty() => wanted,
        net => wanted.and_then(|wanted| wanted.handle_access(net)),
    };
    let wanted = match Scope::from_all(abi) {
        scopes if scopes.is_empty() => wanted,
        scopes => wanted.and_then(|wanted| wanted.scope(scopes)),
    };
    wanted.and_then(Ruleset::create).is_ok()
}

fn made(abi: ABI, needs: &Needs) -> Result<RulesetCreated, RulesetError> {
    let mut net = AccessNet::from_all(abi);
    if needs.is_connecting() {
        net.remove(AccessNet::ConnectTcp);
    }
    let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(abi))?;
    if !net.is_empty() {
        ruleset = ruleset.handle_access(net)?;
    }
    let scopes = Scope::from_all(abi);
    if !scopes.is_empty() {
        ruleset = ruleset.scope(scopes)?;
    }
    let mut ruleset = ruleset.create()?;
    for Ground { fd, allowed } in grounds(needs) {
        let allowed = allowed & AccessFs::from_all(abi);
        if !allowed.is_empty() {
            ruleset = ruleset.add_rule(PathBeneath::new(fd, allowed))?;
        }
    }
    if net.contains(AccessNet::BindTcp) {
        for port in needs.ports().iter().cloned().flatten() {
            ruleset = ruleset.add_rule(NetPort::new(port, AccessNet::BindTcp))?;
        }
    }
    Ok(ruleset)
}

/// Everything that a rule is to stand on. What is not there cannot be opened later either.
fn grounds(needs: &Needs) -> Vec<Ground> {
    let mut grounds = Vec::new();
    let mut open = |path: &Path, allowed| grounds.extend(ground(path, allowed));
    for (paths, allowed) in [(&EVERYBODY_READS[..], READ), (&EVERYBODY_WRITES[..], WRITE)] {
        paths.iter().for_each(|path| open(Path::new(path), allowed));
    }
    for (path, access) in needs.files() {
        match access {
            Access::Read => folders(path).iter().for_each(|path| open(path, AccessFs::ReadFile.into())),
            Access::Append => folders(path).iter().for_each(|path| open(path, APPEND)),
            Access::Keep => folders(path).iter().for_each(|path| open(path, KEEP)),
            Access::ReadTree => open(path, READ),
            Access::WriteTree => open(path, WRITE),
            Access::Run => {
                open(path, RUN);
                PROGRAMS_WRITE.iter().for_each(|path| open(Path::new(path), WRITE));
            }
        }
    }
    grounds
}

/// What a rule for a file and what takes its place has to stand on: its folder, and that of the file itself where the path
/// leads through a link. A pipe or a terminal is not replaced, and what lies beside it is nobody's business here.
pub(super) fn folders(path: &Path) -> Vec<PathBuf> {
    let typed = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    if typed.metadata().is_ok_and(|found| !found.is_file()) {
        return vec![typed];
    }
    let real = typed.canonicalize().ok();
    let mut folders: Vec<PathBuf> = [Some(typed), real].into_iter().flatten().map(folder).collect();
    folders.dedup();
    folders
}

/// The folder of a file; but all there is would be too much for the sake of one file.
fn folder(file: PathBuf) -> PathBuf {
    match file.parent() {
        Some(folder) if folder != Path::new("/") => folder.to_path_buf(),
        _ => file,
    }
}

/// Opens it to stand on, and leaves out what means nothing to a file.
fn ground(path: &Path, allowed: BitFlags<AccessFs>) -> Option<Ground> {
    let fd = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    if is_nameless(&fd) {
        return None;
    }
    let is_folder = FileType::from_raw_mode(fstat(&fd).ok()?.st_mode) == FileType::Directory;
    // A file has the same rights in every version but for ioctl(2), which is for devices.
    let allowed = if is_folder { allowed } else { allowed & AccessFs::from_file(ABI::V4) };
    Some(Ground { fd, allowed })
}

/// Whether it is a pipe or socket without a name, which a path as /dev/stdout may lead to. Landlock stops nobody there, and
/// takes no rule.
#[allow(clippy::unnecessary_cast)]
fn is_nameless(fd: &OwnedFd) -> bool {
    const PIPEFS: u64 = 0x5049_5045;
    const SOCKFS: u64 = 0x534f_434b;
    fstatfs(fd).is_ok_and(|it| [PIPEFS, SOCKFS].contains(&(it.f_type as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_followed_to_its_folders() {
        let place = tempfile::tempdir().expect("a folder");
        let base = place.path().canonicalize().expect("its path");
        for folder in ["live", "archive"] {
            std::fs::create_dir(base.join(folder)).expect("a folder");
        }
        std::fs::write(base.join("archive/cert1.pem"), "").expect("a file");
        std::os::unix::fs::symlink("../archive/cert1.pem", base.join("live/cert.pem")).expect("a link");
        assert_eq!(folders(&base.join("live/cert.pem")), [base.join("live"), base.join("archive")]);
        assert_eq!(folders(&base.join("archive/cert1.pem")), [base.join("archive")]);
        assert_eq!(folders(&base.join("live/none.pem")), [base.join("live")]);
        for alone in ["/dev/null", "/gftp.log"] {
            assert_eq!(folders(Path::new(alone)), [Path::new(alone)]);
        }
        let here = std::env::current_dir().expect("it is somewhere");
        assert_eq!(folders(Path::new("nothing.toml")), [here]);
    }
}
