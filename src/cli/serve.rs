//! What `gftp serve` is told, and what that means.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use gftp_plugin::{Limits, parse_time};

use super::Mistake;
use super::auth::{AuthOrder, TypedAuth};
use super::bandwidth::TypedBandwidth;
use super::entry::TypedEntry;
use super::password::password_of;
use super::plugins::ServiceOrder;
use super::process::{Process, TypedProcess, addresses};
use super::tls::{TlsOrder, TypedTls};
use super::values::{parse_count, parse_listen, parse_ports, parse_public};
use crate::accounts::{Anonymous, Password};
use crate::ftp::data::passive::PassiveOptions;
use crate::ftp::pace::Caps;
use crate::host::{self, Address, Entry};

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
    /// What visitors without an account may do [default: read, or off where accounts are given]
    #[arg(long, value_enum, value_name = "off|read|write", hide_possible_values = true)]
    anonymous: Option<TypedAnonymous>,
    /// An account that may do everything; its password comes from GFTP_PASSWORD, --password-file or a prompt
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The file with the accounts; gftp user makes and changes it
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    #[command(flatten)]
    auth: TypedAuth,
    /// Read the password of --user from the first line of this file
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// Ports for passive data connections; one is enough where clients have different addresses [default: any]
    #[arg(long, value_name = "FIRST-LAST", value_parser = parse_ports)]
    passive_ports: Option<RangeInclusive<u16>>,
    /// The address that PASV announces, for servers behind NAT [default: the one the client dialled]
    #[arg(long, value_name = "ADDR|NAME", value_parser = parse_public)]
    passive_address: Option<Ipv4Addr>,
    /// Sessions at most of one account; visitors without an account are not counted as one
    // A tenth of all places: one account must not take them all.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = parse_count)]
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
    /// Note every upload, download and deletion in this file, in the form of wu-ftpd's xferlog (appended to)
    #[arg(long, value_name = "FILE")]
    xferlog: Option<PathBuf>,
    /// Serve this as well, repeatable: a plugin (see gftp plugins), or a program as ./PROGRAM. Its options stand behind it
    // Never read: words are given to plugins before the rest is parsed. It stands here for --help.
    #[arg(long = "plugin", value_name = "NAME …", help_heading = "Plugins")]
    _plugin: Vec<OsString>,
    #[command(flatten)]
    tls: TypedTls,
    #[command(flatten)]
    bandwidth: TypedBandwidth,
    #[command(flatten)]
    entry: TypedEntry,
    #[command(flatten)]
    process: TypedProcess,
}

#[derive(Clone, Copy, ValueEnum)]
enum TypedAnonymous {
    Off,
    Read,
    Write,
}

/// All that a server was told, with nothing left to look up.
pub struct Serve {
    /// FTP, unless a plugin is served alone.
    pub ftp: Option<FtpOrder>,
    /// What is served beside it.
    pub services: Vec<ServiceOrder>,
    /// What concerns all of them.
    pub process: Process,
}

/// What concerns FTP.
pub struct FtpOrder {
    /// The served folder, as typed.
    pub root: PathBuf,
    /// Where to listen.
    pub addresses: Vec<Address>,
    /// Who may come.
    pub entry: Entry,
    /// What visitors without an account may do.
    pub anonymous: Anonymous,
    /// The account given by --user.
    pub user: Option<(String, Password)>,
    /// The file with the accounts.
    pub users: Option<PathBuf>,
    /// Who else is asked about logins.
    pub auth: AuthOrder,
    /// Sessions that one account may have at once.
    pub most_per_user: usize,
    /// Passive data connections.
    pub passive: PassiveOptions,
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
    /// TLS, unless it is off.
    pub tls: Option<TlsOrder>,
    /// How fast transfers may go.
    pub caps: Caps,
}

impl TypedServe {
    /// The addresses that were given.
    pub(super) fn listen(&self) -> &[(IpAddr, Option<u16>)] {
        &self.listen
    }

    /// Who may come.
    pub(super) fn entry(&self) -> Entry {
        self.entry.clone().resolve(None)
    }

    /// What it means; a password is asked for here.
    pub(super) fn resolve(self, services: Vec<ServiceOrder>) -> Result<Serve, Mistake> {
        let has_accounts = self.user.is_some() || self.users.is_some() || self.auth.is_any();
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
        let tls = self.tls.resolve(&self.listen, self.port, self.passive_address.map(IpAddr::from))?;
        let entry = self.entry.resolve(None);
        let listens_on_any_v4 = host::listens_on_any_v4(&addresses);
        let ftp = FtpOrder {
            root: self.root,
            addresses,
            anonymous,
            user,
            users: self.users,
            auth: self.auth.resolve(),
            most_per_user: self.max_per_user,
            passive: PassiveOptions {
                ports: self.passive_ports,
                address: self.passive_address,
                dual: !listens_on_any_v4,
                proxies: entry.proxies.clone(),
            },
            entry,
            limits: Limits { idle: self.idle, login: self.login_timeout, ..Limits::default() },
            max_idle: self.max_idle.max(self.idle),
            data_wait: self.data_timeout,
            stall: self.stall,
            durable: self.fsync,
            tls,
            caps: self.bandwidth.resolve(),
        };
        Ok(Serve { ftp: Some(ftp), services, process: self.process.resolve(self.xferlog) })
    }
}
