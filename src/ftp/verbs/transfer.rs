//! Data connections and file transfers: PASV, EPSV, PORT, EPRT, RETR, STOR, STOU, APPE, ALLO, REST, ABOR. The bytes
//! themselves are moved later, by the conversation; here a transfer is only made ready.

use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use super::super::answer::{Answer, Outcome, Refusal, Start, Transfer};
use super::super::data::Plan;
use super::super::data::ascii::{FromNetwork, Position, Resume, ToNetwork};
use super::super::data::passive::Expectation;
use super::super::data::pump::{Road, TEXT_PIECE};
use super::super::journal;
use super::super::session::{Mode, Representation, Session};
use super::super::wire::address::{BadAddress, EpsvRequest, epsv_text, parse_eprt, parse_epsv, parse_port, pasv_text};
use super::super::wire::phrase::{Text, phrase};
use super::super::wire::range::{LARGEST_OFFSET, parse_decimal};
use crate::store::{How, StoreError, Upload, View, VirtualPath};

/// Ports below this belong to services that a data connection must not be made to speak to (RFC 2577 §3).
const FIRST_PORT: u16 = 1024;

/// PASV.
pub async fn pasv(session: &mut Session, _: Option<&[u8]>) -> Outcome {
    only_epsv(session)?;
    let Some(address) = session.shared.passive.announced(&session.origin) else {
        return Err(Refusal::say(425, phrase!("PASV is for IPv4; you came over IPv6, use EPSV.")));
    };
    let port = expect(session).await?;
    Answer::say(227, pasv_text(SocketAddrV4::new(address, port)).into())
}

/// EPSV (RFC 2428 §3): the data connection has the family of the control connection.
pub async fn epsv(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let request = parse_epsv(argument).map_err(bad_address)?;
    match (request, session.origin.local.ip()) {
        (EpsvRequest::All, _) => {
            session.only_epsv = true;
            return Answer::say(200, phrase!("EPSV ALL: no other way to make data connections from now on."));
        }
        (EpsvRequest::V6, IpAddr::V4(_)) => {
            return Err(Refusal::say(522, phrase!("You came over IPv4: use EPSV or EPSV 1 (1).")));
        }
        (EpsvRequest::V4, IpAddr::V6(_)) => {
            return Err(Refusal::say(522, phrase!("You came over IPv6: use EPSV or EPSV 2 (2).")));
        }
        _ => {}
    }
    let port = expect(session).await?;
    Answer::say(229, epsv_text(port).into())
}

/// The port for the client to come to. What was planned before is off.
async fn expect(session: &mut Session) -> Result<u16, Refusal> {
    session.plan = Plan::Unset;
    let expectation: Result<Expectation, _> = session.shared.passive.expect(&session.origin).await;
    let expectation = expectation.map_err(|e| Refusal::say(425, phrase!("{}.", e.words())))?;
    let port = expectation.port();
    session.plan = Plan::Passive(Box::new(expectation));
    Ok(port)
}

/// PORT.
pub async fn port(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    only_epsv(session)?;
    let address = parse_port(argument.unwrap_or_default()).map_err(bad_address)?;
    active(session, address.into())
}

/// EPRT (RFC 2428 §2).
pub async fn eprt(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    only_epsv(session)?;
    let address = parse_eprt(argument.unwrap_or_default()).map_err(bad_address)?;
    active(session, address)
}

/// Data goes to the client itself or nowhere: a server that connects where it is told is a weapon (RFC 2577 §3).
fn active(session: &mut Session, address: SocketAddr) -> Outcome {
    // From another address than the one that it dialled, and past the proxy: few clients would take it.
    if session.origin.proxy.is_some() {
        return Err(Refusal::say(
            504,
            phrase!("There is a proxy between us, which only passive mode passes: send PASV or EPSV."),
        ));
    }
    // lftp announces the unspecified address over IPv6; it can only mean its own.
    let ip = if address.ip().is_unspecified() { session.origin.peer.ip() } else { address.ip().to_canonical() };
    if ip != session.origin.peer.ip() {
        journal::refused_to_connect(session, address);
        let peer = session.origin.peer;
        return Err(Refusal::say(504, phrase!("Data goes to your own address only, {}; or use PASV.", peer.ip())));
    }
    if address.port() < FIRST_PORT {
        return Err(Refusal::say(504, phrase!("Data goes to ports from 1024 on only.")));
    }
    session.plan = Plan::Active(SocketAddr::new(ip, address.port()));
    Answer::say(200, phrase!("Data will go there."))
}

fn only_epsv(session: &Session) -> Result<(), Refusal> {
    match session.only_epsv {
        true => Err(Refusal::say(503, phrase!("You sent EPSV ALL: only EPSV from now on."))),
        false => Ok(()),
    }
}

fn bad_address(error: BadAddress) -> Refusal {
    let code = if matches!(error, BadAddress::UnknownProtocol) { 522 } else { 501 };
    Refusal::say(code, phrase!("{}.", error.words()))
}

/// RETR, from where REST said, or the part that RANG said (draft-bryan-ftp-range-08 §4.3): as much as there is of it.
pub async fn retr(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let (from, part) = (std::mem::take(&mut session.restart), session.part.take());
    let path = session.path(argument.unwrap_or_default())?;
    let text = session.representation == Representation::Ascii;
    if part.is_some() && (text || session.mode != Mode::Stream) {
        let told = phrase!("RANG is of a file's bytes as they are: send TYPE I and MODE S, then RANG again.");
        return Err(Refusal::say(551, told));
    }
    let open = move |view: &View, path: &VirtualPath| {
        let reading = view.read(path)?;
        if let Some(part) = &part {
            let reading = reading.until(part.end);
            let from = part.start.min(reading.size);
            return Ok((reading, from, None));
        }
        match (text, reading.size) {
            (true, _) => {
                let Resume { read_at, encoder, .. } = find_marker(from, |piece, at| reading.read_at(piece, at))?;
                Ok((reading, read_at, Some(encoder)))
            }
            (false, size) if from > size => Err(StoreError::BeyondEnd { size }),
            (false, _) => Ok((reading, from, None)),
        }
    };
    // In a text the place to begin at has to be looked for.
    let opened = if text && from > 0 { session.store(&path, open).await } else { session.look_up(&path, open).await };
    let (reading, from, coding) = opened?;
    let size = if part.is_some() { reading.size - from } else { reading.size };
    let road = Road::Send(reading, from, session.encoders(coding));
    // Clients take the size for their progress bar from "(N bytes)"; that of a text in transfer is not known.
    let opening = match text {
        true => opening("ASCII", &path, None),
        false => opening("BINARY", &path, Some(size)),
    };
    Ok(transfer("sent", path, opening, false, road, None, Start::At(from)))
}

/// STOR, from where REST said.
pub async fn stor(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let how = match std::mem::take(&mut session.restart) {
        0 => How::Replace,
        offset => How::ResumeAt(offset),
    };
    let path = session.path(argument.unwrap_or_default())?;
    receive(session, path, how).await
}

/// APPE.
pub async fn appe(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let path = session.path(argument.unwrap_or_default())?;
    receive(session, path, How::Append).await
}

/// STOU: the argument, if any, is a wish.
pub async fn stou(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let path = session.path(argument.unwrap_or_default())?;
    receive(session, path, How::Unique).await
}

async fn receive(session: &mut Session, path: VirtualPath, how: How) -> Outcome {
    let announced = session.announced.take();
    let text = session.representation == Representation::Ascii;
    let is_stou = matches!(how, How::Unique);
    let start = match how {
        How::ResumeAt(offset) => Start::At(offset),
        How::Append | How::AppendKept => Start::End,
        How::Replace | How::Unique => Start::At(0),
    };
    let opened = session.store(&path, move |view, path| {
        let there = if let How::ResumeAt(offset) = how { offset } else { 0 };
        if let Some(size) = announced
            && view.disk_space(path)? < size.saturating_sub(there)
        {
            return Err(StoreError::Full);
        }
        let (mut upload, decoder) = match how {
            // REST counts transferred bytes, of which a text file on disk has fewer (RFC 3659 §5.3).
            How::ResumeAt(marker) if text => resume_text(view.upload(path, How::AppendKept)?, marker)
                .map(|(upload, decoder)| (upload, Some(decoder)))?,
            how => (view.upload(path, how)?, text.then(FromNetwork::default)),
        };
        if let Err(e) = upload.expect(announced.unwrap_or_default().saturating_sub(there)) {
            // What was kept of an earlier upload is kept on.
            upload.keep();
            return Err(e);
        }
        Ok((Box::new(upload), decoder))
    });
    let (upload, decoder) = opened.await?;
    // The store chooses for STOR too where the account may not touch what stands.
    let unique = upload.has_chosen_name();
    let opening = match is_stou {
        true => [b"FILE: ".as_slice(), &upload.name()].concat().into(),
        false => opening(if text { "ASCII" } else { "BINARY" }, if unique { upload.path() } else { &path }, None),
    };
    let road = Road::Receive(upload, session.decoders(decoder));
    Ok(transfer("received", path, opening, unique, road, announced, start))
}

/// Cuts an upload that holds the whole old text back to where `marker` transferred bytes end.
fn resume_text(mut upload: Upload, marker: u64) -> Result<(Upload, FromNetwork), StoreError> {
    let found = find_marker(marker, |piece, offset| upload.read_at(piece, offset));
    match found.and_then(|resume| upload.cut(resume.write_at).map(|()| resume.decoder)) {
        Ok(decoder) => Ok((upload, decoder)),
        Err(e) => {
            // What was kept of an earlier upload is kept on.
            upload.keep();
            Err(e)
        }
    }
}

/// Where in a text file `marker` transferred bytes end. Reads the file up to there.
fn find_marker(
    marker: u64,
    mut read_at: impl FnMut(&mut [u8], u64) -> std::io::Result<usize>,
) -> Result<Resume, StoreError> {
    let (mut position, mut offset, mut piece) = (Position::new(marker), 0, Vec::new());
    // The beginning of the file needs no reading to be found.
    if let Some(resume) = position.feed(&[]) {
        return Ok(resume);
    }
    piece.resize(TEXT_PIECE, 0);
    loop {
        let count = read_at(&mut piece, offset).map_err(StoreError::Io)?;
        if let Some(resume) = position.feed(&piece[..count]) {
            return Ok(resume);
        }
        if count == 0 {
            return Err(StoreError::BeyondEnd { size: marker.saturating_sub(position.missing()) });
        }
        offset += count as u64;
        if offset > LARGEST_COUNTED {
            return Err(StoreError::TooMany {
                what: "bytes to count in TYPE A; use TYPE I",
                limit: LARGEST_COUNTED as usize,
            });
        }
    }
}

/// How many bytes a file is in TYPE A.
pub fn text_size(reading: &crate::store::Reading) -> std::io::Result<u64> {
    let (mut coding, mut piece) = (ToNetwork::default(), vec![0; TEXT_PIECE]);
    let (mut size, mut offset) = (0, 0);
    loop {
        match reading.read_at(&mut piece, offset)? {
            0 => return Ok(size),
            count => {
                size += coding.encoded_len(&piece[..count]);
                offset += count as u64;
            }
        }
    }
}

fn opening(how: &'static str, path: &VirtualPath, size: Option<u64>) -> Text {
    let path = path.absolute();
    match size {
        Some(size) => phrase!("Opening {} mode data connection for {} ({} bytes).", how, path, size),
        None => phrase!("Opening {} mode data connection for {}.", how, path),
    }
}

fn transfer(
    done: &'static str,
    path: VirtualPath,
    opening: Text,
    unique: bool,
    road: Road,
    announced: Option<u64>,
    start: Start,
) -> Answer {
    Answer::Transfer(Box::new(Transfer { done, path, opening, unique, road, announced, start }))
}

/// ALLO: answered 200, since some cameras take 202 for a reason to ask for ever. The size is remembered: a disk that
/// cannot hold it is said before the bytes are sent, and the 226 says whether just that much came.
pub async fn allo(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let mut words = argument.unwrap_or_default().split(|&byte| byte == b' ');
    // "ALLO 100 R 10" tells of records, which a stream of bytes does not have.
    session.announced = match words.next().map(parse_decimal) {
        Some(None) if argument.is_some() => return Err(Refusal::say(501, phrase!("Use: ALLO <bytes>, a number."))),
        size => size.flatten(),
    };
    Answer::say(200, phrase!("Noted."))
}

/// REST (RFC 3659 §5).
pub async fn rest(session: &mut Session, argument: Option<&[u8]>) -> Outcome {
    let Some(offset) = parse_decimal(argument.unwrap_or_default()) else {
        return Err(Refusal::say(501, phrase!("Use: REST <offset>, a number of bytes.")));
    };
    if offset > LARGEST_OFFSET {
        return Err(Refusal::say(501, phrase!("No file is that large.")));
    }
    session.restart = offset;
    Answer::say(350, phrase!("The next transfer begins at {}.", offset))
}

/// ABOR where nothing runs, or nothing any more: a running transfer is stopped by the conversation, which then comes
/// here for the second reply (RFC 959 §4.1.3).
pub async fn abor(session: &mut Session, _: Option<&[u8]>) -> Outcome {
    session.plan = Plan::Unset;
    Answer::say(226, phrase!("Nothing is being transferred."))
}

/// For listings, which share the way transfers are made ready.
pub fn listing(session: &Session, path: VirtualPath, lines: super::super::data::pump::Lines) -> Answer {
    let road = Road::SendLines(lines, session.encoders(None));
    transfer("listed", path, phrase!("Here comes the listing."), false, road, None, Start::At(0))
}

/// SIZE and REST in TYPE A read the file; this is how much they may read at most: about a second from memory, which
/// nobody can cut short.
pub const LARGEST_COUNTED: u64 = 1024 * 1024 * 1024;

/// Opens a file to count its size in TYPE A, if it is not too large for that.
pub fn count_text(view: &View, path: &VirtualPath) -> Result<Option<u64>, StoreError> {
    let reading = view.read(path)?;
    if reading.size > LARGEST_COUNTED {
        return Ok(None);
    }
    text_size(&reading).map(Some).map_err(StoreError::Io)
}
