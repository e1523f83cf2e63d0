//! Deleting, renaming, making directories, setting times; and that each method asks for its right first.

use super::*;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

#[test]
fn renaming_is_one_step_and_replaces_files() {
    for ground in Ground::both() {
        let view = ground.view();
        ground.file("a/file", "new");
        ground.file("b/file", "old");
        view.exists_for_rename(&at("a/file")).unwrap();
        view.rename(&at("a/file"), &at("b/file")).unwrap();
        assert_eq!((ground.content("b/file").unwrap().as_str(), ground.content("a/file")), ("new", None));
        view.rename(&at("b"), &at("a/b")).unwrap();
        view.rename(&at("a/b/file"), &at("a/b/file")).unwrap();
        refused(view.rename(&at("a"), &at("a/b/c")), "BadName");
        refused(view.rename(&at("/"), &at("x")), "BadName");
        refused(view.rename(&at("a"), &at("/")), "Exists");
        refused(view.rename(&at("nothing"), &at("x")), "NotFound");
        refused(view.rename(&at("a"), &at("nothing/x")), "NotFound");
        ground.file("c/full", "x");
        refused(view.rename(&at("a"), &at("c")), "NotEmpty");
        refused(view.rename(&at("a/b/file"), &at("c")), "IsDirectory");
        refused(view.rename(&at("c"), &at("a/b/file")), "NotDirectory");
    }
}

#[test]
fn replacing_by_a_rename_needs_a_right_of_its_own() {
    let ground = Ground::new();
    ground.file("new", "new");
    ground.file("old", "old");
    let only = |rights| ground.store.view(Rights { rename: true, ..rights }, "someone".into());
    refused(only(Rights::NONE).rename(&at("new"), &at("old")), "Exists");
    assert_eq!(ground.content("old").unwrap(), "old");
    only(Rights::NONE).rename(&at("new"), &at("free")).unwrap();
    only(Rights { delete: true, ..Rights::NONE }).rename(&at("free"), &at("old")).unwrap();
    assert_eq!(ground.content("old").unwrap(), "new");
}

#[test]
fn directories_and_files_are_told_apart() {
    for ground in Ground::both() {
        let view = ground.view();
        view.make_directory(&at("sub")).unwrap();
        assert_eq!(fs::metadata(ground.host("sub")).unwrap().mode() & 0o022, 0);
        refused(view.make_directory(&at("sub")), "Exists");
        refused(view.make_directory(&at("/")), "Exists");
        refused(view.make_directory(&at("no/sub")), "NotFound");
        ground.file("sub/file", "x");
        refused(view.make_directory(&at("sub/file/x")), "NotDirectory");
        refused(view.delete(&at("sub")), "IsDirectory");
        refused(view.delete(&at("/")), "IsDirectory");
        refused(view.remove_directory(&at("sub/file")), "NotDirectory");
        refused(view.remove_directory(&at("sub")), "NotEmpty");
        refused(view.remove_directory(&at("/")), "BadName");
        refused(view.enter(&at("sub/file")), "NotDirectory");
        refused(view.enter(&at("nothing")), "NotFound");
        refused(view.read(&at("sub")), "IsDirectory");
        refused(view.list(&at("sub/file"), Selection::default()), "NotDirectory");
        view.delete(&at("sub/file")).unwrap();
        view.remove_directory(&at("sub")).unwrap();
        refused(view.remove_directory(&at("sub")), "NotFound");
        assert!(view.space(&at("new file")).unwrap() > 0);
        refused(view.space(&at("no/new file")), "NotFound");
    }
}

#[test]
fn times_are_set_and_told_on_both_sides_of_1970() {
    for ground in Ground::both() {
        let view = ground.view();
        ground.file("file", "x");
        ground.directory("sub");
        ground.link("file", "link");
        let accessed = fs::metadata(ground.host("file")).unwrap().atime_nsec();
        for moment in [
            SystemTime::UNIX_EPOCH + Duration::new(1_234_567_890, 123_000_000),
            SystemTime::UNIX_EPOCH - Duration::new(1000, 0),
            SystemTime::UNIX_EPOCH - Duration::new(0, 1_000_000),
        ] {
            for path in ["file", "sub", "link", "/"] {
                view.set_modified(&at(path), moment).unwrap();
                assert_eq!(view.entry(&at(path)).unwrap().modified, moment, "{path}");
            }
            assert_eq!(view.read(&at("file")).unwrap().modified, moment);
        }
        assert_eq!(fs::metadata(ground.host("file")).unwrap().atime_nsec(), accessed);
        refused(view.set_modified(&at("nothing"), SystemTime::UNIX_EPOCH), "NotFound");
    }
}

#[test]
fn an_entry_tells_what_is_there() {
    let ground = Ground::new();
    ground.file("file", "12345");
    view_permissions(&ground, "file", 0o640);
    let entry = ground.view().entry(&at("file")).unwrap();
    let metadata = fs::metadata(ground.host("file")).unwrap();
    assert_eq!((entry.kind, entry.size, entry.permissions, entry.links), (Kind::File, 5, 0o640, 1));
    assert_eq!((entry.device, entry.inode), (metadata.dev(), metadata.ino()));
    assert_eq!((entry.uid, entry.gid), (metadata.uid(), metadata.gid()));
    assert!(entry.readable && entry.writable && !entry.searchable);
    let root = ground.view().entry(&at("/")).unwrap();
    assert!(root.kind == Kind::Directory && root.searchable);
    if entry.uid == 0 {
        assert_eq!(&*entry.owner, "root");
    }
}

#[test]
fn facts_are_set_together_or_not_at_all() {
    for ground in Ground::both() {
        ground.file("file", "x");
        let view = ground.view();
        view_permissions(&ground, "file", 0o644);
        view.set_modified(&at("file"), SystemTime::UNIX_EPOCH).unwrap();
        let time = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000));
        let all = Changes { modified: time, accessed: time, created: None, permissions: Some(0o6600) };
        // Neither disk nor memory keeps a time of creation that could be set.
        refused(view.change(&at("file"), Changes { created: time, ..all }), "Unsupported");
        let only = Rights { write: true, ..Rights::NONE };
        refused(ground.store.view(only, "someone".into()).change(&at("file"), all), "Forbidden");
        let entry = view.entry(&at("file")).unwrap();
        assert_eq!((entry.modified, entry.permissions), (SystemTime::UNIX_EPOCH, 0o644));
        view.change(&at("file"), all).unwrap();
        let entry = view.entry(&at("file")).unwrap();
        assert_eq!((Some(entry.modified), entry.permissions), (time, 0o600));
        assert_eq!(fs::metadata(ground.host("file")).unwrap().atime(), 1_000_000_000);
        refused(view.change(&at("nothing"), all), "NotFound");
    }
}

#[test]
fn a_umask_is_for_one_view() {
    let ground = Ground::new();
    let (mut view, other) = (ground.view(), ground.view());
    view.set_umask(0o7027).unwrap();
    assert_eq!((view.umask(), other.umask()), (0o027, 0o022));
    view.make_directory(&at("d")).unwrap();
    put(&view, "f", How::Replace, "x").unwrap();
    put(&view, "u", How::Unique, "x").unwrap();
    put(&other, "g", How::Replace, "x").unwrap();
    for (name, expected) in [("d", 0o750), ("f", 0o640), ("u", 0o640), ("g", 0o644)] {
        assert_eq!(fs::metadata(ground.host(name)).unwrap().mode() & 0o777, expected, "{name}");
    }
}

/// A shared folder must not lose what makes it one by a client that mirrors permissions.
#[test]
fn a_folder_keeps_its_group_for_files_and_its_sticky_bit() {
    let ground = Ground::new();
    ground.directory("shared");
    let mode = || fs::metadata(ground.host("shared")).unwrap().mode() & 0o7777;
    fs::set_permissions(ground.host("shared"), std::os::unix::fs::PermissionsExt::from_mode(0o3775)).unwrap();
    view_permissions(&ground, "shared", 0o750);
    assert_eq!(mode(), 0o3750);
    fs::set_permissions(ground.host("shared"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    view_permissions(&ground, "shared", 0o7700);
    assert_eq!(mode(), 0o700, "and gets none");
}

fn view_permissions(ground: &Ground, path: &str, permissions: u32) {
    ground.view().set_permissions(&at(path), permissions).unwrap();
}

pub(super) type Method = (&'static str, fn(&View) -> Result<(), StoreError>);

/// Every method with a path, and that it works on the ground of the table.
pub(super) const METHODS: &[Method] = &[
    ("enter", |view| view.enter(&at("sub"))),
    ("entry", |view| view.entry(&at("file")).map(drop)),
    ("read", |view| view.read(&at("file")).map(drop)),
    ("list", |view| view.list(&at("sub"), Selection::default()).map(drop)),
    ("glob", |view| view.glob(&at("/"), b"*", Selection::default()).map(drop)),
    ("replace", |view| view.upload(&at("file"), How::Replace).map(drop)),
    ("resume", |view| view.upload(&at("file"), How::ResumeAt(1)).map(drop)),
    ("unique", |view| view.upload(&at("file"), How::Unique).map(drop)),
    ("append", |view| view.upload(&at("file"), How::Append).map(drop)),
    ("kept", |view| view.kept(&at("broken")).map(drop).ok_or(StoreError::Forbidden("write"))),
    ("delete", |view| view.delete(&at("file")).map(drop)),
    ("remove_directory", |view| view.remove_directory(&at("sub"))),
    ("make_directory", |view| view.make_directory(&at("new"))),
    ("exists_for_rename", |view| view.exists_for_rename(&at("file"))),
    ("rename", |view| view.rename(&at("file"), &at("new"))),
    ("set_modified", |view| view.set_modified(&at("file"), SystemTime::UNIX_EPOCH)),
    ("set_permissions", |view| view.set_permissions(&at("file"), 0o600)),
    ("change times", |view| {
        let time = Some(SystemTime::UNIX_EPOCH);
        view.change(&at("file"), Changes { accessed: time, ..Changes::default() })
    }),
    ("set_umask", |view| view.clone().set_umask(0o077)),
    ("make_link", |view| view.make_link(&at("file"), &at("link"))),
    ("remove_tree", |view| view.remove_tree(&at("sub")).map(drop)),
    ("exists_for_copy", |view| view.exists_for_copy(&at("file"))),
    ("copy", |view| view.copy(&at("file"), &at("new")).map(drop)),
    ("join", |view| view.join(&at("new"), &[at("file")]).map(drop).map_err(|trouble| trouble.error)),
    ("space", |view| view.space(&at("file")).map(drop)),
];

/// One right alone, or the few that some things need together, and exactly what they allow.
pub(super) const TABLE: &[(Rights, &[&str])] = &[
    (Rights::NONE, &[]),
    (Rights { list: true, ..Rights::NONE }, &["enter", "entry", "list", "glob", "space"]),
    (Rights { read: true, ..Rights::NONE }, &["enter", "entry", "read", "exists_for_copy", "space"]),
    (
        Rights { write: true, ..Rights::NONE },
        &["enter", "replace", "resume", "unique", "append", "kept", "set_modified", "change times", "space"],
    ),
    (Rights { append: true, ..Rights::NONE }, &["enter", "append", "kept", "space"]),
    (Rights { delete: true, ..Rights::NONE }, &["enter", "delete", "remove_directory", "remove_tree", "space"]),
    (Rights { rename: true, ..Rights::NONE }, &["enter", "exists_for_rename", "rename", "space"]),
    (Rights { mkdir: true, ..Rights::NONE }, &["enter", "make_directory", "space"]),
    (
        Rights { read: true, write: true, delete: true, ..Rights::NONE },
        &[
            "enter",
            "entry",
            "read",
            "replace",
            "resume",
            "unique",
            "append",
            "kept",
            "delete",
            "remove_directory",
            "set_modified",
            "change times",
            "remove_tree",
            "exists_for_copy",
            "copy",
            "join",
            "space",
        ],
    ),
    (Rights { site: true, ..Rights::NONE }, &["enter", "set_permissions", "set_umask", "make_link", "space"]),
];

#[test]
fn every_method_asks_for_its_right_and_no_other() {
    for (rights, allowed) in TABLE {
        for (name, method) in METHODS {
            let ground = Ground::new();
            ground.file("file", "content");
            ground.directory("sub");
            let mut upload = ground.view().upload(&at("broken"), How::Replace).unwrap();
            upload.write(b"x").unwrap();
            assert!(upload.keep());
            let before = ground.names_on_disk("");
            match method(&ground.store.view(*rights, "someone".into())) {
                Ok(()) => assert!(allowed.contains(name), "{name} with {rights:?}"),
                Err(StoreError::Forbidden(_)) => {
                    assert!(!allowed.contains(name), "{name} with {rights:?}");
                    assert_eq!(ground.names_on_disk(""), before, "{name} with {rights:?}");
                }
                Err(error) => panic!("{name} with {rights:?}: {error}"),
            }
        }
    }
}

/// Without the right the answer is the same whether the thing is there or not.
#[test]
fn a_missing_right_tells_nothing_about_the_disk() {
    let ground = Ground::new();
    let nobody = ground.store.view(Rights::NONE, "nobody".into());
    refused(nobody.entry(&at("nothing")), "Forbidden");
    refused(nobody.read(&at("nothing")), "Forbidden");
    refused(nobody.delete(&at("nothing")), "Forbidden");
    refused(nobody.upload(&at("no/thing"), How::Replace), "Forbidden");
    refused(nobody.set_modified(&at("nothing"), SystemTime::UNIX_EPOCH), "Forbidden");
    refused(nobody.rename(&at("nothing"), &at("no/thing")), "Forbidden");
}
