//! Programs as services: `gftp serve … --plugin ./my-service.py --port 9000` runs the program once for each connection, as
//! inetd does, with the connection on its standard input and output.
//!
//! Owns what a program is told and how its process lives and ends. Refuses to know what it says: the bytes pass as they
//! are, HTTP included. A program may do whatever this user may; it is the administrator's, and no stranger chooses it.
//!
//! # What a program finds
//!
//! | descriptor | what |
//! |---|---|
//! | 0 | what the client sends; its end is where the client closed its sending side, or the server drains |
//! | 1 | what the client gets; once it is closed, the client is told that nothing more comes |
//! | 2 | the log, a line each, cut to what a log can bear |
//!
//! These are pipes. The working directory, the user and the environment are gftp's own, `GFTP_PASSWORD` taken out, and:
//!
//! | variable | what | example |
//! |---|---|---|
//! | `GFTP_PEER`, `TCPREMOTEIP` | the client's address | `203.0.113.9`, `2001:db8::9` |
//! | `GFTP_PEER_PORT`, `TCPREMOTEPORT` | its port | `50123` |
//! | `GFTP_LOCAL`, `TCPLOCALIP` | our address, as the client dialled it | `198.51.100.7` |
//! | `GFTP_LOCAL_PORT`, `TCPLOCALPORT` | our port | `9000` |
//! | `GFTP_SESSION` | the session's number, as it stands in the log | `17` |
//! | `GFTP_SERVICE` | the service's name: the program's file name | `my-service.py` |
//! | `PROTO` | always `TCP`, as UCSPI has it | `TCP` |
//!
//! # How it ends
//!
//! Left alone, a program ends by itself, and so does the session: all that it wrote is delivered first. It is killed, with
//! all that it started (its process group), when the client resets the connection, or when nothing has moved in either
//! direction for `--idle`. A client that has only closed its sending side still gets its answer. When the server drains,
//! its input ends and it gets SIGTERM; what it still says is delivered, and after `--kill-after` it is killed. What it
//! leaves behind in its group is killed after it.

mod journal;
mod process;
mod pump;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use clap::Args;
use futures::future::{BoxFuture, FutureExt};
use gftp_plugin::program::runnable;
use gftp_plugin::stderr::Quota;
use gftp_plugin::{Conn, Needs, Origin, Plugin, Service, parse_time, rt};
use rustix::process::{PidfdFlags, getpid, pidfd_open};

use journal::Subject;
use process::Process;
use pump::Pump;

/// Sessions at once where nobody says otherwise. Each is a process: a hundred of an interpreter take a gigabyte, and at
/// three pipes each stay well below the 1,024 that the kernel gives one user at full size.
pub const USUAL_SESSIONS: usize = 100;
/// Descriptors that one session takes: its connection and what tells of its end, three pipes, and what tells of the
/// process's end.
pub const DESCRIPTORS_EACH: usize = 6;

/// What the password of `--user` comes in: no business of a program that strangers talk to.
const SECRET: &str = "GFTP_PASSWORD";
/// Other names of UCSPI's. Whoever started gftp may have left them, and they would speak of another connection.
const STALE: [&str; 3] = ["TCPREMOTEHOST", "TCPREMOTEINFO", "TCPLOCALHOST"];

/// Options of a program.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Give the program this argument, repeatable
    #[arg(long = "arg", value_name = "TEXT", allow_hyphen_values = true)]
    pub args: Vec<OsString>,
    /// Kill it, and close the connection, when nothing has moved in either direction for this long
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_time)]
    pub idle: Duration,
    /// When the server drains: kill it if it has not ended this long after SIGTERM
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_time)]
    pub kill_after: Duration,
}

/// A program, run once for each connection.
pub struct Program {
    path: PathBuf,
    name: String,
    options: Options,
    /// What all its sessions together may write to the log.
    quota: Mutex<Quota>,
}

/// The program at `path` as a plugin; its name is the path as typed.
pub fn plugin(path: &Path) -> Plugin {
    let (name, path) = (path.display().to_string(), path.to_path_buf());
    let about = format!("Run {name} for each connection, with the connection on its standard input and output");
    Plugin::service(name, about, move |options| Program::new(&path, options)).with_sessions(USUAL_SESSIONS)
}

impl Program {
    /// Checks that this user may run the program at `path`, now: it is looked up again for each connection, so that a new
    /// version can take its place. An error is one line that says what to do.
    pub fn new(path: &Path, options: Options) -> Result<Program, String> {
        let file = runnable(path)?;
        pidfd_open(getpid(), PidfdFlags::empty())
            .map_err(|e| format!("programs cannot be watched here ({e}): that takes Linux 5.3"))?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Program { path: file, name, options, quota: Mutex::new(Quota::of_service()) })
    }

    /// What is run for a connection from there.
    fn command(&self, origin: &Origin) -> Command {
        let Origin { id, peer, local, .. } = origin;
        let mut command = Command::new(&self.path);
        command.args(&self.options.args).env_remove(SECRET);
        for name in STALE {
            command.env_remove(name);
        }
        for (names, value) in [
            (["GFTP_PEER", "TCPREMOTEIP"], peer.ip().to_string()),
            (["GFTP_PEER_PORT", "TCPREMOTEPORT"], peer.port().to_string()),
            (["GFTP_LOCAL", "TCPLOCALIP"], local.ip().to_string()),
            (["GFTP_LOCAL_PORT", "TCPLOCALPORT"], local.port().to_string()),
        ] {
            command.envs(names.map(|name| (name, &value)));
        }
        command.env("GFTP_SESSION", id.to_string()).env("GFTP_SERVICE", &self.name).env("PROTO", "TCP");
        command
    }

    async fn attend(&self, mut conn: Conn) -> io::Result<()> {
        let subject = Subject { origin: **conn.origin(), service: &self.name };
        let command = self.command(conn.origin());
        // Making a process waits for the disk that the program lies on.
        match rt::unblock(move || Process::start(command)).await {
            Ok(process) => Pump::new(conn, process, subject, &self.options, &self.quota).run().await,
            Err(e) => {
                journal::not_started(&subject, &self.path, &e);
                conn.finish().await
            }
        }
    }
}

impl Service for Program {
    fn name(&self) -> &str {
        &self.name
    }

    fn descriptors(&self) -> usize {
        DESCRIPTORS_EACH
    }

    fn needs(&self, needs: &mut Needs) {
        needs.runs_programs();
    }

    fn serve(&self, conn: Conn) -> BoxFuture<'_, io::Result<()>> {
        self.attend(conn).boxed()
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches, Parser};

    use super::*;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        options: Options,
    }

    fn options(words: &[&str]) -> Options {
        Typed::parse_from([&["gftp"], words].concat()).options
    }

    fn refusal(path: &Path) -> String {
        Program::new(path, options(&[])).err().expect("no program")
    }

    #[test]
    fn options_are_read() {
        Typed::command().debug_assert();
        let usual = options(&[]);
        assert_eq!((usual.idle, usual.kill_after), (Duration::from_secs(300), Duration::from_secs(5)));
        let typed = options(&["--arg", "-c", "--arg", "--help", "--idle", "2m", "--kill-after", "250ms"]);
        assert_eq!(typed.args, ["-c", "--help"]);
        assert_eq!((typed.idle, typed.kill_after), (Duration::from_secs(120), Duration::from_millis(250)));
    }

    #[test]
    fn a_plugin_is_called_as_it_was_typed() {
        let plugin = plugin(Path::new("/bin/sh"));
        assert_eq!(plugin.name(), "/bin/sh");
        let typed = plugin.command().try_get_matches_from(["sh", "--arg", "-c"]).expect("its options");
        assert_eq!(Options::from_arg_matches(&typed).expect("options").args, ["-c"]);
        let serving = plugin.serving().expect("it is a service");
        assert_eq!((serving.make)(&typed).expect("sh may be run").name(), "sh");
        assert_eq!((serving.port, serving.sessions), (None, Some(USUAL_SESSIONS)));
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_advice() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        assert!(refusal(&at("none")).eq("there is no such program; give its path, as ./my-service.py"));
        assert!(refusal(folder.path()).eq("that is a folder; give a program in it"));
        std::fs::write(at("plain"), "#!/bin/sh\n").expect("a file");
        assert!(refusal(&at("plain")).ends_with(&format!("may not run it: chmod +x {}", at("plain").display())));
        assert!(refusal(&at("plain/x")).contains("give the path of a program"), "{}", refusal(&at("plain/x")));
        assert!(refusal(Path::new("/dev/null")).eq("that is no file; give a program"));
        assert!(Program::new(Path::new("/bin/sh"), options(&[])).is_ok());
    }

    #[test]
    fn a_path_from_here_is_a_path_from_everywhere() {
        let program = Program::new(Path::new("src/../../../tests/run"), options(&[])).expect("it may be run");
        assert!(program.path.is_absolute() && program.path.is_file());
        assert_eq!(program.name(), "run");
    }
}
