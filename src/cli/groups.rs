//! `--plugin NAME` and what stands behind it: which word of `gftp serve` is the server's and which is a plugin's. Knows
//! options by what clap says of them, and understands none.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

/// The words, taken apart.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// What is for the server.
    pub server: Vec<OsString>,
    /// What is for the plugins, in the order typed.
    pub plugins: Vec<Group>,
}

/// One `--plugin`.
#[derive(Debug)]
pub(super) struct Group {
    /// Its name, or the path of a program.
    pub name: OsString,
    /// Its options.
    pub words: Vec<OsString>,
}

/// Takes the words apart: behind `--plugin NAME`, an option that the plugin knows is the plugin's, with its value; one
/// that only the server knows is the server's; what nobody knows, and what is no option, is left to the plugin to
/// complain about. `command` gives a plugin's command, or says that there is none.
pub(super) fn split(
    words: impl IntoIterator<Item = OsString>,
    server: &Command,
    command: impl Fn(&OsStr) -> Result<Command, String>,
) -> Result<Groups, String> {
    let mut groups = Groups::default();
    let mut known: Option<Command> = None;
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        if let Some(name) = plugin_name(&word) {
            let name = match name {
                Some(name) => name,
                None => words.next_if(|next| !is_option(next)).ok_or("--plugin wants a name: see gftp plugins")?,
            };
            known = Some(command(&name)?);
            groups.plugins.push(Group { name, words: Vec::new() });
            continue;
        }
        let (Some(plugin), Some(group)) = (&known, groups.plugins.last_mut()) else {
            groups.server.push(word);
            continue;
        };
        let (arg, to) = match (option(plugin, &word), option(server, &word)) {
            (Some(arg), _) => (Some(arg), &mut group.words),
            (None, Some(arg)) => (Some(arg), &mut groups.server),
            (None, None) => (None, &mut group.words),
        };
        let value = match arg {
            Some(arg) if wants_value(arg, &word) => {
                words.next_if(|next| arg.is_allow_hyphen_values_set() || !is_option(next))
            }
            _ => None,
        };
        to.push(word);
        to.extend(value);
    }
    Ok(groups)
}

/// Whether a word is `--plugin`, and the name that is in it.
fn plugin_name(word: &OsStr) -> Option<Option<OsString>> {
    let text = word.to_str()?;
    let rest = text.strip_prefix("--plugin")?;
    match rest.strip_prefix('=') {
        Some(name) => Some(Some(name.into())),
        None => rest.is_empty().then_some(None),
    }
}

fn is_option(word: &OsStr) -> bool {
    word.as_encoded_bytes().starts_with(b"--")
}

/// The option that a word is to this command.
fn option<'a>(command: &'a Command, word: &OsStr) -> Option<&'a Arg> {
    let word = word.to_str()?;
    match word.strip_prefix("--") {
        Some(long) => {
            let long = long.split('=').next();
            command.get_arguments().find(|arg| arg.get_long().is_some() && arg.get_long() == long)
        }
        None => {
            let short = word.strip_prefix('-')?.chars().next()?;
            command.get_arguments().find(|arg| arg.get_short() == Some(short))
        }
    }
}

/// Whether the value of an option is the next word.
fn wants_value(arg: &Arg, word: &OsStr) -> bool {
    let bytes = word.as_encoded_bytes();
    let alone = if is_option(word) { !bytes.contains(&b'=') } else { bytes.len() == 2 };
    alone && arg.get_action().takes_values()
}

#[cfg(test)]
mod tests {
    use clap::ArgAction;

    use super::*;

    /// What `words` come to, as "server | name words | …".
    fn splits(words: &str) -> Result<String, String> {
        let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
        let valued = |name: &'static str| Arg::new(name).long(name);
        let mut server = Command::new("serve").args([valued("root"), valued("port"), flag("fsync")]);
        server.build();
        let clock = Command::new("clock").args([valued("port"), valued("tz"), flag("sequential")]);
        let clock = clock.arg(valued("arg").short('a').allow_hyphen_values(true));
        let groups = split(words.split_whitespace().map(OsString::from), &server, |name| {
            let mut clock = clock.clone();
            clock.build();
            if name == "clock" { Ok(clock) } else { Err(format!("no {}", name.display())) }
        })?;
        let text = |words: &[OsString]| words.iter().map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let mut all = vec![text(&groups.server)];
        all.extend(
            groups.plugins.iter().map(|group| text(&[std::slice::from_ref(&group.name), &group.words[..]].concat())),
        );
        Ok(all.join(" | "))
    }

    #[test]
    fn each_word_finds_its_owner() {
        for (typed, meant) in [
            ("--root . --port 1", "--root . --port 1"),
            ("--root . --plugin clock --port 8000", "--root . | clock --port 8000"),
            ("--port 1 --plugin clock --port 2 --root . --fsync", "--port 1 --root . --fsync | clock --port 2"),
            ("--plugin clock --plugin=clock --tz A --root=.", "--root=. | clock | clock --tz A"),
            ("--plugin clock --sequential --root . --tz=B", "--root . | clock --sequential --tz=B"),
            // A value that is missing is missed by its owner.
            ("--plugin clock --port --root .", "--root . | clock --port"),
            ("--root --plugin clock", "--root | clock"),
            ("--plugin clock --port", " | clock --port"),
            // What nobody knows is the plugin's to complain about.
            ("--plugin clock stray --what ever", " | clock stray --what ever"),
            ("--plugin clock --arg --root -a --port --help -h", " | clock --arg --root -a --port --help -h"),
            ("--pluginx clock", "--pluginx clock"),
        ] {
            assert_eq!(splits(typed).as_deref(), Ok(meant), "{typed}");
        }
        assert_eq!(splits("--plugin cuckoo"), Err("no cuckoo".to_string()));
        for typed in ["--plugin", "--plugin --port 1", "--root . --plugin clock --plugin"] {
            assert!(splits(typed).is_err_and(|e| e.contains("name")), "{typed}");
        }
    }
}
