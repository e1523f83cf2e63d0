//! Networks as people write them (192.0.2.0/24, 2001:db8::/32, or one address), and who is in one. Knows no rule that is
//! made of them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// Networks at most in one list: each newcomer is compared with all of them.
const MOST: usize = 1024;

/// Some networks, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// This machine itself: 127.0.0.0/8 and ::1.
    pub fn loopback() -> Networks {
        let v4 = IpNet::new_assert(IpAddr::from([127, 0, 0, 0]), 8);
        Networks(vec![v4, IpNet::from(IpAddr::from(std::net::Ipv6Addr::LOCALHOST))])
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an address is in one of them. An IPv4 address that is written as IPv6's is an IPv4 address.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// A network or an address; what is wrong is said with an example.
pub fn parse_network(text: &str) -> Result<IpNet, String> {
    let wrong = || format!("{text:?} is no network: give one as 192.0.2.0/24, 2001:db8::/32 or 192.0.2.7");
    let network =
        canonical(text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| wrong())?);
    // 192.0.2.7/24 is more often one address with a wrong mask than a network.
    match network.addr() == network.network() {
        true => Ok(network),
        false => Err(format!("{text} has more bits than its mask; the network is {}", network.trunc())),
    }
}

/// An IPv4 network that is written as IPv6's (::ffff:192.0.2.0/120) is an IPv4 network, as its addresses are.
pub fn canonical(network: IpNet) -> IpNet {
    /// Bits before the IPv4 address.
    const BEFORE: u8 = 96;
    let (IpAddr::V4(address), Some(bits)) = (network.addr().to_canonical(), network.prefix_len().checked_sub(BEFORE))
    else {
        return network;
    };
    if network.addr().is_ipv4() { network } else { IpNet::new(address.into(), bits).unwrap_or(network) }
}

impl FromIterator<Networks> for Networks {
    fn from_iter<I: IntoIterator<Item = Networks>>(lists: I) -> Self {
        Networks(lists.into_iter().flat_map(|list| list.0).collect())
    }
}

/// A list with commas between; "none" is the empty one.
impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "none" {
            return Ok(Networks::default());
        }
        let networks = text.split(',').map(|one| parse_network(one.trim())).collect::<Result<Vec<_>, _>>()?;
        match networks.len() {
            0..=MOST => Ok(Networks(networks)),
            many => Err(format!("{many} networks; give at most {MOST}")),
        }
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<_> = self.0.iter().map(|network| network.to_string()).collect();
        f.write_str(if shown.is_empty() { "none".to_string() } else { shown.join(",") }.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_who_is_in_them() {
        let list: Networks = "192.0.2.0/24, 2001:db8::/32,198.51.100.7".parse().unwrap();
        for (address, is_in) in [
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("::ffff:192.0.2.1", true),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
        ] {
            assert_eq!(list.contain(address.parse().unwrap()), is_in, "{address}");
        }
        assert_eq!(list.to_string(), "192.0.2.0/24,2001:db8::/32,198.51.100.7/32");
        assert!("none".parse::<Networks>().unwrap().is_empty());
        assert!(Networks::loopback().contain([127, 1, 2, 3].into()));
    }

    #[test]
    fn mistakes_show_what_to_type() {
        for (text, told) in [
            ("", "is no network"),
            ("192.0.2.0/33", "is no network"),
            ("example.org", "192.0.2.0/24"),
            ("192.0.2.7/24", "the network is 192.0.2.0/24"),
            ("10.0.0.0/8,,", "is no network"),
        ] {
            assert!(text.parse::<Networks>().is_err_and(|e| e.contains(told)), "{text:?}");
        }
        let many = vec!["192.0.2.7"; MOST + 1].join(",");
        assert!(many.parse::<Networks>().is_err_and(|e| e.contains("at most")));
    }
}
