//! Who the process becomes (`--run-as`): looked up by name, become for good, and looked at afterwards. Refuses to know what
//! is served.

use std::ffi::CString;

use nix::errno::Errno;
use nix::unistd::{self, Gid, Group, Uid};

/// A user and the groups of the user, as the system's databases have them.
#[derive(Debug)]
pub struct User {
    /// As typed.
    name: String,
    uid: Uid,
    gid: Gid,
    /// The supplementary ones, sorted.
    groups: Vec<Gid>,
}

impl User {
    /// The user of `USER[:GROUP]`, each a name or a number. An error is one line that says what to type instead.
    pub fn look_up(text: &str) -> Result<User, String> {
        let (name, group) = text.split_once(':').map_or((text, None), |(name, group)| (name, Some(group)));
        let number = name.parse().ok().map(Uid::from_raw);
        let mut found = unistd::User::from_name(name).map_err(|e| format!("--run-as {text}: {e}"))?;
        if let (None, Some(uid)) = (&found, number) {
            found = unistd::User::from_uid(uid).map_err(|e| format!("--run-as {text}: {e}"))?;
        }
        let group = group.map(|group| group_of(text, group)).transpose()?;
        let (uid, gid) = match (&found, number, group) {
            (Some(user), _, group) => (user.uid, group.unwrap_or(user.gid)),
            (None, Some(uid), Some(gid)) => (uid, gid),
            (None, Some(_), None) => {
                return Err(format!(
                    "--run-as {text}: this number has no name here; say which group, as {text}:{text}"
                ));
            }
            (None, None, _) => {
                return Err(format!(
                    "--run-as {text}: there is no such user; make one, as: useradd --system --no-create-home {name}"
                ));
            }
        };
        let mut groups = match found.and_then(|user| CString::new(user.name).ok()) {
            Some(name) => unistd::getgrouplist(&name, gid).map_err(|e| format!("--run-as {text}: its groups: {e}"))?,
            None => vec![gid],
        };
        groups.sort_by_key(|group| group.as_raw());
        groups.dedup();
        Ok(User { name: name.to_string(), uid, gid, groups })
    }

    /// Numbers of the user and the group.
    pub fn numbers(&self) -> (u32, u32) {
        (self.uid.as_raw(), self.gid.as_raw())
    }

    /// Becomes the user, for good: every thread of the process, of which there should be one. An error is one line.
    pub(super) fn assume(&self) -> Result<(), String> {
        let User { name, uid, gid, groups } = self;
        let refused = |errno| match errno {
            Errno::EPERM => {
                format!(
                    "--run-as {name}: only root can become another user, or leave groups; start gftp as root, or as \
                     {name} without it"
                )
            }
            _ => format!("--run-as {name}: {errno}"),
        };
        // Whoever is that user already, in these groups and no others, has nothing to gain, nor to lose.
        let is_user = !uid.is_root() && unistd::getuid() == *uid && unistd::geteuid() == *uid;
        let now = unistd::getresgid().map_err(refused)?;
        if is_user && self.is_in([now.real, now.effective, now.saved], unistd::getgroups().map_err(refused)?) {
            return self.is_assumed();
        }
        unistd::setgroups(groups).map_err(refused)?;
        unistd::setresgid(*gid, *gid, *gid).map_err(refused)?;
        unistd::setresuid(*uid, *uid, *uid).map_err(refused)?;
        self.is_assumed()?;
        let now = unistd::getresgid().map_err(refused)?;
        if !self.is_in([now.real, now.effective, now.saved], unistd::getgroups().map_err(refused)?) {
            return Err(format!("--run-as {name}: the system has kept other groups than it was told to"));
        }
        Ok(())
    }

    /// Whether these are the user's groups, real, effective and saved, and the others. Not all who start programs put the
    /// first among the others as well, which makes no difference.
    fn is_in(&self, first: [Gid; 3], mut others: Vec<Gid>) -> bool {
        others.push(self.gid);
        others.sort_by_key(|group| group.as_raw());
        others.dedup();
        first == [self.gid; 3] && others == self.groups
    }

    /// Looks whether there is a way back.
    fn is_assumed(&self) -> Result<(), String> {
        let User { name, uid, .. } = self;
        let now = unistd::getresuid().map_err(|e| format!("--run-as {name}: {e}"))?;
        let all_are = [now.real, now.effective, now.saved] == [*uid; 3];
        if all_are && (uid.is_root() || unistd::setuid(Uid::from_raw(0)).is_err()) {
            return Ok(());
        }
        Err(format!("--run-as {name}: the system would let it become somebody else again"))
    }
}

/// A group by its name or number.
fn group_of(text: &str, group: &str) -> Result<Gid, String> {
    match Group::from_name(group) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => group
            .parse()
            .map(Gid::from_raw)
            .map_err(|_| format!("--run-as {text}: there is no group {group}; make it, as: groupadd --system {group}")),
        Err(e) => Err(format!("--run-as {text}: {e}")),
    }
}

/// Whether this process is root's.
pub(super) fn is_root() -> bool {
    unistd::geteuid().is_root()
}

/// The user of this process, for people.
pub(super) fn shown() -> String {
    let uid = unistd::geteuid();
    name_of(uid.as_raw()).map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
}

/// The name of a user, if there is one.
pub(super) fn name_of(uid: u32) -> Option<String> {
    unistd::User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_number() {
        let root = User::look_up("root").expect("root");
        assert_eq!(root.numbers(), (0, 0));
        assert!(root.groups.contains(&Gid::from_raw(0)));
        let nobody = User::look_up("nobody").expect("nobody is everywhere");
        assert_eq!(User::look_up(&nobody.uid.to_string()).expect("the same").numbers(), nobody.numbers());
        assert_eq!(User::look_up("nobody:root").expect("in another group").numbers(), (nobody.uid.as_raw(), 0));
        let none = User::look_up("4000000001:4000000002").expect("a number needs no name");
        assert_eq!(none.numbers(), (4_000_000_001, 4_000_000_002));
        assert_eq!(none.groups, [Gid::from_raw(4_000_000_002)]);
    }

    /// A container that is started by numbers is of group 0 unless told otherwise.
    #[test]
    fn who_is_the_user_already_is_in_no_other_group_either() {
        let all = |groups: &[u32]| groups.iter().copied().map(Gid::from_raw).collect::<Vec<_>>();
        let first = |gid| [Gid::from_raw(gid); 3];
        let user = User { name: "x".into(), uid: Uid::from_raw(12), gid: Gid::from_raw(7), groups: all(&[5, 7]) };
        assert!(user.is_in(first(7), all(&[7, 5])) && user.is_in(first(7), all(&[5])));
        assert!(!user.is_in(first(0), all(&[7, 5])) && !user.is_in(first(7), all(&[7, 5, 0])));
        assert!(!user.is_in(first(7), all(&[7])), "nor in fewer");
        let half = [7, 7, 0].map(Gid::from_raw);
        assert!(!user.is_in(half, all(&[7, 5])));
    }

    #[test]
    fn who_is_not_there_is_refused_with_advice() {
        let refused = |text| User::look_up(text).expect_err("nobody is called so");
        assert!(refused("no-such-user").contains("useradd"));
        assert!(refused("nobody:no-such-group").contains("groupadd"));
        assert!(refused("4000000001").contains("4000000001:4000000001"));
        assert!(refused("").contains("there is no such user"));
    }
}
