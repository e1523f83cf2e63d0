//! Logins by PAM, against libpam itself: Debian's pam_wrapper gives the process a folder of services of its own, and its
//! pam_matrix a file of passwords. Where gftp is built without PAM, or these are missing, the test says so.

use std::fs;
use std::path::{Path, PathBuf};

use super::try_login;
use crate::abuse::eventually;
use crate::clients::note;
use crate::server::{Place, Server, command};

/// Where Debian's libpam-wrapper puts what is needed.
const LIBRARIES: [&str; 2] = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];

/// The wrapper and the module, if they are here.
fn wrapper() -> Option<(PathBuf, PathBuf)> {
    let paths = LIBRARIES.map(|library| {
        let library = Path::new(library);
        (library.join("libpam_wrapper.so"), library.join("pam_wrapper/pam_matrix.so"))
    });
    paths.into_iter().find(|(wrapper, matrix)| wrapper.is_file() && matrix.is_file())
}

#[test]
fn pam_says_who_comes_in() {
    if !cfg!(feature = "pam") {
        note("PAM not tried: gftp is built without it (--features pam)");
        return;
    }
    let Some((wrapper, matrix)) = wrapper() else {
        note("PAM not tried: libpam-wrapper is not installed");
        return;
    };
    let place = Place::new();
    let (services, passwords) = (place.outside().join("pam.d"), place.outside().join("passwords"));
    fs::create_dir(&services).unwrap();
    fs::write(&passwords, "alice:hers:gftp\nbob:his:another\n").unwrap();
    let matrix = format!("required {} passdb={}", matrix.display(), passwords.display());
    fs::write(services.join("gftp"), format!("auth {matrix}\naccount {matrix}\n")).unwrap();
    fs::write(services.join("broken"), "auth required /no/such.so\naccount required pam_permit.so\n").unwrap();
    let serve = |service: &str| {
        let mut serve = command(place.root(), &["--port", "0", "--pam", service, "--pam-homes"]);
        serve.env("LD_PRELOAD", &wrapper).env("PAM_WRAPPER", "1").env("PAM_WRAPPER_SERVICE_DIR", &services);
        Server::run(serve, place.clone())
    };
    let server = serve("gftp");
    assert!(server.ready().contains(" to whom PAM (gftp) lets in"), "{}", server.ready());
    for (name, password, code) in [
        ("alice", "hers", 230),
        ("alice", "his", 530),
        ("bob", "his", 530),
        ("nobody", "x", 530),
        ("../alice", "hers", 530),
        ("anonymous", "x", 530),
        ("alice", "", 530),
    ] {
        assert_eq!(try_login(&server, name, password).code, code, "{name} {password}");
    }
    assert!(place.root().join("alice").is_dir(), "her home is made");
    eventually("the log says why", || server.log().contains("PAM: a wrong name or password"));
    drop(server);
    let server = serve("broken");
    let reply = try_login(&server, "alice", "hers");
    assert!([421, 530].contains(&reply.code), "a module that is missing lets nobody in: {}", reply.shown());
}
