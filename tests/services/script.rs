//! Transcripts of services as they are written (fixtures/transcripts/README.md): the service, the moment, and the steps.
//! Reads text only; what the steps do is [`super::play`]'s.

use std::time::SystemTime;

use crate::dialogue::client::Outcome;
use crate::dialogue::script::{Family, words};

/// One transcript.
pub struct Script {
    /// The name of the service.
    pub service: String,
    /// Its options, as they are typed.
    pub options: Vec<String>,
    /// What its clock shows at first.
    pub at: SystemTime,
    /// Over which protocols it is played.
    pub families: Vec<Family>,
    /// Its steps, each with the number of its line, from 1.
    pub steps: Vec<(usize, String)>,
}

/// Reads a transcript.
pub fn parse(text: &str) -> Outcome<Script> {
    let (mut service, mut at, mut families, mut steps) = (None, None, vec![Family::V4, Family::V6], Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |e: String| format!("line {number}: {e}");
        match line.split_once(' ') {
            Some(("service", typed)) => {
                let typed = words(typed).map_err(wrong)?;
                service = Some(typed.into_iter().map(|word| String::from_utf8_lossy(&word.bytes).into_owned()));
            }
            Some(("at", moment)) => at = Some(humantime::parse_rfc3339(moment).map_err(|e| wrong(e.to_string()))?),
            Some(("over", "ipv4")) => families = vec![Family::V4],
            Some(("over", "ipv6")) => families = vec![Family::V6],
            _ => steps.push((number, line.to_string())),
        }
    }
    let mut typed = service.ok_or("it names no service: service NAME OPTIONS")?;
    let service = typed.next().ok_or("service NAME OPTIONS")?;
    let at = at.ok_or("it names no moment: at 2026-11-25T00:00:00Z")?;
    Ok(Script { service, options: typed.collect(), at, families, steps })
}
