//! The rules of the house that a program can see (ARCHITECTURE.md), checked over the source text: which file may name
//! what, and what no file may hold. Comments, strings and test modules do not count.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::program;

/// A file longer than this is two files.
const LONGEST_FILE: usize = 400;
/// Files that may be longer, each with its reason.
const LONGER: [(&str, &str); 1] = [("src/ftp/wire/german.rs", "a flat table, a line for each phrase")];

/// Where the file system may be named, and why.
const FILE_SYSTEM: [(&str, &str); 13] = [
    ("src/store/", "the served tree is its business"),
    ("src/sys.rs", "raw system calls, sendfile among them"),
    ("src/accounts/file.rs", "reads the users file before anything is served, and replaces it for gftp user"),
    ("src/host/tls/files.rs", "reads certificates, and keeps the one that it has made"),
    ("src/confine/", "opens, before anything is served, what the kernel is to let through"),
    ("src/replaced.rs", "replaces files of the administrator's"),
    ("src/watched.rs", "looks whether files of the administrator's have changed"),
    ("src/bans/file.rs", "reads and replaces the file in which bans outlive the server"),
    ("src/cli/password.rs", "reads the password file before anything is served"),
    ("src/logging/lines.rs", "opens the files that are logged to"),
    ("plugins/netcat/src/carry.rs", "asks what standard input is, and has the kernel send it: no served tree"),
    ("plugins/api/src/give_way.rs", "asks before anything is served how the kernel shares the cores"),
    ("plugins/api/src/program.rs", "asks before anything is served whether a program may be run"),
];

/// A source file.
struct Source {
    /// From the root of the workspace.
    path: String,
    text: String,
    /// Without comments, what strings say, and the test module at its end.
    code: String,
}

impl Source {
    fn is_in(&self, place: &str) -> bool {
        self.path.starts_with(place)
    }
}

fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below these folders.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in folders {
        gather(&workspace().join(folder), &mut sources);
    }
    assert!(sources.len() > 10, "the sources are not where they were: {folders:?}");
    sources
}

fn gather(folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = code(&text);
            // By the house's custom the test module is the last of its file. A macro's own path and a visibility name nobody.
            let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let code = code.replace("$crate", "").replace("pub(crate)", "pub");
            let path = path.strip_prefix(workspace()).unwrap().to_string_lossy().into_owned();
            sources.push(Source { path, text, code });
        }
    }
}

/// What the product is made of, without its tests.
fn product() -> Vec<Source> {
    let mut product = sources(&["src", "plugins"]);
    product.retain(|source| !source.path.contains("/tests/"));
    product
}

/// The text without comments and without what strings and characters say; line ends stay.
fn code(text: &str) -> String {
    let (mut code, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let quiet = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_string(rest) {
            code.push_str("\"\"");
            length
        } else if c == '"' {
            code.push_str("\"\"");
            quoted(rest, '"')
        } else if is_character(rest) {
            code.push_str("' '");
            quoted(rest, '\'')
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        code.extend(rest[..quiet].chars().filter(|&c| c == '\n'));
        rest = &rest[quiet..];
    }
    code
}

/// The length of the string or character that begins here, quotes and all.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the raw string that begins here.
fn raw_string(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let body = rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(2 + hashes + body.find(&end)? + end.len())
}

/// Whether a character begins here, and not a lifetime.
fn is_character(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    text.starts_with('\'') && (text[1..].starts_with('\\') || (chars.next().is_some() && chars.next() == Some('\'')))
}

/// Whether `code` holds `name` as a word of its own.
fn names(code: &str, name: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(name)
        .any(|(at, _)| !is_part(code[..at].chars().next_back()) && !is_part(code[at + name.len()..].chars().next()))
}

/// No file of `places` may name any of `forbidden`.
fn assert_silent(places: &[&str], forbidden: &[&str], why: &str) {
    let product = product();
    let mut faults = Vec::new();
    for source in product.iter().filter(|source| places.iter().any(|place| source.is_in(place))) {
        let named = forbidden.iter().filter(|name| names(&source.code, name));
        faults.extend(named.map(|name| format!("{} names {name}", source.path)));
    }
    assert!(product.iter().any(|source| places.iter().any(|place| source.is_in(place))), "nothing is in {places:?}");
    assert!(faults.is_empty(), "{why}:\n{}", faults.join("\n"));
}

/// Only the files of `places` may name any of `forbidden`.
fn assert_only(places: &[&str], forbidden: &[&str], why: &str) {
    let product = product();
    let others = product.iter().filter(|source| !places.iter().any(|place| source.is_in(place)));
    let faults: Vec<_> = others
        .flat_map(|source| {
            forbidden
                .iter()
                .filter(|name| names(&source.code, name))
                .map(|name| format!("{} names {name}", source.path))
        })
        .collect();
    assert!(faults.is_empty(), "{why}:\n{}", faults.join("\n"));
}

#[test]
fn the_runtime_is_named_in_one_room() {
    assert_only(&["plugins/api/src/rt.rs"], &["async_std"], "only rt.rs names the runtime, so that a move is one file");
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    let package = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    assert!(!package.contains("async-std"), "the package gftp depends on the runtime only through gftp-plugin");
}

#[test]
fn ftp_has_no_private_door() {
    assert_silent(
        &["src/ftp/"],
        &["crate::host", "crate::cli", "crate::serve", "crate::user", "host::", "cli::"],
        "FTP is one service among others",
    );
}

#[test]
fn wire_is_pure() {
    let impure = [
        "async",
        "await",
        "futures",
        "gftp_plugin",
        "rustix",
        "socket2",
        "crate",
        "std::fs",
        "std::io",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "ToSocketAddrs",
        "Instant",
        "SystemTime",
        "std::env",
        "std::thread",
        "super::super",
    ];
    assert_silent(
        &["src/ftp/wire/"],
        &impure,
        "wire has no async, no file system, no socket, no clock, and uses nobody",
    );
}

#[test]
fn the_file_system_is_the_stores() {
    let places = FILE_SYSTEM.map(|(place, _)| place);
    assert_only(&places, &["std::fs", "rustix::fs", "walkdir"], "file-system calls belong to the store");
    let others = product().into_iter().map(|source| source.path).filter(|path| !places.contains(&path.as_str()));
    let others: Vec<_> =
        others.filter(|path| ["src/accounts/", "src/host/", "plugins/"].iter().any(|p| path.starts_with(p))).collect();
    let others = others.iter().map(String::as_str).chain(["src/ftp/"]);
    assert_silent(&others.collect::<Vec<_>>(), &["std::fs", "rustix::fs", "fs::File"], "likewise");
}

#[test]
fn arrows_never_run_up() {
    let upper = ["crate::ftp", "crate::host", "crate::cli", "crate::serve", "crate::user"];
    assert_silent(&["src/store/"], &[&upper[..], &["crate::accounts"]].concat(), "the store is the lowest floor");
    assert_silent(&["src/accounts/"], &upper, "accounts knows rights, and nothing above");
    assert_silent(
        &["src/host/"],
        &["crate::ftp", "crate::store", "crate::accounts", "crate::bans", "crate::cli", "crate::serve", "crate::user"],
        "the host knows services by their contract",
    );
    assert_silent(&["src/cli/"], &["crate::serve", "crate::user"], "what was typed is understood before it is done");
    assert_silent(&["plugins/"], &["gftp::"], "plugins stand on gftp-plugin alone");
    let dialogue = ["verbs", "conversation", "Session", "session::", "answer::", "wire::reply"];
    assert_silent(&["src/ftp/data/"], &dialogue, "data connections know no dialogue");
    assert_silent(&["src/ftp/verbs/"], &["conversation", "Conn", "outbox"], "handlers answer, only the loop speaks");
}

#[test]
fn what_no_file_may_hold() {
    assert_only(&[], &["unsafe", "todo!", "unimplemented!", "dbg!", "unreachable!"], "no file may hold these");
    assert_only(
        &["src/program.rs"],
        &["println!", "print!", "eprintln!", "eprint!"],
        "only the program speaks to the terminal; others log",
    );
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""), "the workspace forbids unsafe code");
}

/// proftpd_2047: someone sets the machine's clock, and every session is idle for a year.
#[test]
fn no_deadline_is_by_the_clock_on_the_wall() {
    assert_silent(
        &[
            "plugins/api/src/conn",
            "plugins/reverb",
            "src/host/",
            "src/ftp/data/",
            "src/ftp/conversation",
            "src/ftp/transfer",
            "src/store/kept",
        ],
        &["SystemTime", "UNIX_EPOCH"],
        "deadlines are of the clock that nobody sets",
    );
}

#[test]
fn nothing_is_unwrapped() {
    let mut faults = Vec::new();
    for source in product() {
        for (number, line) in (1..).zip(source.code.lines()) {
            // A method of ours may be called expect; the one of Option and Result takes a text.
            if [".unwrap()", ".expect(\"", ".unwrap_err()", ".expect_err(\""].iter().any(|call| line.contains(call)) {
                faults.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "a panic ends a session for no reason its client can see:\n{}", faults.join("\n"));
}

#[test]
fn files_are_introduced_and_short() {
    let mut faults = Vec::new();
    for source in sources(&["src", "plugins", "tests", "benches", "examples", "fuzz"]) {
        if !source.text.starts_with("//!") {
            faults.push(format!("{} does not say what it owns", source.path));
        }
        let length = source.text.lines().count();
        if length > LONGEST_FILE && !LONGER.iter().any(|(path, _)| *path == source.path) {
            faults.push(format!("{} has {length} lines", source.path));
        }
    }
    assert!(faults.is_empty(), "a file says what it owns, and is short:\n{}", faults.join("\n"));
}

#[test]
fn the_readme_shows_the_table_of_commands() {
    let readme = fs::read_to_string(workspace().join("README.md")).expect("README.md is there");
    let between = readme.split_once("<!-- commands -->").and_then(|(_, rest)| rest.split_once("<!-- /commands -->"));
    let (shown, _) = between.expect("README.md has the markers <!-- commands --> and <!-- /commands -->");
    let made = Command::new(program()).arg("commands").output().expect("gftp commands runs");
    let made = String::from_utf8(made.stdout).expect("the table is text");
    assert_eq!(
        shown.trim(),
        made.trim(),
        "the README's table is made by `gftp commands`: paste it between the markers"
    );
}

/// A map to tests that are gone leads nobody anywhere.
#[test]
fn the_map_of_bugs_names_tests_that_are_there() {
    let map = fs::read_to_string(workspace().join("tests/README.md")).expect("tests/README.md is there");
    let tests: String = sources(&["tests", "src"]).into_iter().map(|source| source.text).collect();
    let rows = map.lines().filter(|line| line.starts_with("| ")).filter_map(|line| line.rsplit(" | ").next());
    let named: Vec<_> = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(named.len() > 100, "the map names too few tests: {named:?}");
    for name in named {
        let is_there = match name.strip_suffix(".ftp") {
            Some(_) => workspace().join("fixtures/transcripts").join(name).is_file(),
            None => tests.contains(name.rsplit("::").next().unwrap_or(name).trim_start_matches('…')),
        };
        assert!(is_there, "tests/README.md names {name}, which is no test");
    }
}

/// Everything a stranger can grow has a limit, and each limit a test that attacks it.
#[test]
fn the_table_of_limits_names_tests_that_are_there() {
    let text = fs::read_to_string(workspace().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    let table = text.split_once("attacked by |").and_then(|(_, rest)| rest.split_once("\n\n")).expect("the table").0;
    let tests: String = sources(&["tests", "src", "plugins"]).into_iter().map(|source| source.text).collect();
    let rows: Vec<_> = table.lines().skip(2).collect();
    assert!(rows.len() > 30, "the table of limits is not where it was");
    for row in rows {
        let attack = row.trim_end_matches('|').rsplit(" | ").next().unwrap_or_default();
        let names: Vec<_> = attack.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "nothing attacks: {row}");
        for name in names {
            assert!(tests.contains(&format!("fn {name}(")), "ARCHITECTURE.md names {name}, which is no test");
        }
    }
}

/// A promise whose test is gone is none.
#[test]
fn the_promises_name_tests_that_are_there() {
    let text = fs::read_to_string(workspace().join("SECURITY.md")).expect("SECURITY.md is there");
    let tests: String = sources(&["tests", "src", "plugins", "fuzz"]).into_iter().map(|source| source.text).collect();
    let (_, promises) = text.split_once("## Promises").expect("the promises");
    let (promises, _) = promises.split_once("\n## ").expect("what follows them");
    let rows = promises.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise"));
    let names: Vec<_> =
        rows.flat_map(|row| row.rsplit(" | ").next().unwrap_or_default().split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 40, "too few promises: {names:?}");
    for name in names {
        assert!(tests.contains(&format!("fn {name}(")), "SECURITY.md names {name}, which is no test");
    }
}

#[test]
fn the_checks_see_code_and_nothing_else() {
    let seen = code(
        "let a = \"unsafe\"; // unsafe\n/* unsafe */ let c = '\"'; let b: &'a str = r#\"un\"safe\"#; x.expect(\"y\")\n",
    );
    assert_eq!(seen, "let a = \"\"; \n let c = ' '; let b: &'a str = \"\"; x.expect(\"\")\n");
    assert!(names("use std::fs::File;", "std::fs") && !names("use std::fsync;", "std::fs"));
    assert!(!names("unsafe_code", "unsafe") && names("unsafe {", "unsafe"));
}
