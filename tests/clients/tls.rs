//! Real clients over TLS: curl, lftp, Python's ftplib, and OpenSSL's own for what no honest client does.

use super::{Desk, Report, Road, make_content, present};
use crate::server::{PASSWORD, USER};
use crate::tls::server;

/// Empty, one byte, one record and a byte, and more than any buffer or socket holds at once.
const SIZES: [usize; 4] = [0, 1, 16 * 1024 + 1, 100 * 1024 * 1024];

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/ftps.py");

/// A desk before a server that speaks TLS with these options, for who has these programs.
fn desk(programs: &[&str], options: &[&str]) -> Option<Desk> {
    present(programs).then(|| Desk::at(server(options), Road::Passive))
}

/// Each size goes up and comes back, by `put` and `get`, under the names `given` and `got`.
fn there_and_back(desk: &Desk, put: impl Fn() -> Report, get: impl Fn() -> Report) {
    for size in SIZES {
        let content = make_content(size as u64, size);
        desk.write_local("give", &content);
        let report = put();
        assert!(report.ok, "{size} bytes up:\n{}", report.text);
        desk.expect_disk("given", &content, &report);
        let report = get();
        assert!(report.ok, "{size} bytes down:\n{}", report.text);
        desk.expect_local("got", &content, &report);
    }
}

/// curl, explicit and implicit, in both versions.
#[test]
fn curl_goes_through_tls() {
    let options = ["--tls", "data-required", "--implicit-port", "0"];
    let Some(desk) = desk(&["curl"], &options) else { return };
    let implicit = crate::tls::implicit_address(&desk.server).to_string();
    let explicit = desk.authority();
    let account = format!("{USER}:{PASSWORD}");
    for version in [&["--tlsv1.2", "--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        // Not active: curl 7.88 then sends in the clear what it has promised to protect, and is refused.
        for (url, more) in [(format!("ftp://{explicit}"), &["--ssl-reqd"][..]), (format!("ftps://{implicit}"), &[])] {
            let curl = |words: &[&str]| {
                let usual = ["-sS", "-k", "--max-time", "100", "-u", &account];
                desk.client("curl").args([&usual, version, more, words].concat()).run()
            };
            let file = format!("{url}/given");
            there_and_back(&desk, || curl(&["-T", "give", &file]), || curl(&["-o", "got", &file]));
            let report = curl(&[&format!("{url}/")]);
            assert!(report.ok && report.text.contains("given"), "{}", report.text);
        }
    }
    // Without TLS it is told why not.
    let report = desk.client("curl").args(["-sSv", "-u", &account, &format!("ftp://{explicit}/")]).run();
    assert!(!report.ok && report.text.contains("530 TLS is required"), "{}", report.text);
}

/// `--ftp-ssl-ccc` goes back to plain text after the login.
#[test]
fn curl_ends_tls_where_it_may() {
    let Some(desk) = desk(&["curl"], &["--tls-ccc"]) else { return };
    let account = format!("{USER}:{PASSWORD}");
    desk.write_local("give", b"content");
    for mode in ["active", "passive"] {
        let url = format!("ftp://{}/given", desk.authority());
        let words = ["-sSv", "-k", "--ssl-reqd", "--ftp-ssl-ccc", "--ftp-ssl-ccc-mode", mode, "-u", &account];
        let report = desk.client("curl").args(words).args(["-T", "give", &url]).run();
        assert!(report.ok && report.text.contains("CCC"), "{}", report.text);
        desk.expect_disk("given", b"content", &report);
    }
}

/// lftp, which wants its data protected and checks nothing of the certificate here.
#[test]
fn lftp_goes_through_tls() {
    let Some(desk) = desk(&["lftp"], &["--tls", "data-required", "--implicit-port", "0"]) else { return };
    let implicit = crate::tls::implicit_address(&desk.server);
    for url in [format!("ftp://{}", desk.authority()), format!("ftps://{implicit}")] {
        let lftp = |script: &str| {
            let set = "set cmd:fail-exit yes\nset xfer:clobber yes\nset net:max-retries 2\nset net:timeout 20\nset ssl:verify-certificate no\n\
                       set ftp:ssl-force yes\nset ftp:ssl-protect-data yes\nset ftp:ssl-protect-list yes\n";
            let script = format!("{set}open -u {USER},{PASSWORD} {url}\n{script}");
            desk.client("lftp").args(["--norc"]).script(script).run()
        };
        there_and_back(&desk, || lftp("put give -o given\n"), || lftp("get given -o got\n"));
        let report = lftp("mkdir -f -p d\nmput -O d give\ncls -1 d\nmirror --parallel=3 / tree\nrm -r d\n");
        assert!(report.ok && report.text.contains("give"), "{}", report.text);
    }
}

/// ftplib: as it is, and with the session of the control connection shown on every data connection, as users write it
/// where a server wants that (<https://bugs.python.org/issue19500>).
#[test]
fn ftplib_goes_through_tls() {
    for (resume, variant) in [("prefer", "fresh"), ("prefer", "reuse"), ("require", "reuse"), ("off", "fresh")] {
        let Some(desk) = desk(&["python3"], &["--tls", "data-required", "--tls-resume", resume]) else { return };
        for version in ["TLSv1_2", "TLSv1_3"] {
            let ftplib = |words: &[&str]| {
                let usual = ["-I", SCRIPT, &desk.port(), USER, PASSWORD, version, variant];
                desk.client("python3").args([&usual[..], words].concat()).run()
            };
            there_and_back(&desk, || ftplib(&["put", "give", "given"]), || ftplib(&["get", "given", "got"]));
            // One ticket for thirty data connections.
            let report = ftplib(&["many", "30"]);
            assert!(report.ok, "{}", report.text);
        }
        let noted = desk.server.log().contains("does not resume");
        assert_eq!(noted, (resume, variant) == ("prefer", "fresh"), "{}", desk.server.log());
    }
}

/// OpenSSL's client asks for a new handshake within TLS 1.2 where it is told to (CVE-2009-3555, CVE-2011-1473): it is
/// refused, and the server goes on.
#[test]
fn renegotiation_is_refused() {
    let Some(desk) = desk(&["openssl"], &[]) else { return };
    let words = ["s_client", "-starttls", "ftp", "-tls1_2", "-connect", &desk.authority()];
    let report = desk.client("openssl").args(words).script("R\n").run();
    assert!(report.text.contains("RENEGOTIATING"), "{}", report.text);
    assert!(report.text.contains("no renegotiation"), "{}", report.text);
    // Told to ignore the end of its input, it does not take QUIT for a word to itself either.
    let words = ["s_client", "-ign_eof", "-starttls", "ftp", "-connect", &desk.authority()];
    let report = desk.client("openssl").args(words).script("NOOP\nQUIT\n").run();
    assert!(report.text.contains("221"), "{}", report.text);
}
