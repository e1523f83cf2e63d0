//! What a second is called: where, and in which form. Knows no clock and no connection.

use std::ffi::OsStr;
use std::fmt::Write;
use std::str::FromStr;

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, FixedOffset, Local, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

/// Names that are offered for one that is none: a choice, not a list.
const OFFERED: usize = 3;
/// How alike a name must be to be offered, where 1 is the same: "Tokio" is Tokyo, and "Mars" is nothing.
const ALIKE: f64 = 0.85;

/// A zone of the IANA database, by its name. The database is within the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedZone(Tz);

/// How a time is written: strftime's letters, known to mean something.
#[derive(Clone, Debug)]
pub struct Format(Vec<Item<'static>>);

/// Where a clock hangs.
#[derive(Debug)]
pub(crate) enum Zone {
    Named(NamedZone),
    /// By a rule or a file that TZ names.
    Ruled(tz::TimeZone),
    /// Wherever this machine is said to be.
    System,
}

impl FromStr for NamedZone {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        named(name).ok_or_else(|| format!("there is no such zone{}; give one as --tz Asia/Tokyo", offer(name)))
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it would be an empty line: give letters of strftime, as %H:%M:%S".to_string());
        }
        let items = StrftimeItems::new(text).parse_to_owned().ok();
        // There are items that can be read and not written; they fail the same at any time.
        let items = items.filter(|items| written(&DateTime::<Utc>::UNIX_EPOCH, items).is_some());
        let wrong = || "a % in it means nothing: give letters of strftime, as %H:%M:%S, and %% for a percent sign";
        items.map(Format).ok_or_else(|| wrong().to_string())
    }
}

impl From<NamedZone> for Zone {
    fn from(zone: NamedZone) -> Zone {
        Zone::Named(zone)
    }
}

impl Zone {
    /// What `TZ` says (POSIX.1-2024 §8.3): a name of the IANA database, also behind a colon, which needs nothing of the
    /// machine; or a rule, or a file. Empty it is UTC, as everywhere; without it the machine is asked. What is none of
    /// these is an error, though other programs take it for UTC: a clock that is wrong is worse than none.
    pub(crate) fn of_environment(tz: Option<&OsStr>) -> Result<Zone, String> {
        let Some(text) = tz else { return Ok(Zone::System) };
        let shown = text.to_string_lossy();
        let name = shown.strip_prefix(':').unwrap_or(&shown);
        if name.is_empty() {
            return Ok(Zone::Named(NamedZone(Tz::UTC)));
        }
        if let Some(zone) = named(name) {
            return Ok(Zone::Named(zone));
        }
        let ruled = text.to_str().and_then(|text| tz::TimeZone::from_posix_tz(text).ok());
        ruled.map(Zone::Ruled).ok_or_else(|| {
            let offer = offer(name);
            format!("TZ={shown:?} names no time zone{offer}; set it as TZ=Asia/Tokyo, or give --tz Asia/Tokyo")
        })
    }

    /// The second `since` 1970 as it is called here. Empty for one that has no name, beyond all calendars.
    pub(crate) fn format(&self, since: i64, format: &Format) -> String {
        let Some(utc) = DateTime::<Utc>::from_timestamp(since, 0) else { return String::new() };
        let Format(items) = format;
        let written = match self {
            Zone::Named(NamedZone(zone)) => written(&utc.with_timezone(zone), items),
            Zone::Ruled(zone) => written(&utc.with_timezone(&offset(zone, since)), items),
            Zone::System => written(&utc.with_timezone(&Local), items),
        };
        written.unwrap_or_default()
    }
}

/// None where an item cannot be written; `to_string` would panic.
fn written<Z: chrono::TimeZone<Offset: std::fmt::Display>>(at: &DateTime<Z>, items: &[Item<'_>]) -> Option<String> {
    let mut text = String::new();
    write!(text, "{}", at.format_with_items(items.iter())).ok()?;
    Some(text)
}

fn offset(zone: &tz::TimeZone, since: i64) -> FixedOffset {
    let kind = zone.find_local_time_type(since).ok().or_else(|| {
        // A file may tell of no rule for what comes after it: then the last it tells of stays.
        let zone = zone.as_ref();
        let last = zone.transitions().last()?;
        zone.local_time_types().get(last.local_time_type_index())
    });
    let east = kind.map_or(0, tz::timezone::LocalTimeType::ut_offset);
    FixedOffset::east_opt(east).unwrap_or_else(|| chrono::Offset::fix(&Utc))
}

/// The zone of this name, whatever the case of its letters.
fn named(name: &str) -> Option<NamedZone> {
    TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name)).copied().map(NamedZone)
}

/// Zones whose names, or the last parts of them, are like this one; nothing if none is.
fn offer(name: &str) -> String {
    let name = name.trim().replace(' ', "_").to_lowercase();
    let likeness = |zone: &Tz| {
        let whole = zone.name().to_lowercase();
        let city = whole.rsplit('/').next().unwrap_or(&whole);
        strsim::jaro_winkler(&name, &whole).max(strsim::jaro_winkler(&name, city))
    };
    let mut alike: Vec<_> = TZ_VARIANTS.iter().map(|zone| (likeness(zone), zone.name())).collect();
    alike.retain(|(likeness, _)| *likeness >= ALIKE);
    alike.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let names: Vec<_> = alike.iter().take(OFFERED).map(|(_, name)| *name).collect();
    if names.is_empty() { String::new() } else { format!(" (similar: {})", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-25T00:00:00Z.
    const WINTER: i64 = 1_795_564_800;
    /// 2026-07-01T12:00:00Z.
    const SUMMER: i64 = 1_782_907_200;

    fn at(tz: &str, since: i64) -> String {
        let zone = Zone::of_environment(Some(OsStr::new(tz))).unwrap();
        zone.format(since, &"%F %T".parse().unwrap())
    }

    #[test]
    fn zones_in_winter_and_in_summer() {
        let table = [
            ("UTC", "2026-11-25 00:00:00", "2026-07-01 12:00:00"),
            ("", "2026-11-25 00:00:00", "2026-07-01 12:00:00"),
            ("US/Eastern", "2026-11-24 19:00:00", "2026-07-01 08:00:00"),
            (":Europe/London", "2026-11-25 00:00:00", "2026-07-01 13:00:00"),
            ("asia/tokyo", "2026-11-25 09:00:00", "2026-07-01 21:00:00"),
            ("Asia/Kathmandu", "2026-11-25 05:45:00", "2026-07-01 17:45:00"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-11-25 01:00:00", "2026-07-01 14:00:00"),
            ("<-03>3", "2026-11-24 21:00:00", "2026-07-01 09:00:00"),
            ("EST5", "2026-11-24 19:00:00", "2026-07-01 07:00:00"),
        ];
        for (tz, winter, summer) in table {
            assert_eq!((at(tz, WINTER).as_str(), at(tz, SUMMER).as_str()), (winter, summer), "TZ={tz}");
        }
    }

    #[test]
    fn what_is_no_zone_is_an_error_that_helps() {
        for garbage in ["Europe/Atlantis", "garbage", ":", "CET-1CEST,M13.5.0,M10.5.0/3", "/dev/null", " ", "a\nb"] {
            let zone = Zone::of_environment(Some(OsStr::new(garbage)));
            if garbage == ":" {
                assert!(zone.is_ok(), "no name behind the colon is no name at all");
                continue;
            }
            let error = zone.expect_err(garbage);
            assert!(error.starts_with("TZ=") && error.contains("Asia/Tokyo") && !error.contains('\n'), "{error}");
        }
        for (typed, meant) in [
            ("Tokio", "Asia/Tokyo"),
            ("new york", "America/New_York"),
            ("US/Estern", "US/Eastern"),
            ("Berlin", "Europe/Berlin"),
            ("Europe/Lodnon", "Europe/London"),
        ] {
            let error = typed.parse::<NamedZone>().expect_err(typed);
            assert!(error.contains(meant) && error.contains("--tz ") && !error.contains('\n'), "{typed}: {error}");
        }
        let error = "Xyzzy".parse::<NamedZone>().expect_err("there is none");
        assert!(!error.contains("similar") && error.contains("Asia/Tokyo"), "{error}");
    }

    #[test]
    fn formats() {
        let zone = Zone::of_environment(Some(OsStr::new("Asia/Tokyo"))).unwrap();
        for (format, written) in [
            ("%H:%M:%S", "09:00:00"),
            ("%I:%M %p, %a %d %b %Y (%Z)", "09:00 AM, Wed 25 Nov 2026 (JST)"),
            ("100%% %s ü", "100% 1795564800 ü"),
            ("%+", "2026-11-25T09:00:00+09:00"),
        ] {
            assert_eq!(zone.format(WINTER, &format.parse().unwrap()), written, "{format}");
        }
        for wrong in ["", "%", "%Q", "%H:%!", "%10", "%:", "%-"] {
            let error = wrong.parse::<Format>().expect_err(wrong);
            assert!(error.contains("%H:%M:%S") && !error.contains('\n'), "{error}");
        }
    }

    /// Every letter there is, at the ends of time and in every kind of zone.
    #[test]
    fn nothing_panics() {
        let ruled = Zone::of_environment(Some(OsStr::new("CET-1CEST,M3.5.0,M10.5.0/3"))).unwrap();
        let zones = [ruled, Zone::System, Zone::Named(NamedZone(Tz::Asia__Tokyo))];
        let end = DateTime::<Utc>::MAX_UTC.timestamp();
        for second in [i64::MIN, DateTime::<Utc>::MIN_UTC.timestamp(), -1, 0, WINTER, end, i64::MAX] {
            for letter in ' '..='~' {
                for format in
                    [format!("%{letter}"), format!("%:{letter}"), format!("%.3{letter}"), format!("%-{letter}")]
                {
                    let Ok(format) = format.parse() else { continue };
                    for zone in &zones {
                        zone.format(second, &format);
                    }
                }
            }
        }
    }
}
