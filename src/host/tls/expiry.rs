//! When a certificate is good, and what is said before it no longer is. Pure.

use time::OffsetDateTime;

/// A day, in seconds.
const DAY: i64 = 24 * 60 * 60;
/// So many days before the end the first warning comes; or in the last quarter of a certificate's life, if that is later:
/// one of 90 days is renewed a month before its end, and is not to be warned of before that can have failed.
const FIRST: i64 = 30;
/// The part of a life after which the end is near.
const LAST_PART: i64 = 4;
/// So many days before the end the second one comes.
const SECOND: i64 = 14;
/// From so many days before the end on there is a warning each day.
const DAILY: i64 = 7;

/// When a certificate is good, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub from: i64,
    pub until: i64,
}

impl Validity {
    /// The last day on which it is good (UTC).
    pub(super) fn last_day(&self) -> String {
        day(self.until)
    }
}

fn day(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .map_or_else(|_| "a day beyond all calendars".into(), |at| at.date().to_string())
}

/// What to warn of now, in seconds since 1970. `said` remembers how near the end was the last time, so that each is said
/// once; empty, whatever there is to say is said.
pub(super) fn due(validity: &Validity, now: u64, said: &mut Option<i64>) -> Option<String> {
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let Some(near) = nearness(validity, now) else {
        *said = None;
        return None;
    };
    if said.replace(near) == Some(near) {
        return None;
    }
    Some(words(validity, now))
}

/// How near the end is: days, but of the first weeks only which one it is. None while it is far.
fn nearness(validity: &Validity, now: i64) -> Option<i64> {
    if now < validity.from {
        return Some(i64::MAX);
    }
    let left = validity.until.saturating_sub(now);
    let lifetime = validity.until.saturating_sub(validity.from);
    if left >= (FIRST * DAY).min(lifetime / LAST_PART) {
        return None;
    }
    Some(match left.div_euclid(DAY) {
        days if days >= SECOND => FIRST,
        days if days >= DAILY => SECOND,
        days => days,
    })
}

fn words(validity: &Validity, now: i64) -> String {
    const RENEW: &str = "renew it, and it is taken up without a restart";
    let until = day(validity.until);
    if now < validity.from {
        return format!("it is not good before {}: is the clock of this machine right?", day(validity.from));
    }
    match validity.until.saturating_sub(now) {
        left if left < 0 => format!("it expired on {until}, and clients refuse it: {RENEW}"),
        left if left < DAY => format!("it expires within a day, on {until}: {RENEW}"),
        left => format!("it expires in {} days, on {until}: {RENEW}", left.div_euclid(DAY)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a certificate that is good for so many days, when so many whole days are left.
    fn said(good_for: i64, days: impl Iterator<Item = i64>) -> Vec<(i64, String)> {
        let validity = Validity { from: 0, until: good_for * DAY };
        let mut last = None;
        // At midday, and once more in the evening: what has been said is not said again.
        let on =
            |left: i64, later: i64| u64::try_from(validity.until - left * DAY - DAY / 2 + later).expect("after 1970");
        let look = |left: i64| {
            let text = due(&validity, on(left, 0), &mut last);
            assert_eq!(due(&validity, on(left, DAY / 4), &mut last), None, "said again, {left} days before the end");
            text.map(|text| (left, text))
        };
        days.filter_map(look).collect()
    }

    #[test]
    fn the_end_is_said_ever_more_often() {
        let all = said(365, (-3..=60).rev());
        let days: Vec<_> = all.iter().map(|(left, _)| *left).collect();
        assert_eq!(days, [29, 13, 6, 5, 4, 3, 2, 1, 0, -1, -2, -3]);
        let text = |left| all.iter().find(|(day, _)| *day == left).map_or("nothing", |(_, text)| text.as_str());
        assert_eq!(text(13), "it expires in 13 days, on 1971-01-01: renew it, and it is taken up without a restart");
        assert!(text(0).starts_with("it expires within a day, on 1971-01-01: renew"), "{}", text(0));
        assert!(text(-1).starts_with("it expired on 1971-01-01, and clients refuse it: renew"), "{}", text(-1));
    }

    #[test]
    fn what_lives_shortly_is_warned_of_late() {
        let first = |good_for| said(good_for, (0..good_for).rev()).first().map(|(left, _)| *left);
        assert_eq!(first(3650), Some(29));
        assert_eq!(first(88), Some(21), "a month before, it has just been renewed");
        assert_eq!(first(4), Some(0));
    }

    #[test]
    fn one_for_tomorrow_is_said_and_then_forgotten() {
        let (validity, mut last) = (Validity { from: 10 * DAY, until: 400 * DAY }, None);
        let early = due(&validity, 9 * 86_400, &mut last).expect("it is not good yet");
        assert!(early.contains("not good before 1970-01-11") && early.contains("clock"), "{early}");
        assert_eq!(due(&validity, 11 * 86_400, &mut last), None);
        assert_eq!(last, None);
    }

    #[test]
    fn no_times_overflow() {
        for (from, until) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (i64::MIN, i64::MIN), (0, 0)] {
            for now in [0, 1, u64::MAX] {
                let validity = Validity { from, until };
                let _ = (due(&validity, now, &mut None), validity.last_day());
            }
        }
    }
}
