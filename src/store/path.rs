//! The virtual path: what a client's words mean below the root, as bytes.
//! Pure text; it refuses to know the disk, so symlinks mean nothing here and ".." is resolved lexically.

use std::fmt;

/// Longest name of one file in bytes; the kernel's NAME_MAX, so that a longer one can never exist.
pub const MAX_COMPONENT: usize = 255;
/// Longest absolute path in bytes; the kernel takes 4,096 with its closing NUL, which the leading slash makes up for.
pub const MAX_PATH: usize = 4096;

/// An absolute, normalised path below the served root: no ".", no "..", no empty component, no NUL.
/// Bytes, not text: a file system does not promise UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct VirtualPath {
    /// The components joined by single slashes, without a leading one: "" is the root.
    relative: Vec<u8>,
}

/// Why an argument cannot be a path at all, whatever is on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathError {
    /// A NUL byte, which ends a name for the kernel and would make it mean something else than what was checked.
    Nul,
    /// One component is longer than [`MAX_COMPONENT`].
    ComponentTooLong,
    /// The whole is longer than [`MAX_PATH`].
    TooLong,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

impl PathError {
    /// The reason, as a phrase without values.
    pub fn words(self) -> &'static str {
        const { assert!(MAX_COMPONENT == 255 && MAX_PATH == 4096, "the phrases name these numbers") };
        match self {
            PathError::Nul => "the name contains a NUL byte",
            PathError::ComponentTooLong => "the name is longer than 255 bytes",
            PathError::TooLong => "the path is longer than 4096 bytes",
        }
    }
}

impl std::error::Error for PathError {}

impl VirtualPath {
    /// The served root itself, "/".
    pub fn root() -> Self {
        VirtualPath::default()
    }

    /// What `argument` means when it is typed in directory `self`: absolute where it begins with a slash; ".", ".."
    /// and repeated slashes are resolved lexically, and ".." at the root stays there. Spaces belong to the name.
    pub fn join(&self, argument: &[u8]) -> Result<Self, PathError> {
        if argument.contains(&0) {
            return Err(PathError::Nul);
        }
        let mut relative = if argument.starts_with(b"/") { Vec::new() } else { self.relative.clone() };
        for component in argument.split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => relative.truncate(relative.iter().rposition(|byte| *byte == b'/').unwrap_or(0)),
                name if name.len() > MAX_COMPONENT => return Err(PathError::ComponentTooLong),
                name => append(&mut relative, name),
            }
        }
        if relative.len() >= MAX_PATH {
            return Err(PathError::TooLong);
        }
        Ok(VirtualPath { relative })
    }

    /// The directory this lies in; none for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let end = self.relative.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Some(VirtualPath { relative: self.relative[..end].to_vec() })
    }

    /// The last component; none for the root.
    pub fn name(&self) -> Option<&[u8]> {
        self.relative.rsplit(|byte| *byte == b'/').next().filter(|name| !name.is_empty())
    }

    /// Whether this is "/".
    pub fn is_root(&self) -> bool {
        self.relative.is_empty()
    }

    /// The entry `name` of this directory. For names that a listing gave: `name` is one component, not an argument.
    pub fn child(&self, name: &[u8]) -> Self {
        let mut relative = Vec::with_capacity(self.relative.len() + 1 + name.len());
        relative.extend_from_slice(&self.relative);
        append(&mut relative, name);
        VirtualPath { relative }
    }

    /// Without the leading slash: "a/b", and "" for the root.
    pub fn relative(&self) -> &[u8] {
        &self.relative
    }

    /// With the leading slash: "/a/b", and "/" for the root.
    pub fn absolute(&self) -> Vec<u8> {
        let mut absolute = Vec::with_capacity(self.relative.len() + 1);
        absolute.push(b'/');
        absolute.extend_from_slice(&self.relative);
        absolute
    }

    /// The names from the root down.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.relative.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
    }

    /// Whether `other` is this path or one of its ancestors, by whole components.
    pub fn starts_with(&self, other: &VirtualPath) -> bool {
        match self.relative.strip_prefix(other.relative.as_slice()) {
            Some(rest) => other.is_root() || rest.is_empty() || rest.starts_with(b"/"),
            None => false,
        }
    }
}

fn append(relative: &mut Vec<u8>, name: &[u8]) {
    if !relative.is_empty() {
        relative.push(b'/');
    }
    relative.extend_from_slice(name);
}

impl fmt::Debug for VirtualPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"/{}\"", self.relative.escape_ascii())
    }
}

/// For logs and messages: bytes that are not UTF-8 are shown as U+FFFD and control characters escaped, so that no
/// name can forge a line.
impl fmt::Display for VirtualPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/")?;
        for character in String::from_utf8_lossy(&self.relative).chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(directory: &str, argument: &str) -> String {
        let directory = VirtualPath::root().join(directory.as_bytes()).unwrap();
        String::from_utf8(directory.join(argument.as_bytes()).unwrap().absolute()).unwrap()
    }

    #[test]
    fn arguments_mean_what_a_shell_user_expects() {
        for (directory, argument, meaning) in [
            ("/", "", "/"),
            ("/a", "", "/a"),
            ("/a", "b", "/a/b"),
            ("/a", "/b", "/b"),
            ("/a", "..", "/"),
            ("/a", "../../../etc/passwd", "/etc/passwd"),
            ("/a/b", "../c", "/a/c"),
            ("/a", "./b//c/.", "/a/b/c"),
            ("/", "a/./../b", "/b"),
            ("/", " a ", "/ a "),
            ("/", "...", "/..."),
            ("/", "a\\..\\b", "/a\\..\\b"),
            ("/a", "//", "/"),
        ] {
            assert_eq!(at(directory, argument), meaning, "{argument:?} in {directory:?}");
        }
    }

    #[test]
    fn limits_are_words_not_surprises() {
        let root = VirtualPath::root();
        assert_eq!(root.join(b"a\0b"), Err(PathError::Nul));
        assert_eq!(root.join(&[b'a'; 256]), Err(PathError::ComponentTooLong));
        assert!(root.join(&[b'a'; 255]).is_ok());
        let fits = [b'/', b'a'].repeat(MAX_PATH / 2);
        assert_eq!(root.join(&fits).unwrap().absolute().len(), MAX_PATH);
        assert_eq!(root.join(&[fits, b"/a".to_vec()].concat()), Err(PathError::TooLong));
    }

    #[test]
    fn ancestors_are_whole_components() {
        let path = |text: &[u8]| VirtualPath::root().join(text).unwrap();
        assert!(path(b"/a/b").starts_with(&path(b"/a")));
        assert!(path(b"/a").starts_with(&path(b"/a")));
        assert!(path(b"/a").starts_with(&path(b"/")));
        assert!(!path(b"/ab").starts_with(&path(b"/a")));
        assert!(!path(b"/a").starts_with(&path(b"/a/b")));
        assert_eq!(path(b"/a/b").parent(), Some(path(b"/a")));
        assert_eq!(path(b"/a").parent(), Some(path(b"/")));
        assert_eq!(path(b"/").parent(), None);
        assert_eq!((path(b"/").name(), path(b"/a/b").name()), (None, Some(&b"b"[..])));
        assert_eq!(path(b"/a\n\x1b").to_string(), "/a\\n\\u{1b}");
    }

    proptest! {
        #[test]
        fn joining_always_gives_a_normal_path(a in proptest::collection::vec(any::<u8>(), 0..40), b in "[a./ ]{0,30}") {
            if let Ok(first) = VirtualPath::root().join(&a) {
                let joined = first.join(b.as_bytes()).unwrap();
                for path in [&first, &joined] {
                    prop_assert!(path.components().all(|name| name != b"." && name != b".." && !name.contains(&b'/')));
                    prop_assert_eq!(path.components().collect::<Vec<_>>().join(&b'/'), path.relative());
                    prop_assert_eq!(&VirtualPath::root().join(&path.absolute()).unwrap(), path);
                    if let (Some(parent), Some(name)) = (path.parent(), path.name()) {
                        prop_assert_eq!(&parent.child(name), path);
                    }
                }
            }
        }
    }
}
