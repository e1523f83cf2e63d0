//! One process of the program: its pipes, what it may take of time and memory, and its end. Refuses to know what is asked.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gftp_plugin::stderr::{Quota, Said, Stderr, printable};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};

/// Longest answer in bytes: a thousand networks, and more than any account needs.
const LONGEST_ANSWER: usize = 64 * 1024;
/// What is read at once.
const PIECE: usize = 4096;
/// How long an answer is waited for before a look at whether the server is at its end.
const LOOK_UP: Duration = Duration::from_millis(100);
/// How long whoever reads a stderr waits before it looks whether the process is still ours.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// What the password of --user comes in: no business of a program.
const SECRET: &str = "GFTP_PASSWORD";

/// A process that is asked one question after the other. Dropped, it is killed with all that it has started, and reaped.
pub(super) struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    /// Whether it has answered already.
    has_answered: bool,
    /// Tells the reader of its stderr that it is gone.
    gone: Arc<AtomicBool>,
}

/// What is wrong with it.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It cannot be started.
    NotStarted(io::Error),
    /// It has failed a moment ago, and is not started yet.
    Resting,
    /// It ended after it had answered and before it was asked: no fault, and another one may be asked.
    AsleepDead,
    /// It ended instead of answering; how.
    Ended(String),
    /// It takes too long.
    Late,
    /// It says what is no answer; what was expected.
    Nonsense(String),
}

impl Process {
    /// Starts it, in a group of its own; its stderr goes to the log, as much of it as a log can bear.
    pub(super) fn start(path: &Path, quota: &Arc<Mutex<Quota>>) -> io::Result<Process> {
        let mut command = Command::new(path);
        command.env_remove(SECRET).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            end(&mut child);
            return Err(ErrorKind::BrokenPipe.into());
        };
        let gone = Arc::new(AtomicBool::new(false));
        let process = Process { child, stdin, stdout, has_answered: false, gone: Arc::clone(&gone) };
        // Ours do not wait; its own ends of these pipes do, as programs expect.
        for fd in [process.stdin.as_fd(), process.stdout.as_fd(), stderr.as_fd()] {
            rustix::io::ioctl_fionbio(fd, true)?;
        }
        let (path, quota) = (path.to_path_buf(), Arc::clone(quota));
        std::thread::spawn(move || listen(stderr, &path, &quota, &gone));
        Ok(process)
    }

    /// Whether it lives and is silent, as it should while it is not asked.
    pub(super) fn is_waiting(&mut self) -> Result<(), Trouble> {
        match self.stdout.read(&mut [0; 1]) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(()),
            Ok(0) | Err(_) => Err(Trouble::AsleepDead),
            Ok(_) => {
                Err(Trouble::Nonsense("it speaks without being asked; expected a line for each question".to_string()))
            }
        }
    }

    /// Its answer, without the line end; once `is_over`, nobody waits for it any more.
    pub(super) fn ask(
        &mut self,
        question: &[u8],
        deadline: Instant,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Vec<u8>, Trouble> {
        let wait = |fd: BorrowedFd<'_>, what| match is_over() {
            true => Err(Trouble::Late),
            false => wait(fd, what, deadline),
        };
        let mut rest = question;
        while !rest.is_empty() {
            match self.stdin.write(rest) {
                Ok(count) if count > 0 => rest = &rest[count..],
                Err(e) if e.kind() == ErrorKind::WouldBlock => wait(self.stdin.as_fd(), PollFlags::OUT)?,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => return Err(self.ended()),
            }
        }
        let mut answer = Vec::new();
        loop {
            let mut piece = [0; PIECE];
            match self.stdout.read(&mut piece) {
                Ok(0) => {
                    return Err(if answer.is_empty() {
                        self.ended()
                    } else {
                        Trouble::Ended("in mid-line".to_string())
                    });
                }
                Ok(count) => answer.extend_from_slice(&piece[..count]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => wait(self.stdout.as_fd(), PollFlags::IN)?,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(self.ended()),
            }
            if let Some(end) = answer.iter().position(|&byte| byte == b'\n') {
                if end + 1 < answer.len() {
                    return Err(Trouble::Nonsense("more than one line; expected one for each question".to_string()));
                }
                answer.truncate(end);
                self.has_answered = true;
                return Ok(answer);
            }
            if answer.len() > LONGEST_ANSWER {
                return Err(Trouble::Nonsense(format!("a line of more than {LONGEST_ANSWER} bytes")));
            }
        }
    }

    /// It has closed a pipe, which is an end as well.
    fn ended(&mut self) -> Trouble {
        if self.has_answered {
            return Trouble::AsleepDead;
        }
        let status = self.child.try_wait().ok().flatten();
        Trouble::Ended(status.map_or("it has closed its input or output".to_string(), |status| status.to_string()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
        end(&mut self.child);
    }
}

/// Kills a process with its group while its number is its own, and reaps it: what is killed is gone in a moment.
fn end(child: &mut Child) {
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    let _ = child.kill();
    let _ = child.wait();
}

/// Waits until a pipe can be used.
fn wait(fd: BorrowedFd<'_>, what: PollFlags, deadline: Instant) -> Result<(), Trouble> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Trouble::Late);
    }
    // Whatever comes of it is seen by whoever uses the pipe, or by the deadline.
    let _ = poll_one(fd, what, left.min(LOOK_UP));
    Ok(())
}

fn poll_one(fd: BorrowedFd<'_>, what: PollFlags, time: Duration) -> Result<usize, Errno> {
    let time = Timespec::try_from(time).ok();
    poll(&mut [PollFd::from_borrowed_fd(fd, what)], time.as_ref())
}

/// The life of whoever reads a stderr: until its end, or until nobody of ours can write to it.
fn listen(mut pipe: ChildStderr, path: &Path, quota: &Mutex<Quota>, gone: &AtomicBool) {
    let path: PathBuf = path.to_path_buf();
    let mut stderr = Stderr::new(quota);
    let tell = |said: Said<'_>| {
        let shown = path.display();
        match said {
            Said::Line(line) => log::info!("--auth-program {shown}: {}", printable(line)),
            Said::Cut(line) => log::info!("--auth-program {shown}: {}…", printable(line)),
            Said::Lost(lines) => {
                log::warn!("--auth-program {shown}: {lines} lines of its stderr left out: it writes too many")
            }
        }
    };
    loop {
        // Asked before reading: what it wrote until then is read still.
        let is_gone = gone.load(Ordering::Relaxed);
        let mut piece = [0; PIECE];
        match pipe.read(&mut piece) {
            Ok(count) if count > 0 => stderr.take(&piece[..count], Instant::now(), tell),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock && !is_gone => {
                let _ = poll_one(pipe.as_fd(), PollFlags::IN, LOOK_AGAIN);
            }
            Ok(_) | Err(_) => break,
        }
    }
    stderr.end(Instant::now(), tell);
}
