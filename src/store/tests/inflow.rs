//! Bytes that come into a file without being seen: all of them, in order, behind what is there; and what becomes of
//! them where that cannot be.

use super::super::inflow::MOST_PIPES;
use super::*;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Pipes are counted for the whole process: what takes all of them must be alone.
static ALONE: Mutex<()> = Mutex::new(());

/// A connection: the client's end, and ours, which does not block.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    server.set_nonblocking(true).unwrap();
    (client, server)
}

/// Takes in until something else than dryness ends it; how many bytes came.
fn take_all(upload: &mut Upload, server: &TcpStream, limit: u64) -> (u64, Inflow) {
    let mut all = 0;
    loop {
        let (taken, inflow) = upload.take_in(server, limit);
        all += taken;
        match inflow {
            // Waiting for the peer is the caller's business in earnest.
            Inflow::Dry => thread::sleep(Duration::from_millis(1)),
            Inflow::Enough => assert!(taken >= limit),
            end => return (all, end),
        }
    }
}

/// Three MiB that repeat at no power of two.
fn much() -> String {
    "what comes in pieces stays in order\n".repeat(3 * 1024 * 1024 / 36)
}

#[test]
fn all_comes_in_order_behind_what_is_there() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for limit in [1, 100_000, u64::MAX] {
        let ground = Ground::new();
        let mut upload = ground.view().upload(&at("file"), How::Replace).unwrap();
        upload.write(b"before ").unwrap();
        let (mut client, server) = connection();
        let sender = thread::spawn(move || client.write_all(much().as_bytes()).unwrap());
        let (taken, end) = take_all(&mut upload, &server, limit);
        sender.join().unwrap();
        assert!(matches!(end, Inflow::Ended), "{end:?}");
        assert_eq!((taken, upload.offset()), (much().len() as u64, much().len() as u64 + 7));
        upload.write(b" after").unwrap();
        upload.publish().unwrap();
        assert!(ground.content("file").unwrap() == format!("before {} after", much()), "with limit {limit}");
    }
}

#[test]
fn a_reset_is_no_end_and_loses_nothing_that_came() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let ground = Ground::new();
    let mut upload = ground.view().upload(&at("file"), How::Replace).unwrap();
    let (mut client, server) = connection();
    client.write_all(b"half").unwrap();
    assert_eq!(upload.take_in(&server, u64::MAX).0, 4);
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let (_, end) = take_all(&mut upload, &server, u64::MAX);
    assert!(matches!(end, Inflow::Lost(_)), "{end:?}");
    assert!(upload.offset() == 4 && upload.keep());
}

/// As on a file system that takes nothing from pipes: the kernel also refuses that for files that are appended to.
#[test]
fn what_cannot_be_taken_from_a_pipe_is_written_by_hand() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let ground = Ground::new();
    let mut upload = ground.view().upload(&at("file"), How::Replace).unwrap();
    rustix::fs::fcntl_setfl(upload.file(), rustix::fs::OFlags::APPEND).unwrap();
    let (mut client, server) = connection();
    client.write_all(b"by hand").unwrap();
    let (taken, end) = take_all(&mut upload, &server, u64::MAX);
    assert!(matches!(end, Inflow::Unsupported), "{end:?}");
    assert_eq!((taken, upload.offset()), (7, 7));
    upload.publish().unwrap();
    assert_eq!(ground.content("file").unwrap(), "by hand");
}

#[test]
fn pipes_are_few_and_come_back() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let ground = Ground::new();
    let (_client, server) = connection();
    let view = ground.view();
    let mut uploads: Vec<_> =
        (0..=MOST_PIPES).map(|number| view.upload(&at(format!("{number}")), How::Replace).unwrap()).collect();
    let ends: Vec<_> = uploads.iter_mut().map(|upload| upload.take_in(&server, u64::MAX).1).collect();
    let (last, others) = ends.split_last().unwrap();
    // An ordinary user may have been given fewer by the kernel.
    assert!(matches!(others[0], Inflow::Dry) && matches!(last, Inflow::Unsupported), "{others:?}, {last:?}");
    // Whoever turns out to be slow leaves it to others.
    uploads[0].close_pipe();
    assert!(matches!(uploads[MOST_PIPES].take_in(&server, u64::MAX), (0, Inflow::Dry)));
    drop(uploads);
    let mut upload = view.upload(&at("file"), How::Replace).unwrap();
    assert!(matches!(upload.take_in(&server, u64::MAX), (0, Inflow::Dry)));
}
