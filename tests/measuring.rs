//! What `benches/peers` says, of numbers made up here: nothing is measured in a test, where all cores are busy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::clients::present;
use crate::command_line::outcome;
use crate::server::program;

/// What comes before every piece of Python here: it makes what `one` wants to start a server in `scratch`, which serves
/// its folder `root`.
const SCRATCH: &str = r#"
import pathlib, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import obtaining, servers
scratch, program = pathlib.Path(sys.argv[2]), sys.argv[3]
tls, root = obtaining.certificate(scratch), scratch / "root"
root.mkdir()
(root / "file").write_bytes(b"content")
"#;

/// What a command prints; it must end well.
fn printed(command: Command) -> String {
    let output = outcome(command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `benches`, where the script and what it is made of are.
fn benches() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches")
}

/// What the script prints.
fn peers(arguments: &[&str]) -> String {
    let mut command = Command::new(benches().join("peers"));
    // Words of the help are looked for: a narrow terminal would break them.
    command.args(arguments).env("COLUMNS", "500");
    printed(command)
}

/// What the script's modules print when they are used like this, after [`SCRATCH`].
fn modules(text: &str) -> String {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new("python3");
    command.arg("-c").arg(format!("{SCRATCH}{text}")).arg(benches()).arg(folder.path()).arg(program());
    printed(command)
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
    for word in [
        "--rounds",
        "--servers",
        "--scenarios",
        "--quick",
        "--json",
        "gftp,vsftpd,proftpd,pure-ftpd,pyftpdlib,libunftp",
        "retr,retr-8,stor,stor-8,stor-disk",
        "small-stor-16",
        "noop,noop-busy,cold,slow,list,nlst,mlsd,idle,idle-9000",
        "tls-stor-4,tls-login,ftpbench,ftpbench-whole",
    ] {
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
    let logins = |count, tls, failed| {
        format!(r#"{{"count": {count}, "failed": {failed}, "seconds": 2, "cpu": 0.5, "tls": "{tls}"}}"#)
    };
    let (many, few) = (logins(1000, "1.3 AES", 0), logins(250, "1.2 3DES", 5));
    let run = format!(
        r#"{{"facts": {{"Machine": "none"}}, "skipped": ["pyftpdlib, because"],
            "sizes": {{"big": "1 GiB", "sessions": 2}}, "servers": {{"gftp": "1", "vsftpd": "2", "pyftpdlib": "3"}},
            "measured": {{"retr": {{"gftp": [{fast}, {fast}, {slow}], "vsftpd": [{slow}, {slow}, {slow}]}},
                "tls-login": {{"gftp": [{many}], "vsftpd": [{few}]}}}}}}"#
    );
    fs::write(&file, run).unwrap();
    let table = peers(&["--table", file.to_str().unwrap()]);
    for line in [
        "Machine: none",
        "| RETR 1 GiB, MB/s | 2147 | 1074 | – | **2.00** (1.00–2.00) | – |",
        "| RETR 1 GiB, server CPU s/GiB | 0.25 | 0.75 | – | **3.00** (1.00–3.00) | – |",
        "| TLS logins/s, 16 clients | 500 | 125 | – | **4.00** | – |",
        "| TLS login, server CPU ms | 0.5 | 2 | – | **4.00** | – |",
        // Who speaks something else is not to be compared with.
        "TLS of gftp: 1.3 AES",
        "TLS of vsftpd: 1.2 3DES",
        "Failed beside those in tls-login of vsftpd: 5 of 255",
        "Skipped: pyftpdlib, because",
    ] {
        assert!(table.lines().any(|printed| printed.trim_end() == line), "{line:?} is not in\n{table}");
    }
}

/// What is the beginning of many stands for them, but a scenario's own name for itself.
#[test]
fn scenarios_are_named_alone_or_as_a_group() {
    if !present(&["python3", "openssl"]) {
        return;
    }
    let named = modules("import scenarios; print(*scenarios.named(['small-stor', 'retr', 'small', 'nothing']))");
    assert_eq!(
        named,
        "small-stor-1 small-stor-16 small-stor-whole-1 small-stor-whole-16 retr small-1 small-16 small-epsv-1 nothing\n"
    );
}

/// Less is better of waiting, and more of what is downloaded meanwhile; what cannot be seen has no ratio.
#[test]
fn waiting_listings_and_the_kernel_have_their_rows() {
    if !present(&["python3"]) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("run.json");
    let noop = |p99: f64, downloaded: u64| {
        format!(
            r#"[{{"count": 1000, "seconds": 2, "cpu": 0.02, "p50": 0.00002, "p99": {p99}, "downloaded": {downloaded}}}]"#
        )
    };
    let list = |most: u32| {
        format!(
            r#"[{{"count": 1500, "seconds": 0.5, "first": 0.02, "cpu": 0.25, "memory": 1024, "memory_most": {most}}}]"#
        )
    };
    let (quick, slow) = (noop(0.0002, 4_000_000_000), noop(0.001, 1_000_000_000));
    let (small, large) = (list(1024), list(3072));
    let (stored, limit) = (whole(1.0, 0.5), whole(0.5, 0.25));
    let run = format!(
        r#"{{"facts": {{"Machine": "none"}}, "skipped": ["mlsd of vsftpd, because it has no MLSD"],
            "sizes": {{"big": "1 GiB", "many": 1500}}, "servers": {{"gftp": "1", "vsftpd": "2"}},
            "limits": {{"splice": [{limit}]}},
            "measured": {{"stor": {{"gftp": [{stored}], "vsftpd": [{stored}]}},
                "noop-busy": {{"gftp": {quick}, "vsftpd": {slow}}}, "list": {{"gftp": {small}, "vsftpd": {large}}},
                "mlsd": {{"gftp": {large}, "vsftpd": []}}}}}}"#
    );
    fs::write(&file, run).unwrap();
    let table = peers(&["--table", file.to_str().unwrap()]);
    for line in [
        "| NOOP while 8 sessions download, µs p99 | 200 | 1000 | **5.00** |",
        "| those 8 downloads, MB/s | 2000 | 500 | **4.00** |",
        "| LIST of 1,500 files, first byte ms | 20 | 20 | **1.00** |",
        "| LIST of 1,500 files, extra memory MiB at the peak | 0 | 2 | – |",
        "| MLSD of 1,500 files, total ms | 500 | – | – |",
        "| splice of 1 GiB into memory | 2147 | 0.25 | STOR 50% |",
        "Skipped: mlsd of vsftpd, because it has no MLSD",
    ] {
        assert!(table.lines().any(|printed| printed.trim_end() == line), "{line:?} is not in\n{table}");
    }
}

/// A word that is no longer an option would be found out at the end of an hour's run.
#[test]
fn gftp_is_started_as_it_wants_to_be_with_tls_and_without() {
    if !present(&["python3", "openssl"]) {
        return;
    }
    let fetched = modules(
        r#"
import ftplib
for certificate, kind in [(None, ftplib.FTP), (tls, ftplib.FTP_TLS)]:
    with servers.Running("gftp", {"program": program}, root, scratch, certificate) as server:
        with kind() as client:
            client.connect("127.0.0.1", server.port, 20)
            client.login()
            if certificate:
                client.prot_p()
            client.retrbinary("RETR file", lambda block: print(kind.__name__, block.decode()))
"#,
    );
    assert_eq!(fetched, "FTP content\nFTP_TLS content\n");
}

#[test]
fn each_peer_is_told_of_the_certificate_only_where_tls_is_measured() {
    if !present(&["python3", "openssl"]) {
        return;
    }
    let wrong = modules(
        r#"
for name in servers.NAMES:
    for certificate in (None, tls):
        for before in scratch.glob("*.conf"):
            before.unlink()
        said = " ".join(servers.START[name](program, str(root), scratch, 2121, certificate))
        said += " ".join(written.read_text() for written in scratch.glob("*.conf"))
        if ("both.pem" in said or "cert.pem" in said and "key.pem" in said) != bool(certificate) or "2121" not in said:
            print(name, certificate, said)
for secret in ("key.pem", "both.pem"):
    if (scratch / secret).stat().st_mode & 0o077:
        print(secret, "is for all to read")
"#,
    );
    assert_eq!(wrong, "");
}
