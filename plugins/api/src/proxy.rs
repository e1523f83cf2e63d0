//! The PROXY protocol, versions 1 and 2 (haproxy.org/download/2.6/doc/proxy-protocol.txt): what a proxy says of the client
//! whose connection it passes on. Reads exactly the header and not a byte of what follows, which may be TLS. Who is
//! believed is decided by whoever calls.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures::io::AsyncReadExt;
use ppp::{v1, v2};

use crate::rt::{self, Socket};

/// How long a header may take. A proxy sends it with its first packet.
const HEADER_WAIT: Duration = Duration::from_secs(5);
/// A line of version 1 at most, with its line end (§2.1 of the specification).
const LONGEST_LINE: usize = 107;
/// Connections of proxies at most whose header is awaited, in the whole process. A proxy sends it at once.
const MOST_AWAITED: usize = 1024;
/// What is wrong with a proxy is said again only after this long, so that it does not fill the log.
const SAY_AGAIN: Duration = Duration::from_secs(10);
/// What a header of version 2 begins with before its length is known.
const FIXED: usize = 16;
/// A header of version 2 at most: the addresses are 36 bytes, the rest is what proxies add for those who want it (the
/// name of a certificate, an identifier): some hundred bytes. The length field would allow 65,535.
const LONGEST: usize = FIXED + 4096;
/// What is looked at once.
const PIECE: usize = 512;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Introduced {
    /// The proxy speaks for a client.
    Client {
        /// Who it is.
        peer: SocketAddr,
        /// What it dialled: the proxy's own address, as the client knows it.
        local: SocketAddr,
    },
    /// The proxy speaks for itself, or does not know for whom: it asks whether we are well.
    Proxy,
}

/// Why a connection has no header that could be used.
#[derive(Debug)]
pub enum Unintroduced {
    /// It was closed before it said anything, as those do who only ask whether we listen.
    Left,
    /// It broke off.
    Lost(io::Error),
    /// Nothing, or not the whole of it, came in time.
    Late,
    /// It begins with something else.
    NoHeader,
    /// It is longer than any proxy makes it.
    TooLong,
    /// It is about something else than a TCP connection over IP.
    Unusable(String),
}

/// A connection whose header is awaited; dropping it ends that.
pub struct Awaited(#[expect(dead_code, reason = "it is counted")] Arc<()>);

/// Whether one more header may be awaited: not if 1,024 are.
pub fn await_header() -> Option<Awaited> {
    static AWAITED: OnceLock<Arc<()>> = OnceLock::new();
    let awaited = Arc::clone(AWAITED.get_or_init(Arc::default));
    (Arc::strong_count(&awaited) <= MOST_AWAITED + 1).then_some(Awaited(awaited))
}

/// Says in the log that a connection from a proxy was closed, and why; not of each, since they will be many.
pub fn complain(what: &str, proxy: IpAddr, why: &Unintroduced) {
    /// Seconds since the first one, plus one; zero: never said.
    static SAID: AtomicU64 = AtomicU64::new(0);
    static SINCE: OnceLock<Instant> = OnceLock::new();
    let now = SINCE.get_or_init(Instant::now).elapsed().as_secs() + 1;
    let said = SAID.load(Ordering::Relaxed);
    let is_news = said == 0 || now > said + SAY_AGAIN.as_secs();
    if is_news && !matches!(why, Unintroduced::Left) {
        SAID.store(now, Ordering::Relaxed);
        let address = proxy.to_string();
        log::warn!(
            event = "no_proxy_header", service = what, proxy = address.as_str();
            "{what}: closed a connection from the proxy {proxy}, for its PROXY header: {why}"
        );
    } else {
        log::debug!("{what}: closed a connection from the proxy {proxy}, for its PROXY header: {why}");
    }
}

/// Reads the header of a connection that a proxy has made.
pub async fn introduction(socket: &Socket) -> Result<Introduced, Unintroduced> {
    let read = async { Ok(read(socket).await) };
    match rt::timeout(HEADER_WAIT, read).await {
        Ok(header) => parse(&header?),
        Err(_) => Err(Unintroduced::Late),
    }
}

/// The bytes of the header. What is seen is taken as far as it belongs to it, so that waiting for the rest is waiting.
async fn read(socket: &Socket) -> Result<Vec<u8>, Unintroduced> {
    let mut header = Vec::new();
    loop {
        let mut piece = [0; PIECE];
        let seen = socket.peek(&mut piece).await.map_err(Unintroduced::Lost)?;
        if seen == 0 {
            let cut = || Unintroduced::Lost(io::ErrorKind::UnexpectedEof.into());
            return Err(if header.is_empty() { Unintroduced::Left } else { cut() });
        }
        let (begun, seen) = (header.len(), &piece[..seen]);
        header.extend_from_slice(seen);
        let (end, whole) = end_of(&header)?;
        header.truncate(end);
        // These are there: they have been seen.
        let taken = end - begun;
        (&mut &*socket).read_exact(&mut piece[..taken]).await.map_err(Unintroduced::Lost)?;
        if whole {
            return Ok(header);
        }
    }
}

/// How much of these bytes is the header, and whether that is all of it. Pure, and public so that anything can be thrown at
/// it; so is [`parse`].
pub fn end_of(bytes: &[u8]) -> Result<(usize, bool), Unintroduced> {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(byte, other)| byte == other);
    if begins(v2::PROTOCOL_PREFIX) {
        let Some(length) = bytes.get(FIXED - 2..FIXED) else { return Ok((bytes.len(), false)) };
        let end = FIXED + usize::from(u16::from_be_bytes([length[0], length[1]]));
        if end > LONGEST {
            return Err(Unintroduced::TooLong);
        }
        return Ok((end.min(bytes.len()), end <= bytes.len()));
    }
    if !begins(b"PROXY ") {
        return Err(Unintroduced::NoHeader);
    }
    match bytes.iter().take(LONGEST_LINE).position(|&byte| byte == b'\n') {
        Some(end) => Ok((end + 1, true)),
        None if bytes.len() >= LONGEST_LINE => Err(Unintroduced::TooLong),
        None => Ok((bytes.len(), false)),
    }
}

/// What a whole header says.
pub fn parse(header: &[u8]) -> Result<Introduced, Unintroduced> {
    let unusable = |why: &dyn fmt::Display| Unintroduced::Unusable(why.to_string());
    if header.starts_with(b"PROXY ") {
        return match v1::Header::try_from(header).map_err(|e| unusable(&e))?.addresses {
            v1::Addresses::Unknown => Ok(Introduced::Proxy),
            v1::Addresses::Tcp4(ip) => {
                client((ip.source_address.into(), ip.source_port), (ip.destination_address.into(), ip.destination_port))
            }
            v1::Addresses::Tcp6(ip) => {
                client((ip.source_address.into(), ip.source_port), (ip.destination_address.into(), ip.destination_port))
            }
        };
    }
    let header = v2::Header::try_from(header).map_err(|e| unusable(&e))?;
    match (header.command, header.addresses, header.protocol) {
        (v2::Command::Local, ..) | (_, v2::Addresses::Unspecified, _) => Ok(Introduced::Proxy),
        (_, v2::Addresses::Unix(_), _) => Err(unusable(&"it is about a Unix socket")),
        (_, _, v2::Protocol::Datagram) => Err(unusable(&"it is about UDP")),
        (_, v2::Addresses::IPv4(ip), _) => {
            client((ip.source_address.into(), ip.source_port), (ip.destination_address.into(), ip.destination_port))
        }
        (_, v2::Addresses::IPv6(ip), _) => {
            client((ip.source_address.into(), ip.source_port), (ip.destination_address.into(), ip.destination_port))
        }
    }
}

fn client(peer: (IpAddr, u16), local: (IpAddr, u16)) -> Result<Introduced, Unintroduced> {
    let (peer, local) = (crate::listen::canonical(peer.into()), crate::listen::canonical(local.into()));
    if peer.ip().is_unspecified() || peer.ip().is_multicast() {
        return Err(Unintroduced::Unusable(format!("nobody has the address {}", peer.ip())));
    }
    // Of which the one is IPv4 in IPv6 and the other is not: no connection can be.
    if peer.is_ipv4() != local.is_ipv4() {
        return Err(Unintroduced::Unusable(format!("{} cannot have come to {}", peer.ip(), local.ip())));
    }
    Ok(Introduced::Client { peer, local })
}

impl fmt::Display for Unintroduced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unintroduced::Left => write!(f, "it was closed at once"),
            Unintroduced::Lost(e) => write!(f, "it broke off: {e}"),
            Unintroduced::Late => write!(f, "it came not within {} s", HEADER_WAIT.as_secs()),
            Unintroduced::NoHeader => write!(f, "there is none: does the proxy send it (send-proxy-v2)?"),
            Unintroduced::TooLong => write!(f, "it is too long"),
            Unintroduced::Unusable(why) => write!(f, "{why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A header of version 2 with this command and family, this length and this behind it.
    fn v2(command: u8, family: u8, length: u16, rest: &[u8]) -> Vec<u8> {
        [v2::PROTOCOL_PREFIX, &[0x20 | command, family], &length.to_be_bytes(), rest].concat()
    }

    const V4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x10, 0, 0, 21];

    fn expected() -> Introduced {
        let (peer, local) = (([192, 0, 2, 7], 4096).into(), ([198, 51, 100, 1], 21).into());
        Introduced::Client { peer, local }
    }

    /// Plays bytes as they come, so many at once, and what is left over.
    fn play(bytes: &[u8], pieces: usize) -> (Result<Introduced, Unintroduced>, Vec<u8>) {
        let (mut header, mut rest) = (Vec::new(), bytes);
        loop {
            if rest.is_empty() {
                return (Err(Unintroduced::Late), Vec::new());
            }
            let begun = header.len();
            header.extend_from_slice(&rest[..pieces.min(rest.len())]);
            match end_of(&header) {
                Ok((end, whole)) => {
                    assert!(end > begun, "waiting would not be waiting");
                    header.truncate(end);
                    rest = &rest[end - begun..];
                    if whole {
                        return (parse(&header), rest.to_vec());
                    }
                }
                Err(e) => return (Err(e), rest.to_vec()),
            }
        }
    }

    #[test]
    fn both_versions_in_pieces_of_all_sizes_and_not_a_byte_more() {
        let tlv = [0x05, 0, 2, 7, 7];
        let with_tlv = v2(1, 0x11, 17, &[&V4[..], &tlv].concat());
        let headers = [b"PROXY TCP4 192.0.2.7 198.51.100.1 4096 21\r\n".to_vec(), v2(1, 0x11, 12, &V4), with_tlv];
        for (header, behind) in
            headers.iter().flat_map(|header| [(header, &b""[..]), (header, b"USER x\r\n\x16\x03\x01")])
        {
            for pieces in [1, 2, 3, 7, 16, 17, 512] {
                let (introduced, rest) = play(&[header, behind].concat(), pieces);
                assert!(introduced.is_ok_and(|it| it == expected()), "{pieces} {}", header.escape_ascii());
                assert_eq!(rest, behind, "{pieces} {}", header.escape_ascii());
            }
        }
    }

    #[test]
    fn a_proxy_that_speaks_for_itself() {
        let longer = v2(0, 0, 12, &V4);
        for header in
            [&b"PROXY UNKNOWN\r\n"[..], b"PROXY UNKNOWN 1 2 3 4\r\n", &v2(0, 0, 0, &[]), &v2(1, 0, 0, &[]), &longer]
        {
            let (introduced, _) = play(header, 512);
            assert!(matches!(introduced, Ok(Introduced::Proxy)), "{} {introduced:?}", header.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_header_is_seen_early() {
        let unix = v2(1, 0x31, 216, &[0; 216]);
        let udp = v2(1, 0x12, 12, &V4);
        let endless = [&b"PROXY TCP4 "[..], &[b'1'; 97]].concat();
        assert_eq!(endless.len(), LONGEST_LINE + 1);
        for (header, told) in [
            (&b"USER anonymous\r\n"[..], "none"),
            (b"PROXX", "none"),
            (b"\r\n\r\n\0\r\nQUIX", "none"),
            (b"\x16\x03\x01", "none"),
            (&endless, "too long"),
            (&v2(1, 0x11, u16::MAX, &[]), "too long"),
            (&unix, "Unix"),
            (&udp, "UDP"),
            (&v2(1, 0x11, 11, &V4), ""),
            (&v2(3, 0x11, 12, &V4), ""),
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 4096 99999\r\n", ""),
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 4096 21\n", ""),
            (b"PROXY TCP4 2001:db8::1 198.51.100.1 4096 21\r\n", ""),
            (b"PROXY TCP4 0.0.0.0 198.51.100.1 4096 21\r\n", "nobody"),
            (b"PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 4096 21\r\n", "cannot have come"),
            (b"PROXY \r\n", ""),
        ] {
            let (introduced, _) = play(header, 512);
            let Err(e) = introduced else { panic!("{} is taken", header.escape_ascii()) };
            assert!(e.to_string().contains(told), "{}: {e}", header.escape_ascii());
        }
    }

    #[test]
    fn mapped_addresses_are_of_ipv4() {
        let header = b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 4096 21\r\n";
        assert!(play(header, 512).0.is_ok_and(|it| it == expected()));
    }

    #[test]
    fn headers_are_awaited_in_bounded_number() {
        let awaited: Vec<_> = (0..MOST_AWAITED + 10).map_while(|_| await_header()).collect();
        assert_eq!(awaited.len(), MOST_AWAITED);
        drop(awaited);
        assert!(await_header().is_some());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), kind in 0..3usize) {
            let begin = [&b""[..], b"PROXY TCP4 ", v2::PROTOCOL_PREFIX][kind];
            for pieces in [1, 512] {
                let _ = play(&[begin, &bytes].concat(), pieces);
            }
        }
    }
}
