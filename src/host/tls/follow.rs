//! Something that was read from files and is read again when they change. What is wrong with them for a moment only (a new
//! certificate whose key is still to come) is not worth a line; what stays wrong is, once.

use std::path::Path;

use crate::watched::Watched;

/// How something is read from its files; an error is a line for the administrator.
type ReadAgain<T> = Box<dyn Fn() -> Result<T, String> + Send>;

/// The files of something.
pub(super) struct Followed<T> {
    files: Vec<Watched>,
    read: ReadAgain<T>,
    wrong: Option<Wrong>,
}

/// What was wrong when they were last looked at.
struct Wrong {
    why: String,
    said: bool,
}

impl<T> Followed<T> {
    /// Reads it for the first time, and follows `files` from now on.
    pub(super) fn new<'a>(
        files: impl IntoIterator<Item = &'a Path>,
        read: impl Fn() -> Result<T, String> + Send + 'static,
    ) -> Result<(Self, T), String> {
        // Before they are read, so that no change falls between.
        let files = files.into_iter().map(Watched::new).collect();
        let first = read()?;
        Ok((Followed { files, read: Box::new(read), wrong: None }, first))
    }

    /// What it has become, if the files have changed and are right. Where they are wrong they are tried again each time, and
    /// the second time the log is told. To be asked on the pool.
    pub(super) fn look(&mut self) -> Option<T> {
        // All of them are asked, since asking is what remembers.
        let changed = self.files.iter_mut().filter_map(|file| file.has_changed().then_some(())).count();
        if changed == 0 && self.wrong.is_none() {
            return None;
        }
        match (self.read)() {
            Ok(read) => {
                self.wrong = None;
                Some(read)
            }
            Err(why) => {
                let wrong = self.wrong.take().filter(|wrong| wrong.why == why);
                if wrong.as_ref().is_some_and(|wrong| !wrong.said) {
                    log::error!("tls: {why}; what was read before is used until this is right");
                }
                self.wrong = Some(Wrong { said: wrong.is_some(), why });
                None
            }
        }
    }

    /// Whether the log has been told of what is wrong, if anything is.
    #[cfg(test)]
    pub(super) fn said(&self) -> Option<bool> {
        self.wrong.as_ref().map(|wrong| wrong.said)
    }
}
