//! Why the store refused, in words a user understands.
//! It refuses to know reply codes: the protocol in front turns a kind into its own number.

use super::path::{PathError, VirtualPath};
use rustix::io::Errno;
use std::fmt;

/// A refusal of the store. Display gives the reason without the path, e.g. "the directory is not empty".
#[derive(Debug)]
pub enum StoreError {
    /// Nothing there, or nothing that is served: what lies outside does not exist.
    NotFound,
    /// The operating system denies it.
    Denied,
    /// The account lacks this right, named as in [`super::Rights`].
    Forbidden(&'static str),
    /// A file was wanted.
    IsDirectory,
    /// A directory was wanted, here or on the way.
    NotDirectory,
    /// The name is taken.
    Exists,
    /// The directory has entries.
    NotEmpty,
    /// The file system cannot hold a name or path that long.
    NameTooLong,
    /// The name cannot be used, and why.
    BadName(&'static str),
    /// The file system is mounted read-only.
    ReadOnly,
    /// The disk is full.
    Full,
    /// The disk quota of the serving user is used up.
    QuotaExceeded,
    /// The account's quota has no such room.
    OverQuota {
        /// What there would be too much of, in the plural.
        what: &'static str,
        /// How much of it is allowed.
        limit: u64,
    },
    /// The account may not use names like this one.
    DeniedName,
    /// The file system cannot hold a file that large.
    TooBig,
    /// A rename would cross file systems; nothing was copied.
    CrossDevice,
    /// In use: an upload in progress, a mount point, a running program.
    Busy,
    /// Symbolic links that lead to each other.
    Loop,
    /// A device, socket or pipe.
    NotRegular,
    /// The restart point lies behind the end of what is there.
    BeyondEnd {
        /// Bytes that are there.
        size: u64,
    },
    /// An upload that was to replace this file was interrupted and is kept; what adds to the file could mean either.
    Interrupted {
        /// Bytes that are kept.
        size: u64,
    },
    /// The file that stands was changed by someone else while the upload ran; it was left alone.
    ChangedMeanwhile,
    /// The file system cannot do this, and why.
    Unsupported(&'static str),
    /// The process or the system has no file descriptor left.
    OutOfDescriptors,
    /// A bound that protects the server was reached: of what, and how many.
    TooMany {
        /// What there is too much of, in the plural.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// Anything else.
    Io(std::io::Error),
}

/// What stands in a hole of a reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// A number.
    Number(u64),
    /// Words, which have a language too.
    Phrase(&'static str),
    /// What is the same in every language.
    Text(String),
}

impl StoreError {
    /// The reason as a phrase with a `{}` for each value, and the values: for those who say it in other languages.
    pub fn words(&self) -> (&'static str, Vec<Value>) {
        let words = match self {
            StoreError::NotFound => "no such file or directory",
            StoreError::Denied => "the system denies access",
            StoreError::Forbidden(right) => return (LACKS_RIGHT, vec![Value::Text((*right).to_string())]),
            StoreError::IsDirectory => "it is a directory",
            StoreError::NotDirectory => "it is not a directory",
            StoreError::Exists => "it already exists",
            StoreError::NotEmpty => "the directory is not empty",
            StoreError::NameTooLong => "the name is too long",
            StoreError::BadName(why) | StoreError::Unsupported(why) => why,
            StoreError::ReadOnly => "the file system is read-only",
            StoreError::Full => "the disk is full",
            StoreError::QuotaExceeded => "the disk quota is used up",
            StoreError::OverQuota { what, limit } => {
                return (OVER_QUOTA, vec![Value::Number(*limit), Value::Phrase(what)]);
            }
            StoreError::DeniedName => "names like this are not allowed here",
            StoreError::TooBig => "the file is too big for the file system",
            StoreError::CrossDevice => "it lies on another file system",
            StoreError::Busy => "it is in use",
            StoreError::Loop => "too many levels of symbolic links",
            StoreError::NotRegular => "it is not a regular file",
            StoreError::BeyondEnd { size } => return (BEYOND_END, vec![Value::Number(*size)]),
            StoreError::Interrupted { size } => return (INTERRUPTED, vec![Value::Number(*size), Value::Number(*size)]),
            StoreError::ChangedMeanwhile => "the file was changed by someone else meanwhile",
            StoreError::OutOfDescriptors => "the server has too many files open",
            StoreError::TooMany { what, limit } => {
                return (TOO_MANY, vec![Value::Number(*limit as u64), Value::Phrase(what)]);
            }
            StoreError::Io(error) => return ("{}", vec![Value::Text(error.to_string())]),
        };
        (words, Vec::new())
    }
}

/// What went wrong in work on many things, and with which of them.
#[derive(Debug)]
pub struct Trouble {
    /// What the client calls the thing.
    pub path: VirtualPath,
    /// What is the matter with it.
    pub error: StoreError,
}

const LACKS_RIGHT: &str = "this account lacks the right \"{}\"";
const BEYOND_END: &str = "only {} bytes are there";
const INTERRUPTED: &str = "an upload that was to replace it broke off after {} bytes: \
                           send it anew, or go on with REST {} and STOR";
const OVER_QUOTA: &str = "the quota of {} {} has no room for it";
const TOO_MANY: &str = "more than {} {}";

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, values) = self.words();
        let mut values = values.iter();
        for (number, piece) in words.split("{}").enumerate() {
            if number > 0 {
                match values.next() {
                    Some(Value::Number(number)) => write!(f, "{number}")?,
                    Some(Value::Phrase(text)) => f.write_str(text)?,
                    Some(Value::Text(text)) => f.write_str(text)?,
                    None => {}
                }
            }
            f.write_str(piece)?;
        }
        Ok(())
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoreError::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<Errno> for StoreError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT => StoreError::NotFound,
            Errno::ACCESS | Errno::PERM => StoreError::Denied,
            Errno::ISDIR => StoreError::IsDirectory,
            Errno::NOTDIR => StoreError::NotDirectory,
            Errno::EXIST => StoreError::Exists,
            Errno::NOTEMPTY => StoreError::NotEmpty,
            Errno::NAMETOOLONG => StoreError::NameTooLong,
            Errno::ROFS => StoreError::ReadOnly,
            Errno::NOSPC => StoreError::Full,
            Errno::DQUOT => StoreError::QuotaExceeded,
            Errno::FBIG => StoreError::TooBig,
            Errno::XDEV => StoreError::CrossDevice,
            // EAGAIN: another holds a lease on the file, and a server does not wait for it.
            Errno::BUSY | Errno::TXTBSY | Errno::AGAIN => StoreError::Busy,
            Errno::LOOP => StoreError::Loop,
            // Opening a socket, or a device nobody drives.
            Errno::NXIO | Errno::NODEV => StoreError::NotRegular,
            Errno::MFILE | Errno::NFILE => StoreError::OutOfDescriptors,
            // EILSEQ: a file system that insists on an encoding.
            Errno::ILSEQ => StoreError::BadName("the file system does not take this name"),
            other => StoreError::Io(other.into()),
        }
    }
}

impl From<PathError> for StoreError {
    fn from(error: PathError) -> Self {
        match error {
            PathError::Nul => StoreError::BadName("the name contains a NUL byte"),
            PathError::ComponentTooLong | PathError::TooLong => StoreError::NameTooLong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_for_users() {
        assert_eq!(StoreError::from(Errno::NOTEMPTY).to_string(), "the directory is not empty");
        assert_eq!(StoreError::BeyondEnd { size: 7 }.to_string(), "only 7 bytes are there");
        assert_eq!(StoreError::Forbidden("write").to_string(), "this account lacks the right \"write\"");
        assert!(matches!(StoreError::from(Errno::IO), StoreError::Io(_)));
        assert!(matches!(StoreError::from(Errno::DQUOT), StoreError::QuotaExceeded));
        assert!(matches!(StoreError::from(Errno::TXTBSY), StoreError::Busy));
    }
}
