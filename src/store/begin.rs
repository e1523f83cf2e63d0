//! How an upload begins: on nothing, on a kept partial, or on a copy of the file that stands.
//! It refuses to know how one ends.

use super::Store;
use super::error::StoreError;
use super::kept::{Kept, Key};
use super::path::VirtualPath;
use super::resolve::Place;
use super::sys::{self, FileType};
use super::temporary::{Temporary, is_temporary};
use super::unique::UniqueName;
use super::upload::{Base, How, Stamp, Upload};
use std::fs::File;
use std::sync::Arc;

/// Begins an upload. Rights were checked, and that no component of the path is reserved.
pub(super) fn begin(store: Arc<Store>, owner: Arc<str>, path: &VirtualPath, how: How) -> Result<Upload, StoreError> {
    if how == How::Unique {
        return unique(store, owner, path);
    }
    let place = store.resolver.place_followed(path.relative())?.ok_or(StoreError::IsDirectory)?;
    check_target(&place)?;
    let key = (owner, path.clone());
    match how {
        How::ResumeAt(offset) if offset > 0 => resume(store, key, place, offset),
        How::Append => append(store, key, place, false),
        How::AppendKept => append(store, key, place, true),
        _ => fresh(store, key, place),
    }
}

/// Begins an upload that may touch nothing that stands: under a free name, or going on with what this owner's broken
/// upload left. Rights were checked, and that no component of the path is reserved.
pub(super) fn begin_new(
    store: Arc<Store>,
    owner: Arc<str>,
    path: &VirtualPath,
    how: How,
) -> Result<Upload, StoreError> {
    match how {
        How::Unique => unique(store, owner, path),
        How::ResumeAt(offset) if offset > 0 => go_on_aside(store, owner, path, Some(offset)),
        How::Append | How::AppendKept => go_on_aside(store, owner, path, None),
        How::Replace | How::ResumeAt(_) => {
            if store.resolver.open_path(path.relative(), sys::PLACE_DIRECTORY).is_ok() {
                return Err(StoreError::IsDirectory);
            }
            let upload = unique(store, owner, path)?;
            Ok(Upload { asked: Some(path.clone()), ..upload })
        }
    }
}

/// Goes on with the owner's kept partial, from `offset` or its end, to publish it under a name that is free then.
fn go_on_aside(
    store: Arc<Store>,
    owner: Arc<str>,
    path: &VirtualPath,
    offset: Option<u64>,
) -> Result<Upload, StoreError> {
    let forbidden = StoreError::Forbidden(if offset.is_some() { "write" } else { "append" });
    let key = (owner, path.clone());
    // One that holds bytes of a file that stands would be a way to read them.
    let Some(size) = store.common.kept.look(&key, |kept| (kept.copied == 0).then(|| kept.size())) else {
        return Err(forbidden);
    };
    let offset = offset.unwrap_or(size);
    if offset > size {
        return Err(StoreError::BeyondEnd { size });
    }
    let place = store.resolver.place(path.relative())?.ok_or(StoreError::IsDirectory)?;
    let name = UniqueName::choose(store.clone(), &place.directory, Some(place.name.clone()))?;
    let Some(kept) = take_kept(&store, &key, &place)? else { return Err(forbidden) };
    let target = name.name().to_vec();
    let taken = (key.0, path.parent().unwrap_or_else(VirtualPath::root).child(&target));
    let upload = go_on(store, taken, target, kept, offset)?;
    Ok(Upload { base: Base::Free, unique: Some(name), asked: Some(path.clone()), ..upload })
}

/// What a rename would replace without asking is asked about here.
fn check_target(place: &Place) -> Result<(), StoreError> {
    if is_temporary(&place.name) {
        return Err(StoreError::BadName("the name is reserved for uploads in progress"));
    }
    match place.stat.as_ref().map(sys::kind) {
        None => Ok(()),
        Some(FileType::RegularFile) => Ok(sys::may_write(&place.directory, &place.name)?),
        Some(FileType::Directory) => Err(StoreError::IsDirectory),
        Some(_) => Err(StoreError::NotRegular),
    }
}

fn fresh(store: Arc<Store>, key: Key, place: Place) -> Result<Upload, StoreError> {
    let temporary = Temporary::create(place.directory)?;
    Ok(Upload::new(store, key, place.name, temporary))
}

fn resume(store: Arc<Store>, key: Key, place: Place, offset: u64) -> Result<Upload, StoreError> {
    match current(&store, &key, &place) {
        Some(Partial { size, .. }) if size >= offset => {
            if let Some(kept) = take_kept(&store, &key, &place)? {
                return go_on(store, key, place.name, kept, offset);
            }
        }
        // The client learnt its offset from the file that stands, and the two would be mixed.
        Some(Partial { size, .. }) if place.stat.is_some() => return Err(StoreError::Interrupted { size }),
        Some(Partial { size, .. }) => return Err(StoreError::BeyondEnd { size }),
        None => {}
    }
    let standing = place.stat.as_ref().map_or(0, sys::size);
    if standing < offset {
        return Err(StoreError::BeyondEnd { size: standing });
    }
    copy(store, key, place, Some(offset))
}

fn append(store: Arc<Store>, key: Key, place: Place, resuming: bool) -> Result<Upload, StoreError> {
    match current(&store, &key, &place) {
        Some(Partial { size, .. }) if resuming || place.stat.is_none() => {
            if let Some(kept) = take_kept(&store, &key, &place)? {
                return go_on(store, key, place.name, kept, size);
            }
        }
        // To resume that upload, or to add to the file that stands? Guessing wrong would mix the two.
        Some(Partial { size, replaces: true }) => return Err(StoreError::Interrupted { size }),
        // An interrupted append is simply repeated.
        _ => {}
    }
    if place.stat.is_none() {
        let upload = fresh(store, key, place)?;
        return Ok(Upload { base: Base::Free, ..upload });
    }
    copy(store, key, place, None)
}

/// What is kept of an interrupted upload.
struct Partial {
    size: u64,
    /// Whether it was to replace the whole file, not to add to it.
    replaces: bool,
}

/// The owner's kept partial, unless the file that stands is the newer: then nobody means the partial any more.
fn current(store: &Store, key: &Key, place: &Place) -> Option<Partial> {
    store.common.kept.look(key, |kept| {
        let stat = sys::stat_fd(&kept.temporary.file).ok()?;
        let newer = place.stat.as_ref().is_none_or(|standing| sys::modified(&stat) >= sys::modified(standing));
        newer.then(|| Partial { size: sys::size(&stat), replaces: kept.copied == 0 })
    })
}

/// The owner's kept partial, unless the path now lies in another directory than it did.
fn take_kept(store: &Store, key: &Key, place: &Place) -> Result<Option<Kept>, StoreError> {
    let Some(kept) = store.common.kept.take(key) else { return Ok(None) };
    let (now, then) = (sys::stat_fd(&place.directory)?, sys::stat_fd(&kept.temporary.directory)?);
    Ok((sys::identity(&now) == sys::identity(&then)).then_some(kept))
}

/// Takes a kept partial over, cut to `offset`.
fn go_on(store: Arc<Store>, key: Key, target: Vec<u8>, kept: Kept, offset: u64) -> Result<Upload, StoreError> {
    let Kept { temporary, base, copied, .. } = kept;
    sys::truncate(&temporary.file, offset)?;
    let copied = copied.min(offset);
    Ok(Upload { base, offset, copied, ..Upload::new(store, key, target, temporary) })
}

/// Begins with the first bytes of the file that stands; all of them if `length` does not say.
fn copy(store: Arc<Store>, key: Key, place: Place, length: Option<u64>) -> Result<Upload, StoreError> {
    let source = File::from(sys::open_at(&place.directory, &place.name, sys::READ_FILE)?);
    let stat = sys::stat_fd(&source)?;
    if sys::kind(&stat) != FileType::RegularFile {
        return Err(StoreError::NotRegular);
    }
    let length = length.unwrap_or(sys::size(&stat));
    let temporary = Temporary::create(place.directory)?;
    if sys::copy_prefix(&source, &temporary.file, length)? != length {
        return Err(StoreError::ChangedMeanwhile);
    }
    let base = Base::File(Stamp::of(&stat));
    Ok(Upload { base, offset: length, copied: length, ..Upload::new(store, key, place.name, temporary) })
}

fn unique(store: Arc<Store>, owner: Arc<str>, path: &VirtualPath) -> Result<Upload, StoreError> {
    let place = store.resolver.place(path.relative())?;
    let (parent, directory, stem) = match (store.resolver.open_path(path.relative(), sys::PLACE_DIRECTORY), place) {
        (Ok((directory, _)), _) => (path.clone(), directory, None),
        (Err(_), Some(place)) => (path.parent().unwrap_or_else(VirtualPath::root), place.directory, Some(place.name)),
        (Err(miss), None) => return Err(miss.into()),
    };
    let name = UniqueName::choose(store.clone(), &directory, stem)?;
    let (target, temporary) = (name.name().to_vec(), Temporary::create(directory)?);
    let key = (owner, parent.child(&target));
    Ok(Upload { base: Base::Free, unique: Some(name), ..Upload::new(store, key, target, temporary) })
}
