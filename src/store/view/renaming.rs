//! Renaming: both names are judged where they really lie, and a move must not win rights that the thing does not give
//! where it lies. It refuses to know anything else that changes names.

use super::super::error::StoreError;
use super::super::ledger::Change;
use super::super::path::VirtualPath;
use super::super::replaced::hold;
use super::super::resolve::{Place, existing};
use super::super::rights::Rights;
use super::super::sys::{self, FileType, Stat};
use super::door::{PresentPlace, creatable};
use super::{View, need};
use rustix::io::Errno;

fn to_rename(rights: Rights) -> Result<(), StoreError> {
    need(rights.rename, "rename")
}

impl View {
    /// Whether `path` is there to be renamed; a link counts as itself. Needs `rename`.
    pub fn exists_for_rename(&self, path: &VirtualPath) -> Result<(), StoreError> {
        self.old_name(path).map(drop)
    }

    fn old_name(&self, path: &VirtualPath) -> Result<PresentPlace, StoreError> {
        if path.is_root() {
            to_rename(self.rights())?;
            return Err(StoreError::BadName("the root cannot be renamed"));
        }
        let place = self.present(path, to_rename)?;
        self.holds_together(&place.stat, place.real.as_ref())?;
        Ok(place)
    }

    /// Renames in one step, replacing a file that bears the new name. Needs `rename`, and to replace something
    /// `delete` or `write` too; without them a taken name is [`StoreError::Exists`].
    pub fn rename(&self, from: &VirtualPath, to: &VirtualPath) -> Result<(), StoreError> {
        let old = self.old_name(from)?;
        creatable(to)?;
        let new = self.place(to, to_rename)?.ok_or(StoreError::Exists)?;
        self.holds_together(&old.stat, new.real.as_ref())?;
        let (here, there) = (self.rights_at(old.real.as_ref()), self.rights_at(new.real.as_ref()));
        wins_nothing(here, there, sys::kind(&old.stat))?;
        let replaces = there.delete || there.write;
        self.stays_inside(&old, &new, to)?;
        self.store.doubt_at(from);
        // What is replaced gives its blocks back only when the books are closed.
        let mut held = None;
        let renamed = self.booked(to, 0, |counting| {
            // Both as they are now, which may be others than those that were asked about.
            let went = if counting { existing(sys::stat_at(&new.directory, &new.name))? } else { None };
            let moves = if counting { existing(sys::stat_at(&old.directory, &old.name))? } else { None };
            held = went.as_ref().and_then(|stat| hold(&new.directory, &new.name, stat));
            match replaces {
                true => sys::rename(&old.directory, &old.name, &new.directory, &new.name)?,
                false => sys::rename_new(&old.directory, &old.name, &new.directory, &new.name)?,
            }
            // Two names of one file: the system then does nothing.
            let went = went.filter(|stat| moves.as_ref().is_none_or(|it| sys::identity(stat) != sys::identity(it)));
            Ok(went.as_ref().map_or_else(Change::default, Change::went))
        });
        drop(held);
        match renamed {
            Err(Renaming::Os(Errno::INVAL)) => {
                return Err(StoreError::BadName("a directory cannot be moved into itself"));
            }
            Err(Renaming::Os(errno)) => return Err(errno.into()),
            Err(Renaming::Store(error)) => return Err(error),
            Ok(()) => {}
        }
        self.store.common.kept.forget(&self.key(from));
        self.store.common.kept.forget(&self.key(to));
        Ok(())
    }

    /// A link is not moved to where its text leads out of the root: other programs would follow it there, and here nobody could move it
    /// back.
    fn stays_inside(&self, old: &PresentPlace, new: &Place, to: &VirtualPath) -> Result<(), StoreError> {
        if sys::kind(&old.stat) != FileType::Symlink {
            return Ok(());
        }
        let text = sys::read_link_at(&old.directory, &old.name)?;
        let above = new.real.as_ref().unwrap_or(to).parent().unwrap_or_else(VirtualPath::root);
        match self.leads_inside(&new.directory, &above, &text)? {
            true => Ok(()),
            false => Err(StoreError::BadName("the link would lead out of what is served")),
        }
    }

    /// A directory in which other rules may hold for something than for itself is not moved, neither there nor away:
    /// the rules would not go with it.
    fn holds_together(&self, stat: &Stat, real: Option<&VirtualPath>) -> Result<(), StoreError> {
        match real {
            Some(real) if sys::kind(stat) == FileType::Directory && self.rules.vary_beneath(real) => {
                Err(StoreError::BadName("other rights hold for something in it, so it must keep its name"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a thing gives nothing there that it does not give here: else a move would be a way around the rules.
fn wins_nothing(here: Rights, there: Rights, kind: FileType) -> Result<(), StoreError> {
    // Making new things is done in directories, and contained in `write` as appending is.
    let makes_nothing = kind != FileType::Directory;
    let lost = [
        (here.list, there.list, "list"),
        (here.read, there.read, "read"),
        (here.write, there.write, "write"),
        (here.append || here.write, there.append, "append"),
        (here.create || here.write || makes_nothing, there.create, "create"),
        (here.delete, there.delete, "delete"),
        (here.rename, there.rename, "rename"),
        (here.mkdir || makes_nothing, there.mkdir, "mkdir"),
        (here.site, there.site, "site"),
    ];
    lost.into_iter().try_for_each(|(here, there, name)| need(here || !there, name))
}

/// Why a rename failed.
enum Renaming {
    Os(Errno),
    Store(StoreError),
}

impl From<Errno> for Renaming {
    fn from(errno: Errno) -> Self {
        Renaming::Os(errno)
    }
}

impl From<StoreError> for Renaming {
    fn from(error: StoreError) -> Self {
        Renaming::Store(error)
    }
}
