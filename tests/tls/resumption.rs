//! Whose a data connection is: one that resumes its control connection's TLS session belongs to it, and nobody else can.

use std::sync::Arc;

use super::client::{BOTH, Client, Sticky, TLS12, TLS13, config, handshake, is_resumed, read_all, send_all};
use super::server;
use crate::abuse::eventually;

/// In both versions data connections resume, as often as the client has something to show.
#[test]
fn data_connections_resume_the_session_of_the_control_connection() {
    for resume in ["prefer", "require"] {
        let server = server(&["--tls-resume", resume]);
        for version in BOTH {
            let store = Arc::new(Sticky::default());
            let mut client = Client::ready(&server, &config(&[version], Some(Arc::clone(&store))));
            let times = if version.version == TLS13.version { store.tickets() } else { 20 };
            assert!(times > 1, "two tickets come with the first words in TLS 1.3");
            for number in 0..times {
                let data = client.data_tls();
                assert!(is_resumed(&data), "data connection {number} of {version:?} did not resume");
                client.tell("STOR f", 150);
                send_all(data, b"content").unwrap();
                client.expect(226);
            }
            if version.version == TLS13.version {
                // A client that does not read a ticket resets its connection when it closes: none comes but here.
                assert_eq!(store.tickets(), 0, "tickets come on the control connection only");
            }
        }
        assert!(!server.log().contains("does not resume"), "{}", server.log());
    }
}

/// A client that shows each ticket once has two, and goes on without.
#[test]
fn clients_without_tickets_are_taken_and_noted_once() {
    let server = server(&[]);
    for version in BOTH {
        let mut client = Client::ready(&server, &config(&[version], None));
        for _ in 0..3 {
            let data = client.data_tls();
            assert!(!is_resumed(&data));
            client.tell("STOR f", 150);
            send_all(data, b"content").unwrap();
            client.expect(226);
        }
    }
    eventually("both are noted", || server.log().matches("does not resume TLS").count() >= 2);
    assert_eq!(server.log().matches("does not resume TLS").count(), 2, "once a session:\n{}", server.log());
}

#[test]
fn a_ticket_of_another_session_is_worth_nothing() {
    for (resume, code) in [("prefer", 226), ("require", 522)] {
        let server = server(&["--tls-resume", resume]);
        for version in BOTH {
            let mine = config(&[version], Some(Arc::default()));
            let mut other = Client::ready(&server, &mine);
            let mut client = Client::ready(&server, &config(&[version], None));
            let mut data = handshake(client.data(), &mine).unwrap();
            assert!(!is_resumed(&data), "{version:?}: it opened another session's data connection");
            client.tell("NLST", 150);
            client.expect(code);
            if code == 226 {
                read_all(&mut data).unwrap();
            }
            // It is still good for its own.
            assert!(is_resumed(&other.data_tls()));
        }
    }
}

#[test]
fn who_must_resume_and_does_not_is_told_so() {
    let server = server(&["--tls-resume", "require"]);
    for version in BOTH {
        let mut client = Client::ready(&server, &config(&[version], None));
        for (command, made) in [("STOR f", "f"), ("NLST", "f")] {
            let data = client.data_tls();
            client.tell(command, 150);
            let refusal = client.expect(522);
            assert!(refusal.shown().contains("resume"), "{}", refusal.shown());
            drop(data);
            assert!(!server.root().join(made).exists());
        }
    }
}

#[test]
fn nothing_is_resumed_where_that_is_off() {
    let server = server(&["--tls-resume", "off"]);
    for version in [&TLS12, &TLS13] {
        let store = Arc::new(Sticky::default());
        let mut client = Client::ready(&server, &config(&[version], Some(Arc::clone(&store))));
        client.put("f", b"x");
        assert!(!is_resumed(&client.data_tls()));
        assert_eq!(store.tickets(), 0);
    }
    assert!(!server.log().contains("does not resume"));
}

/// Neither a session's tickets nor its keys outlive it.
#[test]
fn a_ticket_of_a_session_that_has_ended_is_worth_nothing() {
    let server = server(&[]);
    for version in BOTH {
        let mine = config(&[version], Some(Arc::default()));
        let mut client = Client::ready(&server, &mine);
        client.tell("QUIT", 221);
        drop(client);
        let mut client = Client::secure(&server, &mine);
        assert!(!is_resumed(client.tls()));
    }
}
