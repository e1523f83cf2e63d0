//! The log: every record goes to each sink that wants it. Text or JSON on stderr and, if asked for, in a file; and a
//! transfer log of its own. A record is a text for people with key-values for programs; which there are is for those to
//! know who make it.

mod json;
mod lines;
mod xferlog;

use std::io;
use std::path::PathBuf;

use log::{LevelFilter, Metadata};
use simplelog::{CombinedLogger, Config, ConfigBuilder, SharedLogger, WriteLogger};

use json::Json;
pub use lines::Owner;
use lines::{Begin, Lines, LogFile, Loss, Output, Pieces};
use xferlog::Xferlog;

/// In which form records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A line of text for people.
    Text,
    /// A line of JSON for programs.
    Json,
}

/// What is logged, and where.
pub struct LogOptions {
    /// How much; the transfer log is always whole.
    pub level: LevelFilter,
    /// In which form.
    pub format: Format,
    /// Where besides stderr; appended to.
    pub file: Option<PathBuf>,
    /// Where uploads, downloads and deletions are noted as xferlog; appended to.
    pub xferlog: Option<PathBuf>,
}

/// The files that are logged to.
pub struct LogFiles(Vec<Lines>);

impl LogFiles {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Opens each anew under its name, for who rotates logs.
    pub fn reopen(&self) {
        self.0.iter().for_each(Lines::reopen);
    }
}

/// A log that takes records and does not write them yet.
pub struct Opened {
    begin: Vec<Begin>,
    files: LogFiles,
}

impl Opened {
    /// Starts the threads that write: what was logged meanwhile, and all that comes.
    pub fn begin(self) -> LogFiles {
        self.begin.into_iter().for_each(|begin| begin());
        self.files
    }
}

/// Opens the log; files that are made become `owner`'s. An error is a sentence for the user.
pub fn open(options: LogOptions, owner: Owner) -> Result<Opened, String> {
    let LogOptions { level, format, file, xferlog } = options;
    let (stderr, _, begin) = sink(level, format, io::stderr());
    let (mut sinks, mut files, mut begins) = (vec![stderr], Vec::new(), vec![begin]);
    if let Some(path) = file {
        let (sink, lines, begin) = sink(level, format, open_file("--log-file", path, owner)?);
        sinks.push(sink);
        files.push(lines);
        begins.push(begin);
    }
    if let Some(path) = xferlog {
        let (lines, begin) = Lines::to(open_file("--xferlog", path, owner)?, xferlog::loss);
        sinks.push(Xferlog::new(lines.clone()));
        files.push(lines);
        begins.push(begin);
    }
    CombinedLogger::init(sinks).map_err(|e| format!("cannot log: {e}"))?;
    Ok(Opened { begin: begins, files: LogFiles(files) })
}

fn open_file(option: &str, path: PathBuf, owner: Owner) -> Result<LogFile, String> {
    let shown = path.display().to_string();
    LogFile::open(path, owner).map_err(|e| format!("{option} {shown}: {e}"))
}

fn sink(level: LevelFilter, format: Format, output: impl Output) -> (Box<dyn SharedLogger>, Lines, Begin) {
    let loss: Loss = match format {
        Format::Text => text_loss,
        Format::Json => json::loss,
    };
    let (lines, begin) = Lines::to(output, loss);
    let sink: Box<dyn SharedLogger> = match format {
        Format::Text => WriteLogger::new(level, text(), Pieces::of(lines.clone())),
        Format::Json => Json::new(level, lines.clone()),
    };
    (sink, lines, begin)
}

fn text() -> Config {
    let mut config = ConfigBuilder::new();
    // UTC, as all times of this server; the lines carry session numbers, which say more than thread or file names.
    config.set_time_format_rfc3339().set_thread_level(LevelFilter::Off).set_target_level(LevelFilter::Off);
    config.set_location_level(LevelFilter::Off).add_filter_allow_str(OURS);
    config.build()
}

fn text_loss(lost: u64) -> Vec<u8> {
    format!("({lost} log lines lost: the log could not be written fast enough)\n").into_bytes()
}

/// How the targets of our own records begin; those of the crates below are of no interest to who runs a server.
const OURS: &str = "gftp";

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with(OURS)
}
