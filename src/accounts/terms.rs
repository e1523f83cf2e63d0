//! On what terms an account may come in: from where, how often at once, until when, and how fast. Pure: the time is handed in.
//! It refuses to know who the account is, and who keeps to a rate.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gftp_plugin::canonical;
use ipnet::IpNet;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use time::{Date, Month, PrimitiveDateTime, UtcOffset};
use toml::value::{Datetime, Offset};

use super::rate::{Rates, show_rate};

/// The terms of one account. Those of nobody in particular: from anywhere, as often as the server lets, for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Where it may come from; empty: anywhere.
    pub networks: Vec<IpNet>,
    /// Where it may not come from, even if it lies in one of those.
    pub denied_networks: Vec<IpNet>,
    /// Sessions that it may have at once; None: as the server has it.
    pub sessions: Option<NonZeroUsize>,
    /// When it ends.
    pub expires: Option<Expiry>,
    /// How fast its transfers may go.
    pub rate: Rates,
}

/// Why an account whose password is right may not come in, or not stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Barred {
    /// It has ended, at the time that was written.
    Expired(String),
    /// It may come from some networks, and that is in none of them.
    Elsewhere,
    /// It may not come from there.
    Denied,
}

/// The end of an account: the end of a day, UTC, or a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The first second in which it has ended, from 1970 on.
    at: i64,
    written: Datetime,
}

impl Terms {
    /// Why somebody from there is barred now; None: he is not.
    pub fn bar(&self, from: IpAddr, now: SystemTime) -> Option<Barred> {
        if let Some(expires) = self.expires.as_ref().filter(|expires| expires.is_over(now)) {
            return Some(Barred::Expired(expires.to_string()));
        }
        let within = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&from));
        if within(&self.denied_networks) {
            return Some(Barred::Denied);
        }
        let elsewhere = !self.networks.is_empty() && !within(&self.networks);
        elsewhere.then_some(Barred::Elsewhere)
    }
}

/// What is agreed, in words with commas between them; nothing where nothing is.
impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |word: &str, networks: &[IpNet]| {
            let names = networks.iter().map(ToString::to_string).collect::<Vec<_>>();
            (!names.is_empty()).then(|| format!("{word} {}", names.join(" or ")))
        };
        let words = [
            names("from", &self.networks),
            names("not from", &self.denied_networks),
            self.sessions.map(|sessions| format!("{sessions} at once")),
            self.expires.as_ref().map(|expires| format!("until {expires}")),
            self.rate.download.map(|rate| format!("down {}", show_rate(rate))),
            self.rate.upload.map(|rate| format!("up {}", show_rate(rate))),
        ];
        f.write_str(&words.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Display for Barred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Barred::Expired(when) => write!(f, "the account has expired ({when})"),
            Barred::Elsewhere => f.write_str("the account may not come from that address (networks)"),
            Barred::Denied => f.write_str("the account may not come from that address (denied-networks)"),
        }
    }
}

impl Expiry {
    /// Whether it has come.
    pub fn is_over(&self, now: SystemTime) -> bool {
        let since = |earlier, later: SystemTime| later.duration_since(earlier).unwrap_or(Duration::ZERO);
        let after = i64::try_from(since(UNIX_EPOCH, now).as_secs()).unwrap_or(i64::MAX);
        after >= self.at
    }

    fn of(written: Datetime) -> Option<Expiry> {
        let date = written.date?;
        let date = Date::from_calendar_date(date.year.into(), Month::try_from(date.month).ok()?, date.day).ok()?;
        let Some(time) = written.time else {
            // No account outlives the calendar's last day.
            let at = date.next_day().map_or(i64::MAX, |next| next.midnight().assume_utc().unix_timestamp());
            return Some(Expiry { at, written });
        };
        // A leap second is the last of its minute here.
        let second = time.second.unwrap_or(0).min(59);
        let time = time::Time::from_hms(time.hour, time.minute, second).ok()?;
        let minutes = match written.offset {
            None | Some(Offset::Z) => 0,
            Some(Offset::Custom { minutes }) => minutes,
        };
        let offset = UtcOffset::from_whole_seconds(i32::from(minutes) * 60).ok()?;
        Some(Expiry { at: PrimitiveDateTime::new(date, time).assume_offset(offset).unix_timestamp(), written })
    }

    /// As it was written.
    pub fn written(&self) -> Datetime {
        self.written
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written.fmt(f)
    }
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().ok().and_then(Expiry::of).ok_or_else(|| format!("{text:?} is no day; {DAY_EXPECTED}"))
    }
}

/// What an end looks like, for whoever mistyped one.
const DAY_EXPECTED: &str = "expected the account's last day (UTC), as 2026-12-31, or a moment, as 2026-12-31T18:00:00Z";

/// A network, or one address. An error says what was expected.
pub fn parse_network(text: &str) -> Result<IpNet, String> {
    let network =
        text.parse::<IpNet>().map(|network| network.trunc()).or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network
        .map(canonical)
        .map_err(|_| format!("{text:?} is no network; expected one as \"192.0.2.0/24\" or \"2001:db8::/32\""))
}

/// A number of sessions. An error says what was expected.
pub fn parse_sessions(count: i64) -> Result<NonZeroUsize, String> {
    let count = usize::try_from(count).ok().and_then(NonZeroUsize::new);
    count.ok_or_else(|| "expected how many sessions at once, at least 1".to_string())
}

pub(super) struct TypedNetworks(pub(super) Vec<IpNet>);

impl<'de> Deserialize<'de> for TypedNetworks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let networks = Vec::<Network>::deserialize(deserializer)?;
        if networks.is_empty() {
            return Err(de::Error::custom("an empty list of networks; leave the key out if there are none"));
        }
        Ok(TypedNetworks(networks.into_iter().map(|network| network.0).collect()))
    }
}

struct Network(IpNet);

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NetworkVisitor)
    }
}

/// What goes wrong inside a visitor has the place of the one network.
struct NetworkVisitor;

impl Visitor<'_> for NetworkVisitor {
    type Value = Network;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a network, as \"192.0.2.0/24\" or \"2001:db8::/32\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Network, E> {
        parse_network(text).map(Network).map_err(E::custom)
    }
}

pub(super) struct TypedSessions(pub(super) NonZeroUsize);

impl<'de> Deserialize<'de> for TypedSessions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse_sessions(i64::deserialize(deserializer)?).map(TypedSessions).map_err(de::Error::custom)
    }
}

pub(super) struct TypedExpiry(pub(super) Expiry);

impl<'de> Deserialize<'de> for TypedExpiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExpiryVisitor)
    }
}

/// A date of TOML, which its parser hands over as a map of its own, or text as JSON has it.
struct ExpiryVisitor;

impl<'de> Visitor<'de> for ExpiryVisitor {
    type Value = TypedExpiry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the account's last day, as 2026-12-31")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<TypedExpiry, E> {
        text.parse().map(TypedExpiry).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TypedExpiry, A::Error> {
        let written =
            Datetime::deserialize(MapAccessDeserializer::new(map)).map_err(|_| de::Error::custom(DAY_EXPECTED))?;
        let expiry = Expiry::of(written).ok_or_else(|| format!("{written} is no day; {DAY_EXPECTED}"));
        expiry.map(TypedExpiry).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// Seconds from 1970 to the end of 2026 (`date -u -d 2027-01-01 +%s`).
    const NEW_YEAR: u64 = 1_798_761_600;

    #[test]
    fn an_account_ends_with_its_last_day() {
        let expiry: Expiry = "2026-12-31".parse().unwrap();
        assert!(!expiry.is_over(at(NEW_YEAR - 1)) && expiry.is_over(at(NEW_YEAR)), "midnight, UTC");
        for (written, end) in [
            ("2026-12-31T18:00:00Z", NEW_YEAR - 6 * 3600),
            ("2026-12-31 18:00:00", NEW_YEAR - 6 * 3600),
            ("2026-12-31T18:00:00+02:00", NEW_YEAR - 8 * 3600),
            ("2026-12-31T23:59:60Z", NEW_YEAR - 1),
        ] {
            let expiry: Expiry = written.parse().unwrap();
            assert!(!expiry.is_over(at(end - 1)) && expiry.is_over(at(end)), "{written}");
        }
        assert!("1969-01-01".parse::<Expiry>().unwrap().is_over(at(0)));
        assert!(!"9999-12-31".parse::<Expiry>().unwrap().is_over(at(NEW_YEAR)));
        for wrong in ["", "18:00:00", "2026-13-01", "2026-02-30", "31.12.2026", "tomorrow"] {
            assert!(wrong.parse::<Expiry>().unwrap_err().contains("2026-12-31"), "{wrong}");
        }
    }

    #[test]
    fn networks_are_where_one_may_come_from() {
        let networks = ["192.0.2.0/24", "198.51.100.7", "2001:db8::/32"].map(|text| parse_network(text).unwrap());
        let terms = Terms { networks: networks.into(), ..Terms::default() };
        for (from, bar) in [
            ("192.0.2.255", None),
            ("192.0.3.0", Some(Barred::Elsewhere)),
            ("198.51.100.7", None),
            ("198.51.100.8", Some(Barred::Elsewhere)),
            ("2001:db8:ffff::1", None),
            ("2001:db9::1", Some(Barred::Elsewhere)),
        ] {
            assert_eq!(terms.bar(from.parse().unwrap(), at(0)), bar, "{from}");
        }
        assert_eq!(Terms::default().bar([192, 0, 2, 1].into(), at(0)), None);
        let denied_networks = ["192.0.2.64/26", "203.0.113.0/24"].map(|text| parse_network(text).unwrap());
        let denied = |terms| Terms { denied_networks: denied_networks.into(), ..terms };
        for (terms, from, bar) in [
            (denied(terms.clone()), "192.0.2.63", None),
            (denied(terms.clone()), "192.0.2.64", Some(Barred::Denied)),
            (denied(terms), "203.0.112.1", Some(Barred::Elsewhere)),
            (denied(Terms::default()), "203.0.112.1", None),
            (denied(Terms::default()), "203.0.113.1", Some(Barred::Denied)),
        ] {
            assert_eq!(terms.bar(from.parse().unwrap(), at(0)), bar, "{from}");
        }
        for (written, network) in [("::ffff:192.0.2.0/120", "192.0.2.0/24"), ("::ffff:192.0.2.7", "192.0.2.7/32")] {
            assert_eq!(parse_network(written).unwrap().to_string(), network, "a client's address is never written so");
        }
        for wrong in ["", "192.0.2.0/33", "192.0.2", "example.org", "::/129"] {
            assert!(parse_network(wrong).unwrap_err().contains("192.0.2.0/24"), "{wrong}");
        }
    }
}
