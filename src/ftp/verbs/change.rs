//! What changes names and times in the tree: DELE, RMD, MKD, RNFR, RNTO (RFC 959 §4.1.3) and MFMT.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::answer::{Answer, Outcome, Refusal};
use super::super::journal::{self, Subject};
use super::super::session::Session;
use super::super::wire::phrase::phrase;
use super::super::wire::reply::{Reply, quote};
use super::super::wire::time::parse_time;

/// DELE.
pub async fn dele(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let path = session.path(argument.unwrap_or_default())?;
    let bytes = session.store(&path, |view, path| view.delete(path)).await?;
    let reply = Reply::new(250, phrase!("Deleted."));
    journal::deleted(&Subject::of(session), &path, Some(bytes), &reply);
    Ok(Answer::Reply(reply))
}

/// RMD.
pub async fn rmd(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let path = session.path(argument.unwrap_or_default())?;
    session.store(&path, |view, path| view.remove_directory(path)).await?;
    let reply = Reply::new(250, phrase!("Directory removed."));
    journal::deleted(&Subject::of(session), &path, None, &reply);
    Ok(Answer::Reply(reply))
}

/// MKD: the reply holds the name, absolute and quoted (RFC 959 Appendix II).
pub async fn mkd(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let path = session.path(argument.unwrap_or_default())?;
    session.store(&path, |view, path| view.make_directory(path)).await?;
    Answer::say(257, phrase!("{} created.", quote(&path.absolute())))
}

/// RNFR.
pub async fn rnfr(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let path = session.path(argument.unwrap_or_default())?;
    session.store(&path, |view, path| view.exists_for_rename(path)).await?;
    session.renaming = Some(path);
    Answer::say(350, phrase!("Now RNTO with the new name."))
}

/// RNTO.
pub async fn rnto(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let Some(from) = session.renaming.take() else {
        return Err(Refusal::say(503, phrase!("Send RNFR first, and RNTO right after it.")));
    };
    let to = session.path(argument.unwrap_or_default())?;
    session.store(&to, move |view, to| view.rename(&from, to)).await?;
    Answer::say(250, phrase!("Renamed."))
}

/// MFMT: `MFMT YYYYMMDDHHMMSS path`.
pub async fn mfmt(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let argument = argument.unwrap_or_default();
    let space = argument.iter().position(|&byte| byte == b' ').unwrap_or(argument.len());
    let (stamp, rest) = argument.split_at(space);
    let (Some(time), [b' ', name @ ..]) = (parse_time(stamp), rest) else {
        return Err(Refusal::say(501, phrase!("Use: MFMT YYYYMMDDHHMMSS <path>, in UTC.")));
    };
    let time = moment(time).ok_or_else(|| Refusal::say(504, phrase!("Times before 1970 cannot be set.")))?;
    let path = session.path(name)?;
    session.store(&path, move |view, path| view.set_modified(path, time)).await?;
    Answer::say(213, [b"Modify=", stamp, b"; ", name].concat().into())
}

/// A time value as the store takes it; None before 1970, which few file systems hold.
pub(super) fn moment((seconds, nanoseconds): (i64, u32)) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::new(u64::try_from(seconds).ok()?, nanoseconds))
}
