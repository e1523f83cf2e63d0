//! Every kind of mistake in a users file, with its place; and that no bytes at all do harm.

use proptest::prelude::*;

use crate::accounts::users::{Misread, User, read, read_rights, show_rights};
use crate::store::Rights;

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5$bm9ib2R5bm9ib2R5bm9ib2R5bm9ib2R5bm9ib2R5bm8";

/// A file in which HASH stands for a hash.
fn file(text: &str) -> Result<Vec<User>, Misread> {
    read(text.replace("HASH", &format!("\"{HASH}\"")).as_bytes())
}

#[test]
fn a_file_says_who_may_do_what_where() {
    let users = file(
        "# Ours\n[[user]]\nname = \"alice\"\nhash = HASH\nhome = \"/users//alice/\"\nrights = \"full\"\n\n\
         [[user]]\nrights = [\"list\", 'read', \"list\"] # twice is once\nhash = HASH\nname = \"bob ü\"\n",
    );
    let users = users.unwrap();
    let [alice, bob] = users.as_slice() else { panic!("{users:?}") };
    assert_eq!((alice.name.as_str(), alice.rules.rights(), alice.line, alice.column), ("alice", Rights::FULL, 3, 8));
    assert_eq!((alice.home.absolute(), alice.hash.text()), (b"/users/alice".to_vec(), HASH));
    assert_eq!((bob.name.as_str(), bob.rules.rights(), bob.line), ("bob ü", Rights::READ_ONLY, 11));
    assert!(bob.home.is_root());
    for empty in ["", "# nothing\n", "user = []\n", "\u{feff}"] {
        assert_eq!(file(empty).unwrap(), []);
    }
    let written = "user = [{ name = \"a\", hash = HASH, home = \"x\", rights = [] }]";
    assert_eq!(file(written).unwrap()[0].rules.rights(), Rights::NONE);
}

#[test]
fn each_mistake_has_its_place_and_says_what_was_expected() {
    let head = "[[user]]\nname = \"alice\"\nhash = HASH\n";
    let long = format!("[[user]]\nname = \"{}\"\n", "x".repeat(256));
    let deep = format!("[[user]]\nhome = \"{}\"\n", "/x".repeat(2049));
    let mut faults = Vec::new();
    for (text, line, column, words) in [
        // Not TOML.
        ("[[user]\n", 1, 8, &["]"][..]),
        ("name = alice\n", 1, 8, &["string"]),
        ("[[user]]\nname = \"alice\n", 2, 14, &["string", "expected"]),
        ("[[user]]\nname = \"a\"\nname = \"b\"\n", 3, 1, &["duplicate key"]),
        // Not ours.
        ("name = \"alice\"\n", 1, 1, &["unknown field \"name\"", "\"user\""]),
        ("[user]\nname = \"alice\"\n", 1, 1, &["map", "sequence"]),
        ("[[users]]\n", 1, 3, &["unknown field \"users\"", "\"user\""]),
        ("user = \"alice\"\n", 1, 8, &["string \"alice\"", "sequence"]),
        (&format!("{head}pasword = \"x\"\nrights = \"full\"\n"), 4, 1, &["\"pasword\"", "\"name\"", "\"rights\""]),
        // Something is missing.
        ("[[user]]\nname = \"alice\"\nrights = \"full\"\n", 1, 1, &["missing", "\"hash\""]),
        (head, 1, 1, &["missing", "\"rights\""]),
        ("[[user]]\nhash = HASH\nrights = \"full\"\n", 1, 1, &["missing", "\"name\""]),
        // Names.
        ("[[user]]\nname = 7\n", 2, 8, &["integer \"7\"", "string"]),
        ("[[user]]\nname = \"\"\n", 2, 8, &["empty name", "type"]),
        ("[[user]]\nname = \"a\\nb\"\n", 2, 8, &["control character"]),
        (&long, 2, 8, &["256 bytes", "at most 255"]),
        (&format!("{head}rights = \"full\"\n\n{head}rights = []\n"), 7, 8, &["\"alice\"", "line 2"]),
        // Rules.
        (
            &format!("{head}directories = [{{ path = \"in\", rights = [] }}]\n"),
            4,
            25,
            &["begin with \"/\"", "\"/incoming\""],
        ),
        (&format!("{head}directories = [{{ path = \"/\", rights = \"read\" }}]\n"), 4, 39, &["brackets", "[\"read\"]"]),
        (&format!("{head}directories = [{{ path = \"/\" }}]\n"), 4, 16, &["missing", "\"rights\""]),
        (&format!("{head}quota = {{ bytes = \"10 Gib\" }}\n"), 4, 19, &["no size", "\"10 GiB\""]),
        (&format!("{head}quota = {{ bites = 1 }}\n"), 4, 11, &["unknown field", "\"bytes\""]),
        (&format!("{head}deny = [\"a/b\"]\n"), 4, 9, &["\"/\" in", "\"*.exe\""]),
        (&format!("{head}files = \"640\"\n"), 4, 9, &["no mode", "\"rw-r-----\""]),
        // Hashes.
        ("[[user]]\nhash = \"secret\"\n", 2, 8, &["no hash", "$argon2id$"]),
        ("[[user]]\nhash = \"$argon2i$v=19$m=8,t=1,p=1$bm9ib2R5\"\n", 2, 8, &["argon2id"]),
        (
            "[[user]]\nhash = \"$argon2id$v=19$m=999999999,t=2,p=1$bm9ib2R5bm9ib2R5$bm9ib2R5bm9ib2R5\"\n",
            2,
            8,
            &["dear"],
        ),
        ("[[user]]\nhash = [HASH]\n", 2, 8, &["sequence", "string"]),
        // Homes.
        ("[[user]]\nhome = \"\"\n", 2, 8, &["empty home", "below the root"]),
        ("[[user]]\nhome = \"/a/../b\"\n", 2, 8, &["\"..\"", "below the root"]),
        ("[[user]]\nhome = \"a\\u0000b\"\n", 2, 8, &["NUL", "below the root"]),
        ("[[user]]\nhome = \"/x/.gftp-0123456789abcdef.part/y\"\n", 2, 8, &["reserved"]),
        ("[[user]]\nhome = true\n", 2, 8, &["boolean", "string"]),
        (&deep, 2, 8, &["longer than 4096"]),
        // Rights.
        ("[[user]]\nrights = \"everything\"\n", 2, 10, &["\"everything\"", "\"read-only\", \"full\" or \"drop-box\""]),
        ("[[user]]\nrights = \"read\"\n", 2, 10, &["[\"read\"]"]),
        (
            "[[user]]\nrights = [\n  \"list\",\n  \"raed\",\n]\n",
            4,
            3,
            &["unknown right \"raed\"; expected list, read, write, append, create, delete, rename, mkdir or site"],
        ),
        ("[[user]]\nrights = [\"full\"]\n", 2, 11, &["\"full\" stands alone"]),
        ("[[user]]\nrights = [\"list\", 7]\n", 2, 19, &["integer", "\"mkdir\""]),
        ("[[user]]\nrights = 7\n", 2, 10, &["integer", "read-only", "\"mkdir\""]),
        // Columns are characters, not bytes.
        ("[[user]]\nrights = [\"list\", \"ü\", \"read\"]\n", 2, 19, &["\"ü\""]),
        ("user = [{ name = \"üüü\", home = \"..\" }]\n", 1, 32, &["\"..\""]),
    ] {
        let misread = file(text).expect_err(text);
        let said = misread.to_string();
        let right = (misread.line, misread.column) == (line, column) && said.lines().count() == 1;
        if !right || words.iter().any(|word| !said.contains(word)) {
            faults.push(format!("{text:.200}\nshould say {words:?} of {line}:{column}, and says: {said}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    let misread = read(b"[[user]]\nname = \"a\xffb\"\n").unwrap_err();
    assert_eq!(misread.to_string(), "line 2, column 10: a byte that is no UTF-8 text; expected TOML");
}

#[test]
fn rights_are_read_as_they_are_typed() {
    for (text, rights) in [
        ("full", Ok(Rights::FULL)),
        ("drop-box", Ok(Rights::DROP_BOX)),
        ("list,read", Ok(Rights::READ_ONLY)),
        ("list, read", Ok(Rights::READ_ONLY)),
        ("create mkdir", Ok(Rights::DROP_BOX)),
        ("", Ok(Rights::NONE)),
        ("list,raed", Err("unknown right \"raed\"")),
        ("full,list", Err("\"full\" stands alone")),
    ] {
        match (read_rights(text), rights) {
            (Ok(read), Ok(rights)) => assert_eq!(read, rights, "{text}"),
            (Err(said), Err(word)) => assert!(said.contains(word), "{text}: {said}"),
            (read, _) => panic!("{text}: {read:?}"),
        }
    }
    assert_eq!(show_rights(Rights::READ_ONLY), "read-only");
    assert_eq!(show_rights(Rights { list: true, create: true, ..Rights::NONE }), "list, create");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    /// Files that are nearly right.
    #[test]
    fn nearly_right_files_do_not_panic(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("[[user]]\n".to_string()), Just("name = ".to_string()), Just("rights = [".to_string()),
                Just("home = \"".to_string()), Just("\"".to_string()), Just("]\n".to_string()), Just(format!("hash = \"{HASH}\"\n")),
                Just("\"list\", ".to_string()), Just("'''\n".to_string()), "\\PC{0,6}", Just("\r\n".to_string()),
            ],
            0..24,
        )
    ) {
        let text = pieces.concat();
        if let Err(misread) = read(text.as_bytes()) {
            prop_assert!(misread.line <= text.lines().count() + 1);
            prop_assert!(!misread.to_string().contains('\n') && !misread.to_string().contains("bm9ib2R5"));
        }
    }

    #[test]
    fn nesting_does_not_exhaust_the_stack(depth in 1..20_000_usize, open in "[\\[{]") {
        let _ = read(format!("user = {}", open.repeat(depth)).as_bytes());
        let _ = read("[[user]]\nrights = ".to_string().as_bytes());
        let _ = read(format!("{}user", "a.".repeat(depth)).as_bytes());
    }
}
