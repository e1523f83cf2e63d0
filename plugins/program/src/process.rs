//! One running program: its three pipes, its process group, and how both end. Refuses to know what passes through them.
//!
//! Its number is used only while it is ours to reap, so no signal ever reaches a stranger: the group is killed while its
//! leader is at most a zombie, and only then is the leader reaped.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::pin::Pin;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::task::{Context, Poll};

use async_io::Async;
use futures::io::{AsyncRead, AsyncWrite};
use gftp_plugin::rt;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

/// A program that was started. Dropped, it is killed with its group, and reaped.
pub(crate) struct Process {
    /// None once nothing more is to be written to it.
    pub(crate) stdin: Option<Async<ChildStdin>>,
    /// None once it has ended.
    pub(crate) stdout: Option<Async<ChildStdout>>,
    /// None once it has ended.
    pub(crate) stderr: Option<Async<ChildStderr>>,
    leader: Option<Leader>,
}

/// The process that was started, until it is reaped; its group has its number.
struct Leader {
    child: Child,
    group: Pid,
    /// Readable once it has exited.
    pidfd: Async<OwnedFd>,
}

impl Process {
    /// Starts it, in a group of its own. Blocks for as long as the disk takes.
    ///
    /// Each pipe is two descriptions, so that ours wait for nobody and the program's block as programs expect.
    pub(crate) fn start(mut command: Command) -> io::Result<Process> {
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let leader = Leader::of(child)?;
        // From here on whatever fails, it is killed by being dropped.
        let mut process = Process { stdin: None, stdout: None, stderr: None, leader: Some(leader) };
        process.stdin = stdin.map(Async::new).transpose()?;
        process.stdout = stdout.map(Async::new).transpose()?;
        process.stderr = stderr.map(Async::new).transpose()?;
        Ok(process)
    }

    /// Writes to its stdin; an error means that it reads no more.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// Whether it has exited; else the task is woken when it does.
    pub(crate) fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.leader {
            // An error of the reactor would be one for ever: then better done with it than waiting.
            Some(leader) => leader.pidfd.poll_readable(cx).map(|_| ()),
            None => Poll::Ready(()),
        }
    }

    /// Asks it, and all that it has started, to end.
    pub(crate) fn terminate(&self) {
        if let Some(leader) = &self.leader {
            let _ = kill_process_group(leader.group, Signal::TERM);
        }
    }

    /// Kills it, and all that it has started.
    pub(crate) fn kill(&self) {
        if let Some(leader) = &self.leader {
            leader.kill();
        }
    }

    /// After it has exited: kills what it has left behind, and lets it go. Its exit status, the first time.
    pub(crate) fn reap(&mut self) -> Option<ExitStatus> {
        let mut leader = self.leader.take()?;
        leader.kill();
        let status = leader.child.try_wait();
        if !matches!(status, Ok(Some(_))) {
            self.leader = Some(leader);
        }
        status.ok().flatten()
    }
}

impl Leader {
    /// Watches the process; one that cannot be watched is killed. Blocks then until it is gone.
    fn of(mut child: Child) -> io::Result<Leader> {
        let group = Pid::from_child(&child);
        let watched = pidfd_open(group, PidfdFlags::NONBLOCK).map_err(io::Error::from).and_then(Async::new_nonblocking);
        match watched {
            Ok(pidfd) => Ok(Leader { child, group, pidfd }),
            Err(e) => {
                let _ = kill_process_group(group, Signal::KILL);
                let _ = child.wait();
                Err(e)
            }
        }
    }

    fn kill(&self) {
        let _ = kill_process_group(self.group, Signal::KILL);
        // It may have made itself a member of another one.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Some(mut leader) = self.leader.take() else { return };
        leader.kill();
        // Nobody waits here: what is killed may take a moment to die.
        rt::spawn(async move {
            let _ = leader.pidfd.readable().await;
            let _ = leader.child.try_wait();
        });
    }
}

/// Reads at most what `buffer` holds; nothing is the end, and so is a failure.
pub(crate) fn poll_read(pipe: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<usize> {
    Pin::new(pipe).poll_read(cx, buffer).map(|count| count.unwrap_or(0))
}
