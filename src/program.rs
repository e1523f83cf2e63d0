//! The whole program: arguments in, exit code out. Knows which plugins are bundled, and is the only one that speaks to the
//! terminal in words.

use std::io::Write;
use std::process::ExitCode;

use gftp_plugin::{Plugin, rt};

use crate::cli::{self, Mistake, Order};

/// The exit code of a command that cannot be carried out as typed.
const MISTAKE: u8 = 2;

/// The plugins that gftp is made with: the one list of them.
pub fn bundled() -> Vec<Plugin> {
    vec![gftp_clock::plugin(), gftp_reverb::plugin(), gftp_netcat::plugin(), gftp_clockwall::plugin()]
}

/// Does what the command line says, with these plugins; the whole of a `main`.
pub fn main_with(plugins: impl IntoIterator<Item = Plugin>) -> ExitCode {
    match cli::read(plugins.into_iter().collect(), gftp_program::plugin).and_then(carry_out) {
        Ok(code) => code,
        Err(Mistake(line)) => {
            eprintln!("gftp: {line}");
            ExitCode::from(MISTAKE)
        }
    }
}

fn carry_out(order: Order) -> Result<ExitCode, Mistake> {
    match order {
        Order::Serve(serve) => crate::serve::run(*serve)?,
        Order::User(user) => print(&crate::user::run(user)?),
        Order::Bans(bans) => print(&crate::bans::run(bans)?),
        Order::Print(text) => print(&text),
        Order::Client(name, run) => {
            return Ok(rt::run(run).unwrap_or_else(|line| {
                eprintln!("gftp {name}: {line}");
                ExitCode::FAILURE
            }));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A reader that has had enough (`gftp --help | head`) is no mistake.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
