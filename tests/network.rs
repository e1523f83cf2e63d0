//! A server in a network namespace of its own: clients that do not come from loopback, and addresses that no machine of
//! the tester has. Nothing leaves the namespace.

use std::ffi::OsString;
use std::process::Command;

use crate::clients::{present, skip};
use crate::command_line::outcome;
use crate::server::{Place, Server, command_by, program};

/// An address for documentation (RFC 5737), given to the namespace's loopback interface.
const HOST: &str = "198.51.100.7";
/// What PASV is to announce: another such address.
const PUBLIC: &str = "203.0.113.9";

/// Says PASV to the address and port in its arguments and prints what is answered.
const CLIENT: &str = r#"
import socket, sys
control = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)
control.sendall(b"USER anonymous\r\nPASS x\r\nPASV\r\nEPSV\r\nQUIT\r\n")
while piece := control.recv(65536):
    sys.stdout.write(piece.decode())
"#;

/// A server that announces [`PUBLIC`] in a namespace whose loopback has [`HOST`]; None where there can be none.
fn server() -> Option<Server> {
    if !present(&["unshare", "nsenter", "ip", "python3"]) {
        return None;
    }
    let script = format!("ip link set lo up && ip address add {HOST}/32 dev lo && exec \"$0\" \"$@\"");
    let words: Vec<OsString> = ["unshare", "--net", "sh", "-c", &script].map(OsString::from).to_vec();
    let works = Command::new(&words[0]).args(&words[1..]).arg("true").output();
    if !works.as_ref().is_ok_and(|output| output.status.success()) {
        skip(&format!("there can be no network of our own here: {works:?}"));
        return None;
    }
    let place = Place::new();
    let options = ["--port", "0", "--listen", "0.0.0.0", "--passive-address", PUBLIC];
    Some(Server::run(command_by(&[&words[..], &[program()]].concat(), place.root(), &options), place))
}

/// What a client inside the server's network is told, who dials this address and so comes from it.
fn told(server: &Server, dialled: &str) -> String {
    let mut command = Command::new("nsenter");
    command.args(["--net", "--target", &server.pid().as_raw_nonzero().to_string()]);
    command.args(["python3", "-I", "-c", CLIENT, dialled, &server.address().port().to_string()]);
    let output = outcome(command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_public_address_is_announced_to_those_from_outside_only() {
    let Some(server) = server() else { return };
    let outside = told(&server, HOST);
    assert!(outside.contains("\r\n227 ") && outside.contains("(203,0,113,9,"), "{outside}");
    assert!(outside.contains("(|||"), "EPSV names no address: {outside}");
    // Who dials loopback cannot be helped by the public address.
    let inside = told(&server, "127.0.0.1");
    assert!(inside.contains("(127,0,0,1,"), "{inside}");
}
