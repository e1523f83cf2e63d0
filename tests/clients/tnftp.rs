//! tnftp (NetBSD's ftp, the ancestor of the one in macOS): a script on its standard input, as a person would type.

use super::suite::suite;
use super::{Desk, Driver, Report, Road, Step};
use crate::server::{PASSWORD, USER};

struct Tnftp;

suite!(Tnftp; downloads, uploads, resumed_downloads, resumed_uploads, appends, names, directories, roads, refusals);

impl Driver for Tnftp {
    fn programs(&self) -> &'static [&'static str] {
        &["tnftp"]
    }

    fn roads(&self) -> &'static [Road] {
        &[
            Road::Passive,
            Road::Pasv,
            Road::Active,
            Road::Port,
            Road::PassiveV6,
            Road::ActiveV6,
        ]
    }

    fn perform(&self, desk: &Desk, steps: &[Step]) -> Report {
        let mut script = String::new();
        if desk.road == Road::Pasv || desk.road == Road::Port {
            script += "epsv4\n";
        }
        script += &script_for(steps);
        let mode = if desk.active() { "-A" } else { "-p" };
        let report = desk
            .client("tnftp")
            .args(["-n", "-i", "-v", mode, &desk.host(), &desk.port()])
            .script(script)
            .run();
        judged(report)
    }
}

/// The script for a client of the BSD family, which tnftp and inetutils are.
pub fn script_for(steps: &[Step]) -> String {
    let mut script = format!("user {USER} {PASSWORD}\nbinary\n");
    for step in steps {
        script += &match *step {
            Step::List("") => "ls\n".to_owned(),
            Step::List(folder) => format!("ls {}\n", quoted(folder)),
            Step::Get { remote, local } => format!("get {} {local}\n", quoted(remote)),
            Step::Put { local, remote } => format!("put {local} {}\n", quoted(remote)),
            Step::ResumeGet { remote, local } => format!("reget {} {local}\n", quoted(remote)),
            Step::ResumePut {
                local,
                remote,
                have,
            } => {
                format!("restart {have}\nput {local} {}\n", quoted(remote))
            }
            Step::Append { local, remote } => format!("append {local} {}\n", quoted(remote)),
            Step::Rename { from, to } => format!("rename {} {}\n", quoted(from), quoted(to)),
            Step::Delete(path) => format!("delete {}\n", quoted(path)),
            Step::MakeDir(path) => format!("mkdir {}\n", quoted(path)),
            Step::RemoveDir(path) => format!("rmdir {}\n", quoted(path)),
        };
    }
    script + "quit\n"
}

/// These clients leave with 0 whatever happened, so the server's replies in their output are the verdict.
pub fn judged(report: Report) -> Report {
    let refused = |line: &str| {
        let code = line.get(..4).unwrap_or_default().as_bytes();
        matches!(code, [b'4' | b'5', second, third, b' ' | b'-'] if second.is_ascii_digit() && third.is_ascii_digit())
    };
    let ended = report.text.lines().any(|line| line.starts_with("221"));
    Report {
        ok: report.ok && ended && !report.text.lines().any(refused),
        ..report
    }
}

/// A backslash before every ASCII character that could mean something; inside double quotes these clients know no escape.
fn quoted(path: &str) -> String {
    let mut quoted = String::new();
    for character in path.chars() {
        if character.is_ascii() && !character.is_ascii_alphanumeric() {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted
}
