//! SITE (RFC 959 §4.1.3): what this server has of its own.

use std::time::Duration;

use super::super::answer::{Answer, Outcome, Refusal, code_of, reason};
use super::super::roll::Seen;
use super::super::session::{Session, Who};
use super::super::wire::changes::parse_mode;
use super::super::wire::phrase::{Text, phrase};
use super::super::wire::printable::printable;
use super::super::wire::reply::Reply;
use super::super::wire::words::words;
use super::first_word;
use super::table::{SITE, Verb, find_site};
use crate::store::Usage;

/// The shortest time that a client may ask to be silent: less is a client that throws itself out.
const LEAST_IDLE: Duration = Duration::from_secs(30);
/// Digits of a number of seconds: a century has ten.
const MOST_IDLE_DIGITS: usize = 10;
/// Sessions that SITE WHO shows; a listing of thousands is no reply.
const MOST_SHOWN: usize = 100;

/// SITE with a word that is in no table.
pub async fn unknown(_: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let (word, _) = first_word(argument.unwrap_or_default());
    Err(Refusal::say(504, phrase!("SITE {} is not known here; SITE HELP lists what is.", printable(word))))
}

/// SITE HELP, and HELP SITE (RFC 959 §4.1.3).
pub async fn help(_: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let told = |verb: &Verb| phrase!("{}: {} ({}).", verb.usage(), Text::phrase(verb.help, Vec::new()), verb.rfc);
    match argument {
        None => {
            let lines = SITE.iter().map(told).collect();
            Ok(Answer::Reply(Reply::multi(214, phrase!("SITE commands:"), lines, phrase!("End of SITE commands."))))
        }
        Some(name) => match find_site(name) {
            Some(verb) => Answer::say(214, told(verb)),
            None => Err(Refusal::say(502, phrase!("SITE {} is not known here.", printable(name)))),
        },
    }
}

/// SITE CHMOD: what mirroring clients send after an upload.
pub async fn chmod(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let (digits, name) = first_word(argument.unwrap_or_default());
    let (Some(mode), false) = (parse_mode(digits), name.is_empty()) else {
        return Err(Refusal::say(501, phrase!("Use: SITE CHMOD <mode> <path>, the mode as in 644.")));
    };
    let path = session.path(name)?;
    session.store(&path, move |view, path| view.set_permissions(path, mode)).await?;
    Answer::say(200, phrase!("Permissions set."))
}

/// SITE UMASK: shows it, or sets it for the rest of the session.
pub async fn umask(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    /// The widest umask takes every permission.
    const WIDEST: u32 = 0o777;
    let old = session.view()?.umask();
    let Some(argument) = argument else {
        return Answer::say(200, phrase!("The umask is {}.", format!("{old:03o}")));
    };
    let Some(umask) = parse_mode(argument).filter(|&umask| umask <= WIDEST) else {
        return Err(Refusal::say(501, phrase!("Use: SITE UMASK <mask>, as 022, 027 or 077.")));
    };
    if let Who::In(_, view, _) = &mut session.who {
        view.set_umask(umask).map_err(|e| Refusal::say(code_of(&e), phrase!("SITE UMASK: {}.", reason(&e))))?;
    }
    Answer::say(200, phrase!("The umask is {}; it was {}.", format!("{umask:03o}"), format!("{old:03o}")))
}

/// SITE IDLE: shows how long the client may be silent, or sets it; the conversation keeps to it.
pub async fn idle(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let most = session.shared.max_idle;
    let least = LEAST_IDLE.min(most);
    let Some(argument) = argument else {
        let (idle, most) = (session.idle.as_secs(), most.as_secs());
        return Answer::say(200, phrase!("A session may be silent for {} seconds; {} at most.", idle, most));
    };
    let digits = argument.len() <= MOST_IDLE_DIGITS && argument.iter().all(u8::is_ascii_digit);
    let seconds = std::str::from_utf8(argument).ok().filter(|_| digits).and_then(|text| text.parse().ok());
    match seconds.map(Duration::from_secs) {
        Some(idle) if (least..=most).contains(&idle) => {
            session.idle = idle;
            Answer::say(200, phrase!("This session may now be silent for {} seconds.", idle.as_secs()))
        }
        _ => {
            let (least, most) = (least.as_secs(), most.as_secs());
            Err(Refusal::say(501, phrase!("Use: SITE IDLE <seconds>, from {} to {}.", least, most)))
        }
    }
}

/// SITE SYMLINK: two names.
pub async fn symlink(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let names = words(argument.unwrap_or_default()).unwrap_or_default();
    let [target, link] = names.as_slice() else {
        return Err(Refusal::say(501, phrase!("Use: SITE SYMLINK <target> <link>; names with blanks in quotes.")));
    };
    let (target, link) = (session.path(target)?, session.path(link)?);
    let shown = target.absolute();
    session.store(&link, move |view, link| view.make_link(&target, link)).await?;
    Answer::say(200, phrase!("{} leads to {} now.", link.absolute(), shown))
}

/// SITE WHO: everything about the sessions of one's own account, and of others only how many there are. Visitors
/// without an account share a name and nothing else: each sees only itself.
pub async fn who(session: &mut Session, _: Option<&[u8]>) -> Outcome {
    let Who::In(name, ..) = &session.who else {
        return Err(Refusal::say(530, phrase!("Log in with USER and PASS first.")));
    };
    let id = session.origin.id;
    let alone = session.is_anonymous();
    let own = |session: u64, other: &[u8]| session == id || (!alone && other == name.as_slice());
    let (all, seen) = session.shared.roll.seen(MOST_SHOWN, own);
    let others = all.saturating_sub(seen.len());
    let lines = seen.into_iter().map(|seen| told(seen, id)).collect();
    Ok(Answer::Reply(Reply::multi(211, phrase!("Your sessions:"), lines, phrase!("Other sessions: {}.", others))))
}

fn told(seen: Seen, own: u64) -> Text {
    let here_for = humantime::format_duration(Duration::from_secs(seen.here_for.as_secs())).to_string();
    let doing = match seen.doing {
        Some(command) => phrase!("busy with {}", printable(&command)),
        None if seen.session == own => phrase!("this one"),
        None => phrase!("idle"),
    };
    phrase!("{} from {}, here for {}, {}", seen.session, seen.peer, here_for, doing)
}

/// SITE QUOTA: what is used of it, and what is allowed; without one, what the disk has.
pub async fn quota(session: &mut Session, _: Option<&[u8]>) -> Outcome {
    let directory = session.directory.clone();
    let asked = session.store(&directory, |view, path| Ok((view.space(path)?, view.usage()?))).await?;
    let (free, Some(Usage { bytes, files, quota })) = asked else {
        return Answer::say(200, phrase!("No quota is set; the disk has {} bytes free.", asked.0));
    };
    let bytes = match quota.bytes {
        Some(most) => phrase!("{} of {} bytes", bytes, most),
        None => phrase!("{} bytes", bytes),
    };
    let files = match quota.files {
        Some(most) => phrase!("{} of {} files and folders", files, most),
        None => phrase!("{} files and folders", files),
    };
    Answer::say(200, phrase!("Used: {}, {}; there is room for {} bytes.", bytes, files, free))
}
