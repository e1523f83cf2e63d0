//! Caps of bandwidth hold through TLS as without it, on each road.

use std::fs;
use std::io::Write;
use std::thread::scope;
use std::time::Instant;

use super::client::{Client, read_all, send_all, sticky};
use crate::bandwidth::{MIB, assert_takes, content};

#[test]
fn caps_hold_through_tls() {
    let server = super::server(&["--session-download", "1 MiB/s", "--session-upload", "1 MiB/s"]);
    let content = content(3 * MIB / 2);
    fs::write(server.root().join("f"), &content).unwrap();
    scope(|scope| {
        for (number, settings) in (0..).zip([&["TYPE I"][..], &["TYPE A"], &["MODE Z"]]) {
            let (server, content) = (&server, &content);
            scope.spawn(move || {
                let mut client = Client::ready(server, &sticky());
                settings.iter().for_each(|setting| drop(client.tell(setting, 200)));
                let mut data = client.data_tls();
                let begin = Instant::now();
                client.tell("RETR f", 150);
                let sent = read_all(&mut data).unwrap();
                client.expect(226);
                assert_takes(begin.elapsed(), sent.len(), MIB);
                // What came goes back as it is.
                let data = client.data_tls();
                let begin = Instant::now();
                client.tell(&format!("STOR up{number}"), 150);
                send_all(data, &sent).unwrap();
                client.expect(226);
                assert_takes(begin.elapsed(), sent.len(), MIB);
                assert!(fs::read(server.root().join(format!("up{number}"))).unwrap() == *content, "{settings:?}");
            });
        }
    });
}

/// A record comes whole or not at all, though the cap allows less.
#[test]
fn slow_caps_hold_through_tls_and_end_at_once() {
    let server = super::server(&["--session-upload", "8 KiB/s", "--session-download", "8 KiB/s", "--stall", "1s"]);
    let content = content(48 * 1024);
    fs::write(server.root().join("f"), &content).unwrap();
    scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::ready(&server, &sticky());
            let begin = Instant::now();
            client.put("up", &content);
            // The burst of 16 KiB, a record and a grant apart.
            assert!(begin.elapsed().as_secs_f64() > (48 - 16 - 16 - 8) as f64 / 8.0 - 0.2, "{:?}", begin.elapsed());
        });
        for command in ["RETR f", "STOR aborted"] {
            let (server, content) = (&server, &content);
            scope.spawn(move || {
                let mut client = Client::ready(server, &sticky());
                let mut data = client.data_tls();
                client.tell(command, 150);
                if command != "RETR f" {
                    data.write_all(&content[..10 * 1024]).unwrap();
                }
                client.tell("STAT", 211);
                client.say("ABOR");
                client.expect(426);
                client.expect(226);
            });
        }
    });
    assert!(fs::read(server.root().join("up")).unwrap() == content);
}

/// A listing keeps to its cap, and asks for no part of it where it sends nothing: the next one comes after minutes here.
#[test]
fn listings_keep_to_a_cap_and_empty_ones_need_none() {
    let list = |client: &mut Client, command: &str| {
        let mut data = client.data_tls();
        let begin = Instant::now();
        client.tell(command, 150);
        let listing = read_all(&mut data).unwrap();
        client.expect(226);
        (listing, begin.elapsed())
    };
    let server = super::server(&["--session-download", "1 MiB/s"]);
    for number in 0..6_000 {
        fs::write(server.root().join(format!("{number}-{}", "x".repeat(200))), b"").unwrap();
    }
    let (names, took) = list(&mut Client::ready(&server, &sticky()), "NLST");
    assert_eq!(names.iter().filter(|byte| **byte == b'\n').count(), 6_000);
    assert_takes(took, names.len(), MIB);

    let server = super::server(&["--session-download", "10 B/s"]);
    // All that may go at once, and most of what may go next, which is to be waited for.
    fs::write(server.root().join("f"), content(16 * 1024 + 1000)).unwrap();
    fs::create_dir(server.root().join("empty")).unwrap();
    let mut client = Client::ready(&server, &sticky());
    client.get("f");
    for verb in ["LIST", "MLSD", "NLST"] {
        assert_eq!(list(&mut client, &format!("{verb} empty")).0, b"", "{verb}");
    }
}
