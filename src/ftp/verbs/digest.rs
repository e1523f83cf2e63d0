//! Digests of files, and parts of them: HASH (draft-bryan-ftpext-hash), XCRC, XMD5, XSHA and their like, and RANG
//! (draft-bryan-ftp-range). A digest is of the file's bytes as they are, whatever the TYPE.

use std::sync::Arc;

use gftp_plugin::rt;

use super::super::Shared;
use super::super::answer::{Answer, Outcome, Refusal, reason};
use super::super::data::digest::{Algorithm, Digest};
use super::super::data::lent::Lent;
use super::super::session::Session;
use super::super::wire::command::argument_path;
use super::super::wire::phrase::phrase;
use super::super::wire::range::{Part, parse_name_and_part, parse_rang};
use super::super::wire::reply::Reply;
use crate::store::{Reading, StoreError, VirtualPath};

/// Bytes of one piece: 4 ms of SHA-512, the slowest, so that turns are short, and a trip to the pool costs nothing beside.
const PIECE: usize = 1024 * 1024;

/// RANG: of REST and RANG the later holds, and each is forgotten by whatever does not take it.
pub async fn rang(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let Ok(part) = parse_rang(argument.unwrap_or_default()) else {
        return Err(Refusal::say(501, phrase!("Use: RANG <first> <last>, bytes from 0 on; RANG 1 0 takes it back.")));
    };
    session.part = part;
    match part {
        Some(part) => {
            Answer::say(350, phrase!("The next RETR or HASH is of bytes {} to {}.", part.start, part.end - 1))
        }
        None => Answer::say(350, phrase!("No range is set.")),
    }
}

/// OPTS HASH (§3.2): without a name, which algorithm it is.
pub fn choose(session: &mut Session, options: &[u8]) -> Outcome {
    if !options.is_empty() {
        let known = Algorithm::find(options);
        session.algorithm =
            known.ok_or_else(|| Refusal::say(501, phrase!("Not an algorithm of HASH; FEAT lists them.")))?;
    }
    Answer::say(200, session.algorithm.name().into())
}

/// HASH: `213 SHA-256 0-49 <digest> name`; the range is from the first to the last byte, and 0-0 for an empty file.
pub async fn hash(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    // A REST that came before is none of ours.
    let (part, _) = (session.part.take(), std::mem::take(&mut session.restart));
    let name = argument_path(argument.unwrap_or_default()).into_owned();
    let path = session.path(argument.unwrap_or_default())?;
    let opened = session
        .store(&path, move |view, path| match view.read(path) {
            Err(e @ (StoreError::IsDirectory | StoreError::NotRegular)) => Ok(Err(e)),
            Err(e) => Err(e),
            Ok(reading) => Ok(Ok((clipped(reading.size, part)?, reading))),
        })
        .await?;
    // §3.5 has 553 for what can have no digest.
    let (part, reading) = opened.map_err(|e| Refusal::say(553, phrase!("{}: {}.", path.absolute(), reason(&e))))?;
    let (algorithm, last) = (session.algorithm, part.end.saturating_sub(1).max(part.start));
    Ok(work(session, path, Hashing::new(algorithm, reading, part), move |digest| {
        let head = format!("{} {}-{last} {digest} ", algorithm.name(), part.start);
        Reply::new(213, [head.into_bytes(), name].concat().into())
    }))
}

/// What RANG asked for, as far as the file goes; the whole without it.
fn clipped(size: u64, part: Option<Part>) -> Result<Part, StoreError> {
    match part {
        None => Ok(Part { start: 0, end: size }),
        Some(part) if part.start < size => Ok(Part { end: part.end.min(size), ..part }),
        Some(_) => Err(StoreError::BeyondEnd { size }),
    }
}

/// XCRC.
pub async fn xcrc(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    x(session, argument, Algorithm::Crc32).await
}

/// XMD5.
pub async fn xmd5(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    x(session, argument, Algorithm::Md5).await
}

/// XSHA1 and XSHA.
pub async fn xsha1(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    x(session, argument, Algorithm::Sha1).await
}

/// XSHA256.
pub async fn xsha256(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    x(session, argument, Algorithm::Sha256).await
}

/// XSHA512.
pub async fn xsha512(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    x(session, argument, Algorithm::Sha512).await
}

/// The commands before HASH. No paper specifies them: they are answered 250 and capitals, as by most servers that have
/// them, with nothing but the digest, because there are clients that take all of the text for it.
async fn x(session: &mut Session, argument: Option<&[u8]>, algorithm: Algorithm) -> Outcome {
    let argument = argument.unwrap_or_default();
    let whole = session.path(argument);
    let (path, part, whole) = match parse_name_and_part(argument) {
        Ok((name, part)) if *name != *argument => (session.path(&name)?, Ok(part), whole.ok()),
        Ok(_) => (whole?, Ok(None), None),
        Err(bad) => {
            let whole = whole?;
            (whole.clone(), Err(bad), Some(whole))
        }
    };
    let opened = session.store(&path, move |view, path| {
        // A name that exists is never taken apart.
        match whole.map(|whole| view.read(&whole)) {
            Some(Ok(reading)) => return Ok(Some((clipped(reading.size, None)?, reading))),
            Some(Err(StoreError::NotFound)) | None => {}
            Some(Err(e)) => return Err(e),
        }
        let Ok(part) = part else { return Ok(None) };
        let reading = view.read(path)?;
        match part {
            // Cut in silence, the digest would be of something else than was asked for.
            Some(part) if part.end > reading.size => Err(StoreError::BeyondEnd { size: reading.size }),
            Some(part) => Ok(Some((part, reading))),
            None => Ok(Some((clipped(reading.size, None)?, reading))),
        }
    });
    let Some((part, reading)) = opened.await? else {
        return Err(Refusal::say(
            501,
            phrase!("Use: <path>, <path> <end> or <path> <start> <end>; a path may be quoted."),
        ));
    };
    Ok(work(session, path, Hashing::new(algorithm, reading, part), |digest| {
        Reply::new(250, digest.to_ascii_uppercase().into())
    }))
}

/// Digests piece by piece, and tells.
fn work(
    session: &Session,
    path: VirtualPath,
    hashing: Hashing,
    told: impl FnOnce(String) -> Reply + Send + 'static,
) -> Answer {
    let shared = Arc::clone(&session.shared);
    Answer::Work(Box::pin(async move {
        let digest = hashing.finish(&shared).await.map_err(|e| Refusal::about(&path, e))?;
        Ok(told(digest))
    }))
}

/// A digest in the making.
struct Hashing {
    reading: Lent,
    digest: Digest,
    left: Part,
    piece: Vec<u8>,
}

impl Hashing {
    fn new(algorithm: Algorithm, reading: Reading, part: Part) -> Hashing {
        Hashing { reading: reading.into(), digest: Digest::new(algorithm), left: part, piece: Vec::new() }
    }

    /// Reads without a turn at a core, since the disk may be slow, and digests in turn.
    async fn finish(mut self, shared: &Shared) -> Result<String, StoreError> {
        loop {
            let more;
            (self, more) = rt::unblock(move || {
                let more = self.read();
                (self, more)
            })
            .await;
            if !more? {
                return Ok(self.digest.hex());
            }
            self = shared
                .turns
                .take(move || {
                    self.digest.update(&self.piece);
                    self
                })
                .await;
        }
    }

    /// Reads the next piece; false at the end. A file that was written to meanwhile has no digest that means anything.
    fn read(&mut self) -> Result<bool, StoreError> {
        let (Some(reading), Part { start, end }) = (self.reading.get(), &mut self.left) else { return Ok(false) };
        if *start < *end {
            let room = usize::try_from(*end - *start).unwrap_or(PIECE).min(PIECE);
            self.piece.resize(room, 0);
            let count = reading.read_at(&mut self.piece, *start).map_err(StoreError::Io)?;
            self.piece.truncate(count);
            *start += count as u64;
            return if count > 0 { Ok(true) } else { Err(StoreError::ChangedMeanwhile) };
        }
        match reading.is_as_opened().map_err(StoreError::Io)? {
            true => Ok(false),
            false => Err(StoreError::ChangedMeanwhile),
        }
    }
}
