//! Wildcards: does a name match a pattern. Pure; it refuses to know directories and hidden files.
//! `*` any run, `?` one character, `[abc]` `[a-z]` `[!a]` one of a set, `\` takes the next character literally.
//! No braces and no `**`: names with such characters must stay what they are.

/// Whether reading `argument` as a pattern could find anything else than itself.
pub fn has_wildcards(argument: &[u8]) -> bool {
    let mut bytes = argument.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'*' | b'?' | b'[' => return true,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
    false
}

/// The pattern's component with its backslashes resolved: the name it means if it has no wildcards.
pub(super) fn literal(component: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(component.len());
    let mut bytes = component.iter();
    while let Some(byte) = bytes.next() {
        name.push(match byte {
            // A last backslash stands for itself.
            b'\\' => *bytes.next().unwrap_or(byte),
            _ => *byte,
        });
    }
    name
}

/// Whether the whole of `name` matches the one-component `pattern`. At most `pattern × name` steps, whatever both are:
/// only the last star is ever tried again.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p + 1, n));
            p += 1;
            continue;
        }
        let (character, width) = character(&name[n..]);
        if let Some(length) = one(&pattern[p..], character) {
            p += length;
            n += width;
        } else if let Some((after, from)) = star {
            // The star takes one character more.
            let (_, width) = self::character(&name[from..]);
            (p, n) = (after, from + width);
            star = Some((after, n));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// How many bytes of the pattern match this one character; none if it does not match.
fn one(pattern: &[u8], wanted: u32) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', rest @ ..] => match set(rest, wanted) {
            Some((true, length)) => Some(1 + length),
            Some((false, _)) => None,
            // A bracket that is never closed is a bracket.
            None => (wanted == u32::from(b'[')).then_some(1),
        },
        [b'\\', rest @ ..] if !rest.is_empty() => {
            let (found, width) = character(rest);
            (found == wanted).then_some(1 + width)
        }
        _ => {
            let (found, width) = character(pattern);
            (found == wanted).then_some(width)
        }
    }
}

/// Reads a set behind its "[": whether the character is in it, and its length with the "]". None if it is not closed.
fn set(pattern: &[u8], wanted: u32) -> Option<(bool, usize)> {
    let negated = matches!(pattern.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    let (mut at, mut found) = (start, false);
    loop {
        // A "]" in first place is a member.
        if *pattern.get(at)? == b']' && at > start {
            return Some((found != negated, at + 1));
        }
        let low = member(pattern, &mut at)?;
        let range = pattern.get(at) == Some(&b'-') && pattern.get(at + 1).is_some_and(|byte| *byte != b']');
        let high = if range {
            at += 1;
            member(pattern, &mut at)?
        } else {
            low
        };
        found |= (low..=high).contains(&wanted);
    }
}

fn member(pattern: &[u8], at: &mut usize) -> Option<u32> {
    if pattern.get(*at) == Some(&b'\\') && *at + 1 < pattern.len() {
        *at += 1;
    }
    let rest = pattern.get(*at..).filter(|rest| !rest.is_empty())?;
    let (character, width) = character(rest);
    *at += width;
    Some(character)
}

/// The first character of non-empty `bytes` and its width. A byte that is not UTF-8 is a character of its own, above
/// all that Unicode has.
fn character(bytes: &[u8]) -> (u32, usize) {
    /// One more than the last code point.
    const NOT_UNICODE: u32 = 0x11_0000;
    /// No character in UTF-8 is longer.
    const WIDEST: usize = 4;
    let first = bytes.first().copied().unwrap_or_default();
    if first.is_ascii() {
        return (first.into(), 1);
    }
    let chunk = bytes[..bytes.len().min(WIDEST)].utf8_chunks().next();
    match chunk.and_then(|chunk| chunk.valid().chars().next()) {
        Some(character) => (character.into(), character.len_utf8()),
        None => (NOT_UNICODE + u32::from(first), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_mean_what_a_shell_says() {
        for (pattern, yes, no) in [
            ("*.txt", &["a.txt", ".txt", "a.b.txt"][..], &["a.txt.gz", "txt", ""][..]),
            ("a?b", &["axb", "aéb"], &["ab", "axxb"]),
            ("[abc]", &["a", "c"], &["d", "ab", ""]),
            ("[a-c]x", &["bx"], &["dx", "-x"]),
            ("[!a-c]x", &["dx", "éx"], &["bx"]),
            ("[^a]", &["b"], &["a"]),
            ("[]x]", &["]", "x"], &["a"]),
            ("[a-]", &["a", "-"], &["b"]),
            ("[x", &["[x"], &["x"]),
            ("[é-ü]", &["ö"], &["a"]),
            ("a\\*b", &["a*b"], &["axb", "a\\*b"]),
            ("[\\]]", &["]"], &["\\"]),
            ("a\\", &["a\\"], &["a"]),
            ("**", &["", "a", "a/b"], &[]),
            ("{a,b}*", &["{a,b}c"], &["a", "b"]),
            ("!a*", &["!ab"], &["b"]),
            ("*a*b*", &["xaxbx", "ab"], &["ba"]),
            ("", &[""], &["a"]),
        ] {
            for name in yes {
                assert!(matches(pattern.as_bytes(), name.as_bytes()), "{pattern} should match {name}");
            }
            for name in no {
                assert!(!matches(pattern.as_bytes(), name.as_bytes()), "{pattern} should not match {name}");
            }
        }
        assert!(matches(b"?\xff*", b"\xfe\xff"));
        assert!(!matches(b"?", b"\xfe\xff"));
    }

    #[test]
    fn stars_without_end_are_cheap() {
        let pattern = [b"*a".repeat(120), b"*b".to_vec()].concat();
        assert!(!matches(&pattern, &[b'a'; 255]));
    }

    #[test]
    fn wildcards_are_seen_unless_quoted() {
        for (argument, has) in
            [("a*", true), ("a?", true), ("[a]", true), ("a\\*", false), ("{a}", false), ("a\\", false)]
        {
            assert_eq!(has_wildcards(argument.as_bytes()), has, "{argument}");
        }
        assert_eq!(literal(b"a\\*b\\\\c\\"), b"a*b\\c\\");
    }

    /// The obvious way, exponential but surely right.
    fn slow(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([], _) => name.is_empty(),
            ([b'*', rest @ ..], _) => slow(rest, name) || (!name.is_empty() && slow(pattern, &name[1..])),
            ([b'?', rest @ ..], [_, after @ ..]) => slow(rest, after),
            ([a, rest @ ..], [b, after @ ..]) => a == b && slow(rest, after),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_obvious_way(pattern in "[ab*?]{0,8}", name in "[ab]{0,10}") {
            prop_assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), slow(pattern.as_bytes(), name.as_bytes()));
        }

        #[test]
        fn a_quoted_name_matches_only_itself(name in proptest::collection::vec(any::<u8>(), 0..20), other in proptest::collection::vec(any::<u8>(), 0..20)) {
            let quoted: Vec<u8> = name.iter().flat_map(|byte| if byte.is_ascii_punctuation() { vec![b'\\', *byte] } else { vec![*byte] }).collect();
            prop_assert!(matches(&quoted, &name));
            prop_assert_eq!(matches(&quoted, &other), name == other);
            prop_assert!(!has_wildcards(&quoted));
            prop_assert_eq!(literal(&quoted), name);
        }

        #[test]
        fn nothing_panics(pattern in proptest::collection::vec(any::<u8>(), 0..30), name in proptest::collection::vec(any::<u8>(), 0..30)) {
            matches(&pattern, &name);
        }
    }
}
