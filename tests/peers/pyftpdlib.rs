//! pyftpdlib's failures, as dialogues.

use std::fs::File;
use std::net::TcpListener;

use crate::abuse::{assert_serves, eventually, guest};
use crate::dialogue::client::read_all;
use crate::dialogue::holds;
use crate::server::Server;

/// Issue 71: a data connection that was prepared for a command that is then refused stayed open behind QUIT.
#[test]
fn pyftpdlib_71_a_refused_upload_leaves_no_socket_behind() {
    let server = Server::start(&[]);
    assert_serves(&server);
    let before = server.descriptors();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let [high, low] = listener.local_addr().unwrap().port().to_be_bytes();
    for _ in 0..30 {
        let mut control = guest(&server);
        control.tell(&format!("PORT 127,0,0,1,{high},{low}"), 200).unwrap();
        control.tell("STOR gone/up", 550).unwrap();
        control.tell("QUIT", 221).unwrap();
        control.closed().unwrap();
    }
    eventually("descriptors are given back", || server.descriptors() <= before);
}

/// Issue 119: behind QUIT in the middle of a transfer the session stayed for ever.
#[test]
fn pyftpdlib_119_quit_during_a_transfer_ends_the_session() {
    const SIZE: u64 = 5_000_000;
    let server = Server::start(&[]);
    File::create(server.root().join("big")).unwrap().set_len(SIZE).unwrap();
    assert_serves(&server);
    let before = server.descriptors();
    for _ in 0..20 {
        let mut control = guest(&server);
        let mut data = control.passive().unwrap();
        control.tell("RETR big", 150).unwrap();
        control.say("QUIT").unwrap();
        assert_eq!(read_all(&mut data).unwrap().len() as u64, SIZE);
        control.expect(226).unwrap();
        control.expect(221).unwrap();
        control.closed().unwrap();
    }
    // A few ports for data stay open for those who come next.
    eventually("descriptors are given back", || server.descriptors() <= before + 8);
}

/// The type with the format that it has anyway was refused.
#[test]
fn pyftpdlib_type_a_n_is_type_a() {
    holds(
        r#"
login
> TYPE I
< 200
> TYPE A N
< 200
> STAT
< 211 ASCII
> type a n
< 200
> TYPE L 8
< 200
> STAT
< 211 Image
"#,
    );
}

/// REIN was answered as a login, with 230 (RFC 959 §5.4 wants 220).
#[test]
fn pyftpdlib_rein_is_answered_220() {
    holds(
        r#"
login
> REIN
< 220
> PWD
< 530
"#,
    );
}

/// A NUL in a name ended the session.
#[test]
fn pyftpdlib_a_nul_in_a_name_ends_nothing() {
    holds(
        r#"
file a "1"
login
passive
raw "RETR a\0b\r\n"
< 501/550/553
raw "STOR a\0b\r\n"
< 501/550/553
raw "SIZE \0\r\n"
< 501/550/553
raw "MKD a\0\r\n"
< 501/550/553
raw "RNFR a\0\r\n"
< 501/550/553
disk a "1"
> RETR a
< 150
receive "1"
< 226
"#,
    );
}

/// LIST took its flags and the path together for a name.
#[test]
fn pyftpdlib_list_takes_flags_and_a_path() {
    holds(
        r#"
directory "a folder"
directory d
file d/f "12345"
file "a folder/g" "1"
login
passive
> LIST -la d
< 150
receive contains " f\r\n"
and contains " .\r\n"
< 226
passive
> LIST -la /d
< 150
receive contains " f\r\n"
< 226
passive
> LIST -l -a a folder
< 150
receive contains " g\r\n"
< 226
"#,
    );
}

/// A directory that is not there was a mistake of syntax to MLSD, so that clients did not make it.
#[test]
fn pyftpdlib_mlsd_of_a_missing_directory_is_550() {
    holds(
        r#"
login
> MLSD gone
< 550
passive
> MLSD gone/too
< 550
> MKD gone
< 257
> MLSD gone
< 150
receive ""
< 226
"#,
    );
}
