//! gftp, with all that is bundled.

use std::process::ExitCode;

fn main() -> ExitCode {
    gftp::main_with(gftp::bundled())
}
