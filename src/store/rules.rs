//! What an account may do, where, with which names, how much of it, and how new things are made. It refuses to know who
//! has which rules, and what each is checked for.
//!
//! Patterns are those of `glob`, one for each component, and take no heed of the case of ASCII letters: where a file
//! system does not either, another spelling must not be a way around a rule.

use super::glob::matches;
use super::path::VirtualPath;
use super::rights::Rights;
use std::sync::Arc;

/// Components of a path's pattern: their state fits one word. No tree made by people is this deep.
const MAX_COMPONENTS: usize = 63;
/// Stands for any number of components where others follow.
const ANY_DEPTH: &[u8] = b"**";

/// The rules of one account. Cheap to clone: every session of the account shares them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rules {
    rights: Rights,
    /// Whether a verdict depends on where a thing really lies and how it is called.
    by_place: bool,
    special: Option<Arc<Special>>,
}

/// What an account may be told beside its rights. Nothing of it is the default.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Special {
    /// Rights in directories, other than the account's: the first that matches holds.
    pub directories: Vec<(PathPattern, Rights)>,
    /// How much may lie in the home.
    pub quota: Quota,
    /// Names that can be seen in listings, and nothing else can be done with them.
    pub deny: Vec<NamePattern>,
    /// Names that are treated as if nothing bore them.
    pub hide: Vec<NamePattern>,
    /// Permission bits of new files, 0 to 0o777.
    pub files: Option<u32>,
    /// Permission bits of new directories, 0 to 0o777.
    pub folders: Option<u32>,
}

/// How much may lie in a home; what is not given is not bounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Quota {
    /// Bytes of all files.
    pub bytes: Option<u64>,
    /// Files, directories and links.
    pub files: Option<u64>,
}

impl Quota {
    /// Whether anything is bounded.
    pub fn is_some(self) -> bool {
        self.bytes.is_some() || self.files.is_some()
    }
}

/// A pattern for paths as the account sees them; it matches a thing and all beneath it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathPattern(Vec<Vec<u8>>);

/// A pattern for single names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamePattern(Vec<u8>);

impl PathPattern {
    /// Reads one, as "/pub/*". `**` is any number of directories. An error says what was expected.
    pub fn of(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected a path as the account sees it, as \"/incoming\" or \"/pub/*\"";
        let Some(relative) = text.strip_prefix('/') else {
            return Err(format!("\"{text}\" does not begin with \"/\"; {EXPECTED}"));
        };
        let components: Vec<_> = relative.split('/').filter(|component| !component.is_empty()).collect();
        if components.iter().any(|component| matches!(*component, "." | "..")) {
            return Err(format!("\".\" or \"..\" in \"{text}\"; {EXPECTED}"));
        }
        if components.len() > MAX_COMPONENTS {
            return Err(format!("more than {MAX_COMPONENTS} components in \"{text}\"; {EXPECTED}"));
        }
        Ok(PathPattern(components.iter().map(|component| component.to_ascii_lowercase().into_bytes()).collect()))
    }

    /// Whether it matches the path or something that it lies in, and whether it may match something beneath it.
    fn judge(&self, path: &[Vec<u8>]) -> (bool, bool) {
        let whole = 1 << self.0.len();
        let mut states = self.and_deeper(1);
        for name in path {
            if states & whole != 0 {
                return (true, true);
            }
            let mut next = 0;
            for (at, component) in self.0.iter().enumerate().filter(|(at, _)| states & (1 << at) != 0) {
                if self.is_any_depth(at) {
                    next |= 1 << at;
                } else if matches(component, name) {
                    next |= 1 << (at + 1);
                }
            }
            states = self.and_deeper(next);
        }
        (states & whole != 0, states != 0)
    }

    /// With the states that are reached through `**` standing for nothing. The last one stands for something: "/a/**" is
    /// what lies in /a and not /a.
    fn and_deeper(&self, mut states: u64) -> u64 {
        for at in 0..self.0.len() {
            if states & (1 << at) != 0 && self.is_any_depth(at) {
                states |= 1 << (at + 1);
            }
        }
        states
    }

    fn is_any_depth(&self, at: usize) -> bool {
        at + 1 < self.0.len() && self.0.get(at).is_some_and(|component| component == ANY_DEPTH)
    }
}

impl NamePattern {
    /// Reads one, as "*.exe". An error says what was expected.
    pub fn of(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected a pattern for names, as \"*.exe\"";
        match text {
            "" => Err(format!("an empty pattern; {EXPECTED}")),
            _ if text.contains('/') => Err(format!("\"/\" in \"{text}\"; {EXPECTED}, which holds in every directory")),
            _ => Ok(NamePattern(text.to_ascii_lowercase().into_bytes())),
        }
    }

    fn matches(&self, name: &[u8]) -> bool {
        matches(&self.0, &name.to_ascii_lowercase())
    }
}

impl From<Rights> for Rules {
    fn from(rights: Rights) -> Self {
        Rules { rights, by_place: rights == Rights::DROP_BOX, special: None }
    }
}

impl Rules {
    /// These rights, and what else is to hold.
    pub fn new(rights: Rights, special: Special) -> Self {
        if special == Special::default() {
            return rights.into();
        }
        let by_names = !special.deny.is_empty() || !special.hide.is_empty();
        let by_place = by_names || !special.directories.is_empty() || rights == Rights::DROP_BOX;
        Rules { rights, by_place, special: Some(Arc::new(special)) }
    }

    /// What holds where nothing else is said.
    pub fn rights(&self) -> Rights {
        self.rights
    }

    /// What is said beside that.
    pub fn special(&self) -> Option<&Special> {
        self.special.as_deref()
    }

    /// How much may lie in the home.
    pub fn quota(&self) -> Quota {
        self.special().map(|special| special.quota).unwrap_or_default()
    }

    /// Whether a verdict depends on where a thing really lies and how it is called.
    pub(super) fn are_by_place(&self) -> bool {
        self.by_place
    }

    /// Whether somewhere only what the session itself has brought can be seen.
    pub(super) fn know_drop_boxes(&self) -> bool {
        let mut elsewhere = self.special().into_iter().flat_map(|special| &special.directories);
        self.rights == Rights::DROP_BOX || elsewhere.any(|(_, rights)| *rights == Rights::DROP_BOX)
    }

    /// What the account may do with what really lies at `path`.
    pub(super) fn at(&self, path: &VirtualPath) -> Rights {
        self.look(path).0
    }

    /// Whether one may pass there: something is allowed there, or beneath it.
    pub(super) fn let_pass(&self, path: &VirtualPath) -> bool {
        let (rights, beneath) = self.look(path);
        rights != Rights::NONE || beneath.iter().any(|(_, rights)| *rights != Rights::NONE)
    }

    /// Whether other rights may hold for something beneath `path` than for itself.
    pub(super) fn vary_beneath(&self, path: &VirtualPath) -> bool {
        !self.look(path).1.is_empty()
    }

    /// The rights at a path, and the rules that may hold beneath it instead.
    fn look(&self, path: &VirtualPath) -> (Rights, Vec<&(PathPattern, Rights)>) {
        let Some(special) = self.special().filter(|special| !special.directories.is_empty()) else {
            return (self.rights, Vec::new());
        };
        let names: Vec<_> = path.components().map(<[u8]>::to_ascii_lowercase).collect();
        let mut beneath = Vec::new();
        for rule in &special.directories {
            match rule.0.judge(&names) {
                // The first that matches: those behind it do not count, here and beneath.
                (true, _) => return (rule.1, beneath),
                (false, true) => beneath.push(rule),
                (false, false) => {}
            }
        }
        (self.rights, beneath)
    }

    /// Whether a name on the way, or the last, is one that is treated as if nothing bore it.
    pub(super) fn hide(&self, path: &VirtualPath) -> bool {
        self.special().is_some_and(|special| any(&special.hide, path))
    }

    /// The same for a single name.
    pub(super) fn hide_name(&self, name: &[u8]) -> bool {
        self.special().is_some_and(|special| special.hide.iter().any(|pattern| pattern.matches(name)))
    }

    /// Whether a name on the way, or the last, is one that nothing can be done with.
    pub(super) fn deny(&self, path: &VirtualPath) -> bool {
        self.special().is_some_and(|special| any(&special.deny, path))
    }
}

fn any(patterns: &[NamePattern], path: &VirtualPath) -> bool {
    !patterns.is_empty() && path.components().any(|name| patterns.iter().any(|pattern| pattern.matches(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> VirtualPath {
        VirtualPath::root().join(path.as_bytes()).unwrap()
    }

    fn rules(rights: Rights, directories: &[(&str, Rights)]) -> Rules {
        let directories = directories.iter().map(|(path, rights)| (PathPattern::of(path).unwrap(), *rights)).collect();
        Rules::new(rights, Special { directories, ..Special::default() })
    }

    #[test]
    fn patterns_cover_what_lies_beneath() {
        for (pattern, yes, no) in [
            ("/", &["/", "/a", "/a/b"][..], &[][..]),
            ("/a", &["/a", "/a/b", "/A/b"], &["/", "/b", "/ab", "/b/a"]),
            ("/a/", &["/a", "/a/b"], &["/"]),
            ("/A/*", &["/a/b", "/a/b/c"], &["/a", "/", "/b/c"]),
            ("/a/**", &["/a/b", "/a/b/c"], &["/a", "/"]),
            ("/**/x", &["/x", "/a/x", "/a/b/x/y"], &["/", "/a", "/ax"]),
            ("/a/**/x/y", &["/a/x/y", "/a/b/x/y/z", "/a/x/x/y"], &["/a/x", "/x/y", "/a/x/b/y"]),
            ("/[ab]?", &["/ax", "/bé/c"], &["/a", "/cx"]),
        ] {
            let rules = rules(Rights::NONE, &[(pattern, Rights::FULL)]);
            for path in yes {
                assert_eq!(rules.at(&at(path)), Rights::FULL, "{pattern} should cover {path}");
            }
            for path in no {
                assert_eq!(rules.at(&at(path)), Rights::NONE, "{pattern} should not cover {path}");
            }
        }
    }

    #[test]
    fn the_first_that_matches_holds() {
        let rules = rules(
            Rights::READ_ONLY,
            &[("/a/open", Rights::FULL), ("/a", Rights::NONE), ("/a/b", Rights::FULL), ("/*/c", Rights::DROP_BOX)],
        );
        let expected = [
            ("/", Rights::READ_ONLY, true),
            ("/a", Rights::NONE, true),
            ("/a/open/x", Rights::FULL, false),
            ("/a/b", Rights::NONE, false),
            ("/a/c", Rights::NONE, false),
            ("/b", Rights::READ_ONLY, true),
            ("/b/c", Rights::DROP_BOX, false),
        ];
        for (path, rights, varies) in expected {
            assert_eq!((rules.at(&at(path)), rules.vary_beneath(&at(path))), (rights, varies), "{path}");
        }
        assert!(rules.let_pass(&at("/a")) && rules.let_pass(&at("/a/open")) && !rules.let_pass(&at("/a/b")));
    }

    #[test]
    fn names_count_on_the_way_and_in_any_case() {
        let pattern = |text| NamePattern::of(text).unwrap();
        let special = Special { deny: vec![pattern("*.exe")], hide: vec![pattern(".*")], ..Special::default() };
        let rules = Rules::new(Rights::FULL, special);
        for (path, denied, hidden) in [
            ("/a.exe", true, false),
            ("/A.EXE/b", true, false),
            ("/a.exe.txt", false, false),
            ("/.x/b", false, true),
            ("/b/.x", false, true),
            ("/", false, false),
        ] {
            assert_eq!((rules.deny(&at(path)), rules.hide(&at(path))), (denied, hidden), "{path}");
        }
        assert!(NamePattern::of("a/b").is_err() && NamePattern::of("").is_err() && PathPattern::of("a").is_err());
        assert!(PathPattern::of(&"/a".repeat(MAX_COMPONENTS)).is_ok());
        assert!(PathPattern::of(&"/a".repeat(MAX_COMPONENTS + 1)).is_err() && PathPattern::of("/a/../b").is_err());
    }

    #[test]
    fn stars_of_any_depth_are_cheap() {
        let rules = rules(Rights::NONE, &[(&"/**/a".repeat(30), Rights::FULL)]);
        assert_eq!(rules.at(&at(&"/a".repeat(29))), Rights::NONE);
        assert_eq!(rules.at(&at(&format!("{}/b", "/a".repeat(1000)))), Rights::FULL);
    }
}
