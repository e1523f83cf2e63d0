//! Removing trees, copying them, joining files and making links: whole, confined, bounded.

use super::*;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};

fn remove(view: &View, path: &str) -> Result<(u64, u64), Trouble> {
    let trouble = |error| Trouble { path: at(path), error };
    let mut removal = view.remove_tree(&at(path)).map_err(trouble)?;
    while removal.step()? {}
    Ok((removal.tally().files(), removal.tally().directories()))
}

/// Files, directories and what was left out.
fn copy(view: &View, from: &str, to: &str) -> Result<(u64, u64, u64), Trouble> {
    let trouble = |error| Trouble { path: at(to), error };
    let mut copying = view.copy(&at(from), &at(to)).map_err(trouble)?;
    while copying.step(false)? {}
    let tally = copying.tally();
    Ok((tally.files(), tally.directories(), tally.left_out()))
}

fn join(view: &View, target: &str, parts: &[&str]) -> Result<u64, Trouble> {
    let parts: Vec<_> = parts.iter().map(at).collect();
    let mut joining = view.join(&at(target), &parts)?;
    while joining.step(true)? {}
    assert_eq!(joining.parts_kept(), 0);
    Ok(joining.tally().bytes())
}

#[track_caller]
fn stopped<T>(result: Result<T, Trouble>, kind: &str, path: &str) {
    let trouble = result.err().unwrap_or_else(|| panic!("not stopped, though {kind} was expected"));
    assert_eq!((kind_of(&trouble.error), trouble.path.to_string()), (kind.to_owned(), path.to_owned()));
}

#[test]
fn a_tree_goes_with_all_that_is_in_it_and_no_link_is_followed() {
    for ground in Ground::both() {
        ground.file("kept", "inside");
        ground.file("tree/a/b/file", "x");
        ground.file("tree/a/.gftp-0123456789abcdef.part", "dead");
        ground.link(ground.outside(), "tree/a/out");
        ground.link("../kept", "tree/kept");
        ground.link("nowhere", "tree/.gftp-fedcba9876543210.part");
        let mut broken = ground.view().upload(&at("tree/a/up"), How::Replace).unwrap();
        broken.write(b"x").unwrap();
        assert!(broken.keep());
        assert_eq!(remove(&ground.view(), "tree").unwrap(), (3, 3));
        assert_eq!(ground.names_on_disk(""), ["kept"]);
        assert_eq!(fs::read(ground.outside().join("secret")).unwrap(), SECRET);
        assert_eq!(ground.view().kept(&at("tree/a/up")), None);
        refused(ground.view().remove_tree(&at("/")), "BadName");
        refused(ground.view().remove_tree(&at("kept")), "NotDirectory");
    }
}

#[test]
fn a_living_upload_stops_a_removal() {
    let ground = Ground::new();
    ground.file("tree/sub/file", "x");
    let upload = ground.view().upload(&at("tree/sub/up"), How::Replace).unwrap();
    let trouble = remove(&ground.view(), "tree").unwrap_err();
    assert_eq!(kind_of(&trouble.error), "Busy");
    assert!(trouble.path.to_string().starts_with("/tree/sub/.gftp-"), "{}", trouble.path);
    drop(upload);
    remove(&ground.view(), "tree").unwrap();
    assert!(ground.names_on_disk("").is_empty());
}

#[test]
fn a_removal_is_bounded_in_each_direction() {
    let ground = Ground::new();
    // More directories than one level remembers, more names than one reading brings.
    for number in 0..200 {
        ground.directory(&format!("wide/{number}/x"));
    }
    for number in 0..5000 {
        fs::write(ground.host(&format!("wide/{number:0200}")), "").unwrap();
    }
    let mut removal = ground.view().remove_tree(&at("wide")).unwrap();
    let mut steps = 0;
    while removal.step().unwrap() {
        steps += 1;
        assert!(removal.tally().files() <= steps * 2000, "a step takes more than its share");
    }
    assert!(steps > 3);
    assert_eq!((removal.tally().files(), removal.tally().directories()), (5000, 401));
    // Deeper than any path can be: two halves, one moved to the bottom of the other.
    let half = vec!["d"; 700].join("/");
    ground.directory(&format!("deep/{half}"));
    ground.directory(&format!("other/{half}"));
    fs::rename(ground.host("other"), ground.host(&format!("deep/{half}/other"))).unwrap();
    let trouble = remove(&ground.view(), "deep").unwrap_err();
    assert_eq!(kind_of(&trouble.error), "TooMany");
    ground.view().rename(&at(format!("deep/{half}/other")), &at("other")).unwrap();
    assert_eq!(remove(&ground.view(), "deep").unwrap(), (0, 701));
    assert_eq!(remove(&ground.view(), "other").unwrap(), (0, 701));
}

#[test]
fn what_was_not_removed_is_named() {
    let ground = Ground::new();
    ground.file("tree/a/file", "x");
    let mut removal = ground.view().remove_tree(&at("tree")).unwrap();
    // Moved away under its feet: what is left is nothing that it was asked for.
    ground.directory("elsewhere");
    removal.step().unwrap();
    drop(removal);
    assert_eq!(ground.names_on_disk(""), ["elsewhere"]);
    stopped(remove(&ground.view(), "tree"), "NotFound", "/tree");
}

struct StopAtTheEnd<'a>(&'a AtomicBool);

impl Drop for StopAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Swaps a directory for a link out of the root, again and again, while `attempt` is made.
fn while_swapping(ground: &Ground, attempt: impl Fn(usize)) {
    const ROUNDS: usize = 150;
    fs::create_dir_all(ground.outside().join("deep/er")).unwrap();
    ground.directory("tree");
    ground.link(ground.outside(), "trap");
    let stop = AtomicBool::new(false);
    let (door, trap) = (ground.host("tree/door"), ground.host("trap"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // Fails while the door is removed, and then there is nothing to swap.
                let _ = renameat_with(CWD, &door, CWD, &trap, RenameFlags::EXCHANGE);
            }
        });
        let _stop = StopAtTheEnd(&stop);
        for round in 0..ROUNDS {
            attempt(round);
        }
    });
    assert_eq!(fs::read(ground.outside().join("secret")).unwrap(), SECRET);
    assert!(ground.outside().join("deep/er").is_dir());
}

#[test]
fn a_directory_swapped_for_a_way_out_is_not_removed_through() {
    for ground in Ground::both() {
        while_swapping(&ground, |round| {
            let _ = fs::create_dir_all(ground.host("tree/door/deep/er"));
            let _ = fs::write(ground.host(&format!("tree/door/{round}")), "x");
            let _ = remove(&ground.view(), if round % 2 == 0 { "tree" } else { "tree/door" });
            if !ground.host("trap").exists() {
                let _ = fs::remove_dir_all(ground.host("trap"));
                ground.link(ground.outside(), "trap");
            }
        });
    }
}

#[test]
fn a_directory_swapped_for_a_way_out_is_not_copied_through() {
    for ground in Ground::both() {
        ground.file("tree/door/secret", "inside");
        ground.directory("tree/door/deep/er");
        while_swapping(&ground, |round| {
            let name = format!("copy{round}");
            let _ = copy(&ground.view(), "tree", &name);
            if let Some(content) = ground.content(&format!("{name}/door/secret"))
                && !ground.host(&format!("{name}/door")).is_symlink()
            {
                assert_eq!(content, "inside");
            }
        });
        assert_eq!(fs::read_dir(ground.outside()).unwrap().count(), 2, "nothing was copied to the outside");
    }
}

#[test]
fn copies_are_whole_and_stay_inside() {
    for ground in Ground::both() {
        let view = ground.view();
        ground.file("tree/a/b/file", "deep");
        ground.file("tree/.hidden", "x");
        ground.file("tree/.gftp-0123456789abcdef.part", "nobody's");
        ground.link("a/b/file", "tree/relative");
        ground.link(ground.host("tree/a"), "tree/absolute");
        ground.link("../../outside/secret", "tree/out");
        ground.link(ground.outside(), "tree/a/out");
        ground.link("nothing", "tree/dangling");
        view.set_permissions(&at("tree/a/b/file"), 0o777).unwrap();
        assert_eq!(copy(&view, "tree", "copy").unwrap(), (5, 3, 2));
        assert_eq!(ground.content("copy/a/b/file").unwrap(), "deep");
        assert_eq!(fs::metadata(ground.host("copy/a/b/file")).unwrap().mode() & 0o777, 0o755);
        assert!(ground.host("copy/relative").is_symlink() && ground.host("copy/absolute").is_symlink());
        let names = [".hidden", "a", "absolute", "dangling", "relative"];
        assert_eq!(ground.names_on_disk("copy"), names);
        stopped(copy(&view, "tree", "copy"), "Exists", "/copy");
        stopped(copy(&view, "tree", "tree/x"), "BadName", "/tree/x");
        // Through a link the same directory has another path.
        ground.link("tree/a", "alias");
        stopped(copy(&view, "tree", "alias/x"), "BadName", "/alias/x/a/x");
        let no_mkdir = ground.store.view(Rights { mkdir: false, ..Rights::FULL }, "someone".into());
        refused(no_mkdir.copy(&at("tree"), &at("new")), "Forbidden");
        refused(view.copy(&at("tree/out"), &at("new")), "NotFound");
        refused(view.copy(&at("tree/.hidden"), &at("relative/x")), "NotFound");
        assert_eq!(fs::read_dir(ground.outside()).unwrap().count(), 1);
    }
}

#[test]
fn a_copy_that_is_dropped_leaves_what_stood() {
    let ground = Ground::new();
    ground.file("old", "old");
    fs::File::create(ground.host("big")).unwrap().set_len(100 << 20).unwrap();
    let mut copying = ground.view().copy(&at("big"), &at("old")).unwrap();
    copying.step(false).unwrap();
    drop(copying);
    assert_eq!(ground.content("old").unwrap(), "old");
    assert_eq!(ground.names_on_disk(""), ["big", "old"]);
    stopped(copy(&ground.view(), "big", "big"), "BadName", "/big");
}

#[test]
fn a_source_cut_short_is_no_copy() {
    let ground = Ground::new();
    ground.file("old", "old");
    fs::File::create(ground.host("big")).unwrap().set_len(100 << 20).unwrap();
    let mut copying = ground.view().copy(&at("big"), &at("old")).unwrap();
    fs::File::options().write(true).open(ground.host("big")).unwrap().set_len(10).unwrap();
    let end = loop {
        match copying.step(false) {
            Ok(true) => {}
            Ok(false) => panic!("it says that it copied what is gone"),
            Err(trouble) => break trouble,
        }
    };
    assert_eq!(kind_of(&end.error), "ChangedMeanwhile");
    drop(copying);
    assert_eq!(ground.content("old").unwrap(), "old");
}

#[test]
fn parts_are_joined_behind_what_stands_and_then_go() {
    for ground in Ground::both() {
        let view = ground.view();
        ground.file("one", "1");
        ground.file("two", "22");
        ground.file("empty", "");
        assert_eq!(join(&view, "all", &["one", "empty", "two"]).unwrap(), 3);
        assert_eq!(ground.names_on_disk(""), ["all"]);
        ground.file("three", "333");
        ground.link("all", "link");
        assert_eq!(join(&view, "link", &["three"]).unwrap(), 6);
        assert_eq!(ground.content("all").unwrap(), "122333");
        ground.file("part", "x");
        fs::hard_link(ground.host("part"), ground.host("same")).unwrap();
        stopped(join(&view, "new", &["part", "same"]), "BadName", "/same");
        stopped(join(&view, "same", &["part"]), "BadName", "/part");
        stopped(join(&view, "new", &["part", "gone"]), "NotFound", "/gone");
        ground.link(ground.outside().join("secret"), "secret");
        stopped(join(&view, "new", &["secret"]), "NotRegular", "/secret");
        let many = vec!["part"; MAX_PARTS + 1];
        stopped(join(&view, "new", &many), "TooMany", "/new");
        assert_eq!(ground.names_on_disk(""), ["all", "link", "part", "same", "secret"]);
    }
}

#[test]
fn what_changes_while_it_is_joined_is_left_alone() {
    let ground = Ground::new();
    ground.file("all", "old");
    ground.file("part", "x");
    let view = ground.view();
    for (changed, left) in [("part", "/part"), ("all", "/all")] {
        let mut joining = view.join(&at("all"), &[at("part")]).unwrap();
        for _ in 0..4 {
            joining.step(false).unwrap();
        }
        ground.file(changed, "somebody else's");
        let trouble = loop {
            match joining.step(false) {
                Ok(more) => assert!(more, "{changed} was changed, and nobody noticed"),
                Err(trouble) => break trouble,
            }
        };
        assert_eq!((kind_of(&trouble.error), trouble.path.to_string()), ("ChangedMeanwhile".into(), left.into()));
        drop(joining);
        assert_eq!(ground.names_on_disk(""), ["all", "part"]);
        assert_eq!(ground.content(changed).unwrap(), "somebody else's");
    }
}

#[test]
fn links_lead_where_they_were_told_to() {
    for ground in Ground::both() {
        let view = ground.view();
        ground.file("a/file", "inside");
        ground.directory("b/c/d");
        ground.link("b/c/d", "way");
        ground.link("../a", "b/to-a");
        for link in ["link", "a/link", "b/c/link", "way/link", "b/to-a/again"] {
            view.make_link(&at("a/file"), &at(link)).unwrap();
            assert_eq!(read(&view, link).unwrap(), b"inside", "{link}");
            // For other programs, too.
            assert_eq!(ground.content(link).unwrap(), "inside", "{link}");
            assert!(fs::read_link(ground.host(link)).unwrap().is_relative(), "{link}");
            refused(view.make_link(&at("a/file"), &at(link)), "Exists");
        }
        assert_eq!(fs::read_link(ground.host("a/link")).unwrap(), Path::new("file"));
        assert_eq!(fs::read_link(ground.host("way/link")).unwrap(), Path::new("../../../a/file"));
        view.make_link(&at("/"), &at("top")).unwrap();
        view.make_link(&at("/"), &at("way/top")).unwrap();
        assert_eq!(ground.content("way/top/way/top/a/file").unwrap(), "inside");
        ground.link(ground.outside(), "out");
        refused(view.make_link(&at("out/secret"), &at("new")), "NotFound");
        refused(view.make_link(&at("a/file"), &at("out/new")), "NotFound");
        refused(view.make_link(&at("nothing"), &at("new")), "NotFound");
        refused(view.make_link(&at("a/file"), &at("/")), "Exists");
        refused(view.make_link(&at("a/file"), &at(".gftp-0123456789abcdef.part")), "BadName");
        assert!(!ground.names_on_disk("").iter().any(|name| is_temporary(name.as_bytes())));
        assert_eq!(fs::read_dir(ground.outside()).unwrap().count(), 1);
    }
}

/// Its text is relative: elsewhere it would lead somewhere else, out of the root too, and be nothing that anybody could take away.
#[test]
fn a_link_is_not_moved_to_where_it_leads_out() {
    for ground in Ground::both() {
        let view = ground.view();
        ground.file("b/file", "inside");
        ground.directory("x/y");
        ground.link("../b/file", "x/link");
        refused(view.rename(&at("x/link"), &at("link")), "BadName");
        assert_eq!(ground.content("x/link").unwrap(), "inside");
        view.rename(&at("x/link"), &at("b/link")).unwrap();
        assert_eq!(ground.content("b/link").unwrap(), "inside");
        // What leads nowhere leads nowhere out.
        view.rename(&at("b/link"), &at("x/y/link")).unwrap();
        view.rename(&at("x/y/link"), &at("x/link")).unwrap();
        let all = [ground.names_on_disk(""), ground.names_on_disk("x"), ground.names_on_disk("b")].concat();
        assert_eq!(all, ["b", "x", "link", "y", "file"]);
    }
}

#[test]
fn a_copy_has_a_bottom() {
    let ground = Ground::new();
    ground.directory(&format!("deep/{}", "d/".repeat(300)));
    stopped_anywhere(copy(&ground.view(), "deep", "copy"));
}

/// It stops for its depth, wherever that is.
fn stopped_anywhere<T>(result: Result<T, Trouble>) {
    match result {
        Err(trouble) => assert_eq!(kind_of(&trouble.error), "TooMany"),
        Ok(_) => panic!("a tree of 300 levels was copied"),
    }
}
