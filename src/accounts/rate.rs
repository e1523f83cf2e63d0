//! How fast an account may go, as people write it: `10 MiB/s`, `1 Gbit/s`. Pure; it refuses to know who keeps to it.

use std::num::NonZeroU64;

use serde::Deserialize;
use serde::de::{self, Deserializer};

/// What a rate looks like, for whoever mistyped one.
const EXPECTED: &str = "expected a number and a unit, as \"500 KiB/s\", \"2 MB/s\" or \"1 Gbit/s\"";
/// Multiples by their letters, in the order in which they are tried: thousands, and powers of 1,024 with an i.
const MULTIPLES: [(&str, u64); 9] = [
    ("ki", 1 << 10),
    ("mi", 1 << 20),
    ("gi", 1 << 30),
    ("ti", 1 << 40),
    ("k", 1_000),
    ("m", 1_000_000),
    ("g", 1_000_000_000),
    ("t", 1_000_000_000_000),
    ("", 1),
];
/// Digits behind the point that count: no unit has more of its smaller one.
const MOST_DECIMALS: usize = 12;

/// How many bytes a second may pass; None: as many as will.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Towards the client.
    pub download: Option<NonZeroU64>,
    /// From the client.
    pub upload: Option<NonZeroU64>,
}

/// The bytes a second that `text` means: a number, perhaps with a point, and a unit of bytes (B, KiB, MB …) or bits (bit, kbit,
/// Mbit …) with `/s` behind it, in any case. An error says what was expected.
pub fn parse_rate(text: &str) -> Result<NonZeroU64, String> {
    let wrong = || format!("{text:?} is no rate; {EXPECTED}");
    let lower = text.trim().to_ascii_lowercase();
    let unit_at = lower.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let (number, unit) = lower.split_at(unit_at);
    let unit = unit.trim_start().strip_suffix("/s").ok_or_else(wrong)?.trim_end();
    let (multiple, bits) = unit
        .strip_suffix("bit")
        .map(|multiple| (multiple, 8))
        .or_else(|| unit.strip_suffix('b').map(|multiple| (multiple, 1)))
        .ok_or_else(wrong)?;
    let (_, multiple) = MULTIPLES.iter().find(|(letters, _)| *letters == multiple).ok_or_else(wrong)?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || decimals.is_empty() || decimals.contains('.') || decimals.len() > MOST_DECIMALS {
        return Err(wrong());
    }
    let too_much = || format!("{text:?} is more than anything can carry; {EXPECTED}");
    let scale = 10_u128.pow(u32::try_from(decimals.len()).unwrap_or(0));
    let whole: u128 = whole.parse().map_err(|_| too_much())?;
    let decimals: u128 = decimals.parse().map_err(|_| wrong())?;
    let all = whole.checked_mul(scale).and_then(|whole| (whole + decimals).checked_mul(u128::from(*multiple)));
    let bytes = u64::try_from(all.ok_or_else(too_much)? / scale / bits).map_err(|_| too_much())?;
    let none = || format!("{text:?} lets nothing pass; {EXPECTED}");
    NonZeroU64::new(bytes).ok_or_else(none)
}

/// A rate as it is written back: in the largest unit that says it exactly.
pub fn show_rate(rate: NonZeroU64) -> String {
    const UNITS: [(&str, u64); 7] = [
        ("GiB/s", 1 << 30),
        ("GB/s", 1_000_000_000),
        ("MiB/s", 1 << 20),
        ("MB/s", 1_000_000),
        ("KiB/s", 1 << 10),
        ("kB/s", 1_000),
        ("B/s", 1),
    ];
    let fits = UNITS.iter().find(|(_, size)| rate.get().is_multiple_of(*size));
    fits.map_or_else(String::new, |(unit, size)| format!("{} {unit}", rate.get() / size))
}

/// A rate of a users file.
#[derive(Clone, Copy)]
pub(super) struct TypedRate(pub(super) NonZeroU64);

impl<'de> Deserialize<'de> for TypedRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_rate(&text).map(TypedRate).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("10 MiB/s", 10 << 20),
            ("500 KiB/s", 500 << 10),
            ("2 MB/s", 2_000_000),
            ("2MB/s", 2_000_000),
            ("1 Gbit/s", 125_000_000),
            ("1.5 Mbit/s", 187_500),
            ("0.5 KiB/s", 512),
            ("64 kbit/s", 8_000),
            ("1 TiB/s", 1 << 40),
            ("1 B/s", 1),
            ("8 bit/s", 1),
            (" 3 kb/s ", 3_000),
        ] {
            assert_eq!(parse_rate(text).map(NonZeroU64::get), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate_is_said_with_what_was_expected() {
        for text in [
            "",
            "10",
            "10 MiB",
            "MiB/s",
            "10 MiB/h",
            "10 XB/s",
            "-1 MB/s",
            ".5 MB/s",
            "5. MB/s",
            "1.2.3 MB/s",
            "1,5 MB/s",
            "0 MB/s",
            "0.1 B/s",
            "7 bit/s",
            "99999999999999999999 GB/s",
            "1e3 MB/s",
            "fast",
            "1.0000000000001 TB/s",
        ] {
            let said = parse_rate(text).unwrap_err();
            assert!(said.contains("KiB/s") && said.contains(&format!("{text:?}")), "{text}: {said}");
        }
        assert!(parse_rate(&"9".repeat(100)).is_err() && parse_rate(&format!("{} GB/s", "9".repeat(60))).is_err());
    }

    proptest! {
        #[test]
        fn a_rate_is_written_as_it_is_read(bytes in 1..=u64::MAX) {
            let rate = NonZeroU64::new(bytes).unwrap();
            prop_assert_eq!(parse_rate(&show_rate(rate)), Ok(rate));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}", number in "[0-9.]{0,50}") {
            let _ = parse_rate(&text);
            let _ = parse_rate(&format!("{number} TiB/s"));
        }
    }
}
