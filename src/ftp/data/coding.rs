//! The codings of the data connection: what the bytes of a file or a listing become on their way, and back. One small
//! interface for all of them, so that a new one joins without the verbs or the pump knowing it. Refuses to know files,
//! sockets and who chose the coding.

/// What one call of [`Decode::decode`] appends at most. What travels compressed grows a thousandfold, so it is written
/// down in pieces of this size, never held.
pub const MOST_DECODED: usize = 256 * 1024;

/// Turns the next bytes of a file or listing into what travels. Exact across the edges of pieces.
pub trait Encode: Send {
    /// Appends what `input` becomes. It may hold something back.
    fn encode(&mut self, input: &[u8], out: &mut Vec<u8>);

    /// Appends what was held back and whatever ends the coding: nothing follows.
    fn finish(&mut self, out: &mut Vec<u8>);

    /// Whether it costs a core, so that those who use it must take turns.
    fn is_dear(&self) -> bool {
        false
    }
}

/// Turns what travelled into the bytes of a file. Exact across the edges of pieces.
pub trait Decode: Send {
    /// Takes bytes from the front of `input` and appends what they become, at most [`MOST_DECODED`] bytes; how many it
    /// took. It is called again with what is left, and once more where it appended as much as it may.
    fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, Flaw>;

    /// Appends what was held back: the connection has ended cleanly. An error where the coding says that more was to come.
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Flaw>;

    /// As [`Encode::is_dear`].
    fn is_dear(&self) -> bool {
        false
    }
}

/// What is wrong with bytes that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The connection ended cleanly, but the coding did not: something is missing.
    Cut,
    /// They do not follow the coding.
    Corrupt,
    /// They become so much more than they are that no honest sender would have sent them.
    Bomb,
}

/// The codings on the way out, the file's first.
#[derive(Default)]
pub struct Encoders(Vec<Box<dyn Encode>>);

impl Encoders {
    /// One more, nearer to the wire.
    pub fn then(mut self, encoder: impl Encode + 'static) -> Self {
        self.0.push(Box::new(encoder));
        self
    }

    /// Whether bytes travel as they are.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// See [`Encode::is_dear`].
    pub fn is_dear(&self) -> bool {
        self.0.iter().any(|encoder| encoder.is_dear())
    }

    /// What the next bytes travel as; `last` says that nothing follows.
    pub fn encode(&mut self, mut bytes: Vec<u8>, last: bool) -> Vec<u8> {
        for encoder in &mut self.0 {
            let mut out = Vec::new();
            encoder.encode(&bytes, &mut out);
            if last {
                encoder.finish(&mut out);
            }
            bytes = out;
        }
        bytes
    }
}

/// The codings on the way in, the wire's first.
#[derive(Default)]
pub struct Decoders(Vec<Box<dyn Decode>>);

impl Decoders {
    /// One more, nearer to the file.
    pub fn then(mut self, decoder: impl Decode + 'static) -> Self {
        self.0.push(Box::new(decoder));
        self
    }

    /// Whether bytes travel as they are.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// See [`Encode::is_dear`].
    pub fn is_dear(&self) -> bool {
        self.0.iter().any(|decoder| decoder.is_dear())
    }

    /// Decodes some of the next bytes; `last` says that nothing follows them. Only the decoder nearest to the wire may
    /// make much of little: one step appends what it may, and what the others make of that.
    pub fn step(&mut self, input: &[u8], last: bool) -> Result<Step, Flaw> {
        let Some((first, others)) = self.0.split_first_mut() else {
            return Ok(Step { taken: input.len(), made: input.to_vec(), more: false });
        };
        let mut made = Vec::new();
        let taken = first.decode(input, &mut made)?;
        let more = taken < input.len() || made.len() >= MOST_DECODED;
        let last = last && !more;
        if last {
            first.finish(&mut made)?;
        }
        for decoder in others {
            made = decode_all(decoder.as_mut(), &made, last)?;
        }
        Ok(Step { taken, made, more })
    }
}

/// What came of one step.
pub struct Step {
    /// Bytes of the input that are done with.
    pub taken: usize,
    /// What they became.
    pub made: Vec<u8>,
    /// There is more to be had, of the rest of the input or of what was taken.
    pub more: bool,
}

fn decode_all(decoder: &mut dyn Decode, mut input: &[u8], last: bool) -> Result<Vec<u8>, Flaw> {
    let mut out = Vec::new();
    while !input.is_empty() {
        let mut made = Vec::new();
        let taken = decoder.decode(input, &mut made)?;
        input = input.get(taken..).unwrap_or_default();
        out.append(&mut made);
    }
    if last {
        decoder.finish(&mut out)?;
    }
    Ok(out)
}
