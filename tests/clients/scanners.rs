//! What looks at servers from outside: openssl's client, sslscan, and nmap's scripts for FTP.

use std::fs;
use std::path::PathBuf;

use super::{Desk, Road, present};
use crate::certificates::{made, put};
use crate::server::{Place, USER};
use crate::tls;

/// A desk before a server with TLS.
fn desk(options: &[&str]) -> Desk {
    Desk::at(tls::server(options), Road::Passive)
}

/// What `openssl s_client` says after AUTH TLS, told this besides.
fn openssl(desk: &Desk, words: &[&str]) -> super::Report {
    let connect = ["s_client", "-starttls", "ftp", "-crlf", "-connect", &desk.authority()].map(str::to_string);
    desk.client("openssl").args(connect).args(words.iter().map(ToString::to_string)).script("QUIT\n").run()
}

#[test]
fn openssl_sees_the_certificate_and_both_versions() {
    if !present(&["openssl"]) {
        return;
    }
    let desk = desk(&[]);
    let kept: PathBuf = desk.server.place().outside().join("certificates/certificate.pem");
    let kept = kept.to_str().expect("a path of ours");
    for (version, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let report =
            openssl(&desk, &[version, "-CAfile", kept, "-verify_return_error", "-verify_hostname", "localhost"]);
        assert!(report.ok && report.text.contains(name), "{}", report.text);
        assert!(report.text.contains("Verify return code: 0 (ok)"), "{}", report.text);
        assert!(report.text.contains("_128_GCM_") || report.text.contains("AES128-GCM"), "{}", report.text);
    }
    for version in ["-tls1", "-tls1_1"] {
        let report = openssl(&desk, &[version, "-cipher", "ALL:@SECLEVEL=0"]);
        assert!(!report.ok && report.text.contains("no peer certificate"), "{}", report.text);
    }
}

#[test]
fn openssl_is_shown_the_certificate_of_the_name_that_it_asks_for() {
    if !present(&["openssl"]) {
        return;
    }
    let place = Place::new();
    let (first, second) = (made("one.example", 2050), made("*.two.example", 2050));
    let [(a, a_key), (b, b_key)] = [("a", &first), ("b", &second)].map(|(name, pair)| put(place.outside(), name, pair));
    // The second as one file with its key.
    fs::write(&b, format!("{}{}", second.1, second.0)).expect("both in one file");
    fs::remove_file(b_key).expect("the key alone");
    let [a, a_key, b] = [&a, &a_key, &b].map(|path| path.to_str().expect("a path of ours"));
    let options = ["--user", USER, "--tls-cert", a, "--tls-key", a_key, "--tls-cert", b, "--tls-key", b];
    let desk = Desk::at(crate::server::Server::told_on(place, &options), Road::Passive);
    let chain = |pem: &str| pem.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    for (name, (shown, _)) in [("one.example", &first), ("ftp.two.example", &second), ("three.example", &first)] {
        let report = openssl(&desk, &["-servername", name]);
        assert!(chain(&report.text.replace('\r', "")).contains(&chain(shown)), "{name}: {}", report.text);
    }
    let report = openssl(&desk, &["-alpn", "h2,ftp"]);
    assert!(report.text.contains("ALPN protocol: ftp"), "{}", report.text);
    let report = openssl(&desk, &["-alpn", "h2,http/1.1"]);
    assert!(report.text.contains("no application protocol"), "{}", report.text);
}

#[test]
fn sslscan_finds_nothing_weak() {
    if !present(&["sslscan"]) {
        return;
    }
    let desk = desk(&[]);
    let report = desk.client("sslscan").args(["--no-colour", "--starttls-ftp", &desk.authority()]).run();
    assert!(report.ok, "{}", report.text);
    let text = report.text.split_whitespace().collect::<Vec<_>>().join(" ");
    for old in ["SSLv2 disabled", "SSLv3 disabled", "TLSv1.0 disabled", "TLSv1.1 disabled"] {
        assert!(text.contains(old), "{}", report.text);
    }
    for good in ["TLSv1.2 enabled", "TLSv1.3 enabled", "renegotiation not supported", "not vulnerable to heartbleed"] {
        assert!(text.contains(good), "{}", report.text);
    }
    let ciphers = report.text.lines().filter(|line| line.starts_with("Accepted") || line.starts_with("Preferred"));
    let ciphers: Vec<_> = ciphers.collect();
    assert!(ciphers.len() >= 6, "{}", report.text);
    for cipher in &ciphers {
        assert!(cipher.contains("GCM") || cipher.contains("CHACHA20"), "a weak cipher: {cipher}");
    }
    let preferred: Vec<_> = ciphers.iter().filter(|cipher| cipher.starts_with("Preferred")).collect();
    assert!(preferred.len() == 2 && preferred.iter().all(|cipher| cipher.contains("128")), "{preferred:?}");
}

/// The scripts that ask an FTP server whether it can be abused; the ones that guess passwords are not among them.
#[test]
fn nmap_finds_nothing_to_abuse() {
    if !present(&["nmap"]) {
        return;
    }
    let desk = desk(&[]);
    let scripts = ["anon", "bounce", "syst", "libopie", "proftpd-backdoor", "vsftpd-backdoor", "vuln-cve2010-4221"];
    let scripts = scripts.map(|name| format!("+ftp-{name}")).join(",");
    let port = desk.port();
    // No name is asked for: the bounce is tried towards an address that nobody has.
    let arguments = "ftp-bounce.checkhost=192.0.2.1";
    let words = ["-n", "-Pn", "-p", &port, "--script", &scripts, "--script-args", arguments, &desk.host()];
    let report = desk.client("nmap").args(words).run();
    assert!(report.ok && report.text.contains("ftp-syst") && report.text.contains("gftp"), "{}", report.text);
    for bad in ["Anonymous FTP login allowed", "bounce working", "VULNERABLE", "backdoor"] {
        let said = report.text.lines().filter(|line| !line.starts_with('[')).any(|line| line.contains(bad));
        assert!(!said, "{bad}: {}", report.text);
    }
}
