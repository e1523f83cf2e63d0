//! Options that every server of gftp has, whatever it serves: how many may come, how it ends, and its log; and those
//! that each service has: where it listens, and how many may come to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use gftp_plugin::parse_time;
use log::LevelFilter;

use super::bans::TypedBanning;
use super::confine::TypedConfine;
use super::values::{parse_count, parse_level, parse_listen};
use crate::confine;
use crate::host::{Address, GuardRules, Places};
use crate::logging::{Format, LogOptions};

/// Of the whole process, as typed.
#[derive(Args)]
pub(super) struct TypedProcess {
    /// Sessions at most, of all services together
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = parse_count)]
    max_sessions: usize,
    /// Sessions at most from one address (IPv6: from one /64), of all services together
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = parse_count)]
    max_per_ip: usize,
    /// On SIGINT or SIGTERM, let running transfers finish for this long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time)]
    grace: Duration,
    /// How much to log: off, error, warn, info, debug
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = parse_level)]
    log_level: LevelFilter,
    /// Log to this file as well (appended to)
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
    /// The form of the log, on stderr and in --log-file: text, or JSON with one object a line
    #[arg(long, value_enum, value_name = "text|json", default_value = "text", hide_possible_values = true)]
    log_format: TypedFormat,
    #[command(flatten)]
    banning: TypedBanning,
    #[command(flatten)]
    confine: TypedConfine,
}

#[derive(Clone, Copy, ValueEnum)]
enum TypedFormat {
    Text,
    Json,
}

/// What a whole process was told.
pub struct Process {
    /// How many may come, to all services together.
    pub places: Places,
    /// Who is banned, and who is too fast.
    pub guard: GuardRules,
    /// Where bans are kept.
    pub bans: Option<PathBuf>,
    /// How long sessions may run on after the first signal.
    pub grace: Duration,
    /// What is logged, and where.
    pub log: LogOptions,
    /// What is given up.
    pub confine: confine::Orders,
}

impl TypedProcess {
    /// What it means. Only FTP has transfers to note in an xferlog.
    pub(super) fn resolve(self, xferlog: Option<PathBuf>) -> Process {
        let format = match self.log_format {
            TypedFormat::Text => Format::Text,
            TypedFormat::Json => Format::Json,
        };
        let (guard, bans) = self.banning.resolve();
        Process {
            guard,
            bans,
            places: Places { total: self.max_sessions, per_address: self.max_per_ip },
            grace: self.grace,
            confine: self.confine.resolve(),
            log: LogOptions { level: self.log_level, format, file: self.log_file, xferlog },
        }
    }
}

/// Where a plugin listens, as typed.
#[derive(Args)]
pub(super) struct TypedDoor {
    /// The port; 0 takes any that is free
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Listen here, repeatable [default: 127.0.0.1 and ::1; beside FTP, where FTP listens]
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = parse_listen)]
    pub listen: Vec<(IpAddr, Option<u16>)>,
}

/// How many may come to a plugin beside FTP, as typed.
#[derive(Args)]
pub(super) struct TypedRoom {
    /// Sessions of this plugin at most
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub max_sessions: Option<usize>,
    /// Sessions of this plugin at most from one address (IPv6: from one /64)
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub max_per_ip: Option<usize>,
}

/// Where to listen: loopback only, unless something else was asked for.
pub(super) fn addresses(listen: &[(IpAddr, Option<u16>)], port: u16) -> Vec<Address> {
    if listen.is_empty() {
        let v4 = Address { at: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port), optional: false };
        let v6 = Address { at: SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port), optional: true };
        return vec![v4, v6];
    }
    let given = listen.iter().map(|(ip, own)| SocketAddr::new(*ip, own.unwrap_or(port)));
    let mut addresses: Vec<Address> = Vec::new();
    for at in given {
        // Said twice it is meant once.
        if addresses.iter().all(|other| other.at != at) {
            addresses.push(Address { at, optional: false });
        }
    }
    addresses
}
