//! A connected TCP socket, known to the reactor from the first time that somebody waits for it. Many never have to be waited for: a
//! small file has come or gone before, and whoever has a thread waits by itself. Knows no bytes and no time.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};

use async_io::Async;
use futures::io::{AsyncRead, AsyncWrite};

use crate::own_thread::{self, Ready};

/// A connected TCP socket that never blocks. `&Socket` reads and writes (`futures::io` traits).
pub struct Socket {
    stream: Arc<TcpStream>,
    /// What the reactor knows it by. From then on each word of the peer's wakes a thread that looks who is meant, its end too.
    watched: OnceLock<Async<Arc<TcpStream>>>,
}

impl Socket {
    /// Takes a socket, which is made non-blocking.
    pub fn new(stream: TcpStream) -> io::Result<Socket> {
        stream.set_nonblocking(true)?;
        Ok(Socket::new_nonblocking(stream))
    }

    /// Takes one that is non-blocking already.
    pub fn new_nonblocking(stream: TcpStream) -> Socket {
        Socket { stream: Arc::new(stream), watched: OnceLock::new() }
    }

    /// The socket as the system knows it.
    pub fn get_ref(&self) -> &TcpStream {
        &self.stream
    }

    /// The socket, which nobody watches any more. It is non-blocking.
    pub fn into_inner(self) -> io::Result<TcpStream> {
        drop(self.watched);
        Arc::into_inner(self.stream).ok_or_else(|| io::ErrorKind::ResourceBusy.into())
    }

    /// Reads something and leaves it there; 0 at the end.
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.peek(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.readable().await?,
                peeked => return peeked,
            }
        }
    }

    /// Waits until there is something to read, if only the end. May come too early.
    pub async fn readable(&self) -> io::Result<()> {
        if own_thread::wait_beside(self, Ready::Read).await {
            return Ok(());
        }
        self.watched()?.readable().await
    }

    /// The same for who has a thread of its own; for others this comes at once.
    pub async fn readable_here(&self) -> io::Result<()> {
        own_thread::wait_beside(self, Ready::Read).await;
        Ok(())
    }

    /// Waits until there is room to write. May come too early.
    pub async fn writable(&self) -> io::Result<()> {
        if own_thread::wait_beside(self, Ready::Write).await {
            return Ok(());
        }
        self.watched()?.writable().await
    }

    /// Whether the reactor has said that there is something to read since it was asked last; else the task is woken then.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if own_thread::is_here() { Poll::Pending } else { self.watched()?.poll_readable(cx) }
    }

    fn watched(&self) -> io::Result<&Async<Arc<TcpStream>>> {
        /// Two who begin to watch one socket at once would be told that it is watched already.
        static BEGINNING: Mutex<()> = Mutex::new(());
        if let Some(watched) = self.watched.get() {
            return Ok(watched);
        }
        let _beginning = BEGINNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watched) = self.watched.get() {
            return Ok(watched);
        }
        let watched = Async::new_nonblocking(Arc::clone(&self.stream))?;
        Ok(self.watched.get_or_init(|| watched))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl AsyncRead for &Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.get_ref().read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => ready!(self.poll_readable(cx))?,
                read => return Poll::Ready(read),
            }
        }
    }
}

impl AsyncWrite for &Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.get_ref().write(bytes) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && own_thread::is_here() => return Poll::Pending,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => ready!(self.watched()?.poll_writable(cx))?,
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.get_ref().shutdown(std::net::Shutdown::Write))
    }
}
