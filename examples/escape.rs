//! gftp with a service that tries to leave: each line names a deed that no service is to do, which it tries on the
//! executor and on the pool, and says what the system answered. For tests/confine.rs; never to be served.

use std::io;
use std::process::ExitCode;

use futures::future::BoxFuture;
use gftp_plugin::{Conn, Event, Plugin, Service, rt};

#[derive(clap::Args)]
struct Escape {
    /// Begin a thread too early, as a plugin should not
    #[arg(long)]
    early: bool,
}

/// Does it; what came of it, if anything did.
fn attempt(line: &str) -> io::Result<String> {
    use std::fs;
    let words: Vec<&str> = line.split(' ').collect();
    let port = |text: &str| text.parse::<u16>().map_err(io::Error::other);
    let done = String::new();
    match words[..] {
        ["read", path] => fs::read(path).map(|_| done),
        ["list", path] => fs::read_dir(path).map(|_| done),
        ["append", path] => fs::OpenOptions::new().append(true).open(path).map(|_| done),
        ["make", path] => fs::OpenOptions::new().write(true).create_new(true).open(path).map(|_| done),
        ["remove", path] => fs::remove_file(path).map(|()| done),
        ["rename", from, to] => fs::rename(from, to).map(|()| done),
        ["link", from, to] => fs::hard_link(from, to).map(|()| done),
        ["bind", at] => std::net::TcpListener::bind(("127.0.0.1", port(at)?)).map(|_| done),
        ["connect", at] => std::net::TcpStream::connect(("127.0.0.1", port(at)?)).map(|_| done),
        ["call", name] => {
            use std::os::linux::net::SocketAddrExt;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            std::os::unix::net::UnixStream::connect_addr(&address).map(|_| done)
        }
        ["kill", pid] => {
            let pid = pid.parse().ok().and_then(rustix::process::Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
            // The mildest of signals that is one: whoever gets it goes on.
            Ok(rustix::process::kill_process(pid, rustix::process::Signal::CONT).map(|()| done)?)
        }
        ["become", uid] => {
            let uid = nix::unistd::Uid::from_raw(uid.parse().map_err(io::Error::other)?);
            Ok(nix::unistd::setuid(uid).map(|()| done)?)
        }
        ["own", path] => std::os::unix::fs::chown(path, Some(1), Some(1)).map(|()| done),
        ["run", program, ref arguments @ ..] => {
            let output = std::process::Command::new(program).args(arguments).output()?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
        }
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// What the system answered: "done" and what came of it, or the number of the error.
fn answer(line: &str) -> String {
    match attempt(line) {
        Ok(result) if result.is_empty() => "done".to_string(),
        Ok(result) => format!("done {result}"),
        Err(e) => e.raw_os_error().map_or_else(|| e.to_string(), |errno| errno.to_string()),
    }
}

impl Service for Escape {
    fn name(&self) -> &str {
        "escape"
    }

    fn serve(&self, mut conn: Conn) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            loop {
                match conn.next().await? {
                    Event::Line(line) => {
                        let line = String::from_utf8_lossy(&line).into_owned();
                        // A deed that worked here is undone by nobody: what it made may be in the way of the second.
                        let pooled = line.clone();
                        let (here, there) = (answer(&line), rt::unblock(move || answer(&pooled)).await);
                        conn.queue(format!("{here}; {there}\n").as_bytes());
                    }
                    Event::Idle | Event::Shutdown | Event::Closed => return conn.finish().await,
                    _ => conn.queue(b"?\n"),
                }
            }
        })
    }
}

fn main() -> ExitCode {
    let escape = Plugin::service("escape", "Try to leave the confinement, for tests", |escape: Escape| {
        if escape.early {
            std::thread::spawn(std::thread::park);
        }
        Ok(escape)
    });
    gftp::main_with(gftp::bundled().into_iter().chain([escape.on_port(8003)]))
}
