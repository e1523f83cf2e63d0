//! What only the system can tell of the server's sockets; and a server in a network of its own, where clients do not come
//! from loopback and addresses are some that no machine of the tester has.

use std::ffi::OsString;
use std::fs;
use std::os::fd::OwnedFd;
use std::process::Command;

use rustix::io::Errno;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket2::SockRef;

use crate::abuse::guest;
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
    let words = in_network(&script)?;
    let place = Place::new();
    let options = ["--port", "0", "--listen", "0.0.0.0", "--passive-address", PUBLIC];
    Some(Server::run(command_by(&[&words[..], &[program()]].concat(), place.root(), &options), place))
}

/// What runs a command in a network of its own that this script makes; None where there can be none.
fn in_network(script: &str) -> Option<Vec<OsString>> {
    let words: Vec<OsString> = ["unshare", "--net", "sh", "-c", script].map(OsString::from).to_vec();
    let works = Command::new(&words[0]).args(&words[1..]).arg("true").output();
    if !works.as_ref().is_ok_and(|output| output.status.success()) {
        skip(&format!("there can be no network of our own here: {works:?}"));
        return None;
    }
    Some(words)
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

/// Connects from each of the addresses in its arguments, keeps all connections, and prints the codes of their greetings.
const NEIGHBOURS: &str = r#"
import socket, sys
held = []
for source in sys.argv[3:]:
    held.append(socket.create_connection((sys.argv[1], int(sys.argv[2])), 20, source_address=(source, 0)))
    print(source, held[-1].recv(3).decode())
"#;

/// Who has IPv6 has at least 2^64 addresses, so that a limit for each of them would be none.
#[test]
fn a_network_of_ipv6_counts_as_one_address() {
    if !present(&["unshare", "nsenter", "ip", "python3"]) {
        return;
    }
    // Every address of this network is the namespace's own.
    let script = "ip link set lo up && ip -6 route add local fd00::/32 dev lo && \
                  echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind && exec \"$0\" \"$@\"";
    let Some(words) = in_network(script) else { return };
    let place = Place::new();
    let options = ["--port", "0", "--listen", "0.0.0.0", "--listen", "::", "--max-per-ip", "2", "--max-sessions", "5"];
    let server = Server::run(command_by(&[&words[..], &[program()]].concat(), place.root(), &options), place);
    let mut command = Command::new("nsenter");
    command.args(["--net", "--target", &server.pid().as_raw_nonzero().to_string(), "python3", "-I", "-c", NEIGHBOURS]);
    let clients = [
        ("fd00::1", "220"),
        ("fd00::2", "220"),
        ("fd00::ffff:1:2:3", "421"),
        ("fd00:0:0:1::1", "220"),
        ("fd00::4", "421"),
        ("fd00:0:0:1::2", "220"),
        ("fd00:0:0:1::3", "421"),
        ("fd00:0:0:2::1", "220"),
        // Now the house is full.
        ("fd00:0:0:3::1", "421"),
    ];
    command.args(["fd00::1:1", &server.address().port().to_string()]).args(clients.map(|(source, _)| source));
    let output = outcome(command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = clients.map(|(source, code)| format!("{source} {code}\n")).concat();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), told);
}

/// The server's TCP sockets, borrowed; None where the system forbids that.
fn sockets(server: &Server) -> Option<Vec<OwnedFd>> {
    let process = pidfd_open(server.pid(), PidfdFlags::empty()).unwrap();
    let folder = format!("/proc/{}/fd", server.pid().as_raw_nonzero());
    let mut sockets = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let number = entry.unwrap().file_name().to_string_lossy().parse().unwrap();
        match pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) {
            Ok(fd) if SockRef::from(&fd).tcp_nodelay().is_ok() => sockets.push(fd),
            // It is none, or was closed since the folder was read.
            Ok(_) | Err(Errno::BADF) => {}
            Err(error) => {
                skip(&format!("another process's sockets cannot be looked at here: {error}"));
                return None;
            }
        }
    }
    Some(sockets)
}

/// unftp_40_ms: a reply that waits for the acknowledgement of the one before it makes each small file take a timer's time.
#[test]
fn no_socket_holds_small_packets_back() {
    let server = Server::start(&[]);
    let mut control = guest(&server);
    let _data = control.passive().unwrap();
    control.tell("STOR up", 150).unwrap();
    let Some(sockets) = sockets(&server) else { return };
    // Two listeners for sessions, one for data, one session, one transfer.
    assert!(sockets.len() >= 5, "only {} sockets were found", sockets.len());
    for socket in &sockets {
        assert!(SockRef::from(socket).tcp_nodelay().unwrap(), "a socket without TCP_NODELAY: {socket:?}");
    }
    let inline = sockets.iter().filter(|socket| SockRef::from(*socket).out_of_band_inline().unwrap()).count();
    assert!(inline > 0, "urgent data would be lost: no session has SO_OOBINLINE");
}

/// A crowd that connects at once waits in the kernel's queue, and where that is short its connections are lost.
#[test]
fn no_door_has_a_short_queue() {
    if !present(&["ss"]) {
        return;
    }
    let server = Server::start(&[]);
    let data = guest(&server).epsv().unwrap();
    let most: usize = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap().trim().parse().unwrap();
    for port in [server.address().port(), data] {
        let mut command = Command::new("ss");
        command.args(["-Hltn", "sport", "=", &format!(":{port}")]);
        let said = String::from_utf8(outcome(command).stdout).unwrap();
        assert!(!said.is_empty(), "ss knows no listener at {port}");
        for line in said.lines() {
            let queue: usize = line.split_whitespace().nth(2).unwrap().parse().unwrap();
            assert!(queue >= most.min(1024), "at port {port} only {queue} connections may wait: {line}");
        }
    }
}
