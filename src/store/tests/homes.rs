//! Homes: all that an account sees, shared by whoever has the same, made where missing, and left by no way.

use super::*;
use std::os::fd::AsRawFd;

fn home(ground: &Ground, path: &str) -> View {
    ground.store.home(&at(path)).unwrap().view(Rights::FULL, "someone".into())
}

#[test]
fn the_home_is_the_root() {
    for ground in Ground::both() {
        ground.file("users/alice/file", "hers");
        ground.file("users/bob/file", "his");
        let view = home(&ground, "users/alice");
        assert_eq!(list(&view, "/"), ["file"]);
        assert_eq!(read(&view, "file").unwrap(), b"hers");
        assert_eq!(read(&view, "../../file").unwrap(), b"hers");
        refused(view.entry(&at("/users/bob/file")), "NotFound");
        refused(view.remove_directory(&at("/")), "BadName");
        put(&view, "new", How::Replace, "x").unwrap();
        assert_eq!(ground.content("users/alice/new").unwrap(), "x");
        assert!(Arc::ptr_eq(&ground.store, &ground.store.home(&at("/")).unwrap()));
    }
}

#[test]
fn links_that_leave_the_home_do_not_exist_though_they_stay_in_the_root() {
    for ground in Ground::both() {
        ground.file("users/alice/in/file", "hers");
        ground.file("users/bob/file", "his");
        ground.link("../bob", "users/alice/relative");
        ground.link("../bob/file", "users/alice/file");
        ground.link(ground.host("users/bob"), "users/alice/absolute");
        ground.link("../alice/in", "users/alice/around");
        ground.link(ground.host("users/alice/in"), "users/alice/inside");
        ground.link("../../../outside", "users/alice/out");
        let view = home(&ground, "users/alice");
        for path in ["relative", "absolute", "around", "out", "relative/file", "absolute/file", "around/file"] {
            refused(view.entry(&at(path)), "NotFound");
            refused(view.enter(&at(path)), "NotFound");
        }
        refused(view.read(&at("file")), "NotFound");
        refused(view.delete(&at("file")), "NotFound");
        for path in ["file", "relative/new", "absolute/new", "out/new"] {
            assert!(view.upload(&at(path), How::Replace).is_err(), "{path}");
            assert!(view.upload(&at(path), How::Append).is_err(), "{path}");
        }
        refused(view.rename(&at("in/file"), &at("relative/file")), "NotFound");
        refused(view.make_directory(&at("absolute/new")), "NotFound");
        assert_eq!(read(&view, "inside/file").unwrap(), b"hers");
        assert_eq!(list(&view, "/"), ["d:in", "l:inside>/in"]);
        assert_eq!(ground.names_on_disk("users/bob"), ["file"]);
        // Seen from the root they lead where they say.
        assert_eq!(read(&ground.view(), "users/alice/relative/file").unwrap(), b"his");
    }
}

#[test]
fn a_home_may_lie_behind_a_link_inside_the_root_but_not_outside() {
    for ground in Ground::both() {
        ground.file("data/alice/file", "hers");
        ground.link("data", "users");
        ground.link(ground.host("data/alice"), "data/alice/self");
        ground.link(ground.outside(), "out");
        let view = home(&ground, "users/alice");
        assert_eq!(read(&view, "file").unwrap(), b"hers");
        // The link names the home by its real path.
        assert_eq!(read(&view, "self/file").unwrap(), b"hers");
        refused(ground.store.home(&at("out")), "NotFound");
        refused(ground.store.home(&at("out/new")), "NotFound");
        refused(ground.store.home(&at("data/alice/file")), "NotDirectory");
        refused(ground.store.home(&at("data/alice/file/below")), "NotDirectory");
        ground.link("gone", "dangling");
        refused(ground.store.home(&at("dangling")), "NotFound");
        assert_eq!(fs::read_dir(ground.outside()).unwrap().count(), 1);
    }
}

#[test]
fn a_missing_home_is_made_with_its_parents() {
    use std::os::unix::fs::PermissionsExt;
    for ground in Ground::both() {
        let view = home(&ground, "a/b/c");
        put(&view, "file", How::Replace, "x").unwrap();
        assert_eq!(ground.content("a/b/c/file").unwrap(), "x");
        assert_eq!(fs::metadata(ground.host("a/b")).unwrap().permissions().mode() & 0o777, 0o755);
    }
}

#[test]
fn one_home_is_open_once_and_a_new_one_is_noticed() {
    let ground = Ground::new();
    let (first, second) = (ground.store.home(&at("alice")).unwrap(), ground.store.home(&at("/alice/.")).unwrap());
    assert!(Arc::ptr_eq(&first, &second));
    fs::remove_dir(ground.host("alice")).unwrap();
    // The number of a directory that is gone is free for the next one, if nobody holds it.
    let third = ground.store.home(&at("alice")).unwrap();
    assert!(!Arc::ptr_eq(&first, &third));
    put(&third.view(Rights::FULL, "someone".into()), "file", How::Replace, "x").unwrap();
    assert_eq!(ground.content("alice/file").unwrap(), "x");
    drop((first, second, third));
    ground.store.home(&at("bob")).unwrap();
    let homes = ground.store.common.homes.lock().unwrap();
    assert_eq!(homes.len(), 1, "homes that nobody is in are forgotten");
    assert!(homes.values().all(|home| home.strong_count() == 0));
}

#[test]
fn a_home_that_nobody_is_in_holds_no_descriptor() {
    let ground = Ground::new();
    let open = ground.store.home(&at("alice")).unwrap();
    let descriptor = format!("/proc/self/fd/{}", open.resolver.root_descriptor().as_raw_fd());
    let stands = || fs::read_link(&descriptor).is_ok_and(|path| path == ground.host("alice"));
    assert!(stands());
    drop(open);
    assert!(!stands());
}

#[test]
fn homes_that_lie_in_each_other_share_claims_turns_and_what_is_kept() {
    let ground = Ground::new();
    let outer = ground.view();
    let inner = home(&ground, "alice");
    let names = [inner.upload(&at("new"), How::Unique).unwrap(), outer.upload(&at("alice/new"), How::Unique).unwrap()]
        .map(|upload| upload.name());
    assert_ne!(names[0], names[1]);
    // The same words of another account are another upload; the directory goes with whatever was kept in it.
    inner.make_directory(&at("day")).unwrap();
    let mut upload = inner.upload(&at("day/file"), How::Replace).unwrap();
    upload.write(b"half").unwrap();
    assert!(upload.keep());
    let stranger = ground.store.home(&at("alice")).unwrap().view(Rights::FULL, "another".into());
    assert_eq!((inner.kept(&at("day/file")), stranger.kept(&at("day/file"))), (Some(4), None));
    outer.remove_directory(&at("alice/day")).unwrap();
    assert_eq!(inner.kept(&at("day/file")), None);
}
