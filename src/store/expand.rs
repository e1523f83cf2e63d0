//! Expands a pattern typed by a client into the names that match it, directory by directory.
//! It refuses to know what is done with the names. Whatever the pattern, its cost is bounded, and a bound that is
//! reached is an error: a result that lacks some matches would be a lie.

use super::error::StoreError;
use super::glob::{has_wildcards, literal, matches};
use super::names::{MAX_MEMORY, Names};
use super::path::VirtualPath;
use super::rights::Rights;
use super::sys::{self, FileType};
use super::temporary::is_temporary;
use super::view::{View, need, to_list, to_look};

/// Directories read for one pattern. `*/*/*` over a large tree must not read all of it.
pub const MAX_GLOB_DIRECTORIES: usize = 1024;
/// Names compared for one pattern; half a second of work.
pub const MAX_GLOB_NAMES: usize = 1_000_000;

/// What has been matched so far: as typed, and where it lies.
struct Stem {
    typed: Vec<u8>,
    path: VirtualPath,
}

/// The paths, as typed relative to `directory`, that match `pattern`.
pub(super) fn expand(view: &View, directory: &VirtualPath, pattern: &[u8]) -> Result<Names, StoreError> {
    let first = if pattern.starts_with(b"/") {
        Stem { typed: b"/".to_vec(), path: VirtualPath::root() }
    } else {
        Stem { typed: Vec::new(), path: directory.clone() }
    };
    let mut expansion = Expansion { view, stems: vec![first], names: Names::default(), directories: 0, compared: 0 };
    let mut components = pattern.split(|byte| *byte == b'/').filter(|component| !component.is_empty()).peekable();
    while let Some(component) = components.next() {
        if !has_wildcards(component) {
            expansion.go_literally(&literal(component))?;
        } else if components.peek().is_some() {
            expansion.go_into(component)?;
        } else {
            expansion.gather(component, pattern.ends_with(b"/"))?;
        }
    }
    expansion.gather_existing()?;
    Ok(expansion.names)
}

/// An expansion under way.
struct Expansion<'a> {
    view: &'a View,
    stems: Vec<Stem>,
    names: Names,
    /// Directories read, and names compared.
    directories: usize,
    compared: usize,
}

impl Expansion<'_> {
    fn go_literally(&mut self, name: &[u8]) -> Result<(), StoreError> {
        for stem in &mut self.stems {
            stem.path = stem.path.join(name)?;
            append(&mut stem.typed, name);
        }
        Ok(())
    }

    /// Goes on in all directories that match a component.
    fn go_into(&mut self, component: &[u8]) -> Result<(), StoreError> {
        let mut next = Vec::new();
        let view = self.view;
        for stem in std::mem::take(&mut self.stems) {
            self.matching(&stem, component, |_, name, kind| {
                let path = stem.path.child(name);
                if is_directory(view, &path, kind) {
                    next.push(Stem { typed: extended(&stem.typed, name), path });
                }
                if next.len() > MAX_GLOB_DIRECTORIES { Err(too_many_directories()) } else { Ok(()) }
            })?;
        }
        self.stems = next;
        Ok(())
    }

    /// Gathers the names that match the last component.
    fn gather(&mut self, component: &[u8], only_directories: bool) -> Result<(), StoreError> {
        let view = self.view;
        for stem in std::mem::take(&mut self.stems) {
            self.matching(&stem, component, |names, name, kind| {
                if only_directories && !is_directory(view, &stem.path.child(name), kind) {
                    return Ok(());
                }
                push(names, &extended(&stem.typed, name))
            })?;
        }
        Ok(())
    }

    /// The pattern ended in a name without wildcards: it matches where that exists.
    fn gather_existing(&mut self) -> Result<(), StoreError> {
        for stem in std::mem::take(&mut self.stems) {
            let reserved = stem.path.components().any(is_temporary);
            // It was found in no listing, so that it must be one that may be looked at.
            let place = self.view.place(&stem.path, to_look);
            if !reserved && place.is_ok_and(|place| place.is_none_or(|place| place.stat.is_some())) {
                push(&mut self.names, &stem.typed)?;
            }
        }
        Ok(())
    }

    /// Calls `found` for each name in the stem's directory that matches one component.
    fn matching(
        &mut self,
        stem: &Stem,
        component: &[u8],
        mut found: impl FnMut(&mut Names, &[u8], FileType) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.directories += 1;
        if self.directories > MAX_GLOB_DIRECTORIES {
            return Err(too_many_directories());
        }
        if stem.path.components().any(is_temporary) {
            return Ok(());
        }
        let directory = match self.view.open(&stem.path, sys::READ_DIRECTORY, to_list) {
            Ok(opened) => opened,
            // The one that was asked for is spoken of, as by any listing.
            Err(StoreError::Forbidden(right)) if self.directories == 1 => return Err(StoreError::Forbidden(right)),
            // Nothing in there can match: it is no directory, or not for us.
            Err(
                StoreError::NotFound
                | StoreError::NotDirectory
                | StoreError::Loop
                | StoreError::Denied
                | StoreError::DeniedName
                | StoreError::Forbidden(_),
            ) => return Ok(()),
            Err(error) => return Err(error),
        };
        let hidden = component.starts_with(b".");
        let mut result = Ok(());
        let own_only = self.view.own_in(directory.real.as_ref()).is_some();
        sys::read_names(&directory.fd, |name, kind| {
            self.compared += 1;
            if self.compared > MAX_GLOB_NAMES {
                result = Err(StoreError::TooMany { what: "names to compare with the pattern", limit: MAX_GLOB_NAMES });
            }
            let shown = own_only || directory.real.as_ref().is_none_or(|real| self.view.shows(real, name, None));
            let wanted = (hidden || !name.starts_with(b".")) && !is_temporary(name) && shown;
            if result.is_ok() && wanted && matches(component, name) {
                result = found(&mut self.names, name, kind);
            }
            result.is_err()
        })?;
        result
    }
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

/// Any right will do for a name on the way.
fn to_pass(rights: Rights) -> Result<(), StoreError> {
    need(rights != Rights::NONE, "list")
}

/// Whether one can go on in there. A link that leaves the root is no directory, and not even a name to go back from.
fn is_directory(view: &View, path: &VirtualPath, kind: FileType) -> bool {
    match kind {
        FileType::Directory => true,
        FileType::RegularFile => false,
        _ => view.open(path, sys::PLACE_DIRECTORY, to_pass).is_ok(),
    }
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
