//! `gftp clockwall`: the times of many clock servers, side by side.
//!
//! A task for each clock (`clock.rs`, patient by `patience.rs`) sends what it hears to a wall (`wall.rs`), whose rows are
//! shown (`picture.rs`) in one of the ways of `watch.rs`; what clocks say is judged in `said.rs`. Nothing that a clock sends
//! reaches a terminal but text, and no clock can hold up or push away another's row. Refuses to know what time it is.

mod clock;
mod patience;
mod picture;
mod said;
mod screen;
mod target;
mod wall;
mod watch;

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use gftp_plugin::{Plugin, Time, parse_time, words};

use screen::Screen;
pub use target::Target;
use target::{check_names, parse_target};
use watch::{Form, Watch};

/// What `gftp clockwall` is told.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The clocks: what each is called, and where it is; an IPv6 address stands in brackets
    #[arg(value_name = "NAME=HOST:PORT", required = true, value_parser = parse_target)]
    clocks: Vec<Target>,
    /// Print a row for each clock and end; the exit code is 1 if one of them tells no time
    #[arg(long)]
    once: bool,
    /// Print JSON, an object a line
    #[arg(long)]
    json: bool,
    /// How long a clock may say nothing
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_time)]
    patience: Duration,
}

/// What the command line has to know of it.
pub fn plugin() -> Plugin {
    let about = "Show the times of many clocks in one table";
    Plugin::client("clockwall", about, |options: Options| {
        check_names(&options.clocks)?;
        Ok(run(options, Time::machine(), io::stdout()))
    })
}

/// What was asked for, written to `out`: on a terminal a table that is drawn over itself until a signal ends it, else a
/// line for each change until nobody reads them. Waits between tries go by `time`.
///
/// The error is one line.
pub async fn run(options: Options, time: Time, out: impl Write + AsFd + Send) -> Result<ExitCode, String> {
    match show(options, time, out).await {
        Ok(code) => Ok(code),
        // Whoever read it has seen enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(e) => Err(format!("standard output: {}", words(&e))),
    }
}

async fn show(options: Options, time: Time, out: impl Write + AsFd + Send) -> io::Result<ExitCode> {
    let watch = Watch::begin(&options.clocks, time, options.patience);
    let form = if options.json { Form::Json } else { Form::Text };
    let is_screen = form == Form::Text && is_screen(&out);
    if options.once {
        let width = is_screen.then(|| screen::size(&out).0);
        let is_well = watch.once(form, width, out).await?;
        return Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if is_screen {
        watch.table(Screen::new(out)).await?
    } else {
        watch.lines(form, out).await?
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether something can be drawn over on it.
fn is_screen(out: &impl AsFd) -> bool {
    out.as_fd().is_terminal() && std::env::var_os("TERM").is_none_or(|kind| kind != "dumb")
}
