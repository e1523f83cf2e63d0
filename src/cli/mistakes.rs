//! Why a command line is not carried out, in one line that says what to type. Knows clap's errors.

use std::fmt::Display;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Why gftp does not start: one line that says what is wrong and what to type.
#[derive(Debug)]
pub struct Mistake(pub String);

/// Why there is no order.
pub(super) enum Stop {
    /// Something was asked for instead: help, or the version.
    Print(String),
    /// Something is wrong.
    Mistake(Mistake),
}

impl From<Mistake> for Stop {
    fn from(mistake: Mistake) -> Self {
        Stop::Mistake(mistake)
    }
}

impl From<String> for Stop {
    fn from(line: String) -> Self {
        Stop::Mistake(Mistake(line))
    }
}

/// What an error of clap's comes to. `command` is what stands behind gftp.
pub(super) fn stop(error: &clap::Error, command: &str) -> Stop {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stop::Print(error.render().to_string()),
        _ => Stop::Mistake(Mistake(in_one_line(error, command))),
    }
}

/// A word that an error is about, or that it suggests.
pub(super) fn context(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    }
}

/// A mistake in a line: clap's own words, without the usage that follows them.
fn in_one_line(error: &clap::Error, command: &str) -> String {
    let text = |kind| context(error, kind);
    let suggestion = text(ContextKind::SuggestedArg).or_else(|| text(ContextKind::SuggestedSubcommand));
    let hint = suggestion.map_or(String::new(), |suggestion| format!("; did you mean {suggestion}?"));
    let see = |text: &dyn Display| match error.kind() {
        ErrorKind::InvalidSubcommand => format!("{text}{hint} (see gftp --help)"),
        _ => format!("{text}{hint} (see gftp {command} --help)"),
    };
    let argument = text(ContextKind::InvalidArg).unwrap_or_default();
    match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand if command == "user" => {
            "say what to do, as: gftp user add NAME --users FILE (see gftp user --help)".to_string()
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand if command == "bans" => {
            "say what to do, as: gftp bans list --bans FILE (see gftp bans --help)".to_string()
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            "say what to do, as: gftp serve --root ./fixtures (see gftp --help)".to_string()
        }
        ErrorKind::MissingRequiredArgument => {
            let example = if argument.starts_with("--root") { ", as in: gftp serve --root ./fixtures" } else { "" };
            see(&format!("missing {argument}{example}"))
        }
        ErrorKind::InvalidValue if argument.starts_with("--anonymous") => see(&"--anonymous takes off, read or write"),
        ErrorKind::InvalidValue if argument.starts_with("--confine") => see(&"--confine takes auto, require or off"),
        ErrorKind::InvalidValue if argument.starts_with("--ban ") => see(&"--ban takes on or off"),
        ErrorKind::InvalidValue if argument.starts_with("--log-format") => see(&"--log-format takes text or json"),
        _ => {
            let rendered = error.render().to_string();
            let first = rendered.lines().next().unwrap_or_default();
            see(&first.trim_start_matches("error: "))
        }
    }
}
