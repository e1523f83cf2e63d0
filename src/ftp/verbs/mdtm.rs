//! MDTM as old clients use it to set a time (`MDTM YYYYMMDDHHMMSS path`), which RFC 3659 §3.1 knows and does not want.
//! The asking is [`browse`]'s.

use super::super::answer::{Answer, Outcome, Refusal};
use super::super::session::Session;
use super::super::wire::phrase::phrase;
use super::super::wire::time::{format_time, parse_time};
use super::lines::seconds;
use super::{browse, change, first_word};

/// MDTM: the time of the file that bears the whole argument as its name; where there is none and it begins with a
/// time, that is set. Answered 213 as vsftpd does, which rclone waits for.
pub async fn mdtm(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let (stamp, name) = first_word(argument.unwrap_or_default());
    let Some(time) = parse_time(stamp).filter(|_| !name.is_empty()) else {
        return browse::mdtm(session, argument).await;
    };
    let time = change::moment(time).ok_or_else(|| Refusal::say(504, phrase!("Times before 1970 cannot be set.")))?;
    let (whole, path) = (session.path(argument.unwrap_or_default()).ok(), session.path(name)?);
    let asked = session
        .store(&path, move |view, path| match whole.map(|whole| view.entry(&whole)) {
            Some(Ok(entry)) => Ok(Some(entry)),
            _ => view.set_modified(path, time).map(|()| None),
        })
        .await?;
    match asked {
        Some(entry) => Answer::say(213, format_time(seconds(entry.modified)).to_vec().into()),
        None => Answer::say(213, phrase!("Time set.")),
    }
}
