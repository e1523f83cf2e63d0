//! Tests of the store as its callers see it: each on a root of its own, with a directory outside beside it.

mod cached;
mod changes;
mod confinement;
mod drop_box;
mod errors;
mod homes;
mod inflow;
mod kept;
mod listings;
mod patterns;
mod quotas;
mod rules;
mod trees;
mod uploads;

use super::resolve::Last;
use super::*;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

/// What nobody may ever see through the store.
pub(super) const SECRET: &[u8] = b"outside";

/// A served root, and beside it a directory "outside" with a file "secret".
pub(super) struct Ground {
    place: tempfile::TempDir,
    pub(super) store: Arc<Store>,
}

impl Ground {
    pub(super) fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("root")).unwrap();
        fs::create_dir(place.path().join("outside")).unwrap();
        fs::write(place.path().join("outside/secret"), SECRET).unwrap();
        let store = Arc::new(Store::open(&place.path().join("root")).unwrap());
        Ground { place, store }
    }

    /// One that resolves by the kernel and one that resolves by the checked walk.
    pub(super) fn both() -> [Self; 2] {
        let grounds = [Ground::new(), Ground::new()];
        grounds[1].store.resolver.always_walk();
        grounds
    }

    /// A path in the host's tree, below the root.
    pub(super) fn host(&self, path: &str) -> PathBuf {
        self.store.root().join(path)
    }

    pub(super) fn outside(&self) -> PathBuf {
        self.place.path().canonicalize().unwrap().join("outside")
    }

    pub(super) fn file(&self, path: &str, content: &str) {
        fs::create_dir_all(self.host(path).parent().unwrap()).unwrap();
        fs::write(self.host(path), content).unwrap();
    }

    pub(super) fn directory(&self, path: &str) {
        fs::create_dir_all(self.host(path)).unwrap();
    }

    pub(super) fn link(&self, target: impl AsRef<Path>, path: &str) {
        symlink(target, self.host(path)).unwrap();
    }

    pub(super) fn content(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.host(path)).ok()
    }

    pub(super) fn view(&self) -> View {
        self.store.view(Rights::FULL, "someone".into())
    }

    /// Every name in a host directory, temporary ones too.
    pub(super) fn names_on_disk(&self, path: &str) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(self.host(path)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names.into_iter().map(|name| name.to_string_lossy().into_owned()).collect()
    }
}

pub(super) fn at(path: impl AsRef<[u8]>) -> VirtualPath {
    VirtualPath::root().join(path.as_ref()).unwrap()
}

pub(super) fn read(view: &View, path: &str) -> Result<Vec<u8>, StoreError> {
    let reading = view.read(&at(path))?;
    let mut content = vec![0; reading.size as usize];
    let mut filled = 0;
    while filled < content.len() {
        match reading.read_at(&mut content[filled..], filled as u64).unwrap() {
            0 => break,
            count => filled += count,
        }
    }
    Ok(content)
}

/// All items of a listing: "name", "d:name" for directories, "l:name>target" for links, "dir/:" for markers.
pub(super) fn shown(listing: Result<Listing, StoreError>) -> Vec<String> {
    let mut listing = listing.unwrap();
    let mut items = Vec::new();
    while listing.next_batch(|item| items.push(shown_item(item))).unwrap() {}
    items
}

pub(super) fn shown_item(item: Item<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match item {
        Item::Directory(below) => format!("{}/:", text(below)),
        Item::Name(name) => text(name),
        Item::Entry { name, entry } => match entry.kind {
            Kind::Directory => format!("d:{}", text(name)),
            Kind::Symlink => format!("l:{}>{}", text(name), text(entry.target.as_deref().unwrap())),
            Kind::File | Kind::Other => text(name),
        },
    }
}

pub(super) fn list(view: &View, path: &str) -> Vec<String> {
    shown(view.list(&at(path), Selection { hidden: true, ..Selection::default() }))
}

/// Uploads `content` and publishes it.
pub(super) fn put(view: &View, path: &str, how: How, content: &str) -> Result<Published, StoreError> {
    let mut upload = view.upload(&at(path), how)?;
    upload.write(content.as_bytes())?;
    upload.publish()
}

/// The variant's name, for comparing errors.
pub(super) fn kind_of(error: &StoreError) -> String {
    format!("{error:?}").split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

#[track_caller]
pub(super) fn refused<T>(result: Result<T, StoreError>, kind: &str) {
    match result {
        Ok(_) => panic!("not refused, though {kind} was expected"),
        Err(error) => assert_eq!(kind_of(&error), kind, "{error}"),
    }
}

/// Says aloud that a test did not test.
pub(super) fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

#[test]
fn what_travels_through_a_pool_can() {
    fn travels<T: Send + 'static>() {}
    travels::<Upload>();
    travels::<Listing>();
    travels::<Reading>();
    travels::<View>();
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Store>();
    shared::<View>();
}

#[test]
fn roots_that_cannot_be_served_are_refused() {
    refused(Store::open(Path::new("/proc")), "BadName");
    refused(Store::open(Path::new("/proc/self/fd")), "BadName");
    refused(Store::open(Path::new("/sys")), "BadName");
    refused(Store::open(Path::new("/no such directory")), "NotFound");
    refused(Store::open(Path::new("/etc/passwd")), "NotDirectory");
    let ground = Ground::new();
    ground.directory("real");
    ground.link("real", "link");
    assert_eq!(Store::open(&ground.host("link")).unwrap().root(), ground.host("real"));
}

#[test]
fn sweeping_takes_the_dead_and_leaves_the_living() {
    let ground = Ground::new();
    let dead = ".gftp-0123456789abcdef.part";
    ground.file(dead, "x");
    ground.file(&format!("sub/{dead}"), "x");
    ground.file(&format!("sub/{dead}.txt"), "x");
    fs::write(ground.outside().join(dead), "x").unwrap();
    ground.link(ground.outside(), "out");
    let mut living = ground.view().upload(&at("sub/new"), How::Replace).unwrap();
    // A second server on the same root: its sweep must see the lock of the first.
    assert_eq!(Store::open(ground.store.root()).unwrap().sweep(), Sweep { removed: 2, failed: 0 });
    living.write(b"whole").unwrap();
    living.publish().unwrap();
    assert_eq!(ground.content("sub/new").unwrap(), "whole");
    assert!(ground.outside().join(dead).exists());
    assert_eq!(ground.names_on_disk("sub"), [&format!("{dead}.txt"), "new"]);
    ground.directory(dead);
    assert_eq!(ground.store.sweep(), Sweep { removed: 0, failed: 1 });
}

#[test]
fn the_kernels_own_file_systems_are_not_served() {
    // A tree with them in it is refused as a root; they may be mounted there later.
    refused(Store::open(Path::new("/")), "BadName");
    let resolver = resolve::Resolver::at(Path::new("/").into()).unwrap();
    let store = Arc::new(Store { resolver, common: Arc::default() });
    for walk in [false, true] {
        if walk {
            store.resolver.always_walk();
        }
        let view = store.view(Rights::READ_ONLY, "someone".into());
        assert!(view.entry(&at("/etc")).is_ok());
        refused(view.enter(&at("/proc")), "NotFound");
        refused(view.entry(&at("/proc/self")), "NotFound");
        refused(view.read(&at("/proc/cpuinfo")), "NotFound");
        refused(view.list(&at("/sys/kernel"), Selection::default()), "NotFound");
        assert!(view.read(&at("/proc/self/root/etc/passwd")).is_err());
        for names_only in [false, true] {
            let items = shown(view.list(&at("/"), Selection { names_only, ..Selection::default() }));
            assert!(items.iter().any(|name| name.ends_with("etc")), "{items:?}");
            assert!(!items.iter().any(|name| name.ends_with("proc") || name.ends_with(":sys")), "{items:?}");
        }
    }
}

/// The names of a directory made of bytes that no text has.
#[test]
fn names_need_not_be_text() {
    let ground = Ground::new();
    let name = b"\xff\xfe na\nme ";
    fs::write(ground.store.root().join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
    let view = ground.view();
    let mut listing = view.list(&at("/"), Selection::default()).unwrap();
    let mut found = Vec::new();
    listing
        .next_batch(|item| {
            if let Item::Entry { name, .. } = item {
                found.push(name.to_vec())
            }
        })
        .unwrap();
    assert_eq!(found, [name.to_vec()]);
    let path = VirtualPath::root().child(name);
    assert_eq!(view.read(&path).unwrap().size, 1);
    view.rename(&path, &at(b"\x80")).unwrap();
    view.delete(&at(b"\x80")).unwrap();
    assert!(list(&view, "/").is_empty());
}
