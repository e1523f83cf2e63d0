//! Streams of bytes: however they are cut, they mean the same.

use gftp::ftp::data::ascii::{FromNetwork, Position, ToNetwork};
use gftp::ftp::data::coding::{Decode, Encode, MOST_DECODED};
use gftp::ftp::data::deflate::{Deflate, Inflate, Level};
use gftp_plugin::inbox::{Inbox, Taken};
use gftp_plugin::telnet::Telnet;

use crate::pieces;

/// More than enough for what fits into one input, were it not for bombs.
const MOST_INFLATED: usize = 16 * 1024 * 1024;

/// TYPE A, both ways.
pub fn ascii(data: &[u8]) {
    let encoded = encode(&mut ToNetwork::default(), std::iter::once(data));
    assert_eq!(encoded, encode(&mut ToNetwork::default(), pieces(data)), "cuts do not matter on the way out");
    assert_eq!(encoded.len() as u64, ToNetwork::default().encoded_len(data), "SIZE counts what is sent");
    let decoded = decode(&mut FromNetwork::default(), std::iter::once(data));
    assert_eq!(decoded, decode(&mut FromNetwork::default(), pieces(data)), "nor on the way in");
    if !data.contains(&b'\r') {
        assert_eq!(
            decode(&mut FromNetwork::default(), std::iter::once(&encoded[..])),
            data,
            "text comes back as it went"
        );
    }
    let marker = data.first().map_or(0, |&byte| u64::from(byte).min(encoded.len() as u64));
    let mut position = Position::new(marker);
    let whole = position.feed(&[]).or_else(|| position.feed(data));
    let mut position = Position::new(marker);
    let in_pieces = position.feed(&[]).or_else(|| pieces(data).find_map(|piece| position.feed(piece)));
    assert_eq!(whole.map(|at| at.read_at), in_pieces.map(|at| at.read_at), "REST finds the same place");
    if let Some(mut resume) = whole {
        let rest = encode(&mut resume.encoder, std::iter::once(&data[resume.read_at as usize..]));
        assert!(encoded[marker as usize..] == rest, "RETR goes on where it stopped");
    }
}

/// MODE Z: any bytes as a compressed stream, and any bytes compressed and brought back.
pub fn deflate(data: &[u8]) {
    let mut inflate = Inflate::default();
    let (mut rest, mut total, mut out) = (data, 0, Vec::new());
    while let Ok(taken) = inflate.decode(rest, &mut out) {
        assert!(out.len() <= MOST_DECODED, "no more at once than was promised");
        let full = out.len() == MOST_DECODED;
        total += out.len();
        out.clear();
        rest = &rest[taken..];
        let has_nothing = rest.is_empty() || taken == 0;
        if (has_nothing && !full) || total > MOST_INFLATED {
            break;
        }
    }
    let mut deflate = Deflate::new(Level::default());
    let packed = encode(&mut deflate, pieces(data));
    assert_eq!(decode(&mut Inflate::default(), pieces(&packed)), data, "what is compressed comes back");
}

/// Telnet and lines: any bytes in any pieces become the same lines, none longer than it may be.
pub fn telnet(data: &[u8]) {
    /// Short, so that inputs reach it.
    const LONGEST: usize = 40;
    let whole = lines(std::iter::once(data), LONGEST);
    let cut = lines(pieces(data), LONGEST);
    for line in whole.iter().chain(&cut) {
        assert!(line.len() <= LONGEST && !line.contains(&b'\n'));
    }
    assert_eq!(whole, cut, "how a stream is cut makes no other lines");
}

fn lines<'a>(stream: impl Iterator<Item = &'a [u8]>, longest: usize) -> Vec<Vec<u8>> {
    let (mut telnet, mut inbox, mut lines) = (Telnet::default(), Inbox::default(), Vec::new());
    for piece in stream {
        telnet.take_apart(piece, |text| inbox.extend(text), |answer| assert!(matches!(answer, [255, 252 | 254, _])));
        while let Some(taken) = inbox.take_line(longest) {
            match taken {
                Taken::Line(line) => lines.push(line),
                Taken::TooLong | Taken::Endless => {}
                Taken::Http | Taken::Tls => return lines,
            }
        }
    }
    lines
}

fn encode<'a>(coder: &mut impl Encode, stream: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    stream.for_each(|piece| coder.encode(piece, &mut out));
    coder.finish(&mut out);
    out
}

/// Panics where the stream is not as it should be: for what was encoded by us.
fn decode<'a>(coder: &mut impl Decode, stream: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in stream {
        let mut rest = piece;
        loop {
            let mut some = Vec::new();
            let taken = coder.decode(rest, &mut some).expect("it follows the coding");
            let full = some.len() == MOST_DECODED;
            out.extend(some);
            rest = &rest[taken..];
            if rest.is_empty() && !full {
                break;
            }
        }
    }
    coder.finish(&mut out).expect("it is whole");
    out
}
