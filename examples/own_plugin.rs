//! gftp with one more service, `mirror`, which says every line backwards.

use std::io;
use std::process::ExitCode;

use futures::future::BoxFuture;
use gftp_plugin::{Conn, Event, Plugin, Service};

#[derive(clap::Args)]
struct Mirror {
    /// What to say to whoever comes
    #[arg(long, value_name = "TEXT", default_value = "Hello.")]
    greeting: String,
}

impl Service for Mirror {
    fn name(&self) -> &str {
        "mirror"
    }

    fn serve(&self, mut conn: Conn) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            conn.queue(format!("{}\n", self.greeting).as_bytes());
            loop {
                match conn.next().await? {
                    Event::Line(line) => {
                        let backwards: String = String::from_utf8_lossy(&line).chars().rev().collect();
                        conn.queue(format!("{backwards}\n").as_bytes());
                    }
                    Event::Idle | Event::Shutdown | Event::Closed => return conn.finish().await,
                    _ => conn.queue(b"?\n"),
                }
            }
        })
    }
}

fn main() -> ExitCode {
    let mirror = Plugin::service("mirror", "Say each line backwards", Ok::<Mirror, _>);
    gftp::main_with(gftp::bundled().into_iter().chain([mirror.on_port(8002)]))
}
