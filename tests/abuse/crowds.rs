//! Crowds: many sessions at once, sessions that leave at once, and more than there is room or descriptors for.

use std::net::TcpStream;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{assert_serves, connect_from, eventually, guest};
use crate::clients::skip;
use crate::dialogue::client::{Control, connect, read_all, reset};
use crate::server::Server;
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use rustix::thread::current_timer_slack;

#[test]
fn a_thousand_come_and_leave_at_once() {
    // All come from one address, and the server may see the next before it has seen the last one go.
    let server = Server::start(&["--max-per-ip", "2000"]);
    assert_serves(&server);
    let (descriptors, memory) = (server.descriptors(), server.memory());
    for number in 0..1000 {
        let stream = connect(server.address()).unwrap();
        // Every other one slams the door.
        if number % 2 == 0 {
            reset(stream).unwrap();
        }
    }
    assert_serves(&server);
    eventually("descriptors are given back", || server.descriptors() <= descriptors + 2);
    let grown = server.memory().saturating_sub(memory);
    assert!(grown < 16 * 1024, "a thousand visitors left {grown} KiB behind");
}

#[test]
fn a_full_house_says_so_and_recovers() {
    let server = Server::start(&["--max-sessions", "2"]);
    let (first, _second) = (guest(&server), guest(&server));
    let mut third = Control::connect(server.address()).unwrap();
    let reply = third.expect(421).unwrap();
    assert!(reply.shown().contains('2'), "no reason in {}", reply.shown());
    third.closed().unwrap();
    drop(first);
    eventually("a place becomes free", || Control::anonymous(server.address()).is_ok());
}

#[test]
fn one_address_does_not_take_all_places() {
    let server = Server::start(&["--max-per-ip", "2"]);
    let _guests = (guest(&server), guest(&server));
    let mut third = Control::connect(server.address()).unwrap();
    let reply = third.expect(421).unwrap();
    assert!(reply.shown().contains('2'), "no reason in {}", reply.shown());
    third.closed().unwrap();
    let mut neighbour = Control::over(connect_from([127, 0, 0, 2], server.address())).unwrap();
    neighbour.expect(220).expect("another address is not turned away");
}

/// A client has two addresses where it has IPv6, and they are of one house.
#[test]
fn both_families_count() {
    let server = Server::start(&["--max-sessions", "2", "--max-per-ip", "1"]);
    let _four = guest(&server);
    Control::connect(server.address()).unwrap().expect(421).unwrap();
    let mut six = Control::greeted(server.address_v6()).expect("another family is another address");
    let reply = Control::connect(server.address_v6()).unwrap().expect(421).unwrap();
    assert!(reply.shown().contains("places"), "the house is full first: {}", reply.shown());
    let mut neighbour = Control::over(connect_from([127, 0, 0, 2], server.address())).unwrap();
    neighbour.expect(421).unwrap();
    six.tell("QUIT", 221).unwrap();
    eventually("a place becomes free for the other family", || {
        Control::over(connect_from([127, 0, 0, 2], server.address())).unwrap().expect(220).is_ok()
    });
}

#[test]
fn a_thousand_sessions_at_once() {
    const CLIENTS: usize = 8;
    const EACH: usize = 125;
    let server = Server::start(&["--max-per-ip", "2000"]);
    std::fs::write(server.root().join("f"), b"x").unwrap();
    let all_in = Barrier::new(CLIENTS);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut sessions: Vec<_> =
                    (0..EACH).filter_map(|_| Control::anonymous(server.address()).ok()).collect();
                // First everyone is in, then everyone lists.
                all_in.wait();
                assert_eq!(sessions.len(), EACH, "not everyone got in");
                for control in &mut sessions {
                    let mut data = control.passive().unwrap();
                    control.tell("NLST", 150).unwrap();
                    assert_eq!(read_all(&mut data).unwrap(), b"f\r\n");
                    control.expect(226).unwrap();
                }
                all_in.wait();
                for control in &mut sessions {
                    control.tell("QUIT", 221).unwrap();
                }
            });
        }
    });
    assert_serves(&server);
}

/// The threads that run tasks, and those of the pool, which sessions may have for themselves.
const TASKS: &str = "async-global";
const POOL: &str = "gftp-pool";

/// So many sessions say without a pause what costs little, until it is so.
fn while_they_talk(server: &Server, sessions: usize, what: &str, is_so: impl Fn() -> bool) {
    const AT_ONCE: usize = 200;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..sessions {
            scope.spawn(|| {
                let mut control = Control::anonymous(server.address()).unwrap();
                while !over.load(Ordering::SeqCst) {
                    control.send(&b"NOOP\r\n".repeat(AT_ONCE)).unwrap();
                    (0..AT_ONCE).for_each(|_| drop(control.expect(200).unwrap()));
                }
            });
        }
        let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            // Any thread bears for a moment the name of the one that began it.
            eventually(what, || (0..AT_ONCE).all(|_| is_so()));
        }));
        over.store(true, Ordering::SeqCst);
        waited.unwrap();
    });
}

/// Few who talk have a thread each, and one is enough for all else. Of more than have one each, all are served by as many as there are
/// cores for, and these go when the crowd has gone.
#[test]
fn threads_follow_the_crowd() {
    /// More than may have a thread of their own.
    const CROWD: usize = 160;
    let server = Server::start(&["--max-per-ip", "200"]);
    let several = std::thread::available_parallelism().map_or(1, usize::from).min(2);
    eventually("one thread is enough", || server.threads(TASKS) == 1);
    while_they_talk(&server, 8, "each has a thread", || server.threads(POOL) >= 8);
    while_they_talk(&server, CROWD, "they share threads", || server.threads(TASKS) >= several);
    eventually("one is enough again", || server.threads(TASKS) == 1);
    assert_serves(&server);
}

/// The reactor's helper does not come between each event and the thread that answers it; those that answer are woken in time.
#[test]
fn the_reactors_helper_is_in_no_hurry() {
    let server = Server::start(&[]);
    assert_serves(&server);
    // A thread gives itself its name, once it runs.
    eventually("the helper runs", || server.threads("async-io") == 1);
    match (server.slack("async-io"), server.slack("async-global")) {
        (Ok(helper), Ok(tasks)) => {
            assert_eq!(helper, [10_000_000]);
            let usual = current_timer_slack().unwrap();
            assert!(tasks.iter().all(|slack| *slack == usual), "{tasks:?}");
        }
        (Err(error), _) | (_, Err(error)) => {
            skip(&format!("another process's timer slack cannot be read here: {error}"))
        }
    }
}

/// unftp_out_of_descriptors: near 10,000 sessions there were none left, and that was its end.
#[test]
fn out_of_descriptors_is_said_and_survived() {
    let server = Server::start(&["--data-timeout", "1s"]);
    let waiting: Vec<_> = (0..8).map(|_| Control::anonymous(server.address()).unwrap()).collect();
    // Places are given by what the limit was at start; something else may use descriptors up all the same.
    let few = Rlimit { current: Some(server.descriptors() as u64 + 4), ..getrlimit(Resource::Nofile) };
    prlimit(Some(server.pid()), Resource::Nofile, few).unwrap();
    let uploads: Vec<_> = (0..4).filter_map(|number| begin_upload(&server, number)).collect();
    let newcomers: Vec<_> = (0..8).map(|_| connect(server.address()).unwrap()).collect();
    eventually("the log says that descriptors have run out", || server.log().contains("cannot accept"));
    drop((waiting, uploads, newcomers));
    eventually("it recovers", || Control::anonymous(server.address()).is_ok());
    assert_serves(&server);
}

/// Logs in and begins an upload. None: there was no descriptor left for it.
fn begin_upload(server: &Server, number: usize) -> Option<(Control, TcpStream)> {
    let control = Control::connect(server.address()).ok()?;
    control.stream().set_nonblocking(true).ok()?;
    let told = || server.log().contains("cannot accept");
    eventually("a newcomer is greeted, or there is no descriptor for one", || {
        told() || control.stream().peek(&mut [0]).is_ok()
    });
    control.stream().set_nonblocking(false).ok()?;
    if told() {
        return None;
    }
    let mut control = control;
    control.expect(220).ok()?;
    control.tell("USER anonymous", 331).ok()?;
    control.tell("PASS x", 230).ok()?;
    let data = control.passive().ok()?;
    control.tell(&format!("STOR up{number}"), 150).ok()?;
    Some((control, data))
}
