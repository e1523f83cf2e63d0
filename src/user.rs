//! `gftp user …`: makes and changes the accounts of a users file, asks for passwords, and says in a line or a table what
//! has come of it. A running server reads the file
//! again when it has changed.

use std::path::Path;

use crate::accounts::Hash;
use crate::accounts::file::{self, Kept};
use crate::accounts::users::{User, show_rights};
use crate::accounts::{edit, users};
use crate::cli::{Mistake, UserAction, UserOrder, new_password};

/// When it comes true.
const SOON: &str = "a running server takes note within seconds";

/// Does it; the text is for standard output.
pub fn run(order: UserOrder) -> Result<String, Mistake> {
    let UserOrder { file, action } = order;
    match action {
        UserAction::Add { name, home, rights, settings } => {
            check_new(&file, &name)?;
            let user = User::of(&name, &new_password(&name)?, home, rights).map_err(Mistake)?;
            change(&file, true, |text, users| {
                absent(users, &name)?;
                edit::add(text, &user, &settings)
            })?;
            let words = user.rules.rights().words();
            let may = if words.is_empty() { "nothing".to_string() } else { words.join(", ") };
            Ok(format!("{name} may {may} in {}; {SOON}\n", user.home))
        }
        UserAction::Set { settings, .. } if settings.is_empty() => Err(Mistake(
            "nothing to set: give what is to change, as --expires 2026-12-31 (gftp user set --help)".to_string(),
        )),
        UserAction::Set { name, settings } => {
            change(&file, false, |text, _| edit::set(text, &name, &settings))?;
            Ok(format!("{name} is changed; {SOON}\n"))
        }
        UserAction::Passwd { name } => {
            known(&file, &name)?;
            let hash = Hash::of(&new_password(&name)?).map_err(Mistake)?;
            change(&file, false, |text, _| edit::set_hash(text, &name, &hash))?;
            Ok(format!("{name} has another password; {SOON}\n"))
        }
        UserAction::Remove { name } => {
            change(&file, false, |text, _| edit::remove(text, &name))?;
            Ok(format!("{name} has no account any more; {SOON}\n"))
        }
        UserAction::List => Ok(table(&file::read(&file).map_err(Mistake)?.users)),
    }
}

fn change(
    file: &Path,
    make: bool,
    change: impl FnOnce(&str, &[User]) -> Result<String, String>,
) -> Result<(), Mistake> {
    file::edit(file, make, change).map_err(Mistake)
}

/// Whoever types a password twice should have been told before that it is for nothing.
fn check_new(file: &Path, name: &str) -> Result<(), Mistake> {
    let said = |e: String| Mistake(format!("--users {}: {e}", file.display()));
    users::check_name(name).map_err(|e| Mistake(format!("{name:?}: {e}")))?;
    match file::find(file).map_err(Mistake)? {
        Some(Kept { users, .. }) => absent(&users, name).map_err(said),
        None => Ok(()),
    }
}

fn absent(users: &[User], name: &str) -> Result<(), String> {
    match users.iter().find(|user| user.name == name) {
        None => Ok(()),
        Some(user) => {
            Err(format!("{name} stands in line {} already; gftp user passwd {name} changes the password", user.line))
        }
    }
}

fn known(file: &Path, name: &str) -> Result<(), Mistake> {
    let kept = file::read(file).map_err(Mistake)?;
    match kept.users.iter().any(|user| user.name == name) {
        true => Ok(()),
        false => Err(Mistake(format!("--users {}: there is no account {name}", file.display()))),
    }
}

/// Name, home and rights of each, in columns, and on what terms it may come.
fn table(users: &[User]) -> String {
    let homes: Vec<_> = users.iter().map(|user| user.home.to_string()).collect();
    let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or_default();
    let name_width = width(&mut users.iter().map(|user| user.name.chars().count()));
    let home_width = width(&mut homes.iter().map(|home| home.chars().count()));
    let row = |(user, home): (&User, &String)| {
        let rights = show_rights(user.rules.rights());
        let last = [rights, user.terms.to_string()].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
        format!("{:name_width$}  {home:home_width$}  {}\n", user.name, last.join("  "))
    };
    users.iter().zip(&homes).map(row).collect()
}
