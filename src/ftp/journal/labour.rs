//! The records of long work on the tree. Refuses to know what it does.

use std::sync::Arc;
use std::time::Instant;

use super::super::wire::printable::printable;
use super::super::wire::reply::Reply;
use super::{Shown, Subject, in_milliseconds};
use crate::store::{Tally, VirtualPath};

/// Long work on the tree, which has a record whether it ends or is stopped.
#[derive(Clone, Copy)]
pub enum Labour {
    /// RMDA.
    Removal,
    /// COMB.
    Join,
    /// SITE CPTO.
    Copy,
}

/// One such work, until it has ended.
pub struct Working {
    labour: Labour,
    began: Instant,
    subject: Subject,
    path: VirtualPath,
    tally: Arc<Tally>,
    ended: bool,
}

impl Labour {
    /// It begins now; `tally` will say how far it came.
    pub fn begin(self, subject: Subject, path: &VirtualPath, tally: &Arc<Tally>) -> Working {
        let (path, tally) = (path.clone(), Arc::clone(tally));
        Working { labour: self, began: Instant::now(), subject, path, tally, ended: false }
    }
}

impl Working {
    /// It ended with this reply.
    pub fn end(mut self, reply: Reply) -> Reply {
        self.ended = true;
        let said = reply.text().english();
        self.write(Some(reply.code()), &format!("{} {}", reply.code(), printable(&said)));
        reply
    }

    fn write(&self, code: Option<u16>, end: &str) {
        let Working { labour, began, subject, path, tally, .. } = self;
        let (id, from, seconds) = (subject.session, subject.peer, began.elapsed().as_secs_f64());
        let absolute = path.absolute();
        let (path, name) = (Shown::of(&absolute), printable(&absolute));
        let (event, done) = match labour {
            Labour::Removal => ("delete", "removed"),
            Labour::Join => ("join", "joined"),
            Labour::Copy => ("copy", "copied to"),
        };
        record!(
            info,
            subject,
            event,
            [
                path = &*path.text,
                path_hex = path.hex.as_deref(),
                directory = matches!(labour, Labour::Removal),
                files = tally.files(),
                directories = tally.directories(),
                bytes = tally.bytes(),
                seconds = in_milliseconds(seconds),
                result = if code == Some(250) { "complete" } else { "incomplete" },
                code = code
            ],
            "session {id}: {} from {from} {done} {name} in {seconds:.3} s: {end}",
            subject.name()
        );
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        if !self.ended {
            let (files, directories, bytes) = (self.tally.files(), self.tally.directories(), self.tally.bytes());
            self.write(None, &format!("stopped after {files} files, {directories} directories, {bytes} bytes"));
        }
    }
}
