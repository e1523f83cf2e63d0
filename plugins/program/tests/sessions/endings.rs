//! Ends of all kinds: the client's, the program's, the server's; and that nothing is left afterwards.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::path::Path;
use std::time::{Duration, Instant};

use super::harness::{PATIENCE, Server, Watched, eventually, read_all, read_line, reset, watch};

/// Begins something in the background that outlives it, says its number and its own, and goes on.
const WITH_CHILD: &str = "sleep 1000 & echo $!; echo $$;";

/// A client of a program that begins so, and the two processes.
fn client_of(server: &Server) -> (std::net::TcpStream, [Watched; 2]) {
    let mut client = server.connect();
    let numbers = [read_line(&mut client), read_line(&mut client)];
    (client, numbers.map(|number| watch(&number)))
}

fn assert_dead(processes: &[Watched]) {
    assert!(processes.iter().all(|process| process.dies_within(PATIENCE)), "its whole group is killed");
}

fn assert_alive(processes: &[Watched]) {
    assert!(!processes.iter().any(|process| process.dies_within(Duration::ZERO)), "it lives");
}

#[test]
fn a_reset_kills_the_group() {
    let server = Server::sh(&format!("{WITH_CHILD} exec cat"));
    let (client, processes) = client_of(&server);
    assert_alive(&processes);
    reset(client);
    assert_dead(&processes);
    assert_eq!(server.ended().unwrap_err().kind(), ErrorKind::ConnectionReset);
}

/// Nothing is read from that client, so nothing tells of its end but a look.
#[test]
fn a_reset_is_seen_though_the_program_does_not_read() {
    let server = Server::narrow(&format!("{WITH_CHILD} wait"));
    let mut client = server.connect_narrow();
    let processes = [read_line(&mut client), read_line(&mut client)].map(|number| watch(&number));
    client.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    while client.write(&[b'x'; 10_000]).is_ok() {}
    assert_alive(&processes);
    reset(client);
    assert_dead(&processes);
    assert_eq!(server.ended().unwrap_err().kind(), ErrorKind::ConnectionReset);
}

/// The same after it has closed its sending side.
#[test]
fn a_reset_after_the_end_of_input_is_seen() {
    let server = Server::sh(&format!("{WITH_CHILD} wait"));
    let (client, processes) = client_of(&server);
    client.shutdown(Shutdown::Write).unwrap();
    reset(client);
    assert_dead(&processes);
    server.ended().unwrap_err();
}

#[test]
fn who_takes_no_answer_any_more_is_found_out_by_it() {
    let server = Server::sh(&format!("{WITH_CHILD} read line; while :; do echo answer; done"));
    let (mut client, processes) = client_of(&server);
    client.write_all(b"go\n").unwrap();
    assert_eq!(read_line(&mut client), "answer");
    drop(client);
    assert_dead(&processes);
    server.ended().unwrap_err();
}

/// Both have closed: nothing reaches the client any more, and no reset will ever tell that it is gone.
#[test]
fn who_goes_on_for_a_client_that_has_left_is_told_to_end() {
    for deaf in ["", "trap '' TERM;"] {
        let script = format!("{deaf} sleep 1000 >/dev/null & echo $!; echo $$; exec >&-; while :; do wait; done");
        let server = Server::sh_with(&script, |options| options.kill_after = Duration::from_millis(100));
        let (mut client, processes) = client_of(&server);
        assert_eq!(read_all(&mut client), b"", "it has nothing more to say");
        assert_alive(&processes);
        drop(client);
        assert_dead(&processes);
        server.ended().unwrap();
    }
}

#[test]
fn where_nothing_moves_it_is_killed() {
    let idle = Duration::from_millis(400);
    for sending_ends in [false, true] {
        let server = Server::sh_with(&format!("{WITH_CHILD} wait"), |options| options.idle = idle);
        let began = Instant::now();
        let (mut client, processes) = client_of(&server);
        if sending_ends {
            client.shutdown(Shutdown::Write).unwrap();
        }
        assert_eq!(read_all(&mut client), b"");
        assert!(began.elapsed() >= idle);
        assert_dead(&processes);
        server.ended().expect("that is no failure of the client's");
        let log = server.log();
        assert!(log.len() == 1 && log[0].has("event=idle"), "{log:?}");
        assert!(log[0].text.ends_with("sh: nothing has moved for 400ms; it is killed"), "{log:?}");
    }
}

/// What moves in one direction only is no idleness.
#[test]
fn whatever_moves_keeps_it_alive() {
    let idle = Duration::from_millis(600);
    let talks = Server::sh_with("for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.2; done", |options| options.idle = idle);
    let listens = Server::sh_with("cat >&2; echo done", |options| options.idle = idle);
    let (mut hears, mut sends) = (talks.connect(), listens.connect());
    let mut heard = Vec::new();
    while let Ok(1) = hears.read(&mut [0]) {
        heard.push(());
        // In time with the program that talks.
        sends.write_all(b"x\n").unwrap();
    }
    assert_eq!(heard.len(), 16);
    sends.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut sends), b"done\n");
}

/// A client that does not read what there is for it has that long as well.
#[test]
fn who_never_reads_is_given_up() {
    let idle = Duration::from_millis(400);
    let server = Server::sh_with("echo $$; exec yes", |options| options.idle = idle);
    let mut client = server.connect();
    let process = watch(&read_line(&mut client));
    assert_dead(&[process]);
    server.ended().unwrap();
}

#[test]
fn a_drain_asks_and_the_answer_arrives() {
    let server = Server::sh("trap 'echo bye; exit 0' TERM; echo $$; while :; do sleep 0.01; done");
    let mut client = server.connect();
    let process = watch(&read_line(&mut client));
    server.drain();
    assert_eq!(read_all(&mut client), b"bye\n");
    assert_dead(&[process]);
    drop(client);
    server.ended().unwrap();
    // What a shell says of its child is no record of ours.
    assert!(server.log().iter().all(|line| line.has("event=stderr")), "{:?}", server.log());
}

/// A program that knows no signals sees the end of its input.
#[test]
fn a_drain_is_the_end_of_input() {
    let server = Server::sh("trap '' TERM; echo ready; cat; echo bye");
    let mut client = server.connect();
    assert_eq!(read_line(&mut client), "ready");
    server.drain();
    assert_eq!(read_all(&mut client), b"bye\n");
    drop(client);
    server.ended().unwrap();
}

#[test]
fn who_does_not_end_is_killed() {
    let deaf = format!("trap '' TERM; {WITH_CHILD} while :; do sleep 0.01; done");
    let kill_after = Duration::from_millis(300);
    let server = Server::sh_with(&deaf, |options| options.kill_after = kill_after);
    let (mut client, processes) = client_of(&server);
    let began = Instant::now();
    server.drain();
    assert_eq!(read_all(&mut client), b"");
    assert!(began.elapsed() >= kill_after);
    assert_dead(&processes);
    drop(client);
    server.ended().unwrap();
    let log = server.log();
    assert!(log.len() == 1 && log[0].has("event=killed"), "{log:?}");
}

/// Even if it says something all the time, and there is always somebody who reads it.
#[test]
fn who_talks_without_end_is_killed() {
    let kill_after = Duration::from_millis(300);
    let server = Server::sh_with("trap '' TERM; echo $$; yes", |options| options.kill_after = kill_after);
    let mut client = server.connect();
    let process = watch(&read_line(&mut client));
    server.drain();
    let read = std::io::copy(&mut client, &mut std::io::sink()).expect("an end in order");
    assert!(read > 0);
    assert_dead(&[process]);
}

#[test]
fn the_end_of_the_server_waits_for_nobody() {
    let deaf = format!("trap '' TERM; {WITH_CHILD} while :; do sleep 0.01; done");
    let server = Server::sh_with(&deaf, |options| options.kill_after = Duration::from_secs(3600));
    let (mut client, processes) = client_of(&server);
    server.drain();
    assert_alive(&processes);
    server.end();
    assert_eq!(read_all(&mut client), b"");
    assert_dead(&processes);
}

#[test]
fn what_a_program_leaves_behind_is_killed() {
    for script in ["sleep 1000 & echo $!; echo $$", "sleep 1000 >/dev/null 2>&1 </dev/null & echo $!; echo $$"] {
        let server = Server::sh(script);
        let mut client = server.connect();
        let left = watch(&read_line(&mut client));
        read_line(&mut client);
        assert_eq!(read_all(&mut client), b"", "the connection is over, whoever still holds it");
        assert_dead(&[left]);
        drop(client);
        server.ended().unwrap();
    }
}

/// What ends a moment after the program has something to say is heard out.
#[test]
fn a_filter_before_the_output_is_heard_out() {
    let server = Server::sh("exec 3<&0; (read line; sleep 0.1; echo filtered $line) <&3 & exit 0");
    assert_eq!(server.answer(b"text\n"), b"filtered text\n");
}

/// Client and program have closed in order, and nobody is in a hurry.
#[test]
fn what_is_done_after_the_answer_is_not_cut_short() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("done");
    let server = Server::sh(&format!("echo answer; exec >&- <&- 2>&-; sleep 0.3; echo done > {}", file.display()));
    let mut client = server.connect();
    assert_eq!(read_all(&mut client), b"answer\n");
    drop(client);
    server.ended().expect("in order");
    assert_eq!(std::fs::read(&file).expect("it was written"), b"done\n");
}

/// Who has made a session of its own is nobody's any more; the connection does not wait for it.
#[test]
fn who_has_left_the_group_holds_nothing_up() {
    let server = Server::sh("setsid sh -c 'echo $$; exec sleep 1000' & sleep 0.2; exit 0");
    let mut client = server.connect();
    let number = read_line(&mut client);
    let escaped = watch(&number);
    assert_eq!(read_all(&mut client), b"");
    assert_alive(&[escaped]);
    let pid = rustix::process::Pid::from_raw(number.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn a_dropped_session_kills_its_program() {
    let server = Server::sh(&format!("{WITH_CHILD} wait"));
    let (_client, processes) = client_of(&server);
    let _other = server.connect();
    server.drop_sessions();
    assert_dead(&processes);
}

/// Whether a process is there, if only as a zombie.
fn exists(number: &str) -> bool {
    Path::new("/proc").join(number).exists()
}

#[test]
fn no_zombies_stay() {
    let server = Server::sh("echo $$; read line");
    let mut numbers = Vec::new();
    for way in 0..50 {
        let mut client = server.connect();
        numbers.push(read_line(&mut client));
        match way % 3 {
            0 => reset(client),
            1 => {
                client.write_all(b"\n").unwrap();
                assert_eq!(read_all(&mut client), b"");
            }
            // Until the sessions are dropped.
            _ => std::mem::forget(client),
        }
    }
    server.drop_sessions();
    eventually("all have been reaped", || !numbers.iter().any(|number| exists(number)));
}

#[test]
fn a_thousand_that_end_at_once() {
    let server = Server::sh("echo $GFTP_PEER_PORT");
    for batch in 0..20 {
        let clients: Vec<_> = (0..50).map(|_| server.connect()).collect();
        for mut client in clients {
            let port = client.local_addr().unwrap().port();
            assert_eq!(read_all(&mut client), format!("{port}\n").into_bytes(), "in batch {batch}");
        }
    }
    for _ in 0..1000 {
        server.ended().expect("in order");
    }
}
