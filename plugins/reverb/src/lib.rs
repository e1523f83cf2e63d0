//! The reverb: whoever shouts a line hears it three times, loud, as it was shouted, and soft. Owns what is echoed and
//! when; sockets, line ends and who may come are not its business.

mod owed;

use std::io;
use std::time::Duration;

use clap::Args;
use futures::future::{BoxFuture, Either, FutureExt, select};
use futures::pin_mut;
use gftp_plugin::{Conn, Event, Plugin, Service, Time, parse_time};

use owed::Owed;

/// The port where none is given: beside a clock's 8000.
const USUAL_PORT: u16 = 8001;

/// What a reverb is told.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// From one echo of a shout to the next
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_time)]
    pub delay: Duration,
    /// Close a connection that shouts nothing for this long
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_time)]
    pub idle: Duration,
    /// Finish the echoes of a shout before listening to the next; without it they overlap
    #[arg(long)]
    pub sequential: bool,
    /// Send every byte back as it came, once
    #[arg(long, conflicts_with = "sequential")]
    pub plain: bool,
}

/// The plugin, as the command line knows it.
pub fn plugin() -> Plugin {
    Plugin::service("reverb", "Echo each line three times: LOUD, as it was, soft", |options| {
        Ok(Reverb::new(options, Time::machine()))
    })
    .on_port(USUAL_PORT)
}

/// The service.
pub struct Reverb {
    options: Options,
    time: Time,
}

impl Reverb {
    /// A reverb that waits by this clock.
    pub fn new(options: Options, time: Time) -> Self {
        Reverb { options, time }
    }

    async fn reverberate(&self, mut conn: Conn) -> io::Result<()> {
        let mut owed = Owed::new(self.options.delay, self.options.sequential);
        // Nothing more will be shouted, or heard: the echoes still owed are delivered, and then it is over.
        let mut leaving = false;
        loop {
            owed.say(self.time.elapsed(), conn.outbox());
            if leaving && owed.is_empty() {
                return conn.finish().await;
            }
            let event = {
                // Who has enough in the air has to wait with the next shout.
                let (listens, due) = (!leaving && !owed.is_full(), owed.due());
                let event = async { if listens { conn.next().await } else { conn.attend().await } };
                pin_mut!(event);
                match due {
                    Some(due) => match select(event, self.time.sleep_until(due).boxed()).await {
                        Either::Left((event, _)) => event?,
                        Either::Right(_) => continue,
                    },
                    None => event.await?,
                }
            };
            match event {
                Event::Line(shout) | Event::Bytes(shout) => owed.add(self.time.elapsed(), &shout),
                Event::TooLong => conn.queue(b"\t That was too long.\n"),
                // A peer that shouts and does not listen would hold its place for ever.
                Event::Idle if !conn.outbox().is_empty() => return Err(io::ErrorKind::TimedOut.into()),
                Event::Idle => leaving |= owed.is_empty(),
                Event::Shutdown => leaving = true,
                Event::Closed => {
                    leaving = true;
                    // A last shout needs no line end.
                    if let Event::Bytes(shout) = conn.next_bytes().await? {
                        owed.add(self.time.elapsed(), &shout);
                    }
                }
                Event::LoginTimeout => {}
            }
        }
    }

    async fn echo(&self, mut conn: Conn) -> io::Result<()> {
        let mut is_first = true;
        loop {
            match conn.next_bytes().await? {
                Event::Bytes(bytes) if is_first && conn.is_browser(&bytes) => return Ok(()),
                Event::Bytes(bytes) => conn.queue(&bytes),
                Event::Closed | Event::Idle | Event::Shutdown => return conn.finish().await,
                Event::Line(_) | Event::TooLong | Event::LoginTimeout => {}
            }
            is_first = false;
        }
    }
}

impl Service for Reverb {
    fn name(&self) -> &str {
        "reverb"
    }

    fn serve(&self, mut conn: Conn) -> BoxFuture<'_, io::Result<()>> {
        conn.set_idle(self.options.idle);
        if self.options.plain { self.echo(conn).boxed() } else { self.reverberate(conn).boxed() }
    }

    fn turned_away(&self, why: &str) -> Vec<u8> {
        format!("\t {why}.\n").into_bytes()
    }
}
