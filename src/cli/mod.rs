//! What was typed, and what it means. Outside of these files nobody looks at an argument again.

mod password;
mod serve;
mod user;
mod values;

use std::fmt::Display;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, Subcommand};

pub(crate) use password::new_password;
pub use serve::Serve;
use serve::TypedServe;
use user::TypedUser;
pub use user::{UserAction, UserOrder};

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
    /// Make and change the accounts of a users file
    User(TypedUser),
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
    /// Print this, and nothing else (help, version).
    Print(String),
}

/// Why gftp does not start: one line that says what is wrong and what to type.
#[derive(Debug)]
pub struct Mistake(pub String);

/// What the command line means.
pub fn read() -> Result<Order, Mistake> {
    match Typed::try_parse() {
        Ok(Typed { command: Command::Serve(typed) }) => typed.resolve().map(|serve| Order::Serve(Box::new(serve))),
        Ok(Typed { command: Command::User(typed) }) => Ok(Order::User(typed.resolve())),
        Ok(Typed { command: Command::Commands }) => Ok(Order::Print(crate::ftp::markdown_table())),
        Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Ok(Order::Print(e.render().to_string()))
        }
        Err(e) => Err(Mistake(in_one_line(&e))),
    }
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
    let command = if std::env::args_os().nth(1).is_some_and(|word| word == "user") { "user" } else { "serve" };
    let see = |text: &dyn Display| format!("{text}{hint} (see gftp {command} --help)");
    match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand if command == "user" => {
            "say what to do, as: gftp user add NAME --users FILE (see gftp user --help)".to_string()
        }
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
