//! `gftp user …`: makes and changes the accounts of a users file, asks for passwords, and says in a line or a table what
//! has come of it. The server reads the file when it starts.

use std::path::Path;

use crate::accounts::Hash;
use crate::accounts::file::{self, Kept};
use crate::accounts::users::{User, show_rights};
use crate::accounts::{edit, users};
use crate::cli::{Mistake, UserAction, UserOrder, new_password};

/// Does it; the text is for standard output.
pub fn run(order: UserOrder) -> Result<String, Mistake> {
    let UserOrder { file, action } = order;
    match action {
        UserAction::Add { name, home, rights } => {
            check_new(&file, &name)?;
            let user = User::of(&name, &new_password(&name)?, home, rights).map_err(Mistake)?;
            change(&file, true, |text, users| {
                absent(users, &name)?;
                edit::add(text, &user)
            })?;
            let words = user.rules.rights().words();
            let may = if words.is_empty() { "nothing".to_string() } else { words.join(", ") };
            Ok(format!("{name} may {may} in {} from the server's next start on\n", user.home))
        }
        UserAction::Passwd { name } => {
            known(&file, &name)?;
            let hash = Hash::of(&new_password(&name)?).map_err(Mistake)?;
            change(&file, false, |text, _| edit::set_hash(text, &name, &hash))?;
            Ok(format!("{name} has another password from the server's next start on\n"))
        }
        UserAction::Remove { name } => {
            change(&file, false, |text, _| edit::remove(text, &name))?;
            Ok(format!("{name} has no account from the server's next start on\n"))
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

/// Name, home and rights of each, in columns.
fn table(users: &[User]) -> String {
    let homes: Vec<_> = users.iter().map(|user| user.home.to_string()).collect();
    let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or_default();
    let name_width = width(&mut users.iter().map(|user| user.name.chars().count()));
    let home_width = width(&mut homes.iter().map(|home| home.chars().count()));
    let row = |(user, home): (&User, &String)| {
        format!("{:name_width$}  {home:home_width$}  {}\n", user.name, show_rights(user.rules.rights()))
    };
    users.iter().zip(&homes).map(row).collect()
}
