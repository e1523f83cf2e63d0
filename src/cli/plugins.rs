//! Plugins as typed: beside FTP (`--plugin NAME …`), alone (`gftp NAME …`), and the list of them (`gftp plugins`).

use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use clap::error::{ContextKind, ErrorKind};
use clap::{ArgMatches, Args, Command};
use gftp_plugin::{Plugin, Role, Service, Serving};

use super::entry::TypedEntry;
use super::groups::Group;
use super::mistakes::context;
use super::process::{TypedDoor, TypedProcess, TypedRoom, addresses};
use super::{Order, Serve, Stop, WIDTH, stop};
use crate::host::{Address, Entry, Places};

/// A service that was asked for.
pub struct ServiceOrder {
    /// Who answers.
    pub service: Arc<dyn Service>,
    /// Where it listens.
    pub addresses: Vec<Address>,
    /// How many may come to it, within what the process takes.
    pub places: Places,
    /// Who may come to it.
    pub entry: Entry,
}

/// The plugins that there are.
pub(super) struct Plugins {
    all: Vec<Plugin>,
    /// Makes one of a program's path.
    program: fn(&Path) -> Plugin,
}

/// Whether a plugin's name is the path of a program.
fn is_path(name: &OsStr) -> bool {
    name.as_encoded_bytes().contains(&b'/')
}

impl Plugins {
    /// Those that are bundled, and the programs that these words name.
    pub(super) fn with_programs(mut plugins: Vec<Plugin>, words: &[OsString], program: fn(&Path) -> Plugin) -> Self {
        let beside = words.windows(2).filter(|pair| pair[0] == "--plugin").map(|pair| pair[1].clone());
        let joined = words.iter().filter_map(|word| Some(OsString::from(word.to_str()?.strip_prefix("--plugin=")?)));
        for path in words.iter().take(1).cloned().chain(beside).chain(joined) {
            let is_new = plugins.iter().all(|plugin| path.to_string_lossy() != plugin.name());
            if is_path(&path) && is_new {
                plugins.push(program(Path::new(&path)));
            }
        }
        Plugins { all: plugins, program }
    }

    fn find(&self, name: &OsStr) -> Option<&Plugin> {
        // A path that is no UTF-8 has a name for people.
        self.all.iter().find(|plugin| name.to_string_lossy() == plugin.name())
    }

    /// The plugin of this name, which must be one that can stand beside FTP.
    fn service(&self, name: &OsStr) -> Result<(&Plugin, &Serving), String> {
        let shown = name.display();
        match self.find(name) {
            Some(plugin) => plugin.serving().map(|serving| (plugin, serving)).ok_or_else(|| {
                format!("--plugin {shown}: it is a client and serves nobody; it runs alone (see gftp {shown} --help)")
            }),
            None => {
                let services = self.all.iter().filter(|plugin| plugin.serving().is_some()).map(Plugin::name);
                let names = services.collect::<Vec<_>>().join(", ");
                Err(format!(
                    "--plugin {shown}: there is no such plugin; there are {names}, and any program as ./PROGRAM"
                ))
            }
        }
    }

    /// The command that the words behind `--plugin NAME` are for.
    pub(super) fn group(&self, name: &OsStr) -> Result<Command, String> {
        let (plugin, serving) = self.service(name)?;
        let command = TypedEntry::augment_args(TypedRoom::augment_args(TypedDoor::augment_args(plugin.command())));
        let command = with_usual(serving, command);
        let bin_name = format!("gftp serve … --plugin {}", plugin.name());
        let mut command = command.about(plugin.about().to_string()).long_about(None).bin_name(bin_name);
        // Only then does it know --help as its own.
        command.build();
        Ok(command)
    }

    /// Understands the words of a group. What it does not know may be a mistyped option of `serve`.
    pub(super) fn read(&self, group: Group, serve: &Command) -> Result<Typed<'_>, Stop> {
        let (plugin, serving) = self.service(&group.name)?;
        let words = std::iter::once(group.name.clone()).chain(group.words);
        let typed = self.group(&group.name)?.try_get_matches_from(words).map_err(|e| {
            let word = context(&e, ContextKind::InvalidArg).filter(|_| e.kind() == ErrorKind::UnknownArgument);
            let meant = word.filter(|_| context(&e, ContextKind::SuggestedArg).is_none()).and_then(|word| {
                let e = serve.clone().try_get_matches_from(["serve", &word]).err()?;
                context(&e, ContextKind::SuggestedArg).map(|meant| (word, meant))
            });
            match meant {
                Some((word, meant)) => {
                    Stop::from(format!("{word} is unknown; did you mean {meant}? (see gftp serve --help)"))
                }
                None => stop(&e, plugin.name()),
            }
        })?;
        Ok(Typed { name: plugin.name(), serving, typed })
    }

    /// What an error in the words of gftp itself comes to: they may have been meant for a plugin.
    pub(super) fn stop(&self, error: &clap::Error, command: &str) -> Stop {
        let word = context(error, ContextKind::InvalidArg).unwrap_or_default();
        let long = word.strip_prefix("--").and_then(|word| word.split('=').next());
        let knows = |plugin: &&Plugin| {
            plugin.serving().is_some()
                && plugin.command().get_arguments().any(|arg| arg.get_long().is_some() && arg.get_long() == long)
        };
        match self.all.iter().find(knows) {
            Some(plugin) if command == "serve" && error.kind() == ErrorKind::UnknownArgument => {
                let name = plugin.name();
                Stop::from(format!("{word} is for the plugin {name}: write it behind --plugin {name}"))
            }
            _ => stop(error, command),
        }
    }

    /// The commands of the plugins, each to run alone.
    pub(super) fn commands(&self) -> impl Iterator<Item = Command> {
        self.all.iter().map(|plugin| match plugin.role() {
            // The text comes last: a comment on the type of added options would replace it.
            Role::Service(serving) => {
                let command = TypedProcess::augment_args(TypedDoor::augment_args(plugin.command()));
                let command = TypedEntry::augment_args(command);
                let command = with_usual(serving, command);
                command.about(plugin.about().to_string()).long_about(None)
            }
            Role::Client(_) => plugin.command(),
        })
    }

    /// What a plugin's own command means, if `name` is one's.
    pub(super) fn alone(&self, name: &str, typed: &ArgMatches) -> Option<Result<Order, Stop>> {
        let plugin = self.find(OsStr::new(name))?;
        Some(match plugin.role() {
            Role::Service(serving) => serve_alone(plugin.name(), serving, typed),
            Role::Client(run) => {
                let name = plugin.name().to_string();
                run(typed).map(|run| Order::Client(name.clone(), run)).map_err(|e| Stop::from(format!("{name}: {e}")))
            }
        })
    }

    /// The plugins with their options, for people.
    pub(super) fn list(&self) -> String {
        let mut text = String::new();
        for plugin in self.all.iter().chain([&(self.program)(Path::new("./PROGRAM"))]) {
            let name = plugin.name();
            let how = match plugin.serving() {
                Some(Serving { port: Some(port), .. }) => {
                    format!("gftp serve … --plugin {name}, or alone: gftp {name}; on port {port} unless told otherwise")
                }
                Some(_) => format!("gftp serve … --plugin {name} --port PORT, or alone: gftp {name} --port PORT"),
                None => format!("alone: gftp {name} …"),
            };
            let options = plugin.command().disable_help_flag(true).max_term_width(WIDTH).help_template("{all-args}");
            let options = options.clone().render_help().to_string();
            text += &format!("{name}: {}\n  {how}\n{}\n\n", plugin.about(), options.trim_end());
        }
        text + "Every service has --port, --listen, --max-sessions, --max-per-ip, --allow, --deny and --proxy-protocol-from as well.\n"
    }
}

/// A group whose words are understood.
pub(super) struct Typed<'a> {
    name: &'a str,
    serving: &'a Serving,
    typed: ArgMatches,
}

impl Typed<'_> {
    /// What it means. `listen` is where FTP listens, and `entry` who may come there.
    pub(super) fn order(&self, listen: &[(IpAddr, Option<u16>)], entry: &Entry) -> Result<ServiceOrder, Stop> {
        let Typed { name, serving, typed } = self;
        let (door, room) = (read::<TypedDoor>(typed, name)?, read::<TypedRoom>(typed, name)?);
        // FTP's addresses are the plugin's too, but not a port that stands with one of them.
        let shared: Vec<_> = listen.iter().map(|(ip, _)| (*ip, None)).collect();
        let listen = if door.listen.is_empty() { &shared } else { &door.listen };
        let places = Places {
            total: room.max_sessions.unwrap_or(usize::MAX),
            per_address: room.max_per_ip.unwrap_or(usize::MAX),
        };
        Ok(ServiceOrder {
            addresses: addresses(listen, port(door.port, serving, &format!("gftp serve … --plugin {name}"))?),
            service: (serving.make)(typed).map_err(|e| format!("--plugin {name}: {e}"))?,
            places,
            entry: read::<TypedEntry>(typed, name)?.resolve(Some(entry)),
        })
    }
}

/// The part of a service's places that one address may have where nothing else is said.
const OF_ONE_ADDRESS: usize = 4;

/// The usual number of sessions of a service that has one, in place of the process's, which is for sessions that cost little.
fn with_usual(serving: &Serving, command: Command) -> Command {
    match serving.sessions {
        Some(usual) => command
            .mut_arg("max_sessions", |arg| arg.default_value(usual.to_string()))
            .mut_arg("max_per_ip", |arg| arg.default_value((usual / OF_ONE_ADDRESS).max(1).to_string())),
        None => command,
    }
}

fn serve_alone(name: &str, serving: &Serving, typed: &ArgMatches) -> Result<Order, Stop> {
    let door: TypedDoor = read(typed, name)?;
    let process: TypedProcess = read(typed, name)?;
    let process = process.resolve(None);
    let order = ServiceOrder {
        addresses: addresses(&door.listen, port(door.port, serving, &format!("gftp {name}"))?),
        service: (serving.make)(typed).map_err(|e| format!("{name}: {e}"))?,
        places: process.places,
        entry: read::<TypedEntry>(typed, name)?.resolve(None),
    };
    Ok(Order::Serve(Box::new(Serve { ftp: None, services: vec![order], process })))
}

fn read<A: Args>(typed: &ArgMatches, name: &str) -> Result<A, Stop> {
    A::from_arg_matches(typed).map_err(|e| stop(&e, name))
}

fn port(given: Option<u16>, serving: &Serving, typed: &str) -> Result<u16, String> {
    given.or(serving.port).ok_or_else(|| format!("say on which port, as in: {typed} --port 9000"))
}
