//! Sessions that come to a thread of their own and leave it, over real sockets.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use futures::future::{AbortHandle, Abortable};

use super::*;
use crate::{Conn, Event, Limits, Origin, Shutdown, rt};

/// The places are the process's, so the tests have them one after another.
fn all_places() -> MutexGuard<'static, ()> {
    static PLACES: Mutex<()> = Mutex::new(());
    PLACES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A client, whom a session tells on which thread it has heard it, until something else happens.
struct Client(BufReader<TcpStream>, mpsc::Receiver<Event>);

impl Client {
    fn new(limits: Limits, shutdown: Shutdown) -> (Client, AbortHandle) {
        Client::begun(limits, shutdown, |_| None)
    }

    /// One whose session is begun as that of a newcomer, who is taken for what those before were.
    fn newcomer(shutdown: &Shutdown) -> Client {
        Client::begun(Limits::default(), shutdown.clone(), Conn::place_on_trust).0
    }

    fn begun(limits: Limits, shutdown: Shutdown, place: fn(&mut Conn) -> Option<Place>) -> (Client, AbortHandle) {
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = TcpStream::connect(door.local_addr().unwrap()).unwrap();
        let (socket, peer) = door.accept().unwrap();
        let origin = Origin { id: 1, peer, local: peer, bound: peer.ip(), proxy: None };
        let (abort, registration) = AbortHandle::new_pair();
        let (tell, told) = mpsc::channel();
        let mut conn = Conn::new(Socket::new(socket).unwrap(), origin, limits, shutdown);
        let place = place(&mut conn);
        let session = async move {
            loop {
                match conn.next_alone().await.unwrap() {
                    Event::Line(_) => {
                        conn.queue(format!("{}\n", thread::current().name().unwrap_or_default()).as_bytes())
                    }
                    event => break tell.send(event).unwrap_or_default(),
                }
            }
        };
        rt::spawn_alone(async { Abortable::new(session, registration).await.unwrap_or_default() }, place);
        (Client(BufReader::new(client), told), abort)
    }

    /// Whether it was a thread of the session's own that heard it; None: there is no answer.
    fn says(&mut self) -> Option<bool> {
        self.0.get_mut().write_all(b"x\n").ok()?;
        let mut answer = String::new();
        let count = self.0.read_line(&mut answer).ok()?;
        (count > 0).then(|| answer == "gftp-pool\n")
    }
}

fn taken() -> usize {
    TAKEN.load(Ordering::SeqCst)
}

fn until(mut it_is_so: impl FnMut() -> bool) {
    while !it_is_so() {
        thread::yield_now();
    }
}

#[test]
fn who_is_quick_has_a_thread_and_who_is_not_has_none() {
    let _all = all_places();
    let (_trigger, shutdown) = Shutdown::new();
    let (mut client, _) = Client::new(Limits::default(), shutdown);
    for _ in 0..3 {
        until(|| client.says().unwrap());
        until(|| taken() == 0);
        assert_eq!(client.says(), Some(false));
    }
}

/// Whoever is waited for meanwhile may be slow.
#[test]
fn a_thread_may_be_left_before_a_wait() {
    let _all = all_places();
    let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut slow = TcpStream::connect(door.local_addr().unwrap()).unwrap();
    let awaited = Socket::new(door.accept().unwrap().0).unwrap();
    let (tell, told) = mpsc::channel();
    let session = async move {
        let place = Place::take_if(|| true).unwrap();
        let waiting: BoxFuture<'static, ()> = Box::pin(async move {
            leave();
            tell.send(may_work()).unwrap();
            awaited.readable().await.unwrap();
            tell.send(is_here()).unwrap();
        });
        let left = POOL.run(move |should_end| stay(waiting, &place, should_end)).await;
        left.unwrap().await;
    };
    drop(rt::spawn(session));
    assert_eq!(told.recv(), Ok(false), "it works on as if it stayed");
    slow.write_all(b"x").unwrap();
    assert_eq!(told.recv(), Ok(false), "it has waited on its thread");
    until(|| taken() == 0);
}

/// Neither time nor the server's end is forgotten, nor that it is to be thrown out; wherever it began.
#[test]
fn who_never_stops_ends_all_the_same() {
    let _all = all_places();
    for place in [|_: &mut Conn| None, |_: &mut Conn| Place::take_if(|| true)] {
        let (trigger, shutdown) = Shutdown::new();
        let begun = |limits| Client::begun(limits, shutdown.clone(), place);
        let (mut client, abort) = begun(Limits::default());
        until(|| client.says().unwrap());
        abort.abort();
        until(|| client.says().is_none());
        let (mut client, _) = begun(Limits { login: 5 * TURN, ..Limits::default() });
        until(|| client.says().is_none());
        assert!(matches!(client.1.recv(), Ok(Event::LoginTimeout)));
        let (mut client, _) = begun(Limits::default());
        until(|| client.says().unwrap());
        trigger.drain();
        until(|| client.says().is_none());
        assert!(matches!(client.1.recv(), Ok(Event::Shutdown)));
        until(|| taken() == 0);
    }
}

/// Where those who come go at once, the next one has a thread from its first word on; where they stay and wait it has none.
#[test]
fn newcomers_are_taken_for_what_those_before_them_were() {
    let _all = all_places();
    let (_trigger, shutdown) = Shutdown::new();
    until(|| {
        let mut quick = Client::newcomer(&shutdown);
        [quick.says(), quick.says(), quick.says()][0] == Some(true)
    });
    let mut waiting = Vec::new();
    until(|| {
        waiting.push(Client::newcomer(&shutdown));
        until(|| taken() == 0);
        Client::newcomer(&shutdown).says() == Some(false)
    });
    // Those who wait are served as before.
    assert!(waiting.iter_mut().all(|client| client.says().is_some()));
}

#[test]
fn as_many_have_a_thread_as_may_and_nobody_in_a_crowd() {
    let _all = all_places();
    let (_trigger, shutdown) = Shutdown::new();
    let mut clients: Vec<_> = (0..MOST + 9).map(|_| Client::new(Limits::default(), shutdown.clone()).0).collect();
    for _ in 0..9 {
        // All say something before any is heard.
        for client in &mut clients {
            client.0.get_mut().write_all(b"x\n").unwrap();
        }
        assert!(taken() <= MOST);
        for client in &mut clients {
            client.0.read_line(&mut String::new()).unwrap();
        }
    }
    until(|| clients[0].says().unwrap());
    set_crowded(true);
    until(|| !clients[0].says().unwrap());
    until(|| taken() == 0);
    assert!((0..99).all(|_| clients[0].says() == Some(false)));
    set_crowded(false);
    until(|| clients[0].says().unwrap());
}

/// What blocks is done where the session is, unless it goes on for so long that the peer should be heard.
#[test]
fn what_blocks_is_done_on_the_thread_for_a_while() {
    let now = Instant::now();
    let is_done_here = |listened| {
        let here = thread::current().id();
        let standing = Standing::Thread { since: now, listened, leaves: false };
        standing_at(standing, || rt::block_on(rt::unblock(|| thread::current().id())) == here).0
    };
    assert!(is_done_here(now + Duration::from_secs(3600)));
    assert!(!is_done_here(now - WORK));
}
