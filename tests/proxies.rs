//! Behind a proxy that speaks the PROXY protocol: the client's own address counts, on control and data connections, and no
//! header is believed from anybody else. The test plays the proxy; what bugs others had is named.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::abuse::{connect_from, eventually};
use crate::clients::present;
use crate::dialogue::client::{Control, Outcome, Reply, read_all, send_all};
use crate::plugins::{Lines, addresses};
use crate::server::{Place, Server, free_port};

/// The proxy, a client of it, and what that has dialled.
const PROXY: [u8; 4] = [127, 0, 5, 1];
const CLIENT: [u8; 4] = [192, 0, 2, 7];
const DIALLED: [u8; 4] = [198, 51, 100, 1];

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn server(options: &[&str]) -> Server {
    Server::start(&[&["--proxy-protocol-from", "127.0.5.0/24"], options].concat())
}

/// Version 1.
fn v1(client: [u8; 4]) -> Vec<u8> {
    let [client, dialled] = [client, DIALLED].map(Ipv4Addr::from);
    format!("PROXY TCP4 {client} {dialled} 4096 21\r\n").into_bytes()
}

/// Version 2, with this behind the addresses.
fn v2(client: [u8; 4], more: &[u8]) -> Vec<u8> {
    let length = (12 + more.len() as u16).to_be_bytes();
    [SIGNATURE, &[0x21, 0x11], &length, &client, &DIALLED, &[0x10, 0, 0, 21], more].concat()
}

/// A connection of the proxy's that begins with these bytes.
fn by_proxy(begin: &[u8], to: SocketAddr) -> TcpStream {
    let mut stream = connect_from(PROXY, to);
    stream.set_nodelay(true).unwrap();
    stream.write_all(begin).unwrap();
    stream
}

/// A client's session, logged in.
fn guest(header: &[u8], to: SocketAddr) -> Outcome<Control> {
    let mut control = Control::over(by_proxy(header, to))?;
    control.expect(220)?;
    control.tell("USER anonymous", 331)?;
    control.tell("PASS x", 230)?;
    control.tell("TYPE I", 200)?;
    Ok(control)
}

/// Where a PASV says that data goes.
fn pasv(control: &mut Control) -> (Ipv4Addr, u16) {
    let reply = control.tell("PASV", 227).expect("a port");
    let text = reply.shown();
    let numbers = text.split_once('(').and_then(|(_, rest)| rest.split_once(')')).expect("numbers").0;
    let numbers: Vec<u16> = numbers.split(',').map(|number| number.parse().expect("a number")).collect();
    let address = [0, 1, 2, 3].map(|at| numbers[at] as u8);
    (address.into(), numbers[4] * 256 + numbers[5])
}

/// Whether the server ends this without a word.
fn is_closed(mut stream: TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(e) => e.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn the_clients_address_counts_in_log_limits_and_bans() {
    let server = server(&["--max-per-ip", "2", "--ban-after", "1"]);
    let to = server.address();
    let _both = [guest(&v1(CLIENT), to).unwrap(), guest(&v2(CLIENT, &[]), to).unwrap()];
    let mut third = Control::over(by_proxy(&v2(CLIENT, &[]), to)).unwrap();
    third.expect(421).expect("it has two already");
    let mut other = guest(&v2([192, 0, 2, 8], &[]), to).expect("another client of the same proxy has its own places");
    for _ in 0..3 {
        let mut browser = by_proxy(&[&v2([192, 0, 2, 9], &[])[..], b"GET / HTTP/1.1\r\n\r\n"].concat(), to);
        let _ = read_all(&mut browser);
    }
    eventually("it is banned by its own address", || server.log().contains("banned 192.0.2.9 until"));
    other.tell("NOOP", 200).expect("the others stay");
    other.tell("QUIT", 221).unwrap();
    eventually("the log has it", || server.log().contains("from 192.0.2.8:4096"));
    assert!(!server.log().contains("127.0.5.1"), "the proxy itself is of no interest:\n{}", server.log());
}

/// sftpgo#1013: the data connection is the proxy's, and was refused for not being the client's.
#[test]
fn sftpgo_1013_a_data_connection_through_the_proxy_is_its_clients() {
    let server = server(&[]);
    fs::write(server.root().join("f"), b"content").unwrap();
    for header in [v1(CLIENT), v2(CLIENT, &[])] {
        let mut control = guest(&header, server.address()).unwrap();
        let (announced, port) = pasv(&mut control);
        assert_eq!(announced.octets(), DIALLED, "what the client can reach is the proxy");
        let to = SocketAddr::from(([127, 0, 0, 1], port));
        // A stranger behind the same proxy is not taken for it, nor is the proxy, nor anybody who only says so.
        assert!(is_closed(by_proxy(&v2([192, 0, 2, 66], &[]), to)));
        let mut liar = connect_from([127, 0, 0, 9], to);
        liar.write_all(&v2(CLIENT, &[])).unwrap();
        assert!(is_closed(liar));
        let mut data = by_proxy(&header, to);
        control.tell("RETR f", 150).unwrap();
        assert_eq!(read_all(&mut data).unwrap(), b"content");
        control.expect(226).unwrap();
    }
}

/// sftpgo#382: what follows the header in the same packet was lost, or taken for part of it.
#[test]
fn sftpgo_382_what_follows_the_header_at_once_is_data() {
    let server = server(&[]);
    let begin = [&v2(CLIENT, &[])[..], b"USER anonymous\r\nPASS x\r\nTYPE I\r\nEPSV\r\n"].concat();
    let mut control = Control::over(by_proxy(&begin, server.address())).unwrap();
    for code in [220, 331, 230, 200] {
        control.expect(code).unwrap();
    }
    let port = crate::dialogue::client::port_of(&control.expect(229).unwrap()).unwrap();
    // As a TLS client would: it speaks first, in its first packet.
    let hello = b"\x16\x03\x01\x02\x00\x01PROXY TCP4 \r\n\r\n\0\r\nQUIT\n";
    let data = by_proxy(&[&v2(CLIENT, &[])[..], hello].concat(), ([127, 0, 0, 1], port).into());
    control.tell("STOR f", 150).unwrap();
    send_all(data, b"and more").unwrap();
    control.expect(226).unwrap();
    assert_eq!(fs::read(server.root().join("f")).unwrap(), [&hello[..], b"and more"].concat());
}

/// sftpgo#2181: a proxy's header of version 2 was not understood. They add what they like (here an identifier, a checksum, the
/// name that was asked for, and a TLS certificate's), and send IPv4 as IPv6.
#[test]
fn sftpgo_2181_headers_with_all_that_proxies_add() {
    let tls = [&[0x20, 0, 13, 1, 0, 0, 0, 0, 0x22, 0, 5][..], b"alice"].concat();
    let tlvs = [&[5, 0, 3][..], b"abc", &[3, 0, 4, 1, 2, 3, 4], &[2, 0, 11], b"example.org", &tls, &[4, 0, 2, 0, 0]];
    let mapped = |address: [u8; 4]| [&[0; 10][..], &[0xff, 0xff], &address].concat();
    let v6 = [&mapped(CLIENT)[..], &mapped(DIALLED), &[0x10, 0, 0, 21]].concat();
    let v6 = [SIGNATURE, &[0x21, 0x21, 0, 36], &v6].concat();
    let server = server(&[]);
    for header in [v2(CLIENT, &tlvs.concat()), v2(CLIENT, &[0; 4000]), v6] {
        let mut control = guest(&header, server.address()).unwrap();
        control.tell("QUIT", 221).unwrap();
    }
    eventually("they are the client's", || server.log().matches("connection from 192.0.2.7:4096 ended").count() == 3);
}

#[test]
fn a_header_may_come_in_single_bytes() {
    let server = server(&[]);
    for header in [v1(CLIENT), v2(CLIENT, &[7; 9])] {
        let mut stream = connect_from(PROXY, server.address());
        stream.set_nodelay(true).unwrap();
        header.iter().for_each(|byte| stream.write_all(&[*byte]).unwrap());
        Control::over(stream).unwrap().expect(220).unwrap();
    }
}

#[test]
fn a_header_is_believed_from_nobody_else() {
    let server = server(&[]);
    let mut stream = connect_from([127, 0, 0, 9], server.address());
    stream.write_all(&v1(CLIENT)).unwrap();
    let mut control = Control::over(stream).unwrap();
    control.expect(220).expect("it is a client like any other");
    control.expect(500).expect("and what it says is no command");
    drop(control);
    eventually("it is itself", || server.log().contains("connection from 127.0.0.9"));
    assert!(!server.log().contains("192.0.2.7"));
    let server = self::server(&["--proxy-protocol-only"]);
    assert!(is_closed(connect_from([127, 0, 0, 9], server.address())), "unless nobody else may come");
    guest(&v1(CLIENT), server.address()).unwrap();
}

#[test]
fn what_is_no_header_is_closed_and_said_once() {
    let server = server(&[]);
    let endless = [&b"PROXY TCP4 "[..], &[b'1'; 97]].concat();
    let unix = [SIGNATURE, &[0x21, 0x31, 0, 216], &[0; 216]].concat();
    let long = [SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
    for begin in [&b"USER anonymous\r\n"[..], b"\x16\x03\x01\x02\x00", &endless, &unix, &long] {
        assert!(is_closed(by_proxy(begin, server.address())), "{}", begin.escape_ascii());
    }
    eventually("the log says what to do", || server.log().contains("PROXY header: there is none"));
    assert_eq!(server.log().matches("PROXY header").count(), 1);
}

#[test]
fn a_header_that_does_not_come_is_not_awaited_for_ever_and_holds_nobody_up() {
    let server = server(&[]);
    let waiting: Vec<_> = (0..50).map(|number| by_proxy(&SIGNATURE[..number % 12], server.address())).collect();
    guest(&v1(CLIENT), server.address()).expect("others are served meanwhile");
    assert!(waiting.into_iter().all(is_closed));
}

/// A proxy asks every other second; nobody wants to read of it.
#[test]
fn health_checks_are_answered_and_not_logged() {
    let server = server(&["--max-rate", "1", "--ban-exempt", "none", "--ban-after", "1"]);
    let local = [SIGNATURE, &[0x20, 0, 0, 0]].concat();
    for header in [&b"PROXY UNKNOWN\r\n"[..], &local].repeat(20) {
        let mut control = Control::over(by_proxy(header, server.address())).unwrap();
        control.expect(220).expect("it is well");
    }
    for _ in 0..20 {
        drop(connect_from(PROXY, server.address()));
    }
    guest(&v1(CLIENT), server.address()).unwrap().tell("QUIT", 221).unwrap();
    eventually("its client is in the log", || server.log().contains("192.0.2.7"));
    assert!(!server.log().contains("127.0.5.1"), "{}", server.log());
}

/// The server cannot dial from the address that its client knows.
#[test]
fn active_mode_is_explained() {
    let server = server(&[]);
    let mut control = guest(&v1(CLIENT), server.address()).unwrap();
    for command in ["PORT 192,0,2,7,16,0", "EPRT |1|192.0.2.7|4096|"] {
        let Reply { code, .. } = control.ask(command).unwrap();
        assert_eq!(code, 504, "{command}");
    }
}

/// Networks are of clients, also behind a proxy; and plugins have it all without a line of theirs.
#[test]
fn plugins_behind_a_proxy() {
    let server = server(&["--deny", "192.0.2.66", "--plugin", "reverb", "--port", "0"]);
    let reverb = addresses(&server, "reverb", 1)[0];
    let mut lines = Lines::over(by_proxy(&[&v2(CLIENT, &[])[..], b"hello\n"].concat(), reverb));
    assert_eq!(lines.line(), "\t HELLO");
    let told = read_all(&mut by_proxy(&v2([192, 0, 2, 66], &[]), reverb)).unwrap();
    assert!(String::from_utf8_lossy(&told).contains("not open to your address"));
    drop(lines);
    eventually("by its own address", || server.log().contains("connection from 192.0.2.7:4096"));
}

/// The README's configuration, with the ports of this test.
#[test]
fn behind_haproxy() {
    if !present(&["haproxy", "curl"]) {
        return;
    }
    let place = Place::new();
    fs::write(place.root().join("f"), b"content").unwrap();
    let (data, front) = (free_port(), free_port());
    let ports = format!("{data}-{data}");
    let options = ["--proxy-protocol-from", "127.0.0.1", "--passive-ports", &ports];
    let server = Server::start_on(place.clone(), &options);
    let config = format!(
        "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n\
         listen ftp\n  bind 127.0.7.1:{front}\n  server gftp 127.0.0.1:{} send-proxy-v2 check inter 200\n\
         listen ftp-data\n  bind 127.0.7.1:{data}\n  server gftp 127.0.0.1 send-proxy-v2\n",
        server.address().port()
    );
    let file = place.outside().join("haproxy.cfg");
    fs::write(&file, config).unwrap();
    let mut haproxy = Command::new("haproxy").arg("-db").arg("-f").arg(&file).spawn().expect("haproxy starts");
    eventually("haproxy listens", || TcpStream::connect(("127.0.7.1", front)).is_ok());
    let url = format!("ftp://127.0.7.1:{front}/f");
    for (word, value) in [("--disable-epsv", ""), ("--interface", "127.0.7.9")] {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "20", word]).args((!value.is_empty()).then_some(value)).arg(&url);
        let output = crate::command_line::outcome(curl);
        assert_eq!(output.stdout, b"content", "{}\n{}", String::from_utf8_lossy(&output.stderr), server.log());
    }
    let _ = haproxy.kill();
    let _ = haproxy.wait();
    eventually("the log has the client", || server.log().contains("connection from 127.0.7.9:"));
    let others = server.log().lines().filter(|line| line.contains("connection from 127.0.0.1:")).count();
    // curl dialled 127.0.7.1 from there once; health checks are not logged.
    assert!(others <= 2, "{}", server.log());
}
