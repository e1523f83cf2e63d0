//! Uploads: the old file stands until the new one is whole, and nothing else is ever seen.

use super::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

#[test]
fn the_old_content_stands_until_publishing() {
    for ground in Ground::both() {
        ground.file("sub/file", "old");
        let view = ground.view();
        let mut upload = view.upload(&at("sub/file"), How::Replace).unwrap();
        upload.write(b"new content").unwrap();
        assert_eq!((read(&view, "sub/file").unwrap(), upload.offset()), (b"old".to_vec(), 11));
        assert_eq!(list(&view, "sub"), ["file"]);
        assert_eq!(ground.names_on_disk("sub").len(), 2);
        let published = upload.publish().unwrap();
        assert_eq!((published.name, published.size, published.renamed), (b"file".to_vec(), 11, false));
        assert_eq!(ground.content("sub/file").unwrap(), "new content");
        assert_eq!(ground.names_on_disk("sub"), ["file"]);
    }
}

#[test]
fn a_dropped_upload_leaves_nothing() {
    let ground = Ground::new();
    ground.file("file", "old");
    let mut upload = ground.view().upload(&at("file"), How::Replace).unwrap();
    upload.write(b"half").unwrap();
    drop(upload);
    assert_eq!(ground.names_on_disk(""), ["file"]);
    assert_eq!(ground.content("file").unwrap(), "old");
}

#[test]
fn temporary_names_exist_for_nobody() {
    let ground = Ground::new();
    let view = ground.view();
    let upload = view.upload(&at("file"), How::Replace).unwrap();
    let temporary = ground.names_on_disk("")[0].clone();
    assert!(is_temporary(temporary.as_bytes()));
    for names_only in [false, true] {
        for recursive in [false, true] {
            let all = Selection { hidden: true, recursive, names_only, ..Selection::default() };
            assert!(shown(view.list(&at("/"), all)).is_empty());
        }
    }
    assert!(shown(view.glob(&at("/"), b".*", Selection::default())).is_empty());
    assert!(shown(view.glob(&at("/"), b"[.]*/../.gftp*", Selection::default())).is_empty());
    let path = at(&temporary);
    refused(view.read(&path), "NotFound");
    refused(view.entry(&path), "NotFound");
    refused(view.enter(&path), "NotFound");
    refused(view.delete(&path), "NotFound");
    refused(view.remove_directory(&path), "NotFound");
    refused(view.exists_for_rename(&path), "NotFound");
    refused(view.set_modified(&path, std::time::SystemTime::UNIX_EPOCH), "NotFound");
    refused(view.space(&path), "NotFound");
    refused(view.list(&path, Selection::default()), "NotFound");
    refused(view.make_directory(&path), "BadName");
    refused(view.upload(&path, How::Replace), "BadName");
    refused(view.upload(&path, How::Unique), "BadName");
    refused(view.upload(&path.child(b"below"), How::Replace), "NotFound");
    ground.file("other", "x");
    refused(view.rename(&at("other"), &path), "BadName");
    drop(upload);
    ground.link(".gftp-0123456789abcdef.part", "sly");
    refused(view.upload(&at("sly"), How::Replace), "BadName");
}

#[test]
fn resuming_goes_on_behind_the_prefix_of_what_stands() {
    let ground = Ground::new();
    let view = ground.view();
    ground.file("file", "0123456789");
    put(&view, "file", How::ResumeAt(4), "abc").unwrap();
    assert_eq!(ground.content("file").unwrap(), "0123abc");
    put(&view, "file", How::ResumeAt(7), "").unwrap();
    assert_eq!(ground.content("file").unwrap(), "0123abc");
    match view.upload(&at("file"), How::ResumeAt(8)) {
        Err(StoreError::BeyondEnd { size: 7 }) => {}
        other => panic!("{:?}", other.err()),
    }
    refused(view.upload(&at("nothing"), How::ResumeAt(1)), "BeyondEnd");
    refused(view.upload(&at("nothing"), How::ResumeAt(u64::MAX)), "BeyondEnd");
    put(&view, "file", How::ResumeAt(0), "whole").unwrap();
    assert_eq!(ground.content("file").unwrap(), "whole");
}

#[test]
fn appending_adds_to_what_stands_or_begins_it() {
    let ground = Ground::new();
    let view = ground.view();
    put(&view, "log", How::Append, "one ").unwrap();
    assert_eq!(put(&view, "log", How::Append, "two").unwrap().size, 7);
    assert_eq!(ground.content("log").unwrap(), "one two");
    // Larger than any buffer on the way, so that copying goes more than one round.
    let large = "x".repeat(3_000_001);
    ground.file("large", &large);
    put(&view, "large", How::Append, "end").unwrap();
    assert_eq!(ground.content("large").unwrap(), large + "end");
}

#[test]
fn what_changed_meanwhile_is_left_alone() {
    for how in [How::Append, How::ResumeAt(3)] {
        let ground = Ground::new();
        let view = ground.view();
        ground.file("file", "base");
        let (first, mut second) = (view.upload(&at("file"), how).unwrap(), view.upload(&at("file"), how).unwrap());
        second.write(b" second").unwrap();
        second.publish().unwrap();
        refused(first.publish(), "ChangedMeanwhile");
        assert!(ground.content("file").unwrap().ends_with(" second"));

        let third = view.upload(&at("file"), how).unwrap();
        view.delete(&at("file")).unwrap();
        refused(third.publish(), "ChangedMeanwhile");
        assert!(ground.names_on_disk("").is_empty());
    }
    let ground = Ground::new();
    let fresh = ground.view().upload(&at("log"), How::Append).unwrap();
    ground.file("log", "another's");
    refused(fresh.publish(), "ChangedMeanwhile");
    assert_eq!(ground.content("log").unwrap(), "another's");
}

/// A file that another deletes between two looks at it was missed, and the upload that was to replace it refused.
#[test]
fn a_file_that_goes_meanwhile_stands_in_nobodys_way() {
    let ground = Ground::new();
    let view = ground.view();
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                ground.file("file", "there");
                let _ = fs::remove_file(ground.host("file"));
            }
        });
        let uploads: Vec<_> = (0..3000).map(|_| view.upload(&at("file"), How::Replace).map(drop)).collect();
        let appends: Vec<_> = (0..3000).map(|_| view.upload(&at("file"), How::Append).map(drop)).collect();
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(uploads.iter().all(Result::is_ok), "{:?}", uploads.iter().find(|upload| upload.is_err()));
        let strange = |append: &&_| !matches!(append, Ok(()) | Err(StoreError::ChangedMeanwhile));
        assert!(!appends.iter().any(|append| strange(&append)), "{:?}", appends.iter().find(strange));
    });
}

#[test]
fn a_directory_removed_meanwhile_is_an_error() {
    let ground = Ground::new();
    ground.directory("sub");
    let upload = ground.view().upload(&at("sub/file"), How::Replace).unwrap();
    fs::remove_dir_all(ground.host("sub")).unwrap();
    refused(upload.publish(), "NotFound");
    ground.directory("sub");
    let upload = ground.view().upload(&at("sub/file"), How::Replace).unwrap();
    ground.directory("sub/file");
    refused(upload.publish(), "IsDirectory");
    assert_eq!(ground.names_on_disk("sub"), ["file"]);
}

#[test]
fn unique_names_are_free_and_promised_once() {
    let ground = Ground::new();
    let view = ground.view();
    ground.file("taken", "old");
    ground.file("taken.1", "old");
    let (first, second) =
        (view.upload(&at("taken"), How::Unique).unwrap(), view.upload(&at("taken"), How::Unique).unwrap());
    assert_eq!((first.name(), second.name()), (b"taken.2".to_vec(), b"taken.3".to_vec()));
    ground.file("taken.2", "somebody else's");
    let published = first.publish().unwrap();
    assert_eq!((published.name, published.renamed), (b"taken.4".to_vec(), true));
    drop(second);
    assert_eq!(put(&view, "taken", How::Unique, "x").unwrap().name, b"taken.3");
    assert_eq!(ground.content("taken.2").unwrap(), "somebody else's");
    assert_eq!(put(&view, "free", How::Unique, "x").unwrap().path, at("free"));
    ground.directory("sub");
    ground.link("sub", "link");
    for directory in ["sub", "/", "link"] {
        let published = put(&view, directory, How::Unique, "x").unwrap();
        assert!(published.name.starts_with(b"ftp-") && published.name.len() == 16, "{published:?}");
        assert_eq!(published.path.parent().unwrap(), at(directory));
        assert!(ground.host(std::str::from_utf8(published.path.relative()).unwrap()).is_file());
    }
}

#[test]
fn permissions_and_owner_are_handed_on() {
    let ground = Ground::new();
    let view = ground.view();
    ground.file("old", "x");
    fs::set_permissions(ground.host("old"), fs::Permissions::from_mode(0o6751)).unwrap();
    let owned = std::os::unix::fs::chown(ground.host("old"), Some(12345), Some(54321)).is_ok();
    fs::set_permissions(ground.host("old"), fs::Permissions::from_mode(0o6751)).unwrap();
    put(&view, "old", How::Replace, "y").unwrap();
    let metadata = fs::metadata(ground.host("old")).unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o751);
    if owned {
        assert_eq!((metadata.uid(), metadata.gid()), (12345, 54321));
        let entry = view.entry(&at("old")).unwrap();
        assert_eq!((&*entry.owner, &*entry.group), ("12345", "54321"));
    } else {
        skipped("files can only be given away by a privileged user");
    }
    put(&view, "new", How::Replace, "y").unwrap();
    assert_eq!(fs::metadata(ground.host("new")).unwrap().mode() & 0o7777, 0o644);
    let upload = view.upload(&at("secret"), How::Replace).unwrap();
    assert_eq!(upload.file().metadata().unwrap().mode() & 0o7777, 0o600);
}

/// A name that was free when an upload began is taken in one step, and what has come to bear it meanwhile counts all the same.
#[test]
fn a_name_that_was_free_may_be_taken_meanwhile() {
    let ground = Ground::new();
    let view = ground.view();
    let begin = |how, name| {
        let mut upload = view.upload(&at(name), how).unwrap();
        upload.write(b"late").unwrap();
        upload
    };
    let (replacing, appending, blocked) =
        (begin(How::Replace, "new"), begin(How::Append, "new"), begin(How::Replace, "other"));
    put(&view, "new", How::Replace, "early").unwrap();
    fs::set_permissions(ground.host("new"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::create_dir(ground.host("other")).unwrap();
    refused(appending.publish(), "ChangedMeanwhile");
    assert_eq!(ground.content("new").unwrap(), "early");
    replacing.publish().unwrap();
    assert_eq!(ground.content("new").unwrap(), "late");
    assert_eq!(fs::metadata(ground.host("new")).unwrap().mode() & 0o7777, 0o640);
    blocked.publish().unwrap_err();
    assert_eq!(ground.names_on_disk(""), ["new", "other"]);
}

#[test]
fn what_has_arrived_can_be_read_back() {
    let ground = Ground::new();
    let mut upload = ground.view().upload(&at("file"), How::Replace).unwrap();
    upload.write(b"one ").unwrap();
    upload.write(b"two").unwrap();
    let mut back = [0; 4];
    assert_eq!((upload.read_at(&mut back, 3).unwrap(), &back), (4, b" two"));
    assert_eq!(upload.publish_durably().unwrap().size, 7);
    assert_eq!(ground.content("file").unwrap(), "one two");
}

#[test]
fn cutting_back_is_writing_not_appending() {
    let ground = Ground::new();
    ground.file("log", "precious");
    let appender = ground.store.view(Rights { append: true, ..Rights::NONE }, "appender".into());
    let mut upload = appender.upload(&at("log"), How::Append).unwrap();
    upload.write(b"+more").unwrap();
    refused(upload.cut(3), "Forbidden");
    upload.cut(9).unwrap();
    assert!(upload.keep());
    let mut upload = appender.upload(&at("log"), How::AppendKept).unwrap();
    assert_eq!(upload.offset(), 9);
    refused(upload.cut(7), "Forbidden");
    upload.cut(8).unwrap();
    upload.publish().unwrap();
    assert_eq!(ground.content("log").unwrap(), "precious");
    let mut upload = ground.view().upload(&at("log"), How::Append).unwrap();
    refused(upload.cut(9), "BeyondEnd");
    upload.cut(3).unwrap();
    upload.write(b"!").unwrap();
    upload.publish().unwrap();
    assert_eq!(ground.content("log").unwrap(), "pre!");
}

#[test]
fn sending_goes_through_the_kernel_and_says_how_far() {
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    let ground = Ground::new();
    ground.file("file", "0123456789");
    let reading = ground.view().read(&at("file")).unwrap();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let window = reading.send_window(&ours, 2, 5);
    assert!(window.sent == 5 && window.end.is_ok());
    let window = reading.send_window(&ours, 8, 5);
    assert_eq!((window.sent, window.end.unwrap_err().kind()), (2, std::io::ErrorKind::UnexpectedEof));
    let mut got = [0; 7];
    theirs.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"2345689");
    ours.set_nonblocking(true).unwrap();
    ground.file("large", &"x".repeat(10_000_000));
    let window = ground.view().read(&at("large")).unwrap().send_window(&ours, 0, 10_000_000);
    assert_eq!(window.end.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert!(window.sent > 0);
}

/// A name that is looked at before an upload is asked for as one that is likely to be free, which must change nothing.
#[test]
fn to_look_for_a_free_name_changes_nothing() {
    let ground = Ground::new();
    ground.file("file", "old");
    fs::create_dir(ground.host("directory")).unwrap();
    fs::hard_link(ground.host("file"), ground.host("other name")).unwrap();
    std::os::unix::fs::symlink("nowhere", ground.host("dangling")).unwrap();
    let before = fs::metadata(ground.host("")).unwrap();
    let names = ground.names_on_disk("");
    let look = |name: &str| ground.store.resolver.place_followed(name.as_bytes(), Last::New).unwrap().unwrap();
    let kind = |name: &str| look(name).stat.as_ref().map(sys::kind);
    assert_eq!(kind("file"), Some(sys::FileType::RegularFile));
    assert_eq!(kind("other name"), Some(sys::FileType::RegularFile));
    assert_eq!(kind("directory"), Some(sys::FileType::Directory));
    assert_eq!(kind("new"), None);
    let led_to = look("dangling");
    assert_eq!((led_to.name.as_slice(), led_to.stat.is_none()), (b"nowhere".as_slice(), true));
    let after = fs::metadata(ground.host("")).unwrap();
    assert_eq!(names, ground.names_on_disk(""));
    assert_eq!((before.mtime_nsec(), before.ctime_nsec()), (after.mtime_nsec(), after.ctime_nsec()));
    assert_eq!(ground.content("file").unwrap(), "old");
}

/// What an append goes on behind is copied in pieces, by who has the time, and by whoever comes first where nobody had.
#[test]
fn a_large_file_is_appended_to_in_pieces() {
    const SIZE: usize = 20 * 1024 * 1024;
    let ground = Ground::new();
    let view = ground.view();
    let old: Vec<u8> = (0..SIZE).map(|at| (at / 1000) as u8).collect();
    fs::write(ground.host("file"), &old).unwrap();
    let begun = || view.upload(&at("file"), How::Append).unwrap();
    let is_shared = !begun().has_prefix();
    for steps in [0, 1, usize::MAX] {
        fs::write(ground.host("file"), &old).unwrap();
        let mut upload = begun();
        let mut some = [0; 100];
        assert_eq!((upload.read_at(&mut some, SIZE as u64 - 60).unwrap(), some[59]), (60, old[SIZE - 1]));
        let mut done = 0;
        while done < steps && upload.has_prefix() {
            upload.copy_on().unwrap();
            done += 1;
        }
        assert_eq!(upload.has_prefix(), !is_shared && steps < 9, "{steps}");
        upload.write(b"end").unwrap();
        upload.publish().unwrap();
        let now = fs::read(ground.host("file")).unwrap();
        assert!(now.len() == SIZE + 3 && now.starts_with(&old) && now.ends_with(b"end"), "{steps}");
    }
    fs::write(ground.host("file"), &old).unwrap();
    let mut upload = begun();
    upload.cut(5).unwrap();
    upload.write(b"!").unwrap();
    upload.publish().unwrap();
    assert_eq!(fs::read(ground.host("file")).unwrap(), [&old[..5], b"!"].concat());
    assert_eq!(ground.names_on_disk(""), ["file"]);
}

#[test]
fn a_file_that_shrinks_while_it_is_copied_is_not_appended_to() {
    let ground = Ground::new();
    let view = ground.view();
    fs::write(ground.host("file"), vec![1; 20 * 1024 * 1024]).unwrap();
    let mut upload = view.upload(&at("file"), How::Append).unwrap();
    if upload.has_prefix() {
        fs::File::options().write(true).open(ground.host("file")).unwrap().set_len(10).unwrap();
        refused(upload.write(b"end"), "ChangedMeanwhile");
    }
    drop(upload);
    assert_eq!(ground.names_on_disk(""), ["file"]);
}
