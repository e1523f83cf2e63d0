//! Looking around: CWD, CDUP, PWD, LIST, NLST, MLSD, MLST, SIZE, MDTM, STAT. Nothing here changes anything.

use std::num::NonZeroU64;
use std::time::SystemTime;

use super::super::answer::{Answer, Outcome, Refusal};
use super::super::data::Plan;
use super::super::pace::Caps;
use super::super::session::{Mode, Representation, Session, Who};
use super::super::tls::Protection;
use super::super::wire::flags;
use super::super::wire::phrase::{Text, phrase};
use super::super::wire::printable::printable;
use super::super::wire::reply::{Reply, quote};
use super::super::wire::time::format_time;
use super::lines::{Shape, facts_line, lines, seconds};
use super::transfer::{LARGEST_COUNTED, count_text, listing};
use crate::accounts::rate::{Rates, show_rate};
use crate::store::{Kind, Listing, Selection, StoreError, View, VirtualPath, has_wildcards};

/// A listing in a reply is held in memory until it is sent; beyond this it is cut, and says so.
const LARGEST_STAT: usize = 256 * 1024;

/// CWD.
pub async fn cwd(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let path = session.path(argument.unwrap_or_default())?;
    enter(session, path).await
}

/// CDUP: at the root it stays there.
pub async fn cdup(session: &mut Session, _: Option<&[u8]>) -> Outcome {
    let path = session.directory.parent().unwrap_or_else(VirtualPath::root);
    enter(session, path).await
}

async fn enter(session: &mut Session, path: VirtualPath) -> Outcome {
    session.look_up(&path, |view, path| view.enter(path)).await?;
    let text = phrase!("Now in {}.", path.absolute());
    session.directory = path;
    Answer::say(250, text)
}

/// PWD (RFC 959 Appendix II).
pub async fn pwd(session: &mut Session, _: Option<&[u8]>) -> Outcome {
    Answer::say(257, phrase!("{} is the working directory.", quote(&session.directory.absolute())))
}

/// LIST: in the form of `ls -l`, flags and all.
pub async fn list(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let (flags, path) = flags::split(argument);
    let selection = Selection { names_only: false, ..selection(flags) };
    send(session, path, flags.directory_itself, selection, Shape::long(now())).await
}

/// NLST: names that can be sent back as they are (RFC 1123 §4.1.2.7), so those of another directory come with it.
pub async fn nlst(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let (flags, path) = flags::split(argument);
    let selection = Selection { names_only: true, dots: false, soon: true, ..selection(flags) };
    let prefix = match path {
        None | Some(b"." | b"./") => Vec::new(),
        Some(path) if path.ends_with(b"/") => path.to_vec(),
        Some(path) => [path, b"/"].concat(),
    };
    send(session, path, flags.directory_itself, selection, Shape::names(prefix)).await
}

fn selection(flags: flags::Flags) -> Selection {
    Selection {
        hidden: flags.all || flags.almost_all,
        dots: flags.all,
        recursive: flags.recursive,
        reverse: flags.reverse,
        ..Selection::default()
    }
}

/// What LIST and NLST show of `argument`: a directory's entries, one file, or all that a pattern matches. A name that
/// exists is never taken for a pattern.
async fn send(
    session: &mut Session,
    argument: Option<&[u8]>,
    itself: bool,
    selection: Selection,
    shape: Shape,
) -> Outcome {
    let typed = argument.unwrap_or_default().to_vec();
    let (path, directory) = (session.path(&typed)?, session.directory.clone());
    let lines = session
        .store(&path, move |view, path| {
            let entry = match view.entry(path) {
                Err(StoreError::NotFound) if has_wildcards(&typed) => {
                    let found = view.glob(&directory, &typed, selection)?;
                    return lines(found, shape.bare());
                }
                entry => entry?,
            };
            if entry.kind == Kind::Directory && !itself {
                return lines(view.list(path, selection)?, shape);
            }
            let name = if typed.is_empty() { b".".to_vec() } else { typed };
            Ok(shape.bare().single(&name, &entry))
        })
        .await?;
    Ok(listing(session, path, lines))
}

/// MLSD: always a directory (501 otherwise, RFC 3659 §7.2.1), always all of it.
pub async fn mlsd(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let path = session.path(argument.unwrap_or_default())?;
    let shape = Shape::facts(session.facts);
    // Programs sort for themselves.
    let selection = Selection { hidden: true, follow: true, soon: true, ..Selection::default() };
    let view = session.view()?;
    let asked = path.clone();
    let made = gftp_plugin::rt::unblock(move || lines(view.list(&asked, selection)?, shape)).await;
    let lines = made.map_err(|e| match e {
        StoreError::NotDirectory => {
            Refusal::say(501, phrase!("{}: not a directory; MLST tells of one file.", path.absolute()))
        }
        e => Refusal::about(&path, e),
    })?;
    Ok(listing(session, path, lines))
}

/// MLST: the facts are between the lines of the reply, the name is the whole path (RFC 3659 §7.2).
pub async fn mlst(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let path = session.path(argument.unwrap_or_default())?;
    let entry = session.look_up(&path, |view, path| view.entry(path)).await?;
    let mut line = Vec::new();
    facts_line(&entry, session.facts, &path.absolute(), &mut line);
    Ok(Answer::Reply(Reply::multi(250, phrase!("Here it is:"), vec![line.into()], phrase!("End."))))
}

/// SIZE: what RETR would send, in the TYPE that is set (RFC 3659 §4). Where there is no such file but an upload that
/// this client was cut off from, how much came: that is what it must know to resume.
pub async fn size(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let path = session.path(argument.unwrap_or_default())?;
    let text = session.representation == Representation::Ascii;
    let ask = move |view: &View, path: &VirtualPath| size_of(view, path, text);
    // A text has to be read to be counted.
    let size = if text { session.store(&path, ask).await? } else { session.look_up(&path, ask).await? };
    match size {
        Some(size) => Answer::say(213, size.into()),
        None => {
            let limit = LARGEST_COUNTED >> 20;
            Err(Refusal::say(550, phrase!("Larger than {} MiB, too large to count in TYPE A; use TYPE I.", limit)))
        }
    }
}

/// The size; None for a text too large to count.
fn size_of(view: &View, path: &VirtualPath, text: bool) -> Result<Option<u64>, StoreError> {
    let entry = match view.entry(path) {
        // Only where nothing stands that RETR would send.
        Err(e @ (StoreError::NotFound | StoreError::Forbidden(_))) => return view.kept(path).map(Some).ok_or(e),
        entry => entry?,
    };
    match entry.kind {
        Kind::File if text => count_text(view, path),
        Kind::File => Ok(Some(entry.size)),
        Kind::Directory => Err(StoreError::IsDirectory),
        _ => Err(StoreError::NotRegular),
    }
}

/// MDTM (RFC 3659 §3).
pub async fn mdtm(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let path = session.path(argument.unwrap_or_default())?;
    let entry = session.look_up(&path, |view, path| view.entry(path)).await?;
    Answer::say(213, format_time(seconds(entry.modified)).to_vec().into())
}

/// STAT without a path tells of the session, with one it is LIST over the control connection. During a transfer the
/// conversation answers it.
pub async fn stat(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let Some(argument) = argument else { return status(session) };
    if !session.is_in() {
        return Err(Refusal::say(530, phrase!("Log in with USER and PASS first.")));
    }
    let (flags, typed) = flags::split(Some(argument));
    let path = session.path(typed.unwrap_or_default())?;
    let (selection, name) = (selection(flags), typed.unwrap_or(b".").to_vec());
    let (kind, text) = session
        .store(&path, move |view, path| {
            let (entry, shape) = (view.entry(path)?, Shape::long(now()));
            match entry.kind {
                Kind::Directory if !flags.directory_itself => Ok((212, gather(view.list(path, selection)?, shape)?)),
                _ => Ok((213, shape.one(&name, &entry))),
            }
        })
        .await?;
    let first = phrase!("Status of {}:", path.absolute());
    let lines = text.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec());
    let lines = lines.filter(|line| !line.is_empty()).map(Text::from).collect();
    let last = if text.len() >= LARGEST_STAT { phrase!("There is more: use LIST.") } else { phrase!("End of status.") };
    Ok(Answer::Reply(Reply::multi(kind, first, lines, last)))
}

/// A listing's text, cut at [`LARGEST_STAT`].
fn gather(mut listing: Listing, mut shape: Shape) -> Result<Vec<u8>, StoreError> {
    let mut text = Vec::new();
    while listing.next_batch(|item| shape.write(item, &mut text))? && text.len() < LARGEST_STAT {}
    if text.len() > LARGEST_STAT {
        let end = text[..LARGEST_STAT].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        text.truncate(end);
        text.resize(LARGEST_STAT, b'\n');
    }
    Ok(text)
}

fn status(session: &Session) -> Outcome {
    let Session { origin, plan, restart, .. } = session;
    let who = match &session.who {
        Who::Stranger => phrase!("Nobody has logged in"),
        Who::Named(name) => phrase!("Waiting for the password of {}", printable(name)),
        Who::In(name, ..) => phrase!("Logged in as {}", printable(name)),
    };
    let kind = match session.representation {
        Representation::Ascii => "ASCII, form: Nonprint",
        Representation::Image => "Image",
    };
    let mode = match session.mode {
        Mode::Stream => phrase!("Stream"),
        Mode::Deflate => phrase!("compressed, level {}", session.level.number()),
    };
    let data = match plan {
        Plan::Unset => phrase!("No data connection is prepared"),
        Plan::Passive(expectation) => phrase!("Waiting for your data connection to port {}", expectation.port()),
        Plan::Early(early) => phrase!("Your data connection to port {} is here", early.port()),
        Plan::Active(to) => phrase!("Data will go to {}", *to),
    };
    let channel = match &session.security {
        None => phrase!("Plain text"),
        Some(security) if security.cleared => phrase!("Plain text again, after TLS"),
        Some(security) => phrase!("TLS: {}", security.to_string()),
    };
    let protection = match session.protection {
        Protection::Clear => phrase!("data connections in plain text"),
        Protection::Private => phrase!("data connections in TLS"),
    };
    let mut lines = vec![
        phrase!("gftp {}, session {}", env!("CARGO_PKG_VERSION"), origin.id),
        phrase!("Connected from {}", origin.peer),
        phrase!("{}; {}", channel, protection),
        who,
        phrase!("Type: {}; structure: File; mode: {}; restart at: {}", kind, mode, *restart),
        data,
    ];
    lines.extend(caps(&session.paced.caps()));
    Ok(Answer::Reply(Reply::multi(211, phrase!("Status:"), lines, phrase!("End of status."))))
}

/// How fast transfers may go, where anything caps them.
fn caps(caps: &Caps) -> Vec<Text> {
    let Caps { session, user, total } = caps;
    let shown = |rate: Option<NonZeroU64>| rate.map_or_else(|| phrase!("any speed"), |rate| show_rate(rate).into());
    let line = |rates: &Rates, said: fn(Text, Text) -> Text| {
        (*rates != Rates::default()).then(|| said(shown(rates.download), shown(rates.upload)))
    };
    let lines = [
        line(session, |down, up| phrase!("This session: downloads at {}, uploads at {}", down, up)),
        line(user, |down, up| phrase!("All your sessions together: downloads at {}, uploads at {}", down, up)),
        line(total, |down, up| phrase!("The whole server: downloads at {}, uploads at {}", down, up)),
    ];
    lines.into_iter().flatten().collect()
}

fn now() -> i64 {
    seconds(SystemTime::now())
}
