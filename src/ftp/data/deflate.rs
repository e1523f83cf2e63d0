//! MODE Z (draft-preston-ftpext-deflate): what travels is one zlib stream (RFC 1950), whose end is the end of the data.
//! Bounded against streams that grow without measure. Refuses to know files and sockets.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::coding::{Decode, Encode, Flaw, MOST_DECODED};

/// How hard to compress: 1 is fast, 9 is small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(u32);

impl Level {
    /// A level from 1 to 9. Not 0, which makes everything a little larger.
    pub fn new(level: u32) -> Option<Level> {
        (1..=9).contains(&level).then_some(Level(level))
    }

    /// As a number.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl Default for Level {
    /// Beyond it, text gets a few per cent smaller and takes several times as long.
    fn default() -> Level {
        Level(3)
    }
}

/// Room made for compressed bytes at once: a piece of a file is no larger.
const ROOM: usize = 64 * 1024;
/// So many inflated bytes are taken whatever they came from: no disk of a server is filled by them.
const UNSUSPECTED: u64 = 256 * 1024 * 1024;
/// Beyond [`UNSUSPECTED`], each byte that came may have become so many at most. Deflate can reach 1,032; text and logs
/// reach 20, tables of numbers 50.
const MOST_GROWTH: u64 = 100;

/// To the wire.
pub struct Deflate(Compress);

impl Deflate {
    /// A stream that begins here.
    pub fn new(level: Level) -> Self {
        Deflate(Compress::new(Compression::new(level.0), true))
    }

    fn run(&mut self, mut input: &[u8], flush: FlushCompress, out: &mut Vec<u8>) {
        loop {
            out.reserve(ROOM);
            let before = self.0.total_in();
            // An error means a misused stream, which cannot be here; ending without progress keeps it from looping.
            let Ok(status) = self.0.compress_vec(input, out, flush) else { return };
            let taken = usize::try_from(self.0.total_in() - before).unwrap_or(input.len());
            input = input.get(taken..).unwrap_or_default();
            let done = match flush {
                FlushCompress::Finish => status == Status::StreamEnd,
                // There was room left: it wants more input.
                _ => input.is_empty() && out.len() < out.capacity(),
            };
            if done {
                return;
            }
        }
    }
}

impl Encode for Deflate {
    fn encode(&mut self, input: &[u8], out: &mut Vec<u8>) {
        if !input.is_empty() {
            self.run(input, FlushCompress::None, out);
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.run(&[], FlushCompress::Finish, out);
    }

    fn is_dear(&self) -> bool {
        true
    }
}

/// From the wire.
pub struct Inflate {
    stream: Decompress,
    ended: bool,
}

impl Default for Inflate {
    fn default() -> Self {
        Inflate { stream: Decompress::new(true), ended: false }
    }
}

impl Decode for Inflate {
    fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, Flaw> {
        if self.ended {
            // The stream's own checksum has said that all is there: what follows is somebody's mistake.
            return if input.is_empty() { Ok(0) } else { Err(Flaw::Corrupt) };
        }
        let (taken_before, made_before) = (self.stream.total_in(), self.stream.total_out());
        out.resize(MOST_DECODED, 0);
        let status = self.stream.decompress(input, out, FlushDecompress::None).map_err(|_| Flaw::Corrupt)?;
        let (taken, made) = (self.stream.total_in() - taken_before, self.stream.total_out() - made_before);
        out.truncate(usize::try_from(made).unwrap_or_default());
        self.ended = status == Status::StreamEnd;
        let suspect = self.stream.total_out() > UNSUSPECTED;
        if suspect && self.stream.total_out() / MOST_GROWTH > self.stream.total_in() {
            return Err(Flaw::Bomb);
        }
        // Neither taken nor made anything of bytes that are there: it never will.
        if taken == 0 && made == 0 && !input.is_empty() && !self.ended {
            return Err(Flaw::Corrupt);
        }
        usize::try_from(taken).map_err(|_| Flaw::Corrupt)
    }

    fn finish(&mut self, _: &mut Vec<u8>) -> Result<(), Flaw> {
        if self.ended { Ok(()) } else { Err(Flaw::Cut) }
    }

    fn is_dear(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::ascii::{FromNetwork, ToNetwork};
    use super::super::coding::{Decoders, Encoders};
    use super::*;
    use proptest::prelude::*;

    fn encode(mut encoders: Encoders, pieces: &[&[u8]]) -> Vec<u8> {
        let mut out: Vec<u8> = pieces.iter().flat_map(|piece| encoders.encode(piece.to_vec(), false)).collect();
        out.extend(encoders.encode(Vec::new(), true));
        out
    }

    fn decode(mut decoders: Decoders, pieces: &[&[u8]]) -> Result<Vec<u8>, Flaw> {
        let mut out = Vec::new();
        for (piece, last) in pieces.iter().map(|piece| (*piece, false)).chain([(&[][..], true)]) {
            let mut rest = piece;
            loop {
                let step = decoders.step(rest, last)?;
                assert!(step.made.len() <= MOST_DECODED);
                out.extend(step.made);
                rest = &rest[step.taken..];
                if !step.more {
                    break;
                }
            }
        }
        Ok(out)
    }

    fn deflated(content: &[u8]) -> Vec<u8> {
        encode(Encoders::default().then(Deflate::new(Level::default())), &[content])
    }

    fn inflate() -> Decoders {
        Decoders::default().then(Inflate::default())
    }

    #[test]
    fn levels_are_one_to_nine() {
        assert!(Level::new(0).is_none() && Level::new(10).is_none());
        let sizes: Vec<_> = [1, 9]
            .map(|level| {
                let text: Vec<u8> = (0..20_000_u32)
                    .flat_map(|number| format!("the {} of {}; ", number % 97, number * 7 % 1001).into_bytes())
                    .collect();
                encode(Encoders::default().then(Deflate::new(Level::new(level).unwrap())), &[&text]).len()
            })
            .into();
        assert!(sizes[0] > sizes[1], "{sizes:?}");
    }

    #[test]
    fn what_is_cut_or_followed_by_something_is_told() {
        let whole = deflated(b"content");
        assert_eq!(decode(inflate(), &[&whole]).unwrap(), b"content");
        for end in 0..whole.len() {
            assert_eq!(decode(inflate(), &[&whole[..end]]), Err(Flaw::Cut), "{end}");
        }
        assert_eq!(decode(inflate(), &[&whole, b"x"]), Err(Flaw::Corrupt));
        assert_eq!(decode(inflate(), &[&[&whole[..], b"x"].concat()]), Err(Flaw::Corrupt));
        assert_eq!(decode(inflate(), &[b"content"]), Err(Flaw::Corrupt));
        let mut wrong_checksum = whole.clone();
        *wrong_checksum.last_mut().unwrap() ^= 1;
        assert_eq!(decode(inflate(), &[&wrong_checksum]), Err(Flaw::Corrupt));
    }

    #[test]
    fn a_bomb_is_not_followed_to_its_end() {
        let mut deflate = Encoders::default().then(Deflate::new(Level::new(9).unwrap()));
        let zeros = vec![0; 1024 * 1024];
        let mut bomb: Vec<u8> = (0..512).flat_map(|_| deflate.encode(zeros.clone(), false)).collect();
        bomb.extend(deflate.encode(Vec::new(), true));
        let (mut inflate, mut rest, mut made) = (inflate(), &bomb[..], 0);
        let flaw = loop {
            match inflate.step(rest, true) {
                Ok(step) => (rest, made) = (&rest[step.taken..], made + step.made.len()),
                Err(flaw) => break flaw,
            }
        };
        assert_eq!(flaw, Flaw::Bomb);
        assert!(made as u64 <= UNSUSPECTED + MOST_DECODED as u64, "{made}");
    }

    #[test]
    fn what_shrinks_well_is_no_bomb() {
        let log: Vec<u8> =
            (0..400_000_u32).flat_map(|number| format!("2026-11-25 line {number}\n").into_bytes()).collect();
        let wire = deflated(&log);
        assert_eq!(decode(inflate(), &[&wire]).unwrap().len(), log.len());
        let zeros = vec![0; 64 * 1024 * 1024];
        assert_eq!(decode(inflate(), &[&deflated(&zeros)]).unwrap().len(), zeros.len());
    }

    proptest! {
        #[test]
        fn cut_anywhere_it_comes_back(content: Vec<u8>, repeats in 1..200_usize, a: prop::sample::Index, b: prop::sample::Index) {
            let content = content.repeat(repeats);
            let (a, b) = (a.index(content.len() + 1), b.index(content.len() + 1));
            let (a, b) = (a.min(b), a.max(b));
            let pieces = [&content[..a], &content[a..b], &content[b..]];
            let wire = encode(Encoders::default().then(Deflate::new(Level::default())), &pieces);
            let cut = wire.len() * a / (content.len() + 1);
            prop_assert_eq!(decode(inflate(), &[&wire[..cut], &wire[cut..]]).unwrap(), content);
        }

        /// TYPE A and MODE Z together: the text is converted, then compressed.
        #[test]
        fn codings_stack(lines in prop::collection::vec("[a-z]{0,40}", 0..200)) {
            let text = lines.join("\n").into_bytes();
            let encoders = Encoders::default().then(ToNetwork::default()).then(Deflate::new(Level::default()));
            let wire = encode(encoders, &[&text]);
            let crlf = lines.join("\r\n").into_bytes();
            prop_assert_eq!(decode(inflate(), &[&wire]).unwrap(), crlf);
            prop_assert_eq!(decode(inflate().then(FromNetwork::default()), &[&wire]).unwrap(), text);
        }

        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            let _ = decode(inflate(), &[&bytes]);
            let _ = decode(inflate(), &[&[b"\x78\x9c", &bytes[..]].concat()]);
        }
    }
}
