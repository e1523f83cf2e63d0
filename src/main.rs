//! The program: arguments in, exit code out.

use std::io::Write;
use std::process::ExitCode;

use gftp::cli::{self, Mistake, Order};

/// The exit code of a command that cannot be carried out as typed.
const MISTAKE: u8 = 2;

/// A reader that has had enough (`gftp --help | head`) is no mistake.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn main() -> ExitCode {
    let done = cli::read().and_then(|order| match order {
        Order::Serve(serve) => gftp::serve::run(*serve),
        Order::User(user) => gftp::user::run(user).map(|text| print(&text)),
        Order::Print(text) => {
            print(&text);
            Ok(())
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Mistake(line)) => {
            eprintln!("gftp: {line}");
            ExitCode::from(MISTAKE)
        }
    }
}
