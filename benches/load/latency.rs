//! How long one session waits for answers, alone or while others download.
//!
//! It owns the waiting and the counting; the sessions' own work is `session.rs`'s.

use std::fs::File;
use std::io::{ErrorKind, IoSliceMut};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use rustix::fs::{Advice, fadvise};
use rustix::io::{ReadWriteFlags, preadv2};
use rustix::process::setpriority_process;

use crate::session::Session;
use crate::{Done, Failure, Server, wait_for_go};

/// Answers that are timed at most: more than any server gives in the seconds of a scenario, and few MiB.
const MOST: usize = 1 << 20;
/// Who asks goes before our own downloads where the cores are few: it stands for a client elsewhere, which does not wait
/// for them. The highest but for what the system keeps for itself.
const FIRST: i32 = -15;
/// Whether a page is in memory is asked of its first byte.
const LOOKED_AT: usize = 1;
/// How long pages may take to leave memory: a disk that writes them, or a peer that takes the last of them, has done so by then.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it is until it is tried again.
const AGAIN: Duration = Duration::from_millis(50);

#[derive(Args)]
pub struct Noop {
    #[command(flatten)]
    server: Server,
    #[arg(long)]
    seconds: f64,
    /// Sessions that download meanwhile, each the same file again and again
    #[arg(long, default_value_t = 0)]
    downloads: usize,
    #[arg(long, default_value = "")]
    path: String,
    #[arg(long, default_value_t = 0)]
    bytes: u64,
    /// The file that is downloaded, for us: its pages are dropped from memory before each time
    #[arg(long)]
    cold: Option<PathBuf>,
}

/// What those who download and the one who asks tell each other.
#[derive(Default)]
struct Shared {
    taken: AtomicU64,
    over: AtomicBool,
}

/// Ends what is shared, however its owner ends.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

impl Noop {
    pub fn run(&self) -> Result<Done, Failure> {
        let target = self.server.target()?;
        let mut asking = Session::open(&target)?;
        let cold = self.cold.as_ref().map(File::open).transpose()?;
        if let Some(file) = &cold {
            drop_for_sure(file)?;
        }
        let mut sessions = (0..self.downloads).map(|_| Session::open(&target)).collect::<Result<Vec<_>, _>>()?;
        for session in &mut sessions {
            session.prepare()?;
        }
        let shared = &Shared::default();
        wait_for_go()?;
        thread::scope(|scope| {
            let ending = Ending(shared);
            let loads: Vec<_> = sessions
                .iter_mut()
                .map(|session| scope.spawn(|| self.download(session, cold.as_ref(), shared)))
                .collect();
            let done = self.ask(&mut asking, shared);
            drop(ending);
            for load in loads {
                load.join().unwrap_or_else(|_| Err("a thread died".into()))?;
            }
            done
        })
    }

    /// Downloads until it is over.
    fn download(&self, session: &mut Session, cold: Option<&File>, shared: &Shared) -> Result<(), Failure> {
        // Whoever asks is not to measure a server that has nothing to do.
        let _ending = Ending(shared);
        loop {
            if let Some(file) = cold {
                drop_pages(file)?;
            }
            let mut came = 0;
            let whole = session.fetch_while(&self.path, |count| {
                came += count;
                shared.taken.fetch_add(count, Ordering::Relaxed);
                !shared.over.load(Ordering::Relaxed)
            })?;
            if !whole || shared.over.load(Ordering::Relaxed) {
                return Ok(());
            }
            if came != self.bytes {
                return Err(format!("{} came with {came} bytes, not {}", self.path, self.bytes).into());
            }
        }
    }

    fn ask(&self, asking: &mut Session, shared: &Shared) -> Result<Done, Failure> {
        // Of this thread alone, in spite of its name.
        setpriority_process(None, FIRST)?;
        let (begun, wanted) = (Instant::now(), Duration::from_secs_f64(self.seconds));
        let mut waits = Vec::new();
        while begun.elapsed() < wanted && waits.len() < MOST && !shared.over.load(Ordering::Relaxed) {
            let asked = Instant::now();
            asking.noop()?;
            waits.push(asked.elapsed());
        }
        let (time, taken) = (begun.elapsed(), shared.taken.load(Ordering::Relaxed));
        waits.sort_unstable();
        let more = vec![
            ("p50", share(&waits, 50).as_secs_f64()),
            ("p99", share(&waits, 99).as_secs_f64()),
            ("downloaded", taken as f64),
        ];
        Ok(Done { count: waits.len() as u64, time, tls: None, more })
    }
}

/// What so many of a hundred did not wait longer than.
fn share(sorted: &[Duration], of_hundred: usize) -> Duration {
    sorted.get(sorted.len() * of_hundred / 100).copied().unwrap_or_default()
}

/// Out of memory with it; what is not on the disk yet would stay.
fn drop_pages(file: &File) -> Result<(), Failure> {
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

/// The same, and the disk is what will be read from. Pages stay as long as a connection holds them whose server has just ended.
fn drop_for_sure(file: &File) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        drop_pages(file)?;
        if !is_in_memory(file)? {
            // Looking may have begun to read.
            return drop_pages(file);
        }
        if begun.elapsed() > PATIENCE {
            return Err("the pages of the file do not leave memory".into());
        }
        thread::sleep(AGAIN);
    }
}

/// Whether its beginning is. Where the file system does not tell, it is not.
fn is_in_memory(file: &File) -> Result<bool, Failure> {
    let mut byte = [0; LOOKED_AT];
    match preadv2(file, &mut [IoSliceMut::new(&mut byte)], 0, ReadWriteFlags::NOWAIT).map_err(std::io::Error::from) {
        Ok(_) => Ok(true),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Unsupported) => Ok(false),
        Err(e) => Err(e.into()),
    }
}
