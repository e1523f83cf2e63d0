//! The codings of TYPE A (RFC 959 §3.1.1.1): lines end in LF in a file and in CRLF on the wire. Exact across the edges
//! of buffers. Refuses to know files and sockets.

use memchr::memchr;

use super::coding::{Decode, Encode, Flaw, MOST_DECODED};

const CR: u8 = b'\r';
const LF: u8 = b'\n';

/// File to wire: an LF that no CR precedes becomes CRLF; a CRLF stays as it is, so that a file with the line ends of
/// another system is not garbled.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ToNetwork {
    /// Whether the last byte on the wire was a CR.
    last_was_cr: bool,
}

impl Encode for ToNetwork {
    /// At most twice as long.
    fn encode(&mut self, input: &[u8], out: &mut Vec<u8>) {
        out.reserve(input.len());
        let mut rest = input;
        while let Some((line, after)) = memchr(LF, rest).and_then(|at| rest.split_at_checked(at)) {
            out.extend_from_slice(line);
            let last_was_cr = line.last().map_or(self.last_was_cr, |&byte| byte == CR);
            out.extend_from_slice(if last_was_cr { b"\n" } else { b"\r\n" });
            self.last_was_cr = false;
            rest = after.get(1..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
        self.last_was_cr = rest.last().map_or(self.last_was_cr, |&byte| byte == CR);
    }

    fn finish(&mut self, _: &mut Vec<u8>) {}
}

impl ToNetwork {
    /// How many bytes [`encode`](Encode::encode) would append, without writing any; counts for SIZE.
    pub fn encoded_len(&mut self, input: &[u8]) -> u64 {
        let Some((&first, &last)) = input.first().zip(input.last()) else {
            return 0;
        };
        // Pairs of neighbours are counted by the processor many at a time; the first byte has its neighbour before.
        let inside = input.iter().zip(input.iter().skip(1)).filter(|&(&a, &b)| (a != CR) & (b == LF)).count();
        let length = input.len() as u64 + inside as u64 + u64::from(first == LF && !self.last_was_cr);
        self.last_was_cr = last == CR;
        length
    }
}

/// Wire to file: CRLF becomes LF. A CR or an LF alone stays, so that what is no text is harmed as little as can be.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct FromNetwork {
    /// Whether a CR ended the last piece: what follows decides what it is.
    held_cr: bool,
}

impl Decode for FromNetwork {
    /// At most one byte more than its length.
    fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, Flaw> {
        let input = input.get(..MOST_DECODED - 1).unwrap_or(input);
        let Some(&first) = input.first() else { return Ok(0) };
        if self.held_cr && first != LF {
            out.push(CR);
        }
        self.held_cr = false;
        let mut rest = input;
        while let Some((before, after)) = memchr(CR, rest).and_then(|at| rest.split_at_checked(at)) {
            out.extend_from_slice(before);
            rest = after.get(1..).unwrap_or_default();
            match rest.first() {
                Some(&LF) => {}
                Some(_) => out.push(CR),
                None => self.held_cr = true,
            }
        }
        out.extend_from_slice(rest);
        Ok(input.len())
    }

    /// A CR is held back until it is known what follows.
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Flaw> {
        if std::mem::take(&mut self.held_cr) {
            out.push(CR);
        }
        Ok(())
    }
}

/// Finds the place in a file that a restart marker of TYPE A means: REST counts the bytes that were transferred, not
/// those of the file (RFC 3659 §5.3).
#[derive(Debug, Clone)]
pub struct Position {
    /// Bytes on the wire before the marker that no byte of the file has covered yet.
    left: u64,
    /// Bytes of the file that lie before.
    offset: u64,
    encoder: ToNetwork,
}

/// Where a transfer of TYPE A goes on. A marker may lie between CR and LF; both directions then go on exactly there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume {
    /// Where RETR reads on in the file.
    pub read_at: u64,
    /// What encodes the bytes from there.
    pub encoder: ToNetwork,
    /// Where STOR cuts the file and writes on.
    pub write_at: u64,
    /// What decodes the bytes from the wire; it holds a CR that the marker already counts.
    pub decoder: FromNetwork,
}

/// How many bytes are counted at once before the place is looked for one by one.
const SPAN: usize = 4096;

impl Position {
    /// Looks for the place that `marker` bytes on the wire lie before.
    pub fn new(marker: u64) -> Position {
        Position { left: marker, offset: 0, encoder: ToNetwork::default() }
    }

    /// Takes the next bytes of the file, from its start; the place as soon as it is known. Also to be asked with no
    /// bytes before the first are read, since marker 0 needs none.
    pub fn feed(&mut self, input: &[u8]) -> Option<Resume> {
        for span in input.chunks(SPAN) {
            let mut encoder = self.encoder;
            let length = encoder.encoded_len(span);
            if length > self.left {
                return Some(self.walk(span));
            }
            self.left -= length;
            self.offset += span.len() as u64;
            self.encoder = encoder;
        }
        (self.left == 0).then(|| self.resume())
    }

    /// How many bytes on the wire the marker lies beyond what was fed: not 0 at the end of the file means that it
    /// names no place in it.
    pub fn missing(&self) -> u64 {
        self.left
    }

    /// Goes byte by byte through a span in which the place lies.
    fn walk(&mut self, span: &[u8]) -> Resume {
        for byte in span {
            let mut encoder = self.encoder;
            let length = encoder.encoded_len(std::slice::from_ref(byte));
            if length > self.left {
                break;
            }
            self.left -= length;
            self.offset += 1;
            self.encoder = encoder;
        }
        self.resume()
    }

    fn resume(&self) -> Resume {
        // One byte is left only before an LF whose CR the marker counts: that CR is on the wire but not in the file.
        let between = self.left != 0;
        let after_cr_of_file = self.encoder.last_was_cr && !between;
        Resume {
            read_at: self.offset,
            encoder: ToNetwork { last_was_cr: between || self.encoder.last_was_cr },
            // A CR of the file goes back into the decoder: an LF that follows it must undo it, as it would have
            // without the interruption.
            write_at: self.offset.saturating_sub(u64::from(after_cr_of_file)),
            decoder: FromNetwork { held_cr: between || after_cr_of_file },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A file, a marker, and the four fields of the place.
    type Case = (&'static [u8], u64, Option<(u64, bool, u64, bool)>);

    fn encode(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut encoder, mut out) = (ToNetwork::default(), Vec::new());
        pieces.iter().for_each(|piece| encoder.encode(piece, &mut out));
        out
    }

    fn decode(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut decoder, mut out) = (FromNetwork::default(), Vec::new());
        for piece in pieces {
            assert_eq!(decoder.decode(piece, &mut out), Ok(piece.len()));
        }
        decoder.finish(&mut out).unwrap();
        out
    }

    #[test]
    fn to_network() {
        let table: &[(&[u8], &[u8])] = &[
            (b"", b""),
            (b"a\nb", b"a\r\nb"),
            (b"\n\n", b"\r\n\r\n"),
            (b"a\r\nb\n", b"a\r\nb\r\n"),
            (b"\r\r\n\r", b"\r\r\n\r"),
            (b"\r\n\n", b"\r\n\r\n"),
            (b"a\rb", b"a\rb"),
        ];
        for (file, wire) in table {
            assert_eq!(encode(&[file]), *wire);
        }
    }

    #[test]
    fn from_network() {
        let table: &[(&[u8], &[u8])] = &[
            (b"", b""),
            (b"a\r\nb", b"a\nb"),
            (b"a\rb\nc", b"a\rb\nc"),
            (b"\r\r\n", b"\r\n"),
            (b"a\r", b"a\r"),
            (b"\r\r", b"\r\r"),
            (b"\n\r", b"\n\r"),
        ];
        for (wire, file) in table {
            assert_eq!(decode(&[wire]), *file);
        }
    }

    #[test]
    fn places() {
        let place = |file: &[u8], marker| {
            let resume = Position::new(marker).feed(file)?;
            Some((resume.read_at, resume.encoder.last_was_cr, resume.write_at, resume.decoder.held_cr))
        };
        let table: &[Case] = &[
            (b"", 0, Some((0, false, 0, false))),
            (b"", 1, None),
            (b"a\nb", 1, Some((1, false, 1, false))),
            (b"a\nb", 2, Some((1, true, 1, true))),
            (b"a\nb", 3, Some((2, false, 2, false))),
            (b"a\nb", 4, Some((3, false, 3, false))),
            (b"a\nb", 5, None),
            (b"a\r\nb", 2, Some((2, true, 1, true))),
            (b"a\r", 2, Some((2, true, 1, true))),
            (b"\n", 1, Some((0, true, 0, true))),
            (b"\n", u64::MAX, None),
        ];
        for (file, marker, expected) in table {
            assert_eq!(place(file, *marker), *expected, "{file:?} {marker}");
        }
    }

    /// Bytes in which line ends are frequent, long enough to cross a span now and then.
    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop::sample::select(&b"\r\r\n\n\na\0"[..]);
        prop_oneof![prop::collection::vec(byte.clone(), 0..24), prop::collection::vec(byte, SPAN - 4..SPAN + 4)]
    }

    proptest! {
        #[test]
        fn cut_anywhere_is_the_same(text in texts(), a: prop::sample::Index, b: prop::sample::Index) {
            let (a, b) = (a.index(text.len() + 1), b.index(text.len() + 1));
            let (a, b) = (a.min(b), a.max(b));
            let pieces = [&text[..a], &text[a..b], &text[b..]];
            prop_assert_eq!(encode(&pieces), encode(&[&text]));
            prop_assert_eq!(decode(&pieces), decode(&[&text]));
            let mut counter = ToNetwork::default();
            let counted: u64 = pieces.iter().map(|piece| counter.encoded_len(piece)).sum();
            prop_assert_eq!(counted, encode(&[&text]).len() as u64);
            let marker = counted / 2;
            let mut position = Position::new(marker);
            let in_pieces = pieces.iter().find_map(|piece| position.feed(piece));
            prop_assert_eq!(in_pieces, Position::new(marker).feed(&text));
        }

        #[test]
        fn text_without_cr_comes_back(text in texts()) {
            let text: Vec<u8> = text.into_iter().filter(|&byte| byte != CR).collect();
            prop_assert_eq!(decode(&[&encode(&[&text])]), text);
        }

        #[test]
        fn no_lone_lf_leaves(text in texts()) {
            let wire = encode(&[&text]);
            prop_assert_ne!(wire.first(), Some(&LF));
            prop_assert!(wire.windows(2).all(|pair| pair[1] != LF || pair[0] == CR));
        }

        /// RETR from any marker sends exactly what a whole transfer would have sent from there.
        #[test]
        fn download_goes_on_at_any_marker(text in texts(), marker: prop::sample::Index) {
            let wire = encode(&[&text]);
            let marker = marker.index(wire.len() + 1);
            let mut resume = Position::new(marker as u64).feed(&text).unwrap();
            let mut out = Vec::new();
            resume.encoder.encode(&text[resume.read_at as usize..], &mut out);
            prop_assert_eq!(&out[..], &wire[marker..]);
            prop_assert!(Position::new(wire.len() as u64 + 1).feed(&text).is_none());
        }

        /// STOR that was cut anywhere and goes on at that marker stores what one that was not cut stores. Two things
        /// are left out, because the file no longer tells what they were on the wire: an LF alone, and CR CR LF.
        #[test]
        fn upload_goes_on_at_any_marker(
            pieces in prop::collection::vec(prop::sample::select(&["\r\n", "\ra", "\r\r\0", "a"][..]), 0..24),
            ends_in_cr: bool,
        ) {
            let wire = (pieces.concat() + if ends_in_cr { "\r" } else { "" }).into_bytes();
            for cut in 0..=wire.len() {
                let mut file = decode(&[&wire[..cut]]);
                let mut resume = Position::new(cut as u64).feed(&file).unwrap();
                file.truncate(resume.write_at as usize);
                resume.decoder.decode(&wire[cut..], &mut file).unwrap();
                resume.decoder.finish(&mut file).unwrap();
                prop_assert_eq!(file, decode(&[&wire]));
            }
        }
    }
}
