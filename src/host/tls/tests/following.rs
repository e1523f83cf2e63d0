//! Files that change while they are used.

use super::*;

#[test]
fn a_renewed_pair_is_taken_up_and_a_broken_one_is_not() {
    let folder = TempDir::new().unwrap();
    let (old, new, newer) = (Made::for_names(&["a"]), Made::for_names(&["a"]), Made::for_names(&["a"]));
    let files = old.put(folder.path(), "a");
    let opened = open(vec![files.clone()]);
    let config = opened.config();
    let mut following = following(opened);
    let now = UnixTime::now();
    assert!(following.look(now) && shown_to(&config, "a") == old.der());
    let (before, _) = shake(&config, client(BOTH, None), "a").unwrap();
    // As a renewal goes: the certificate first, the key a moment later.
    fs::write(&files.certificate, &new.certificate).unwrap();
    assert!(following.look(now) && shown_to(&config, "a") == old.der(), "the new one has no key yet");
    fs::write(&files.key, &new.key).unwrap();
    assert!(following.look(now) && shown_to(&config, "a") == new.der());
    assert!(before.peer_certificates().unwrap()[0] == old.der() && !before.is_handshaking(), "who was there stays");
    // Cut off, emptied, gone, and another file by a rename.
    for broken in [&newer.certificate[..newer.certificate.len() / 2], ""] {
        fs::write(&files.certificate, broken).unwrap();
        assert!(following.look(now) && following.look(now) && shown_to(&config, "a") == new.der());
    }
    fs::remove_file(&files.certificate).unwrap();
    assert!(following.look(now) && shown_to(&config, "a") == new.der());
    newer.put(folder.path(), "b");
    fs::rename(folder.path().join("b.key"), &files.key).unwrap();
    fs::rename(folder.path().join("b.crt"), &files.certificate).unwrap();
    assert!(following.look(now) && shown_to(&config, "a") == newer.der());
    drop(config);
    assert!(!following.look(now), "nobody uses it any more");
}

#[test]
fn what_is_wrong_for_a_moment_is_not_said_and_what_stays_wrong_is_said_once() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "0").unwrap();
    let path = file.clone();
    let read = move || fs::read_to_string(&path).unwrap().parse::<u32>().map_err(|e| e.to_string());
    let (mut followed, first) = Followed::new([file.as_path()], read).unwrap();
    assert_eq!((first, followed.look()), (0, None));
    fs::write(&file, "x").unwrap();
    assert_eq!((followed.look(), followed.said()), (None, Some(false)), "perhaps it is being written");
    assert_eq!((followed.look(), followed.said()), (None, Some(true)));
    assert_eq!((followed.look(), followed.said()), (None, Some(true)));
    fs::write(&file, "").unwrap();
    assert_eq!((followed.look(), followed.said()), (None, Some(false)), "another mistake");
    fs::write(&file, "17").unwrap();
    assert_eq!((followed.look(), followed.said()), (Some(17), None));
    assert_eq!(followed.look(), None);
}

#[test]
fn clients_need_a_certificate_of_the_authorities() {
    let folder = TempDir::new().unwrap();
    let (ours, others) = (Authority::new(), Authority::new());
    let (alice, mallory) = (ours.sign(1), others.sign(1));
    let file = folder.path().join("ca.pem");
    fs::write(&file, &ours.pem).unwrap();
    let files = |required| TlsFiles {
        client: Some(ClientCa { file: file.clone(), required }),
        ..order(vec![Made::for_names(&["a"]).put(folder.path(), "a")])
    };
    for version in BOTH {
        let required = Certificates::open(&files(true)).unwrap().config();
        let (_, server) = shake(&required, client(&[version], Some(&alice)), "a").unwrap();
        assert!(server.peer_certificates().unwrap()[0] == alice.der());
        for nobody in [None, Some(&mallory)] {
            assert!(shake(&required, client(&[version], nobody), "a").is_err());
        }
        let optional = Certificates::open(&files(false)).unwrap().config();
        let (_, server) = shake(&optional, client(&[version], None), "a").unwrap();
        assert!(server.peer_certificates().is_none());
        assert!(shake(&optional, client(&[version], Some(&mallory)), "a").is_err(), "a wrong one is worse than none");
        let (_, server) = shake(&optional, client(&[version], Some(&alice)), "a").unwrap();
        assert!(server.peer_certificates().is_some());
    }
    let opened = Certificates::open(&files(true)).unwrap();
    let config = opened.config();
    let mut following = following(opened);
    let mut comes_in = |who: &Made| {
        following.look(UnixTime::now());
        shake(&config, client(BOTH, Some(who)), "a").is_ok()
    };
    assert!(comes_in(&alice) && !comes_in(&mallory));
    fs::write(&file, format!("{}{}", ours.pem, others.pem)).unwrap();
    assert!(comes_in(&alice) && comes_in(&mallory), "both authorities");
    fs::write(&file, format!("{}{}", ours.pem, ours.revoke(1))).unwrap();
    assert!(!comes_in(&alice) && !comes_in(&mallory), "revoked, and no longer an authority");
    assert!(comes_in(&ours.sign(2)), "another one is not revoked");
    fs::write(&file, "rubbish").unwrap();
    assert!(comes_in(&ours.sign(3)) && !comes_in(&mallory), "what was read before stays");
}
