//! Patterns typed by clients: what they find, how it is named, and what they may cost.

use super::*;

fn found(view: &View, directory: &str, pattern: &str) -> Vec<String> {
    shown(view.glob(&at(directory), pattern.as_bytes(), Selection::default()))
}

#[test]
fn names_are_relative_as_typed() {
    for ground in Ground::both() {
        let view = ground.view();
        for path in
            ["one.txt", "two.txt", "three.log", ".hidden.txt", "sub/a.txt", "sub/b.log", "sab/a.txt", "sub/deep/a.txt"]
        {
            ground.file(path, "x");
        }
        ground.link(ground.outside(), "out");
        ground.link("sub", "sib");
        for (directory, pattern, expected) in [
            ("/", "*.txt", &["one.txt", "two.txt"][..]),
            ("/", ".*", &[".hidden.txt"]),
            ("/", "sub/*.txt", &["sub/a.txt"]),
            ("/", "/sub/*.txt", &["/sub/a.txt"]),
            ("/sub", "*.txt", &["a.txt"]),
            ("/sub", "../*.txt", &["../one.txt", "../two.txt"]),
            ("/sub", "./*.log", &["./b.log"]),
            ("/", "s*b/a.txt", &["sab/a.txt", "sib/a.txt", "sub/a.txt"]),
            ("/", "s?b/[a-b].*", &["sab/a.txt", "sib/a.txt", "sub/a.txt", "sib/b.log", "sub/b.log"]),
            ("/", "s*b//deep/*", &["sib/deep/a.txt", "sub/deep/a.txt"]),
            ("/", "s*/", &["d:sab", "l:sib>sub", "d:sub"]),
            ("/", "*/*/*", &["sib/deep/a.txt", "sub/deep/a.txt"]),
            ("/", "**/a.txt", &["sab/a.txt", "sib/a.txt", "sub/a.txt"]),
            ("/", "o*t/secret", &[]),
            ("/", "out/*", &[]),
            ("/", "nothing/*", &[]),
            ("/", "one.txt/*", &[]),
            ("/", "{one,two}.*", &[]),
            ("/", "?", &[]),
            ("/", "*/..", &["d:sab/..", "d:sib/..", "d:sub/.."]),
        ] {
            let mut expected = expected.to_vec();
            expected.sort_by_key(|item| item.trim_start_matches("d:").trim_start_matches("l:").to_owned());
            assert_eq!(found(&view, directory, pattern), expected, "{pattern} in {directory}");
        }
        let reversed = Selection { names_only: true, reverse: true, ..Selection::default() };
        assert_eq!(shown(view.glob(&at("/"), b"*.txt", reversed)), ["two.txt", "one.txt"]);
        refused(view.glob(&at("/"), b"*\0", Selection::default()), "BadName");
    }
}

#[test]
fn literal_names_with_odd_characters_are_found() {
    let ground = Ground::new();
    let view = ground.view();
    for name in ["[br]{x}~.txt", "back\\slash.txt", "a*b"] {
        ground.file(name, "x");
    }
    assert_eq!(found(&view, "/", "\\[br\\]*"), ["[br]{x}~.txt"]);
    assert_eq!(found(&view, "/", "back\\\\*"), ["back\\slash.txt"]);
    assert_eq!(found(&view, "/", "a\\**"), ["a*b"]);
}

#[test]
fn a_pattern_that_costs_too_much_is_refused() {
    let ground = Ground::new();
    for number in 0..MAX_GLOB_DIRECTORIES + 1 {
        ground.directory(&format!("{number}"));
    }
    let view = ground.view();
    refused(view.glob(&at("/"), b"*/*", Selection::default()), "TooMany");
    refused(view.glob(&at("/"), b"*/../*", Selection::default()), "TooMany");
    let star = Selection { names_only: true, ..Selection::default() };
    assert_eq!(shown(view.glob(&at("/"), b"*", star)).len(), MAX_GLOB_DIRECTORIES + 1);
    refused(view.glob(&at("/"), b"1*/../*/../*", Selection::default()), "TooMany");
}
