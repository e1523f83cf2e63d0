//! The log for programs: one JSON object a line, with the record's text and all that it tells in key-values.
//! Refuses to know which keys there are.

use std::time::SystemTime;

use log::kv::{self, Key, Value, VisitSource, VisitValue};
use log::{LevelFilter, Log, Metadata, Record};
use serde::ser::{SerializeMap, Serializer};
use simplelog::{Config, SharedLogger};

use super::is_ours;
use super::lines::Lines;
use crate::ftp::wire::printable::is_hidden;

/// Records as JSON.
pub struct Json {
    level: LevelFilter,
    lines: Lines,
}

impl Json {
    /// Those of this level and above.
    pub fn new(level: LevelFilter, lines: Lines) -> Box<Self> {
        Box::new(Json { level, lines })
    }
}

impl Log for Json {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.level && is_ours(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.lines.send(line(record, SystemTime::now()));
        }
    }

    fn flush(&self) {
        self.lines.flush();
    }
}

impl SharedLogger for Json {
    fn level(&self) -> LevelFilter {
        self.level
    }

    fn config(&self) -> Option<&Config> {
        None
    }

    fn as_log(self: Box<Self>) -> Box<dyn Log> {
        self
    }
}

/// What stands where so many lines are missing.
pub fn loss(lost: u64) -> Vec<u8> {
    let said = format_args!("{lost} log lines lost: the log could not be written fast enough");
    let values = [("event", Value::from("lost")), ("lost", Value::from(lost))];
    let record = Record::builder().level(log::Level::Warn).args(said).key_values(&values).build();
    line(&record, SystemTime::now())
}

/// One record as a line.
fn line(record: &Record<'_>, time: SystemTime) -> Vec<u8> {
    let mut object = Vec::new();
    // Into memory, from values that are all of JSON's own kinds: this cannot fail, and would cut off a line if it did.
    let _ = write(record, time, &mut object);
    let mut line = in_sight(&String::from_utf8_lossy(&object));
    line.push('\n');
    line.into_bytes()
}

fn write(record: &Record<'_>, time: SystemTime, object: &mut Vec<u8>) -> serde_json::Result<()> {
    let mut serializer = serde_json::Serializer::new(object);
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("time", &humantime::format_rfc3339_millis(time).to_string())?;
    map.serialize_entry("level", record.level().as_str())?;
    map.serialize_entry("message", &record.args().to_string())?;
    // Its error is the map's, and the visitor's own type has no room for it.
    let _ = record.key_values().visit(&mut Fields(&mut map));
    map.end()
}

/// JSON allows any character in a string, but what ends a line or moves a cursor for some reader is written as its
/// number. Such a character can only stand in a string, so that this changes nothing of what the line says.
fn in_sight(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        if !is_hidden(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

/// Adds each key-value to the object; one without a value is left out.
struct Fields<'a, M>(&'a mut M);

impl<M: SerializeMap> VisitSource<'_> for Fields<'_, M> {
    fn visit_pair(&mut self, key: Key<'_>, value: Value<'_>) -> Result<(), kv::Error> {
        let mut field = Field(None);
        value.visit(&mut field)?;
        match field.0 {
            Some(value) => {
                self.0.serialize_entry(key.as_str(), &value).map_err(|_| kv::Error::msg("not to be written as JSON"))
            }
            None => Ok(()),
        }
    }
}

/// One value as JSON's.
struct Field(Option<serde_json::Value>);

impl VisitValue<'_> for Field {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        self.0 = Some(value.to_string().into());
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn of(message: &str, values: &[(&str, Value<'_>)]) -> String {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_000_000_123);
        let args = format_args!("{message}");
        String::from_utf8(line(&Record::builder().args(args).key_values(&values).build(), time)).unwrap()
    }

    #[test]
    fn a_record_and_its_values() {
        let name = String::from("a \"quoted\" name\n");
        let values = [
            ("number", Value::from(u64::MAX)),
            ("below", Value::from(-1_i64)),
            ("seconds", Value::from(0.25)),
            ("whole", Value::from(true)),
            ("name", Value::from(name.as_str())),
            ("nothing", Value::null()),
            ("shown", Value::from_display(&Shown)),
        ];
        assert_eq!(
            of("it is\u{9b} said", &values),
            "{\"time\":\"2001-09-09T01:46:40.123Z\",\"level\":\"INFO\",\"message\":\"it is\\u009b said\",\
             \"number\":18446744073709551615,\"below\":-1,\"seconds\":0.25,\"whole\":true,\
             \"name\":\"a \\\"quoted\\\" name\\n\",\"shown\":\"a thing\"}\n"
        );
    }

    struct Shown;

    impl std::fmt::Display for Shown {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a thing")
        }
    }

    #[test]
    fn a_loss_is_a_line_like_any() {
        let said: serde_json::Value = serde_json::from_slice(&loss(7)).unwrap();
        assert_eq!((&said["event"], &said["lost"], &said["level"]), (&"lost".into(), &7.into(), &"WARN".into()));
    }

    proptest! {
        /// Whatever stands in a record, it is one line that says just that.
        #[test]
        fn any_text_is_one_line_that_says_it(message: String, name in "(\\PC|[\\x00-\u{ff}\u{2028}\u{202e}\u{e0001}\"\\\\]){0,40}") {
            let line = of(&message, &[("name", Value::from(name.as_str()))]);
            let body = line.strip_suffix('\n').unwrap();
            prop_assert!(!body.chars().any(is_hidden), "{body:?}");
            let read: serde_json::Value = serde_json::from_str(body).unwrap();
            prop_assert_eq!(read["name"].as_str(), Some(name.as_str()));
            prop_assert_eq!(read["message"].as_str(), Some(message.as_str()));
        }
    }
}
