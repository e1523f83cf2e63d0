//! An argument that holds several names, as words: bare, or in quotes where there are blanks.
//! Refuses to know what the words mean.

use std::borrow::Cow;

/// Takes an argument apart at its blanks. A word that begins with a quote ends at the next one, and blanks in it are its
/// own; in it `""` and `\"` stand for a quote and `\\` for a backslash. In a bare word all bytes are what they are. None
/// where quotes do not match, or something stands right behind a closing one.
pub fn words(argument: &[u8]) -> Option<Vec<Cow<'_, [u8]>>> {
    let (mut words, mut rest) = (Vec::new(), behind_blanks(argument));
    while let Some(first) = rest.first() {
        let (word, behind) = match first {
            b'"' => {
                let (word, behind) = quoted(&rest[1..])?;
                (Cow::Owned(word), behind)
            }
            _ => {
                let end = rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len());
                (Cow::Borrowed(&rest[..end]), &rest[end..])
            }
        };
        words.push(word);
        if !matches!(behind.first(), None | Some(b' ')) {
            return None;
        }
        rest = behind_blanks(behind);
    }
    Some(words)
}

/// What stands before the closing quote, and what is behind it.
fn quoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (mut word, mut rest) = (Vec::new(), text);
    loop {
        rest = match rest {
            [b'"', b'"', rest @ ..] | [b'\\', b'"', rest @ ..] => {
                word.push(b'"');
                rest
            }
            [b'\\', b'\\', rest @ ..] => {
                word.push(b'\\');
                rest
            }
            [b'"', rest @ ..] => return Some((word, rest)),
            [byte, rest @ ..] => {
                word.push(*byte);
                rest
            }
            [] => return None,
        };
    }
}

fn behind_blanks(text: &[u8]) -> &[u8] {
    &text[text.iter().position(|&byte| byte != b' ').unwrap_or(text.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn arguments_become_words() {
        let table: &[(&str, Option<&[&str]>)] = &[
            ("", Some(&[])),
            ("  ", Some(&[])),
            ("a b", Some(&["a", "b"])),
            ("  a   b ", Some(&["a", "b"])),
            (r#""a b" c"#, Some(&["a b", "c"])),
            (r#""a""b" "c\"d" "e\\f""#, Some(&["a\"b", "c\"d", "e\\f"])),
            (r#""a\b""#, Some(&["a\\b"])),
            (r#"a"b c\d"#, Some(&["a\"b", "c\\d"])),
            (r#""""#, Some(&[""])),
            (r#"""""#, None),
            (r#"""#, None),
            (r#""a"#, None),
            (r#""a"b"#, None),
            (r#""a\""#, None),
            (r#"a "b"#, None),
            ("a\tb", Some(&["a\tb"])),
        ];
        for (argument, expected) in table {
            let expected = expected.map(|words| words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>());
            let found = words(argument.as_bytes()).map(|words| words.into_iter().map(Cow::into_owned).collect());
            assert_eq!(found, expected, "{argument}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            if let Some(words) = words(&bytes) {
                prop_assert!(words.iter().map(|word| word.len()).sum::<usize>() <= bytes.len());
            }
        }

        #[test]
        fn quoted_names_come_back(
            names in prop::collection::vec(prop::collection::vec(prop::sample::select(&b"a \"\\\xff/"[..]), 0..9), 1..5),
            doubled: bool,
        ) {
            let quote = |name: &Vec<u8>| {
                let mut out = vec![b'"'];
                for &byte in name {
                    match byte {
                        b'"' if doubled => out.extend(b"\"\""),
                        b'"' | b'\\' => out.extend([b'\\', byte]),
                        _ => out.push(byte),
                    }
                }
                out.push(b'"');
                out
            };
            let argument = names.iter().map(quote).collect::<Vec<_>>().join(&b' ');
            let found: Vec<_> = words(&argument).unwrap().into_iter().map(Cow::into_owned).collect();
            prop_assert_eq!(found, names);
        }

        #[test]
        fn bare_names_come_back(names in prop::collection::vec("[a-z\\\\][a-z\"\\\\]{0,9}", 1..5)) {
            let argument = names.join(" ");
            let found: Vec<_> = words(argument.as_bytes()).unwrap().into_iter().map(Cow::into_owned).collect();
            prop_assert_eq!(found, names.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>());
        }
    }
}
