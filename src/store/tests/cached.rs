//! What is answered from memory, for who must not wait: the same as otherwise, or that one would have to wait.

use super::confinement::matrix;
use super::*;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};

/// Whether somebody else has to be asked, who may wait.
fn would_wait<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Io(e)) if e.kind() == ErrorKind::WouldBlock)
}

/// Whether the disk that the tests are on can be asked without waiting at all.
fn can_be_asked(ground: &Ground) -> bool {
    let root = ground.store.resolver.root_descriptor();
    sys::backing(root) != sys::Backing::Elsewhere
}

/// The usual file costs no trip to the pool.
#[test]
fn what_was_just_read_is_in_memory() {
    let ground = Ground::new();
    ground.file("sub/file", "content");
    let view = ground.view();
    assert_eq!(read(&view, "sub/file").unwrap(), b"content");
    view.entry(&at("sub/file")).unwrap();
    if can_be_asked(&ground) {
        let now = view.from_memory();
        assert_eq!(now.read(&at("sub/file")).unwrap().rest_from_memory(3, 100).unwrap(), b"tent");
        assert_eq!(now.entry(&at("sub/file")).unwrap().size, 7);
        now.enter(&at("sub")).unwrap();
    }
}

#[test]
fn it_leads_nowhere_else() {
    for ground in Ground::both() {
        let (view, now) = (ground.view(), ground.view().from_memory());
        for (path, expected) in matrix(&ground) {
            // So that the kernel remembers what it can.
            let _ = view.read(&at(path));
            let found = now.read(&at(path));
            if would_wait(&found) {
                continue;
            }
            assert!(expected.is_ok(), "{path}");
            assert_eq!(read(&now, path).unwrap(), b"inside", "{path}");
        }
        for path in ["out-directory", "slash", "slash/etc"] {
            assert!(would_wait(&now.enter(&at(path))), "{path}");
            assert!(would_wait(&now.entry(&at(path))), "{path}");
        }
    }
}

/// Links are judged by where they lead, and only a walk knows that.
#[test]
fn rules_hold() {
    for ground in Ground::both() {
        ground.file("secret/file", "nobody's");
        ground.file("open/file", "everybody's");
        ground.link("secret/file", "open/door");
        let special = Special {
            directories: vec![(PathPattern::of("/secret").unwrap(), Rights::NONE)],
            deny: vec![NamePattern::of("*.exe").unwrap()],
            ..Special::default()
        };
        ground.file("open/x.exe", "denied");
        let view = ground.store.view(Rules::new(Rights::FULL, special), "someone".into());
        for path in ["secret/file", "open/door", "open/x.exe"] {
            let _ = view.read(&at(path));
            assert!(view.from_memory().read(&at(path)).is_err(), "{path}");
        }
        assert_eq!(read(&view, "open/file").unwrap(), b"everybody's");
        let now = view.from_memory().read(&at("open/file"));
        assert!(would_wait(&now) || now.unwrap().rest_from_memory(0, 100).unwrap() == b"everybody's");
    }
}

/// Nothing may be changed by who may not wait.
#[test]
fn changes_are_not_for_it() {
    let ground = Ground::new();
    ground.file("file", "content");
    ground.directory("sub");
    let now = ground.view().from_memory();
    assert!(would_wait(&now.delete(&at("file"))));
    assert!(would_wait(&now.make_directory(&at("new"))));
    assert!(would_wait(&now.remove_directory(&at("sub"))));
    assert!(would_wait(&now.upload(&at("file"), How::Replace)));
    assert!(would_wait(&now.rename(&at("file"), &at("other"))));
    assert_eq!(ground.names_on_disk(""), ["file", "sub"]);
}

/// A file that changes while it is sent: never more than was promised, and less is not taken for the end.
#[test]
fn it_is_all_that_was_there_or_nothing() {
    let ground = Ground::new();
    ground.file("file", "0123456789");
    let open = || ground.view().read(&at("file")).unwrap();
    assert!(open().rest_from_memory(0, 9).is_none(), "too much");
    assert_eq!(open().rest_from_memory(10, 9).unwrap_or_default(), b"", "nothing is left");
    assert!(open().rest_from_memory(11, 9).is_none(), "behind the end");
    let (shrunk, grown, replaced) = (open(), open(), open());
    let mut file = OpenOptions::new().append(true).open(ground.host("file")).unwrap();
    file.write_all(b"more").unwrap();
    if can_be_asked(&ground) {
        assert_eq!(grown.rest_from_memory(0, 100).unwrap(), b"0123456789");
    }
    file.set_len(5).unwrap();
    assert!(shrunk.rest_from_memory(0, 100).is_none());
    fs::write(ground.host("new"), "something else").unwrap();
    fs::rename(ground.host("new"), ground.host("file")).unwrap();
    assert!(replaced.rest_from_memory(0, 100).is_none());
}
