//! Whom FTP serves, as the command line and the users file give it: read at start, where a mistake is the end, and again
//! whenever the file changes, where a mistake is said once and the accounts stay as they were until it is mended.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use gftp_plugin::rt;

use crate::accounts::users::User;
use crate::accounts::{Accounts, Anonymous, Password, file, is_anonymous};
use crate::store::{Rights, VirtualPath};
use crate::watched::{LOOK_AGAIN, Watched};

/// How long a file must look the same before it is read: an editor that writes in place empties it first, and half a file
/// may be a right one with half the accounts.
const SETTLED_AFTER: Duration = Duration::from_millis(100);
/// How often that is waited for; what never comes to rest is read as it is.
const MOST_WAITS: u32 = 20;

/// Where accounts come from.
pub struct Given {
    anonymous: Anonymous,
    /// The account of --user.
    single: Option<User>,
    file: Option<PathBuf>,
    /// Accounts come from elsewhere as well.
    others: bool,
}

impl Given {
    /// Those of --user and --users; `others` says that there may be more. An error is a line for the administrator.
    pub fn new(
        anonymous: Anonymous,
        single: Option<(String, Password)>,
        file: Option<PathBuf>,
        others: bool,
    ) -> Result<Given, String> {
        let single = match single {
            Some((name, _)) if anonymous != Anonymous::Off && is_anonymous(name.as_bytes()) => {
                return Err(format!("--user {name}: {}", visitors_name(&name)));
            }
            Some((name, password)) => Some(User::of(&name, &password, VirtualPath::root(), Rights::FULL)?),
            None => None,
        };
        Ok(Given { anonymous, single, file, others })
    }

    /// All accounts; and what is to be warned of once the server runs, since a mistake is one line. An error is such a line.
    pub fn read(&self) -> Result<(Vec<User>, Option<String>), String> {
        let (mut users, mut warning) = (Vec::new(), None);
        if let Some(path) = &self.file {
            let shown = path.display();
            let kept = file::read(path)?;
            if kept.is_open_to_others {
                warning = Some(format!(
                    "--users {shown}: others than its owner may read or change it, and it holds hashes: chmod 600 {shown}"
                ));
            }
            for User { name, line, column, .. } in &kept.users {
                let at = format!("--users {shown}, line {line}, column {column}");
                if self.single.as_ref().is_some_and(|single| single.name == *name) {
                    return Err(format!("{at}: \"{name}\" is the account of --user too; give it in one place only"));
                }
                if self.anonymous != Anonymous::Off && is_anonymous(name.as_bytes()) {
                    return Err(format!("{at}: {}", visitors_name(name)));
                }
            }
            if kept.users.is_empty() && self.single.is_none() && self.anonymous == Anonymous::Off && !self.others {
                let add = format!("gftp user add NAME --users {shown}");
                return Err(format!("--users {shown}: it holds no account, so nobody could log in: {add}"));
            }
            users = kept.users;
        }
        users.extend(self.single.clone());
        Ok((users, warning))
    }

    /// Watches the file from now on, if there is one: to be called before it is read.
    pub fn watch(&self) -> Option<Watched> {
        self.file.as_ref().map(Watched::new)
    }
}

fn visitors_name(name: &str) -> String {
    format!("\"{name}\" is what visitors without an account call themselves; give another name, or --anonymous off")
}

/// What is to be done about a file at one look.
struct Keeper {
    given: Given,
    watched: Watched,
    /// It could not be read, or was wrong: what stands there is still to be taken over, whatever the file looks like.
    pending: bool,
    /// What was said of it last, so that it is said once.
    said: Option<String>,
}

/// Reads the file again whenever it has changed, for as long as there is a server.
pub async fn keep_up(given: Given, watched: Watched, accounts: Weak<Accounts>) {
    let mut keeper = Keeper { given, watched, pending: false, said: None };
    loop {
        rt::sleep(LOOK_AGAIN).await;
        let Some(accounts) = accounts.upgrade() else { return };
        keeper = rt::unblock(move || {
            keeper.look(&accounts);
            keeper
        })
        .await;
    }
}

impl Keeper {
    fn look(&mut self, accounts: &Arc<Accounts>) {
        // Descriptors run out and network disks stumble for a moment, and no look of the file tells that it is over.
        if self.has_changed() || self.pending {
            self.read_again(accounts);
        }
    }

    /// Whether the file has changed; if so, once it has come to rest.
    fn has_changed(&mut self) -> bool {
        if !self.watched.has_changed() {
            return false;
        }
        for _ in 0..MOST_WAITS {
            std::thread::sleep(SETTLED_AFTER);
            if !self.watched.has_changed() {
                break;
            }
        }
        true
    }

    fn read_again(&mut self, accounts: &Arc<Accounts>) {
        let shown = self.watched.path().display();
        let read = self.given.read();
        self.pending = read.is_err();
        let warning = match read {
            Ok((users, warning)) => {
                let changes = accounts.replace(users);
                log::info!("--users {shown}: read again; now {changes}");
                warning
            }
            Err(mistake) => Some(format!("{mistake}; until that is mended, the accounts stay as they were")),
        };
        if let Some(warning) = warning.as_ref().filter(|warning| self.said.as_ref() != Some(warning)) {
            log::warn!("{warning}");
        }
        self.said = warning;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[[user]]\nname = \"alice\"\nrights = \"full\"\n\
                        hash = \"$argon2id$v=19$m=64,t=1,p=1$bm9ib2R5bm9ib2R5$bm9ib2R5bm9ib2R5bm9ib2R5\"\n";

    #[test]
    fn a_mistake_leaves_the_accounts_as_they_were_and_is_said_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.toml");
        std::fs::write(&path, GOOD).unwrap();
        let given = Given::new(Anonymous::Off, None, Some(path.clone()), false).unwrap();
        let watched = given.watch().unwrap();
        let accounts = Arc::new(Accounts::new(Anonymous::Off, given.read().unwrap().0, 1));
        let mut keeper = Keeper { given, watched, pending: false, said: None };
        assert!(!keeper.has_changed());
        for (text, words) in [
            ("[[user]]\nname = 7\n", "line 2, column 8"),
            ("", "no account"),
            (&format!("{GOOD}{GOOD}"), "line 6, column 8"),
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(keeper.has_changed(), "{words}");
            keeper.read_again(&accounts);
            let said = keeper.said.clone().unwrap_or_default();
            assert!(said.contains(words) && said.ends_with("stay as they were"), "{said}");
            assert!(accounts.knows(b"alice"));
        }
        std::fs::write(&path, GOOD.replace("alice", "bob")).unwrap();
        assert!(keeper.has_changed() && !keeper.has_changed());
        keeper.read_again(&accounts);
        assert!(accounts.knows(b"bob") && !accounts.knows(b"alice"));
    }

    /// As where descriptors run out: the file itself is as it was at the last look.
    #[test]
    fn what_could_not_be_read_is_read_at_the_next_look() {
        let folder = tempfile::tempdir().unwrap();
        let (etc, away) = (folder.path().join("etc"), folder.path().join("away"));
        std::fs::create_dir(&etc).unwrap();
        let path = etc.join("users.toml");
        std::fs::write(&path, GOOD).unwrap();
        let given = Given::new(Anonymous::Off, None, Some(path.clone()), false).unwrap();
        let watched = given.watch().unwrap();
        let accounts = Arc::new(Accounts::new(Anonymous::Off, given.read().unwrap().0, 1));
        let mut keeper = Keeper { given, watched, pending: false, said: None };
        std::fs::write(&path, GOOD.replace("alice", "bob")).unwrap();
        assert!(keeper.has_changed());
        std::fs::rename(&etc, &away).unwrap();
        keeper.read_again(&accounts);
        assert!(accounts.knows(b"alice") && keeper.said.is_some());
        std::fs::rename(&away, &etc).unwrap();
        assert!(!keeper.has_changed(), "the look of the file would not bring it back");
        keeper.look(&accounts);
        assert!(accounts.knows(b"bob") && !accounts.knows(b"alice"));
    }
}
