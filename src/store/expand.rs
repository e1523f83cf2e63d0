//! Expands a pattern typed by a client into the names that match it, directory by directory.
//! It refuses to know what is done with the names. Whatever the pattern, its cost is bounded, and a bound that is
//! reached is an error: a result that lacks some matches would be a lie.

use super::Store;
use super::error::StoreError;
use super::glob::{has_wildcards, literal, matches};
use super::names::{MAX_MEMORY, Names};
use super::path::VirtualPath;
use super::resolve::Miss;
use super::sys::{self, FileType};
use super::temporary::is_temporary;
use rustix::io::Errno;

/// Directories read for one pattern. `*/*/*` over a large tree must not read all of it.
pub const MAX_GLOB_DIRECTORIES: usize = 1024;
/// Names compared for one pattern; half a second of work.
pub const MAX_GLOB_NAMES: usize = 1_000_000;

/// What has been matched so far: as typed, and where it lies.
struct Stem {
    typed: Vec<u8>,
    path: VirtualPath,
}

/// The work spent on one pattern.
#[derive(Default)]
struct Spent {
    directories: usize,
    names: usize,
}

/// The paths, as typed relative to `directory`, that match `pattern`.
pub(super) fn expand(store: &Store, directory: &VirtualPath, pattern: &[u8]) -> Result<Names, StoreError> {
    let absolute = pattern.starts_with(b"/");
    let first = Stem {
        typed: if absolute { b"/".to_vec() } else { Vec::new() },
        path: if absolute { VirtualPath::root() } else { directory.clone() },
    };
    let only_directories = pattern.ends_with(b"/");
    let components: Vec<&[u8]> =
        pattern.split(|byte| *byte == b'/').filter(|component| !component.is_empty()).collect();
    let (mut stems, mut names, mut spent) = (vec![first], Names::default(), Spent::default());
    for (index, component) in components.iter().enumerate() {
        let last = index + 1 == components.len();
        if !has_wildcards(component) {
            let name = literal(component);
            for stem in &mut stems {
                stem.path = stem.path.join(&name)?;
                append(&mut stem.typed, &name);
            }
        } else if last {
            for stem in &stems {
                matching(store, stem, component, &mut spent, |name, kind| {
                    if !only_directories || may_be_directory(kind) {
                        push(&mut names, &extended(&stem.typed, name))?;
                    }
                    Ok(())
                })?;
            }
            stems.clear();
        } else {
            let mut next = Vec::new();
            for stem in &stems {
                matching(store, stem, component, &mut spent, |name, kind| {
                    if may_be_directory(kind) {
                        next.push(Stem { typed: extended(&stem.typed, name), path: stem.path.child(name) });
                    }
                    if next.len() > MAX_GLOB_DIRECTORIES { Err(too_many_directories()) } else { Ok(()) }
                })?;
            }
            stems = next;
        }
    }
    // The pattern ended in a name without wildcards: it matches where that exists.
    for stem in stems {
        if !stem.path.components().any(is_temporary)
            && matches!(store.resolver.place(stem.path.relative()), Ok(place) if place.as_ref().is_none_or(|place| place.stat.is_some()))
        {
            push(&mut names, &stem.typed)?;
        }
    }
    Ok(names)
}

/// Calls `found` for each name in the stem's directory that matches one component.
fn matching(
    store: &Store,
    stem: &Stem,
    component: &[u8],
    spent: &mut Spent,
    mut found: impl FnMut(&[u8], FileType) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    spent.directories += 1;
    if spent.directories > MAX_GLOB_DIRECTORIES {
        return Err(too_many_directories());
    }
    if stem.path.components().any(is_temporary) {
        return Ok(());
    }
    let directory = match store.resolver.open_path(stem.path.relative(), sys::READ_DIRECTORY) {
        Ok((directory, _)) => directory,
        // Nothing in there can match: it is no directory, or not for us.
        Err(Miss::Outside | Miss::Os(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS | Errno::PERM)) => {
            return Ok(());
        }
        Err(miss) => return Err(miss.into()),
    };
    let hidden = component.starts_with(b".");
    let mut result = Ok(());
    sys::read_names(&directory, |name, kind| {
        spent.names += 1;
        if spent.names > MAX_GLOB_NAMES {
            result = Err(StoreError::TooMany { what: "names to compare with the pattern", limit: MAX_GLOB_NAMES });
        } else if result.is_ok()
            && (hidden || !name.starts_with(b"."))
            && !is_temporary(name)
            && matches(component, name)
        {
            result = found(name, kind);
        }
        result.is_err()
    })?;
    result
}

fn push(names: &mut Names, typed: &[u8]) -> Result<(), StoreError> {
    names.push(typed, FileType::Unknown);
    if names.memory() > MAX_MEMORY {
        return Err(StoreError::TooMany { what: "bytes of matching names", limit: MAX_MEMORY });
    }
    Ok(())
}

fn too_many_directories() -> StoreError {
    StoreError::TooMany { what: "directories to search for the pattern", limit: MAX_GLOB_DIRECTORIES }
}

fn may_be_directory(kind: FileType) -> bool {
    kind != FileType::RegularFile
}

fn extended(typed: &[u8], name: &[u8]) -> Vec<u8> {
    let mut typed = typed.to_vec();
    append(&mut typed, name);
    typed
}

fn append(typed: &mut Vec<u8>, name: &[u8]) {
    if !typed.is_empty() && !typed.ends_with(b"/") {
        typed.push(b'/');
    }
    typed.extend_from_slice(name);
}
