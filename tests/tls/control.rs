//! The control connection: how TLS begins and ends, and what is refused without it.

use std::fs;

use super::client::{BOTH, Client, TLS13, config, send_all, sticky};
use super::{implicit_address, server};
use crate::abuse::eventually;
use crate::dialogue::client::Control;
use crate::server::{PASSWORD, Server, USER};

/// pyftpdlib_auth_tls (and CVE-2011-0411): what somebody in between puts behind AUTH TLS would be executed as the client's.
#[test]
fn what_is_sent_ahead_of_tls_is_never_executed() {
    let server = server(&[]);
    for version in BOTH {
        let mut client = Client::plain(server.address(), &config(&[version], None));
        client.send(format!("AUTH TLS\r\nUSER {USER}\r\nSYST\r\nNO").as_bytes());
        client.expect(234);
        client.begin_tls();
        // An answer to anything else would come first.
        client.tell("NOOP", 200);
        client.tell(&format!("PASS {PASSWORD}"), 503);
        client.tell("QUIT", 221);
        client.closed();
    }
}

/// The same where the commands were heard during a transfer, and wait for its end.
#[test]
fn what_waits_behind_auth_tls_is_never_executed() {
    let server = server(&[]);
    let mut client = Client::plain(server.address(), &sticky());
    client.log_in();
    let data = client.data();
    client.tell("STOR up", 150);
    client.send(b"AUTH TLS\r\nSYST\r\nMKD evil\r\n");
    crate::dialogue::client::send_all(data, b"content").unwrap();
    client.expect(226);
    client.expect(234);
    client.begin_tls();
    client.tell("NOOP", 200);
    assert!(!server.root().join("evil").exists());
}

#[test]
fn nobody_logs_in_without_tls_where_it_is_required() {
    for need in ["required", "data-required"] {
        let server = server(&["--tls", need]);
        let mut client = Client::plain(server.address(), &sticky());
        let refusal = client.tell(&format!("USER {USER}"), 530);
        assert!(refusal.shown().contains("AUTH TLS"), "{}", refusal.shown());
        client.tell(&format!("PASS {PASSWORD}"), 530);
        client.tell("USER anonymous", 530);
        client.tell("PASV", 530);
        client.tell("AUTH TLS", 234);
        client.begin_tls();
        client.log_in();
        let data = client.data();
        if need == "required" {
            client.tell("NLST", 150);
            assert_eq!(crate::dialogue::client::read_all(&mut { data }).unwrap(), b"");
            client.expect(226);
        } else {
            for command in ["NLST", "LIST", "MLSD", "RETR f", "STOR f", "STOU", "APPE f"] {
                client.tell(command, 521);
            }
            client.tell("PBSZ 0", 200);
            client.tell("PROT C", 534);
            client.tell("PROT P", 200);
            assert_eq!(client.put("f", b"x").code, 226);
        }
    }
}

/// Visitors too.
#[test]
fn anonymous_visitors_need_tls_where_it_is_required() {
    let server = super::server_on(crate::server::Place::new(), &["--anonymous", "write", "--tls", "required"]);
    let mut client = Client::plain(server.address(), &sticky());
    client.tell("USER anonymous", 530);
    client.tell("AUTH TLS", 234);
    client.begin_tls();
    client.tell("USER anonymous", 331);
    client.tell("PASS guest", 230);
    client.tell("PBSZ 0", 200);
    client.tell("PROT P", 200);
    client.put("f", b"x");
}

#[test]
fn a_server_without_tls_says_so() {
    let server = Server::with_account();
    let mut control = Control::greeted(server.address()).unwrap();
    for command in ["AUTH TLS", "AUTH SSL"] {
        control.tell(command, 502).unwrap();
    }
    control.tell("PBSZ 0", 503).unwrap();
    control.tell("PROT P", 503).unwrap();
    control.tell("CCC", 533).unwrap();
    let features = control.tell("FEAT", 211).unwrap().shown();
    assert!(!features.contains("AUTH") && !features.contains("PROT") && !features.contains("CCC"), "{features}");
}

/// RFC 4217 and RFC 2228, command by command.
#[test]
fn the_commands_of_tls_in_and_out_of_order() {
    let server = server(&[]);
    let mut client = Client::plain(server.address(), &sticky());
    let features = client.tell("FEAT", 211).shown();
    for line in ["AUTH TLS", "PBSZ", "PROT"] {
        assert!(features.contains(line), "{features}");
    }
    for (command, code) in
        [("PBSZ 0", 503), ("PROT P", 503), ("CCC", 533), ("AUTH GSSAPI", 504), ("AUTH", 501), ("AUTH tls", 234)]
    {
        client.tell(command, code);
    }
    client.begin_tls();
    for (command, code) in [
        ("AUTH TLS", 503),
        ("PROT P", 503),
        ("PBSZ many", 501),
        ("PBSZ 16384", 200),
        ("PROT S", 536),
        ("PROT E", 536),
        ("PROT X", 504),
        ("PROT p", 200),
        ("PROT C", 200),
        ("CCC", 534),
    ] {
        client.tell(command, code);
    }
    client.log_in();
    let status = client.tell("STAT", 211).shown();
    assert!(status.contains("TLSv1.3, TLS13_AES_128_GCM_SHA256"), "{status}");
    eventually("it is logged", || server.log().contains("speaks TLSv1.3, TLS13_AES_128_GCM_SHA256"));
}

/// AUTH SSL, of drafts before the RFC, protects the data too.
#[test]
fn auth_ssl_protects_data_without_prot() {
    let server = server(&[]);
    let mut client = Client::plain(server.address(), &sticky());
    client.tell("AUTH SSL", 234);
    client.begin_tls();
    client.log_in();
    client.put("f", b"content");
    assert_eq!(fs::read(server.root().join("f")).unwrap(), b"content");
}

/// RFC 4217 §4: who was logged in without protection has to say so again.
#[test]
fn auth_ends_a_login() {
    let server = server(&[]);
    let mut client = Client::plain(server.address(), &sticky());
    client.log_in();
    client.tell("MKD d", 257);
    client.tell("CWD d", 250);
    client.tell("AUTH TLS", 234);
    client.begin_tls();
    client.tell("PWD", 530);
    client.log_in();
    assert!(client.tell("PWD", 257).text().starts_with(b"\"/\""));
    // USER begins a login anew, and leaves TLS as it is.
    client.tell(&format!("USER {USER}"), 331);
    client.tell("PWD", 530);
    client.tell(&format!("PASS {PASSWORD}"), 230);
}

/// RFC 4217 §11: REIN ends TLS, and another may begin.
#[test]
fn rein_ends_tls() {
    let server = server(&["--tls", "required"]);
    let mut client = Client::ready(&server, &sticky());
    client.tell("REIN", 220);
    client.end_tls();
    client.tell("PWD", 530);
    client.tell(&format!("USER {USER}"), 530);
    client.tell("AUTH TLS", 234);
    client.begin_tls();
    client.log_in();
    // PROT went with it.
    client.tell("PROT P", 503);
    client.tell("PWD", 257);
}

/// pureftpd_ccc: the session hung behind it.
#[test]
fn ccc_goes_back_to_plain_text_where_it_is_allowed() {
    let server = server(&["--tls-ccc", "--tls", "data-required"]);
    for version in BOTH {
        let mut client = Client::ready(&server, &config(&[version], Some(Default::default())));
        assert!(client.tell("FEAT", 211).shown().contains("CCC"));
        client.tell("CCC", 200);
        client.end_tls();
        client.tell("NOOP", 200);
        client.tell("CCC", 533);
        // Data connections go on as they were.
        client.put("f", b"content");
        assert_eq!(client.get("f"), b"content");
        client.tell(&format!("USER {USER}"), 530);
        client.tell("QUIT", 221);
        client.closed();
    }
}

/// REIN forgets the TLS that CCC has ended: what comes is another user's, and nothing of the first protects his data.
#[test]
fn rein_behind_ccc_forgets_tls() {
    let server = server(&["--tls-ccc"]);
    let mut client = Client::ready(&server, &sticky());
    client.tell("CCC", 200);
    client.end_tls();
    client.tell("REIN", 220);
    client.tell("PBSZ 0", 503);
    client.tell("PROT P", 503);
    client.tell("AUTH TLS", 234);
    client.begin_tls();
    client.log_in();
    client.tell("PBSZ 0", 200);
    client.tell("PROT P", 200);
    client.put("f", b"content");
}

#[test]
fn tls_comes_first_on_a_port_of_its_own() {
    let server = server(&["--tls", "data-required", "--implicit-port", "0"]);
    let at = implicit_address(&server);
    for version in BOTH {
        let mut client = Client::implicit(at, &config(&[version], Some(Default::default())));
        client.log_in();
        client.tell("TYPE I", 200);
        // PROT P from the beginning, as all servers have it.
        client.put("f", b"content");
        assert_eq!(client.get("f"), b"content");
        client.tell("PBSZ 0", 200);
        client.tell("PROT P", 200);
        client.tell("AUTH TLS", 503);
        client.tell("CCC", 534);
        // There is nothing before TLS to go back to.
        client.tell("REIN", 220);
        client.log_in();
        client.tell("TYPE I", 200);
        assert_eq!(client.get("f"), b"content");
        client.tell("QUIT", 221);
        client.closed();
    }
}

/// Pipelined replies leave together, and large ones whole.
#[test]
fn many_and_large_replies_arrive_whole() {
    let server = server(&[]);
    for number in 0..1500 {
        fs::write(server.root().join(format!("a file with quite a long name {number}")), b"").unwrap();
    }
    for version in BOTH {
        let mut client = Client::ready(&server, &config(&[version], None));
        assert_eq!(client.tell("STAT .", 212).lines.len(), 1502);
        client.send(&b"NOOP\r\n".repeat(2000));
        for _ in 0..2000 {
            client.expect(200);
        }
        // In three pieces, cut within the line end too.
        for piece in [&b"NO"[..], b"OP\r", b"\n"] {
            client.send(piece);
        }
        client.expect(200);
    }
}

/// unftp_tls_at_once: a hundred clients, and not one of them fails; of sixteen it lost some.
#[test]
fn a_hundred_clients_begin_tls_at_once() {
    for count in [16, 100] {
        let server = server(&["--max-per-ip", "1000"]);
        std::thread::scope(|scope| {
            for number in 0..count {
                let server = &server;
                scope.spawn(move || {
                    let mut client = Client::ready(server, &sticky());
                    let (name, content) = (format!("f{number}"), format!("content {number}").repeat(100));
                    client.put(&name, content.as_bytes());
                    assert_eq!(client.get(&name), content.as_bytes());
                    client.tell("QUIT", 221);
                    client.closed();
                });
            }
        });
    }
}

/// A client that ends TLS, and not the connection, has left.
#[test]
fn the_end_of_tls_is_the_end_of_the_session() {
    let server = server(&[]);
    let mut client = Client::ready(&server, &config(&[&TLS13], None));
    client.put("f", b"x");
    client.tls().conn.send_close_notify();
    client.send(b"");
    client.closed();
    // An upload of one who leaves so is not published.
    let mut client = Client::ready(&server, &config(&[&TLS13], None));
    let data = client.data_tls();
    client.tell("STOR up", 150);
    client.tls().conn.send_close_notify();
    client.send(b"");
    let _ = send_all(data, b"content");
    client.expect(426);
    assert!(!server.root().join("up").exists());
}
