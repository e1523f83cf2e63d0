//! Files as they are found at start, and one that is made.

use super::*;

#[test]
fn one_that_is_made_is_kept_and_found_again() {
    let folder = TempDir::new().unwrap();
    let kept = folder.path().join("new/tls");
    let files = || TlsFiles {
        self_signed: Some(SelfSigned { folder: kept.clone(), addresses: vec!["192.0.2.7".parse().unwrap()] }),
        ..order(Vec::new())
    };
    // Many that begin at once have the same one.
    let lines: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> =
            (0..8).map(|_| scope.spawn(|| Certificates::open(&files()).unwrap().line().unwrap())).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let line = Certificates::open(&files()).unwrap().line().unwrap();
    assert!(lines.iter().all(|other| *other == line), "{lines:?}");
    let (path, fingerprint) = (kept.join("self-signed.pem"), line.rsplit(' ').next().unwrap());
    assert!(line.contains(path.to_str().unwrap()) && fingerprint.split(':').count() == 32, "{line}");
    let mode = |path: &Path| std::os::unix::fs::MetadataExt::mode(&fs::metadata(path).unwrap()) & 0o777;
    assert_eq!((mode(&kept), mode(&path)), (0o700, 0o600));
    let left: Vec<_> = fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the certificate with its key, and alone: {left:?}");
    let alone = fs::read_to_string(kept.join("certificate.pem")).unwrap();
    assert!(!alone.contains("PRIVATE"), "{alone}");
    // A client that trusts it by its file takes it for each of its names.
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(alone.as_bytes()).unwrap()).unwrap();
    let config = Certificates::open(&files()).unwrap().config();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let client = builder.with_protocol_versions(BOTH).unwrap().with_root_certificates(roots).with_no_client_auth();
    for name in ["localhost", "127.0.0.1", "::1", "192.0.2.7"] {
        shake(&config, client.clone(), name).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    assert!(shake(&config, client, "192.0.2.8").is_err());
}

#[test]
fn each_mistake_says_what_to_do() {
    let folder = TempDir::new().unwrap();
    let (a, b) = (Made::for_names(&["a"]), Made::for_names(&["b"]));
    let (files_a, files_b) = (a.put(folder.path(), "a"), b.put(folder.path(), "b"));
    let write = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let both = write("both.pem", format!("{}{}", a.key, a.certificate).as_bytes());
    open(vec![PairFiles { certificate: both.clone(), key: both }]);
    let pair = |certificate: &PathBuf, key: &PathBuf| PairFiles { certificate: certificate.clone(), key: key.clone() };
    let (missing, der, cut) = (
        folder.path().join("missing"),
        write("a.der", &a.der()),
        write("cut", &a.certificate.as_bytes()[..a.certificate.len() / 2]),
    );
    let encrypted =
        write("enc.key", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIF\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let old_style = write(
        "old.key",
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,1F\n\nMIIF\n-----END RSA PRIVATE KEY-----\n",
    );
    let backwards = write("chain.pem", format!("{}{}", b.certificate, a.certificate).as_bytes());
    let large = write("large", &vec![b'\n'; 2 << 20]);
    let bad_base64 = write("bad.key", b"-----BEGIN PRIVATE KEY-----\nSECRET!!\n-----END PRIVATE KEY-----\n");
    let no_kind = write("kind.key", b"-----BEGIN PRIVATE KEY-----\nMAAA\n-----END PRIVATE KEY-----\n");
    for (files, hints) in [
        (pair(&files_a.certificate, &files_b.key), &["--tls-key", "b.key", "not that of --tls-cert", "a.crt"][..]),
        (pair(&missing, &files_a.key), &["--tls-cert", "missing", "no such file"]),
        (pair(&files_a.certificate, &missing), &["--tls-key", "missing", "no such file"]),
        (pair(&files_a.certificate, &files_a.certificate), &["no key", "--tls-key FILE"]),
        (pair(&files_a.key, &files_a.key), &["--tls-cert", "no certificate"]),
        (pair(&files_a.certificate, &files_b.certificate), &["--tls-key", "no key"]),
        (pair(&der, &files_a.key), &["openssl x509 -inform der", "a.der"]),
        (pair(&cut, &files_a.key), &["cut", "ends in the middle"]),
        (pair(&files_a.certificate, &encrypted), &["encrypted", "openssl pkey -in"]),
        (pair(&files_a.certificate, &old_style), &["encrypted", "openssl pkey -in"]),
        (pair(&backwards, &files_a.key), &["chain.pem", "must stand first"]),
        (pair(&large, &files_a.key), &["larger than 1 MiB"]),
        (pair(&files_a.certificate, &bad_base64), &["bad.key", "no base64"]),
        (pair(&files_a.certificate, &no_kind), &["kind.key", "RSA (2048 bits or more)"]),
    ] {
        let line = mistake(&order(vec![files]));
        assert!(line.lines().count() == 1 && !line.contains("SECRET"), "{line}");
        for hint in hints {
            assert!(line.contains(hint), "{hint:?} is not in: {line}");
        }
    }
    let client = |file: &PathBuf| {
        mistake(&TlsFiles {
            client: Some(ClientCa { file: file.clone(), required: true }),
            ..order(vec![files_a.clone()])
        })
    };
    assert!(client(&missing).contains("--tls-client-ca") && client(&files_a.key).contains("no certificate"));
}

#[test]
fn no_bytes_panic() {
    let folder = TempDir::new().unwrap();
    let made = Made::for_names(&["a"]);
    let files = made.put(folder.path(), "a");
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..500 {
        let mut der = made.der().to_vec();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(0..der.len());
            der[at] = random.u8(..);
        }
        for name in [
            crate::accounts::certificate::NameField::CommonName,
            crate::accounts::certificate::NameField::Email,
            crate::accounts::certificate::NameField::UserId,
        ] {
            let _ = crate::accounts::certificate::name_of(&der, name);
        }
        let certificate = CertificateDer::from(der);
        let _ = pair::Facts::of(&certificate).map(|facts| facts.to_string());
        let mut text = made.certificate.clone().into_bytes();
        let at = random.usize(0..text.len());
        text[at] = random.u8(..);
        fs::write(&files.certificate, text).unwrap();
        let _ = Certificates::open(&order(vec![files.clone()]));
    }
}

#[test]
fn a_key_that_others_may_read_or_download_is_warned_of() {
    let folder = TempDir::new().unwrap();
    let files = Made::for_names(&["a"]).put(folder.path(), "a");
    for (mode, warns) in [(0o600, false), (0o640, false), (0o644, true), (0o660, true), (0o400, false)] {
        fs::set_permissions(&files.key, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        let warnings = open(vec![files.clone()]).warnings(Path::new("/srv"));
        assert_eq!(!warnings.is_empty(), warns, "{mode:o}: {warnings:?}");
        assert!(warnings.iter().all(|warning| warning.contains("chmod 600")));
    }
    let served = folder.path().canonicalize().unwrap();
    let warnings = open(vec![files]).warnings(&served);
    assert!(warnings.len() == 1 && warnings[0].contains("lies in the served folder"), "{warnings:?}");
}

#[test]
fn an_expired_one_is_served_and_said() {
    let folder = TempDir::new().unwrap();
    let old = Made::with(&["a"], |params| {
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    });
    let opened = open(vec![old.put(folder.path(), "a")]);
    assert!(shown_to(&opened.config(), "a") == old.der());
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_700_000_000));
    let text = expiry::due(&opened.shown.all()[0].facts.validity, now.as_secs(), &mut None).unwrap();
    assert!(text.contains("expired on 2021-01-01") && text.contains("renew"), "{text}");
}

#[test]
fn what_is_read_again_is_links_and_what_they_lead_to() {
    let folder = TempDir::new().unwrap();
    for name in ["archive", "live"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let made = Made::for_names(&["a"]).put(&folder.path().join("archive"), "a1");
    let link = |target: &Path, name: &str| {
        let path = folder.path().join("live").join(name);
        std::os::unix::fs::symlink(target, &path).unwrap();
        path
    };
    let (certificate, key) = (link(&made.certificate, "cert.pem"), link(&made.key, "key.pem"));
    let opened = open(vec![PairFiles { certificate, key }]);
    let base = folder.path().canonicalize().unwrap();
    for name in ["archive/a1.crt", "archive/a1.key"] {
        assert!(opened.files().contains(&base.join(name)), "{name} of {:?}", opened.files());
    }
    for name in ["live/cert.pem", "live/key.pem"] {
        assert!(opened.files().contains(&folder.path().join(name)), "{name} of {:?}", opened.files());
    }
}
