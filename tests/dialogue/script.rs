//! Transcripts as they are written: a line is a word and what belongs to it (fixtures/transcripts/README.md). Reads
//! text only; what the words do is [`super::play`]'s.

use super::client::Outcome;

/// Over which protocol a transcript is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// 127.0.0.1
    V4,
    /// ::1
    V6,
}

/// One transcript.
pub struct Script {
    /// Options of `gftp serve`.
    pub options: Vec<String>,
    /// Lines of the users file: name, home, and rights.
    pub users: Vec<(String, String, Vec<String>)>,
    /// More lines for some of them.
    pub rules: Vec<(String, String)>,
    /// Over which protocols.
    pub families: Vec<Family>,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// One line.
pub struct Step {
    /// Its number, from 1.
    pub line: usize,
    /// Its first word.
    pub word: String,
    /// All behind the word and one blank.
    pub rest: String,
}

/// Reads a transcript.
pub fn parse(text: &str) -> Outcome<Script> {
    let families = vec![Family::V4, Family::V6];
    let mut script = Script { options: Vec::new(), users: Vec::new(), rules: Vec::new(), families, steps: Vec::new() };
    let mut server = None;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, rest) {
            ("server", options) => server = Some(options.split_whitespace().map(String::from).collect()),
            ("users", user) => {
                let mut words = user.split_whitespace().map(String::from);
                let (Some(name), Some(home)) = (words.next(), words.next()) else {
                    return Err(format!("line {number}: users NAME HOME RIGHTS…"));
                };
                script.users.push((name, home, words.collect()));
            }
            ("rule", rule) => {
                let (name, line) = rule.split_once(' ').ok_or(format!("line {number}: rule NAME KEY = VALUE"))?;
                script.rules.push((name.to_string(), line.to_string()));
            }
            ("over", "ipv4") => script.families = vec![Family::V4],
            ("over", "ipv6") => script.families = vec![Family::V6],
            ("over", other) => return Err(format!("line {number}: over {other}: ipv4 or ipv6")),
            _ => script.steps.push(Step { line: number, word: word.to_string(), rest: rest.to_string() }),
        }
    }
    let usual = if script.users.is_empty() { &["--anonymous", "write"][..] } else { &[] };
    script.options = server.unwrap_or_else(|| usual.iter().map(ToString::to_string).collect());
    Ok(script)
}

/// Takes the words of a line apart: plain ones, and quoted ones with escapes.
pub fn words(rest: &str) -> Outcome<Vec<Word>> {
    let mut words = Vec::new();
    let mut rest = rest.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (bytes, after) = unquote(quoted)?;
                (Word { bytes, quoted: true }, after)
            }
            None => {
                let end = rest.find(' ').unwrap_or(rest.len());
                (Word { bytes: rest.as_bytes()[..end].to_vec(), quoted: false }, &rest[end..])
            }
        };
        words.push(word);
        rest = after.trim_start();
    }
    Ok(words)
}

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// What it says.
    pub bytes: Vec<u8>,
    /// Whether it stood in quotes.
    pub quoted: bool,
}

impl Word {
    /// Whether it is this plain word.
    pub fn is(&self, plain: &str) -> bool {
        !self.quoted && self.bytes == plain.as_bytes()
    }

    /// The number it is.
    pub fn number(&self) -> Outcome<u64> {
        let text = String::from_utf8_lossy(&self.bytes);
        text.parse().map_err(|_| format!("{text} is no number"))
    }
}

/// What words say together: quoted ones as they are, `repeat N "…"` so many times.
pub fn content(words: &[Word]) -> Outcome<Vec<u8>> {
    let mut all = Vec::new();
    let mut rest = words;
    loop {
        rest = match rest {
            [] => return Ok(all),
            [repeat, count, what, after @ ..] if repeat.is("repeat") => {
                all.extend(what.bytes.repeat(count.number()? as usize));
                after
            }
            [word, after @ ..] if word.quoted => {
                all.extend_from_slice(&word.bytes);
                after
            }
            [word, ..] => return Err(format!("{} must stand in quotes", word.bytes.escape_ascii())),
        };
    }
}

/// The bytes of a quoted word whose opening quote is gone, and what follows its closing quote.
fn unquote(text: &str) -> Outcome<(Vec<u8>, &str)> {
    let mut bytes = Vec::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((bytes, &text[at + 1..])),
            '\\' => bytes.push(escape(&mut chars)?),
            c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err("a quote is not closed".to_string())
}

fn escape(chars: &mut std::str::CharIndices<'_>) -> Outcome<u8> {
    let mut next = || chars.next().map(|(_, c)| c).ok_or_else(|| "a backslash at the end".to_string());
    Ok(match next()? {
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        '0' => 0,
        'x' => {
            let digits = String::from_iter([next()?, next()?]);
            u8::from_str_radix(&digits, 16).map_err(|_| format!("\\x{digits} is no byte"))?
        }
        c @ ('\\' | '"') => c as u8,
        c => return Err(format!("\\{c} is no escape")),
    })
}

#[test]
fn words_and_escapes() {
    let read = words(r#"name "a\r\n\xff\"\\" repeat 3 "ab" "ü""#).unwrap();
    assert!(read[0].is("name") && !read[1].is("a"));
    assert_eq!(content(&read[1..]).unwrap(), [b"a\r\n\xff\"\\ababab", "ü".as_bytes()].concat());
    assert!(words(r#""open"#).is_err());
    assert!(words(r#""\q""#).is_err());
    assert!(content(&words("bare").unwrap()).is_err());
}
