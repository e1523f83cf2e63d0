//! Dialogues of other services than FTP as data: every `.service` file of fixtures/transcripts is played against a
//! service of its own, in this process, over IPv4 and IPv6. The service's clock moves only when the transcript says so.

mod play;
mod script;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Command};
use gftp_clock::Clock;
use gftp_plugin::{Service, Time};
use gftp_reverb::Reverb;

use crate::dialogue::client::{Outcome, PATIENCE};
use crate::dialogue::{chosen, name, text};
use play::Play;
use script::Script;

/// The services that a transcript may name.
fn service(script: &Script, time: Time) -> Outcome<Arc<dyn Service>> {
    let options = &script.options;
    Ok(match script.service.as_str() {
        "clock" => Arc::new(Clock::new(read(options)?, time)?),
        "reverb" => Arc::new(Reverb::new(read(options)?, time)),
        other => return Err(format!("there is no service {other} in tests/services.rs")),
    })
}

/// The options of a service, as its command line reads them.
fn read<A: Args>(options: &[String]) -> Outcome<A> {
    let command = A::augment_args(Command::new("service").no_binary_name(true));
    let typed = command.try_get_matches_from(options).map_err(|e| e.to_string())?;
    A::from_arg_matches(&typed).map_err(|e| e.to_string())
}

#[test]
fn transcripts_of_services() {
    let mut failures = Vec::new();
    for path in chosen("service") {
        let script = script::parse(&text(&path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for family in &script.families {
            if let Err((line, e)) = Play::begin(&script, *family, PATIENCE).and_then(|play| play.play_out(&script)) {
                failures.push(format!("{}:{line}: ({family:?}) {e}", name(&path)));
            }
        }
    }
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures.join("\n"));
}

/// A word that the README does not explain is a word nobody will use.
#[test]
fn every_step_of_a_service_is_explained() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/transcripts/README.md");
    let readme = text(&readme);
    let missing: Vec<_> = play::STEPS.iter().filter(|step| !readme.contains(&format!("| `{step}"))).collect();
    assert!(missing.is_empty(), "fixtures/transcripts/README.md does not explain {missing:?}");
}

/// A player that takes everything for right shows nothing.
#[test]
fn what_a_service_does_not_do_fails_the_transcript() {
    const GOOD: &str = "a connects\na receives \"00:00:00\\n\"\n";
    let play = |steps: &str, patience| {
        let text = format!("service clock --tz UTC\nat 2026-11-25T00:00:00Z\n{GOOD}{steps}");
        let script = script::parse(&text).expect("it can be read");
        Play::begin(&script, script.families[0], patience).and_then(|play| play.play_out(&script))
    };
    assert_eq!(play("the clock moves 1s\na receives \"00:00:01\\n\"\n", PATIENCE), Ok(()));
    for (wrong, line, why) in [
        ("the clock moves 1s\na receives \"00:00:02\\n\"\n", 6, "expected"),
        ("a is closed\n", 5, "in time"),
        ("a receives \"00:00:01\\n\"\n", 5, "in time"),
        ("the clock has 2 waiting\n", 5, "never 2"),
        ("a jumps\n", 5, "no step"),
        ("b leaves\n", 5, "not connected"),
        // What no step names shows when its client leaves, or at the end. (It is there: it came with what a step does name.)
        ("b connects\nb receives \"00:\"\nb leaves\n", 7, "has received"),
        ("b connects\nb receives \"00:\"\n", 0, "b: expected the end"),
    ] {
        // Short, since it is waited for in vain.
        let (at, error) = play(wrong, Duration::from_millis(500)).expect_err(wrong);
        assert!(at == line && error.contains(why), "{wrong}: line {at}: {error}");
    }
}
