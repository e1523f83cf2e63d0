//! What `benches/peers` says, of numbers made up here: nothing is measured in a test, where all cores are busy.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::clients::present;
use crate::command_line::outcome;

/// What the script prints; it must end well.
fn peers(arguments: &[&str]) -> String {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers"));
    command.args(arguments);
    let output = outcome(command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A measurement of 1 GiB, as `--json` writes it.
fn whole(seconds: f64, cpu: f64) -> String {
    format!(r#"{{"count": 1073741824, "seconds": {seconds}, "cpu": {cpu}}}"#)
}

#[test]
fn it_says_how_it_is_used() {
    if !present(&["python3"]) {
        return;
    }
    let help = peers(&["--help"]);
    for word in ["--rounds", "--servers", "--scenarios", "--quick", "--json", "gftp,vsftpd,pyftpdlib"] {
        assert!(help.contains(word), "{help}");
    }
}

/// A ratio that is turned the wrong way would be praise for the slower.
#[test]
fn above_one_is_ahead_whatever_is_measured() {
    if !present(&["python3"]) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("run.json");
    let (fast, slow) = (whole(0.5, 0.25), whole(1.0, 0.75));
    let run = format!(
        r#"{{"facts": {{"Machine": "none"}}, "skipped": ["pyftpdlib, because"],
            "sizes": {{"big": "1 GiB", "sessions": 2}}, "servers": {{"gftp": "1", "vsftpd": "2", "pyftpdlib": "3"}},
            "measured": {{"retr": {{"gftp": [{fast}, {fast}, {slow}], "vsftpd": [{slow}, {slow}, {slow}]}}}}}}"#
    );
    fs::write(&file, run).unwrap();
    let table = peers(&["--table", file.to_str().unwrap()]);
    for line in [
        "Machine: none",
        "| RETR 1 GiB, MB/s | 2147 | 1074 | – | **2.00** (1.00–2.00) | – |",
        "| RETR 1 GiB, server CPU s/GiB | 0.25 | 0.75 | – | **3.00** (1.00–3.00) | – |",
        "Skipped: pyftpdlib, because",
    ] {
        assert!(table.lines().any(|printed| printed.trim_end() == line), "{line:?} is not in\n{table}");
    }
}
