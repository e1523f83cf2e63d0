//! Paths and links that lead out of the served folder: through no verb is anything outside seen, written or removed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{assert_serves, guest, is_refusal};
use crate::dialogue::client::{Control, Reply, read_all, send_all};
use crate::dialogue::play::contains;
use crate::server::{Place, Server};

const SECRET: &[u8] = b"this must never be seen";
/// Verbs that take a path and answer at once.
const QUICK: [&str; 14] = [
    "CWD",
    "XCWD",
    "SIZE",
    "MDTM",
    "MLST",
    "STAT",
    "STAT -la",
    "DELE",
    "RMD",
    "XRMD",
    "MKD",
    "XMKD",
    "MFMT 20200101000000",
    "RNFR",
];
/// Verbs that send something over a data connection.
const SENDING: [&str; 6] = ["RETR", "LIST", "LIST -laR", "NLST", "NLST -R", "MLSD"];
/// Verbs that take something.
const TAKING: [&str; 3] = ["STOR", "APPE", "STOU"];

/// A served folder with a secret beside it.
fn place() -> Place {
    let place = Place::new();
    fs::create_dir(place.outside().join("outside")).unwrap();
    fs::write(place.outside().join("outside/secret"), SECRET).unwrap();
    fs::write(place.outside().join("secret"), SECRET).unwrap();
    fs::create_dir(place.root().join("d")).unwrap();
    fs::write(place.root().join("d/f"), b"inside").unwrap();
    place
}

/// What is outside is as it was.
fn assert_untouched(place: &Place, after: &str) {
    let names = |path: &Path| {
        let mut names: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(place.outside()), ["outside", "secret", "served"], "after {after}");
    assert_eq!(names(&place.outside().join("outside")), ["secret"], "after {after}");
    for secret in ["secret", "outside/secret"] {
        let file = place.outside().join(secret);
        assert_eq!(fs::read(&file).unwrap(), SECRET, "after {after}");
        let age = fs::metadata(&file).unwrap().modified().unwrap().elapsed().unwrap_or_default();
        assert!(age.as_secs() < 600, "MFMT reached outside after {after}");
    }
}

/// Says one command, moves its data, and returns the last reply and what came.
fn exchange(control: &mut Control, verb: &str, path: &[u8], sending: Option<&[u8]>) -> (Reply, Vec<u8>) {
    let mut data = control.passive().unwrap();
    control.send(&[verb.as_bytes(), b" ", path, b"\r\n"].concat()).unwrap();
    let reply = control.reply().unwrap();
    if reply.code != 150 {
        return (reply, Vec::new());
    }
    let came = match sending {
        Some(bytes) => send_all(data, bytes).map(|()| Vec::new()),
        None => read_all(&mut data),
    };
    (control.reply().unwrap(), came.unwrap_or_default())
}

/// Tries every verb with `path`; what came back of each.
fn try_everything(server: &Server, path: &[u8], mut judge: impl FnMut(&str, &Reply)) {
    let shown = path.escape_ascii().to_string();
    let mut control = guest(server);
    let mut check = |verb: &str, reply: &Reply, came: &[u8]| {
        let said = [reply.text().as_slice(), came].concat();
        assert!(!contains(&said, SECRET) && !contains(&said, b"root:x:0:"), "{verb} {shown} shows what is outside");
        judge(verb, reply);
        assert_untouched(server.place(), &format!("{verb} {shown}"));
    };
    for verb in QUICK {
        control.tell("CWD /", 250).unwrap();
        control.send(&[verb.as_bytes(), b" ", path, b"\r\n"].concat()).unwrap();
        let reply = control.reply().unwrap();
        check(verb, &reply, b"");
    }
    control.tell("CWD /", 250).unwrap();
    for verb in SENDING {
        let (reply, came) = exchange(&mut control, verb, path, None);
        check(verb, &reply, &came);
    }
    for verb in TAKING {
        let (reply, came) = exchange(&mut control, verb, path, Some(b"written"));
        check(verb, &reply, &came);
    }
    if control.ask("RNFR d/f").unwrap().code == 350 {
        control.send(&[b"RNTO ", path, b"\r\n"].concat()).unwrap();
        let reply = control.reply().unwrap();
        check("RNTO", &reply, b"");
    }
}

#[test]
fn dots_and_codes_lead_nowhere() {
    let server = Server::start_on(place(), &[]);
    let absolute = server.place().outside().join("secret").to_string_lossy().into_owned();
    let paths: [&[u8]; 16] = [
        b"../secret",
        b"/../secret",
        b"/..//../secret",
        b"d/../../secret",
        b"../../../../../../../etc/passwd",
        b"/../../../../etc/passwd",
        b"..%2fsecret",
        b"%2e%2e/secret",
        b"..\\secret",
        b".../secret",
        b"....//secret",
        b"..;/secret",
        b"\xc0\xae\xc0\xae/secret",
        b"..\0/secret",
        b"~/../secret",
        absolute.as_bytes(),
    ];
    for path in paths {
        // Some of these are honest names inside; only what is outside counts.
        try_everything(&server, path, |_, _| {});
    }
    assert_serves(&server);
}

#[test]
fn links_that_leave_lead_nowhere() {
    let place = place();
    let at = |name: &str| place.root().join(name);
    symlink(place.outside().join("outside"), at("absolute")).unwrap();
    symlink("../outside", at("relative")).unwrap();
    symlink("chain2", at("chain1")).unwrap();
    symlink("d/../relative", at("chain2")).unwrap();
    symlink("../secret", at("file")).unwrap();
    symlink("../nothing-there", at("dangling")).unwrap();
    symlink("/proc/self/root", at("proc")).unwrap();
    symlink(place.root(), at("itself")).unwrap();
    let server = Server::start_on(place, &[]);
    for path in [
        "absolute/secret",
        "relative/secret",
        "chain1/secret",
        "file",
        "proc/etc/passwd",
        "relative/../secret/x",
        "dangling",
    ] {
        // STOU may take a new name beside the link, RNTO may put a file in the link's own place: both stay inside.
        try_everything(&server, path.as_bytes(), |verb, reply| {
            assert!(matches!(verb, "STOU" | "RNTO") || is_refusal(reply), "{verb} {path}: {}", reply.shown());
        });
    }
    for path in ["absolute", "relative", "chain1", "proc", "absolute/", "relative/new"] {
        try_everything(&server, path.as_bytes(), |_, _| {});
    }
    assert_serves(&server);
}

/// One name is a folder inside and a link to outside, in turn and as fast as the disk can, while a client uses it.
#[test]
fn a_link_swapped_in_a_race_shows_nothing() {
    const ROUNDS: usize = 400;
    let place = place();
    let (one, other) = (place.root().join("swap"), place.root().join("other"));
    fs::create_dir(&one).unwrap();
    fs::write(one.join("secret"), b"inside").unwrap();
    symlink("../outside", &other).unwrap();
    let server = Server::start_on(place, &[]);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| race(&server, ROUNDS)));
        over.store(true, Ordering::Relaxed);
        attempt.unwrap();
    });
    assert_untouched(server.place(), "the race");
    assert_serves(&server);
}

fn race(server: &Server, rounds: usize) {
    let mut control = guest(server);
    let mut read = 0;
    for round in 0..rounds {
        let (reply, came) = exchange(&mut control, "RETR", b"swap/secret", None);
        assert!(came.is_empty() || came == b"inside", "outside content was sent");
        read += usize::from(reply.code == 226);
        exchange(&mut control, "STOR", format!("swap/new{}", round % 3).as_bytes(), Some(b"written"));
        let (_, came) = exchange(&mut control, "MLSD", b"swap", None);
        assert!(!contains(&came, format!("Size={};", SECRET.len()).as_bytes()), "outside was listed");
        for command in ["DELE swap/secret2", "MKD swap/made", "RMD swap/made", "MFMT 20200101000000 swap/secret"] {
            control.ask(command).unwrap();
        }
    }
    assert!(read > 0, "the race never let a download through: it tests nothing");
}
