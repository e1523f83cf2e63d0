//! How an upload begins: on nothing, on a kept partial, or on a copy of the file that stands.
//! It refuses to know how one ends.

use super::error::StoreError;
use super::kept::{Kept, Key};
use super::path::VirtualPath;
use super::prefix::Prefix;
use super::resolve::Place;
use super::rights::Rights;
use super::sys::{self, FileType};
use super::temporary::{Temporary, is_temporary};
use super::unique::UniqueName;
use super::upload::{Base, How, Stamp, Upload};
use super::view::{View, need};
use rustix::io::Errno;
use std::fs::File;

/// Begins an upload where `right` allows it. No component of the path is reserved.
pub(super) fn begin(
    view: &View,
    path: &VirtualPath,
    how: How,
    right: fn(Rights) -> Result<(), StoreError>,
) -> Result<Upload, StoreError> {
    if how == How::Unique {
        return unique(view, path, right);
    }
    let place = match how {
        How::Replace => view.place_to_fill(path, right),
        _ => view.place_followed(path, right),
    };
    let mut place = place?.ok_or(StoreError::IsDirectory)?;
    check_target(&mut place)?;
    let key = view.key(path);
    match how {
        How::ResumeAt(offset) if offset > 0 => resume(view, key, place, offset),
        How::Append => append(view, key, place, false),
        How::AppendKept => append(view, key, place, true),
        _ => fresh(view, key, place),
    }
}

/// Begins an upload that may touch nothing that stands: under a free name, or going on with what this owner's broken
/// upload left. No component of the path is reserved.
pub(super) fn begin_new(view: &View, path: &VirtualPath, how: How) -> Result<Upload, StoreError> {
    match how {
        How::Unique => unique(view, path, to_create),
        How::ResumeAt(offset) if offset > 0 => go_on_aside(view, path, Some(offset)),
        How::Append | How::AppendKept => go_on_aside(view, path, None),
        How::Replace | How::ResumeAt(_) => {
            if view.open(path, sys::PLACE_DIRECTORY, to_create).is_ok() {
                return Err(StoreError::IsDirectory);
            }
            let upload = unique(view, path, to_create)?;
            Ok(Upload { asked: Some(path.clone()), ..upload })
        }
    }
}

/// A refusal names the right that contains this one, and that a client asks for.
fn to_create(rights: Rights) -> Result<(), StoreError> {
    need(rights.create, "write")
}

/// Goes on with the owner's kept partial, from `offset` or its end, to publish it under a name that is free then.
fn go_on_aside(view: &View, path: &VirtualPath, offset: Option<u64>) -> Result<Upload, StoreError> {
    let right = if offset.is_some() { "write" } else { "append" };
    let place = view.place(path, |rights| need(rights.create, right));
    let key = view.key(path);
    // One that holds bytes of a file that stands would be a way to read them.
    let Some(size) = view.store.common.kept.look(&key, |kept| (kept.copied == 0).then_some(kept.size)) else {
        return Err(StoreError::Forbidden(right));
    };
    let offset = offset.unwrap_or(size);
    if offset > size {
        return Err(StoreError::BeyondEnd { size });
    }
    let mut place = place?.ok_or(StoreError::IsDirectory)?;
    let name = UniqueName::choose(view.store.clone(), &place.directory, Some(place.name.clone()))?;
    let Some(kept) = take_kept(view, &key, &place)? else { return Err(StoreError::Forbidden(right)) };
    let target = name.name().to_vec();
    let taken = path.parent().unwrap_or_else(VirtualPath::root).child(&target);
    (place.name, place.stat) = (target, None);
    place.real = place.real.and_then(|real| real.parent()).map(|real| real.child(&place.name));
    view.judge(place.real.as_ref(), to_create)?;
    let upload = go_on(view, taken, &place, kept, offset)?;
    Ok(Upload { base: Base::Free, unique: Some(name), asked: Some(path.clone()), ..upload })
}

/// What a rename would replace without asking is asked about here.
fn check_target(place: &mut Place) -> Result<(), StoreError> {
    if is_temporary(&place.name) {
        return Err(StoreError::BadName("the name is reserved for uploads in progress"));
    }
    match place.stat.as_ref().map(sys::kind) {
        None => Ok(()),
        Some(FileType::RegularFile) => match sys::may_write(&place.directory, &place.name) {
            // Somebody has deleted it since it was looked at, so that nothing stands there.
            Err(Errno::NOENT) => {
                place.stat = None;
                Ok(())
            }
            result => Ok(result?),
        },
        Some(FileType::Directory) => Err(StoreError::IsDirectory),
        Some(_) => Err(StoreError::NotRegular),
    }
}

fn fresh(view: &View, key: Key, place: Place) -> Result<Upload, StoreError> {
    let charge = view.charge(&key.1, place.stat.as_ref())?;
    let vacant = place.stat.is_none();
    let temporary = Temporary::create(place.directory)?;
    let upload = Upload::new(view, key.1, place.name, temporary, charge).at(place.real);
    Ok(Upload { vacant, ..upload })
}

fn resume(view: &View, key: Key, place: Place, offset: u64) -> Result<Upload, StoreError> {
    match current(view, &key, &place) {
        Some(Partial { size, .. }) if size >= offset => {
            if let Some(kept) = take_kept(view, &key, &place)? {
                return go_on(view, key.1, &place, kept, offset);
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
    copy(view, key, place, Some(offset))
}

fn append(view: &View, key: Key, place: Place, resuming: bool) -> Result<Upload, StoreError> {
    match current(view, &key, &place) {
        Some(Partial { size, .. }) if resuming || place.stat.is_none() => {
            if let Some(kept) = take_kept(view, &key, &place)? {
                return go_on(view, key.1, &place, kept, size);
            }
        }
        // To resume that upload, or to add to the file that stands? Guessing wrong would mix the two.
        Some(Partial { size, replaces: true }) => return Err(StoreError::Interrupted { size }),
        // An interrupted append is simply repeated.
        _ => {}
    }
    if place.stat.is_none() {
        let upload = fresh(view, key, place)?;
        return Ok(Upload { base: Base::Free, vacant: false, ..upload });
    }
    copy(view, key, place, None)
}

/// What is kept of an interrupted upload.
struct Partial {
    size: u64,
    /// Whether it was to replace the whole file, not to add to it.
    replaces: bool,
}

/// The owner's kept partial, unless the file that stands is the newer: then nobody means the partial any more.
fn current(view: &View, key: &Key, place: &Place) -> Option<Partial> {
    view.store.common.kept.look(key, |kept| {
        let newer = place.stat.as_ref().is_none_or(|standing| kept.modified >= sys::modified(standing));
        newer.then_some(Partial { size: kept.size, replaces: kept.copied == 0 })
    })
}

/// The owner's kept partial, unless the path now lies in another directory than it did.
fn take_kept(view: &View, key: &Key, place: &Place) -> Result<Option<Kept>, StoreError> {
    let Some(kept) = view.store.common.kept.take(key) else { return Ok(None) };
    let (now, then) = (sys::stat_fd(&place.directory)?, sys::stat_fd(&kept.temporary.directory)?);
    Ok((sys::identity(&now) == sys::identity(&then)).then_some(kept))
}

/// Takes a kept partial over, cut to `offset`.
fn go_on(view: &View, path: VirtualPath, place: &Place, kept: Kept, offset: u64) -> Result<Upload, StoreError> {
    let Kept { temporary, base, copied, mut charge, .. } = kept;
    sys::truncate(&temporary.file, offset)?;
    charge.go_on(offset, place.stat.as_ref());
    let copied = copied.min(offset);
    let upload = Upload::new(view, path, place.name.clone(), temporary, charge).at(place.real.clone());
    Ok(Upload { base, offset, copied, ..upload })
}

/// Begins with the first bytes of the file that stands; all of them if `length` does not say.
fn copy(view: &View, key: Key, place: Place, length: Option<u64>) -> Result<Upload, StoreError> {
    // One that has gone since it was looked at was changed as any other.
    let source = sys::open_at(&place.directory, &place.name, sys::READ_FILE);
    let gone = |errno: Errno| if errno == Errno::NOENT { StoreError::ChangedMeanwhile } else { errno.into() };
    let source = File::from(source.map_err(gone)?);
    let stat = sys::stat_fd(&source)?;
    if sys::kind(&stat) != FileType::RegularFile {
        return Err(StoreError::NotRegular);
    }
    let length = length.unwrap_or(sys::size(&stat));
    let mut charge = view.charge(&key.1, Some(&stat))?;
    charge.hold(length)?;
    let temporary = Temporary::create(place.directory)?;
    let prefix = Prefix::begin(source, &temporary.file, length)?;
    let base = Base::File(Stamp::of(&stat));
    let upload = Upload::new(view, key.1, place.name, temporary, charge).at(place.real);
    Ok(Upload { base, offset: length, copied: length, prefix, ..upload })
}

fn unique(view: &View, path: &VirtualPath, right: fn(Rights) -> Result<(), StoreError>) -> Result<Upload, StoreError> {
    let place = view.place(path, right)?;
    let (parent, directory, stem, real) = match (view.open(path, sys::PLACE_DIRECTORY, right), place) {
        (Ok(opened), _) => (path.clone(), opened.fd, None, opened.real),
        (Err(_), Some(place)) => {
            let real = place.real.and_then(|real| real.parent());
            (path.parent().unwrap_or_else(VirtualPath::root), place.directory, Some(place.name), real)
        }
        (Err(error), None) => return Err(error),
    };
    let name = UniqueName::choose(view.store.clone(), &directory, stem)?;
    let target = name.name().to_vec();
    let real = real.map(|real| real.child(&target));
    view.judge(real.as_ref(), right)?;
    let key = view.key(&parent.child(&target));
    let charge = view.charge(&key.1, None)?;
    let upload = Upload::new(view, key.1, target, Temporary::create(directory)?, charge).at(real);
    Ok(Upload { base: Base::Free, unique: Some(name), ..upload })
}
