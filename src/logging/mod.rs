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
use lines::{Lines, LogFile, Loss, Output, Pieces};
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

/// Starts logging. An error is a sentence for the user.
pub fn start(options: LogOptions) -> Result<LogFiles, String> {
    let LogOptions { level, format, file, xferlog } = options;
    let (mut sinks, mut files) = (vec![sink(level, format, io::stderr()).0], Vec::new());
    if let Some(path) = file {
        let (sink, lines) = sink(level, format, open("--log-file", path)?);
        sinks.push(sink);
        files.push(lines);
    }
    if let Some(path) = xferlog {
        let lines = Lines::to(open("--xferlog", path)?, xferlog::loss);
        sinks.push(Xferlog::new(lines.clone()));
        files.push(lines);
    }
    CombinedLogger::init(sinks).map_err(|e| format!("cannot log: {e}"))?;
    Ok(LogFiles(files))
}

fn open(option: &str, path: PathBuf) -> Result<LogFile, String> {
    let shown = path.display().to_string();
    LogFile::open(path).map_err(|e| format!("{option} {shown}: {e}"))
}

fn sink(level: LevelFilter, format: Format, output: impl Output) -> (Box<dyn SharedLogger>, Lines) {
    let loss: Loss = match format {
        Format::Text => text_loss,
        Format::Json => json::loss,
    };
    let lines = Lines::to(output, loss);
    let sink: Box<dyn SharedLogger> = match format {
        Format::Text => WriteLogger::new(level, text(), Pieces::of(lines.clone())),
        Format::Json => Json::new(level, lines.clone()),
    };
    (sink, lines)
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
