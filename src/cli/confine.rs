//! Options about what the process gives up, whatever it serves.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::confine::{Orders, Wanted};

/// As typed.
#[derive(Args)]
pub(super) struct TypedConfine {
    /// Once all is open and bound, become this user for good: a name or a number
    #[arg(long, value_name = "USER[:GROUP]", help_heading = "Confinement")]
    run_as: Option<String>,
    /// Give up capabilities, new privileges, and all files and ports that are not needed: auto (as much as the kernel can), require
    /// (all, or do not start), off
    #[arg(
        long,
        value_enum,
        value_name = "auto|require|off",
        default_value = "auto",
        hide_possible_values = true,
        help_heading = "Confinement"
    )]
    confine: TypedWanted,
    /// Let plugins and programs change what is in this folder as well, repeatable
    #[arg(long, value_name = "DIR", help_heading = "Confinement")]
    writable: Vec<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum TypedWanted {
    Auto,
    Require,
    Off,
}

impl TypedConfine {
    /// What it means.
    pub(super) fn resolve(self) -> Orders {
        let wanted = match self.confine {
            TypedWanted::Auto => Wanted::Auto,
            TypedWanted::Require => Wanted::Require,
            TypedWanted::Off => Wanted::Off,
        };
        Orders { wanted, run_as: self.run_as, writable: self.writable }
    }
}
