//! Nothing outside is reachable: by no link, on neither way of resolving, and not in a race.

use super::*;
use proptest::prelude::*;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};

/// A tree with every sort of link; the second value tells which of the names can be read as "inside".
pub(super) fn matrix(ground: &Ground) -> Vec<(&'static str, Result<(), &'static str>)> {
    ground.file("a/b/file", "inside");
    ground.file("file", "inside");
    ground.link("a/b/file", "relative");
    ground.link(ground.host("a/b/file"), "absolute");
    ground.link(ground.host("a//./b/../b/file"), "absolute-untidy");
    ground.link("../outside/secret", "out-relative");
    ground.link(ground.outside().join("secret"), "out-absolute");
    ground.link("../root/file", "out-and-back");
    ground.link("/", "slash");
    ground.link("a/../../outside/secret", "out-devious");
    ground.link("nothing", "dangling");
    ground.link("loop-b", "loop-a");
    ground.link("loop-a", "loop-b");
    ground.link("absolute", "chain");
    ground.link("a/b", "directory");
    ground.link("../../file", "a/b/up");
    ground.link("../../../outside/secret", "a/b/up-and-out");
    ground.link(ground.store.root(), "home");
    ground.link("file/", "file-as-directory");
    ground.link(ground.outside(), "out-directory");
    ground.link("out-directory/secret", "chain-out");
    ground.link(format!("{}-not/secret", ground.store.root().display()), "prefix-trick");
    vec![
        ("relative", Ok(())),
        ("absolute", Ok(())),
        ("absolute-untidy", Ok(())),
        ("chain", Ok(())),
        ("directory/file", Ok(())),
        ("directory/up", Ok(())),
        ("home/file", Ok(())),
        ("home/home/chain", Ok(())),
        ("out-relative", Err("NotFound")),
        ("out-absolute", Err("NotFound")),
        ("out-and-back", Err("NotFound")),
        ("slash/etc/passwd", Err("NotFound")),
        ("out-devious", Err("NotFound")),
        ("directory/up-and-out", Err("NotFound")),
        ("out-directory/secret", Err("NotFound")),
        ("chain-out", Err("NotFound")),
        ("prefix-trick", Err("NotFound")),
        ("dangling", Err("NotFound")),
        ("loop-a", Err("Loop")),
        ("file-as-directory", Err("NotDirectory")),
        ("file/x", Err("NotDirectory")),
    ]
}

#[test]
fn links_lead_anywhere_inside_and_nowhere_else() {
    for ground in Ground::both() {
        let view = ground.view();
        for (path, expected) in matrix(&ground) {
            match expected {
                Ok(()) => {
                    assert_eq!(read(&view, path).unwrap(), b"inside", "{path}");
                    assert_eq!(view.entry(&at(path)).unwrap().kind, Kind::File, "{path}");
                }
                Err(kind) => {
                    refused(view.read(&at(path)), kind);
                    refused(view.entry(&at(path)), kind);
                }
            }
        }
        view.enter(&at("directory")).unwrap();
        view.enter(&at("home/home")).unwrap();
        for path in ["out-directory", "slash", "slash/etc"] {
            refused(view.enter(&at(path)), "NotFound");
            refused(view.list(&at(path), Selection::default()), "NotFound");
        }
    }
}

#[test]
fn links_that_leave_do_not_exist_for_changes_either() {
    for ground in Ground::both() {
        matrix(&ground);
        let view = ground.view();
        for path in ["out-relative", "out-absolute", "out-directory/secret", "chain-out", "out-and-back"] {
            refused(view.upload(&at(path), How::Replace), "NotFound");
            refused(view.upload(&at(path), How::Append), "NotFound");
            refused(view.delete(&at(path)), "NotFound");
            refused(view.exists_for_rename(&at(path)), "NotFound");
            refused(view.rename(&at(path), &at("stolen")), "NotFound");
            refused(view.set_modified(&at(path), std::time::SystemTime::UNIX_EPOCH), "NotFound");
            refused(view.set_permissions(&at(path), 0o777), "NotFound");
        }
        refused(view.make_directory(&at("out-directory/new")), "NotFound");
        refused(view.upload(&at("out-directory/new"), How::Replace), "NotFound");
        refused(view.rename(&at("file"), &at("out-directory/new")), "NotFound");
        refused(view.remove_directory(&at("out-directory")), "NotFound");
        // The name is taken by something that does not exist for us: another is found beside it.
        assert_eq!(view.upload(&at("out-directory"), How::Unique).unwrap().name(), b"out-directory.1");
        let outside: Vec<_> = fs::read_dir(ground.outside()).unwrap().collect();
        assert_eq!(outside.len(), 1);
        assert_eq!(fs::read(ground.outside().join("secret")).unwrap(), SECRET);
    }
}

#[test]
fn links_inside_are_themselves_when_deleted_and_followed_when_written() {
    for ground in Ground::both() {
        matrix(&ground);
        let view = ground.view();
        put(&view, "chain", How::Replace, "new").unwrap();
        assert_eq!(ground.content("a/b/file").unwrap(), "new");
        assert!(ground.host("chain").is_symlink() && ground.host("absolute").is_symlink());
        put(&view, "dangling", How::Replace, "born").unwrap();
        assert_eq!(ground.content("nothing").unwrap(), "born");
        refused(view.upload(&at("loop-a"), How::Replace), "Loop");
        refused(view.upload(&at("home"), How::Replace), "IsDirectory");
        refused(view.upload(&at("directory"), How::Replace), "IsDirectory");
        view.delete(&at("loop-a")).unwrap();
        view.delete(&at("chain")).unwrap();
        view.rename(&at("directory"), &at("moved")).unwrap();
        assert!(ground.host("moved").is_symlink() && ground.host("a/b").is_dir());
        refused(view.remove_directory(&at("moved")), "NotDirectory");
        view.set_permissions(&at("relative"), 0o4640).unwrap();
        assert_eq!(fs::metadata(ground.host("a/b/file")).unwrap().mode() & 0o7777, 0o640);
        view.set_permissions(&at("/"), 0o755).unwrap();
    }
}

#[test]
fn listings_hide_what_leaves() {
    for ground in Ground::both() {
        matrix(&ground);
        let items = list(&ground.view(), "/");
        let expected = [
            "d:a",
            "l:absolute>/a/b/file",
            "l:absolute-untidy>/a//./b/../b/file",
            "l:chain>absolute",
            "l:dangling>nothing",
            "l:directory>a/b",
            "file",
            "l:file-as-directory>file/",
            "l:home>/",
            "l:loop-a>loop-b",
            "l:loop-b>loop-a",
            "l:relative>a/b/file",
        ];
        assert_eq!(items.len(), expected.len(), "{items:?}");
        for name in expected {
            assert!(items.iter().any(|item| item == name), "{name} is not in {items:?}");
        }
        let followed = Selection { follow: true, hidden: true, ..Selection::default() };
        let items = shown(ground.view().list(&at("/"), followed));
        for name in ["absolute", "chain", "d:directory", "l:home>/", "l:dangling>nothing"] {
            assert!(items.iter().any(|item| item == name), "{name} is not in {items:?}");
        }
        assert!(!items.iter().any(|item| item.contains("out-")), "{items:?}");
    }
}

struct StopAtTheEnd<'a>(&'a AtomicBool);

impl Drop for StopAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_directory_swapped_for_a_way_out_is_never_a_way_out() {
    /// Enough for the swap to fall between any two system calls many times.
    const ROUNDS: usize = 4000;
    for ground in Ground::both() {
        ground.file("door/secret", "inside");
        ground.link(ground.outside(), "trap");
        ground.link("../outside", "trap-relative");
        let stop = AtomicBool::new(false);
        let (door, traps) = (ground.host("door"), [ground.host("trap"), ground.host("trap-relative")]);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut turn = 0;
                while !stop.load(Ordering::Relaxed) {
                    let trap = &traps[turn % 2];
                    // Twice, so that the door is the directory again before the other trap's turn.
                    for _ in 0..2 {
                        renameat_with(CWD, &door, CWD, trap, RenameFlags::EXCHANGE).unwrap();
                    }
                    turn += 1;
                }
            });
            // Also where an assertion fails: else the swapping would never end.
            let _stop = StopAtTheEnd(&stop);
            let view = ground.view();
            let mut seen = 0;
            for round in 0..ROUNDS {
                if let Ok(content) = read(&view, "door/secret") {
                    assert_eq!(content, b"inside");
                    seen += 1;
                }
                if round % 8 == 0 {
                    let _ = put(&view, "door/upload", How::Replace, "x");
                    let _ = view.make_directory(&at("door/made"));
                    let _ = view.set_permissions(&at("door/secret"), 0o600);
                    let _ = view.remove_directory(&at("door/made"));
                    let _ = view.delete(&at("door/upload"));
                }
            }
            assert!(seen > 0);
        });
        assert_eq!(fs::read_dir(ground.outside()).unwrap().count(), 1);
        assert_eq!(fs::metadata(ground.outside().join("secret")).unwrap().mode() & 0o777, 0o644);
    }
}

/// A few names, so that random links often meet something.
const NAMES: &[&str] = &["a", "b", "c", "d"];

fn some_path(longest: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![4 => proptest::sample::select(NAMES), 2 => Just(".."), 1 => Just(".")],
        1..=longest,
    )
    .prop_map(|names| names.join("/"))
}

/// What to make: a directory, a file, or a link with its target and how it begins.
#[derive(Clone, Debug)]
enum Make {
    Directory,
    File,
    Link(&'static str, String, bool),
}

fn some_tree() -> impl Strategy<Value = Vec<(Vec<&'static str>, Make)>> {
    let make = prop_oneof![
        Just(Make::Directory),
        Just(Make::File),
        (proptest::sample::select(&["", "ROOT/", "OUTSIDE/", "/", "../"][..]), some_path(4), any::<bool>())
            .prop_map(|(start, path, slash)| Make::Link(start, path, slash)),
    ];
    proptest::collection::vec((proptest::collection::vec(proptest::sample::select(NAMES), 1..4), make), 4..24)
}

fn grow(ground: &Ground, tree: &[(Vec<&str>, Make)]) {
    for (path, make) in tree {
        let path = path.join("/");
        // A parent that is a link outside, a file or missing: this one is left out.
        let Ok(parent) = ground.host(&path).parent().unwrap().canonicalize() else { continue };
        if !parent.starts_with(ground.store.root()) {
            continue;
        }
        let host = parent.join(path.rsplit('/').next().unwrap());
        let _ = match make {
            Make::Directory => fs::create_dir(&host),
            Make::File if !host.exists() && !host.is_symlink() => fs::write(&host, &path),
            Make::File => Ok(()),
            Make::Link(start, target, slash) => {
                let start = start.replace("ROOT", ground.store.root().to_str().unwrap());
                let start = start.replace("OUTSIDE", ground.outside().to_str().unwrap());
                symlink(format!("{start}{target}{}", if *slash { "/" } else { "" }), &host)
            }
        };
    }
}

/// The verdict of one way of resolving: which inode, or which error.
fn verdict(store: &Store, path: &VirtualPath) -> Result<u64, String> {
    match store.resolver.open_path(path.relative(), sys::PLACE) {
        Ok((_, stat)) => Ok(sys::identity(&stat).inode),
        Err(miss) => Err(kind_of(&miss.into())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn both_ways_agree_and_neither_leaves(tree in some_tree(), paths in proptest::collection::vec(some_path(5), 30)) {
        let ground = Ground::new();
        for directory in NAMES {
            fs::create_dir(ground.outside().join(directory)).unwrap();
        }
        grow(&ground, &tree);
        let inside: Vec<u64> = walkdir::WalkDir::new(ground.store.root()).into_iter().map(|entry| entry.unwrap().metadata().unwrap().ino()).collect();
        let walking = Store::open(ground.store.root()).unwrap();
        walking.resolver.always_walk();
        for path in paths {
            let path = at(&path);
            let (fast, slow) = (verdict(&ground.store, &path), verdict(&walking, &path));
            prop_assert_eq!(&fast, &slow, "{}", path);
            if let Ok(inode) = fast {
                prop_assert!(inside.contains(&inode), "{} leads outside", path);
            }
            let followed = |store: &Store| match store.resolver.place_followed(path.relative(), Last::Followed) {
                Ok(Some(place)) => Ok((sys::identity(&sys::stat_fd(place.directory).unwrap()).inode, place.name)),
                Ok(None) => Err("none".to_owned()),
                Err(miss) => Err(kind_of(&miss.into())),
            };
            let (fast, slow) = (followed(&ground.store), followed(&walking));
            prop_assert_eq!(&fast, &slow, "{} followed", path);
            if let Ok((directory, _)) = fast {
                prop_assert!(inside.contains(&directory), "{} would be written outside", path);
            }
        }
    }
}

#[test]
fn a_walk_holds_a_bounded_number_of_directories() {
    let ground = Ground::new();
    let deep = vec!["d"; 300].join("/");
    ground.directory(&deep);
    assert!(ground.view().entry(&at(&deep)).is_ok());
    ground.store.resolver.always_walk();
    refused(ground.view().entry(&at(&deep)), "NameTooLong");
}
