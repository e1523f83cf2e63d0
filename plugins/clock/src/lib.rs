//! A clock: the time of day, each second, to whoever connects. Owns what it is told on the command line and the talk with
//! one client; when a second begins is `face`'s, what it is called `zone`'s, whose turn it is `turns`'. Refuses to
//! know what clients say: they listen.

mod client;
mod face;
mod turns;
mod zone;

use std::io;
use std::sync::Arc;

use clap::Args;
use futures::future::{BoxFuture, FutureExt};
use gftp_plugin::{Conn, Origin, Plugin, Service, Time};

use client::Client;
use face::Face;
use turns::Turns;
use zone::Zone;
pub use zone::{Format, NamedZone};

/// Where a clock is looked for; the textbook's port.
const USUAL_PORT: u16 = 8000;

/// What is typed.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The time zone, by its name in the IANA database, as Asia/Tokyo [default: that of TZ, else the system's]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<NamedZone>,
    /// How the time is written, in strftime's letters
    #[arg(long, value_name = "FORMAT", default_value = "%H:%M:%S")]
    pub format: Format,
    /// Serve one client at a time, while the others wait in the order in which they came
    #[arg(long)]
    pub sequential: bool,
}

/// `--plugin clock`, `gftp clock`.
pub fn plugin() -> Plugin {
    let make = |options| Clock::new(options, Time::machine());
    Plugin::service("clock", "The time of day, each second, to everybody who connects", make).on_port(USUAL_PORT)
}

/// The service.
pub struct Clock {
    face: Arc<Face>,
    /// With `--sequential`.
    turns: Option<Turns>,
}

impl Clock {
    /// A clock that goes by `time`. An error is one line: `TZ` is looked at here, and may be no zone.
    pub fn new(options: Options, time: Time) -> Result<Clock, String> {
        let zone = match options.tz {
            Some(zone) => Zone::from(zone),
            None => Zone::of_environment(std::env::var_os("TZ").as_deref())?,
        };
        let turns = options.sequential.then(Turns::default);
        Ok(Clock { face: Arc::new(Face::new(time, zone, options.format)), turns })
    }

    async fn talk(&self, conn: Conn) -> io::Result<()> {
        let number = conn.origin().id;
        let mut client = Client::new(conn);
        let Some(turns) = &self.turns else { return client.watch(&self.face).await };
        client.give_place_when_gone();
        match client.wait(turns.turn(number)).await? {
            Some((client, _turn)) => client.watch(&self.face).await,
            None => Ok(()),
        }
    }
}

impl Service for Clock {
    fn name(&self) -> &str {
        "clock"
    }

    fn arrived(&self, origin: &Origin) {
        if let Some(turns) = &self.turns {
            turns.enter(origin.id);
        }
    }

    fn serve(&self, conn: Conn) -> BoxFuture<'_, io::Result<()>> {
        self.talk(conn).boxed()
    }

    fn turned_away(&self, why: &str) -> Vec<u8> {
        format!("{why}.\n").into_bytes()
    }
}
