//! What was typed, and what it means. Outside of these files nobody looks at an argument again.

mod auth;
mod bandwidth;
mod bans;
mod confine;
mod entry;
mod groups;
mod mistakes;
mod password;
mod plugins;
mod process;
mod serve;
mod tls;
mod user;
mod values;

use std::ffi::OsString;
use std::path::Path;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use gftp_plugin::{Plugin, Run};

pub use auth::AuthOrder;
use bans::TypedBans;
pub use bans::{BansOrder, Whom};
pub use mistakes::Mistake;
use mistakes::{Stop, stop};
pub(crate) use password::new_password;
use plugins::Plugins;
pub use plugins::ServiceOrder;
pub use process::Process;
use serve::TypedServe;
pub use serve::{FtpOrder, Serve};
pub use tls::TlsOrder;
use user::TypedUser;
pub use user::{UserAction, UserOrder};

/// Help is no wider than this, however wide the terminal: longer lines are hard to read.
const WIDTH: usize = 100;

/// A file server that speaks FTP.
#[derive(Parser)]
#[command(name = "gftp", version, about, max_term_width = WIDTH, subcommand_required = true)]
struct Typed {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a folder over FTP, and plugins beside it
    Serve(Box<TypedServe>),
    /// Make and change the accounts of a users file
    User(Box<TypedUser>),
    /// Show and lift bans
    Bans(TypedBans),
    /// List the plugins with their options
    Plugins,
    /// Print the table of FTP commands as Markdown (the README's table is made with it)
    #[command(hide = true)]
    Commands,
}

/// What is to be done.
pub enum Order {
    /// Serve.
    Serve(Box<Serve>),
    /// Change a users file.
    User(UserOrder),
    /// Show or lift bans.
    Bans(BansOrder),
    /// Run a client of this name.
    Client(String, Run),
    /// Print this, and nothing else (help, version).
    Print(String),
}

/// What the command line means, where these plugins are to be had. `program` makes a plugin of a program's path.
pub fn read(plugins: Vec<Plugin>, program: fn(&Path) -> Plugin) -> Result<Order, Mistake> {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let plugins = Plugins::with_programs(plugins, &words, program);
    match understand(&words, &plugins) {
        Ok(order) => Ok(order),
        Err(Stop::Print(text)) => Ok(Order::Print(text)),
        Err(Stop::Mistake(mistake)) => Err(mistake),
    }
}

fn understand(words: &[OsString], plugins: &Plugins) -> Result<Order, Stop> {
    let mut whole = Typed::command().subcommands(plugins.commands());
    whole.build();
    let asked = words.first().map_or("serve".to_string(), |first| first.to_string_lossy().into_owned());
    let (mut server, mut groups) = (words.to_vec(), Vec::new());
    if let ("serve", Some(serve)) = (asked.as_str(), whole.find_subcommand("serve")) {
        let split = groups::split(words.iter().cloned(), serve, |name| plugins.group(name))?;
        server = split.server;
        // First, since --help behind --plugin asks for the plugin's.
        groups = split.plugins.into_iter().map(|group| plugins.read(group, serve)).collect::<Result<_, _>>()?;
    }
    let typed = whole.try_get_matches_from(std::iter::once("gftp".into()).chain(server));
    let typed = typed.map_err(|e| plugins.stop(&e, &asked))?;
    if let Some((name, typed)) = typed.subcommand()
        && let Some(order) = plugins.alone(name, typed)
    {
        return order;
    }
    match Typed::from_arg_matches(&typed).map_err(|e| stop(&e, &asked))?.command {
        Command::Serve(typed) => {
            let entry = typed.entry();
            let services =
                groups.into_iter().map(|group| group.order(typed.listen(), &entry)).collect::<Result<_, _>>()?;
            Ok(Order::Serve(Box::new(typed.resolve(services)?)))
        }
        Command::User(typed) => Ok(Order::User(typed.resolve())),
        Command::Bans(typed) => Ok(Order::Bans(typed.resolve())),
        Command::Plugins => Ok(Order::Print(plugins.list())),
        Command::Commands => Ok(Order::Print(crate::ftp::markdown_table())),
    }
}
