//! What `gftp user …` is told, and what that means.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values::{parse_home, parse_rights};
use crate::store::{Rights, VirtualPath};

/// As typed.
#[derive(Args)]
#[command(subcommand_required = true)]
pub(super) struct TypedUser {
    #[command(subcommand)]
    action: TypedAction,
}

#[derive(Subcommand)]
enum TypedAction {
    /// Add an account; its password comes from a prompt, or from the first line of standard input
    Add {
        #[command(flatten)]
        whose: Whose,
        /// The folder below the root that the account sees as /; made at the first login
        #[arg(long, value_name = "PATH", default_value = "/", value_parser = parse_home)]
        home: VirtualPath,
        /// read-only, full, drop-box, or words with commas between them: list, read, write, append, create, delete,
        /// rename, mkdir, site
        #[arg(long, value_name = "RIGHTS", default_value = "full", value_parser = parse_rights)]
        rights: Rights,
    },
    /// Give an account another password, from a prompt or the first line of standard input
    Passwd(Whose),
    /// Remove an account
    Remove(Whose),
    /// List the accounts
    List {
        /// The file with the accounts
        #[arg(long, value_name = "FILE")]
        users: PathBuf,
    },
}

#[derive(Args)]
struct Whose {
    /// The name the client logs in with
    name: String,
    /// The file with the accounts
    #[arg(long, value_name = "FILE")]
    users: PathBuf,
}

/// What is to be done with a users file.
pub struct UserOrder {
    /// The file.
    pub file: PathBuf,
    /// What is to be done.
    pub action: UserAction,
}

/// What is to be done with an account.
pub enum UserAction {
    /// Make it.
    Add {
        /// Its name.
        name: String,
        /// What it sees as the root.
        home: VirtualPath,
        /// What it may do.
        rights: Rights,
    },
    /// Change its password.
    Passwd {
        /// Its name.
        name: String,
    },
    /// Remove it.
    Remove {
        /// Its name.
        name: String,
    },
    /// Show all.
    List,
}

impl TypedUser {
    /// What it means. Passwords are asked for later, when it is known that they are wanted.
    pub(super) fn resolve(self) -> UserOrder {
        let (file, action) = match self.action {
            TypedAction::Add { whose: Whose { name, users }, home, rights } => {
                (users, UserAction::Add { name, home, rights })
            }
            TypedAction::Passwd(Whose { name, users }) => (users, UserAction::Passwd { name }),
            TypedAction::Remove(Whose { name, users }) => (users, UserAction::Remove { name }),
            TypedAction::List { users } => (users, UserAction::List),
        };
        UserOrder { file, action }
    }
}
