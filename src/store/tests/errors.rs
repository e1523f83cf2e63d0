//! Each kind of refusal, really provoked where this machine allows it.

use super::*;
use std::os::unix::net::UnixListener;
use std::process::Command;

#[test]
fn special_files_are_not_regular() {
    for ground in Ground::both() {
        let view = ground.view();
        let _socket = UnixListener::bind(ground.host("socket")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, ground.host("pipe"), rustix::fs::Mode::RUSR).unwrap();
        for path in ["socket", "pipe"] {
            refused(view.read(&at(path)), "NotRegular");
            for how in [How::Replace, How::Append, How::ResumeAt(1)] {
                refused(view.upload(&at(path), how), "NotRegular");
            }
            assert_eq!(view.entry(&at(path)).unwrap().kind, Kind::Other);
        }
        assert_eq!(list(&view, "/"), ["pipe", "socket"]);
        let names = Selection { names_only: true, ..Selection::default() };
        assert_eq!(shown(view.list(&at("/"), names)), ["pipe", "socket"]);
        refused(view.set_permissions(&at("pipe"), 0o600), "NotRegular");
        view.delete(&at("pipe")).unwrap();
    }
}

#[test]
fn sizes_and_names_have_ends() {
    let ground = Ground::new();
    let view = ground.view();
    let mut upload = view.upload(&at("huge"), How::Replace).unwrap();
    // Behind the last byte that any Linux file system can address.
    upload.advance(1 << 62);
    refused(upload.write(b"x"), "TooBig");
    let long = "a".repeat(255);
    put(&view, &long, How::Replace, "x").unwrap();
    refused(put(&view, &long, How::Unique, "x").map(drop), "NameTooLong");
    assert!(matches!(at("/").join("a".repeat(256).as_bytes()), Err(PathError::ComponentTooLong)));
    assert_eq!(kind_of(&PathError::TooLong.into()), "NameTooLong");
}

/// Runs `test` on a small file system of its own, or says why not.
fn on_mount(options: &str, test: impl FnOnce(&Ground)) {
    let ground = Ground::new();
    ground.directory("mount");
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", options, "gftp-test"]).arg(ground.host("mount")).output();
    match mount {
        Ok(output) if output.status.success() => {}
        other => return skipped(&format!("no file system could be mounted: {other:?}")),
    }
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(&ground)));
    let unmounted = Command::new("umount").arg("-l").arg(ground.host("mount")).status();
    assert!(unmounted.unwrap().success());
    result.unwrap();
}

#[test]
fn a_full_disk_says_so_and_keeps_what_stands() {
    on_mount("size=256k", |ground| {
        let view = ground.view();
        put(&view, "mount/file", How::Replace, "old").unwrap();
        let mut upload = view.upload(&at("mount/file"), How::Replace).unwrap();
        let piece = [b'x'; 10_000];
        let error = loop {
            if let Err(error) = upload.write(&piece) {
                break error;
            }
        };
        assert!(matches!(error, StoreError::Full), "{error}");
        assert!(upload.offset() > 100_000);
        assert_eq!(view.space(&at("mount")).unwrap(), 0);
        // What arrived until then can be kept and gone on with.
        let offset = upload.offset();
        assert!(upload.keep());
        assert_eq!(view.kept(&at("mount/file")), Some(offset));
        assert_eq!(read(&view, "mount/file").unwrap(), b"old");
        ground.store.common.kept.expire(std::time::Duration::ZERO);
        assert!(view.space(&at("mount")).unwrap() > 100_000);
        refused(view.rename(&at("mount/file"), &at("file")), "CrossDevice");
        refused(view.remove_directory(&at("mount")), "Busy");
        assert_eq!(list(&view, "/"), ["d:mount"]);
    });
}

#[test]
fn a_read_only_disk_says_so() {
    on_mount("ro", |ground| {
        let view = ground.view();
        refused(view.upload(&at("mount/file"), How::Replace), "ReadOnly");
        refused(view.make_directory(&at("mount/sub")), "ReadOnly");
        refused(view.set_modified(&at("mount"), std::time::SystemTime::UNIX_EPOCH), "ReadOnly");
    });
}

#[test]
fn a_full_table_of_inodes_is_a_full_disk() {
    on_mount("nr_inodes=3", |ground| {
        let view = ground.view();
        refused(
            (0..5).try_for_each(|number| put(&view, &format!("mount/{number}"), How::Replace, "x").map(drop)),
            "Full",
        );
    });
}

#[test]
fn what_the_system_denies_is_denied() {
    use std::os::unix::fs::PermissionsExt;
    let ground = Ground::new();
    ground.file("sub/file", "x");
    fs::set_permissions(ground.host("sub/file"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(ground.host("sub/file")).is_ok() {
        // Root passes all permission bits; an immutable file stops it too, where the file system knows that.
        let made = Command::new("chattr").arg("+i").arg(ground.host("sub/file")).output();
        if !made.is_ok_and(|output| output.status.success()) {
            return skipped("this user passes permission bits, and there are no immutable files here");
        }
        refused(ground.view().upload(&at("sub/file"), How::Replace), "Denied");
        refused(ground.view().delete(&at("sub/file")), "Denied");
        assert!(Command::new("chattr").arg("-i").arg(ground.host("sub/file")).status().unwrap().success());
        return;
    }
    refused(ground.view().read(&at("sub/file")), "Denied");
    refused(ground.view().upload(&at("sub/file"), How::Replace), "Denied");
    fs::set_permissions(ground.host("sub"), fs::Permissions::from_mode(0o000)).unwrap();
    refused(ground.view().enter(&at("sub")), "Denied");
    refused(ground.view().list(&at("sub"), Selection::default()), "Denied");
    fs::set_permissions(ground.host("sub"), fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs itself again under a shell that allows few descriptors, since a limit is the whole process's.
#[test]
fn descriptors_that_run_out_are_told() {
    const CHILD: &str = "GFTP_TEST_FEW_DESCRIPTORS";
    if std::env::var_os(CHILD).is_none() {
        let child = Command::new("sh")
            .args(["-c", "ulimit -n 32 && exec \"$0\" --exact store::tests::errors::descriptors_that_run_out_are_told"])
            .arg(std::env::current_exe().unwrap())
            .env(CHILD, "yes")
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"));
        return;
    }
    let ground = Ground::new();
    let view = ground.view();
    ground.file("file", "x");
    let listing = view.list(&at("/"), Selection { dots: true, ..Selection::default() });
    let mut held = Vec::new();
    let error = loop {
        match view.read(&at("file")) {
            Ok(reading) => held.push(reading),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::OutOfDescriptors), "{error}");
    refused(view.upload(&at("new"), How::Replace), "OutOfDescriptors");
    refused(view.list(&at("/"), Selection::default()), "OutOfDescriptors");
    // A listing under way is not cut in silence.
    refused(listing.unwrap().next_batch(|_| ()), "OutOfDescriptors");
    held.clear();
    assert_eq!(ground.names_on_disk(""), ["file"]);
}
