//! Where passwords come from: a file, the environment, a prompt; never an argument, which others could read.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use super::Mistake;
use crate::accounts::Password;

/// The environment variable that may hold the password of `--user`.
const PASSWORD_VARIABLE: &str = "GFTP_PASSWORD";
/// A password file larger than this is not a password file.
const LARGEST_PASSWORD: usize = 4096;

/// The password of `--user NAME`.
pub(super) fn password_of(name: &str, file: Option<PathBuf>) -> Result<Password, Mistake> {
    if let Some(file) = file {
        let text = std::fs::read(&file).map_err(|e| Mistake(format!("--password-file {}: {e}", file.display())))?;
        let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line.len() > LARGEST_PASSWORD {
            let file = file.display();
            return Err(Mistake(format!("--password-file {file}: the first line must be the password of {name}")));
        }
        return Ok(Password::new(line));
    }
    if let Some(password) = std::env::var_os(PASSWORD_VARIABLE).filter(|password| !password.is_empty()) {
        return Ok(Password::new(std::os::unix::ffi::OsStringExt::into_vec(password)));
    }
    if !io::stdin().is_terminal() {
        return Err(Mistake(format!("no password for {name}: set {PASSWORD_VARIABLE} or give --password-file FILE")));
    }
    let password = rpassword::prompt_password(format!("Password for {name}: "))
        .map_err(|e| Mistake(format!("cannot read the password of {name}: {e}")))?;
    match password.is_empty() {
        true => Err(Mistake(format!("the password of {name} must not be empty"))),
        false => Ok(Password::new(password)),
    }
}
