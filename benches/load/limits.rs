//! What the kernel can do over one connection of loopback, with neither FTP nor a server: what no server can beat.
//!
//! The bytes and the clients are those of the scenarios; what stands in for the server is a bare loop.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use rustix::fs::sendfile;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value};

use crate::{Done, Failure, plain};

/// What sendfile is asked for at once: all that there is, as the kernel allows no more in one call.
const SENT_AT_ONCE: u64 = 0x7fff_f000;
/// The pipe of splice: the largest that everybody may have.
const PIPE: usize = 1 << 20;

#[derive(Args)]
pub struct Limits {
    /// What is sent
    #[arg(long)]
    file: PathBuf,
    /// What is written, and removed
    #[arg(long)]
    memory: PathBuf,
    /// What is written, and removed; none where there is no disk
    #[arg(long)]
    disk: Option<PathBuf>,
    #[arg(long)]
    bytes: u64,
}

impl Limits {
    pub fn run(&self) -> Result<Value, Failure> {
        let mut told = Map::new();
        told.insert("sendfile".to_string(), self.sent()?.told());
        told.insert("splice".to_string(), self.stored(&self.memory)?.told());
        if let Some(disk) = &self.disk {
            told.insert("splice-disk".to_string(), self.stored(disk)?.told());
        }
        Ok(Value::Object(told))
    }

    /// The server's side of RETR is sendfile.
    fn sent(&self) -> Result<Done, Failure> {
        let file = File::open(&self.file)?;
        let send = |socket: TcpStream| {
            let mut offset = 0;
            while offset < self.bytes {
                let count = (self.bytes - offset).min(SENT_AT_ONCE);
                if sendfile(&socket, &file, Some(&mut offset), usize::try_from(count)?)? == 0 {
                    return Err("the file is too short".into());
                }
            }
            Ok(self.bytes)
        };
        let discard = |socket: TcpStream| plain::discard(&socket, self.bytes);
        self.measured(send, discard)
    }

    /// The server's side of STOR is splice, from the socket into a pipe and out of it into the file.
    fn stored(&self, path: &Path) -> Result<Done, Failure> {
        let piece = plain::piece()?;
        let store = |socket: TcpStream| spliced(&socket, &File::create(path)?);
        let send = |socket: TcpStream| plain::send(&socket, self.bytes, &piece).map(|()| self.bytes);
        let done = self.measured(store, send);
        fs::remove_file(path)?;
        done
    }

    /// Both sides of one connection at once, in a thread each; the CPU is that of the server's side.
    fn measured(
        &self,
        server: impl FnOnce(TcpStream) -> Result<u64, Failure> + Send,
        client: impl FnOnce(TcpStream) -> Result<u64, Failure> + Send,
    ) -> Result<Done, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let near = TcpStream::connect(listener.local_addr()?)?;
        let (far, _) = listener.accept()?;
        let begun = Instant::now();
        let (served, moved) = thread::scope(|scope| {
            let serving = scope.spawn(|| server(far).map(|count| (count, cpu_of_this_thread())));
            let moved = client(near);
            (serving.join().unwrap_or_else(|_| Err("a thread died".into())), moved)
        });
        let time = begun.elapsed();
        let ((count, cpu), moved) = (served?, moved?);
        if (count, moved) != (self.bytes, self.bytes) {
            return Err(format!("{count} and {moved} bytes of {} have been moved", self.bytes).into());
        }
        Ok(Done { count, time, tls: None, more: vec![("cpu", cpu.as_secs_f64())] })
    }
}

/// Takes all that comes into the file; how much that was.
fn spliced(socket: &TcpStream, file: &File) -> Result<u64, Failure> {
    let (out, into) = pipe_with(PipeFlags::CLOEXEC)?;
    fcntl_setpipe_size(&into, PIPE)?;
    let mut total = 0;
    loop {
        let taken = splice(socket, None, &into, None, PIPE, SpliceFlags::MOVE)?;
        if taken == 0 {
            return Ok(total);
        }
        let mut left = taken;
        while left > 0 {
            left -= splice(&out, None, file, None, left, SpliceFlags::MOVE)?;
        }
        total += taken as u64;
    }
}

/// What this thread has used since it began.
fn cpu_of_this_thread() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    Duration::from_secs(used.tv_sec.unsigned_abs()) + Duration::from_nanos(used.tv_nsec.unsigned_abs())
}
