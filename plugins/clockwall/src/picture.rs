//! How rows look: as a table of a certain size, as a line for a pipe, as JSON. Pure.

use std::time::Duration;

use serde::Serialize;

use crate::said::{columns, cut};
use crate::wall::{Again, Row, State};

/// What stands where no time has been told.
const NO_TIME: &str = "--:--:--";
/// Between two columns.
const GAP: &str = "  ";

/// The table in at most so many columns and lines, with no end of line; `now` is by the clock of [`Again::At`].
pub(crate) fn table(rows: &[Row], now: Duration, width: usize, height: usize) -> Vec<String> {
    let shown = if rows.len() > height { height.saturating_sub(1) } else { rows.len() };
    let widest = |texts: &mut dyn Iterator<Item = &str>| texts.map(columns).max().unwrap_or(0);
    // A long name leaves half of the line to what it is about.
    let names = widest(&mut rows[..shown].iter().map(|row| row.name.as_str())).min(width / 2);
    let times = widest(&mut rows[..shown].iter().map(time));
    let mut lines: Vec<_> = rows[..shown]
        .iter()
        .map(|row| {
            let name = padded(&cut(&row.name, names), names);
            let line = [name, padded(time(row), times), note(row, now)].join(GAP);
            cut(line.trim_end(), width)
        })
        .collect();
    if shown < rows.len() && height > 0 {
        lines.push(cut(&format!("and {} more", rows.len() - shown), width));
    }
    lines
}

/// A row on a line of its own, for who reads one after the other.
pub(crate) fn line(row: &Row, now: Duration) -> String {
    match (&row.state, &row.time) {
        (State::Telling, Some(time)) => format!("{} {time}", row.name),
        (State::Failed { why, again }, _) => {
            let wait = wait(*again, now).map_or(String::new(), |wait| format!("; {wait}"));
            format!("{} {why}{wait}", row.name)
        }
        _ => format!("{} connecting", row.name),
    }
}

/// The same as a JSON object.
pub(crate) fn json(row: &Row) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Object<'a> {
        name: &'a str,
        address: &'a str,
        time: Option<&'a str>,
        state: &'static str,
        why: Option<&'a str>,
    }
    let (state, why) = match &row.state {
        State::Asked => ("connecting", None),
        State::Telling => ("telling", None),
        State::Failed { why, .. } => ("failed", Some(why.as_str())),
    };
    serde_json::to_string(&Object { name: &row.name, address: &row.address, time: row.time.as_deref(), state, why })
}

fn time(row: &Row) -> &str {
    row.time.as_deref().unwrap_or(NO_TIME)
}

/// What has to be said about the time. That it is old comes first, and when it is asked again: they must not be what is cut.
fn note(row: &Row, now: Duration) -> String {
    match &row.state {
        State::Telling => String::new(),
        State::Asked => "connecting".to_string(),
        State::Failed { why, again } => {
            let old = row.time.is_some().then(|| "stale".to_string());
            let wait = wait(*again, now);
            let first: Vec<_> = old.into_iter().chain(wait).collect();
            if first.is_empty() { why.clone() } else { format!("{}: {why}", first.join(", ")) }
        }
    }
}

/// When it is asked again.
fn wait(again: Again, now: Duration) -> Option<String> {
    match again {
        // Rounded up: "in 0s" would be now.
        Again::At(at) => Some(format!("again in {}s", at.saturating_sub(now).as_millis().div_ceil(1000).max(1))),
        Again::Now => Some("trying again".to_string()),
        Again::Never => None,
    }
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn row(name: &str, time: Option<&str>, state: State) -> Row {
        Row { name: name.to_string(), address: format!("{name}:1"), time: time.map(str::to_string), state }
    }

    fn failed(again: Again) -> State {
        State::Failed { why: "no answer from b:1".to_string(), again }
    }

    fn rows() -> Vec<Row> {
        vec![
            row("NewYork", Some("03:00:01"), State::Telling),
            row("東京", Some("16:00:01"), failed(Again::At(NOW + Duration::from_millis(3200)))),
            row("Rome", None, failed(Again::Now)),
            row("Oslo", None, State::Asked),
        ]
    }

    #[test]
    fn a_table() {
        let table = table(&rows(), NOW, 80, 24);
        assert_eq!(
            table,
            [
                "NewYork  03:00:01",
                "東京     16:00:01  stale, again in 4s: no answer from b:1",
                "Rome     --:--:--  trying again: no answer from b:1",
                "Oslo     --:--:--  connecting",
            ]
        );
    }

    #[test]
    fn a_table_for_which_there_is_no_room() {
        assert_eq!(table(&rows(), NOW, 22, 3), ["NewYork  03:00:01", "東京     16:00:01  st…", "and 2 more"]);
        assert_eq!(table(&rows(), NOW, 8, 1), ["and 4 m…"]);
        assert!(table(&rows(), NOW, 8, 0).is_empty());
        let long = [row("Llanfairpwllgwyngyll", Some("09:00"), State::Telling)];
        assert_eq!(table(&long, NOW, 20, 9), ["Llanfairp…  09:00"]);
    }

    #[test]
    fn lines_for_pipes() {
        let lines: Vec<_> = rows().iter().map(|row| line(row, NOW)).collect();
        assert_eq!(lines[0], "NewYork 03:00:01");
        assert_eq!(lines[1], "東京 no answer from b:1; again in 4s");
        assert_eq!(line(&row("Rome", None, failed(Again::Never)), NOW), "Rome no answer from b:1");
        let objects: Vec<_> = rows().iter().map(|row| json(row).unwrap()).collect();
        assert_eq!(
            objects[0],
            r#"{"name":"NewYork","address":"NewYork:1","time":"03:00:01","state":"telling","why":null}"#
        );
        assert_eq!(
            objects[2],
            r#"{"name":"Rome","address":"Rome:1","time":null,"state":"failed","why":"no answer from b:1"}"#
        );
    }

    proptest! {
        #[test]
        fn no_row_ever_wraps(name in "\\PC{1,30}", why in "\\PC{0,90}", width in 0..100_usize, height in 0..4_usize) {
            let mut rows = rows();
            rows.push(row(&name, Some("09:00"), State::Failed { why, again: Again::Never }));
            let table = table(&rows, NOW, width, height);
            prop_assert!(table.len() <= height);
            prop_assert!(table.iter().all(|line| columns(line) <= width), "{:?}", table);
        }
    }
}
