//! Every verb against every right: the table of commands says which right a verb needs, and here each is tried by accounts
//! that lack one right and by accounts that have only one. A verb that is in no list here fails, so none can be forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::dialogue::client::{Control, read_all};
use crate::server::{PASSWORD, Place, Server, program};

const WORDS: [&str; 9] = ["list", "read", "write", "append", "create", "delete", "rename", "mkdir", "site"];
/// Rights that are contained in others.
const CONTAINED: [(&str, &str); 2] = [("write", "append"), ("write", "create")];

/// What a verb is tried with.
struct Deed {
    lines: &'static [&'static str],
    data: Data,
}

/// What flows after the last line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Data {
    Nothing,
    ToUs,
    FromUs,
}

/// The deed of every verb that needs a right. Each works for an account that may do everything.
fn deed(verb: &str) -> Option<Deed> {
    let quiet = |lines| Some(Deed { lines, data: Data::Nothing });
    let to_us = |lines| Some(Deed { lines, data: Data::ToUs });
    let from_us = |lines| Some(Deed { lines, data: Data::FromUs });
    match verb {
        "LIST" => to_us(&["LIST d"]),
        "NLST" => to_us(&["NLST d"]),
        "MLSD" => to_us(&["MLSD d"]),
        "MLST" => quiet(&["MLST f"]),
        "SIZE" => quiet(&["SIZE f"]),
        "MDTM" => quiet(&["MDTM f"]),
        "RETR" => to_us(&["RETR f"]),
        "HASH" => quiet(&["HASH f"]),
        "XCRC" => quiet(&["XCRC f"]),
        "XMD5" => quiet(&["XMD5 f"]),
        "XSHA" => quiet(&["XSHA f"]),
        "XSHA1" => quiet(&["XSHA1 f"]),
        "XSHA256" => quiet(&["XSHA256 f"]),
        "XSHA512" => quiet(&["XSHA512 f"]),
        "DSIZ" => quiet(&["DSIZ d"]),
        "STOR" => from_us(&["STOR new"]),
        "STOU" => from_us(&["STOU"]),
        "APPE" => from_us(&["APPE f"]),
        "DELE" => quiet(&["DELE f"]),
        "RMD" => quiet(&["RMD empty"]),
        "XRMD" => quiet(&["XRMD empty"]),
        "RMDA" => quiet(&["RMDA d"]),
        "MKD" => quiet(&["MKD new"]),
        "XMKD" => quiet(&["XMKD new"]),
        "RNFR" => quiet(&["RNFR f"]),
        "RNTO" => quiet(&["RNFR f", "RNTO new"]),
        "MFMT" => quiet(&["MFMT 20200101000000 f"]),
        "MFCT" => quiet(&["MFCT 20200101000000 f"]),
        "MFF" => quiet(&["MFF Modify=20200101000000; f"]),
        "COMB" => quiet(&["COMB \"f\" \"part1\" \"part2\""]),
        "SITE CHMOD" => quiet(&["SITE CHMOD 600 f"]),
        "SITE UMASK" => quiet(&["SITE UMASK 077"]),
        "SITE UTIME" => quiet(&["SITE UTIME 20200101000000 f"]),
        "SITE SYMLINK" => quiet(&["SITE SYMLINK f link"]),
        "SITE CPFR" => quiet(&["SITE CPFR f"]),
        "SITE CPTO" => quiet(&["SITE CPFR f", "SITE CPTO new"]),
        _ => None,
    }
}

/// Deeds that need other rights than their verb does with simpler arguments.
const MORE: [(&[&str], Data, &str); 7] = [
    (&["MDTM 20200101000000 f"], Data::Nothing, "write"),
    (&["MFF UNIX.mode=600; f"], Data::Nothing, "site"),
    (&["STAT f"], Data::Nothing, "list or read"),
    (&["STAT d"], Data::Nothing, "list"),
    (&["STOR f"], Data::FromUs, "create or write"),
    (&["REST 1", "STOR f"], Data::FromUs, "write"),
    (&["SITE CPFR d", "SITE CPTO new"], Data::Nothing, "read and write and mkdir"),
];
/// No file system that tests run on lets one set the time of creation, so that this verb never succeeds; but its first
/// reason to refuse is the right.
const NEVER_DONE: [&str; 1] = ["MFCT"];

/// The verbs and the rights that they need, from the product's own table.
fn table() -> BTreeMap<String, String> {
    let output = Command::new(program()).arg("commands").output().expect("gftp commands runs");
    let text = String::from_utf8(output.stdout).expect("the table is text");
    let rows = text.lines().skip(2).map(|row| row.split(" | ").map(str::to_string).collect::<Vec<_>>());
    let table: BTreeMap<_, _> = rows
        .map(|cells| {
            let usage = cells[0].trim_start_matches("| `");
            let words: Vec<&str> = usage.split([' ', '`']).collect();
            let name = if words[0] == "SITE" && words[1].starts_with(|c: char| c.is_ascii_uppercase()) {
                words[..2].join(" ")
            } else {
                words[0].to_string()
            };
            (name, cells[2].trim().to_string())
        })
        .collect();
    assert!(table.len() > 60, "the table is not what it was: {table:?}");
    table
}

/// Whether these rights are what `needs` wants: "read and write", "list or read", or nothing.
fn suffices(rights: &BTreeSet<&str>, needs: &str) -> bool {
    let groups = needs.split(" and ").flat_map(|group| group.split(", ")).filter(|group| !group.is_empty());
    groups.into_iter().all(|group| group.split(" or ").any(|word| rights.contains(word.trim())))
}

/// All that an account with these words may do.
fn effective(words: &[&'static str]) -> BTreeSet<&'static str> {
    let contained = CONTAINED.iter().filter(|(whole, _)| words.contains(whole)).map(|(_, part)| *part);
    words.iter().copied().chain(contained).collect()
}

/// Accounts that lack one right, accounts that have one only, and their words.
fn accounts() -> BTreeMap<String, Vec<&'static str>> {
    let without = |lacking: &'static str| WORDS.into_iter().filter(move |word| *word != lacking).collect();
    let mut accounts = BTreeMap::from([("all".to_string(), WORDS.to_vec())]);
    for word in WORDS {
        accounts.insert(format!("without-{word}"), without(word));
        accounts.insert(format!("only-{word}"), vec![word]);
    }
    accounts
}

/// The home as each deed finds it.
fn furnish(home: &Path) {
    let _ = fs::remove_dir_all(home);
    for folder in ["d", "empty"] {
        fs::create_dir_all(home.join(folder)).expect("folders can be made");
    }
    for name in ["f", "part1", "part2", "d/inside"] {
        fs::write(home.join(name), "content").expect("files can be written");
    }
}

/// Names, content, modes and times of all in the home.
fn seen(home: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in walkdir::WalkDir::new(home).sort_by_file_name() {
        let entry = entry.expect("the home can be walked");
        let data = entry.metadata().expect("it has metadata");
        let mode = std::os::unix::fs::PermissionsExt::mode(&data.permissions());
        // The time of a directory tells only what its names tell, and a temporary file changes it.
        let modified = data.is_file().then(|| data.modified().ok()).flatten();
        let content = if data.is_file() { fs::read(entry.path()).expect("it can be read") } else { Vec::new() };
        all.push(format!("{} {mode:o} {modified:?} {content:?}", entry.path().display()));
    }
    all
}

/// What came of a deed.
#[derive(Debug)]
struct Outcome {
    lacks_right: bool,
    succeeded: bool,
    said: String,
}

fn perform(server: &Server, account: &str, directory: &str, lines: &[&str], data: Data) -> Outcome {
    let mut control = Control::greeted(server.address()).unwrap();
    control.tell(&format!("USER {account}"), 331).unwrap();
    control.tell(&format!("PASS {PASSWORD}"), 230).unwrap();
    control.tell("TYPE I", 200).unwrap();
    control.tell(&format!("CWD {directory}"), 250).unwrap();
    let mut connection = (data != Data::Nothing).then(|| control.passive().unwrap());
    let (mut said, mut code) = (Vec::new(), 0);
    for line in lines {
        let reply = control.ask(line).unwrap();
        code = reply.code;
        said.push(reply.shown());
        if code >= 400 {
            break;
        }
    }
    if let (150, Some(mut connection)) = (code, connection.take()) {
        match data {
            Data::FromUs => connection.write_all(b"content").unwrap(),
            _ => drop(read_all(&mut connection).unwrap()),
        }
        drop(connection);
        let reply = control.reply().unwrap();
        code = reply.code;
        said.push(reply.shown());
    }
    let said = said.join("; ");
    Outcome { lacks_right: said.contains("lacks the right"), succeeded: code < 400, said }
}

/// What is wrong with how a deed ends for an account that has these rights in that directory.
fn fault(
    server: &Server,
    account: &str,
    (directory, on_disk): (&str, &Path),
    rights: &BTreeSet<&str>,
    (what, lines, data, needs): (&str, &[String], Data, &str),
) -> Option<String> {
    furnish(on_disk);
    let before = seen(on_disk);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let outcome = perform(server, account, directory, &lines, data);
    let (may, changed) = (suffices(rights, needs), seen(on_disk) != before);
    let fault = match (may, needs.is_empty()) {
        (_, true) if outcome.lacks_right => "wants a right that the table does not tell of",
        (_, true) if changed => "changes the disk, and the table tells of no right",
        (true, false) if outcome.lacks_right => "wants another right than the table tells of",
        (true, false) if !outcome.succeeded && !NEVER_DONE.contains(&what) => "is refused, though the right is there",
        (false, _) if outcome.succeeded => "succeeds without the right",
        (false, _) if !outcome.lacks_right => "is refused, but not for want of the right",
        (false, _) if changed => "is refused and changes the disk all the same",
        _ => return None,
    };
    Some(format!("{account} in {directory}: {what} (needs {needs:?}) {fault}: {}", outcome.said))
}

/// What is tried: its name, its lines, what flows, and what it needs.
type Tried = (String, Vec<String>, Data, String);

/// All that is tried.
fn deeds() -> Vec<Tried> {
    let mut deeds: Vec<Tried> = Vec::new();
    for (verb, needs) in table() {
        match deed(&verb) {
            Some(deed) => {
                assert!(!needs.is_empty(), "{verb} has a deed here and needs no right by the table of commands");
                deeds.push((verb, deed.lines.iter().map(ToString::to_string).collect(), deed.data, needs));
            }
            None => {
                assert!(needs.is_empty(), "{verb} needs {needs}: give it a deed in tests/policy.rs");
                // Whatever it is, it must neither want a right nor change anything.
                let line = if verb == "STAT" { verb.clone() } else { format!("{verb} f") };
                deeds.push((verb, vec![line], Data::Nothing, needs));
            }
        }
    }
    let more = MORE.iter().map(|(lines, data, needs)| {
        let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
        (lines.join(", "), lines, *data, needs.to_string())
    });
    deeds.extend(more);
    deeds
}

#[test]
fn every_verb_against_every_right() {
    let (place, accounts) = (Place::new(), accounts());
    let lines: Vec<_> = accounts
        .iter()
        .map(|(name, words)| (name.clone(), format!("/{name}"), words.iter().map(ToString::to_string).collect()))
        .collect();
    let users = place.users(&lines);
    let server = Server::told_on(place, &["--users", users.to_str().expect("the path is text")]);
    let deeds = deeds();
    let mut faults = Vec::new();
    for (account, words) in &accounts {
        let (rights, home) = (effective(words), server.root().join(account));
        for (what, lines, data, needs) in &deeds {
            faults.extend(fault(&server, account, ("/", &home), &rights, (what, lines, *data, needs)));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// The same where a right is missing in one directory only: there the verb is refused, by whatever way the directory is
/// reached, and beside it all is done.
#[test]
fn every_verb_against_a_right_that_is_missing_in_one_directory() {
    /// It changes the session, and lies in no directory.
    const NOWHERE: [&str; 1] = ["SITE UMASK"];
    let (place, accounts) = (Place::new(), accounts());
    let lacking: Vec<_> = accounts.iter().filter(|(name, _)| name.starts_with("without-")).collect();
    let lines: Vec<_> =
        lacking.iter().map(|(name, _)| (name.to_string(), format!("/{name}"), vec!["full".to_string()])).collect();
    let rule = |words: &[&str]| format!("directories = [{{ path = \"/ruled\", rights = {words:?} }}]");
    let rules: Vec<_> = lacking.iter().map(|(name, words)| (name.to_string(), rule(words))).collect();
    let users = place.users_with(&lines, &rules);
    let server = Server::told_on(place, &["--users", users.to_str().expect("the path is text")]);
    let (deeds, full) = (deeds(), effective(&WORDS));
    let mut faults = Vec::new();
    for (account, words) in lacking {
        let (rights, home) = (effective(words), server.root().join(account));
        for directory in ["ruled", "free"] {
            fs::create_dir_all(home.join(directory)).expect("folders can be made");
        }
        std::os::unix::fs::symlink("ruled", home.join("way")).expect("a link can be made");
        for (what, lines, data, needs) in deeds.iter().filter(|deed| !NOWHERE.contains(&deed.0.as_str())) {
            for (directory, really, rights) in
                [("/ruled", "ruled", &rights), ("/way", "ruled", &rights), ("/free", "free", &full)]
            {
                let deed = (what.as_str(), lines.as_slice(), *data, needs.as_str());
                // What needs the right nowhere is tried once.
                if directory == "/ruled" || !needs.is_empty() {
                    faults.extend(fault(&server, account, (directory, &home.join(really)), rights, deed));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn needs_are_read_as_they_are_written() {
    let rights = BTreeSet::from(["read", "append"]);
    for (needs, expected) in [
        ("", true),
        ("read", true),
        ("write", false),
        ("append or write", true),
        ("read and write", false),
        ("read and append or write", true),
        ("read, write and delete", false),
    ] {
        assert_eq!(suffices(&rights, needs), expected, "{needs:?}");
    }
    assert!(effective(&["write"]).contains("append"));
}
