//! Names and files: paths, patterns, and the users file.

use gftp::accounts::users;
use gftp::store::{MAX_COMPONENT, MAX_PATH, VirtualPath, has_wildcards, matches};

/// A path from the wire, a second one relative to it, and both as a pattern and a name.
pub fn paths(data: &[u8]) {
    let (first, second) = match data.iter().position(|&byte| byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &data[..data.len() / 2]),
    };
    let Ok(path) = VirtualPath::root().join(first) else { return };
    normal(&path);
    if let Ok(below) = path.join(second) {
        normal(&below);
        let again = VirtualPath::root().join(&below.absolute());
        assert_eq!(again.as_ref().map(VirtualPath::relative), Ok(below.relative()), "a path means itself");
        if let Some(parent) = below.parent() {
            assert!(below.starts_with(&parent));
        }
    }
    let _ = (has_wildcards(second), matches(second, first));
    assert!(matches(b"*", first));
}

/// There is no way up, no way outside and nothing that the kernel would read otherwise.
fn normal(path: &VirtualPath) {
    assert!(path.relative().len() <= MAX_PATH && !path.relative().starts_with(b"/"));
    for name in path.components() {
        assert!(!name.is_empty() && name != b"." && name != b".." && name.len() <= MAX_COMPONENT);
        assert!(!name.contains(&b'/') && !name.contains(&0));
    }
}

/// A users file: accounts, or a place in it and what was expected there.
pub fn users(data: &[u8]) {
    match users::read(data) {
        Ok(users) => {
            let mut names: Vec<_> = users.iter().map(|user| &user.name).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), users.len(), "each name once");
            for user in &users {
                assert!(user.line > 0 && user.column > 0);
                assert_eq!(users::check_name(&user.name), Ok(()));
            }
        }
        Err(mistake) => {
            let lines = data.split(|&byte| byte == b'\n').count();
            assert!((1..=lines).contains(&mistake.line) && mistake.column > 0, "{mistake}");
            assert!(!mistake.what.is_empty() && mistake.what.lines().count() == 1, "{mistake}");
        }
    }
}
