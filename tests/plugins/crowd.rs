//! One process, four services, two thousand connections: each service keeps its promises to each of its own, and the end
//! is in order for all.

use std::net::{SocketAddr, TcpStream};

use rustix::process::Signal;

use super::{Lines, addresses};
use crate::abuse::siege::has_descriptors;
use crate::clients::{make_content, skip};
use crate::dialogue::client::{Control, read_all};
use crate::server::{Place, Server};

/// Connections to each of the four.
const EACH: usize = 500;
/// Threads that play them.
const PLAYERS: usize = 10;
/// Seconds that each clock must tell, so that every client is awaited beside all the others.
const TICKS: usize = 3;

/// Who is connected, in the state that its test has brought it to.
struct Crowd {
    ftp: Vec<Control>,
    shouts: Vec<(usize, Lines)>,
    clocks: Vec<Lines>,
}

/// Seconds of the day of an `HH:MM:SS`.
fn seconds(line: &str) -> u32 {
    let parts: Vec<u32> = line.split(':').map(|part| part.parse().expect("a number")).collect();
    assert!(line.len() == 8 && parts.len() == 3, "{line:?} is no time");
    parts[0] * 3600 + parts[1] * 60 + parts[2]
}

/// Plays `EACH / PLAYERS` of each kind.
fn play(player: usize, ftp: SocketAddr, reverb: SocketAddr, clocks: [SocketAddr; 2], content: &[u8]) -> Crowd {
    let numbers = (player * EACH / PLAYERS)..((player + 1) * EACH / PLAYERS);
    let mut crowd = Crowd { ftp: Vec::new(), shouts: Vec::new(), clocks: Vec::new() };
    // All are there before anything is asked for.
    for number in numbers {
        crowd.ftp.push(Control::greeted(ftp).expect("a greeting"));
        crowd.shouts.push((number, Lines::connect(reverb)));
        crowd.clocks.extend(clocks.map(Lines::connect));
    }
    crowd.shouts.iter_mut().for_each(|(number, shout)| shout.say(&format!("Shout {number}\n")));
    for control in &mut crowd.ftp {
        for (line, code) in [("USER anonymous", 331), ("PASS x", 230), ("TYPE I", 200)] {
            control.tell(line, code).expect(line);
        }
        let mut data = control.passive().expect("a port");
        control.tell("RETR file", 150).expect("a download");
        assert_eq!(read_all(&mut data).expect("its bytes"), content);
        control.expect(226).expect("its end");
    }
    for (number, shout) in &mut crowd.shouts {
        let echoes = [shout.line(), shout.line(), shout.line()];
        assert_eq!(echoes, [format!("\t SHOUT {number}"), format!("\t Shout {number}"), format!("\t shout {number}")]);
    }
    for clock in &mut crowd.clocks {
        let told: Vec<_> = (0..=TICKS).map(|_| seconds(&clock.line())).collect();
        // A second may be missed on a busy machine, but none is told twice or late.
        assert!(told.windows(2).all(|pair| (1..60).contains(&((pair[1] + 86_400 - pair[0]) % 86_400))), "{told:?}");
    }
    crowd
}

#[test]
fn two_thousand_connections_to_four_services_and_their_end() {
    if !has_descriptors() {
        skip("the open-file limit cannot be raised");
        return;
    }
    let place = Place::in_memory();
    let content = make_content(7, 4096);
    std::fs::write(place.root().join("file"), &content).unwrap();
    let room = ["--max-sessions", "2100", "--max-per-ip", "2100", "--grace", "60s"];
    let clocks = ["--plugin", "clock", "--port", "0", "--tz", "Asia/Tokyo", "--plugin", "clock", "--port", "0"];
    let reverb = ["--tz", "UTC", "--plugin", "reverb", "--port", "0", "--delay", "500ms", "--idle", "1h"];
    let mut server = Server::told_on(place, &[&room[..], &clocks, &reverb].concat());
    let ftp = server.address();
    let reverb = addresses(&server, "reverb", 1)[0];
    let clocks: [SocketAddr; 2] = addresses(&server, "clock", 2).try_into().expect("two clocks");
    let mut crowd: Vec<Crowd> = std::thread::scope(|scope| {
        let content = &content;
        let players = (0..PLAYERS).map(|player| scope.spawn(move || play(player, ftp, reverb, clocks, content)));
        let players: Vec<_> = players.collect();
        players.into_iter().map(|player| player.join().expect("every promise is kept")).collect()
    });
    assert!(server.descriptors() > 4 * EACH, "they are not all here at once");
    // A last shout is owed two more echoes when the end begins.
    for (number, shout) in crowd.iter_mut().flat_map(|crowd| &mut crowd.shouts) {
        shout.say(&format!("Bye {number}\n"));
        assert_eq!(shout.line(), format!("\t BYE {number}"));
    }
    server.signal(Signal::TERM);
    for crowd in &mut crowd {
        crowd.ftp.iter_mut().for_each(|control| drop(control.expect(421).expect("FTP says goodbye")));
        for (number, shout) in &mut crowd.shouts {
            let rest = shout.rest();
            assert!(rest.ends_with(&format!("\t bye {number}\n")), "owed to {number}: {rest:?}");
        }
        crowd.clocks.iter_mut().for_each(|clock| drop(clock.rest()));
    }
    assert!(TcpStream::connect(ftp).is_err(), "somebody new is let in");
    let log = server.log();
    let (_, code) = server.ended();
    assert_eq!(code, Some(0), "{log}");
}
