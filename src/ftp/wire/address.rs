//! Addresses on the control connection: what PORT, EPRT and EPSV are given, what PASV and EPSV answer
//! (RFC 959 §4.1.2, RFC 2428). Refuses to know which addresses a client may name: that is policy.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::str::FromStr;

use super::phrase::{Text, phrase};

/// Why an address was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadAddress {
    /// It is not written as the RFC says, or its port is not 1 to 65535: 501.
    Syntax,
    /// It names a network protocol other than 1 (IPv4) and 2 (IPv6): 522 (RFC 2428 §2).
    UnknownProtocol,
}

impl BadAddress {
    /// The reason.
    pub fn words(self) -> Text {
        match self {
            BadAddress::Syntax => phrase!("malformed address or port"),
            BadAddress::UnknownProtocol => phrase!("network protocol not supported, use (1,2)"),
        }
    }
}

/// Digits of 255, the most that a field of PORT has.
const MAX_BYTE_DIGITS: usize = 3;
/// Digits of 65535.
const MAX_PORT_DIGITS: usize = 5;
/// Address family numbers as RFC 2428 §2 takes them from the IANA registry.
const IPV4: &[u8] = b"1";
const IPV6: &[u8] = b"2";
/// What may stand between the fields of EPRT (RFC 2428 §2).
const DELIMITERS: std::ops::RangeInclusive<u8> = 33..=126;

/// The argument of PORT: exactly six decimal numbers of 0 to 255 with commas between them (RFC 959 §4.1.2).
pub fn parse_port(argument: &[u8]) -> Result<SocketAddrV4, BadAddress> {
    let mut fields = [0; 6];
    let mut given = argument.split(|&byte| byte == b',');
    for field in &mut fields {
        let number = given.next().and_then(|digits| decimal(digits, MAX_BYTE_DIGITS));
        *field = number.and_then(|number| u8::try_from(number).ok()).ok_or(BadAddress::Syntax)?;
    }
    let [a, b, c, d, high, low] = fields;
    let port = u16::from_be_bytes([high, low]);
    if port == 0 || given.next().is_some() {
        return Err(BadAddress::Syntax);
    }
    Ok(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port))
}

/// The argument of EPRT, `|proto|address|port|` with any delimiter (RFC 2428 §2). An IPv4-mapped IPv6 address is
/// returned as it was written; who compares it with a peer's must do so by `to_canonical`.
pub fn parse_eprt(argument: &[u8]) -> Result<SocketAddr, BadAddress> {
    let &delimiter = argument.first().filter(|byte| DELIMITERS.contains(byte)).ok_or(BadAddress::Syntax)?;
    let mut fields = [&b""[..]; 5];
    let mut given = argument.split(|&byte| byte == delimiter);
    for field in &mut fields {
        *field = given.next().ok_or(BadAddress::Syntax)?;
    }
    // The first and the last delimiter enclose the three fields: nothing stands outside them.
    let ([[], protocol, address, port, []], None) = (fields, given.next()) else {
        return Err(BadAddress::Syntax);
    };
    let port = decimal(port, MAX_PORT_DIGITS).and_then(|port| u16::try_from(port).ok()).filter(|&port| port != 0);
    let port = port.ok_or(BadAddress::Syntax)?;
    match protocol {
        IPV4 => Ok((parse_ip::<Ipv4Addr>(address)?, port).into()),
        IPV6 => Ok((parse_ip::<Ipv6Addr>(address)?, port).into()),
        _ => Err(unknown_protocol(protocol)),
    }
}

/// What EPSV asks for (RFC 2428 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpsvRequest {
    /// The protocol of the control connection.
    Any,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// No port: from now on only EPSV is accepted (RFC 2428 §4).
    All,
}

/// The argument of EPSV.
pub fn parse_epsv(argument: Option<&[u8]>) -> Result<EpsvRequest, BadAddress> {
    match argument {
        None => Ok(EpsvRequest::Any),
        Some(IPV4) => Ok(EpsvRequest::V4),
        Some(IPV6) => Ok(EpsvRequest::V6),
        Some(word) if word.eq_ignore_ascii_case(b"ALL") => Ok(EpsvRequest::All),
        Some(other) => Err(unknown_protocol(other)),
    }
}

/// The text of reply 227 (RFC 959 §4.1.2): clients look for the six numbers in parentheses.
pub fn pasv_text(address: SocketAddrV4) -> String {
    let [a, b, c, d] = address.ip().octets();
    let [high, low] = address.port().to_be_bytes();
    format!("Entering Passive Mode ({a},{b},{c},{d},{high},{low}).")
}

/// The text of reply 229 (RFC 2428 §3): the address is that of the control connection and stays empty.
pub fn epsv_text(port: u16) -> String {
    format!("Entering Extended Passive Mode (|||{port}|).")
}

/// A number is a protocol that we do not speak, anything else is no protocol.
fn unknown_protocol(field: &[u8]) -> BadAddress {
    if !field.is_empty() && field.iter().all(u8::is_ascii_digit) {
        BadAddress::UnknownProtocol
    } else {
        BadAddress::Syntax
    }
}

/// 1 to `max` decimal digits and nothing else: no sign, no blank. `max` is at most 9.
fn decimal(digits: &[u8], max: usize) -> Option<u32> {
    if digits.is_empty() || digits.len() > max || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

/// The standard parser takes neither scope ids, brackets, ports nor octal numbers, which is what we want.
fn parse_ip<T: FromStr>(address: &[u8]) -> Result<T, BadAddress> {
    std::str::from_utf8(address).ok().and_then(|text| text.parse().ok()).ok_or(BadAddress::Syntax)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What PORT must not be given.
    const NO_PORTS: [&str; 23] = [
        "",
        ",",
        "1,2,3,4,5",
        "1,2,3,4,5,6,7",
        "1,2,3,4,5,6,",
        ",1,2,3,4,5,6",
        "1,2,3,4,0,0",
        "256,0,0,1,4,1",
        "1,2,3,4,5,256",
        "1,2,3,4,5,0006",
        "+1,2,3,4,5,6",
        "-1,2,3,4,5,6",
        " 1,2,3,4,5,6",
        "1,2,3,4,5,6 ",
        "1, 2,3,4,5,6",
        "1.2.3.4.5.6",
        "1,2,3,,5,6",
        "a,2,3,4,5,6",
        "1,2,3,4,5,6\r",
        "1,2,3,4,5,6\0",
        "(1,2,3,4,5,6)",
        "99999999999999999999,2,3,4,5,6",
        "1,2,3,4,5,٣",
    ];

    /// What EPRT must not be given.
    const NO_EXTENDED_PORTS: [&str; 31] = [
        "",
        "|",
        "||||",
        "|||||",
        "|1|1.2.3.4|0|",
        "|1|1.2.3.4|99999|",
        "|1|1.2.3.4|65536|",
        "|1|1.2.3.4|-1|",
        "|1|1.2.3.4|+1|",
        "|1|1.2.3.4| 1|",
        "|1|1.2.3.4|1 |",
        "|1|1.2.3.4||",
        "|1|1.2.3.4|1",
        "|1|1.2.3.4|1||",
        "|1|1.2.3.4|1|x",
        "x|1|1.2.3.4|1|",
        "|1|::1|1|",
        "|2|1.2.3.4|1|",
        "|2|fe80::1%eth0|1|",
        "|2|[::1]|1|",
        "|1|1.2.3|1|",
        "|1|01.2.3.4|1|",
        "|1| 1.2.3.4|1|",
        ".1.1.2.3.4.1.",
        ":2:::1:1:",
        " 1 1.2.3.4 1 ",
        "\t1\t1.2.3.4\t1\t",
        "|x|1.2.3.4|1|",
        "||1.2.3.4|1|",
        "é1é1.2.3.4é1é",
        "|1|1.2.3.4|000001|",
    ];

    #[test]
    fn ports() {
        assert_eq!(parse_port(b"127,0,0,1,4,1"), Ok("127.0.0.1:1025".parse().unwrap()));
        assert_eq!(parse_port(b"010,00,0,001,255,255"), Ok("10.0.0.1:65535".parse().unwrap()));
        for argument in NO_PORTS {
            assert_eq!(parse_port(argument.as_bytes()), Err(BadAddress::Syntax), "{argument:?}");
        }
    }

    #[test]
    fn extended_ports() {
        let table = [
            ("|1|132.235.1.2|6275|", "132.235.1.2:6275"),
            ("|2|1080::8:800:200C:417A|5282|", "[1080::8:800:200c:417a]:5282"),
            ("!2!::1!1!", "[::1]:1"),
            ("~1~1.2.3.4~65535~", "1.2.3.4:65535"),
            ("|2|::ffff:1.2.3.4|21|", "[::ffff:1.2.3.4]:21"),
            ("|1|1.2.3.4|00021|", "1.2.3.4:21"),
        ];
        for (argument, expected) in table {
            assert_eq!(parse_eprt(argument.as_bytes()), Ok(expected.parse().unwrap()), "{argument}");
        }
        for argument in NO_EXTENDED_PORTS {
            assert_eq!(parse_eprt(argument.as_bytes()), Err(BadAddress::Syntax), "{argument:?}");
        }
        for argument in ["|3|1.2.3.4|1|", "|0|1.2.3.4|1|", "|01|1.2.3.4|1|", "|99999999999999999999|x|1|"] {
            assert_eq!(parse_eprt(argument.as_bytes()), Err(BadAddress::UnknownProtocol), "{argument:?}");
        }
    }

    #[test]
    fn extended_passive() {
        let table: [(Option<&[u8]>, _); 9] = [
            (None, Ok(EpsvRequest::Any)),
            (Some(b"1"), Ok(EpsvRequest::V4)),
            (Some(b"2"), Ok(EpsvRequest::V6)),
            (Some(b"ALL"), Ok(EpsvRequest::All)),
            (Some(b"all"), Ok(EpsvRequest::All)),
            (Some(b"3"), Err(BadAddress::UnknownProtocol)),
            (Some(b"off"), Err(BadAddress::Syntax)),
            (Some(b"1 "), Err(BadAddress::Syntax)),
            (Some(b""), Err(BadAddress::Syntax)),
        ];
        for (argument, expected) in table {
            assert_eq!(parse_epsv(argument), expected, "{argument:?}");
        }
    }

    #[test]
    fn texts() {
        let text = pasv_text("192.0.2.7:50012".parse().unwrap());
        assert_eq!(text, "Entering Passive Mode (192,0,2,7,195,92).");
        assert_eq!(epsv_text(50012), "Entering Extended Passive Mode (|||50012|).");
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(argument: Vec<u8>) {
            let _ = (parse_port(&argument), parse_eprt(&argument), parse_epsv(Some(&argument)));
        }

        #[test]
        fn near_misses_never_panic(argument in "[|!]?[0-3]?[|!][0-9.:a-f]{0,20}[|!][0-9]{0,6}[|!]?") {
            if let Ok(address) = parse_eprt(argument.as_bytes()) {
                prop_assert!(address.port() != 0);
            }
        }

        #[test]
        fn what_pasv_says_port_reads(ip: u32, port in 1..=u16::MAX) {
            let address = SocketAddrV4::new(ip.into(), port);
            let text = pasv_text(address);
            let inside = text.split(['(', ')']).nth(1).unwrap();
            prop_assert_eq!(parse_port(inside.as_bytes()), Ok(address));
        }

        #[test]
        fn addresses_come_back(ip: std::net::IpAddr, port in 1..=u16::MAX) {
            let protocol = if ip.is_ipv4() { 1 } else { 2 };
            let argument = format!("|{protocol}|{ip}|{port}|");
            prop_assert_eq!(parse_eprt(argument.as_bytes()), Ok(SocketAddr::new(ip, port)));
        }
    }
}
