//! Making symbolic links that stay inside. What a link's text leads to is not computed but tried: the link is made under
//! a temporary name, resolved, and gets its name only if it leads where it should.

use super::super::error::StoreError;
use super::super::ledger::Change;
use super::super::path::VirtualPath;
use super::super::resolve::Miss;
use super::super::rights::Rights;
use super::super::sys::{self, Identity, Stat};
use super::super::temporary;
use super::{View, creatable, need};
use std::os::fd::OwnedFd;

/// Directories climbed to find the root; as deep as a path of 4,096 bytes can be.
const MAX_CLIMB: usize = 2048;

/// What a link was found to lead to.
pub(super) type Found = Result<(OwnedFd, Stat), Miss>;

impl View {
    /// Makes `link`, a symbolic link to `target`, which must be there. Its text is relative, so that it leads there
    /// for other programs too, and also where the served root is moved. Needs `site`.
    pub fn make_link(&self, target: &VirtualPath, link: &VirtualPath) -> Result<(), StoreError> {
        if !self.rules.are_by_place() {
            to_link(self.rights())?;
        }
        creatable(link)?;
        let seen = |rights: Rights| need(!self.rules.are_by_place() || rights.list || rights.read, "list");
        let wanted = sys::identity(&self.open(target, sys::PLACE, seen)?.stat);
        let place = self.place(link, to_link)?.ok_or(StoreError::Exists)?;
        if place.stat.is_some() {
            return Err(StoreError::Exists);
        }
        let parent = link.parent().unwrap_or_else(VirtualPath::root);
        let real = place.real.as_ref().and_then(VirtualPath::parent);
        let leads = |found: &Found| matches!(found, Ok((_, stat)) if sys::identity(stat) == wanted);
        // The short text is right where the link's directory lies where its path says. Behind a link it may not, and
        // then the way up is counted.
        let texts = [Some(relative(&parent, target)), self.by_the_root(&place.directory, target)];
        for text in texts.into_iter().flatten() {
            if self.try_link(&place.directory, real.as_ref().unwrap_or(&parent), &place.name, &text, leads)? {
                return Ok(());
            }
        }
        Err(StoreError::ChangedMeanwhile)
    }

    /// Makes a link of that text if `good` says so of what it leads to. Ok(false): it does not.
    pub(super) fn try_link(
        &self,
        directory: &OwnedFd,
        path: &VirtualPath,
        name: &[u8],
        text: &[u8],
        good: impl Fn(&Found) -> bool,
    ) -> Result<bool, StoreError> {
        let (temporary, found) = self.tried(directory, path, text)?;
        let made = match good(&found) {
            true => self.booked(path, 1, |_| {
                sys::rename_new(directory, &temporary, directory, name)?;
                Ok(Change::came(0))
            }),
            false => return self.take_back(directory, &temporary).map(|()| false),
        };
        match made {
            Ok(()) => Ok(true),
            Err(error) => self.take_back(directory, &temporary).and(Err(error)),
        }
    }

    /// Whether a link of that text would not lead out of the root from that directory, which `path` leads to.
    pub(super) fn leads_inside(
        &self,
        directory: &OwnedFd,
        path: &VirtualPath,
        text: &[u8],
    ) -> Result<bool, StoreError> {
        let (temporary, found) = self.tried(directory, path, text)?;
        self.take_back(directory, &temporary).map(|()| !matches!(found, Err(Miss::Outside)))
    }

    /// A link of that text under a temporary name, and what it leads to.
    fn tried(&self, directory: &OwnedFd, path: &VirtualPath, text: &[u8]) -> Result<(Vec<u8>, Found), StoreError> {
        let temporary = temporary::make_link(directory, text)?;
        let found = self.store.resolver.open_path(path.child(&temporary).relative(), sys::PLACE);
        Ok((temporary, found))
    }

    /// Removes a link under a temporary name; what cannot be removed now is what a sweep is for.
    fn take_back(&self, directory: &OwnedFd, temporary: &[u8]) -> Result<(), StoreError> {
        let _ = sys::unlink(directory, temporary);
        Ok(())
    }

    /// From this directory up to the root and down to the target, whatever links led into the directory.
    fn by_the_root(&self, directory: &OwnedFd, target: &VirtualPath) -> Option<Vec<u8>> {
        let root: Identity = self.store.resolver.root_identity();
        let mut at = sys::open_at(directory, b".", sys::PLACE_DIRECTORY).ok()?;
        let mut text = Vec::new();
        for _ in 0..MAX_CLIMB {
            if sys::identity(&sys::stat_fd(&at).ok()?) == root {
                text.extend_from_slice(if target.is_root() { b"." } else { target.relative() });
                return Some(text);
            }
            at = sys::open_at(&at, b"..", sys::PLACE_DIRECTORY).ok()?;
            text.extend_from_slice(b"../");
        }
        None
    }
}

fn to_link(rights: Rights) -> Result<(), StoreError> {
    need(rights.site, "site")
}

/// The way from one directory to another path, both as they are called.
fn relative(from: &VirtualPath, to: &VirtualPath) -> Vec<u8> {
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| &b".."[..]);
    let way: Vec<_> = up.chain(to.components().skip(shared)).collect();
    if way.is_empty() { b".".to_vec() } else { way.join(&b'/') }
}
