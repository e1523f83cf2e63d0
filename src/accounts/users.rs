//! The text of a users file: `[[user]]` tables of TOML, and where in it a mistake stands. Reads text only; it refuses to
//! know where the text is kept and who logs in.

use std::collections::HashMap;
use std::fmt;

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, de::Unexpected};
use toml::Spanned;

use super::Password;
use super::hash::{Cost, Hash};
use super::rate::{Rates, TypedRate};
use super::rules::{TypedDirectory, TypedMode, TypedName, TypedQuota, TypedRules};
use super::terms::{Terms, TypedExpiry, TypedNetworks, TypedSessions};
use crate::store::{Rights, Rules, VirtualPath, is_temporary};

/// Longest name of an account in bytes: longer than anybody types, short enough for every log line.
const LONGEST_NAME: usize = 255;

/// One account, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name, as the client must type it.
    pub name: String,
    /// The password's hash.
    pub hash: Hash,
    /// What it sees as its root, below the served one.
    pub home: VirtualPath,
    /// What it may do.
    pub rules: Rules,
    /// On what terms it may come.
    pub terms: Terms,
    /// The line of its name, from 1; 0 where it stands in no file.
    pub line: usize,
    /// The column of its name, from 1; 0 where it stands in no file.
    pub column: usize,
}

impl User {
    /// A new account, which stands nowhere yet. An error is a sentence.
    pub fn of(name: &str, password: &Password, home: VirtualPath, rights: Rights) -> Result<User, String> {
        if password.is_empty() {
            return Err(format!("the password of {name} is empty"));
        }
        let (name, hash, terms) = (name.to_string(), Hash::of(password)?, Terms::default());
        Ok(User { name, hash, home, rules: rights.into(), terms, line: 0, column: 0 })
    }

    /// Whether who came in when `other` was written may stay now that this is: all is the same but the terms, which are
    /// looked at apart.
    pub fn is_as_open_as(&self, other: &User) -> bool {
        let User { line, column, terms, .. } = self;
        *self == User { line: *line, column: *column, terms: terms.clone(), ..other.clone() }
    }
}

/// A mistake in a users file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// The line it is in, from 1.
    pub line: usize,
    /// The character it begins at, from 1.
    pub column: usize,
    /// What is wrong and what was expected, in a line.
    pub what: String,
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.what)
    }
}

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    #[serde(default)]
    user: Vec<Entry<Spanned<Name>>>,
}

/// One table of it; or what a program says of an account, where the name is known and no hash is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<N> {
    name: N,
    hash: TypedHash,
    #[serde(default)]
    home: Home,
    rights: TypedRights,
    networks: Option<TypedNetworks>,
    #[serde(rename = "denied-networks")]
    denied_networks: Option<TypedNetworks>,
    sessions: Option<TypedSessions>,
    expires: Option<TypedExpiry>,
    download: Option<TypedRate>,
    upload: Option<TypedRate>,
    #[serde(default)]
    directories: Vec<TypedDirectory>,
    #[serde(default)]
    quota: TypedQuota,
    #[serde(default)]
    deny: Vec<TypedName>,
    #[serde(default)]
    hide: Vec<TypedName>,
    files: Option<TypedMode>,
    folders: Option<TypedMode>,
}

impl<N> Entry<N> {
    /// What it says, of an account of that name.
    fn user(self, name: String, line: usize, column: usize) -> User {
        let Entry { networks, denied_networks, sessions, expires, download, upload, .. } = self;
        let Entry { directories, quota, deny, hide, files, folders, .. } = self;
        let special = TypedRules { directories, quota, deny, hide, files, folders }.special();
        let rules = Rules::new(self.rights.0, special);
        let rate = Rates { download: download.map(|rate| rate.0), upload: upload.map(|rate| rate.0) };
        let terms = Terms {
            networks: networks.map_or(Vec::new(), |networks| networks.0),
            denied_networks: denied_networks.map_or(Vec::new(), |networks| networks.0),
            sessions: sessions.map(|sessions| sessions.0),
            expires: expires.map(|expires| expires.0),
            rate,
        };
        User { name, hash: self.hash.0, home: self.home.0, rules, terms, line, column }
    }
}

/// What a program says of the account `name`, in the words of a users file but without a hash. An error says what was expected.
pub fn of_answer(name: &str, mut said: serde_json::Map<String, serde_json::Value>) -> Result<User, String> {
    if let Some(key) = ["name", "hash"].into_iter().find(|key| said.contains_key(*key)) {
        return Err(format!("{key:?} is not for the program to say"));
    }
    said.insert("name".to_string(), name.into());
    said.insert("hash".to_string(), Hash::of_nobody(Cost::USUAL).text().into());
    let entry: Entry<Name> = serde_json::from_value(said.into()).map_err(|e| e.to_string().replace('`', "\""))?;
    Ok(entry.user(name.to_string(), 0, 0))
}

/// Reads a users file. Names differ from each other; the order is the file's.
pub fn read(text: &[u8]) -> Result<Vec<User>, Misread> {
    let text = std::str::from_utf8(text).map_err(|e| {
        let (line, column) = place(text, e.valid_up_to());
        Misread { line, column, what: "a byte that is no UTF-8 text; expected TOML".to_string() }
    })?;
    let whole: Whole =
        toml::from_str(text).map_err(|e| misread(text, e.span().map_or(0, |span| span.start), e.message()))?;
    let mut places = Places::of(text.as_bytes());
    let mut lines: HashMap<String, usize> = HashMap::with_capacity(whole.user.len());
    let mut users = Vec::with_capacity(whole.user.len());
    for entry in whole.user {
        let start = entry.name.span().start;
        let (line, column) = places.at(start);
        let name = entry.name.as_ref().0.clone();
        if let Some(first) = lines.insert(name.clone(), line) {
            let what = format!("the name \"{name}\" stands in line {first} already; expected each name once");
            return Err(misread(text, start, &what));
        }
        users.push(entry.user(name, line, column));
    }
    Ok(users)
}

/// Whether `name` can be an account's: an error says what was expected.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("an empty name; expected what the client will type".to_string());
    }
    if name.len() > LONGEST_NAME {
        return Err(format!("a name of {} bytes; expected at most {LONGEST_NAME}", name.len()));
    }
    if name.contains(char::is_control) {
        return Err("a name with a control character; expected what the client will type".to_string());
    }
    Ok(())
}

/// What `text` means as a home: an error says what was expected.
pub fn read_home(text: &str) -> Result<VirtualPath, String> {
    const EXPECTED: &str = "expected a path below the root, as \"/alice\"";
    if text.is_empty() {
        return Err(format!("an empty home; {EXPECTED}"));
    }
    if text.split('/').any(|name| name == "..") {
        return Err(format!("\"..\" in a home; {EXPECTED}"));
    }
    let home = VirtualPath::root().join(text.as_bytes()).map_err(|e| format!("no home: {e}; {EXPECTED}"))?;
    if home.components().any(is_temporary) {
        return Err(format!("a home under a name that is reserved for uploads; {EXPECTED}"));
    }
    Ok(home)
}

/// The rights that words in a row stand for, or the name of a usual combination: as they are typed, with commas or
/// blanks between them.
pub fn read_rights(text: &str) -> Result<Rights, String> {
    if let Some(rights) = Rights::of_preset(text) {
        return Ok(rights);
    }
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    words.map(right).try_fold(Rights::NONE, |all, one| Ok(all.and(one?)))
}

/// Rights for people: the name of a usual combination, or the words.
pub fn show_rights(rights: Rights) -> String {
    rights.preset().map_or_else(|| rights.words().join(", "), str::to_string)
}

fn right(word: &str) -> Result<Rights, String> {
    Rights::of_word(word).ok_or_else(|| {
        let hint = match Rights::of_preset(word) {
            Some(_) => format!(" (\"{word}\" stands alone, not in a list)"),
            None => String::new(),
        };
        format!("unknown right \"{word}\"; expected {}{hint}", either(&Rights::WORDS, ""))
    })
}

/// "a, b or c".
fn either(words: &[&str], quote: &str) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("{quote}{word}{quote}")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

fn misread(text: &str, at: usize, what: &str) -> Misread {
    let (line, column) = place(text.as_bytes(), at);
    // The parser's own words come in lines, and call things by their names in backticks.
    let what = what.trim().lines().collect::<Vec<_>>().join(", ").replace('`', "\"");
    Misread { line, column, what }
}

fn place(text: &[u8], at: usize) -> (usize, usize) {
    Places::of(text).at(at)
}

/// Finds lines and columns, in one pass for places that come in order.
struct Places<'a> {
    text: &'a [u8],
    line: usize,
    /// Where that line begins.
    begins: usize,
    /// How much was looked at.
    seen: usize,
}

impl<'a> Places<'a> {
    fn of(text: &'a [u8]) -> Self {
        Places { text, line: 1, begins: 0, seen: 0 }
    }

    /// Line and column of the character at that byte, both from 1.
    fn at(&mut self, at: usize) -> (usize, usize) {
        let at = at.min(self.text.len());
        if at < self.begins {
            *self = Places::of(self.text);
        }
        for (end, _) in self.text[self.seen.min(at)..at].iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            self.line += 1;
            self.begins = self.seen.min(at) + end + 1;
        }
        self.seen = at;
        (self.line, String::from_utf8_lossy(&self.text[self.begins..at]).chars().count() + 1)
    }
}

struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        check_name(&name).map_err(de::Error::custom)?;
        Ok(Name(name))
    }
}

struct TypedHash(Hash);

impl<'de> Deserialize<'de> for TypedHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Hash::read(&text).map(TypedHash).map_err(de::Error::custom)
    }
}

#[derive(Default)]
struct Home(VirtualPath);

impl<'de> Deserialize<'de> for Home {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        read_home(&text).map(Home).map_err(de::Error::custom)
    }
}

pub(super) struct TypedRights(pub(super) Rights);

impl<'de> Deserialize<'de> for TypedRights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RightsVisitor).map(TypedRights)
    }
}

struct RightsVisitor;

impl<'de> Visitor<'de> for RightsVisitor {
    type Value = Rights;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let presets = Rights::PRESETS.map(|(name, _)| name);
        write!(f, "{}, or a list of {}", either(&presets, "\""), either(&Rights::WORDS, "\""))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Rights, E> {
        Rights::of_preset(text).ok_or_else(|| match Rights::of_word(text) {
            Some(_) => E::custom(format!("a right without its brackets; expected [\"{text}\"]")),
            None => E::invalid_value(Unexpected::Str(text), &self),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Rights, A::Error> {
        let mut rights = Rights::NONE;
        while let Some(Word(one)) = words.next_element()? {
            rights = rights.and(one);
        }
        Ok(rights)
    }
}

struct Word(Rights);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(WordVisitor)
    }
}

/// Only what goes wrong inside a visitor has the place of one word; what goes wrong behind it, that of the list.
struct WordVisitor;

impl Visitor<'_> for WordVisitor {
    type Value = Word;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&either(&Rights::WORDS, "\""))
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Word, E> {
        right(word).map(Word).map_err(E::custom)
    }
}
