//! Where passwords come from: a file, the environment, a prompt; never an argument, which others could read.

use std::io::{self, BufRead, IsTerminal, Read};
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
    ask(name, "Password for ").and_then(|password| not_empty(name, password))
}

/// A password for an account that is made or changed: typed twice at a terminal, else the first line of standard input.
pub(crate) fn new_password(name: &str) -> Result<Password, Mistake> {
    if io::stdin().is_terminal() {
        let password = ask(name, "New password for ")?;
        if !password.is_empty() && ask(name, "Once more, the password for ")? != password {
            return Err(Mistake(format!("the two passwords of {name} differ; nothing was changed")));
        }
        return not_empty(name, password);
    }
    let mut line = Vec::new();
    let read = io::stdin().lock().take(LARGEST_PASSWORD as u64 + 2).read_until(b'\n', &mut line);
    read.map_err(|e| Mistake(format!("cannot read the password of {name}: {e}")))?;
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > LARGEST_PASSWORD {
        return Err(Mistake(format!("the password of {name} must have at most {LARGEST_PASSWORD} bytes")));
    }
    not_empty(name, line)
}

fn ask(name: &str, question: &str) -> Result<String, Mistake> {
    rpassword::prompt_password(format!("{question}{name}: "))
        .map_err(|e| Mistake(format!("cannot read the password of {name}: {e}")))
}

fn not_empty(name: &str, password: impl Into<Vec<u8>>) -> Result<Password, Mistake> {
    let password = Password::new(password);
    match password.is_empty() {
        true => Err(Mistake(format!("the password of {name} must not be empty"))),
        false => Ok(password),
    }
}
