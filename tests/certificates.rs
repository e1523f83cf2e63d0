//! Certificates as an administrator has them: named on the command line, made, renewed, broken and mended while the server
//! runs. What a client sees of them is in `clients/openssl.rs`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_rustls::rustls::ClientConfig;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

use crate::abuse::eventually;
use crate::command_line::assert_mistake;
use crate::server::{PASSWORD, Place, Server, USER};
use crate::tls::client::Client;
use crate::tls::{self, client};

/// A certificate for a name until the end of a year, and its key, as PEM.
pub fn made(name: &str, until: i32) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec![name.to_string()]).expect("a name");
    params.not_after = date_time_ymd(until, 12, 31);
    (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
}

/// The same in files.
pub fn put(folder: &Path, file: &str, (certificate, key): &(String, String)) -> (PathBuf, PathBuf) {
    let (at, key_at) = (folder.join(format!("{file}.crt")), folder.join(format!("{file}.key")));
    fs::write(&at, certificate).expect("the certificate");
    fs::write(&key_at, key).expect("the key");
    fs::set_permissions(&key_at, fs::Permissions::from_mode(0o600)).expect("its mode");
    (at, key_at)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of ours")
}

#[test]
fn mistakes_about_tls_are_one_line_that_says_what_to_type() {
    let place = Place::new();
    let folder = place.outside();
    let (certificate, key) = put(folder, "a", &made("a.example", 2099));
    let (_, other) = put(folder, "b", &made("b.example", 2099));
    let (certificate, key, other) = (text(&certificate), text(&key), text(&other));
    let encrypted = folder.join("encrypted");
    fs::write(&encrypted, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIF\n-----END ENCRYPTED PRIVATE KEY-----\n")
        .unwrap();
    let serve = |rest: &[&str], hints: &[&str]| {
        let begin = ["serve", "--root", text(place.root()), "--port", "0"];
        assert_mistake(&[&begin[..], rest].concat(), hints);
    };
    let with = |rest: &[&str], hints: &[&str]| {
        serve(&[&["--tls-cert", certificate, "--tls-key", key], rest].concat(), hints);
    };
    for needy in [
        &["--tls", "required"][..],
        &["--tls", "optional"],
        &["--tls", "data-required"],
        &["--tls-key", key],
        &["--tls-client-ca", certificate],
        &["--tls-client", "optional"],
        &["--tls-client-user", "cn"],
        &["--tls-client-password"],
        &["--tls-resume", "require"],
        &["--tls-lenient"],
        &["--tls-ccc"],
        &["--implicit-port", "990"],
    ] {
        serve(needy, &[needy[0], "--tls-cert FILE", "--tls-self-signed DIR"]);
    }
    serve(&["--tls", "maybe"], &["off, optional, required or data-required"]);
    serve(&["--tls-cert", "/no/such/file"], &["--tls-cert /no/such/file", "no such file"]);
    serve(&["--tls-cert", certificate], &["a.crt", "--tls-key FILE"]);
    serve(&["--tls-cert", certificate, "--tls-key", other], &["b.key", "not that of", "a.crt"]);
    serve(&["--tls-cert", certificate, "--tls-key", text(&encrypted)], &["encrypted", "openssl pkey"]);
    serve(&["--tls-cert", certificate, "--tls-key", key, "--tls-key", other], &["1 --tls-cert but 2 --tls-key"]);
    serve(&["--tls-self-signed", certificate], &["--tls-self-signed", "folder"]);
    with(&["--tls-self-signed", text(folder)], &["--tls-self-signed", "--tls-cert"]);
    with(&["--tls-client-ca", key], &["--tls-client-ca", "no certificate"]);
    with(&["--tls-client-ca", certificate, "--tls", "optional"], &["--tls required", "--tls-client optional"]);
    with(&["--tls-client-ca", certificate, "--tls-client", "maybe"], &["optional or required"]);
    with(&["--tls-client-ca", certificate, "--tls-client-user", "dn"], &["cn, email or uid"]);
    with(&["--tls-client-ca", certificate, "--tls-client-password"], &["--tls-client-user cn"]);
    with(&["--tls-client-user", "cn"], &["--tls-client-ca FILE"]);
    with(&["--tls-resume", "always"], &["off, prefer or require"]);
    with(&["--tls", "off", "--implicit-port", "0"], &["--implicit-port", "--tls is off"]);
    with(&["--listen", "127.0.0.1:2121", "--implicit-port", "2121"], &["--implicit-port 2121", "990"]);
}

#[test]
fn one_that_is_made_is_said_by_its_fingerprint_each_time() {
    let place = Place::new();
    let folder = place.outside().join("tls");
    let options = ["--tls-self-signed", text(&folder), "--listen", "127.0.0.1"];
    let said = || {
        let server = Server::told_on(place.clone(), &options);
        let line = || server.log().lines().find(|line| line.starts_with("tls: self-signed")).map(str::to_string);
        eventually("the fingerprint is said", || line().is_some());
        let log = server.log();
        // The log goes another way and may come before either.
        assert!(log.find("gftp serves ") < log.find("tls: self-signed "), "first what is served:\n{log}");
        line().expect("it has been said")
    };
    let first = said();
    assert_eq!(first, said(), "it is the same the next time");
    let path = folder.join("self-signed.pem");
    assert!(first.starts_with(&format!("tls: self-signed certificate {}, SHA-256 ", path.display())), "{first}");
    fs::remove_dir_all(&folder).unwrap();
    assert_ne!(first, said(), "removed, it is made anew");
}

/// A renewal while the server runs, as certbot does it, and as one goes wrong.
#[test]
fn a_renewal_is_taken_up_and_a_broken_one_is_said_once() {
    let place = Place::new();
    let (certificate, key) = put(place.outside(), "a", &made("a.example", 2050));
    let server = Server::told_on(
        place.clone(),
        &["--tls-cert", text(&certificate), "--tls-key", text(&key), "--log-level", "trace"],
    );
    let heard = |text: &str| eventually(&format!("{text:?} is logged"), || server.log().contains(text));
    heard("for a.example, until 2050-12-31");
    let (new, new_key) = made("a.example", 2060);
    fs::write(&certificate, &new).unwrap();
    heard("this key is not that of --tls-cert");
    fs::write(&key, &new_key).unwrap();
    heard("was read again: for a.example, until 2060-12-31");
    fs::write(&key, "").unwrap();
    heard("it holds no key");
    let (newest, newest_key) = made("a.example", 2070);
    fs::write(&key, &newest_key).unwrap();
    fs::write(&certificate, &newest).unwrap();
    heard("until 2070-12-31");
    let log = server.log();
    let times = |text: &str| log.matches(text).count();
    assert!(times("what was read before is used") >= 2 && times("it holds no key") == 1, "{log}");
    for secret in [&new_key, &newest_key].iter().flat_map(|key| key.lines().filter(|line| !line.starts_with('-'))) {
        assert!(!log.contains(secret), "a key is in the log:\n{log}");
    }
}

#[test]
fn what_an_administrator_should_change_is_said_at_start() {
    let place = Place::new();
    let (certificate, key) = put(place.root(), "a", &made("a.example", 2021));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let server = Server::told_on(place.clone(), &["--tls-cert", text(&certificate), "--tls-key", text(&key)]);
    for hint in ["expired on 2021-12-31", &format!("chmod 600 {}", key.display()), "lies in the served folder"] {
        eventually(hint, || server.log().contains(hint));
    }
}

/// As certbot has it: what is named is a link, and renewed it leads to another file of another folder. That is read under
/// confinement, too.
#[test]
fn a_renewal_by_links_is_taken_up() {
    let place = Place::new();
    let [archive, live] = ["archive", "live"].map(|name| place.outside().join(name));
    for folder in [&archive, &live] {
        fs::create_dir(folder).unwrap();
    }
    let link = |(certificate, key): &(PathBuf, PathBuf)| {
        for (target, name) in [(key, "key.pem"), (certificate, "cert.pem")] {
            std::os::unix::fs::symlink(target, live.join("new")).unwrap();
            fs::rename(live.join("new"), live.join(name)).unwrap();
        }
    };
    link(&put(&archive, "1", &made("a.example", 2050)));
    let (certificate, key) = (live.join("cert.pem"), live.join("key.pem"));
    let server = Server::told_on(place, &["--tls-cert", text(&certificate), "--tls-key", text(&key)]);
    eventually("the first is read", || server.log().contains("until 2050-12-31"));
    link(&put(&archive, "2", &made("a.example", 2060)));
    eventually("the second is read", || server.log().contains("was read again: for a.example, until 2060-12-31"));
}

/// An authority as PEM, and what it gives to a client of this name.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority { pem: params.self_signed(&key).expect("a certificate").pem(), issuer: Issuer::new(params, key) }
    }

    fn client(&self, name: &str) -> Arc<ClientConfig> {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        let signed = params.signed_by(&key, &self.issuer).expect("a certificate");
        client::config_of(&client::BOTH, &signed.pem(), &key.serialize_pem())
    }
}

/// A server that asks clients for a certificate of this authority.
fn asking(authority: &Authority, options: &[&str]) -> Server {
    let place = Place::new();
    let file = place.outside().join("ca.pem");
    fs::write(&file, &authority.pem).expect("the authority");
    let asking = ["--anonymous", "off", "--user", USER, "--tls-client-ca", text(&file), "--tls-client-user", "cn"];
    tls::server_on(place.clone(), &[&asking[..], options].concat())
}

#[test]
fn a_certificate_that_names_an_account_is_enough_for_it_and_for_no_other() {
    let ours = Authority::new();
    let server = asking(&ours, &["--tls-client", "optional", "--tls-ccc"]);
    let mut alice = Client::secure(&server, &ours.client(USER));
    alice.tell(&format!("USER {USER}"), 232);
    alice.tell("PBSZ 0", 200);
    alice.tell("PROT P", 200);
    alice.tell("TYPE I", 200);
    alice.put("file", b"by certificate");
    assert_eq!(alice.get("file"), b"by certificate");
    alice.tell("USER bob", 331);
    alice.tell(&format!("PASS {PASSWORD}"), 530);
    // In plain text anybody might speak for whoever has the key.
    alice.tell(&format!("USER {USER}"), 232);
    alice.tell("CCC", 200);
    alice.end_tls();
    alice.tell(&format!("USER {USER}"), 331);
    for other in [ours.client("bob"), ours.client("ALICE"), client::config(&client::BOTH, None)] {
        let mut other = Client::secure(&server, &other);
        other.tell(&format!("USER {USER}"), 331);
        other.tell("PASS wrong", 530);
        other.log_in();
    }
}

#[test]
fn a_certificate_may_be_wanted_beside_the_password() {
    let ours = Authority::new();
    let server = asking(&ours, &["--tls-client-password"]);
    let mut alice = Client::secure(&server, &ours.client(USER));
    alice.tell(&format!("USER {USER}"), 331);
    alice.tell("PASS wrong", 530);
    alice.log_in();
    let mut bob = Client::secure(&server, &ours.client("bob"));
    bob.tell(&format!("USER {USER}"), 331);
    bob.tell(&format!("PASS {PASSWORD}"), 530);
    eventually("why is in the log", || server.log().contains("no certificate of this name"));
    // Who must have a certificate must use TLS, or would only have to do without.
    let mut plain = Client::plain(server.address(), &ours.client(USER));
    plain.tell(&format!("USER {USER}"), 530);
}

#[test]
fn who_has_no_certificate_of_the_authority_does_not_come_in() {
    let server = asking(&Authority::new(), &[]);
    for stranger in [Authority::new().client(USER), client::config(&[&client::TLS12], None)] {
        let mut plain = Client::plain(server.address(), &stranger);
        plain.tell("AUTH TLS", 234);
        let socket = plain.socket().try_clone().unwrap();
        // In TLS 1.3 the client believes itself in, until it reads.
        let came_in = client::handshake(socket, &stranger).and_then(|mut tls| {
            std::io::Write::write_all(&mut tls, b"NOOP\r\n").map_err(|e| e.to_string())?;
            std::io::Read::read(&mut tls, &mut [0; 64]).map_err(|e| e.to_string())
        });
        assert!(matches!(came_in, Err(_) | Ok(0)), "a stranger was answered");
    }
}
