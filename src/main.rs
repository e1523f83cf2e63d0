//! The program: arguments in, exit code out.

use std::io::Write;
use std::process::ExitCode;

use gftp::cli::{self, Mistake, Order};

/// The exit code of a command that cannot be carried out as typed.
const MISTAKE: u8 = 2;

fn main() -> ExitCode {
    let done = cli::read().and_then(|order| match order {
        Order::Serve(serve) => gftp::serve::run(*serve),
        Order::Print(text) => {
            // A reader that has had enough (`gftp --help | head`) is no mistake.
            let _ = std::io::stdout().write_all(text.as_bytes());
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
