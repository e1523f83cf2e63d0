//! Lines of the control connection: commands and their arguments.

use gftp::ftp::wire::command::{Command, argument_path};
use gftp::ftp::wire::phrase::{Language, Text};
use gftp::ftp::wire::printable::printable;
use gftp::ftp::wire::reply::{Reply, quote};
use gftp::ftp::wire::{address, changes, facts, flags, host, range, time, words};

/// A command line, whatever its verb: every parser of an argument sees the argument.
pub fn commands(data: &[u8]) {
    let Ok(command) = Command::parse(data) else { return };
    let verb = command.verb.as_str();
    assert!(!verb.is_empty() && verb.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
    let argument = command.argument.unwrap_or_default();
    assert!(argument.len() < data.len(), "an argument is shorter than its line");
    echo(argument);
    let path = argument_path(argument);
    assert!(path.len() <= argument.len());
    let (_, operand) = flags::split(command.argument);
    assert!(operand.is_none_or(|operand| argument.ends_with(operand)), "flags are cut off the front, and nothing else");
    if let Some(words) = words::words(argument) {
        let together: usize = words.iter().map(|word| word.len()).sum();
        assert!(together <= argument.len(), "taking quotes off makes nothing longer");
    }
    if let Ok(Some(part)) = range::parse_rang(argument) {
        assert!(part.start <= part.end && part.end <= range::LARGEST_OFFSET);
    }
    if let Ok((name, Some(part))) = range::parse_name_and_part(argument) {
        assert!(part.start <= part.end && name.len() <= argument.len());
    }
    if let Some((seconds, nanoseconds)) = time::parse_time(argument) {
        assert!(nanoseconds < 1_000_000_000);
        let shown = time::format_time(seconds);
        assert_eq!(time::parse_time(&shown).map(|(again, _)| again), Some(seconds), "what is shown is what was meant");
    }
    if let Some(mode) = changes::parse_mode(argument) {
        assert!(mode <= 0o7777);
    }
    let _ = (changes::parse_facts(argument), changes::parse_utime(argument), host::is_host(argument));
    let chosen = facts::Facts::choose(argument);
    assert_eq!(chosen.answer().lines().count(), 1);
}

/// What a client sends comes back to it, and to the log, in one line.
fn echo(argument: &[u8]) {
    let shown = printable(argument).to_string();
    assert!(!shown.contains(char::is_control), "no control character reaches a terminal: {shown:?}");
    for language in [Language::English, Language::German] {
        let mut out = Vec::new();
        let said = vec![Text::shown(printable(argument)), Text::plain(quote(argument))];
        Reply::new(550, Text::phrase("{}: {}.", said)).write(language, &mut out);
        assert!(out.starts_with(b"550") && out.ends_with(b"\r\n"));
        let lines = out.split(|&byte| byte == b'\n').count() - 1;
        assert!(lines == 1 || out.starts_with(b"550-"), "a reply of one line is one line");
    }
}

/// The arguments of PORT, EPRT and EPSV.
pub fn addresses(data: &[u8]) {
    if let Ok(at) = address::parse_port(data) {
        let shown = address::pasv_text(at);
        let inside = shown.split(['(', ')']).nth(1).unwrap_or(&shown);
        assert_eq!(address::parse_port(inside.as_bytes()).ok(), Some(at), "what PASV says is what PORT reads: {shown}");
    }
    if let Ok(at) = address::parse_eprt(data) {
        let family = if at.is_ipv4() { 1 } else { 2 };
        let again = format!("|{family}|{}|{}|", at.ip(), at.port());
        assert_eq!(address::parse_eprt(again.as_bytes()).ok(), Some(at), "{again}");
    }
    let _ = address::parse_epsv((!data.is_empty()).then_some(data));
}
