//! The flags of `ls` that clients put before the path of LIST and NLST, though no RFC knows them.
//! Refuses to know files: a path that looks like flags is reached by `--` or `./`.

/// The flags that mean something to us; all others are accepted and ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    /// `a`: names that begin with a dot, and `.` and `..`.
    pub all: bool,
    /// `A`: names that begin with a dot.
    pub almost_all: bool,
    /// `R`: what is below as well.
    pub recursive: bool,
    /// `r`: in reverse order.
    pub reverse: bool,
    /// `d`: the directory itself, not what is in it.
    pub directory_itself: bool,
}

/// Takes the argument of LIST or NLST apart into flags and path.
///
/// A leading word of `-` and ASCII letters or digits is flags, and so is one that begins with `--`; several may
/// follow one another, `--` alone ends them. One space ends a word; any further one belongs to the path.
pub fn split(argument: Option<&[u8]>) -> (Flags, Option<&[u8]>) {
    let mut flags = Flags::default();
    let mut rest = argument.unwrap_or_default();
    while let Some(word) = flag_word(rest) {
        rest = rest.get(word.len() + 1..).unwrap_or_default();
        match word {
            b"--" => break,
            // Long options have no letters of their own: `--color` does not ask for `r`.
            [b'-', b'-', ..] => {}
            letters => letters.iter().for_each(|&letter| flags.set(letter)),
        }
    }
    (flags, Some(rest).filter(|path| !path.is_empty()))
}

/// The word at the start of `text`, if it is flags. A dot, a slash or an 8-bit byte makes it a path: `-notes.txt`.
fn flag_word(text: &[u8]) -> Option<&[u8]> {
    let word = text.split(|&byte| byte == b' ').next()?;
    match word {
        [b'-', b'-', ..] => Some(word),
        [b'-', letters @ ..] if !letters.is_empty() && letters.iter().all(u8::is_ascii_alphanumeric) => Some(word),
        _ => None,
    }
}

impl Flags {
    fn set(&mut self, letter: u8) {
        match letter {
            b'a' => self.all = true,
            b'A' => self.almost_all = true,
            b'R' => self.recursive = true,
            b'r' => self.reverse = true,
            b'd' => self.directory_itself = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An argument, the letters in it that count, and its path.
    type Case = (&'static [u8], &'static str, Option<&'static [u8]>);

    #[test]
    fn arguments() {
        let table: &[Case] = &[
            (b"path", "", Some(b"path")),
            (b"-la", "a", None),
            (b"-la path", "a", Some(b"path")),
            (b"-la  path ", "a", Some(b" path ")),
            (b"-la ", "a", None),
            (b"-CF", "", None),
            (b"-1", "", None),
            (b"-anything", "a", None),
            (b"-B -C -R", "R", None),
            (b"-a -R path with -d", "aR", Some(b"path with -d")),
            (b"-lAdrR x", "AdrR", Some(b"x")),
            (b"-a -- -R", "a", Some(b"-R")),
            (b"--", "", None),
            (b"-- ", "", None),
            (b"--  x", "", Some(b" x")),
            (b"--color=auto x", "", Some(b"x")),
            (b"-", "", Some(b"-")),
            (b"- -a", "", Some(b"- -a")),
            (b"-a -", "a", Some(b"-")),
            (b" -a", "", Some(b" -a")),
            (b"-dir/x", "", Some(b"-dir/x")),
            (b"-notes.txt", "", Some(b"-notes.txt")),
            (b"-\xe4", "", Some(b"-\xe4")),
        ];
        for (argument, letters, path) in table {
            let mut flags = Flags::default();
            letters.bytes().for_each(|letter| flags.set(letter));
            assert_eq!(split(Some(argument)), (flags, *path), "{:?}", String::from_utf8_lossy(argument));
        }
        assert_eq!(split(None), (Flags::default(), None));
    }

    proptest! {
        #[test]
        fn any_path_is_the_end_of_its_argument(argument in prop::collection::vec(prop::sample::select(&b"-- aR/\xff"[..]), 0..20)) {
            let (_, path) = split(Some(&argument));
            prop_assert!(argument.ends_with(path.unwrap_or_default()));
        }

        #[test]
        fn any_path_is_reached(path in prop::collection::vec(any::<u8>(), 1..20)) {
            let argument = [b"-- ", &path[..]].concat();
            prop_assert_eq!(split(Some(&argument)), (Flags::default(), Some(&path[..])));
        }
    }
}
