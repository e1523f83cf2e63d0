//! Who is banned and for how long, as typed: of the whole process; and `gftp bans`, which shows and lifts bans.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use gftp_plugin::{Networks, parse_network, parse_time};
use ipnet::IpNet;

use super::entry::parse_networks;
use super::values::parse_count;
use crate::host::{BanRules, GuardRules};

/// Of the whole process, as typed.
#[derive(Args)]
pub(super) struct TypedBanning {
    /// Whether addresses that guess passwords or break rules are banned for a time
    #[arg(
        long,
        help_heading = "Bans",
        value_enum,
        value_name = "on|off",
        default_value = "on",
        hide_possible_values = true
    )]
    ban: TypedSwitch,
    /// Ban an address (IPv6: a /64) after this many wrong passwords within an hour
    #[arg(long, help_heading = "Bans", value_name = "N", default_value_t = 20, value_parser = parse_count)]
    ban_after: usize,
    /// How long the first ban is; the next ones are 5, 30, 240 and 1440 times as long
    #[arg(long, help_heading = "Bans", value_name = "TIME", default_value = "1m", value_parser = parse_time)]
    ban_time: Duration,
    /// Keep bans in this file, so that they outlive the server; gftp bans shows and lifts them
    #[arg(long, help_heading = "Bans", value_name = "FILE")]
    bans: Option<PathBuf>,
    /// Never ban who is in one of these networks, nor hold them to --max-rate [default: 127.0.0.0/8,::1]
    // Behind loopback are proxies and tunnels: a ban would be everybody's.
    #[arg(long, help_heading = "Bans", value_name = "NETWORKS|none", value_parser = parse_networks)]
    ban_exempt: Vec<Networks>,
    /// New connections a second at most from one address (IPv6: one /64); four times as many may come at once
    #[arg(long, help_heading = "Bans", value_name = "N", default_value_t = 50, value_parser = parse_count)]
    max_rate: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TypedSwitch {
    On,
    Off,
}

impl TypedBanning {
    /// What it means, and where bans are kept.
    pub(super) fn resolve(self) -> (GuardRules, Option<PathBuf>) {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let is_on = self.ban == TypedSwitch::On;
        let bans = is_on.then(|| BanRules { after: number(self.ban_after), time: self.ban_time });
        let exempt = match self.ban_exempt.is_empty() {
            true => Networks::loopback(),
            false => self.ban_exempt.into_iter().collect(),
        };
        (GuardRules { bans, per_second: number(self.max_rate), exempt }, self.bans)
    }
}

/// `gftp bans`, as typed.
#[derive(Args)]
#[command(subcommand_required = true)]
pub(super) struct TypedBans {
    #[command(subcommand)]
    action: TypedAction,
}

#[derive(Subcommand)]
enum TypedAction {
    /// List who is banned, until when and for what
    List {
        /// The file with the bans
        #[arg(long, value_name = "FILE")]
        bans: PathBuf,
    },
    /// Lift the ban of an address or network, or all; a running server knows within a second
    Lift {
        /// Whose: an address, a network, or all
        #[arg(value_name = "ADDRESS|NETWORK|all", value_parser = parse_whom)]
        whom: Whom,
        /// The file with the bans
        #[arg(long, value_name = "FILE")]
        bans: PathBuf,
    },
}

/// Whose ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Everybody's.
    All,
    /// Of an address, or of a network and all that is in it.
    One(IpNet),
}

fn parse_whom(text: &str) -> Result<Whom, String> {
    if text == "all" { Ok(Whom::All) } else { parse_network(text).map(Whom::One) }
}

/// What is to be done with a file of bans.
pub struct BansOrder {
    /// The file.
    pub file: PathBuf,
    /// Whose ban is to be lifted; None: all are to be shown.
    pub lift: Option<Whom>,
}

impl TypedBans {
    /// What it means.
    pub(super) fn resolve(self) -> BansOrder {
        match self.action {
            TypedAction::List { bans } => BansOrder { file: bans, lift: None },
            TypedAction::Lift { whom, bans } => BansOrder { file: bans, lift: Some(whom) },
        }
    }
}
