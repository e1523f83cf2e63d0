//! Broken uploads that are kept: for their owner, for a while, and never more than the bounds.

use super::*;
use std::time::Duration;

fn broken(view: &View, path: &str, content: &str) -> bool {
    let mut upload = view.upload(&at(path), How::Replace).unwrap();
    upload.write(content.as_bytes()).unwrap();
    upload.keep()
}

#[test]
fn the_owner_resumes_and_nobody_else_knows() {
    for ground in Ground::both() {
        let (view, other) = (ground.view(), ground.store.view(Rights::FULL, "other".into()));
        ground.file("file", "old");
        assert!(broken(&view, "file", "0123456"));
        assert_eq!((view.kept(&at("file")), other.kept(&at("file"))), (Some(7), None));
        assert_eq!(read(&view, "file").unwrap(), b"old");
        assert_eq!(list(&view, "/"), ["file"]);
        refused(other.upload(&at("file"), How::ResumeAt(7)), "BeyondEnd");
        // Further back than what came: cut to there.
        assert_eq!(put(&view, "file", How::ResumeAt(5), "abc").unwrap().size, 8);
        assert_eq!((ground.content("file").unwrap().as_str(), view.kept(&at("file"))), ("01234abc", None));
        assert_eq!(ground.names_on_disk(""), ["file"]);
    }
}

#[test]
fn an_append_goes_on_with_the_newer() {
    let ground = Ground::new();
    let view = ground.view();
    assert!(broken(&view, "file", "half"));
    put(&view, "file", How::AppendKept, " and half").unwrap();
    assert_eq!(ground.content("file").unwrap(), "half and half");

    assert!(broken(&view, "file", "older"));
    ground.file("file", "newer");
    let later = std::time::SystemTime::now() + Duration::from_secs(60);
    view.set_modified(&at("file"), later).unwrap();
    put(&view, "file", How::AppendKept, "+").unwrap();
    assert_eq!(ground.content("file").unwrap(), "newer+");
    assert_eq!(view.kept(&at("file")), None);
}

#[test]
fn nothing_is_not_worth_keeping() {
    let ground = Ground::new();
    let view = ground.view();
    assert!(!broken(&view, "file", ""));
    ground.file("log", "base");
    assert!(!view.upload(&at("log"), How::Append).unwrap().keep());
    assert!(!view.upload(&at("log"), How::ResumeAt(2)).unwrap().keep());
    assert_eq!((view.kept(&at("file")), view.kept(&at("log"))), (None, None));
    assert_eq!(ground.names_on_disk(""), ["log"]);
}

#[test]
fn a_kept_append_still_checks_what_it_was_built_on() {
    let ground = Ground::new();
    let view = ground.view();
    ground.file("log", "base");
    let mut upload = view.upload(&at("log"), How::Append).unwrap();
    upload.write(b"+half").unwrap();
    assert!(upload.keep());
    let resumed = view.upload(&at("log"), How::ResumeAt(9)).unwrap();
    ground.file("log", "changed");
    refused(resumed.publish(), "ChangedMeanwhile");
    assert_eq!(ground.content("log").unwrap(), "changed");
}

#[test]
fn whatever_supersedes_it_drops_it() {
    let ground = Ground::new();
    let view = ground.view();
    let drops = |what: &str, supersede: &dyn Fn()| {
        ground.file("file", "x");
        assert!(broken(&view, "file", "half"));
        supersede();
        assert_eq!(view.kept(&at("file")), None, "{what}");
        assert!(!ground.names_on_disk("").iter().any(|name| is_temporary(name.as_bytes())), "{what}");
    };
    drops("publish", &|| drop(put(&view, "file", How::Replace, "new").unwrap()));
    drops("delete", &|| view.delete(&at("file")).map(drop).unwrap());
    drops("rename", &|| view.rename(&at("file"), &at("other")).unwrap());
    drops("being renamed over", &|| view.rename(&at("other"), &at("file")).unwrap());
    drops("a newer broken one", &|| {
        assert!(broken(&view, "file", "newer half"));
        assert_eq!(view.kept(&at("file")), Some(10));
        ground.store.common.kept.expire(Duration::ZERO);
    });
    view.delete(&at("file")).unwrap();
    assert!(broken(&view, "file", "half"));
    // Only the partial is there: deleting means it.
    view.delete(&at("file")).unwrap();
    refused(view.delete(&at("file")), "NotFound");
}

#[test]
fn the_bounds_hold_under_attack() {
    let ground = Ground::new();
    let bystander = ground.store.view(Rights::FULL, "bystander".into());
    assert!(broken(&bystander, "theirs", "precious"));
    let attacker = ground.view();
    for number in 0..3 * MAX_KEPT_PER_OWNER {
        assert!(broken(&attacker, &format!("file-{number}"), "x"));
    }
    assert_eq!(ground.names_on_disk("").len(), MAX_KEPT_PER_OWNER + 1);
    assert_eq!(attacker.kept(&at("file-0")), None);
    assert_eq!(attacker.kept(&at(format!("file-{}", 3 * MAX_KEPT_PER_OWNER - 1))), Some(1));
    assert_eq!(bystander.kept(&at("theirs")), Some(8));
    for owner in 0..2 * MAX_KEPT {
        let view = ground.store.view(Rights::FULL, format!("owner {owner}").into());
        assert!(broken(&view, "file", "x"));
    }
    assert_eq!(ground.names_on_disk("").len(), MAX_KEPT);
    ground.store.common.kept.expire(Duration::ZERO);
    assert!(ground.names_on_disk("").is_empty());
}

#[test]
fn partials_do_not_hold_a_directory() {
    for ground in Ground::both() {
        let view = ground.view();
        ground.directory("sub");
        assert!(broken(&view, "sub/one", "x"));
        assert!(broken(&ground.store.view(Rights::FULL, "other".into()), "sub/two", "x"));
        ground.file("sub/.gftp-0123456789abcdef.part", "of a dead process");
        ground.file("sub/visible", "x");
        refused(view.remove_directory(&at("sub")), "NotEmpty");
        assert_eq!(view.kept(&at("sub/one")), Some(1));
        view.delete(&at("sub/visible")).unwrap();
        let living = view.upload(&at("sub/three"), How::Replace).unwrap();
        refused(view.remove_directory(&at("sub")), "Busy");
        drop(living);
        view.remove_directory(&at("sub")).unwrap();
        assert_eq!(view.kept(&at("sub/one")), None);
        assert!(!ground.host("sub").exists());
    }
}

#[test]
fn a_partial_in_another_directory_of_the_same_name_is_not_resumed() {
    let ground = Ground::new();
    let view = ground.view();
    ground.directory("sub");
    assert!(broken(&view, "sub/file", "half"));
    fs::rename(ground.host("sub"), ground.host("moved")).unwrap();
    ground.directory("sub");
    refused(view.upload(&at("sub/file"), How::ResumeAt(4)), "BeyondEnd");
    assert!(ground.names_on_disk("moved").is_empty());
}
