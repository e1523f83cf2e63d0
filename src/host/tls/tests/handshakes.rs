//! What a client is shown, and what it has to bring.

use super::*;

#[test]
fn a_handshake_in_both_versions_with_strong_ciphers_and_no_tickets() {
    let folder = TempDir::new().unwrap();
    let made = Made::for_names(&["ftp.example.net"]);
    let config = open(vec![made.put(folder.path(), "a")]).config();
    for (versions, version, suite) in [
        (&[&TLS13][..], ProtocolVersion::TLSv1_3, CipherSuite::TLS13_AES_128_GCM_SHA256),
        (&[&TLS12], ProtocolVersion::TLSv1_2, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ] {
        let (mut client, mut server) = shake(&config, client(versions, None), "ftp.example.net").unwrap();
        assert_eq!(client.protocol_version(), Some(version));
        assert_eq!(server.negotiated_cipher_suite().map(|found| found.suite()), Some(suite));
        assert_eq!(client.tls13_tickets_received(), 0, "who may resume what is decided for each session");
        let mut pipe = Vec::new();
        client.writer().write_all(b"hello").unwrap();
        client.write_tls(&mut pipe).unwrap();
        server.read_tls(&mut pipe.as_slice()).unwrap();
        server.process_new_packets().unwrap();
        let mut heard = [0; 5];
        server.reader().read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
    }
}

#[test]
fn the_name_that_a_client_asks_for_chooses() {
    let folder = TempDir::new().unwrap();
    let names: [&[&str]; 4] = [&["ftp.example.net"], &["*.example.org"], &["a.example.org"], &["A.Example.COM"]];
    let made = names.map(Made::for_names);
    let config = open((0..).zip(&made).map(|(at, made)| made.put(folder.path(), &format!("{at}"))).collect()).config();
    for (name, index) in [
        ("ftp.example.net", 0),
        ("b.example.org", 1),
        ("a.example.org", 2),
        ("a.example.com", 3),
        ("b.a.example.org", 0),
        ("elsewhere.example", 0),
        ("192.0.2.7", 0),
    ] {
        assert!(shown_to(&config, name) == made[index].der(), "{name} is not shown number {index}");
    }
}

#[test]
fn a_client_is_shown_a_certificate_of_a_kind_that_it_knows() {
    let folder = TempDir::new().unwrap();
    let p256 = Made::for_names(&["ftp.example.net"]);
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let params = CertificateParams::new(vec!["ftp.example.net".to_string()]).unwrap();
    let ed25519 = Made { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() };
    let config = open(vec![ed25519.put(folder.path(), "new"), p256.put(folder.path(), "old")]).config();
    assert!(shown_to(&config, "ftp.example.net") == ed25519.der(), "of equals, the first");
    let mut old = client(BOTH, None);
    old.dangerous().set_certificate_verifier(Arc::new(Credulous(vec![SignatureScheme::ECDSA_NISTP256_SHA256])));
    let (client, _) = shake(&config, old, "ftp.example.net").unwrap();
    assert!(client.peer_certificates().unwrap()[0] == p256.der(), "an old client cannot check the first one");
}

#[test]
fn who_names_protocols_must_name_ftp() {
    let folder = TempDir::new().unwrap();
    let config = open(vec![Made::for_names(&["a.example"]).put(folder.path(), "a")]).config();
    for (offered, chosen) in [
        (vec![], Ok(None)),
        (vec!["ftp"], Ok(Some(b"ftp"))),
        (vec!["x-filezilla-ftp", "ftp"], Ok(Some(b"ftp"))),
        (vec!["h2", "http/1.1"], Err(())),
    ] {
        for version in BOTH {
            let mut client = client(&[version], None);
            client.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
            let shaken = shake(&config, client, "a.example");
            match (&shaken, chosen) {
                (Ok((client, _)), Ok(chosen)) => assert_eq!(client.alpn_protocol(), chosen.map(|name| &name[..])),
                (Err(Error::NoApplicationProtocol), Err(())) => {}
                (Err(e), _) => panic!("{offered:?}: {e}"),
                (Ok(_), _) => panic!("{offered:?} is let in"),
            }
        }
    }
}

/// A server's alert that names what is wrong is what an administrator of clients sees.
#[test]
fn who_has_no_certificate_is_told_so() {
    let folder = TempDir::new().unwrap();
    let ours = Authority::new();
    let file = folder.path().join("ca.pem");
    fs::write(&file, &ours.pem).unwrap();
    let files = TlsFiles {
        client: Some(ClientCa { file, required: true }),
        ..order(vec![Made::for_names(&["a"]).put(folder.path(), "a")])
    };
    let config = Certificates::open(&files).unwrap().config();
    let refused = shake(&config, client(BOTH, None), "a").err();
    assert!(matches!(refused, Some(Error::NoCertificatesPresented)), "{refused:?}");
}
