//! The Telnet layer of a line-based control connection (RFC 854), byte by byte where there is any of it.
//! Owns what is text and what is negotiation; refuses to know lines, commands or sockets.

/// Interpret As Command: what opens every Telnet sequence.
pub const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
/// Opens a subnegotiation.
const SB: u8 = 250;
/// Ends a subnegotiation, and is the lowest Telnet command: a byte below it after IAC is none.
const SE: u8 = 240;

/// How many bytes of one subnegotiation are skipped before it is taken for text after all. Every option is
/// refused, so no peer has a reason to send one; 64 bytes hold any that is met in practice.
const MAX_SUBNEGOTIATION: u8 = 64;

/// A decoder of one direction of a Telnet stream. It may be fed pieces of any size: a sequence that is cut
/// continues with the next byte, also in the middle of a command's text.
#[derive(Debug, Default, Clone)]
pub struct Telnet {
    state: State,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Text,
    Command,
    /// After IAC WILL, DO, WONT or DONT: the option follows. Holds the refusal to send, if one is due.
    Option(Option<u8>),
    /// Inside IAC SB, with the number of bytes that may still be skipped.
    Skip(u8),
    /// Inside IAC SB, after an IAC.
    SkipCommand(u8),
}

/// What one received byte comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decoded {
    /// One byte of text.
    Byte(u8),
    /// Two bytes of text: an 0xFF that opened no Telnet sequence, and what followed it (which may be CR or LF).
    Two(u8, u8),
    /// Nothing: the byte belongs to a Telnet sequence.
    Nothing,
    /// Nothing for the text, but these bytes must be sent: the refusal of an option (RFC 1123 §4.1.2.12).
    Refuse([u8; 3]),
}

impl Telnet {
    /// Takes apart what was received: gives its text to `text`, in pieces, and what must be answered to `answer`.
    pub fn take_apart(&mut self, received: &[u8], mut text: impl FnMut(&[u8]), mut answer: impl FnMut(&[u8])) {
        let mut rest = received;
        loop {
            let (plain, behind) = rest.split_at(self.text_len(rest));
            text(plain);
            let Some((&byte, behind)) = behind.split_first() else { return };
            match self.decode(byte) {
                Decoded::Byte(byte) => text(&[byte]),
                Decoded::Two(first, second) => text(&[first, second]),
                Decoded::Refuse(refusal) => answer(&refusal),
                Decoded::Nothing => {}
            }
            rest = behind;
        }
    }

    /// How many of the first bytes that were received are text as they are, so that none of them need be decoded.
    fn text_len(&self, received: &[u8]) -> usize {
        match self.state {
            State::Text => received.iter().position(|&byte| byte == IAC).unwrap_or(received.len()),
            _ => 0,
        }
    }

    /// Decodes one received byte: what it adds to the text, and what must be answered.
    fn decode(&mut self, byte: u8) -> Decoded {
        let (state, decoded) = match (self.state, byte) {
            (State::Text, IAC) => (State::Command, Decoded::Nothing),
            (State::Text, _) => (State::Text, Decoded::Byte(byte)),
            (State::Command, IAC) => (State::Text, Decoded::Byte(IAC)),
            (State::Command, WILL) => (State::Option(Some(DONT)), Decoded::Nothing),
            (State::Command, DO) => (State::Option(Some(WONT)), Decoded::Nothing),
            // Nothing was ever on, so a peer that switches it off needs no answer; answering would loop.
            (State::Command, WONT | DONT) => (State::Option(None), Decoded::Nothing),
            (State::Command, SB) => (State::Skip(MAX_SUBNEGOTIATION), Decoded::Nothing),
            (State::Command, SE..) => (State::Text, Decoded::Nothing),
            // A client that does not escape sends ÿ of Latin-1 bare.
            (State::Command, _) => (State::Text, Decoded::Two(IAC, byte)),
            (State::Option(None), _) => (State::Text, Decoded::Nothing),
            (State::Option(Some(verb)), _) => (State::Text, Decoded::Refuse([IAC, verb, byte])),
            (State::SkipCommand(_), SE) => (State::Text, Decoded::Nothing),
            (State::Skip(0) | State::SkipCommand(0), _) => {
                self.state = State::Text;
                return self.decode(byte);
            }
            (State::Skip(left), IAC) => (State::SkipCommand(left - 1), Decoded::Nothing),
            (State::Skip(left) | State::SkipCommand(left), _) => (State::Skip(left - 1), Decoded::Nothing),
        };
        self.state = state;
        decoded
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What comes of it, as a whole and byte by byte.
    fn run(input: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let [whole, cut] = [input.len(), 1].map(|size| {
            let (mut telnet, mut text, mut answer) = (Telnet::default(), Vec::new(), Vec::new());
            for piece in input.chunks(size.max(1)) {
                telnet.take_apart(
                    piece,
                    |bytes| text.extend_from_slice(bytes),
                    |bytes| answer.extend_from_slice(bytes),
                );
            }
            (text, answer)
        });
        assert_eq!(whole, cut, "{input:x?}");
        whole
    }

    #[test]
    fn sequences() {
        let table: &[(&[u8], &[u8], &[u8])] = &[
            (b"NOOP\r\n", b"NOOP\r\n", b""),
            // What Net::FTP sends before it aborts: IAC IP IAC DM.
            (b"\xff\xf4\xff\xf2ABOR\r\n", b"ABOR\r\n", b""),
            (b"NO\xff\xf1OP\r\n", b"NOOP\r\n", b""),
            (b"CWD \xff\xff\r\n", b"CWD \xff\r\n", b""),
            (b"CWD \xff\r\n", b"CWD \xff\r\n", b""),
            (b"CWD \xffa\r\n", b"CWD \xffa\r\n", b""),
            (b"N\xff\xfb\x01OOP", b"NOOP", b"\xff\xfe\x01"),
            (b"N\xff\xfd\x18OOP", b"NOOP", b"\xff\xfc\x18"),
            (b"N\xff\xfc\x01\xff\xfe\x01OOP", b"NOOP", b""),
            (b"\xff\xfb\xffNOOP", b"NOOP", b"\xff\xfe\xff"),
            (b"A\xff\xfa\x1f\x00\x50\x0d\x0a\xff\xf0B", b"AB", b""),
            (b"A\xff\xfa\x1f\xff\xff\x01\xff\xf0B", b"AB", b""),
            (b"A\xff\xf0B", b"AB", b""),
        ];
        for (input, text, answer) in table {
            assert_eq!(run(input), (text.to_vec(), answer.to_vec()), "{input:x?}");
        }
    }

    #[test]
    fn a_subnegotiation_without_end_is_bounded() {
        let mut input = b"\xff\xfa".to_vec();
        input.extend([b'x'; MAX_SUBNEGOTIATION as usize]);
        input.extend(b"NOOP\r\n");
        assert_eq!(run(&input).0, b"NOOP\r\n");
        // The bound holds for one that is all IAC as well, and what follows it is decoded as text.
        let (text, _) = run(&[&b"\xff\xfa"[..], &[IAC; 2 * MAX_SUBNEGOTIATION as usize], b"Z"].concat());
        assert_eq!(text.last(), Some(&b'Z'));
        assert!(text.len() >= MAX_SUBNEGOTIATION as usize / 2);
    }

    /// Every sequence of six from the bytes that mean something: text never grows, refusals are whole.
    #[test]
    fn every_short_sequence() {
        let alphabet = [IAC, DONT, DO, WONT, WILL, SB, SE, 0xf4, b'a', b'\n'];
        for mut number in 0..1_000_000_u32 {
            let input = [0; 6].map(|_: u8| {
                let byte = alphabet[(number % 10) as usize];
                number /= 10;
                byte
            });
            let (text, answer) = run(&input);
            assert!(text.len() <= input.len() && answer.len() <= input.len(), "{input:x?}");
            assert!(answer.chunks(3).all(|a| matches!(a, [IAC, DONT | WONT, _])), "{input:x?}");
        }
    }

    proptest! {
        /// Text in which every IAC is doubled comes back as it was, whatever stands before it that is whole.
        #[test]
        fn doubled_text_comes_back(text in prop::collection::vec(any::<u8>(), 0..64), option in any::<u8>()) {
            let doubled: Vec<u8> = text.iter().flat_map(|&b| if b == IAC { vec![IAC, IAC] } else { vec![b] }).collect();
            prop_assert_eq!(run(&doubled), (text.clone(), vec![]));
            let asked = [&[IAC, DO, option][..], &doubled].concat();
            prop_assert_eq!(run(&asked), (text, vec![IAC, WONT, option]));
        }

        /// Nothing that is sent makes more text or more answers than it has bytes.
        #[test]
        fn nothing_grows(input in prop::collection::vec(prop::sample::select(&[IAC, DO, WILL, SB, SE, b'a', b'\n', 0][..]), 0..256)) {
            let (text, answer) = run(&input);
            prop_assert!(text.len() <= input.len() && answer.len() <= input.len());
        }
    }
}
