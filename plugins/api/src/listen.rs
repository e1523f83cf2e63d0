//! Sockets that listen: how they are made, and how connections are taken from them. Knows no service and no session.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, acceptfrom_with, sockopt};
use socket2::{Domain, Protocol, SockAddr, SockRef, TcpKeepalive, Type};

use crate::rt::{self, Listener, Socket};

/// Connections that the kernel may hold ready while we are busy. The common 128 overflows when a thousand clients come
/// at once, and each overflow costs its client a second of SYN retry; 4,096 is the kernel's own default ceiling.
pub const BACKLOG: i32 = 4096;
/// A silent peer is asked for a sign of life after this long, before NAT boxes forget the connection (they wait for a
/// few minutes at least), and then as often again.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// How long accepting rests when descriptors or memory have run out: long enough for a session to end, short enough
/// that a waiting client does not notice.
pub const BACK_OFF: Duration = Duration::from_millis(100);
/// A shortage is said again only after this long, so that it cannot fill the log as well.
const SAY_AGAIN: Duration = Duration::from_secs(10);

/// Whom an address is counted as: an IPv6 host owns at least a /64, so its addresses there count as one.
pub fn household(address: IpAddr) -> IpAddr {
    const NETWORK: u128 = !0 << 64;
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & NETWORK).into()),
    }
}

/// Listens on `address`. What is set here is inherited by every accepted connection, which spares each of them the
/// system calls: no Nagle delay on replies, keep-alive, and urgent data in line (RFC 959's Synch would otherwise take
/// a byte out of the middle of a command). An unspecified IPv6 address takes IPv4 as well when `dual` is true.
pub fn bind(address: SocketAddr, dual: bool) -> io::Result<Listener> {
    Listener::new(open(address, dual)?)
}

/// The same without the reactor, whose thread would begin with the first socket that it watches.
pub fn open(address: SocketAddr, dual: bool) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!(dual && address.ip().is_unspecified()))?;
    }
    as_all_are(&socket)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from(socket))
}

/// What holds for every connection, whoever began it: small packets leave at once, an urgent byte is one among the others, and a peer
/// that is gone is found out. What is accepted has it from its listener.
pub(crate) fn as_all_are(socket: &socket2::Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_out_of_band_inline(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE))
}

/// Takes the next connection. A connection that died in the queue is passed over; a lack of descriptors or memory is
/// waited out and said in the log. `what` names the listener there.
pub async fn accept(listener: &Listener, what: &str) -> (Socket, SocketAddr) {
    loop {
        let accepted = if has_come(listener) { accept_now(listener, what) } else { Ok(None) };
        match accepted {
            Ok(Some(accepted)) => return accepted,
            Ok(None) if listener.readable().await.is_ok() => {}
            Ok(None) | Err(_) => rt::sleep(BACK_OFF).await,
        }
    }
}

/// Whether a connection has come. The kernel makes a socket before it looks whether there is a connection for it: where there is
/// none, to ask first takes a tenth of the time.
pub fn has_come(listener: &Listener) -> bool {
    !answers(listener, PollFlags::IN).is_empty()
}

/// Takes a connection that has come already; None: there is none. What fails is a lack of descriptors or memory, which is
/// in the log, even if there is none; it may be better after [`BACK_OFF`].
pub fn accept_now(listener: &Listener, what: &str) -> io::Result<Option<(Socket, SocketAddr)>> {
    loop {
        // As nobody else does: no further calls are needed to make it non-blocking.
        match acceptfrom_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK).map_err(io::Error::from) {
            Ok((socket, peer)) => {
                // One whose address is not told was gone before.
                let Some(Ok(peer)) = peer.map(SocketAddr::try_from) else { continue };
                return Ok(Some((Socket::new_nonblocking(TcpStream::from(socket)), canonical(peer))));
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(e) if is_shortage(&e) => return Err(short(what, e)),
            // ECONNABORTED and the network errors of accept(2) belong to one connection, not to the listener.
            Err(e) => log::debug!("{what}: a connection was gone before it was accepted: {e}"),
        }
    }
}

fn short(what: &str, error: io::Error) -> io::Error {
    say_shortage(what, &error);
    error
}

/// The address as the peer would write it: an IPv4 client of an IPv6 socket is an IPv4 client.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether an error means that this process or machine has run out of something and will have it again.
pub fn is_shortage(error: &io::Error) -> bool {
    const SHORTAGES: [Errno; 4] = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    SHORTAGES.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Confirms at once what has come. For a peer whose next words are small and not asked for: it may hold them back until
/// its last ones are confirmed (Nagle), which the kernel otherwise does after 40 ms.
pub fn confirm(socket: &Socket) {
    // Without it the peer waits.
    let _ = SockRef::from(socket.get_ref()).set_tcp_quickack(true);
}

/// Writes, as `write` would. Where `more` follows at once, or the end, the kernel waits for it with what fills no packet.
pub fn send(socket: &Socket, bytes: &[u8], more: bool) -> io::Result<usize> {
    let more = if more { SendFlags::MORE } else { SendFlags::empty() };
    Ok(rustix::net::send(socket, bytes, SendFlags::NOSIGNAL | more)?)
}

/// Receives at most so many bytes, and as many as the buffer has room for, behind what is in it; how many came, 0 at the end.
/// Room that is not needed is not even cleared.
pub fn receive(socket: &Socket, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    let at = buffer.len();
    if most >= buffer.capacity() - at {
        return Ok(rustix::net::recv(socket, spare_capacity(buffer), RecvFlags::empty())?.0);
    }
    buffer.resize(at + most, 0);
    let received = rustix::net::recv(socket, &mut buffer[at..], RecvFlags::empty());
    let count = received.as_ref().map_or(0, |(_, count)| *count);
    buffer.truncate(at + count);
    received?;
    Ok(count)
}

/// Has the kernel send full packets only, until it is told otherwise or the connection is shut down: for who has more to give
/// it at once. Where the connection is paced, one that is not full goes as well once all before it has arrived (Nagle,
/// RFC 9293 §3.7.4): what is held back meanwhile misses its time. Eight downloads with BBR are faster by half then.
pub fn hold_back(socket: &Socket, whether: bool) {
    // Without it there are more packets.
    let _ = if is_paced(socket) {
        sockopt::set_tcp_nodelay(socket, !whether)
    } else {
        sockopt::set_tcp_cork(socket, whether)
    };
}

/// Whether its congestion control (tcp(7), TCP_CONGESTION) says when each packet may go, and not only how many: BBR of any
/// version.
fn is_paced(socket: &Socket) -> bool {
    sockopt::tcp_congestion(socket).is_ok_and(|name| name.starts_with("bbr"))
}

/// Whether the peer has closed its sending side or is gone, whatever it sent before and nobody has read yet.
pub fn peer_has_closed(socket: &Socket) -> bool {
    !answers(socket, PollFlags::RDHUP).is_empty()
}

/// Waits on this thread, which may block, for something to read; whether there is.
pub fn can_read_within(socket: &Socket, time: Duration) -> bool {
    !answers_within(socket, PollFlags::IN, time).is_empty()
}

/// The same for room to write.
pub fn can_write_within(socket: &Socket, time: Duration) -> bool {
    !answers_within(socket, PollFlags::OUT, time).is_empty()
}

/// Whether there is something to read, if only the end.
pub fn has_input(socket: &Socket) -> bool {
    !answers(socket, PollFlags::IN).is_empty()
}

/// Comes when the connection has failed: it was reset, or the peer no longer answers. A descriptor of its own tells it,
/// since a socket whose peer has closed its sending side is ready for reading at all times; without one it never comes.
pub fn broken(socket: &Socket) -> impl Future<Output = ()> + Send + use<> {
    let watch = || {
        let watch = epoll::create(CreateFlags::CLOEXEC)?;
        // Asked for nothing, it tells of failures.
        epoll::add(&watch, socket, EventData::new_u64(0), EventFlags::empty())?;
        async_io::Async::new(watch)
    };
    let watch = watch();
    async move {
        if let Ok(watch) = watch
            && watch.readable().await.is_ok()
            && has_failed(&watch)
        {
            return;
        }
        // Closed by both sides in order, which is told of in the same way, or not to be watched.
        std::future::pending().await
    }
}

/// Whether what such a set tells of is a failure.
fn has_failed(watch: &impl AsFd) -> bool {
    let mut told = Vec::with_capacity(1);
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    epoll::wait(watch, spare_capacity(&mut told), Some(&now)).is_ok()
        && told.iter().any(|event| { event.flags }.contains(EventFlags::ERR))
}

/// What is true of it now of what was asked; failures are told of in any case.
fn answers(socket: &impl AsFd, asked: PollFlags) -> PollFlags {
    answers_within(socket, asked, Duration::ZERO)
}

/// The same once it is so, or once the time is over.
fn answers_within(socket: &impl AsFd, asked: PollFlags, time: Duration) -> PollFlags {
    let time = Timespec::try_from(time).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 });
    let mut polled = [PollFd::new(socket, asked)];
    match poll(&mut polled, Some(&time)) {
        Ok(_) => polled[0].revents(),
        // What cannot even be asked about is no connection: it has ended.
        Err(_) => PollFlags::all(),
    }
}

/// Makes closing `socket` discard what is unsent and reset the connection.
pub fn reset_on_close(socket: &Socket) {
    let _ = SockRef::from(socket.get_ref()).set_linger(Some(Duration::ZERO));
}

fn say_shortage(what: &str, error: &io::Error) {
    /// Milliseconds since the first shortage of the process, plus one; zero: never said.
    static SAID: AtomicU64 = AtomicU64::new(0);
    static SINCE: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let now = SINCE.get_or_init(Instant::now).elapsed().as_millis() as u64 + 1;
    let said = SAID.load(Ordering::Relaxed);
    if said == 0 || now.saturating_sub(said) > SAY_AGAIN.as_millis() as u64 {
        SAID.store(now, Ordering::Relaxed);
        log::warn!("{what}: cannot accept: {error}; waiting for sessions to end (is the open-file limit too low?)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The machine's own congestion control, and each other one that it lets us choose.
    #[test]
    fn what_is_held_back_depends_on_the_pacing() -> io::Result<()> {
        let listener = open(SocketAddr::from(([127, 0, 0, 1], 0)), false)?;
        let _peer = TcpStream::connect(listener.local_addr()?)?;
        let socket = Socket::new(listener.accept()?.0)?;
        for name in ["", "reno", "cubic", "bbr"] {
            if !name.is_empty() && sockopt::set_tcp_congestion(&socket, name).is_err() {
                continue;
            }
            let paced = sockopt::tcp_congestion(&socket)?.starts_with("bbr");
            assert_eq!(is_paced(&socket), paced, "{name}");
            for held in [true, false] {
                hold_back(&socket, held);
                assert_eq!(sockopt::tcp_cork(&socket)?, held && !paced, "{name}: TCP_CORK");
                assert_eq!(sockopt::tcp_nodelay(&socket)?, !(held && paced), "{name}: TCP_NODELAY");
            }
        }
        Ok(())
    }
}
