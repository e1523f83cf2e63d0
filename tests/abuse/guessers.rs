//! Two hundred wrong logins a second, for as long as it takes: whoever has the right password is in as if nothing were.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::dialogue::client::{Control, Outcome, PATIENCE, read_all};
use crate::server::{PASSWORD, Server, USER};

/// Logins tried in a second, and for how long.
const A_SECOND: u32 = 200;
const SECONDS: u32 = 5;
/// Threads that try them, each of an address of its own.
const GUESSERS: u32 = 20;
/// What an honest login may take beside that, nine times of ten: the first may wait for a hash of each address, and the
/// machine may be busy with other tests.
const UNHARMED: Duration = Duration::from_secs(1);

/// One login with a wrong password, all in one packet; whatever comes of it.
fn guess(from: [u8; 4], number: u32, to: SocketAddr) -> Option<Vec<u8>> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
    socket.bind(&SocketAddr::from((from, 0)).into()).ok()?;
    socket.connect_timeout(&to.into(), PATIENCE).ok()?;
    let mut stream = std::net::TcpStream::from(socket);
    write!(stream, "USER {USER}\r\nPASS guess {number}\r\nQUIT\r\n").ok()?;
    read_all(&mut stream).ok()
}

fn log_in(from: [u8; 4], to: SocketAddr) -> Outcome<Duration> {
    let began = Instant::now();
    let mut control = Control::over(super::connect_from(from, to))?;
    control.expect(220)?;
    control.tell(&format!("USER {USER}"), 331)?;
    control.tell(&format!("PASS {PASSWORD}"), 230)?;
    Ok(began.elapsed())
}

#[test]
fn two_hundred_wrong_logins_a_second_harm_no_honest_login() {
    let server = Server::told(&["--anonymous", "off", "--user", USER, "--ban-exempt", "none", "--log-level", "warn"]);
    let to = server.address();
    let (tried, looked_at, over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let mut honest = Vec::new();
    std::thread::scope(|scope| {
        for guesser in 0..GUESSERS {
            let (tried, looked_at, over) = (&tried, &looked_at, &over);
            scope.spawn(move || {
                let began = Instant::now();
                for number in 0..A_SECOND * SECONDS / GUESSERS {
                    std::thread::park_timeout(
                        (GUESSERS * number * Duration::from_secs(1) / A_SECOND).saturating_sub(began.elapsed()),
                    );
                    let answer = guess([127, 0, 20, 1 + guesser as u8], guesser * 1000 + number, to);
                    tried.fetch_add(1, Ordering::Relaxed);
                    let is_wrong = answer.is_some_and(|answer| answer.windows(4).any(|four| four == b"530 "));
                    looked_at.fetch_add(usize::from(is_wrong), Ordering::Relaxed);
                }
                over.store(true, Ordering::Relaxed);
            });
        }
        // Each from another address, so that the first of them has not logged in before.
        for visit in 0..250 {
            honest.push(log_in([127, 0, 21, 1 + visit], to));
            if over.load(Ordering::Relaxed) {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let (tried, looked_at) = (tried.into_inner(), looked_at.into_inner());
    assert_eq!(tried as u32, A_SECOND * SECONDS);
    assert!(honest.iter().all(Result::is_ok), "{honest:?}");
    let harmed = honest.iter().flatten().filter(|took| **took >= UNHARMED).count();
    assert!(harmed * 10 <= honest.len(), "{harmed} of {} were held up: {honest:?}", honest.len());
    // Twenty for each address would be four hundred; but they are of one network, which has a hundred and sixty.
    assert!(looked_at <= 200, "{looked_at} of {tried} guesses were looked at");
    assert!(server.log().contains("banned 127.0.20.0/24 until"), "{}", server.log());
    println!("{looked_at} of {tried} guesses were looked at; honest logins took {honest:?}");
}
