//! From where a service may be reached, and which of those who come are proxies. Rules as they were given, and what they
//! come to; knows no socket.

use std::net::IpAddr;

use gftp_plugin::Networks;

/// Who may come to a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Whoever is in one of these may not come.
    pub deny: Networks,
    /// Whoever is in none of these may not come either; none: everybody may.
    pub allow: Networks,
    /// Proxies: a connection from there begins with a PROXY header, which is believed. From elsewhere none is.
    pub proxies: Networks,
    /// Whether nobody may come but by a proxy.
    pub only_by_proxy: bool,
}

impl Entry {
    /// Whether an address may come: the denied never, of the others those who are allowed, or all where nobody was named.
    pub fn admits(&self, address: IpAddr) -> bool {
        !self.deny.contain(address) && (self.allow.is_empty() || self.allow.contain(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_the_denied_then_the_allowed() {
        let networks = |text: &str| text.parse::<Networks>().unwrap();
        let open = Entry { deny: networks("192.0.2.0/24"), ..Entry::default() };
        assert!(!open.admits([192, 0, 2, 7].into()) && open.admits([198, 51, 100, 7].into()));
        let closed = Entry { allow: networks("192.0.2.0/24,2001:db8::/32"), deny: networks("192.0.2.7"), ..open };
        assert!(closed.admits([192, 0, 2, 8].into()) && !closed.admits([192, 0, 2, 7].into()));
        assert!(!closed.admits([198, 51, 100, 7].into()) && closed.admits("2001:db8::1".parse().unwrap()));
    }
}
