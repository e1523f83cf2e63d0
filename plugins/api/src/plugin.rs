//! What the command line knows of a protocol: its name, its arguments, and what is made of them. Knows no protocol.

use std::borrow::Cow;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgMatches, Args, Command};
use futures::future::{BoxFuture, FutureExt};

use crate::Service;

/// A protocol that can be put beside FTP (`gftp serve … --plugin NAME`), or a program that talks to one (`gftp NAME …`).
pub struct Plugin {
    name: Cow<'static, str>,
    about: Cow<'static, str>,
    arguments: fn(Command) -> Command,
    role: Role,
}

/// What a plugin does.
pub enum Role {
    /// It answers whoever connects.
    Service(Serving),
    /// It connects to somebody, and ends. See [`Plugin::client`].
    Client(Begin),
}

/// How a service is served where nothing else is asked for, and how it is made.
pub struct Serving {
    /// The port. Without one, `--port` must be given.
    pub port: Option<u16>,
    /// Sessions at most. Without it, as many as the process takes.
    pub sessions: Option<usize>,
    /// Makes the service of what was typed; an error is one line that says what to type instead.
    pub make: Make,
}

/// Makes a service of what was typed.
pub type Make = Box<dyn Fn(&ArgMatches) -> Result<Arc<dyn Service>, String>>;

/// Begins a client with what was typed.
pub type Begin = Box<dyn Fn(&ArgMatches) -> Result<Run, String>>;

/// A client at work. An error is one line for who started it; the exit code is then 1.
pub type Run = BoxFuture<'static, Result<ExitCode, String>>;

impl Plugin {
    /// A service called `name`, made by `make` from its arguments, `A`. Beside these it gets `--port`, `--listen`,
    /// `--max-sessions` and `--max-per-ip` from the host.
    pub fn service<A: Args, S: Service>(
        name: impl Into<Cow<'static, str>>,
        about: impl Into<Cow<'static, str>>,
        make: impl Fn(A) -> Result<S, String> + 'static,
    ) -> Plugin {
        let make = move |typed: &ArgMatches| -> Result<Arc<dyn Service>, String> { Ok(Arc::new(make(read(typed)?)?)) };
        let serving = Serving { port: None, sessions: None, make: Box::new(make) };
        Plugin::of::<A>(name.into(), about.into(), Role::Service(serving))
    }

    /// A client called `name`, begun by `run` with its arguments, `A`. An error of `run` itself is one line that says what to
    /// type instead; one of what it has begun is one line that says what failed.
    pub fn client<A: Args, F: Future<Output = Result<ExitCode, String>> + Send + 'static>(
        name: impl Into<Cow<'static, str>>,
        about: impl Into<Cow<'static, str>>,
        run: impl Fn(A) -> Result<F, String> + 'static,
    ) -> Plugin {
        let run = move |typed: &ArgMatches| Ok(run(read(typed)?)?.boxed());
        Plugin::of::<A>(name.into(), about.into(), Role::Client(Box::new(run)))
    }

    fn of<A: Args>(name: Cow<'static, str>, about: Cow<'static, str>, role: Role) -> Plugin {
        Plugin { name, about, arguments: A::augment_args, role }
    }

    /// The port of a service where none is given.
    #[must_use]
    pub fn on_port(mut self, usual: u16) -> Plugin {
        if let Role::Service(serving) = &mut self.role {
            serving.port = Some(usual);
        }
        self
    }

    /// How many sessions a service takes at most where nothing is said, for one whose sessions are dear.
    #[must_use]
    pub fn with_sessions(mut self, usual: usize) -> Plugin {
        if let Role::Service(serving) = &mut self.role {
            serving.sessions = Some(usual);
        }
        self
    }

    /// What it is called on the command line.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does, in a few words.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// What it does.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// How it is served, if it is a service.
    pub fn serving(&self) -> Option<&Serving> {
        match &self.role {
            Role::Service(serving) => Some(serving),
            Role::Client(_) => None,
        }
    }

    /// Its own arguments, as a command of its name.
    pub fn command(&self) -> Command {
        // The texts come last, since a comment on the type of the arguments would replace them.
        let (name, about) = (self.name.clone().into_owned(), self.about.clone().into_owned());
        (self.arguments)(Command::new(name)).about(about).long_about(None)
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
