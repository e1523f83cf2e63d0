//! What the kernel can do over loopback, with neither FTP nor a server: what no server can beat.
//!
//! The bytes and the clients are those of the scenarios; what stands in for the server is a bare loop.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
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
/// Connections where there are many, as in the scenarios; each has its part of the bytes.
const MANY: u64 = 8;

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

/// One side of a connection, which tells how many bytes it has moved.
type Side<'a> = &'a (dyn Fn(TcpStream) -> Result<u64, Failure> + Sync);

impl Limits {
    pub fn run(&self) -> Result<Value, Failure> {
        let mut told = Map::new();
        told.insert("sendfile".to_string(), self.sent(1)?.told());
        told.insert("sendfile-8".to_string(), self.sent(MANY)?.told());
        told.insert("splice".to_string(), self.stored(&self.memory, 1)?.told());
        told.insert("splice-8".to_string(), self.stored(&self.memory, MANY)?.told());
        if let Some(disk) = &self.disk {
            told.insert("splice-disk".to_string(), self.stored(disk, 1)?.told());
        }
        Ok(Value::Object(told))
    }

    /// The server's side of RETR is sendfile.
    fn sent(&self, connections: u64) -> Result<Done, Failure> {
        let (file, each) = (File::open(&self.file)?, self.bytes / connections);
        let send = |socket: TcpStream| {
            let mut offset = 0;
            while offset < each {
                let count = (each - offset).min(SENT_AT_ONCE);
                if sendfile(&socket, &file, Some(&mut offset), usize::try_from(count)?)? == 0 {
                    return Err("the file is too short".into());
                }
            }
            Ok(each)
        };
        measured(connections, each, &send, &|socket| plain::discard(&socket, each))
    }

    /// The second of two, as of the servers: the first fetches the memory, which a virtual machine gives back when it is free.
    fn stored(&self, path: &Path, connections: u64) -> Result<Done, Failure> {
        self.stored_once(path, connections)?;
        self.stored_once(path, connections)
    }

    /// The server's side of STOR is splice, from the socket into a pipe and out of it into a file of its own.
    fn stored_once(&self, path: &Path, connections: u64) -> Result<Done, Failure> {
        let (piece, each, number) = (plain::piece()?, self.bytes / connections, AtomicU64::new(0));
        let named = |number| path.with_extension(format!("{number}"));
        let store = |socket: TcpStream| spliced(&socket, &File::create(named(number.fetch_add(1, Ordering::Relaxed)))?);
        let send = |socket: TcpStream| plain::send(&socket, each, &piece).map(|()| each);
        let done = measured(connections, each, &store, &send);
        for number in 0..connections {
            fs::remove_file(named(number))?;
        }
        done
    }
}

/// Both sides of so many connections at once, in a thread each; the CPU is that of the server's sides.
fn measured(connections: u64, each: u64, server: Side<'_>, client: Side<'_>) -> Result<Done, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut pairs = Vec::new();
    for _ in 0..connections {
        let near = TcpStream::connect(listener.local_addr()?)?;
        pairs.push((near, listener.accept()?.0));
    }
    let begun = Instant::now();
    let sides: Result<Vec<_>, Failure> = thread::scope(|scope| {
        let begin = |(near, far)| {
            let serving = scope.spawn(move || server(far).map(|count| (count, cpu_of_this_thread())));
            (serving, scope.spawn(move || client(near)))
        };
        let sides: Vec<_> = pairs.into_iter().map(begin).collect();
        let ends = sides.into_iter().map(|(serving, fetching)| {
            let died = || Failure::from("a thread died");
            Ok((serving.join().map_err(|_| died())??, fetching.join().map_err(|_| died())??))
        });
        ends.collect()
    });
    let (time, sides) = (begun.elapsed(), sides?);
    if let Some(((served, _), moved)) = sides.iter().find(|((served, _), moved)| (*served, *moved) != (each, each)) {
        return Err(format!("{served} and {moved} bytes of {each} have been moved").into());
    }
    let cpu: Duration = sides.iter().map(|((_, cpu), _)| cpu).sum();
    Ok(Done { count: each * connections, time, tls: None, more: vec![("cpu", cpu.as_secs_f64())] })
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
