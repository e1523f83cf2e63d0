//! What a file says of itself, set by the client: MFF, MFCT (draft-somers-ftp-mfxx) and SITE UTIME.

use std::time::SystemTime;

use super::super::answer::{Answer, Outcome, Refusal};
use super::super::session::Session;
use super::super::wire::changes::{BadFacts, FactChanges, Moment, parse_facts, parse_utime};
use super::super::wire::phrase::phrase;
use super::super::wire::printable::printable;
use super::super::wire::time::parse_time;
use super::change::moment;
use super::first_word;
use crate::store::Changes;

/// MFF: all facts or none.
pub async fn mff(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let (list, name) = first_word(argument.unwrap_or_default());
    let FactChanges { modify, create, mode } = match parse_facts(list) {
        Ok(facts) if !name.is_empty() => facts,
        Ok(_) | Err(BadFacts::Malformed) => {
            return Err(Refusal::say(501, phrase!("Use: MFF Modify=YYYYMMDDHHMMSS;UNIX.mode=0644; <path>.")));
        }
        Err(BadFacts::BadValue(fact)) => {
            return Err(Refusal::say(501, phrase!("{} cannot have this value; nothing was changed.", printable(fact))));
        }
        Err(BadFacts::Twice(fact)) => {
            return Err(Refusal::say(501, phrase!("{} is there twice; nothing was changed.", printable(fact))));
        }
        Err(BadFacts::Unknown(fact)) => {
            return Err(Refusal::say(504, phrase!("{} cannot be set; nothing was changed.", printable(fact))));
        }
    };
    let changes =
        Changes { modified: settable(modify)?, created: settable(create)?, permissions: mode, accessed: None };
    set(session, name, changes).await?;
    Answer::say(213, [list, b" ", name].concat().into())
}

/// MFCT: `MFCT YYYYMMDDHHMMSS path`.
pub async fn mfct(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let (stamp, name) = first_word(argument.unwrap_or_default());
    let (Some(time), false) = (parse_time(stamp), name.is_empty()) else {
        return Err(Refusal::say(501, phrase!("Use: MFCT YYYYMMDDHHMMSS <path>, in UTC.")));
    };
    set(session, name, Changes { created: settable(Some(time))?, ..Changes::default() }).await?;
    Answer::say(213, [b"Create=", stamp, b"; ", name].concat().into())
}

/// SITE UTIME, in both forms that clients have.
pub async fn utime(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let Some(utime) = parse_utime(argument.unwrap_or_default()) else {
        return Err(Refusal::say(
            501,
            phrase!("Use: SITE UTIME YYYYMMDDhhmm[ss] <path>, or SITE UTIME <path> <atime> <mtime> <ctime> UTC."),
        ));
    };
    let (accessed, modified) = (settable(utime.accessed)?, settable(Some(utime.modified))?);
    set(session, utime.name, Changes { accessed, modified, ..Changes::default() }).await?;
    Answer::say(200, phrase!("Times set."))
}

fn settable(time: Option<Moment>) -> Result<Option<SystemTime>, Refusal> {
    time.map(|time| moment(time).ok_or_else(|| Refusal::say(504, phrase!("Times before 1970 cannot be set."))))
        .transpose()
}

async fn set(session: &Session, name: &[u8], changes: Changes) -> Result<(), Refusal> {
    let path = session.path(name)?;
    session.store(&path, move |view, path| view.change(path, changes)).await
}
