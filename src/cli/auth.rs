//! Who beside the users file is asked about logins, and what that means.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use gftp_plugin::parse_time;

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
}

/// Who is asked.
pub struct AuthOrder {
    /// A program.
    pub program: Option<ProgramOptions>,
}

impl TypedAuth {
    /// What it means.
    pub(super) fn resolve(self) -> AuthOrder {
        let TypedAuth { auth_program, auth_timeout: timeout, auth_processes: processes } = self;
        AuthOrder { program: auth_program.map(|path| ProgramOptions { path, timeout, processes }) }
    }

    /// Whether anybody is.
    pub(super) fn is_any(&self) -> bool {
        self.auth_program.is_some()
    }
}

fn parse_processes(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=MOST_PROCESSES).contains(count));
    count.ok_or_else(|| format!("give a number from 1 to {MOST_PROCESSES}"))
}
