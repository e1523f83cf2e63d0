//! The runtime: the only file that names async-std. Tasks, time and channels come from it, the pool is our own; sockets are watched
//! by async-io (`socket.rs`), which is the reactor inside async-std, because the data path needs their readiness (async-std's own
//! types hide it). async-std is no longer developed; a move to the living crates beneath it is a change of this file, of `socket.rs`, and
//! of `crew.rs`, which adds and ends the threads of its executor.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::num::NonZeroU64;
use std::pin::{Pin, pin};
use std::sync::LazyLock;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::crew;
use crate::give_way;
use crate::listen;
use crate::own_thread;
pub use crate::own_thread::Place;
use crate::pool::POOL;
use crate::share::{self, Helpers};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::IpBindAddressNoPort;
use socket2::{Domain, Protocol, SockAddr, Type};

pub use crate::socket::Socket;
pub use async_io::Timer;
pub use async_std::channel::{Receiver, Sender, bounded as channel};
pub use async_std::task::{JoinHandle, block_on, sleep, spawn, yield_now};

/// A listening TCP socket, registered with the reactor.
pub type Listener = async_io::Async<TcpListener>;

/// How many nanoseconds later than it asked for the reactor's helper may be woken: as long as it sleeps at most by itself.
const HELPERS_SLACK: u64 = 10_000_000;

/// Looks at what there is to know of the machine, while this process may still read it: before it is confined. Without this, all threads
/// are taken to be alike.
pub fn look_at_machine() {
    give_way::look();
}

/// Runs a program's future to its end on the executor, whose threads are made here if there are none yet, while this thread
/// does nothing else. (With [`block_on`] it would take its turns at the reactor, and then hand each event over to another thread.)
///
/// How many threads there are follows from how many are needed (`crew.rs`), up to half the cores. `ASYNC_STD_THREAD_COUNT` says how many
/// there are at least.
pub fn run<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    // Its first call begins the helper; nothing else has asked for the reactor yet.
    with_slack(HELPERS_SLACK, || async_io::block_on(async {}));
    let config = async_global_executor::GlobalExecutorConfig::default().with_env_var("ASYNC_STD_THREAD_COUNT");
    async_global_executor::init_with_config(config.with_min_threads(1).with_max_threads(crew::most()));
    drop(spawn(crew::follow()));
    futures::executor::block_on(spawn(future))
}

/// Does what begins threads, so that the kernel may wake them from a sleep so many nanoseconds late; this thread afterwards as before.
///
/// async-io's helper is such a thread: it takes the reactor where no thread of the executor has asked it for 50 µs, which is as long as
/// a few commands take. What it hears then wakes two threads, and it wakes by itself in between.
fn with_slack<T>(slack: u64, begin: impl FnOnce() -> T) -> T {
    // A kernel that refuses leaves the helper as eager as it was.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(slack));
    let begun = begin();
    let _ = rustix::thread::set_current_timer_slack(None);
    begun
}

/// Runs `work` on the pool of threads that may block, and waits for its result. Everything that touches a disk goes
/// here, so that a slow one stalls the session that asked and nobody else. Work that has begun is not cancelled when
/// the waiting future is dropped: it must be bounded by itself.
pub async fn unblock<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    if own_thread::may_work() {
        return work();
    }
    POOL.run(|_| work()).await
}

/// Drops what may block when it goes, such as a large file that has lost its name meanwhile: here where the session has a thread of its own, else on
/// the pool.
pub fn drop_elsewhere<T: Send + 'static>(it: T) {
    if own_thread::is_here() {
        drop(it);
    } else {
        POOL.offer(Box::new(move || drop(it)));
    }
}

/// As [`unblock`], for work of any length: it asks often whether it should end soon, because others wait for a thread or
/// nobody waits for its result, and obeys. It may lose its core for a moment then.
pub async fn unblock_long<T: Send + 'static>(work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static) -> T {
    match own_thread::work_long(work).await {
        Ok(done) => done,
        Err(work) => {
            let work = |should_end: &dyn Fn() -> bool| {
                work(&|| {
                    let ends = should_end();
                    if !ends {
                        give_way::give_way();
                    }
                    ends
                })
            };
            POOL.run(work).await
        }
    }
}

/// Whether [long work](unblock_long) is to ask often just now whether it should end: with each question it lets go of its core, for
/// a session that is to be heard soon.
pub fn is_to_give_way() -> bool {
    give_way::is_due()
}

/// As [`spawn`], for a session that has a thread of the pool to itself for as long as its peer answers at once
/// ([`Service::waits_alone`](crate::Service::waits_alone)). It begins there where it [has a place](crate::Conn::place_on_trust).
pub fn spawn_alone(session: impl Future<Output = ()> + Send + 'static, place: Option<Place>) {
    own_thread::begin(session, place);
}

/// Has the session that runs here go back to the executor with its next wait, if it has a thread to itself: whom it waits for is too
/// slow for one. It may have one again for its next words.
pub fn leave_thread() {
    own_thread::leave();
}

/// Does `work` with each part, on this thread of the pool and on another one where a core is to spare, and returns the results
/// in the order of the parts. They are taken from `parts` as it goes, while the first are done already. Each must be bounded by itself.
///
/// No more threads help at once than there are cores but one, whoever asks.
pub fn share<P: Send + 'static, R: Send + 'static>(
    parts: impl Iterator<Item = P>,
    work: impl Fn(P) -> R + Send + Sync + 'static,
) -> Vec<R> {
    static HELPERS: LazyLock<Helpers> =
        LazyLock::new(|| Helpers::new(std::thread::available_parallelism().map_or(1, usize::from) - 1));
    share::share(&POOL, &HELPERS, parts, work)
}

/// Waits for `future` at most `limit`; [`io::ErrorKind::TimedOut`] then.
pub async fn timeout<T>(limit: Duration, future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let (mut future, by, mut timer) = (pin!(future), Instant::now().checked_add(limit), None);
    poll_fn(|cx| {
        if let Poll::Ready(result) = future.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        let Some(by) = by else { return Poll::Pending };
        let is_over = if own_thread::is_here() {
            Instant::now() >= by
        } else {
            Pin::new(timer.get_or_insert_with(|| Timer::at(by))).poll(cx).is_ready()
        };
        if is_over { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { Poll::Pending }
    })
    .await
}

/// The addresses of `HOST:PORT`, in the order in which they should be tried.
pub async fn resolve(host: &str) -> io::Result<Vec<SocketAddr>> {
    let host = host.to_string();
    unblock(move || Ok(host.to_socket_addrs()?.collect())).await
}

/// Connects to `to`; where it is said, from the local address `from` (any free port), so that the peer sees one it already knows.
pub async fn connect(from: Option<IpAddr>, to: SocketAddr) -> io::Result<Socket> {
    let socket = socket2::Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    listen::as_all_are(&socket)?;
    if let Some(from) = from {
        // The port is chosen when it is known where to. Else it is nobody else's for a minute after the connection has ended, and
        // some 28,000 within that are all there are. Where the kernel does not know this, it is as it was.
        let _ = setsockopt(&socket, IpBindAddressNoPort, &true);
        socket.bind(&SockAddr::from(SocketAddr::new(from, 0)))?;
    }
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::from(to)) {
        Ok(()) => {}
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(e) => return Err(e),
    }
    let socket = Socket::new_nonblocking(TcpStream::from(socket));
    socket.writable().await?;
    match socket.get_ref().take_error()? {
        Some(e) => Err(e),
        None => Ok(socket),
    }
}

#[cfg(test)]
mod tests {
    use rustix::thread::current_timer_slack;

    use super::*;

    #[test]
    fn what_may_end_long_ends_elsewhere() {
        struct Tells(std::sync::mpsc::Sender<Option<String>>);
        impl Drop for Tells {
            fn drop(&mut self) {
                self.0.send(std::thread::current().name().map(str::to_owned)).unwrap();
            }
        }
        let (tell, told) = std::sync::mpsc::channel();
        drop_elsewhere(Tells(tell));
        assert_eq!(told.recv().unwrap().as_deref(), Some("gftp-pool"));
    }

    #[test]
    fn slack_is_for_those_who_are_begun() {
        let before = current_timer_slack().unwrap();
        let begun = with_slack(HELPERS_SLACK, || std::thread::spawn(current_timer_slack));
        assert_eq!(begun.join().unwrap().unwrap(), HELPERS_SLACK);
        assert_eq!(current_timer_slack().unwrap(), before);
    }
}
