//! The right to make new files and nothing else: what stands is never touched, and a broken upload is resumed all the same.

use super::*;

fn drop_box(ground: &Ground) -> View {
    ground.store.view(Rights::DROP_BOX, "camera".into())
}

fn broken(view: &View, path: &str, content: &str) -> bool {
    let mut upload = view.upload(&at(path), How::Replace).unwrap();
    upload.write(content.as_bytes()).unwrap();
    upload.keep()
}

#[test]
fn a_taken_name_is_left_alone_and_a_free_one_is_told() {
    for ground in Ground::both() {
        ground.file("snap.jpg", "first");
        ground.link("snap.jpg", "link");
        ground.link("nowhere", "dangling");
        let view = drop_box(&ground);
        for (name, taken, content) in [
            ("snap.jpg", "snap.jpg.1", "1"),
            ("snap.jpg", "snap.jpg.2", "2"),
            ("link", "link.1", "3"),
            ("new", "new", "4"),
        ] {
            let published = put(&view, name, How::Replace, content).unwrap();
            assert_eq!(published.name, taken.as_bytes());
            assert_eq!(ground.content(taken).unwrap(), content);
        }
        assert_eq!(put(&view, "dangling", How::Replace, "5").unwrap().name, b"dangling.1");
        assert_eq!(ground.content("snap.jpg").unwrap(), "first");
        assert_eq!(put(&view, "snap.jpg", How::Unique, "6").unwrap().name, b"snap.jpg.3");
        // Two at once are promised different names, and somebody else's file of that name is left alone.
        let mut uploads = [(); 2].map(|()| view.upload(&at("both"), How::Replace).unwrap());
        assert_eq!(uploads.each_ref().map(Upload::name), [b"both".to_vec(), b"both.1".to_vec()]);
        assert!(uploads.iter().all(Upload::has_chosen_name));
        ground.file("both", "somebody else's");
        uploads[0].write(b"x").unwrap();
        let [first, second] = uploads.map(|upload| upload.publish().unwrap());
        assert_eq!((first.name, first.renamed, second.name), (b"both.2".to_vec(), true, b"both.1".to_vec()));
        assert_eq!(ground.content("both").unwrap(), "somebody else's");
    }
}

#[test]
fn directories_can_be_made_and_are_no_files() {
    let ground = Ground::new();
    let view = drop_box(&ground);
    view.make_directory(&at("day")).unwrap();
    view.enter(&at("day")).unwrap();
    refused(view.make_directory(&at("day")), "Exists");
    refused(view.upload(&at("day"), How::Replace), "IsDirectory");
    refused(view.upload(&at("/"), How::Replace), "IsDirectory");
    refused(view.upload(&at("gone/x"), How::Replace), "NotFound");
    ground.link(ground.outside(), "out");
    refused(view.upload(&at("out/x"), How::Replace), "NotFound");
    put(&view, "day/x", How::Replace, "x").unwrap();
}

#[test]
fn nothing_is_seen_fetched_changed_or_deleted() {
    let ground = Ground::new();
    ground.file("file", "x");
    let view = drop_box(&ground);
    let path = at("file");
    assert_eq!(list(&view, "/"), [""; 0]);
    assert_eq!(shown(view.glob(&at("/"), b"*", Selection::default())), [""; 0]);
    refused(view.entry(&path), "NotFound");
    refused(view.read(&path), "Forbidden");
    refused(view.upload(&path, How::Append), "Forbidden");
    refused(view.upload(&path, How::AppendKept), "Forbidden");
    refused(view.upload(&at("new"), How::Append), "Forbidden");
    refused(view.upload(&path, How::ResumeAt(1)), "Forbidden");
    refused(view.delete(&path), "Forbidden");
    refused(view.remove_directory(&path), "Forbidden");
    refused(view.rename(&path, &at("other")), "Forbidden");
    refused(view.set_modified(&path, std::time::SystemTime::UNIX_EPOCH), "Forbidden");
    refused(view.set_permissions(&path, 0o600), "Forbidden");
    assert_eq!(ground.names_on_disk(""), ["file"]);
}

#[test]
fn a_broken_upload_is_gone_on_with_by_its_owner_only() {
    for ground in Ground::both() {
        let (view, other) = (drop_box(&ground), ground.store.view(Rights::DROP_BOX, "other".into()));
        ground.file("file", "stands");
        assert!(broken(&view, "file", "0123456"));
        // Kept under the name that its client knows, though it would have become file.1.
        assert_eq!((view.kept(&at("file")), other.kept(&at("file"))), (Some(7), None));
        refused(other.upload(&at("file"), How::ResumeAt(7)), "Forbidden");
        refused(view.upload(&at("file"), How::ResumeAt(8)), "BeyondEnd");
        let mut again = view.upload(&at("file"), How::ResumeAt(5)).unwrap();
        again.write(b"xyz").unwrap();
        assert!(again.keep());
        assert_eq!(view.kept(&at("file")), Some(8));
        let published = put(&view, "file", How::AppendKept, "!").unwrap();
        assert_eq!((published.name.as_slice(), published.size), (&b"file.1"[..], 9));
        assert_eq!(ground.content("file.1").unwrap(), "01234xyz!");
        assert_eq!((ground.content("file").unwrap().as_str(), view.kept(&at("file"))), ("stands", None));
        assert_eq!(ground.names_on_disk(""), ["file", "file.1"]);
    }
}

/// Half an append holds what stood; publishing it under another name would be a copy that nobody allowed.
#[test]
fn half_an_append_is_not_made_a_file_of_its_own() {
    let ground = Ground::new();
    ground.file("log", "what stood");
    let rights = Rights { create: true, append: true, ..Rights::NONE };
    let view = ground.store.view(rights, "someone".into());
    let mut append = view.upload(&at("log"), How::Append).unwrap();
    append.write(b" and half").unwrap();
    assert!(append.keep());
    refused(view.upload(&at("log"), How::ResumeAt(4)), "Forbidden");
    put(&view, "log", How::Append, "+").unwrap();
    assert_eq!(ground.content("log").unwrap(), "what stood+");
}
