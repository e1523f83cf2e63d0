//! Ten thousand who connect and never log in, from a hundred addresses, and more of them than there are places: whoever is
//! honest is served within a second all the same.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::connect_from;
use super::siege::{WHOLE_MACHINE, has_descriptors};
use crate::abuse::eventually;
use crate::clients::skip;
use crate::dialogue::client::{Control, Outcome, read_all};
use crate::server::Server;

/// Those who are slow, a hundred of each address, which is what one may have.
const SLOW: usize = 10_000;
const EACH_ADDRESS: usize = 100;
/// Places that the server has, fewer than would come.
const PLACES: usize = 9_500;
/// Honest clients, one after the other.
const HONEST: usize = 20;
/// Of them, how many must be served within a second: the machine may be busy with something else once.
const IN_TIME: usize = HONEST - 1;

/// One of the slow ones: every other is silent, the others send a byte now and then.
fn come(number: usize, server: &Server) -> TcpStream {
    let stream = connect_from([127, 0, 10, 2 + (number / EACH_ADDRESS) as u8], server.address());
    stream.set_nonblocking(true).unwrap();
    stream
}

/// Whether it was shown out.
fn is_gone(stream: &mut TcpStream, speaks: bool) -> bool {
    let sent = if speaks { stream.write(b"N").map(|_| ()) } else { Ok(()) };
    let read = loop {
        match stream.read(&mut [0; 256]) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(e) => break e.kind() != ErrorKind::WouldBlock,
        }
    };
    read || sent.is_err_and(|e| e.kind() != ErrorKind::WouldBlock)
}

/// A whole visit, from the connection to the goodbye.
fn visit(server: &Server) -> Outcome<Duration> {
    let (began, from) = (Instant::now(), [127, 0, 11, 1]);
    let mut control = Control::over(connect_from(from, server.address()))?;
    for (line, code) in [("USER anonymous", 331), ("PASS x", 230), ("TYPE I", 200)] {
        if code == 331 {
            control.expect(220)?;
        }
        control.tell(line, code)?;
    }
    let port = control.epsv()?;
    let mut data = connect_from(from, (server.address().ip(), port).into());
    control.tell("RETR f", 150)?;
    assert_eq!(read_all(&mut data)?, b"content");
    control.expect(226)?;
    control.tell("QUIT", 221)?;
    Ok(began.elapsed())
}

#[test]
fn a_siege_by_ten_thousand_slow_ones() {
    let _alone = WHOLE_MACHINE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !has_descriptors() {
        skip("the open-file limit cannot be raised for ten thousand connections");
        return;
    }
    let server =
        Server::start(&["--max-sessions", &PLACES.to_string(), "--ban-exempt", "none", "--log-level", "error"]);
    std::fs::write(server.root().join("f"), b"content").unwrap();
    let mut slow: Vec<_> = (0..SLOW).map(|number| come(number, &server)).collect();
    // What has connected waits in the queue until it is let in.
    eventually("the crowd is there", || server.descriptors() > PLACES);
    let there = server.descriptors();
    let (over, returned) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut visits = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // They go on being slow, and who is shown out comes again.
            for number in (0..SLOW).cycle().take_while(|_| !over.load(Ordering::Relaxed)) {
                if is_gone(&mut slow[number], number % 2 == 0) {
                    slow[number] = come(number, &server);
                    returned.fetch_add(1, Ordering::Relaxed);
                }
                std::thread::park_timeout(Duration::from_micros(200));
            }
        });
        visits.extend((0..HONEST).map(|_| visit(&server)));
        over.store(true, Ordering::Relaxed);
    });
    let in_time = visits.iter().flatten().filter(|time| **time < Duration::from_secs(1)).count();
    assert!(in_time >= IN_TIME, "{visits:?}");
    let most = server.descriptors();
    assert!(most < PLACES + 600, "{most} descriptors: those who were shown out are still there");
    println!("{there} there, {} came again; visits took {visits:?}", returned.into_inner());
}
