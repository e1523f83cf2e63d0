//! What the keys of a users file say beside rights: rights by directory, quotas, names, and the modes of new things. Reads
//! values only; it refuses to know what is done with them.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::users::TypedRights;
use crate::store::{NamePattern, PathPattern, Quota, Special};

/// Units of bytes, the longer of two that end alike first.
const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];
/// The letters of a mode, as `ls -l` shows them.
const MODE: &[u8; 9] = b"rwxrwxrwx";

/// The keys of one account.
#[derive(Default)]
pub(super) struct TypedRules {
    pub(super) directories: Vec<TypedDirectory>,
    pub(super) quota: TypedQuota,
    pub(super) deny: Vec<TypedName>,
    pub(super) hide: Vec<TypedName>,
    pub(super) files: Option<TypedMode>,
    pub(super) folders: Option<TypedMode>,
}

impl TypedRules {
    pub(super) fn special(self) -> Special {
        let bytes = self.quota.bytes.map(|size| size.0);
        Special {
            directories: self.directories.into_iter().map(|rule| (rule.path.0, rule.rights.0)).collect(),
            quota: Quota { bytes, files: self.quota.files },
            deny: self.deny.into_iter().map(|name| name.0).collect(),
            hide: self.hide.into_iter().map(|name| name.0).collect(),
            files: self.files.map(|mode| mode.0),
            folders: self.folders.map(|mode| mode.0),
        }
    }
}

/// `{ path = "/incoming", rights = "drop-box" }`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypedDirectory {
    path: TypedPath,
    rights: TypedRights,
}

/// A number of bytes.
pub(super) struct Size(u64);

/// `{ bytes = "10 GiB", files = 10000 }`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypedQuota {
    bytes: Option<Size>,
    files: Option<u64>,
}

/// Bytes that `text` stands for, as "10 GiB" or "500 MB": an error says what was expected.
pub(super) fn read_size(text: &str) -> Result<u64, String> {
    const EXPECTED: &str = "expected a number of bytes, as \"10 GiB\" or \"500 MB\"";
    let text = text.trim();
    let unit = UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?.trim_end(), *factor)));
    let (number, factor) = unit.unwrap_or((text, 1));
    let number = number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse::<u64>().ok()).flatten();
    let bytes = number.and_then(|number| number.checked_mul(factor));
    bytes.ok_or_else(|| format!("\"{text}\" is no size; {EXPECTED}"))
}

/// The permission bits that `text` stands for, as "rw-r-----": an error says what was expected.
pub(super) fn read_mode(text: &str) -> Result<u32, String> {
    let mut mode = 0;
    for (letter, wanted) in text.bytes().zip(MODE) {
        mode = match letter {
            b'-' => mode << 1,
            letter if letter == *wanted => mode << 1 | 1,
            _ => return Err(no_mode(text)),
        };
    }
    if text.len() == MODE.len() { Ok(mode) } else { Err(no_mode(text)) }
}

fn no_mode(text: &str) -> String {
    format!("\"{text}\" is no mode; expected nine letters as ls -l shows them, as \"rw-r-----\"")
}

/// A number of bytes may stand there as a number, too.
impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes, as \"10 GiB\"")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Size, E> {
                u64::try_from(number)
                    .map(Size)
                    .map_err(|_| E::custom("a size below nothing; expected a number of bytes"))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Size, E> {
                Ok(Size(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
                read_size(text).map(Size).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Bytes)
    }
}

/// A text that means something: what goes wrong in reading it has its own place.
macro_rules! read_from_text {
    ($name:ident, $value:ty, $read:expr, $expected:literal) => {
        pub(super) struct $name($value);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        $read(text).map($name).map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

read_from_text!(TypedPath, PathPattern, PathPattern::of, "a path, as \"/incoming\"");
read_from_text!(TypedName, NamePattern, NamePattern::of, "a pattern for names, as \"*.exe\"");
read_from_text!(TypedMode, u32, read_mode, "a mode, as \"rw-r-----\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in
            [("0", 0), ("10 GiB", 10 << 30), ("10GiB", 10 << 30), ("500 MB", 500_000_000), ("1 kB", 1000), ("7 B", 7)]
        {
            assert_eq!(read_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "GiB", "1.5 GiB", "-1", "10 gib", "99999999999 TiB", "+1", "1 0"] {
            assert!(read_size(text).unwrap_err().contains("as \"10 GiB\""), "{text}");
        }
    }

    #[test]
    fn modes_are_read_as_ls_shows_them() {
        for (text, mode) in [("rw-r-----", 0o640), ("rwxr-x--x", 0o751), ("---------", 0), ("rwxrwxrwx", 0o777)] {
            assert_eq!(read_mode(text), Ok(mode));
        }
        for text in ["", "640", "rw-r----", "rw-r------", "rwsr-x---", "wr-------", "rw-r----t", "rw-r---ü"] {
            assert!(read_mode(text).unwrap_err().contains("is no mode"), "{text}");
        }
    }
}
