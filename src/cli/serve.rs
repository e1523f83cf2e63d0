//! What `gftp serve` is told, and what that means.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use gftp_plugin::{Limits, parse_time};
use log::LevelFilter;

use super::Mistake;
use super::password::password_of;
use super::values::{parse_level, parse_listen, parse_ports, parse_public};
use crate::accounts::{Anonymous, Password};
use crate::ftp::data::passive::PassiveOptions;
use crate::host::{self, Address, Places};
use crate::logging::{Format, LogOptions};

/// As typed.
#[derive(Args)]
pub(super) struct TypedServe {
    /// The folder to serve
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Listen here, repeatable [default: 127.0.0.1 and ::1]
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = parse_listen)]
    listen: Vec<(IpAddr, Option<u16>)>,
    /// The port, where --listen gives none; 0 takes any that is free
    #[arg(long, value_name = "PORT", default_value_t = 2121)]
    port: u16,
    /// What visitors without an account may do [default: read, or off where --user or --users is given]
    #[arg(long, value_enum, value_name = "off|read|write", hide_possible_values = true)]
    anonymous: Option<TypedAnonymous>,
    /// An account that may do everything; its password comes from GFTP_PASSWORD, --password-file or a prompt
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The file with the accounts; gftp user makes and changes it
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// Read the password of --user from the first line of this file
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// Ports for passive data connections; one is enough where clients have different addresses [default: any]
    #[arg(long, value_name = "FIRST-LAST", value_parser = parse_ports)]
    passive_ports: Option<RangeInclusive<u16>>,
    /// The address that PASV announces, for servers behind NAT [default: the one the client dialled]
    #[arg(long, value_name = "ADDR|NAME", value_parser = parse_public)]
    passive_address: Option<Ipv4Addr>,
    /// Sessions at most
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    max_sessions: usize,
    /// Sessions at most from one address (IPv6: from one /64)
    #[arg(long, value_name = "N", default_value_t = 100)]
    max_per_ip: usize,
    /// Sessions at most of one account; visitors without an account are not counted as one
    // A tenth of all places: one account must not take them all.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    max_per_user: usize,
    /// Close a session that sends no command for this long; a running transfer does not count as idle
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_time)]
    idle: Duration,
    /// Let a client ask for this much by SITE IDLE
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = parse_time)]
    max_idle: Duration,
    /// Close a connection that has not logged in within this time
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = parse_time)]
    login_timeout: Duration,
    /// Wait this long for a data connection
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time)]
    data_timeout: Duration,
    /// Give a transfer up when nothing has moved for this long
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = parse_time)]
    stall: Duration,
    /// Say that an upload is stored only when the disk has it: slower, but it survives a power cut
    #[arg(long)]
    fsync: bool,
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
    /// Note every upload, download and deletion in this file, in the form of wu-ftpd's xferlog (appended to)
    #[arg(long, value_name = "FILE")]
    xferlog: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum TypedFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum TypedAnonymous {
    Off,
    Read,
    Write,
}

/// All that `gftp serve` was told, with nothing left to look up.
pub struct Serve {
    /// The served folder, as typed.
    pub root: PathBuf,
    /// Where to listen.
    pub addresses: Vec<Address>,
    /// What visitors without an account may do.
    pub anonymous: Anonymous,
    /// The account given by --user.
    pub user: Option<(String, Password)>,
    /// The file with the accounts.
    pub users: Option<PathBuf>,
    /// Sessions that one account may have at once.
    pub most_per_user: usize,
    /// Passive data connections.
    pub passive: PassiveOptions,
    /// How many may come.
    pub places: Places,
    /// What one connection may take.
    pub limits: Limits,
    /// How long a client may ask to stay silent.
    pub max_idle: Duration,
    /// How long a data connection may take to come about.
    pub data_wait: Duration,
    /// How long a transfer may stand still.
    pub stall: Duration,
    /// Whether an upload is only said to be stored when the disk has it.
    pub durable: bool,
    /// How long transfers may run on after the first signal.
    pub grace: Duration,
    /// What is logged, and where.
    pub log: LogOptions,
}

impl TypedServe {
    /// What it means; a password is asked for here.
    pub(super) fn resolve(self) -> Result<Serve, Mistake> {
        let has_accounts = self.user.is_some() || self.users.is_some();
        let anonymous = match (self.anonymous, has_accounts) {
            (Some(TypedAnonymous::Off), _) | (None, true) => Anonymous::Off,
            (Some(TypedAnonymous::Read), _) | (None, false) => Anonymous::Read,
            (Some(TypedAnonymous::Write), _) => Anonymous::Write,
        };
        if anonymous == Anonymous::Off && !has_accounts {
            return Err(Mistake("--anonymous off lets nobody in: add --user NAME or --users FILE".to_string()));
        }
        let user = match self.user {
            Some(name) => Some((name.clone(), password_of(&name, self.password_file)?)),
            None => None,
        };
        let addresses = addresses(&self.listen, self.port);
        let listens_on_any_v4 = host::listens_on_any_v4(&addresses);
        Ok(Serve {
            root: self.root,
            addresses,
            anonymous,
            user,
            users: self.users,
            most_per_user: self.max_per_user,
            passive: PassiveOptions {
                ports: self.passive_ports,
                address: self.passive_address,
                dual: !listens_on_any_v4,
            },
            places: Places { total: self.max_sessions, per_address: self.max_per_ip },
            limits: Limits { idle: self.idle, login: self.login_timeout, ..Limits::default() },
            max_idle: self.max_idle.max(self.idle),
            data_wait: self.data_timeout,
            stall: self.stall,
            durable: self.fsync,
            grace: self.grace,
            log: LogOptions {
                level: self.log_level,
                format: match self.log_format {
                    TypedFormat::Text => Format::Text,
                    TypedFormat::Json => Format::Json,
                },
                file: self.log_file,
                xferlog: self.xferlog,
            },
        })
    }
}

/// Loopback only, unless something else was asked for.
fn addresses(listen: &[(IpAddr, Option<u16>)], port: u16) -> Vec<Address> {
    if listen.is_empty() {
        let v4 = Address { at: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port), optional: false };
        let v6 = Address { at: SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port), optional: true };
        return vec![v4, v6];
    }
    let given = listen.iter().map(|(ip, own)| SocketAddr::new(*ip, own.unwrap_or(port)));
    given.map(|at| Address { at, optional: false }).collect()
}
