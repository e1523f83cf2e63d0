//! Names of servers as HOST has them (RFC 7151 §3.1): a domain name, an IPv4 address, or an IPv6 address in brackets.
//! Refuses to know which names are this server's.

use std::net::Ipv6Addr;

/// The longest domain name (RFC 1035 §2.3.4, without the length bytes of its coding).
const MAX_NAME: usize = 253;
/// The longest label of one.
const MAX_LABEL: usize = 63;

/// Whether it can be the name of a server. A port is no part of it.
pub fn is_host(name: &[u8]) -> bool {
    if let Some(bracketed) = name.strip_prefix(b"[") {
        let address = bracketed.strip_suffix(b"]").and_then(|inside| std::str::from_utf8(inside).ok());
        return address.is_some_and(|text| text.parse::<Ipv6Addr>().is_ok());
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    name.len() <= MAX_NAME && name.split(|&byte| byte == b'.').all(is_label)
}

/// Letters, digits and hyphens, none of these first or last; the underscore is no host's by the letter, and in use.
fn is_label(label: &[u8]) -> bool {
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let edge = |byte: Option<&u8>| byte.is_some_and(|&byte| byte != b'-');
    label.len() <= MAX_LABEL && label.iter().all(known) && edge(label.first()) && edge(label.last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let long = ["a"; 127].join(".");
        for name in ["ftp.example.com", "ftp.example.com.", "localhost", "xn--bcher-kva.example", "192.0.2.1", "[::1]"]
        {
            assert!(is_host(name.as_bytes()), "{name}");
        }
        assert!(is_host(b"[2001:db8::7]") && is_host(b"a_b.example") && is_host(long.as_bytes()));
        assert!(is_host("a".repeat(63).as_bytes()) && !is_host("a".repeat(64).as_bytes()));
        for name in ["", ".", "a..b", ".a", "-a", "a-", "a b", "a:21", "::1", "[::1", "[]", "[ftp]", "[192.0.2.1]"] {
            assert!(!is_host(name.as_bytes()), "{name}");
        }
        assert!(!is_host(format!("{long}.a").as_bytes()) && !is_host(b"[::1]:21") && !is_host("bücher".as_bytes()));
    }
}
