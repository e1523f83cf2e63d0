//! Clients that do the same at the same time: each gets its own, whole, and nothing is lost between them.

use std::fs::{self, File};
use std::io::Write;
use std::time::Instant;

use super::{assert_serves, eventually, guest};
use crate::clients::make_content;
use crate::dialogue::client::{Control, PATIENCE, read_all, read_by, reset, send_all};
use crate::server::{PASSWORD, Place, Server, USER};

#[test]
fn sixteen_clients_go_up_and_down_at_once() {
    const CLIENTS: u64 = 16;
    const ROUNDS: u64 = 5;
    let server = Server::with_account();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let server = &server;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    // Below, at and above the sizes of the server's buffers.
                    let content = make_content(client << 8 | round, 300_000 + 65_536 * (client + round) as usize);
                    let mut control = Control::greeted(server.address()).unwrap();
                    control.tell(&format!("USER {USER}"), 331).unwrap();
                    control.tell(&format!("PASS {PASSWORD}"), 230).unwrap();
                    control.tell("TYPE I", 200).unwrap();
                    let name = format!("client {client}");
                    let data = control.passive().unwrap();
                    control.tell(&format!("STOR {name}"), 150).unwrap();
                    send_all(data, &content).unwrap();
                    control.expect(226).unwrap();
                    let mut data = control.passive().unwrap();
                    control.tell(&format!("RETR {name}"), 150).unwrap();
                    assert!(read_all(&mut data).unwrap() == content, "{name} got something else in round {round}");
                    control.expect(226).unwrap();
                    assert!(fs::read(server.root().join(&name)).unwrap() == content, "{name} is not on the disk");
                }
            });
        }
    });
}

/// Everyone may append to a log: who was overtaken is told so (450) and tries again, and no line is lost or torn.
#[test]
fn eight_clients_append_to_one_file() {
    const CLIENTS: usize = 8;
    const LINES: usize = 20;
    let server = Server::start(&[]);
    let line = |client: usize, number: usize| format!("{client} {number} {}\n", "x".repeat(client * 997));
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let server = &server;
            scope.spawn(move || {
                let mut control = guest(server);
                for number in 0..LINES {
                    append(&mut control, line(client, number).as_bytes());
                }
            });
        }
    });
    let written = fs::read_to_string(server.root().join("log")).unwrap();
    let mut next = [0; CLIENTS];
    for found in written.split_inclusive('\n') {
        let client: usize = found.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(found, line(client, next[client]), "a line is torn, doubled or out of order");
        next[client] += 1;
    }
    assert_eq!(next, [LINES; CLIENTS], "lines are lost");
    assert_eq!(fs::read_dir(server.root()).unwrap().count(), 1, "something is left of those who were overtaken");
}

/// Appends to "log", again and again until nobody comes between.
fn append(control: &mut Control, bytes: &[u8]) {
    let deadline = Instant::now() + 3 * PATIENCE;
    loop {
        let data = control.passive().unwrap();
        let opening = control.ask("APPE log").unwrap();
        let reply = if opening.code == 150 {
            send_all(data, bytes).unwrap();
            control.reply().unwrap()
        } else {
            opening
        };
        match reply.code {
            226 => return,
            450 => assert!(Instant::now() < deadline, "an append is always overtaken"),
            _ => panic!("{}", reply.shown()),
        }
    }
}

/// A listing of many names is a long task, and one of many: nobody else waits for it, and it is cut nowhere.
#[test]
fn a_hundred_thousand_names_are_listed_while_others_are_served() {
    const NAMES: usize = 100_000;
    let server = Server::start_on(Place::in_memory(), &[]);
    let folder = server.root().join("many");
    fs::create_dir(&folder).unwrap();
    for number in 0..NAMES {
        File::create(folder.join(format!("{number:06}"))).unwrap();
    }
    for command in ["LIST many", "MLSD many", "NLST many"] {
        let mut control = guest(&server);
        let mut data = control.passive().unwrap();
        control.tell(command, 150).unwrap();
        read_by(&mut data, &mut [0], Instant::now() + PATIENCE).unwrap();
        // Its client does not read on, so it stands in the middle.
        for _ in 0..20 {
            assert_serves(&server);
        }
        let listing = String::from_utf8(read_all(&mut data).unwrap()).unwrap();
        control.expect(226).unwrap();
        let mut names: Vec<usize> =
            listing.lines().filter_map(|line| line.rsplit([' ', '/']).next()?.parse().ok()).collect();
        // In runs of some thousands, each in order.
        names.sort_unstable();
        assert!(names.into_iter().eq(0..NAMES), "{command} is not complete");
        assert_eq!(listing.lines().count(), NAMES, "{command} has a line too many");
    }
}

/// Goodbyes, resets and hang-ups in the middle of transfers give everything back.
#[test]
fn who_leaves_in_mid_transfer_leaves_nothing_behind() {
    let server = Server::start(&[]);
    File::create(server.root().join("big")).unwrap().set_len(50_000_000).unwrap();
    assert_serves(&server);
    let before = server.descriptors();
    for number in 0..60 {
        let mut control = guest(&server);
        let mut data = control.passive().unwrap();
        let verb = ["RETR big", "STOR up"][number % 2];
        control.tell(verb, 150).unwrap();
        if number % 2 == 1 {
            data.write_all(b"x").unwrap();
        }
        match number % 3 {
            0 => {
                control.say("QUIT").unwrap();
                drop(data);
                while control.reply().unwrap().code != 221 {}
                control.closed().unwrap();
            }
            1 => reset(data).unwrap(),
            _ => drop(control),
        }
    }
    // A few ports for data stay open for those who come next, and what came of the upload is kept: its file and folder.
    eventually("descriptors are given back", || server.descriptors() <= before + 8 + 2);
    assert_serves(&server);
}
