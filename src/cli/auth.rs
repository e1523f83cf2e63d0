//! Who beside the users file is asked about logins, and what that means.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use gftp_plugin::parse_time;

#[cfg(feature = "pam")]
use crate::accounts::pam::PamOptions;
use crate::accounts::program::{MOST_PROCESSES, ProgramOptions};

/// As typed.
#[derive(Args)]
pub(super) struct TypedAuth {
    /// Ask this program about logins whose names are not in --users: a line of JSON for each, answered by one (see README)
    #[arg(long, value_name = "PATH")]
    auth_program: Option<PathBuf>,
    /// How long the program may think about one login
    // Slower than any directory that works, and less than clients wait.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_time, requires = "auth_program")]
    auth_timeout: Duration,
    /// Logins that the program is asked about at once, each of them by a process of its own
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = parse_processes, requires = "auth_program")]
    auth_processes: usize,
    /// Ask this service of PAM about logins whose names are not in --users; each account may do everything
    #[cfg(feature = "pam")]
    #[arg(long, value_name = "SERVICE", value_parser = parse_service, conflicts_with = "auth_program")]
    pam: Option<String>,
    /// Give each account of --pam a folder of its own name below the root; made at the first login
    #[cfg(feature = "pam")]
    #[arg(long, requires = "pam")]
    pam_homes: bool,
}

/// Who is asked.
pub struct AuthOrder {
    /// A program.
    pub program: Option<ProgramOptions>,
    /// PAM.
    #[cfg(feature = "pam")]
    pub pam: Option<PamOptions>,
}

impl AuthOrder {
    /// Whether anybody is.
    pub fn is_asked(&self) -> bool {
        #[cfg(feature = "pam")]
        if self.pam.is_some() {
            return true;
        }
        self.program.is_some()
    }
}

impl TypedAuth {
    /// What it means.
    pub(super) fn resolve(self) -> AuthOrder {
        let (timeout, processes) = (self.auth_timeout, self.auth_processes);
        AuthOrder {
            program: self.auth_program.map(|path| ProgramOptions { path, timeout, processes }),
            #[cfg(feature = "pam")]
            pam: self.pam.map(|service| PamOptions { service, homes: self.pam_homes }),
        }
    }

    /// Whether anybody is.
    pub(super) fn is_any(&self) -> bool {
        #[cfg(feature = "pam")]
        if self.pam.is_some() {
            return true;
        }
        self.auth_program.is_some()
    }
}

fn parse_processes(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=MOST_PROCESSES).contains(count));
    count.ok_or_else(|| format!("give a number from 1 to {MOST_PROCESSES}"))
}

/// PAM takes any service for "other", which denies as a rule, where there is none of the name.
#[cfg(feature = "pam")]
fn parse_service(text: &str) -> Result<String, String> {
    let is_word = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if is_word { Ok(text.to_string()) } else { Err("give the name of a file in /etc/pam.d, as gftp".to_string()) }
}
