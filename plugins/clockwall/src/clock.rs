//! One clock: it is asked, listened to, and asked again when it failed. A task of its own, so that whatever it does is
//! seen in its row only. Refuses to know the others and how it is shown.

use std::io;
use std::time::{Duration, Instant};

use gftp_plugin::rt::{self, Sender};
use gftp_plugin::{Conn, Event, Limits, Shutdown, Time, words};

use crate::patience::{Allowance, BackOff, WELL};
use crate::said::{LONGEST_LINE, has_seconds, shown, time_in};
use crate::target::Target;
use crate::wall::{News, no_answer};

/// What is to be watched, and how.
pub(crate) struct Clock {
    /// Which one it is to the wall.
    pub(crate) number: usize,
    pub(crate) target: Target,
    /// When to try again goes by this.
    pub(crate) time: Time,
    /// How long it may say nothing.
    pub(crate) patience: Duration,
    pub(crate) to: Sender<(usize, News)>,
}

/// Nobody is interested any longer.
struct Unheard;

impl Clock {
    /// Watches it for as long as anybody listens to the news.
    pub(crate) async fn watch(self) {
        let (mut back_off, mut allowance) = (BackOff::default(), Allowance::new(Instant::now()));
        while self.say(News::Asked).await.is_ok() {
            let Ok(why) = self.listen(&mut back_off, &mut allowance).await else { return };
            let again = self.time.elapsed() + back_off.next(fastrand::f64());
            if self.say(News::Failed { why, again }).await.is_err() {
                return;
            }
            self.time.sleep_until(again).await;
        }
    }

    /// One connection, to its end, and why it ended.
    async fn listen(&self, back_off: &mut BackOff, allowance: &mut Allowance) -> Result<String, Unheard> {
        let address = &self.target.address;
        let limits = Limits { line: LONGEST_LINE, idle: self.patience, ..Limits::default() };
        // Its trigger is held to the end: nothing here drains.
        let (_trigger, shutdown) = Shutdown::new();
        let mut conn = match rt::timeout(self.patience, Conn::dial(address, limits, shutdown)).await {
            Ok(conn) => conn,
            Err(e) => return Ok(self.unreachable(&e)),
        };
        let mut well_since = None;
        let mut told = (String::new(), Instant::now());
        loop {
            let line = match conn.next().await {
                Ok(Event::Line(line)) => line,
                Ok(Event::TooLong) => return Ok(format!("{address} says more than a time")),
                Ok(Event::Idle) if well_since.is_some() => return Ok(format!("{address} has fallen silent")),
                Ok(Event::Idle) => return Ok(no_answer(address)),
                Ok(_) => return Ok(format!("closed by {address}")),
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Ok(format!("reset by {address}")),
                Err(e) => return Ok(format!("{address}: {}", words(&e))),
            };
            if !allowance.takes(Instant::now()) {
                return Ok(format!("{address} says too much"));
            }
            let Some(time) = time_in(&line) else {
                return Ok(format!("{address} says \"{}\", which is no time", shown(&line)));
            };
            if told.0 != time {
                told = (time.clone(), Instant::now());
            } else if has_seconds(&time) && told.1.elapsed() >= self.patience {
                return Ok(format!("{address} stands still"));
            }
            self.say(News::Told(time)).await?;
            let now = self.time.elapsed();
            if now.saturating_sub(*well_since.get_or_insert(now)) >= WELL {
                back_off.forget();
            }
        }
    }

    fn unreachable(&self, error: &io::Error) -> String {
        let address = &self.target.address;
        match error.kind() {
            io::ErrorKind::TimedOut => no_answer(address),
            // The address that was dialled last says less than what was typed, of which it is one.
            io::ErrorKind::ConnectionRefused => format!("refused by {address}"),
            _ => words(error),
        }
    }

    async fn say(&self, news: News) -> Result<(), Unheard> {
        self.to.send((self.number, news)).await.map_err(|_| Unheard)
    }
}
