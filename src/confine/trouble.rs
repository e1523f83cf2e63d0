//! What would go wrong later, found while it can still be said in one line: what root could do, and who the process becomes
//! cannot. Knows paths and ports, and changes nothing.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use gftp_plugin::{Access, Needs};
use rustix::fs::{self, AtFlags, CWD, Mode, OFlags, access, accessat, fstat, openat};

use super::{rules, user};

/// The first port that everybody may listen on, where the kernel does not say another.
const FIRST_FREE_PORT: u16 = 1024;

/// To list a folder and go into it.
const SEE: fs::Access = fs::Access::READ_OK.union(fs::Access::EXEC_OK);
/// To make and remove names in a folder.
const CHANGE: fs::Access = fs::Access::WRITE_OK.union(fs::Access::EXEC_OK);

/// The folders that are served, opened as they were served: their paths may lead through folders that are closed to who
/// the process becomes, which is no matter.
pub(super) struct Trees(Vec<(PathBuf, Access, OwnedFd)>);

impl Trees {
    /// Opens all that are needed.
    pub(super) fn open(needs: &Needs) -> Trees {
        let trees = needs.files().filter(|(_, access)| matches!(access, Access::ReadTree | Access::WriteTree));
        let opened = trees.filter_map(|(path, access)| {
            let fd = openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
            Some((path.to_path_buf(), access, fd))
        });
        Trees(opened.collect())
    }

    /// Where this user may not read one: nothing would be served.
    pub(super) fn refuse_unreadable(&self) -> Result<(), String> {
        match self.0.iter().find(|(.., fd)| !may(fd, SEE)) {
            Some((path, _, fd)) => {
                let (path, user) = (path.display(), user::shown());
                let owner = fstat(fd).ok().map(|stat| stat.st_uid).filter(|uid| *uid != 0).and_then(user::name_of);
                let advice = owner.map_or("chmod it".to_string(), |owner| format!("chmod it, or --run-as {owner}"));
                Err(format!("{path}: {user} may not read it without root's capabilities; {advice}"))
            }
            None => Ok(()),
        }
    }

    /// What works now and will not work later, since it is somebody else's.
    pub(super) fn later_trouble(&self, needs: &Needs) -> Vec<String> {
        let user = user::shown();
        let mut troubles = Vec::new();
        for (path, _, _) in self.0.iter().filter(|(_, access, fd)| *access == Access::WriteTree && !may(fd, CHANGE)) {
            let path = path.display();
            troubles
                .push(format!("{path}: {user} may write only in those folders below that allow it; chown or chmod it"));
        }
        for (path, wanted) in needs.files() {
            let shown = path.display();
            match wanted {
                Access::Read if access(path, fs::Access::READ_OK).is_err() => troubles.push(format!(
                    "{shown}: {user} may not read it, so no change of it is seen before the next start; chown it"
                )),
                Access::Append if access(path, fs::Access::WRITE_OK).is_err() && folder_is_closed(path) => troubles
                    .push(format!(
                        "{shown}: {user} may not open it again once it is moved away; chown it and its folder"
                    )),
                Access::Keep if folder_is_closed(path) => troubles
                    .push(format!("{shown}: {user} may not replace it, so changes are not kept; chown its folder")),
                _ => {}
            }
        }
        troubles
    }
}

/// Ports that are opened when the first client comes, by a process that may no longer open these.
pub(super) fn refuse_low_ports(needs: &Needs) -> Result<(), String> {
    let told = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").ok();
    let first = told.and_then(|text| text.trim().parse().ok()).unwrap_or(FIRST_FREE_PORT);
    match needs.ports().iter().find(|ports| (1..first).contains(ports.start())) {
        Some(ports) => Err(format!(
            "port {} is to be opened when clients come, and by then the right to ports below {first} is given up: \
             give higher ones, as --passive-ports 50000-50010",
            ports.start()
        )),
        None => Ok(()),
    }
}

/// Threads of this process but this one. Where /proc does not say, none are known of.
pub(super) fn other_threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, |threads| threads.count().saturating_sub(1))
}

fn may(folder: &OwnedFd, wanted: fs::Access) -> bool {
    accessat(folder, ".", wanted, AtFlags::empty()).is_ok()
}

fn folder_is_closed(file: &Path) -> bool {
    rules::folders(file).iter().any(|folder| access(folder, CHANGE).is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_ports_are_refused_unless_the_system_picks() {
        let asked = |first, last| {
            let mut needs = Needs::default();
            refuse_low_ports(needs.listens(first..=last))
        };
        assert_eq!(asked(0, 0), Ok(()));
        assert_eq!(asked(50_000, 50_010), Ok(()));
        // Containers often lower it to 0, and then all are everybody's.
        let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").expect("Linux has it");
        if first.trim() == "1024" {
            assert!(
                asked(1000, 1100).is_err_and(|e| e.contains("port 1000") && e.contains("--passive-ports 50000-50010"))
            );
        }
    }
}
