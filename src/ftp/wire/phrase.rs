//! The words of replies: an English phrase with its values, said in the language that the client has chosen (RFC 2640).
//! What has no language (names, numbers, facts) is plain. Refuses to know which code goes with which words.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::german;
use super::printable::Printable;

/// The languages that replies come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// What a client gets that has not asked.
    #[default]
    English,
    /// By `LANG de`.
    German,
}

/// Each language with its tag, in the order FEAT names them.
const TAGS: [(Language, &str); 2] = [(Language::English, "EN"), (Language::German, "DE")];

impl Language {
    /// The language of a tag as LANG has it (RFC 2640 §4.1), `de` or, since the words are the same in Vienna, `de-AT`.
    pub fn of_tag(tag: &[u8]) -> Result<Language, BadTag> {
        let is_subtag = |part: &[u8]| matches!(part.len(), 1..=8) && part.iter().all(u8::is_ascii_alphanumeric);
        let mut parts = tag.split(|&byte| byte == b'-');
        let first = parts.next().unwrap_or_default();
        if !is_subtag(first) || !parts.all(is_subtag) {
            return Err(BadTag::Syntax);
        }
        let known = TAGS.iter().find(|(_, known)| first.eq_ignore_ascii_case(known.as_bytes()));
        known.map(|(language, _)| *language).ok_or(BadTag::Unknown)
    }

    /// The line of FEAT, with a star after the language that is spoken (RFC 2640 §4.3).
    pub fn feat(self) -> String {
        let shown =
            |(language, tag): &(Language, &str)| if *language == self { format!("{tag}*") } else { (*tag).to_string() };
        format!("LANG {}", TAGS.iter().map(shown).collect::<Vec<_>>().join(";"))
    }
}

/// Why a tag names no language that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadTag {
    /// It is no tag: 501.
    Syntax,
    /// Nobody here speaks it: 504.
    Unknown,
}

/// What a line of a reply says. Names travel in it, so it may be no UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(Words);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Words {
    Plain(Cow<'static, [u8]>),
    /// English, with a `{}` for each value.
    Phrase(&'static str, Vec<Text>),
}

/// A phrase: `phrase!("Stored {} bytes.", count)`. The English text is a literal, so that a test can see that every
/// language has it; each `{}` stands for one value, anything that is `Into<Text>`.
macro_rules! phrase {
    ($english:literal $(, $value:expr)* $(,)?) => {{
        const VALUES: usize = <[&str]>::len(&[$(stringify!($value)),*]);
        const { assert!($crate::ftp::wire::phrase::holes($english) == VALUES, "as many values as holes") };
        $crate::ftp::wire::phrase::Text::phrase($english, vec![$($crate::ftp::wire::phrase::Text::from($value)),*])
    }};
}
pub(crate) use phrase;

impl Text {
    /// What is the same in every language.
    pub fn plain(text: impl Into<Cow<'static, [u8]>>) -> Text {
        Text(Words::Plain(text.into()))
    }

    /// Anything that can be shown, in no language.
    pub fn shown(value: impl fmt::Display) -> Text {
        Text::plain(value.to_string().into_bytes())
    }

    /// English words with their values. A hole without a value stays empty. Literals are better given to `phrase!`.
    pub fn phrase(english: &'static str, values: Vec<Text>) -> Text {
        Text(Words::Phrase(english, values))
    }

    /// Appends the text in a language, as it is: no byte is escaped.
    pub fn say(&self, language: Language, out: &mut Vec<u8>) {
        let (english, values) = match &self.0 {
            Words::Plain(bytes) => return out.extend_from_slice(bytes),
            Words::Phrase(english, values) => (*english, values),
        };
        let words = match language {
            Language::English => english,
            // A phrase that German lacks is better said in English than not at all.
            Language::German => german::of(english).unwrap_or(english),
        };
        let mut values = values.iter();
        let mut rest = words;
        while let Some((before, after)) = split_at_hole(rest) {
            out.extend_from_slice(before.as_bytes());
            if let Some(value) = values.next() {
                value.say(language, out);
            }
            rest = after;
        }
        out.extend_from_slice(rest.as_bytes());
    }

    /// The text in English, as logs have it.
    pub fn english(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.say(Language::English, &mut out);
        out
    }
}

/// What stands before the first hole of a phrase, and what behind it.
fn split_at_hole(phrase: &str) -> Option<(&str, &str)> {
    // Two bytes are found faster than a text is, which has to be prepared for it.
    let at = phrase.as_bytes().windows(2).position(|two| two == b"{}")?;
    Some((phrase.get(..at)?, phrase.get(at + 2..)?))
}

/// How many values a phrase wants.
pub const fn holes(phrase: &str) -> usize {
    let (bytes, mut at, mut count) = (phrase.as_bytes(), 1, 0);
    while at < bytes.len() {
        if bytes[at - 1] == b'{' && bytes[at] == b'}' {
            count += 1;
        }
        at += 1;
    }
    count
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Text {
        Text::plain(bytes)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text::plain(text.into_bytes())
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Text {
        Text::plain(text.as_bytes())
    }
}

/// Values that are shown as they display.
macro_rules! shown {
    ($($kind:ty),+) => {
        $(impl From<$kind> for Text {
            fn from(value: $kind) -> Text {
                Text::shown(value)
            }
        })+
    };
}
shown!(u16, u32, u64, usize, IpAddr, SocketAddr, Printable<'_>);

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &Text) -> String {
        String::from_utf8(text.english()).unwrap()
    }

    #[test]
    fn tags() {
        for (tag, language) in [
            ("en", Ok(Language::English)),
            ("EN-us", Ok(Language::English)),
            ("De", Ok(Language::German)),
            ("de-AT", Ok(Language::German)),
            ("fr", Err(BadTag::Unknown)),
            ("deutsch", Err(BadTag::Unknown)),
            ("", Err(BadTag::Syntax)),
            ("de-", Err(BadTag::Syntax)),
            ("de de", Err(BadTag::Syntax)),
            ("toolongatag", Err(BadTag::Syntax)),
            ("../de", Err(BadTag::Syntax)),
        ] {
            assert_eq!(Language::of_tag(tag.as_bytes()), language, "{tag}");
        }
        assert_eq!((Language::English.feat(), Language::German.feat()), ("LANG EN*;DE".into(), "LANG EN;DE*".into()));
    }

    #[test]
    fn phrases_hold_their_values() {
        assert_eq!(said(&phrase!("Goodbye.")), "Goodbye.");
        assert_eq!(said(&phrase!("{} of {}", 1_u64, b"two {}".to_vec())), "1 of two {}");
        assert_eq!(said(&phrase!("a {}", phrase!("b {}.", "c"))), "a b c.");
        assert_eq!(said(&Text::phrase("{} and {}", vec![Text::plain(b"one".as_slice())])), "one and ");
        assert_eq!((holes(""), holes("{}"), holes("{} {x} {{}}")), (0, 1, 2));
    }
}
