//! What is said of the confinement: the line at the start, and what this kernel lacks. Pure: it is told all of it.

use std::path::Path;

use gftp_plugin::{Access, Needs};

/// What is to be said of Landlock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Landlock {
    /// The version of it (its ABI) that is used at most; 0 where the kernel has none.
    pub version: u8,
    /// Whether anything is to be changed in folders.
    pub writes: bool,
    /// Why it could not be used all the same.
    pub failed: Option<String>,
}

/// What came with which version, and with which Linux.
const SINCE: [(u8, &str, &str); 5] = [
    (2, "for folders that are written to", "5.19"),
    (3, "on cutting files short", "6.2"),
    (4, "on TCP ports", "6.7"),
    (5, "on commands to devices", "6.10"),
    (6, "on signals and abstract sockets", "6.12"),
];
/// The first version that knows renames from one folder to another. The one before forbids them all.
const RENAMES: u8 = 2;
/// The first version that knows TCP.
const PORTS: u8 = 4;
/// The first version that knows signals and abstract sockets.
const SCOPES: u8 = 6;

impl Landlock {
    /// Whether it serves: the first version would forbid every rename between folders.
    pub(super) fn is_used(&self) -> bool {
        let oldest = if self.writes { RENAMES } else { 1 };
        self.version >= oldest && self.failed.is_none()
    }

    /// What the kernel lacks of it.
    fn lacks(&self) -> Vec<String> {
        match self {
            Landlock { version: 0, .. } => {
                vec![
                    "Landlock (Linux 5.13; lsm= at its start may leave it out, and a container may forbid it)"
                        .to_string(),
                ]
            }
            Landlock { failed: Some(why), .. } => vec![format!("a Landlock that works ({why})")],
            Landlock { version, .. } => SINCE
                .iter()
                .filter(|(since, ..)| since > version)
                .map(|(_, what, linux)| format!("Landlock {what} (Linux {linux})"))
                .collect(),
        }
    }
}

/// All that there is to say.
pub(super) struct Said<'a> {
    /// Who the process is.
    pub user: &'a str,
    /// Whether anything was given up at all.
    pub is_confined: bool,
    /// Whether no program can give new privileges.
    pub no_new_privileges: bool,
    /// What Landlock does.
    pub landlock: &'a Landlock,
    /// What is needed, and so allowed.
    pub needs: &'a Needs,
}

impl Said<'_> {
    /// What the kernel lacks.
    pub(super) fn lacks(&self) -> Vec<String> {
        let mut lacks = self.landlock.lacks();
        if !self.no_new_privileges {
            lacks.push("no_new_privs (Linux 3.5)".to_string());
        }
        lacks
    }

    /// The line at the start.
    pub(super) fn line(&self) -> String {
        let user = self.user;
        if !self.is_confined {
            return format!("not confined, as --confine off wants it; the process is {user}'s");
        }
        let privileges = if self.no_new_privileges { " and no way to new ones" } else { "" };
        let mut line = format!("confined: {user}, without capabilities{privileges}");
        if self.landlock.is_used() {
            line += &format!("; the kernel lets it {}", self.allowed());
        }
        match self.lacks().join(", ") {
            lacks if lacks.is_empty() => line,
            lacks => format!("{line}; this kernel lacks {lacks}"),
        }
    }

    /// What Landlock allows.
    fn allowed(&self) -> String {
        let paths = |wanted: &[Access]| {
            let found = self.needs.files().filter(|(_, access)| wanted.contains(access));
            found.map(|(path, _)| shown(path)).collect::<Vec<_>>()
        };
        let mut parts = Vec::new();
        if self.needs.is_running_programs() {
            parts.push(
                "read and run everything that is this user's to read and run, since it runs programs".to_string(),
            );
        } else {
            let mut read = paths(&[Access::ReadTree, Access::WriteTree]);
            read.extend(paths(&[Access::Read]).into_iter().map(|file| format!("the folder of {file}")));
            read.push("what names, zones and cores are told from".to_string());
            parts.push(format!("read {}", read.join(", ")));
        }
        let mut write = paths(&[Access::WriteTree]);
        write.extend(paths(&[Access::Append, Access::Keep]).into_iter().map(|file| format!("beside {file}")));
        if self.needs.is_running_programs() {
            write.push("temporary files".to_string());
        }
        parts.push(if write.is_empty() { "write nowhere".to_string() } else { format!("write {}", write.join(", ")) });
        if self.landlock.version >= PORTS {
            parts.push(self.ports());
        }
        if self.landlock.version >= SCOPES {
            parts.push("signal only itself and what it starts".to_string());
        }
        parts.join("; ")
    }

    fn ports(&self) -> String {
        let ports = self.needs.ports().iter().map(|range| match (range.start(), range.end()) {
            (0, 0) => "a port that the system picks".to_string(),
            (first, last) if first == last => format!("port {first}"),
            (first, last) => format!("ports {first}-{last}"),
        });
        let ports = ports.collect::<Vec<_>>().join(", ");
        let listen = if ports.is_empty() { "listen nowhere else".to_string() } else { format!("listen on {ports}") };
        let connect = if self.needs.is_connecting() { "anywhere" } else { "nowhere" };
        format!("{listen}; connect {connect} by TCP")
    }
}

/// A path for people.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(version: u8, needs: &Needs) -> String {
        let landlock = Landlock { version, writes: true, failed: None };
        Said { user: "ftp (uid 99)", is_confined: true, no_new_privileges: true, landlock: &landlock, needs }.line()
    }

    #[test]
    fn the_line_says_what_is_allowed() {
        let mut needs = Needs::default();
        needs.writes_tree("/srv").reads("/etc/gftp/cert.pem").appends("/var/log/gftp/log").listens(0..=0);
        needs.listens(50000..=50010).listens(21..=21).connects();
        assert_eq!(
            said(6, &needs),
            "confined: ftp (uid 99), without capabilities and no way to new ones; the kernel lets it read /srv, the folder of \
             /etc/gftp/cert.pem, what names, zones and cores are told from; write /srv, beside /var/log/gftp/log; \
             listen on a port that the system picks, ports 50000-50010, port 21; connect anywhere by TCP; \
             signal only itself and what it starts"
        );
        let nothing = said(6, &Needs::default());
        assert!(nothing.contains("write nowhere; listen nowhere else; connect nowhere by TCP"), "{nothing}");
        needs.runs_programs();
        let programs = said(6, &needs);
        assert!(programs.contains("since it runs programs; write /srv, beside"), "{programs}");
        assert!(programs.contains("temporary files; listen"), "{programs}");
    }

    #[test]
    fn what_a_kernel_lacks_is_said() {
        let needs = Needs::default();
        let none = said(0, &needs);
        assert!(
            none.contains("; this kernel lacks Landlock (Linux 5.13;") && !none.contains("the kernel lets"),
            "{none}"
        );
        let first = said(1, &needs);
        assert!(first.contains("written to (Linux 5.19)") && !first.contains("the kernel lets"), "{first}");
        let debian = said(2, &needs);
        assert!(debian.contains("the kernel lets it read") && !debian.contains("listen"), "{debian}");
        assert!(debian.ends_with(
            "this kernel lacks Landlock on cutting files short (Linux 6.2), Landlock on TCP ports (Linux 6.7), Landlock \
             on commands to devices (Linux 6.10), Landlock on signals and abstract sockets (Linux 6.12)"
        ));
        assert!(said(5, &needs).contains("connect nowhere") && !said(5, &needs).contains("signal only"));
        assert!(!said(6, &needs).contains("lacks"));
        let reading = Landlock { version: 1, writes: false, failed: None };
        assert!(reading.is_used(), "who only reads renames nothing");
        let broken = Landlock { version: 6, writes: false, failed: Some("why".to_string()) };
        assert!(!broken.is_used() && broken.lacks() == ["a Landlock that works (why)"]);
    }

    #[test]
    fn what_was_not_wanted_is_not_claimed() {
        let (landlock, needs) = (Landlock::default(), Needs::default());
        let user = "root (uid 0)";
        let said = Said { user, is_confined: false, no_new_privileges: false, landlock: &landlock, needs: &needs };
        assert_eq!(said.line(), "not confined, as --confine off wants it; the process is root (uid 0)'s");
    }
}
