//! Dialogues as data: every file of fixtures/transcripts is played against a server of its own, over IPv4 and IPv6, and
//! every command of the server's HELP must stand in one of them.

pub mod client;
mod disk;
pub mod play;
pub mod script;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use client::Control;
use play::Play;
use script::{Family, Script};

use crate::server::{PASSWORD, Place, Server};

/// Transcripts played at once: most of one is waiting for the other side.
const AT_ONCE: usize = 4;

#[test]
fn transcripts() {
    let cases: Vec<_> = chosen("ftp")
        .into_iter()
        .flat_map(|path| {
            let script = script::parse(&text(&path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let families = script.families.clone();
            families.into_iter().map(move |family| (path.clone(), family))
        })
        .collect();
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((path, family)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(failure) = play(path, *family) {
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

/// Plays one transcript over one protocol; a failure begins with file and line.
fn play(path: &Path, family: Family) -> Result<(), String> {
    play_script(&name(path), &script::parse(&text(path))?, family)
}

/// Plays a dialogue that stands in a test, as if it stood in a file.
#[track_caller]
pub fn holds(dialogue: &str) {
    let script = script::parse(dialogue).expect("a dialogue as fixtures/transcripts/README.md has it");
    for family in &script.families {
        play_script("the dialogue", &script, *family).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

fn play_script(name: &str, script: &Script, family: Family) -> Result<(), String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut options: Vec<&str> = script.options.iter().map(String::as_str).collect();
        let place = Place::new();
        let users = place.users_with(&script.users, &script.rules);
        if !script.users.is_empty() {
            options.extend(["--users", users.to_str().expect("the path is text")]);
        }
        let server = Server::told_on(place, &options);
        let failure = perform(script, &server, family);
        failure.map_err(|(line, e)| {
            let log = server.log();
            format!("{name}:{line}: ({family:?}) {e}\n    {}", log.trim_end().replace('\n', "\n    "))
        })
    }));
    outcome.unwrap_or_else(|_| Err(format!("{name}: ({family:?}) the server did not start or end well")))
}

fn perform(script: &Script, server: &Server, family: Family) -> Result<(), (usize, String)> {
    let at = match family {
        Family::V4 => server.address(),
        Family::V6 => server.address_v6(),
    };
    let mut play = Play::new(at, server.root(), PASSWORD);
    script.steps.iter().try_for_each(|step| play.step(step).map_err(|e| (step.line, e)))
}

/// What the server says it can do is what the transcripts show.
#[test]
fn every_verb_of_help_is_in_a_transcript() {
    let server = Server::told(&["--anonymous", "read"]);
    let mut control = Control::greeted(server.address()).unwrap();
    let names = verbs(&mut control);
    let said: BTreeSet<String> = files("ftp").iter().flat_map(|path| said(&text(path))).collect();
    let missing: Vec<_> = names.difference(&said).collect();
    assert!(missing.is_empty(), "no transcript says {missing:?}");
}

/// What HELP says of a verb's argument is what the verb does; and a stranger may use those that are for strangers only.
#[test]
fn every_verb_keeps_what_help_says() {
    const FOR_STRANGERS: [&str; 20] = [
        "AUTH", "PBSZ", "PROT", "CCC", "HOST", "CSID", "USER", "PASS", "ACCT", "REIN", "QUIT", "STAT", "ABOR", "OPTS",
        "LANG", "CLNT", "FEAT", "HELP", "SYST", "NOOP",
    ];
    let server = Server::told(&["--anonymous", "read"]);
    let mut stranger = Control::greeted(server.address()).unwrap();
    for name in verbs(&mut stranger) {
        let usage = stranger.tell(&format!("HELP {name}"), 214).unwrap().shown();
        assert!(usage.starts_with(&format!("214 {name}")), "HELP {name}: {usage}");
        if !FOR_STRANGERS.contains(&name.as_str()) {
            stranger.tell(&name, 530).unwrap();
            stranger.tell(&format!("{name} x"), 530).unwrap();
        }
        let mut guest = Control::anonymous(server.address()).unwrap();
        // HELP SITE tells of what stands behind SITE, as RFC 959 §4.1.3 wants it.
        if name == "SITE" {
            continue;
        }
        // "214 VERB argument: what it does"; an optional argument stands in brackets.
        let usage = usage.split(':').next().unwrap_or_default().to_string();
        match usage.strip_prefix(&format!("214 {name} ")) {
            None => drop(guest.tell(&format!("{name} x"), 501).unwrap()),
            Some(optional) if optional.starts_with('[') => {}
            Some(_) => {
                guest.tell(&name, 501).unwrap();
                guest.tell(&format!("{name} "), 501).unwrap();
            }
        }
        assert_ne!(guest.ask(&format!("{} x", name.to_lowercase())).unwrap().code, 500, "{name} in small letters");
    }
}

/// The verbs of HELP.
fn verbs(control: &mut Control) -> BTreeSet<String> {
    let help = control.tell("HELP", 214).unwrap();
    let [_, names @ .., _] = help.lines.as_slice() else { panic!("HELP has several lines") };
    let text = String::from_utf8(names.join(&b' ')).unwrap();
    let names: BTreeSet<_> = text.split_whitespace().map(String::from).collect();
    assert!(names.len() > 30, "HELP names too few: {names:?}");
    names
}

/// A word that the README does not explain is a word nobody will use.
#[test]
fn every_step_is_explained() {
    let readme = text(&folder().join("README.md"));
    let missing: Vec<_> = play::WORDS.iter().filter(|word| !readme.contains(&format!("| `{word}"))).collect();
    assert!(missing.is_empty(), "fixtures/transcripts/README.md does not explain {missing:?}");
    for path in files("ftp") {
        for step in script::parse(&text(&path)).unwrap().steps {
            assert!(
                play::WORDS.contains(&step.word.as_str()),
                "{}:{}: {} is no step",
                name(&path),
                step.line,
                step.word
            );
        }
    }
}

/// The verbs that a transcript sends.
fn said(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("> "));
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_ascii_uppercase).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/transcripts")
}

/// The transcripts whose names end so, or those of them that GFTP_TRANSCRIPT names a part of.
pub fn chosen(extension: &str) -> Vec<PathBuf> {
    let only = std::env::var("GFTP_TRANSCRIPT").unwrap_or_default();
    let of_name = |extension: &str| {
        let files = files(extension).into_iter();
        files.filter(|path| name(path).contains(&only)).collect::<Vec<_>>()
    };
    assert!(["ftp", "service"].iter().any(|kind| !of_name(kind).is_empty()), "no transcript to play");
    of_name(extension)
}

/// The transcripts whose names end so.
fn files(extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("fixtures/transcripts is there");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let mut files: Vec<_> = paths.filter(|path| path.extension().is_some_and(|its| its == extension)).collect();
    files.sort();
    files
}

/// The text of a file.
pub fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The name of a file.
pub fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
