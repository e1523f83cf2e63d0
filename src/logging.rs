//! The log: simplelog's lines on stderr and, if asked for, in a file. Lines are handed to a thread that writes them, so
//! that a full pipe or a slow disk behind the log never holds up a session; what it cannot take in time is counted and
//! the loss is said.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use log::LevelFilter;
use simplelog::{CombinedLogger, Config, ConfigBuilder, SharedLogger, WriteLogger};

/// Lines that may wait for the writer: some seconds of a busy server, a few hundred KiB of memory.
const MOST_LINES: usize = 4096;
/// How long the end of the program waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Starts logging, to stderr and to `file`, which is appended to. An error is a sentence for the user.
pub fn start(level: LevelFilter, file: Option<PathBuf>) -> Result<(), String> {
    let config = config();
    let mut loggers: Vec<Box<dyn SharedLogger>> =
        vec![WriteLogger::new(level, config.clone(), Lines::to(io::stderr()))];
    if let Some(path) = file {
        let opened = OpenOptions::new().append(true).create(true).open(&path);
        let file = opened.map_err(|e| format!("--log-file {}: {e}", path.display()))?;
        loggers.push(WriteLogger::new(level, config, Lines::to(file)));
    }
    CombinedLogger::init(loggers).map_err(|e| format!("cannot log: {e}"))
}

fn config() -> Config {
    let mut config = ConfigBuilder::new();
    // UTC, as all times of this server; the lines carry session numbers, which say more than thread or file names.
    config.set_time_format_rfc3339().set_thread_level(LevelFilter::Off).set_target_level(LevelFilter::Off);
    config.set_location_level(LevelFilter::Off).add_filter_allow_str("gftp");
    config.build()
}

/// What the writing thread is handed.
enum Message {
    Line(Vec<u8>),
    /// Answered when all before it is written.
    Flush(SyncSender<()>),
}

/// A place to write to that never waits.
struct Lines {
    line: Vec<u8>,
    writer: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

impl Lines {
    fn to(output: impl Write + Send + 'static) -> Self {
        let (writer, messages) = sync_channel(MOST_LINES);
        let lost = Arc::new(AtomicU64::new(0));
        let losses = Arc::clone(&lost);
        std::thread::spawn(move || write_all(output, &messages, &losses));
        Lines { line: Vec::new(), writer, lost }
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A line comes in pieces; it is handed over when it is whole.
        self.line.extend_from_slice(bytes);
        if self.line.ends_with(b"\n") {
            let sent = self.writer.try_send(Message::Line(std::mem::take(&mut self.line)));
            if matches!(sent, Err(TrySendError::Full(_))) {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let (done, written) = sync_channel(1);
        if self.writer.try_send(Message::Flush(done)).is_ok() {
            let _ = written.recv_timeout(LAST_LINES);
        }
        Ok(())
    }
}

fn write_all(mut output: impl Write, messages: &Receiver<Message>, lost: &AtomicU64) {
    while let Ok(message) = messages.recv() {
        match message {
            Message::Line(line) => drop(output.write_all(&line)),
            Message::Flush(done) => drop(done.send(())),
        }
        match lost.swap(0, Ordering::Relaxed) {
            0 => {}
            lost => drop(writeln!(output, "({lost} log lines lost: the log could not be written fast enough)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    /// An output that takes nothing until it is told to.
    #[derive(Clone, Default)]
    struct Stuck(Arc<Output>);

    #[derive(Default)]
    struct Output {
        open: Mutex<bool>,
        opened: Condvar,
        text: Mutex<Vec<u8>>,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            drop(self.0.opened.wait_while(self.0.open.lock().unwrap(), |open| !*open).unwrap());
            self.0.text.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_output_holds_nobody_up_and_the_loss_is_said() {
        let stuck = Stuck::default();
        let mut lines = Lines::to(stuck.clone());
        for _ in 0..3 * MOST_LINES {
            lines.write_all(b"in ").and_then(|()| lines.write_all(b"pieces\n")).unwrap();
        }
        *stuck.0.open.lock().unwrap() = true;
        stuck.0.opened.notify_all();
        // A flush may find no place while the backlog is written; it is only asked for often enough.
        while stuck.0.text.lock().unwrap().is_empty() || lines.lost.load(Ordering::Relaxed) > 0 {
            lines.flush().unwrap();
        }
        lines.flush().unwrap();
        let written = String::from_utf8(stuck.0.text.lock().unwrap().clone()).unwrap();
        assert!(written.contains("in pieces\n") && written.contains("log lines lost"), "{written:.100}");
    }
}
