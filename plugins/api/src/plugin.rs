//! What the command line knows of a protocol: its name, its arguments, and what is made of them. Knows no protocol.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgMatches, Args, Command};
use futures::future::{BoxFuture, FutureExt};

use crate::Service;

/// A protocol that can be put beside FTP (`gftp serve … --plugin NAME`), or a program that talks to one (`gftp NAME …`).
pub struct Plugin {
    name: &'static str,
    about: &'static str,
    arguments: fn(Command) -> Command,
    role: Role,
}

/// What a plugin does.
pub enum Role {
    /// It answers whoever connects.
    Service {
        /// The port where none is given. Without one, `--port` must be.
        port: Option<u16>,
        /// Makes the service of what was typed; an error is one line that says what to type instead.
        make: Make,
    },
    /// It connects to somebody, and ends. See [`Plugin::client`].
    Client(Box<dyn Fn(&ArgMatches) -> Run>),
}

/// Makes a service of what was typed.
pub type Make = Box<dyn Fn(&ArgMatches) -> Result<Arc<dyn Service>, String>>;

/// A client at work. An error is one line for who started it; the exit code is then 1.
pub type Run = BoxFuture<'static, Result<ExitCode, String>>;

impl Plugin {
    /// A service called `name`, made by `make` from its arguments, `A`. Beside these it gets `--port`, `--listen`,
    /// `--max-sessions` and `--max-per-ip` from the host.
    pub fn service<A: Args, S: Service>(
        name: &'static str,
        about: &'static str,
        make: impl Fn(A) -> Result<S, String> + 'static,
    ) -> Plugin {
        let make = move |typed: &ArgMatches| -> Result<Arc<dyn Service>, String> { Ok(Arc::new(make(read(typed)?)?)) };
        Plugin { name, about, arguments: A::augment_args, role: Role::Service { port: None, make: Box::new(make) } }
    }

    /// A client called `name`, run with its arguments, `A`.
    pub fn client<A: Args, F: Future<Output = Result<ExitCode, String>> + Send + 'static>(
        name: &'static str,
        about: &'static str,
        run: impl Fn(A) -> F + 'static,
    ) -> Plugin {
        let run = move |typed: &ArgMatches| match read(typed) {
            Ok(arguments) => run(arguments).boxed(),
            Err(e) => futures::future::ready(Err(e)).boxed(),
        };
        Plugin { name, about, arguments: A::augment_args, role: Role::Client(Box::new(run)) }
    }

    /// The port of a service where none is given.
    #[must_use]
    pub fn on_port(mut self, usual: u16) -> Plugin {
        if let Role::Service { port, .. } = &mut self.role {
            *port = Some(usual);
        }
        self
    }

    /// What it is called on the command line.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it does, in a few words.
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// What it does.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Its own arguments, as a command of its name.
    pub fn command(&self) -> Command {
        // The texts come last, since a comment on the type of the arguments would replace them.
        (self.arguments)(Command::new(self.name)).about(self.about).long_about(None)
    }
}

fn read<A: Args>(typed: &ArgMatches) -> Result<A, String> {
    A::from_arg_matches(typed).map_err(|e| e.to_string())
}

/// A value of an option that is a time: seconds, or a number with its unit. A year is the most.
///
/// ```
/// # use std::time::Duration;
/// assert_eq!(gftp_plugin::parse_time("250ms"), Ok(Duration::from_millis(250)));
/// assert_eq!(gftp_plugin::parse_time("90"), Ok(Duration::from_secs(90)));
/// ```
pub fn parse_time(text: &str) -> Result<Duration, String> {
    let time = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => humantime::parse_duration(text).map_err(|_| "give a time, as 30s, 5m or 250ms".to_string())?,
    };
    // Later than any deadline can be counted; a year is as good as never here.
    const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
    if time > LONGEST { Err("a year is the most".to_string()) } else { Ok(time) }
}
