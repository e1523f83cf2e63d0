//! One argon2id hash: how it is made, read and compared. Knows passwords and costs; no name, no right and no thread.

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHasher, Version};

use super::Password;

/// Memory of one comparison at most, in KiB: 256 MiB, four times what RFC 9106 §4 recommends where memory is scarce.
/// Every hashing thread may come to hold that much.
const MOST_MEMORY: u32 = 256 * 1024;
/// Memory times passes at most, in KiB: a second or two of a core for each guess, which a guesser makes us spend.
const MOST_WORK: u64 = 1024 * 1024;

/// An argon2id hash as a PHC string, which can be compared at a cost that was found bearable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hash(String);

/// What comparing with a hash costs: hashes of the same cost cannot be told apart by waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cost {
    memory: u32,
    passes: u32,
    lanes: u32,
    /// Bytes of its output.
    length: usize,
}

impl Cost {
    /// The crate's defaults, which are those of OWASP: 19 MiB, two passes.
    pub const USUAL: Cost = Cost {
        memory: Params::DEFAULT_M_COST,
        passes: Params::DEFAULT_T_COST,
        lanes: Params::DEFAULT_P_COST,
        length: Params::DEFAULT_OUTPUT_LEN,
    };
}

/// A hash, taken apart.
struct Parts {
    argon2: Argon2<'static>,
    salt: Vec<u8>,
    output: Output,
}

impl Hash {
    /// Hashes at the usual cost, with a random salt.
    pub fn of(password: &Password) -> Result<Hash, String> {
        let hash =
            Argon2::default().hash_password(&password.0).map_err(|e| format!("cannot hash the password: {e}"))?;
        Ok(Hash(hash.to_string()))
    }

    /// Takes a PHC string; an error says what was expected, and nothing of the hash.
    pub fn read(text: &str) -> Result<Hash, String> {
        let hash = Hash(text.to_string());
        let cost = hash.parts().map(|parts| parts.cost()).ok_or_else(|| {
            "no hash that can be read; expected one of argon2id, as $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH \
             (gftp user passwd makes it)"
                .to_string()
        })?;
        if cost.memory > MOST_MEMORY || u64::from(cost.memory) * u64::from(cost.passes) > MOST_WORK {
            let (memory, work) = (MOST_MEMORY / 1024, MOST_WORK / 1024);
            return Err(format!(
                "a hash that is too dear to compare; expected m to be at most {MOST_MEMORY} ({memory} MiB), and m times \
                 t at most {MOST_WORK} ({work} MiB)"
            ));
        }
        Ok(hash)
    }

    /// A hash of that cost that no password has: its output is made up.
    pub fn of_nobody(cost: Cost) -> Hash {
        let Cost { memory, passes, lanes, length } = cost;
        // Longer than any output can be, or shorter, it would not be a hash; the cost was one of a hash.
        let output = Output::new(&vec![b'n'; length]).map_or(String::new(), |output| output.to_string());
        Hash(format!("$argon2id$v=19$m={memory},t={passes},p={lanes}$bm9ib2R5bm9ib2R5${output}"))
    }

    /// The PHC string.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What comparing with it costs.
    pub fn cost(&self) -> Cost {
        self.parts().map_or(Cost::USUAL, |parts| parts.cost())
    }

    /// Whether this is the password's hash. `memory` is kept between calls: an allocator that gets 19 MiB back and is
    /// asked for them again tends to hold several times as much. An empty password matches nothing, and neither does
    /// a hash that cannot be read.
    pub(super) fn matches(&self, password: &Password, memory: &mut Vec<Block>) -> bool {
        !password.is_empty() && self.compare(password, memory).unwrap_or(false)
    }

    fn compare(&self, password: &Password, memory: &mut Vec<Block>) -> Option<bool> {
        let Parts { argon2, salt, output: wanted } = self.parts()?;
        memory.resize(argon2.params().block_count(), Block::default());
        let mut output = vec![0; wanted.len()];
        argon2.hash_password_into_with_memory(&password.0, &salt, &mut output, memory.as_mut_slice()).ok()?;
        // Output compares in constant time.
        Some(Output::new(&output).ok()? == wanted)
    }

    fn parts(&self) -> Option<Parts> {
        let known = PasswordHash::new(&self.0).ok()?;
        let algorithm = Algorithm::try_from(known.algorithm.as_str()).ok()?;
        let version = Version::try_from(known.version?).ok()?;
        let params = Params::try_from(&known).ok()?;
        let (salt, output) = (known.salt?.to_vec(), known.hash?);
        (algorithm == Algorithm::Argon2id).then(|| Parts {
            argon2: Argon2::new(algorithm, version, params),
            salt,
            output,
        })
    }
}

impl Parts {
    fn cost(&self) -> Cost {
        let params = self.argon2.params();
        let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
        Cost { memory, passes, lanes, length: self.output.len() }
    }
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn agrees_with_the_crate_that_made_the_hash() {
        let (right, wrong) = (Password::new("correct horse"), Password::new("correct house"));
        let hash = Hash::of(&right).unwrap();
        assert!(Argon2::default().verify_password(&right.0, hash.0.as_str()).is_ok());
        assert_eq!(Hash::read(hash.text()).unwrap(), hash);
        let mut memory = Vec::new();
        // Memory that is full of something else makes no difference.
        for _ in 0..2 {
            assert!(hash.matches(&right, &mut memory));
            assert!(!hash.matches(&wrong, &mut memory));
        }
    }

    #[test]
    fn nobody_costs_as_much_as_anybody_and_has_no_password() {
        assert_eq!(Hash::of(&Password::new("x")).unwrap().cost(), Cost::USUAL);
        let odd = Cost { memory: 64, passes: 3, lanes: 2, length: 20 };
        for cost in [Cost::USUAL, odd] {
            assert_eq!(Hash::read(Hash::of_nobody(cost).text()).unwrap().cost(), cost);
        }
        for hash in [Hash::of_nobody(odd), Hash(String::new()), Hash("$argon2id$".to_string())] {
            assert!(!hash.matches(&Password::new("x"), &mut Vec::new()));
            assert!(!hash.matches(&Password::new(""), &mut Vec::new()));
        }
    }

    #[test]
    fn what_is_no_hash_or_too_dear_is_said() {
        let with = |head: &str| format!("{head}$bm9ib2R5bm9ib2R5$bm9ib2R5bm9ib2R5bm9ib2R5bm9ib2R5bm9ib2R5bm8");
        for text in [
            String::new(),
            "secret".to_string(),
            "$1$salt$md5".to_string(),
            "$argon2id$v=19$m=64,t=2,p=1".to_string(),
            "$argon2id$v=19$m=64,t=2,p=1$bm9ib2R5bm9ib2R5".to_string(),
            with("$argon2i$v=19$m=19456,t=2,p=1"),
            with("$argon2d$v=19$m=19456,t=2,p=1"),
            with("$argon2id$m=19456,t=2,p=1"),
            with("$argon2id$v=18$m=19456,t=2,p=1"),
            with("$argon2id$v=19$m=1,t=2,p=1"),
            with("$argon2id$v=19$m=19456,t=0,p=1"),
            with("$argon2id$v=19$m=19456,t=2,p=0"),
        ] {
            let said = Hash::read(&text).unwrap_err();
            assert!(said.contains("argon2id") && (text.is_empty() || !said.contains(&text)), "{text}: {said}");
        }
        for dear in ["m=262145,t=1,p=1", "m=4294967295,t=1,p=1", "m=262144,t=5,p=1", "m=64,t=4294967295,p=1"] {
            let said = Hash::read(&with(&format!("$argon2id$v=19${dear}"))).unwrap_err();
            assert!(said.contains("too dear") && said.contains("262144"), "{dear}: {said}");
        }
        assert!(Hash::read(&with("$argon2id$v=19$m=262144,t=4,p=4")).is_ok());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,80}", tail in "[$a-z0-9=,A-Z+/]{0,60}") {
            for text in [text, format!("$argon2id$v=19${tail}"), format!("$argon2id$v=19$m=8,t=1,p=1${tail}")] {
                if let Ok(hash) = Hash::read(&text) {
                    prop_assert!(hash.cost().memory <= MOST_MEMORY);
                }
            }
        }
    }
}
