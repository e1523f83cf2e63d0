//! Values of options: text to what it means, and for text that means nothing a sentence that shows what to type.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;

use log::LevelFilter;

use crate::accounts::users;
use crate::store::{Rights, VirtualPath};

/// An address to listen on, and its own port, if one is given.
pub(super) fn parse_listen(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok((address.ip(), Some(address.port())));
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match bare.parse() {
        Ok(ip) => Ok((ip, None)),
        Err(_) => Err("give an IP address, as 0.0.0.0, 192.0.2.7:2121, :: or [::1]:2121".to_string()),
    }
}

/// How many may come: nobody would be served by none.
pub(super) fn parse_count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&count| count > 0).ok_or_else(|| "give a number, at least 1".to_string())
}

/// A range of ports, or one.
pub(super) fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse::<u16>(), last.trim().parse::<u16>()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(first..=last),
        _ => Err("give a range of ports, as 50000-50010".to_string()),
    }
}

/// An IPv4 address, or that of a name.
pub(super) fn parse_public(text: &str) -> Result<Ipv4Addr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let found = (text, 0).to_socket_addrs().map_err(|e| format!("this name cannot be resolved: {e}"))?;
    let v4 = found.filter_map(|address| match address.ip() {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    });
    v4.into_iter().next().ok_or_else(|| "give an IPv4 address, or a name that has one (PASV knows no IPv6)".to_string())
}

/// A home below the root.
pub(super) fn parse_home(text: &str) -> Result<VirtualPath, String> {
    users::read_home(text)
}

/// The name of usual rights, or their words.
pub(super) fn parse_rights(text: &str) -> Result<Rights, String> {
    users::read_rights(text)
}

/// How much is logged.
pub(super) fn parse_level(text: &str) -> Result<LevelFilter, String> {
    text.parse().map_err(|_| "give off, error, warn, info, debug or trace".to_string())
}
