//! What `gftp user …` is told, and what that means.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values::{parse_home, parse_rights};
use crate::accounts::settings::Setting;
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
        #[command(flatten)]
        terms: TypedTerms,
    },
    /// Change what is written of an account; unset takes a key out
    Set {
        #[command(flatten)]
        whose: Whose,
        /// The folder below the root that the account sees as /
        #[arg(long, value_name = "PATH", value_parser = Setting::home)]
        home: Option<Setting>,
        /// read-only, full, drop-box, or words with commas between them
        #[arg(long, value_name = "RIGHTS", value_parser = Setting::rights)]
        rights: Option<Setting>,
        #[command(flatten)]
        terms: TypedTerms,
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

/// On what terms an account may come.
#[derive(Args)]
struct TypedTerms {
    /// Where it may come from, with commas between them, as 192.0.2.0/24,2001:db8::/32 [default: anywhere]
    #[arg(long, value_name = "NETWORKS", value_parser = Setting::networks)]
    networks: Option<Setting>,
    /// Where it may not come from, even within --networks [default: nowhere]
    #[arg(long, value_name = "NETWORKS", value_parser = Setting::denied_networks)]
    denied_networks: Option<Setting>,
    /// Sessions that it may have at once [default: the server's --max-per-user]
    #[arg(long, value_name = "N", value_parser = Setting::sessions)]
    sessions: Option<Setting>,
    /// Its last day (UTC), as 2026-12-31, or a moment, as 2026-12-31T18:00:00Z [default: never]
    #[arg(long, value_name = "DAY", value_parser = Setting::expires)]
    expires: Option<Setting>,
    /// How fast it may download, as 500 KiB/s or 20 Mbit/s [default: as fast as it goes]
    #[arg(long, value_name = "RATE", value_parser = Setting::download)]
    download: Option<Setting>,
    /// How fast it may upload [default: as fast as it goes]
    #[arg(long, value_name = "RATE", value_parser = Setting::upload)]
    upload: Option<Setting>,
    #[command(flatten)]
    limits: TypedLimits,
}

/// How much may lie in the home, and how things in it may be called and are made.
#[derive(Args)]
struct TypedLimits {
    /// How much may lie in its home: a size, and how many files and folders, as "10 GiB,10000" [default: what fits]
    #[arg(long, value_name = "SIZE[,FILES]", value_parser = Setting::quota)]
    quota: Option<Setting>,
    /// Names that nothing can be done with, with commas between them, as "*.exe,.ht*" [default: none]
    #[arg(long, value_name = "PATTERNS", value_parser = Setting::deny)]
    deny: Option<Setting>,
    /// Names that are treated as if nothing bore them, as ".*" [default: none]
    #[arg(long, value_name = "PATTERNS", value_parser = Setting::hide)]
    hide: Option<Setting>,
    /// Permissions of new files, as rw-r----- [default: rw-r--r--]
    #[arg(long, value_name = "MODE", value_parser = Setting::files, allow_hyphen_values = true)]
    files: Option<Setting>,
    /// Permissions of new folders, as rwxr-x--- [default: rwxr-xr-x]
    #[arg(long, value_name = "MODE", value_parser = Setting::folders, allow_hyphen_values = true)]
    folders: Option<Setting>,
}

impl TypedTerms {
    fn settings(self) -> Vec<Setting> {
        let TypedTerms { networks, denied_networks, sessions, expires, download, upload, limits } = self;
        let TypedLimits { quota, deny, hide, files, folders } = limits;
        let all = [networks, denied_networks, sessions, expires, download, upload, quota, deny, hide, files, folders];
        all.into_iter().flatten().collect()
    }
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
        /// What else is to be written.
        settings: Vec<Setting>,
    },
    /// Change what is written of it.
    Set {
        /// Its name.
        name: String,
        /// What is to be written.
        settings: Vec<Setting>,
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
            TypedAction::Add { whose: Whose { name, users }, home, rights, terms } => {
                (users, UserAction::Add { name, home, rights, settings: terms.settings() })
            }
            TypedAction::Set { whose: Whose { name, users }, home, rights, terms } => {
                let settings = [home, rights].into_iter().flatten().chain(terms.settings()).collect();
                (users, UserAction::Set { name, settings })
            }
            TypedAction::Passwd(Whose { name, users }) => (users, UserAction::Passwd { name }),
            TypedAction::Remove(Whose { name, users }) => (users, UserAction::Remove { name }),
            TypedAction::List { users } => (users, UserAction::List),
        };
        UserOrder { file, action }
    }
}
