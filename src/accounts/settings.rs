//! Keys of an account as `gftp user` writes them: what was typed, checked, and what it looks like in the file. Pure; it refuses
//! to know where the file is.

use toml_edit::{Array, InlineTable, Value};

use super::rate::parse_rate;
use super::rules::{read_mode, read_size};
use super::terms::{Expiry, parse_network, parse_sessions};
use super::users::{read_home, read_rights};
use crate::store::{NamePattern, Rights};

/// What is typed to take a key out of the file.
pub const UNSET: &str = "unset";

/// One key, and what is to be written there.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its name in the file.
    pub key: &'static str,
    /// None: it is taken out. Boxed, because a value with its remarks is large.
    pub value: Option<Box<Value>>,
}

impl Setting {
    /// Networks that it may come from, with commas between them. An error says what was expected, as of the others below.
    pub fn networks(text: &str) -> Result<Setting, String> {
        Setting::of("networks", text, networks)
    }

    /// Networks that it may not come from.
    pub fn denied_networks(text: &str) -> Result<Setting, String> {
        Setting::of("denied-networks", text, networks)
    }

    /// A number of sessions.
    pub fn sessions(text: &str) -> Result<Setting, String> {
        Setting::of("sessions", text, |text| {
            let count =
                text.parse().map_err(|_| format!("{text:?} is no number; expected how many sessions at once"))?;
            parse_sessions(count).map(|_| count.into())
        })
    }

    /// A day or a moment.
    pub fn expires(text: &str) -> Result<Setting, String> {
        Setting::of("expires", text, |text| Ok(text.parse::<Expiry>()?.written().into()))
    }

    /// A rate towards the client.
    pub fn download(text: &str) -> Result<Setting, String> {
        Setting::of("download", text, |text| parse_rate(text).map(|_| text.into()))
    }

    /// A rate from the client.
    pub fn upload(text: &str) -> Result<Setting, String> {
        Setting::of("upload", text, |text| parse_rate(text).map(|_| text.into()))
    }

    /// How much may lie in the home: a size, a number of files and folders, or both with a comma between them.
    pub fn quota(text: &str) -> Result<Setting, String> {
        Setting::of("quota", text, |text| {
            let (bytes, files) = text.split_once(',').unwrap_or((text, ""));
            let (bytes, files) = (bytes.trim(), files.trim());
            let mut quota = InlineTable::new();
            if !bytes.is_empty() {
                read_size(bytes)?;
                quota.insert("bytes", bytes.into());
            }
            if !files.is_empty() {
                let wrong = |_| format!("{files:?} is no number of files; expected a quota as \"10 GiB,10000\"");
                let count = files.parse::<u32>().map_err(wrong)?;
                quota.insert("files", i64::from(count).into());
            }
            match quota.is_empty() {
                true => Err("an empty quota; expected one as \"10 GiB\" or \"10 GiB,10000\"".to_string()),
                false => Ok(quota.into()),
            }
        })
    }

    /// Patterns of names that nothing can be done with, with commas between them.
    pub fn deny(text: &str) -> Result<Setting, String> {
        Setting::of("deny", text, patterns)
    }

    /// Patterns of names that are treated as if nothing bore them.
    pub fn hide(text: &str) -> Result<Setting, String> {
        Setting::of("hide", text, patterns)
    }

    /// The mode of new files.
    pub fn files(text: &str) -> Result<Setting, String> {
        Setting::of("files", text, |text| read_mode(text).map(|_| text.into()))
    }

    /// The mode of new folders.
    pub fn folders(text: &str) -> Result<Setting, String> {
        Setting::of("folders", text, |text| read_mode(text).map(|_| text.into()))
    }

    /// A path below the root.
    pub fn home(text: &str) -> Result<Setting, String> {
        Setting::of("home", text, |text| Ok(String::from_utf8_lossy(&read_home(text)?.absolute()).into_owned().into()))
    }

    /// The name of usual rights, or their words. There is no account without rights, so they are not unset.
    pub fn rights(text: &str) -> Result<Setting, String> {
        Ok(Setting { key: "rights", value: Some(Box::new(rights_value(read_rights(text)?))) })
    }

    fn of(key: &'static str, text: &str, read: impl FnOnce(&str) -> Result<Value, String>) -> Result<Setting, String> {
        let value = if text == UNSET { None } else { Some(Box::new(read(text)?)) };
        Ok(Setting { key, value })
    }
}

fn networks(text: &str) -> Result<Value, String> {
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    let networks: Vec<_> = words.map(parse_network).collect::<Result<_, _>>()?;
    if networks.is_empty() {
        return Err("no network; expected some as 192.0.2.0/24,2001:db8::/32".to_string());
    }
    Ok(Value::Array(networks.iter().map(ToString::to_string).collect::<Array>()))
}

fn patterns(text: &str) -> Result<Value, String> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(|word| NamePattern::of(word).map(|_| word)).collect::<Result<_, _>>()?;
    if words.is_empty() {
        return Err("no pattern; expected some as \"*.exe,.ht*\"".to_string());
    }
    Ok(Value::Array(words.into_iter().collect::<Array>()))
}

/// Rights as a file has them.
pub(super) fn rights_value(rights: Rights) -> Value {
    match rights.preset() {
        Some(preset) => preset.into(),
        None => rights.words().into_iter().collect(),
    }
}
