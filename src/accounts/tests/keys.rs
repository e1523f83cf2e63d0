//! The keys of a users file that say on what terms an account may come, and every mistake in them; and that what a program
//! says of an account is read by the same rules.

use super::*;
use crate::accounts::users::{Misread, of_answer, read};

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5$bm9ib2R5bm9ib2R5bm9ib2R5bm9ib2R5bm9ib2R5bm8";

/// A file with one account, of which this is written as well.
fn file(text: &str) -> Result<Vec<User>, Misread> {
    read(format!("[[user]]\nname = \"a\"\nhash = \"{HASH}\"\nrights = \"full\"\n{text}\n").as_bytes())
}

#[test]
fn terms_are_read() {
    let users = file(
        "networks = [\"192.0.2.0/24\", \"2001:db8::/32\"]\ndenied-networks = [\"192.0.2.7\"]\nsessions = 4\n\
         expires = 2026-12-31\ndownload = \"10 MiB/s\"\nupload = \"1 Gbit/s\"",
    );
    let terms = &users.unwrap()[0].terms;
    let networks: Vec<_> = terms.networks.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["192.0.2.0/24", "2001:db8::/32"]);
    let denied: Vec<_> = terms.denied_networks.iter().map(ToString::to_string).collect();
    assert_eq!(denied, ["192.0.2.7/32"]);
    assert_eq!(terms.sessions.map(NonZeroUsize::get), Some(4));
    assert_eq!(terms.expires.as_ref().map(ToString::to_string).as_deref(), Some("2026-12-31"));
    let rate = (terms.rate.download.map(NonZeroU64::get), terms.rate.upload.map(NonZeroU64::get));
    assert_eq!(rate, (Some(10 << 20), Some(125_000_000)));
    assert_eq!(file("").unwrap()[0].terms, Terms::default());
    for (written, shown) in [
        ("2026-12-31T18:00:00Z", "2026-12-31T18:00:00Z"),
        ("\"2026-12-31\"", "2026-12-31"),
        ("2026-12-31 08:00:00+02:00", "2026-12-31T08:00:00+02:00"),
    ] {
        let users = file(&format!("expires = {written}")).unwrap();
        assert_eq!(users[0].terms.expires.as_ref().unwrap().to_string(), shown);
    }
}

#[test]
fn each_mistake_in_terms_has_its_place_and_says_what_was_expected() {
    let mut faults = Vec::new();
    for (text, column, words) in [
        ("networks = \"192.0.2.0/24\"", 12, &["string \"192.0.2.0/24\"", "sequence"][..]),
        ("networks = []", 12, &["empty list", "leave the key out"]),
        ("networks = [\"192.0.2.0/24\", \"192.0.2.0/33\"]", 29, &["\"192.0.2.0/33\"", "\"2001:db8::/32\""]),
        ("networks = [\"example.org\"]", 13, &["\"example.org\"", "\"192.0.2.0/24\""]),
        ("networks = [7]", 13, &["integer", "\"192.0.2.0/24\""]),
        ("denied-networks = [\"192.0.2.0/33\"]", 20, &["\"192.0.2.0/33\"", "\"2001:db8::/32\""]),
        ("sessions = 0", 12, &["at least 1"]),
        ("sessions = -1", 12, &["at least 1"]),
        ("sessions = \"4\"", 12, &["string \"4\"", "i64"]),
        ("expires = 18:00:00", 11, &["18:00:00", "2026-12-31"]),
        ("expires = \"tomorrow\"", 11, &["\"tomorrow\"", "2026-12-31"]),
        ("expires = 20261231", 11, &["integer", "2026-12-31"]),
        ("expires = true", 11, &["boolean", "2026-12-31"]),
        ("download = \"10 MiB\"", 12, &["\"10 MiB\"", "\"500 KiB/s\""]),
        ("upload = \"0 B/s\"", 10, &["\"0 B/s\"", "nothing pass"]),
        ("upload = 10", 10, &["integer", "string"]),
    ] {
        let said = file(text).expect_err(text).to_string();
        if !said.starts_with(&format!("line 5, column {column}: ")) || words.iter().any(|word| !said.contains(word)) {
            faults.push(format!("{text}\nshould say {words:?} of column {column}, and says: {said}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn what_a_program_says_is_read_by_the_rules_of_the_file() {
    let read = |text: &str| of_answer("alice", serde_json::from_str(text).unwrap());
    let user = read(
        r#"{"home": "/alice", "rights": ["list", "read"], "networks": ["192.0.2.0/24"], "sessions": 4,
            "expires": "2026-12-31", "download": "10 MiB/s"}"#,
    );
    let written = file("networks = [\"192.0.2.0/24\"]\nsessions = 4\nexpires = 2026-12-31\ndownload = \"10 MiB/s\"");
    let (user, written) = (user.unwrap(), written.unwrap());
    assert_eq!((user.terms, user.rules.rights()), (written[0].terms.clone(), Rights::READ_ONLY));
    assert_eq!((user.name.as_str(), user.home), ("alice", users::read_home("/alice").unwrap()));
    for (text, words) in [
        ("{}", "missing field \"rights\""),
        (r#"{"rights": "everything"}"#, "\"everything\""),
        (r#"{"rights": "full", "home": ".."}"#, "\"..\""),
        (r#"{"rights": "full", "sesions": 4}"#, "unknown field \"sesions\""),
        (r#"{"rights": "full", "name": "bob"}"#, "\"name\" is not for the program"),
        (r#"{"rights": "full", "hash": ""}"#, "\"hash\" is not for the program"),
        (r#"{"rights": "full", "expires": 7}"#, "2026-12-31"),
        (r#"{"rights": "full", "expires": {}}"#, "2026-12-31"),
        (r#"{"rights": "full", "networks": []}"#, "empty list"),
    ] {
        let said = read(text).expect_err(text);
        assert!(said.contains(words), "{text}: {said}");
    }
}
