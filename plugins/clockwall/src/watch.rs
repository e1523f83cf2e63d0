//! The two ways to watch: a line for each change, and a table that is drawn over itself. Owns what is awaited and when
//! something is shown; how it looks and what it means is made elsewhere.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use async_signal::{Signal, Signals};
use futures::future::{self, Either};
use futures::stream::{self, BoxStream, StreamExt};
use futures::{FutureExt, pin_mut};
use gftp_plugin::Time;
use gftp_plugin::rt::{self, Receiver};

use crate::clock::Clock;
use crate::picture;
use crate::screen::Screen;
use crate::target::Target;
use crate::wall::{News, Row, Wall};

/// News that may wait for a wall that is held up by its reader; then the clocks are held up as well.
const WAITING: usize = 64;
/// At most so often is a table drawn, whatever the clocks say: ten times a second looks like at once.
const FRAME: Duration = Duration::from_millis(100);
/// How often what is counted down is drawn.
const SECOND: Duration = Duration::from_secs(1);

/// How a row is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
}

/// Clocks that are watched, and what is known of them.
pub(crate) struct Watch {
    wall: Wall,
    news: Receiver<(usize, News)>,
    time: Time,
    patience: Duration,
}

impl Watch {
    /// Begins to ask them all.
    pub(crate) fn begin(targets: &[Target], time: Time, patience: Duration) -> Watch {
        let (to, news) = rt::channel(WAITING);
        for (number, target) in targets.iter().enumerate() {
            let clock = Clock { number, target: target.clone(), time: time.clone(), patience, to: to.clone() };
            rt::spawn(clock.watch());
        }
        Watch { wall: Wall::new(targets), news, time, patience }
    }

    /// Writes a line for each change, until nobody reads them.
    pub(crate) async fn lines(mut self, form: Form, mut out: impl Write) -> io::Result<()> {
        while let Ok((number, news)) = self.news.recv().await {
            if let Some(row) = self.wall.hear(number, news) {
                writeln!(out, "{}", written(row, form, self.time.elapsed())?)?;
                out.flush()?;
            }
        }
        Ok(())
    }

    /// Waits until something is known of each, or patience is at its end, and writes them all; `width` cuts lines.
    /// Whether all tell the time.
    pub(crate) async fn once(mut self, form: Form, width: Option<usize>, mut out: impl Write) -> io::Result<bool> {
        let over = self.time.sleep(self.patience).fuse();
        pin_mut!(over);
        while !self.wall.is_complete() {
            match future::select(self.news.recv().boxed(), &mut over).await {
                // Who has told a time has done what was asked, and may leave while others are waited for.
                Either::Left((Ok((number, News::Failed { .. })), _)) if self.wall.has_told(number) => {}
                Either::Left((Ok((number, news)), _)) => drop(self.wall.hear(number, news)),
                _ => break,
            }
        }
        self.wall.close();
        let (rows, now) = (self.wall.rows(), self.time.elapsed());
        match width {
            Some(width) => {
                for line in picture::table(rows, now, width, rows.len()) {
                    writeln!(out, "{line}")?;
                }
            }
            None => {
                for row in rows {
                    writeln!(out, "{}", written(row, form, now)?)?;
                }
            }
        }
        out.flush()?;
        Ok(self.wall.is_well())
    }

    /// Draws a table of them all until a signal ends it.
    pub(crate) async fn table(mut self, mut screen: Screen<impl Write + AsFd>) -> io::Result<()> {
        let mut all = happenings(self.news.clone())?;
        // When it was drawn, and whether that is what is known.
        let (mut drawn, mut is_true) = (None::<Duration>, false);
        loop {
            let due = drawn.map_or(Duration::ZERO, |drawn| drawn + if is_true { SECOND } else { FRAME });
            let sleep = self.time.sleep_until(due);
            pin_mut!(sleep);
            match future::select(sleep, all.next()).await {
                Either::Left(_) => {
                    let (width, height) = screen.size();
                    let now = self.time.elapsed();
                    screen.draw(picture::table(self.wall.rows(), now, width, height))?;
                    (drawn, is_true) = (Some(now), true);
                }
                Either::Right((Some(Happening::News(number, news)), _)) => {
                    // Being asked again is no news to a pipe, but it is in a table.
                    self.wall.hear(number, news);
                    is_true = false;
                }
                Either::Right((Some(Happening::Signal(Signal::Winch)), _)) => is_true = false,
                Either::Right((Some(Happening::Signal(Signal::Tstp)), _)) => {
                    screen.leave()?;
                    // What the signal would have done; it goes on here when the shell lets it.
                    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
                    is_true = false;
                }
                Either::Right(_) => return screen.leave(),
            }
        }
    }
}

/// What a table waits for.
enum Happening {
    News(usize, News),
    Signal(Signal),
}

fn happenings(news: Receiver<(usize, News)>) -> io::Result<BoxStream<'static, Happening>> {
    let ends = [Signal::Int, Signal::Term, Signal::Quit, Signal::Hup];
    let signals = Signals::new([&ends[..], &[Signal::Winch, Signal::Tstp]].concat())?;
    let signals = signals.filter_map(|signal| future::ready(signal.ok())).map(Happening::Signal);
    Ok(stream::select(signals, news.map(|(number, news)| Happening::News(number, news))).boxed())
}

fn written(row: &Row, form: Form, now: Duration) -> io::Result<String> {
    match form {
        Form::Text => Ok(picture::line(row, now)),
        Form::Json => Ok(picture::json(row)?),
    }
}
