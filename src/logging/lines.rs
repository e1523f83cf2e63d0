//! Lines on their way to stderr or a file. They are handed to a thread that writes them, so that a full pipe or a slow
//! disk behind a log never holds up a session; what it cannot take in time is counted, and the loss is said. Knows
//! whole lines, and nothing of what stands in them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

/// Lines that may wait for the writer: some seconds of a busy server.
pub const MOST_LINES: usize = 4096;
/// What these may hold in all (bytes): a thousand each, since a stranger's path may be four thousand and be shown in
/// four times as many.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;
/// How long the end of the program waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Something that lines are written to.
pub trait Output: Write + Send + 'static {
    /// Opens it anew under its name, where it has one: who rotates logs has moved the old one away.
    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for io::Stderr {}

/// A file that is appended to.
pub struct LogFile {
    path: PathBuf,
    file: File,
}

/// Whose a file becomes that is made: user and group by their numbers.
pub type Owner = Option<(u32, u32)>;

impl LogFile {
    /// Opens or makes the file. A relative path stays what it means now: the program never changes its directory.
    pub fn open(path: PathBuf, owner: Owner) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let made = options.append(true).create_new(true).open(&path);
        let file = match made {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => options.create_new(false).create(true).open(&path)?,
            made => {
                let file = made?;
                if let Some((uid, gid)) = owner {
                    std::os::unix::fs::fchown(&file, Some(uid), Some(gid))?;
                }
                file
            }
        };
        Ok(LogFile { file, path })
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Output for LogFile {
    fn reopen(&mut self) -> io::Result<()> {
        // By then nobody else's files can be made.
        *self = LogFile::open(self.path.clone(), None)?;
        Ok(())
    }
}

/// How so many lost lines are told of: what is to stand in their place.
pub type Loss = fn(u64) -> Vec<u8>;

/// A place to send lines to, without ever waiting. Clones send to the same.
#[derive(Clone)]
pub struct Lines {
    writer: SyncSender<Message>,
    state: Arc<State>,
}

/// What the writing thread is handed.
enum Message {
    Line(Vec<u8>),
    /// Answered when all before it is written.
    Flush(SyncSender<()>),
    /// Nothing to write, but there may be something to do.
    Wake,
}

/// What senders and writer share.
#[derive(Default)]
struct State {
    /// Bytes of the lines that wait.
    waiting: AtomicUsize,
    lost: AtomicU64,
    reopen: AtomicBool,
}

/// Starts the thread that writes what was sent so far, and all that comes. Not done at once: a thread that begins before
/// the process is confined would not be confined.
pub type Begin = Box<dyn FnOnce()>;

impl Lines {
    /// Lines to `output`, which wait until their thread begins.
    pub fn to(output: impl Output, loss: Loss) -> (Self, Begin) {
        let (writer, messages) = sync_channel(MOST_LINES);
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let begin = move || {
            std::thread::spawn(move || write_all(Writer { output, torn: false }, &messages, &shared, loss));
        };
        (Lines { writer, state }, Box::new(begin))
    }

    /// Hands over a line with its line end; where too much waits already, it is lost.
    pub fn send(&self, line: Vec<u8>) {
        let length = line.len();
        let waiting = self.state.waiting.fetch_add(length, Ordering::Relaxed);
        let sent = match waiting + length > MOST_BYTES {
            true => Err(TrySendError::Full(Message::Wake)),
            false => self.writer.try_send(Message::Line(line)),
        };
        if sent.is_err() {
            self.state.waiting.fetch_sub(length, Ordering::Relaxed);
            self.state.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits, not for ever, until what was sent is written.
    pub fn flush(&self) {
        self.flush_within(LAST_LINES);
    }

    fn flush_within(&self, limit: Duration) {
        let (done, written) = sync_channel(1);
        let (end, mut message) = (Instant::now() + limit, Message::Flush(done));
        // Behind a full backlog there is no place at first; it is looked for a thousand times.
        while let Err(TrySendError::Full(refused)) = self.writer.try_send(message) {
            if Instant::now() >= end {
                return;
            }
            message = refused;
            std::thread::sleep(limit / 1000);
        }
        let _ = written.recv_timeout(end.saturating_duration_since(Instant::now()));
    }

    /// Makes the writer open its file anew, before the next line.
    pub fn reopen(&self) {
        self.state.reopen.store(true, Ordering::Relaxed);
        // Where there is no room to wake it, it is awake.
        let _ = self.writer.try_send(Message::Wake);
    }
}

/// For who writes a line in pieces, which is handed over when it is whole.
pub struct Pieces {
    /// Where to.
    pub lines: Lines,
    line: Vec<u8>,
}

impl Pieces {
    /// Nothing so far.
    pub fn of(lines: Lines) -> Self {
        Pieces { lines, line: Vec::new() }
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if self.line.ends_with(b"\n") {
            self.lines.send(std::mem::take(&mut self.line));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lines.flush();
        Ok(())
    }
}

/// The life of the writing thread.
fn write_all(mut writer: Writer<impl Output>, messages: &Receiver<Message>, state: &State, loss: Loss) {
    while let Ok(message) = messages.recv() {
        if state.reopen.swap(false, Ordering::Relaxed) {
            match writer.output.reopen() {
                Ok(()) => writer.torn = false,
                Err(e) => log::warn!("a log could not be opened again and goes on in its old file: {e}"),
            }
        }
        let mut flushed = None;
        match message {
            Message::Line(line) => {
                state.waiting.fetch_sub(line.len(), Ordering::Relaxed);
                if writer.put(&line).is_err() {
                    state.lost.fetch_add(1, Ordering::Relaxed);
                }
            }
            Message::Flush(done) => flushed = Some(done),
            Message::Wake => {}
        }
        let lost = state.lost.swap(0, Ordering::Relaxed);
        if lost > 0 && writer.put(&loss(lost)).is_err() {
            state.lost.fetch_add(lost, Ordering::Relaxed);
        }
        // After the loss was told: whoever waits for all wants that too.
        if let Some(done) = flushed {
            let _ = done.send(());
        }
    }
}

struct Writer<T> {
    output: T,
    /// The last line was cut off in its middle.
    torn: bool,
}

impl<T: Output> Writer<T> {
    /// Writes a whole line, or as much of it as a full disk takes; that does not become the beginning of another.
    fn put(&mut self, line: &[u8]) -> io::Result<()> {
        let torn = if self.torn { b"\n".as_slice() } else { b"" };
        for mut rest in [torn, line] {
            while !rest.is_empty() {
                match self.output.write(rest) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => {
                        self.torn = rest[count - 1] != b'\n';
                        rest = &rest[count..];
                    }
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    /// An output that takes nothing until it is told to, and then as much as it has room for.
    #[derive(Clone, Default)]
    struct Stuck(Arc<Inside>);

    struct Inside {
        open: Mutex<bool>,
        opened: Condvar,
        text: Mutex<Vec<u8>>,
        room: AtomicUsize,
        reopened: AtomicBool,
    }

    impl Default for Inside {
        fn default() -> Self {
            Inside {
                open: Mutex::new(false),
                opened: Condvar::new(),
                text: Mutex::new(Vec::new()),
                room: AtomicUsize::new(usize::MAX),
                reopened: AtomicBool::new(false),
            }
        }
    }

    impl Stuck {
        fn open(&self) {
            *self.0.open.lock().unwrap() = true;
            self.0.opened.notify_all();
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.text.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            drop(self.0.opened.wait_while(self.0.open.lock().unwrap(), |open| !*open).unwrap());
            let room = self.0.room.load(Ordering::Relaxed).min(bytes.len());
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.room.fetch_sub(room, Ordering::Relaxed);
            self.0.text.lock().unwrap().extend_from_slice(&bytes[..room]);
            Ok(room)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Output for Stuck {
        fn reopen(&mut self) -> io::Result<()> {
            self.0.reopened.store(true, Ordering::Relaxed);
            Ok(())
        }
    }

    /// Lines whose thread has begun.
    fn begun(stuck: &Stuck) -> Lines {
        let (lines, begin) = Lines::to(stuck.clone(), loss);
        begin();
        lines
    }

    /// Waits until all is written, however slow the machine is.
    fn settle(lines: &Lines) {
        lines.flush_within(Duration::from_secs(60));
    }

    fn loss(lost: u64) -> Vec<u8> {
        format!("{lost} lost\n").into_bytes()
    }

    #[test]
    fn a_stuck_output_holds_nobody_up_and_the_loss_is_said() {
        let stuck = Stuck::default();
        let lines = begun(&stuck);
        let mut pieces = Pieces::of(lines.clone());
        for _ in 0..3 * MOST_LINES {
            pieces.write_all(b"in ").and_then(|()| pieces.write_all(b"pieces\n")).unwrap();
        }
        stuck.open();
        settle(&lines);
        let written = stuck.text();
        let said: usize = written.lines().filter_map(|line| line.strip_suffix(" lost")?.parse::<usize>().ok()).sum();
        let kept = written.lines().filter(|line| *line == "in pieces").count();
        assert_eq!(said + kept, 3 * MOST_LINES, "{written:.100}");
        assert!(kept >= MOST_LINES && said > 0, "{kept} kept, {said} lost");
        assert_eq!(lines.state.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn few_long_lines_are_too_many_as_well() {
        const LENGTH: usize = MOST_BYTES / 8;
        let stuck = Stuck::default();
        let lines = begun(&stuck);
        for _ in 0..100 {
            lines.send([vec![b'x'; LENGTH - 1], b"\n".to_vec()].concat());
        }
        assert!(lines.state.waiting.load(Ordering::Relaxed) <= MOST_BYTES);
        stuck.open();
        settle(&lines);
        // One more may have been with the writer already.
        assert!((8..=9).contains(&stuck.text().lines().filter(|line| line.len() == LENGTH - 1).count()));
    }

    #[test]
    fn a_line_cut_by_a_full_disk_is_not_the_beginning_of_another() {
        let stuck = Stuck::default();
        stuck.open();
        stuck.0.room.store(12, Ordering::Relaxed);
        let lines = begun(&stuck);
        for line in ["first line\n", "second line\n", "third line\n"] {
            lines.send(line.as_bytes().to_vec());
        }
        settle(&lines);
        stuck.0.room.store(1000, Ordering::Relaxed);
        lines.send(b"fourth line\n".to_vec());
        settle(&lines);
        assert_eq!(stuck.text(), "first line\ns\nfourth line\n2 lost\n");
    }

    #[test]
    fn reopening_needs_no_line() {
        let stuck = Stuck::default();
        let lines = begun(&stuck);
        lines.reopen();
        settle(&lines);
        assert!(stuck.0.reopened.load(Ordering::Relaxed));
    }

    #[test]
    fn what_was_sent_before_the_thread_began_is_written() {
        let stuck = Stuck::default();
        stuck.open();
        let (lines, begin) = Lines::to(stuck.clone(), loss);
        lines.send(b"early\n".to_vec());
        assert_eq!(stuck.text(), "");
        begin();
        settle(&lines);
        assert_eq!(stuck.text(), "early\n");
    }
}
