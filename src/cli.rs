//! What was typed, and what it means. After this file nobody looks at an argument again.

use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand, ValueEnum};
use gftp_plugin::Limits;
use log::LevelFilter;

use crate::accounts::{Anonymous, Password};
use crate::ftp::data::passive::PassiveOptions;
use crate::host::{self, Address, Places};
use crate::logging::{Format, LogOptions};

/// The environment variable that may hold the password of `--user`.
const PASSWORD_VARIABLE: &str = "GFTP_PASSWORD";
/// A password file larger than this is not a password file.
const LARGEST_PASSWORD: usize = 4096;

/// A file server that speaks FTP.
#[derive(Parser)]
#[command(name = "gftp", version, about, max_term_width = 100, subcommand_required = true)]
struct Typed {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a folder over FTP
    Serve(Box<TypedServe>),
    /// Print the table of FTP commands as Markdown (the README's table is made with it)
    #[command(hide = true)]
    Commands,
}

#[derive(Args)]
struct TypedServe {
    /// The folder to serve
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Listen here, repeatable [default: 127.0.0.1 and ::1]
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = parse_listen)]
    listen: Vec<(IpAddr, Option<u16>)>,
    /// The port, where --listen gives none; 0 takes any that is free
    #[arg(long, value_name = "PORT", default_value_t = 2121)]
    port: u16,
    /// What visitors without an account may do [default: read, or off where --user is given]
    #[arg(long, value_enum, value_name = "off|read|write", hide_possible_values = true)]
    anonymous: Option<TypedAnonymous>,
    /// An account that may do everything; its password comes from GFTP_PASSWORD, --password-file or a prompt
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
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

/// What is to be done.
pub enum Order {
    /// Serve.
    Serve(Box<Serve>),
    /// Print this, and nothing else (help, version).
    Print(String),
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

/// Why gftp does not start: one line that says what is wrong and what to type.
#[derive(Debug)]
pub struct Mistake(pub String);

/// What the command line means.
pub fn read() -> Result<Order, Mistake> {
    match Typed::try_parse() {
        Ok(Typed { command: Command::Serve(typed) }) => typed.resolve().map(|serve| Order::Serve(Box::new(serve))),
        Ok(Typed { command: Command::Commands }) => Ok(Order::Print(crate::ftp::markdown_table())),
        Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Ok(Order::Print(e.render().to_string()))
        }
        Err(e) => Err(Mistake(in_one_line(&e))),
    }
}

impl TypedServe {
    fn resolve(self) -> Result<Serve, Mistake> {
        let anonymous = match (self.anonymous, &self.user) {
            (Some(TypedAnonymous::Off), _) | (None, Some(_)) => Anonymous::Off,
            (Some(TypedAnonymous::Read), _) | (None, None) => Anonymous::Read,
            (Some(TypedAnonymous::Write), _) => Anonymous::Write,
        };
        if anonymous == Anonymous::Off && self.user.is_none() {
            return Err(Mistake("--anonymous off lets nobody in: add --user NAME".to_string()));
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
        let v6 = Address { at: SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), port), optional: true };
        return vec![v4, v6];
    }
    let given = listen.iter().map(|(ip, own)| SocketAddr::new(*ip, own.unwrap_or(port)));
    given.map(|at| Address { at, optional: false }).collect()
}

fn password_of(name: &str, file: Option<PathBuf>) -> Result<Password, Mistake> {
    if let Some(file) = file {
        let text = std::fs::read(&file).map_err(|e| Mistake(format!("--password-file {}: {e}", file.display())))?;
        let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line.len() > LARGEST_PASSWORD {
            let file = file.display();
            return Err(Mistake(format!("--password-file {file}: the first line must be the password of {name}")));
        }
        return Ok(Password::new(line));
    }
    if let Some(password) = std::env::var_os(PASSWORD_VARIABLE).filter(|password| !password.is_empty()) {
        return Ok(Password::new(std::os::unix::ffi::OsStringExt::into_vec(password)));
    }
    if !io::stdin().is_terminal() {
        return Err(Mistake(format!("no password for {name}: set {PASSWORD_VARIABLE} or give --password-file FILE")));
    }
    let password = rpassword::prompt_password(format!("Password for {name}: "))
        .map_err(|e| Mistake(format!("cannot read the password of {name}: {e}")))?;
    match password.is_empty() {
        true => Err(Mistake(format!("the password of {name} must not be empty"))),
        false => Ok(Password::new(password)),
    }
}

fn parse_listen(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok((address.ip(), Some(address.port())));
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match bare.parse() {
        Ok(ip) => Ok((ip, None)),
        Err(_) => Err("give an IP address, as 0.0.0.0, 192.0.2.7:2121, :: or [::1]:2121".to_string()),
    }
}

fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse::<u16>(), last.trim().parse::<u16>()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(first..=last),
        _ => Err("give a range of ports, as 50000-50010".to_string()),
    }
}

fn parse_public(text: &str) -> Result<Ipv4Addr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let found = (text, 0).to_socket_addrs().map_err(|e| format!("this name cannot be resolved: {e}"))?;
    let v4 = found.filter_map(|address| match address.ip() {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    });
    v4.into_iter().next().ok_or_else(|| "give an IPv4 address, or a name that has one (PASV knows no IPv6)".to_string())
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let time = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => humantime::parse_duration(text).map_err(|_| "give a time, as 30s, 5m or 250ms".to_string())?,
    };
    // Later than any deadline can be counted; a year is as good as never here.
    const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
    if time > LONGEST { Err("a year is the most".to_string()) } else { Ok(time) }
}

fn parse_level(text: &str) -> Result<LevelFilter, String> {
    text.parse().map_err(|_| "give off, error, warn, info, debug or trace".to_string())
}

/// A mistake in a line: clap's own words, without the usage that follows them.
fn in_one_line(error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let suggestion = text(ContextKind::SuggestedArg).or_else(|| text(ContextKind::SuggestedSubcommand));
    let hint = suggestion.map_or(String::new(), |suggestion| format!("; did you mean {suggestion}?"));
    let see = |text: &dyn Display| format!("{text}{hint} (see gftp serve --help)");
    match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            "say what to do, as: gftp serve --root ./fixtures (see gftp --help)".to_string()
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = text(ContextKind::InvalidArg).unwrap_or_default();
            let example = if missing.starts_with("--root") { ", as in: gftp serve --root ./fixtures" } else { "" };
            see(&format!("missing {missing}{example}"))
        }
        ErrorKind::InvalidValue if text(ContextKind::InvalidArg).is_some_and(|arg| arg.starts_with("--anonymous")) => {
            see(&"--anonymous takes off, read or write")
        }
        ErrorKind::InvalidValue if text(ContextKind::InvalidArg).is_some_and(|arg| arg.starts_with("--log-format")) => {
            see(&"--log-format takes text or json")
        }
        _ => {
            let rendered = error.render().to_string();
            let first = rendered.lines().next().unwrap_or_default();
            see(&first.trim_start_matches("error: "))
        }
    }
}
