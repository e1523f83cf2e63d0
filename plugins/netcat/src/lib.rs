//! `gftp netcat`: standard input goes to a connection, and what comes from it to standard output, both at once.
//!
//! Owns when that is over and what is said about it; `carry.rs` owns how bytes move. Refuses to know what they mean.

mod carry;

use std::io::{self, IsTerminal, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use futures::future::{self, Either};
use futures::pin_mut;
use gftp_plugin::{Conn, Limits, Plugin, Shutdown, rt, words};
use rustix::io::Errno;

use carry::{Failure, carry};

/// What `gftp netcat` is told.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where to connect: HOST:PORT or HOST PORT; an IPv6 address with a port behind it stands in brackets
    #[arg(value_name = "HOST:PORT")]
    host: String,
    /// The port, where the host has none behind it
    #[arg(value_name = "PORT")]
    port: Option<u16>,
    /// Only print what comes; standard input is left alone
    #[arg(long, conflicts_with = "no_wait")]
    read_only: bool,
    /// End at the end of standard input, whatever may still come
    #[arg(long)]
    no_wait: bool,
    /// Say on standard error when the connection is there and when all is done
    #[arg(short, long)]
    verbose: bool,
}

/// What the command line has to know of it.
pub fn plugin() -> Plugin {
    let about = "Connect standard input and output to a TCP port";
    Plugin::client("netcat", about, |options: Options| {
        target(&options)?;
        Ok(run(options, io::stdin(), io::stdout(), io::stderr()))
    })
}

/// What was asked for, with `input` and `output` in the places of the standard ones, and `told` in that of standard error.
///
/// At the end of `input` the sending side is closed; it is over when the server has closed its own and all has been
/// printed. Where the server is first, what still comes from a pipe or a file is sent to its end; but from a terminal
/// nothing is awaited then: whoever sits there would have to press Enter only to learn that it is over. Whoever reads
/// `output` may leave at any time, and that is the end, without a word.
///
/// The error is one line: the address that refused or was lost, or which of the two failed.
pub async fn run(
    options: Options,
    input: impl AsFd + Send + 'static,
    output: impl AsFd + Send + 'static,
    mut told: impl Write,
) -> Result<ExitCode, String> {
    let target = target(&options)?;
    let (_trigger, shutdown) = Shutdown::new();
    let conn = Conn::dial(&target, Limits::default(), shutdown).await.map_err(|e| e.to_string())?;
    let peer = conn.origin().peer;
    let socket = blocking(conn).map_err(|e| format!("{peer}: {}", words(&e)))?;
    let mut tell = |line: String| {
        // Nobody may be reading that, and it is no reason to stop.
        let _ = if options.verbose { writeln!(told, "{line}") } else { Ok(()) };
    };
    tell(format!("connected to {peer}"));
    converse(&options, peer, Arc::new(socket), input, output).await?;
    tell("done".to_string());
    Ok(ExitCode::SUCCESS)
}

/// `HOST:PORT` of what was typed.
fn target(options: &Options) -> Result<String, String> {
    let host = &options.host;
    match options.port {
        Some(port) if host.parse::<Ipv6Addr>().is_ok() => Ok(format!("[{host}]:{port}")),
        Some(port) => Ok(format!("{host}:{port}")),
        None => match host.rsplit_once(':') {
            Some((name, port)) if !name.is_empty() && port.parse::<u16>().is_ok() => Ok(host.clone()),
            _ => Err(format!("{host:?} has no port: give HOST:PORT, as localhost:8000")),
        },
    }
}

/// The socket, for threads that may block. The mode is that of the connection, so both directions have it.
fn blocking(conn: Conn) -> io::Result<TcpStream> {
    let socket = conn.into_socket().into_inner()?;
    socket.set_nonblocking(false)?;
    Ok(socket)
}

async fn converse(
    options: &Options,
    peer: SocketAddr,
    socket: Arc<TcpStream>,
    input: impl AsFd + Send + 'static,
    output: impl AsFd + Send + 'static,
) -> Result<(), String> {
    let is_terminal = input.as_fd().is_terminal();
    let receiving = rt::unblock({
        let socket = Arc::clone(&socket);
        move || receive(peer, &socket, &output)
    });
    if options.read_only {
        return receiving.await.map(|_| ());
    }
    let sending = rt::unblock(move || send(peer, &input, &socket));
    pin_mut!(sending, receiving);
    // Where one of them is left behind, its thread goes on until the process ends, which is next.
    match future::select(sending, receiving).await {
        Either::Left((Ok(()), _)) if options.no_wait => Ok(()),
        Either::Left((Ok(()), receiving)) => receiving.await.map(|_| ()),
        Either::Left((Err(Unsent::Input(line)), _)) => Err(line),
        // What the server had said before it was lost is still printed, as long as there is somebody who reads.
        Either::Left((Err(Unsent::Lost(line)), receiving)) => match receiving.await? {
            Received::All => Err(line),
            Received::Enough => Ok(()),
        },
        Either::Right((Ok(Received::All), sending)) if !is_terminal => sending.await.map_err(Unsent::into_line),
        Either::Right((received, _)) => received.map(|_| ()),
    }
}

/// How receiving ended well.
enum Received {
    /// The server has closed its sending side.
    All,
    /// Whoever read the output has left.
    Enough,
}

/// Why not all was sent, as a line.
enum Unsent {
    /// The input could not be read.
    Input(String),
    /// The connection is gone.
    Lost(String),
}

impl Unsent {
    fn into_line(self) -> String {
        match self {
            Unsent::Input(line) | Unsent::Lost(line) => line,
        }
    }
}

fn send(peer: SocketAddr, input: &impl AsFd, socket: &TcpStream) -> Result<(), Unsent> {
    match carry(input.as_fd(), socket.as_fd()) {
        Ok(()) => {
            // A connection that is lost by now is noticed by who receives.
            let _ = socket.shutdown(std::net::Shutdown::Write);
            Ok(())
        }
        Err(Failure::Reading(errno)) => Err(Unsent::Input(format!("standard input: {}", words(&errno.into())))),
        Err(Failure::Writing(errno)) => Err(Unsent::Lost(lost(peer, errno))),
    }
}

fn receive(peer: SocketAddr, socket: &TcpStream, output: &impl AsFd) -> Result<Received, String> {
    match carry(socket.as_fd(), output.as_fd()) {
        Ok(()) => Ok(Received::All),
        Err(Failure::Writing(Errno::PIPE)) => Ok(Received::Enough),
        Err(Failure::Writing(errno)) => Err(format!("standard output: {}", words(&errno.into()))),
        Err(Failure::Reading(errno)) => Err(lost(peer, errno)),
    }
}

fn lost(peer: SocketAddr, errno: Errno) -> String {
    // Writing to a connection that was reset is a broken pipe to the kernel; there is no pipe that anyone could look for.
    let errno = if errno == Errno::PIPE { Errno::CONNRESET } else { errno };
    format!("{peer}: {}", words(&errno.into()))
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    fn typed(words: &[&str]) -> Result<String, String> {
        let command = plugin().command().no_binary_name(true);
        let matches = command.try_get_matches_from(words).map_err(|e| e.to_string())?;
        target(&Options::from_arg_matches(&matches).map_err(|e| e.to_string())?)
    }

    #[test]
    fn targets() {
        for (words, meant) in [
            (&["localhost:8000"][..], "localhost:8000"),
            (&["localhost", "8000"], "localhost:8000"),
            (&["[::1]:8000"], "[::1]:8000"),
            (&["::1", "8000"], "[::1]:8000"),
        ] {
            assert_eq!(typed(words).as_deref(), Ok(meant));
        }
        for words in [&["localhost"][..], &[":80"], &["localhost:x"], &["localhost:99999"], &["a", "x"], &[]] {
            let line = typed(words).unwrap_err();
            assert!(line.contains("HOST:PORT") || line.contains("PORT"), "{words:?}: {line}");
        }
        assert!(typed(&["--read-only", "--no-wait", "a:1"]).is_err());
    }
}
