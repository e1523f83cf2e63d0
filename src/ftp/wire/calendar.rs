//! Seconds since 1970 to a date of the Gregorian calendar in UTC and back, for times that fit four digits of year.
//! Knows no format, no zone and no clock.

/// A date and time of day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    pub year: u16,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
}

pub(super) const SECONDS_PER_DAY: i64 = 86_400;
/// 0000-01-01 00:00:00, the first moment whose year has four digits.
const EARLIEST: i64 = -62_167_219_200;
/// 9999-12-31 23:59:59, the last one.
const LATEST: i64 = 253_402_300_799;
/// Days of 400 years, after which the calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01. Years are counted from March, so that the leap day comes last.
const EPOCH_FROM_MARCH_0: i64 = 719_468;

impl Civil {
    /// The date of `seconds` since 1970. A moment outside the years 0 to 9999 becomes the nearest inside, so that
    /// a broken time stamp keeps the columns of a listing.
    pub fn from_unix(seconds: i64) -> Civil {
        let seconds = seconds.clamp(EARLIEST, LATEST);
        let days = seconds.div_euclid(SECONDS_PER_DAY) + EPOCH_FROM_MARCH_0;
        let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
        let era = days.div_euclid(DAYS_PER_ERA);
        let of_era = days.rem_euclid(DAYS_PER_ERA);
        // Days less the leap days so far: one in 4 years, none in 100, one in 400.
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // From March on, months of 31 and 30 days alternate in groups of five that last 153 days.
        let march_month = (5 * of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        Civil {
            year: year as u16,
            month: month as u8,
            day: (of_year - (153 * march_month + 2) / 5 + 1) as u8,
            hour: (of_day / 3_600) as u8,
            minute: (of_day / 60 % 60) as u8,
            second: (of_day % 60) as u8,
        }
    }

    /// Seconds since 1970, or `None` where there is no such date or time of day. Second 60, a leap second, is
    /// allowed and is the first of the next minute, as Unix time has it.
    pub fn to_unix(self) -> Option<i64> {
        let Civil { year, month, day, hour, minute, second } = self;
        let days_of_month = match month {
            4 | 6 | 9 | 11 => 30,
            2 if is_leap(year) => 29,
            2 => 28,
            1..=12 => 31,
            _ => return None,
        };
        if day == 0 || day > days_of_month || hour > 23 || minute > 59 || second > 60 || year > 9_999 {
            return None;
        }
        let year = i64::from(year) - i64::from(month <= 2);
        let march_month = (i64::from(month) + 9) % 12;
        let of_year = (153 * march_month + 2) / 5 + i64::from(day) - 1;
        let year_of_era = year.rem_euclid(400);
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
        let days = year.div_euclid(400) * DAYS_PER_ERA + of_era - EPOCH_FROM_MARCH_0;
        Some(days * SECONDS_PER_DAY + i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second))
    }
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Datelike, Timelike};
    use proptest::prelude::*;

    fn check(seconds: i64) {
        let civil = Civil::from_unix(seconds);
        let other = DateTime::from_timestamp(seconds, 0).unwrap();
        assert_eq!(
            (i32::from(civil.year), u32::from(civil.month), u32::from(civil.day)),
            (other.year(), other.month(), other.day()),
            "{seconds}"
        );
        assert_eq!(
            (u32::from(civil.hour), u32::from(civil.minute), u32::from(civil.second)),
            (other.hour(), other.minute(), other.second())
        );
        assert_eq!(civil.to_unix(), Some(seconds));
    }

    #[test]
    fn every_day_of_ten_thousand_years_agrees_with_chrono() {
        for day in EARLIEST / SECONDS_PER_DAY..=LATEST / SECONDS_PER_DAY {
            check(day * SECONDS_PER_DAY + day.rem_euclid(SECONDS_PER_DAY));
        }
        check(EARLIEST);
        check(LATEST);
    }

    #[test]
    fn what_is_outside_becomes_the_nearest_inside() {
        assert_eq!(Civil::from_unix(i64::MIN), Civil::from_unix(EARLIEST));
        assert_eq!(Civil::from_unix(i64::MAX), Civil::from_unix(LATEST));
    }

    proptest! {
        #[test]
        fn any_second_agrees_with_chrono(seconds in EARLIEST..=LATEST) {
            check(seconds);
        }

        #[test]
        fn any_fields_never_panic(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) {
            let _ = Civil { year, month, day, hour, minute, second }.to_unix();
        }
    }
}
