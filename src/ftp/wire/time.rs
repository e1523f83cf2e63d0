//! The time values of MDTM, MFMT and the fact Modify (RFC 3659 §2.3).
//! Refuses to know zones: all of them are UTC.

use super::calendar::Civil;

/// Digits of a time value before its fraction.
const TIME_DIGITS: usize = 14;
/// Digits of a fraction that are read; the rest is finer than any file system knows.
const NANO_DIGITS: usize = 9;
/// The longest fraction that is accepted. Nobody measures attoseconds: what is longer is no time.
const MAX_FRACTION_DIGITS: usize = 18;

/// A time value, `YYYYMMDDHHMMSS` in UTC (RFC 3659 §2.3). What lies outside the years 0 to 9999 becomes the nearest
/// moment inside.
pub fn format_time(seconds: i64) -> [u8; TIME_DIGITS] {
    let date = Civil::from_unix(seconds);
    let [century, year] = [date.year / 100, date.year % 100].map(|pair| pair as u8);
    let pairs = [century, year, date.month, date.day, date.hour, date.minute, date.second];
    let mut out = [b'0'; TIME_DIGITS];
    for (place, pair) in out.as_chunks_mut::<2>().0.iter_mut().zip(pairs) {
        *place = [b'0' + pair / 10, b'0' + pair % 10];
    }
    out
}

/// Reads a time value: 14 digits, and a fraction after a point if one is wanted (RFC 3659 §2.3). Seconds since 1970
/// and nanoseconds, or `None` where it is no date of the calendar.
pub fn parse_time(value: &[u8]) -> Option<(i64, u32)> {
    let (whole, fraction) = value.split_at_checked(TIME_DIGITS)?;
    if !whole.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let nanos = match fraction {
        [] => 0,
        [b'.', digits @ ..] => parse_fraction(digits)?,
        _ => return None,
    };
    let mut pairs = [0; TIME_DIGITS / 2];
    for (pair, [tens, ones]) in pairs.iter_mut().zip(whole.as_chunks::<2>().0) {
        *pair = (tens - b'0') * 10 + (ones - b'0');
    }
    let [century, year, month, day, hour, minute, second] = pairs;
    let year = u16::from(century) * 100 + u16::from(year);
    Some((Civil { year, month, day, hour, minute, second }.to_unix()?, nanos))
}

fn parse_fraction(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > MAX_FRACTION_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let padded = digits.iter().chain(std::iter::repeat(&b'0')).take(NANO_DIGITS);
    Some(padded.fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A value, and the seconds and nanoseconds that it means.
    type Case = (&'static [u8], Option<(i64, u32)>);

    #[test]
    fn times() {
        let table: &[Case] = &[
            (b"19700101000000", Some((0, 0))),
            (b"19691231235959", Some((-1, 0))),
            (b"20261123012100", Some((1_795_396_860, 0))),
            (b"20261123012100.5", Some((1_795_396_860, 500_000_000))),
            (b"20261123012100.123456789987654321", Some((1_795_396_860, 123_456_789))),
            (b"20000229000000", Some((951_782_400, 0))),
            (b"20161231235960", Some((1_483_228_800, 0))),
            (b"20010229000000", None),
            (b"19000229000000", None),
            (b"20260431000000", None),
            (b"20260001000000", None),
            (b"20261301000000", None),
            (b"20260100000000", None),
            (b"20260101240000", None),
            (b"20260101006000", None),
            (b"20260101000061", None),
            (b"20261123012100.", None),
            (b"20261123012100.1x", None),
            (b"20261123012100.1234567890123456789", None),
            (b"2026112301210", None),
            (b"202611230121000", None),
            (b"191001010000000", None),
            (b"2026112301210x", None),
            (b"+0261123012100", None),
            (b" 20261123012100", None),
            (b"", None),
        ];
        for (value, expected) in table {
            assert_eq!(parse_time(value), *expected, "{:?}", String::from_utf8_lossy(value));
        }
        assert_eq!(&format_time(i64::MIN), b"00000101000000");
        assert_eq!(&format_time(i64::MAX), b"99991231235959");
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            let _ = parse_time(&bytes);
        }

        #[test]
        fn any_digits_never_panic(value in "[0-9]{14}(\\.[0-9]{0,20})?") {
            if let Some((seconds, nanos)) = parse_time(value.as_bytes()) {
                prop_assert!(nanos < 1_000_000_000);
                if &value[12..14] != "60" {
                    prop_assert_eq!(&format_time(seconds), &value.as_bytes()[..14]);
                }
            }
        }

        #[test]
        fn times_come_back(seconds in -62_167_219_200..=253_402_300_799_i64) {
            prop_assert_eq!(parse_time(&format_time(seconds)), Some((seconds, 0)));
        }
    }
}
