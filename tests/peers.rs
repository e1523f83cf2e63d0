//! One test for each failure of another server, named after it and its report: a dialogue that went wrong there and is right
//! here. What needs a crowd, TLS or a real client stands in the room of its theme, with the same name in its comment;
//! tests/README.md maps all of them.

/// Servers with a failure or two each.
mod others;
/// ProFTPD; a number is that of an issue of proftpd/proftpd.
mod proftpd;
/// ProFTPD, where a dialogue alone does not show it.
mod proftpd_deeper;
/// Pure-FTPd.
mod pureftpd;
/// pyftpdlib; a number is that of an issue of giampaolo/pyftpdlib.
mod pyftpdlib;
/// vsftpd.
mod vsftpd;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Who looks for a failure looks at the map: each test of this room is on it, and no other.
#[test]
fn each_failure_of_a_peer_is_on_the_map() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(tests.join("peers")).unwrap() {
        let path = entry.unwrap().path();
        let room = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let names = text.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split('(').next());
        there.extend(names.map(|name| format!("peers::{room}::{name}")));
    }
    let map = fs::read_to_string(tests.join("README.md")).unwrap();
    let named = map.split('`').skip(1).step_by(2).filter(|name| name.starts_with("peers::"));
    let named: BTreeSet<_> = named.map(String::from).collect();
    let missing: Vec<_> = there.symmetric_difference(&named).collect();
    assert!(there.len() > 30 && missing.is_empty(), "not both a test and on tests/README.md: {missing:?}");
}
