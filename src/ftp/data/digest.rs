//! Digests of bytes: the algorithms that HASH (draft-bryan-ftpext-hash) and the commands before it know, under their
//! names. Refuses to know files, replies, and who asks.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

/// A way to make a digest. CRC32 and MD5 find what was damaged, not what was forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// What HASH makes of a file unless OPTS says otherwise.
    #[default]
    Sha256,
    /// The strongest.
    Sha512,
    /// The draft wants it.
    Sha1,
    /// Widely known.
    Md5,
    /// As of zip and Ethernet.
    Crc32,
}

/// Every algorithm under its name in IANA's registry "Hash Function Textual Names" (CRC32 is in none), the strong first.
const NAMES: [(Algorithm, &str); 5] = [
    (Algorithm::Sha256, "SHA-256"),
    (Algorithm::Sha512, "SHA-512"),
    (Algorithm::Sha1, "SHA-1"),
    (Algorithm::Md5, "MD5"),
    (Algorithm::Crc32, "CRC32"),
];

impl Algorithm {
    /// The one of that name, in any case.
    pub fn find(name: &[u8]) -> Option<Algorithm> {
        NAMES.iter().find(|(_, known)| name.eq_ignore_ascii_case(known.as_bytes())).map(|(algorithm, _)| *algorithm)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(algorithm, _)| *algorithm == self).map_or("", |(_, name)| name)
    }

    /// The line of FEAT, with a star at this one (draft-bryan-ftpext-hash-02 §3.1).
    pub fn feat(self) -> String {
        let starred = |(algorithm, name): &(Algorithm, &str)| {
            let star = if *algorithm == self { "*" } else { "" };
            format!("{name}{star}")
        };
        format!("HASH {}", NAMES.iter().map(starred).collect::<Vec<_>>().join(";"))
    }
}

/// A digest in the making.
pub struct Digest(State);

enum State {
    Sha256(Sha256),
    Sha512(Sha512),
    Sha1(Sha1),
    Md5(Md5),
    Crc32(crc32fast::Hasher),
}

impl Digest {
    /// Of nothing yet.
    pub fn new(algorithm: Algorithm) -> Digest {
        Digest(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
            Algorithm::Sha1 => State::Sha1(Sha1::new()),
            Algorithm::Md5 => State::Md5(Md5::new()),
            Algorithm::Crc32 => State::Crc32(crc32fast::Hasher::new()),
        })
    }

    /// Goes on with these bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(digest) => digest.update(bytes),
            State::Sha512(digest) => digest.update(bytes),
            State::Sha1(digest) => digest.update(bytes),
            State::Md5(digest) => digest.update(bytes),
            State::Crc32(digest) => digest.update(bytes),
        }
    }

    /// The digest in small hexadecimal digits, as many as the algorithm has: zeros in front are kept.
    pub fn hex(self) -> String {
        match self.0 {
            State::Sha256(digest) => hex(&digest.finalize()),
            State::Sha512(digest) => hex(&digest.finalize()),
            State::Sha1(digest) => hex(&digest.finalize()),
            State::Md5(digest) => hex(&digest.finalize()),
            State::Crc32(digest) => hex(&digest.finalize().to_be_bytes()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        for (algorithm, name) in NAMES {
            assert_eq!(Algorithm::find(name.to_ascii_lowercase().as_bytes()), Some(algorithm));
            assert_eq!(algorithm.name(), name);
            assert!(algorithm.feat().contains(&format!("{name}*")) && algorithm.feat().matches('*').count() == 1);
        }
        assert_eq!(Algorithm::find(b"SHA-25"), None);
        assert_eq!(Algorithm::default().feat(), "HASH SHA-256*;SHA-512;SHA-1;MD5;CRC32");
    }

    /// The published digests of "abc"; what is larger is compared with other programs in tests/digests.rs.
    #[test]
    fn digests_are_the_published_ones() {
        for (algorithm, expected) in [
            (Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (Algorithm::Crc32, "352441c2"),
        ] {
            let mut digest = Digest::new(algorithm);
            digest.update(b"a");
            digest.update(b"bc");
            assert_eq!(digest.hex(), expected, "{algorithm:?}");
        }
        assert_eq!(Digest::new(Algorithm::Crc32).hex(), "00000000");
    }
}
