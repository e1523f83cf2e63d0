//! Rules by place, by name and by session: what counts is where a thing really lies, whoever swaps what meanwhile.

use super::changes::{METHODS, TABLE};
use super::*;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::atomic::{AtomicBool, Ordering};

fn rules(rights: Rights, directories: &[(&str, Rights)]) -> Rules {
    let directories = directories.iter().map(|(path, rights)| (PathPattern::of(path).unwrap(), *rights)).collect();
    Rules::new(rights, Special { directories, ..Special::default() })
}

fn names(deny: &[&str], hide: &[&str]) -> Rules {
    let read = |patterns: &[&str]| patterns.iter().map(|pattern| NamePattern::of(pattern).unwrap()).collect();
    Rules::new(Rights::FULL, Special { deny: read(deny), hide: read(hide), ..Special::default() })
}

/// Whatever the method, what counts are the rights for the thing and not the account's.
#[test]
fn every_method_asks_for_its_right_where_the_thing_lies() {
    // These are about the root, or about no place.
    let elsewhere = ["glob", "set_umask"];
    for (rights, allowed) in TABLE {
        for (name, method) in METHODS.iter().filter(|(name, _)| !elsewhere.contains(name)) {
            for ground in Ground::both() {
                ground.file("file", "content");
                ground.directory("sub");
                let mut upload = ground.view().upload(&at("broken"), How::Replace).unwrap();
                upload.write(b"x").unwrap();
                assert!(upload.keep());
                let before = ground.names_on_disk("");
                let view = ground.store.view(rules(Rights::FULL, &[("/*", *rights)]), "someone".into());
                // To link to something it must be seen, where that can be forbidden.
                let seen = *name != "make_link" || rights.list || rights.read;
                let allowed: &[&str] = if seen { allowed } else { &[] };
                match method(&view) {
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
}

#[test]
fn a_place_without_rights_tells_nothing_about_the_disk() {
    for ground in Ground::both() {
        ground.file("secret/there", "x");
        ground.link("secret", "door");
        let view = ground.store.view(rules(Rights::FULL, &[("/secret", Rights::NONE)]), "someone".into());
        for path in ["secret/there", "secret/gone", "secret/gone/x", "secret/there/x", "door/there", "door/gone"] {
            refused(view.entry(&at(path)), "Forbidden");
            refused(view.read(&at(path)), "Forbidden");
            refused(view.enter(&at(path)), "Forbidden");
            refused(view.delete(&at(path)), "Forbidden");
            refused(view.upload(&at(path), How::Replace), "Forbidden");
            refused(view.rename(&at(path), &at("mine")), "Forbidden");
            refused(view.space(&at(path)), "Forbidden");
        }
        assert_eq!(list(&view, "/"), [""; 0]);
    }
}

/// Rules are of places: whoever may rename must not carry a place away from them, or a thing to where it gives more.
#[test]
fn a_rename_is_no_way_around_a_rule() {
    for ground in Ground::both() {
        ground.file("a/b/secret/f", "secret");
        ground.file("in/f", "in");
        ground.directory("out");
        let no_read = Rights { read: false, ..Rights::FULL };
        let by = rules(Rights::FULL, &[("/a/*/secret", Rights::NONE), ("/in", no_read), ("/x/*", Rights::READ_ONLY)]);
        let view = ground.store.view(by, "someone".into());
        for directory in ["a", "a/b"] {
            refused(view.exists_for_rename(&at(directory)), "BadName");
            refused(view.rename(&at(directory), &at("moved")), "BadName");
        }
        refused(view.rename(&at("a/b/secret"), &at("moved")), "Forbidden");
        refused(view.rename(&at("out"), &at("x")), "BadName");
        refused(view.rename(&at("in/f"), &at("out/f")), "Forbidden");
        view.rename(&at("in/f"), &at("in/g")).unwrap();
        view.rename(&at("out"), &at("out2")).unwrap();
        assert_eq!(ground.content("a/b/secret/f").unwrap(), "secret");
    }
}

#[test]
fn what_is_in_a_tree_is_judged_thing_by_thing() {
    for ground in Ground::both() {
        ground.file("tree/a/keep/f", "x");
        ground.file("tree/b/secret/f", "x");
        ground.file("tree/b/f", "x");
        let kept = Rights { delete: false, ..Rights::FULL };
        let by = rules(Rights::FULL, &[("/tree/*/keep", kept), ("/**/secret", Rights::NONE)]);
        let view = ground.store.view(by, "someone".into());
        let mut removal = view.remove_tree(&at("tree")).unwrap();
        let trouble = loop {
            match removal.step() {
                Ok(more) => assert!(more, "all was removed"),
                Err(trouble) => break trouble,
            }
        };
        assert!(matches!(trouble.error, StoreError::Forbidden("delete") | StoreError::NotEmpty), "{trouble:?}");
        assert!(ground.content("tree/a/keep/f").is_some() && ground.content("tree/b/secret/f").is_some());
        ground.file("tree/b/f", "x");
        let selection = Selection { recursive: true, ..Selection::default() };
        let all = shown(view.list(&at("tree"), selection));
        assert_eq!(all, ["d:a", "d:b", "a/:", "d:keep", "a/keep/:", "f", "b/:", "f"]);
        let mut copying = view.copy(&at("tree"), &at("copy")).unwrap();
        while copying.step(false).unwrap() {}
        assert!(ground.content("copy/b/f").is_some() && !ground.host("copy/b/secret").exists());
    }
}

#[test]
fn hidden_and_denied_names_count_wherever_a_link_leads() {
    for ground in Ground::both() {
        ground.file(".x/f", "x");
        ground.file("a.exe", "x");
        ground.link(".x", "to-hidden");
        ground.link("a.exe", "to-denied");
        ground.link("plain", "link.exe");
        ground.file("plain", "x");
        let view = ground.store.view(names(&["*.EXE"], &[".*"]), "someone".into());
        for path in [".x", ".x/f", "to-hidden", "to-hidden/f", ".new"] {
            refused(view.entry(&at(path)), "NotFound");
            refused(view.upload(&at(path), How::Replace), "NotFound");
        }
        for path in ["a.exe", "A.Exe", "to-denied", "link.exe", "new.exe", "a.exe/x"] {
            refused(view.entry(&at(path)), "DeniedName");
            refused(view.read(&at(path)), "DeniedName");
            refused(view.upload(&at(path), How::Replace), "DeniedName");
        }
        let all = Selection { hidden: true, follow: true, ..Selection::default() };
        assert_eq!(shown(view.list(&at("/"), all)), ["a.exe", "link.exe", "plain"]);
    }
}

#[test]
fn new_things_have_the_modes_that_were_told() {
    let ground = Ground::new();
    let special = Special { files: Some(0o640), folders: Some(0o750), ..Special::default() };
    let mut view = ground.store.view(Rules::new(Rights::FULL, special), "someone".into());
    let mode = |path: &str| fs::metadata(ground.host(path)).unwrap().mode() & 0o7777;
    put(&view, "f", How::Replace, "x").unwrap();
    view.make_directory(&at("d")).unwrap();
    assert_eq!((mode("f"), mode("d"), view.umask()), (0o640, 0o750, 0o027));
    // A session may take from that and not add to it.
    view.set_umask(0).unwrap();
    put(&view, "f2", How::Replace, "x").unwrap();
    view.set_umask(0o077).unwrap();
    put(&view, "f3", How::Replace, "x").unwrap();
    view.make_directory(&at("d3")).unwrap();
    assert_eq!((mode("f2"), mode("f3"), mode("d3")), (0o640, 0o600, 0o700));
    // What stands keeps its own, and a client who may says what it likes; never the set-id bits.
    put(&view, "f", How::Replace, "y").unwrap();
    view.set_permissions(&at("f2"), 0o7666).unwrap();
    assert_eq!((mode("f"), mode("f2")), (0o640, 0o666));
}

/// This process has a umask of its own, 022 as a rule.
#[test]
fn new_folders_are_as_open_as_was_told_whatever_the_umask_here() {
    let ground = Ground::new();
    let special = Special { folders: Some(0o770), ..Special::default() };
    let mut view = ground.store.view(Rules::new(Rights::FULL, special), "someone".into());
    let mode = |path: &str| fs::metadata(ground.host(path)).unwrap().mode() & 0o7777;
    view.make_directory(&at("d")).unwrap();
    ground.directory("from/in");
    let mut copying = view.copy(&at("from"), &at("to")).unwrap();
    while copying.step(false).unwrap() {}
    assert_eq!((mode("d"), mode("to"), mode("to/in")), (0o770, 0o770, 0o770));
    // What a folder has from the one above it stays, and one that shuts out even this process can be made.
    fs::set_permissions(ground.host("d"), fs::Permissions::from_mode(0o2770)).unwrap();
    view.make_directory(&at("d/in")).unwrap();
    view.set_umask(0o700).unwrap();
    view.make_directory(&at("shut")).unwrap();
    assert_eq!((mode("d/in"), mode("shut")), (0o2770, 0o070));
}

#[test]
fn a_drop_box_shows_what_the_session_has_brought_and_as_it_brought_it() {
    let ground = Ground::new();
    ground.file("others", "x");
    let by = rules(Rights::READ_ONLY, &[("/box", Rights::DROP_BOX)]);
    ground.file("box/others", "x");
    let view = ground.store.view(by.clone(), "camera".into());
    put(&view, "box/mine", How::Replace, "mine").unwrap();
    put(&view, "box/others", How::Replace, "mine").unwrap();
    view.make_directory(&at("box/day")).unwrap();
    assert_eq!(list(&view, "box"), ["d:day", "mine", "others.1"]);
    assert_eq!(view.entry(&at("box/mine")).unwrap().size, 4);
    refused(view.entry(&at("box/others")), "NotFound");
    refused(view.read(&at("box/mine")), "Forbidden");
    // Somebody takes it away and another file gets its name, and perhaps its number.
    fs::remove_file(ground.host("box/mine")).unwrap();
    ground.file("box/mine", "another's");
    assert_eq!(list(&view, "box"), ["d:day", "others.1"]);
    assert_eq!(list(&ground.store.view(by, "camera".into()), "box"), [""; 0]);
    assert_eq!(list(&view, "/"), ["d:box", "others"]);
}

/// A name behind a pattern was shown whatever might be seen of it.
#[test]
fn a_pattern_shows_no_more_than_the_path() {
    for ground in Ground::both() {
        ground.file("in/victim", "x");
        ground.file("open/file", "x");
        let write = Rights { write: true, ..Rights::NONE };
        let view = ground.store.view(rules(Rights::READ_ONLY, &[("/in", write)]), "someone".into());
        let found = |pattern: &[u8]| shown(view.glob(&at("/"), pattern, Selection::default()));
        assert_eq!(found(b"*/file"), ["open/file"]);
        assert_eq!(found(b"[io]*/victim"), [""; 0]);
        assert_eq!(found(b"i[n]"), ["d:in"], "as in the list of the root");
    }
}

/// What a listing follows links for is what MLST would tell: no file that others have brought to a drop-box.
#[test]
fn a_link_shows_no_more_than_may_be_seen_where_it_leads() {
    for ground in Ground::both() {
        for file in ["box/others", "blind/f", "open/f"] {
            ground.file(file, "x");
        }
        ground.directory("a");
        for name in ["box/others", "box/mine", "box/gone", "box", "blind/f", "open/f"] {
            ground.link(format!("../{name}"), &format!("a/{}", name.replace('/', "-")));
        }
        let blind = Rights { list: false, read: false, ..Rights::FULL };
        let by = rules(Rights::FULL, &[("/box", Rights::DROP_BOX), ("/blind", blind)]);
        let view = ground.store.view(by, "someone".into());
        put(&view, "box/mine", How::Replace, "mine").unwrap();
        let follow = Selection { follow: true, ..Selection::default() };
        let expected = [
            "l:blind-f>../blind/f",
            "d:box",
            "l:box-gone>../box/gone",
            "box-mine",
            "l:box-others>../box/others",
            "open-f",
        ];
        assert_eq!(shown(view.list(&at("a"), follow)), expected);
        // A directory tells nothing of what is brought to it, by whatever name it is listed.
        for directory in ["a", "/"] {
            let mut told = Vec::new();
            let see = |item: Item<'_>| {
                if let Item::Entry { name: b"box", entry } = item {
                    told.push((entry.size, entry.links));
                }
            };
            view.list(&at(directory), follow).unwrap().next_batch(see).unwrap();
            assert_eq!(told, [(0, 1)], "{directory}");
        }
    }
}

/// The rule may be for what lies in a directory, and not for itself.
#[test]
fn what_is_a_drop_box_within_shows_no_more_than_one_that_is_whole() {
    let ground = Ground::new();
    ground.file("in/others", "x");
    ground.directory("in/day");
    ground.link("../others", "in/link");
    let view = ground.store.view(rules(Rights::FULL, &[("/in/**", Rights::DROP_BOX)]), "someone".into());
    put(&view, "in/mine", How::Replace, "mine").unwrap();
    assert_eq!(list(&view, "in"), ["d:day", "mine"]);
    let names = Selection { names_only: true, ..Selection::default() };
    assert_eq!(shown(view.list(&at("in"), names)), ["day", "mine"]);
    assert_eq!(shown(view.glob(&at("in"), b"*", names)), ["day", "mine"]);
}

/// Each right counts; those to make things count for directories, since in a file nothing can be made.
#[test]
fn a_move_wins_no_right_whichever() {
    let ground = Ground::new();
    ground.directory("from");
    ground.directory("to");
    for word in Rights::WORDS.into_iter().filter(|word| *word != "rename") {
        let only_rename = Rights { rename: true, ..Rights::NONE };
        let there = only_rename.and(Rights::of_word(word).unwrap());
        let by = rules(Rights::FULL, &[("/from/*", only_rename), ("/to/*", there)]);
        let view = ground.store.view(by, "someone".into());
        ground.file("from/file", "x");
        ground.directory("from/folder");
        refused(view.rename(&at("from/folder"), &at("to/folder")), "Forbidden");
        let moved = view.rename(&at("from/file"), &at(format!("to/{word}")));
        match word {
            "create" | "mkdir" => moved.unwrap(),
            _ => refused(moved, "Forbidden"),
        }
        // The other way it loses it.
        ground.file("to/back", "x");
        view.rename(&at("to/back"), &at(format!("from/{word}"))).unwrap();
    }
    // Who may write may append and create.
    let write = Rights { rename: true, write: true, ..Rights::NONE };
    let by = rules(Rights::FULL, &[("/from/*", write), ("/to/*", write.and(Rights::of_word("append").unwrap()))]);
    ground.store.view(by, "someone".into()).rename(&at("from/file"), &at("to/file")).unwrap();
}

/// A directory, and a link to where nothing may be done, change places all the time.
#[test]
fn a_link_swapped_in_meanwhile_leads_around_no_rule() {
    const ROUNDS: u32 = 300;
    for ground in Ground::both() {
        ground.file("open/door/f", "open");
        ground.file("secret/f", "secret");
        ground.link("../secret", "open/trap");
        let by = rules(Rights::FULL, &[("/secret", Rights::NONE)]);
        let view = ground.store.view(by, "someone".into());
        let stop = AtomicBool::new(false);
        let (door, trap) = (ground.host("open/door"), ground.host("open/trap"));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let _ = renameat_with(CWD, &door, CWD, &trap, RenameFlags::EXCHANGE);
                }
            });
            for round in 0..ROUNDS {
                if let Ok(content) = read(&view, "open/door/f") {
                    assert_ne!(content, b"secret");
                }
                let _ = put(&view, &format!("open/door/new{round}"), How::Replace, "x");
                let _ = view.make_directory(&at(format!("open/door/dir{round}")));
                let _ = view.rename(&at("open/door/f"), &at("open/door/f"));
                let listing = view.list(&at("open/door"), Selection::default());
                assert!(listing.is_err() || shown(listing).iter().all(|name| name != "only-secret"));
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(ground.names_on_disk("secret"), ["f"]);
    }
}

/// Where there may be more than where the upload then goes, between the two looks at it.
#[test]
fn an_append_is_cut_only_where_it_may_be() {
    const ROUNDS: u32 = 2000;
    let ground = Ground::new();
    for place in ["free", "strict"] {
        ground.file(&format!("{place}/log"), "what stood");
        ground.link(place, &format!("to-{place}"));
    }
    let append = Rights { write: false, ..Rights::FULL };
    let view = ground.store.view(rules(Rights::FULL, &[("/strict", append)]), "someone".into());
    let stop = AtomicBool::new(false);
    let (one, other) = (ground.host("to-free"), ground.host("to-strict"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE);
            }
        });
        let mut wrong = 0;
        for _ in 0..ROUNDS {
            let Ok(mut upload) = view.upload(&at("to-free/log"), How::Append) else { continue };
            let strict = upload.real.as_ref() == Some(&at("strict/log"));
            wrong += u32::from(upload.cut(0).is_ok() == strict);
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!(wrong, 0);
    });
}

/// The directory that an upload goes to is moved away while its bytes come.
#[test]
fn an_upload_is_not_carried_to_where_it_may_not_be() {
    for ground in Ground::both() {
        ground.directory("in/d");
        ground.directory("secret");
        let by = rules(Rights::FULL, &[("/secret", Rights::NONE)]);
        let view = ground.store.view(by, "someone".into());
        let mut upload = view.upload(&at("in/d/f"), How::Replace).unwrap();
        upload.write(b"x").unwrap();
        fs::rename(ground.host("in/d"), ground.host("secret/d")).unwrap();
        ground.link("../secret/d", "in/d");
        refused(upload.publish(), "ChangedMeanwhile");
        assert_eq!(ground.names_on_disk("secret/d"), [""; 0]);
    }
}
