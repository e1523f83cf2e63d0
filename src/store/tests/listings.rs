//! Listings: complete, sorted, bounded, and true to what is on the disk.

use super::*;

const ALL: Selection = Selection {
    hidden: true,
    dots: false,
    recursive: false,
    names_only: false,
    reverse: false,
    soon: false,
    follow: false,
};

#[test]
fn selections_select() {
    for ground in Ground::both() {
        let view = ground.view();
        for name in ["b", "a", ".hidden", "c d", "A"] {
            ground.file(name, "x");
        }
        ground.directory("sub");
        let listed = |selection| shown(view.list(&at("/"), selection));
        assert_eq!(listed(Selection::default()), ["A", "a", "b", "c d", "d:sub"]);
        assert_eq!(listed(ALL), [".hidden", "A", "a", "b", "c d", "d:sub"]);
        assert_eq!(listed(Selection { reverse: true, ..Selection::default() }), ["d:sub", "c d", "b", "a", "A"]);
        assert_eq!(listed(Selection { names_only: true, ..Selection::default() }), ["A", "a", "b", "c d", "sub"]);
        let dots = listed(Selection { dots: true, reverse: true, ..ALL });
        assert_eq!(dots[..3], ["d:.", "d:..", "d:sub"]);
        let mut identities = Vec::new();
        let mut listing = view.list(&at("sub"), Selection { dots: true, ..ALL }).unwrap();
        while listing
            .next_batch(|item| {
                if let Item::Entry { entry, .. } = item {
                    identities.push(entry.inode)
                }
            })
            .unwrap()
        {}
        assert_eq!(identities, [view.entry(&at("sub")).unwrap().inode, view.entry(&at("/")).unwrap().inode]);
        assert_eq!(shown(view.list(&at("/"), Selection { dots: true, ..ALL }))[..2], ["d:.", "d:.."]);
        assert!(listed(ALL).len() == 6 && list(&view, "sub").is_empty());
    }
}

#[test]
fn recursion_visits_each_directory_once_and_no_link() {
    for ground in Ground::both() {
        let view = ground.view();
        ground.file("b/deep/file", "x");
        ground.file("a/file", "x");
        ground.directory("a/empty");
        ground.link("..", "a/up");
        ground.link("b", "to-b");
        ground.file(".hidden/file", "x");
        let recursive = Selection { recursive: true, ..Selection::default() };
        let expected = [
            "d:a",
            "d:b",
            "l:to-b>b",
            "a/:",
            "d:empty",
            "file",
            "l:up>..",
            "a/empty/:",
            "b/:",
            "d:deep",
            "b/deep/:",
            "file",
        ];
        assert_eq!(shown(view.list(&at("/"), recursive)), expected);
        let names = shown(view.list(&at("/"), Selection { names_only: true, reverse: true, ..recursive }));
        assert_eq!(
            names,
            ["to-b", "b", "a", "b/:", "deep", "b/deep/:", "file", "a/:", "up", "file", "empty", "a/empty/:"]
        );
        // With links followed they are told as directories, and still not descended.
        let followed = shown(view.list(&at("/"), Selection { follow: true, ..recursive }));
        assert_eq!(followed.iter().filter(|item| item.ends_with("/:")).count(), 4);
        assert!(followed.contains(&"d:to-b".to_owned()) && followed.contains(&"l:up>..".to_owned()));
    }
}

#[test]
fn recursion_has_a_bottom() {
    let ground = Ground::new();
    let mut path = PathBuf::from(ground.store.root());
    for _ in 0..300 {
        path.push("d");
        fs::create_dir(&path).unwrap();
    }
    let mut listing = ground.view().list(&at("/"), Selection { recursive: true, ..ALL }).unwrap();
    let mut seen = 0;
    let end = loop {
        match listing.next_batch(|_| seen += 1) {
            Ok(true) => {}
            end => break end,
        }
    };
    refused(end, "TooMany");
    assert!(seen > 400);
}

#[test]
fn links_that_lead_back_up_stay_links() {
    for ground in Ground::both() {
        ground.directory("a/b/c");
        ground.directory("x");
        ground.link("../..", "a/b/grandparent");
        ground.link(".", "a/b/self");
        ground.link("c", "a/b/child");
        ground.link("../../x", "a/b/x");
        ground.link("a/b", "door");
        ground.link("../a/b", "x/back");
        let listed = |path: &str| shown(ground.view().list(&at(path), Selection { follow: true, ..ALL }));
        for path in ["a/b", "door", "x/back"] {
            let items = listed(path);
            for expected in ["d:c", "d:child", "l:grandparent>../..", "l:self>."] {
                assert!(items.iter().any(|item| item == expected), "{path}: {items:?}");
            }
        }
        assert!(listed("a/b").contains(&"d:x".to_owned()));
        assert!(listed("x").contains(&"d:back".to_owned()));
        // Having come through x, x leads back.
        assert!(listed("x/back").contains(&"l:x>../../x".to_owned()));
    }
}

#[test]
fn what_vanishes_between_batches_is_left_out() {
    let ground = Ground::new();
    for number in 0..2 * BATCH {
        ground.file(&format!("{number:05}"), "x");
    }
    let mut listing = ground.view().list(&at("/"), ALL).unwrap();
    let mut seen = 0;
    assert!(listing.next_batch(|_| seen += 1).unwrap());
    assert!((1..=BATCH).contains(&seen));
    for number in 0..2 * BATCH {
        fs::remove_file(ground.host(&format!("{number:05}"))).unwrap();
    }
    let before = seen;
    while listing.next_batch(|_| seen += 1).unwrap() {}
    assert_eq!(seen, before);
    assert!(!listing.next_batch(|_| seen += 1).unwrap());
}

/// The names that a listing yields, in batches as they are to be, and of how many sorted runs.
fn names_and_runs(view: &View, selection: Selection) -> (Vec<Vec<u8>>, usize) {
    let mut listing = view.list(&at("/"), selection).unwrap();
    let (mut names, mut runs) = (Vec::<Vec<u8>>::new(), 1);
    loop {
        let before = names.len();
        let more = listing.next_batch(|item| {
            let (Item::Entry { name, .. } | Item::Name(name)) = item else { panic!("{item:?}") };
            runs += usize::from(names.last().is_some_and(|last| name < &last[..]));
            names.push(name.to_vec());
        });
        assert!(names.len() - before <= BATCH);
        if !more.unwrap() {
            return (names, runs);
        }
    }
}

/// A ground with so many files of such names, created in no order.
fn many(count: usize, name: impl Fn(usize) -> String) -> Ground {
    let ground = Ground::new();
    for number in 0..count {
        // A prime that divides no count here.
        fs::File::create(ground.host(&name(number * 7919 % count))).unwrap();
    }
    ground
}

#[test]
fn twenty_thousand_entries_come_in_order_as_a_whole() {
    const COUNT: usize = 20_000;
    let name = |number: usize| format!("a name {number:010}");
    let ground = many(COUNT, name);
    for selection in [ALL, Selection { names_only: true, ..ALL }] {
        let (names, runs) = names_and_runs(&ground.view(), selection);
        assert!(names.into_iter().eq((0..COUNT).map(|number| name(number).into_bytes())));
        assert_eq!(runs, 1);
    }
    let (names, runs) = names_and_runs(&ground.view(), Selection { reverse: true, ..ALL });
    assert!(names.into_iter().rev().eq((0..COUNT).map(|number| name(number).into_bytes())));
    assert_eq!(runs, COUNT);
}

/// More names than are sorted at once: 512 KiB are about 2,000 of the longest.
#[test]
fn a_directory_beyond_the_bound_is_never_cut() {
    for (count, digits, wanted) in [(100_000, 8, 3..=4), (3_000, 255, 2..=2)] {
        let name = |number: usize| format!("{number:0digits$}");
        let ground = many(count, name);
        let (mut names, runs) = names_and_runs(&ground.view(), Selection { names_only: true, ..ALL });
        names.sort_unstable();
        assert!(names.into_iter().eq((0..count).map(|number| name(number).into_bytes())));
        assert!(wanted.contains(&runs), "{runs} runs of {count} names");
    }
}

/// The first lines of a directory that is read for long are not kept back for the last ones, and nothing is lost by it.
#[test]
fn what_is_wanted_soon_comes_in_sorted_runs() {
    const COUNT: usize = 20_000;
    let ground = many(COUNT, |number| format!("{number:08}"));
    let (mut names, runs) = names_and_runs(&ground.view(), Selection { names_only: true, soon: true, ..ALL });
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), COUNT);
    assert!((2..8).contains(&runs), "{runs}");
}

/// Parts are looked at by several threads, whoever is first.
#[test]
fn parts_looked_at_in_any_order_are_the_listing() {
    // Two runs, where they are wanted soon.
    const MANY: usize = 12_000;
    for ground in Ground::both() {
        ground.directory("many");
        for number in 0..MANY {
            fs::File::create(ground.host(&format!("many/{number:05}"))).unwrap();
        }
        for number in 0..9 {
            ground.file(&format!("many/{number:05} below/file"), "x");
            ground.link("..", &format!("many/{number:05} up"));
        }
        ground.link("many/00000", "link");
        let view = ground.view();
        let soon = Selection { soon: true, names_only: true, ..ALL };
        let recursive = Selection { recursive: true, dots: true, ..ALL };
        for selection in [ALL, recursive, soon, Selection { reverse: true, follow: true, ..ALL }] {
            for listed in [|view: &View, s| view.list(&at("many"), s), |view: &View, s| view.glob(&at("/"), b"*/*", s)]
            {
                let (mut listing, mut items) = (listed(&view, selection).unwrap(), Vec::new());
                while listing.next_batch(|item| items.push(shown_item(item))).unwrap() {
                    let parts: Vec<_> = std::iter::from_fn(|| listing.next_part(200).unwrap()).collect();
                    let look = |part: Part| {
                        let mut items = Vec::new();
                        (part.look(|item| items.push(shown_item(item))).unwrap(), items)
                    };
                    let mut looked_at: Vec<_> = parts.into_iter().rev().map(look).collect();
                    while let Some((below, seen)) = looked_at.pop() {
                        items.extend(seen);
                        listing.seen(below).unwrap();
                    }
                }
                assert_eq!(items, shown(listed(&view, selection)), "{selection:?}");
                assert!(items.len() > MANY);
            }
        }
    }
}
