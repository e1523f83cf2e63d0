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
