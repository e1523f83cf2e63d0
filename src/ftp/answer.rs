//! What a handler may say: an answer, or a refusal. Handlers return these and cannot reach the socket; only the
//! conversation speaks. Here, and nowhere else, a store's error becomes a reply code.

use futures::future::BoxFuture;

use super::data::pump::Road;
use super::tls::Protection;
use super::wire::phrase::{Text, phrase};
use super::wire::printable::printable;
use super::wire::reply::Reply;
use crate::store::{StoreError, Value, VirtualPath};

/// What came of a command.
pub type Outcome = Result<Answer, Refusal>;

/// A command that is being done.
pub enum Answer {
    /// Done: say this.
    Reply(Reply),
    /// Bytes are to flow over a data connection first.
    Transfer(Box<Transfer>),
    /// The reply is long in coming: it takes work that the client may leave or abort.
    Work(Work),
    /// Say this, and speak TLS from then on, with data connections protected so.
    Secure(Reply, Protection),
    /// Say this in TLS, and plain text from then on.
    Clear(Reply),
    /// Say this and close (QUIT, or a guest who has worn out his welcome).
    Goodbye(Reply),
}

/// Work for a reply, without a data connection. It does one bounded piece after another on the pool
/// (what costs a core in turns, [`Turns`](super::turns::Turns)), and is stopped by being dropped between two of them: whatever it has not
/// finished by then must undo itself.
pub type Work = BoxFuture<'static, Result<Reply, Refusal>>;

/// A command that is not done, and why, in words that say what to do.
#[derive(Debug)]
pub struct Refusal(pub Reply);

/// One transfer, ready to run but for its data connection.
pub struct Transfer {
    /// What the log calls it: "sent", "received", "listed".
    pub done: &'static str,
    /// What it is about.
    pub path: VirtualPath,
    /// The text of the 150.
    pub opening: Text,
    /// Whether the server chose the name, and so must tell it (STOU).
    pub unique: bool,
    /// How the bytes go.
    pub road: Road,
    /// What ALLO said the size would be.
    pub announced: Option<u64>,
    /// Where in its file it begins.
    pub start: Start,
}

/// Where in its file a transfer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At this offset, as REST gave it; 0 without one.
    At(u64),
    /// Behind what is there (APPE).
    End,
}

impl Start {
    /// The offset, where it is known before the transfer.
    pub fn offset(self) -> Option<u64> {
        match self {
            Start::At(offset) => Some(offset),
            Start::End => None,
        }
    }
}

impl Answer {
    /// A single line.
    pub fn say(code: u16, text: Text) -> Outcome {
        Ok(Answer::Reply(Reply::new(code, text)))
    }
}

impl Refusal {
    /// A single line.
    pub fn say(code: u16, text: Text) -> Refusal {
        Refusal(Reply::new(code, text))
    }

    /// What the store said of `path`.
    pub fn about(path: &VirtualPath, error: StoreError) -> Refusal {
        if let StoreError::Io(e) = &error {
            log::warn!("{}: {e}", printable(&path.absolute()));
        }
        Refusal::say(code_of(&error), phrase!("{}: {}.", path.absolute(), reason(&error)))
    }
}

/// What the store said, as a phrase.
pub fn reason(error: &StoreError) -> Text {
    let (words, values) = error.words();
    let values = values.into_iter().map(|value| match value {
        Value::Number(number) => number.into(),
        Value::Phrase(words) => Text::phrase(words, Vec::new()),
        Value::Text(text) => text.into(),
    });
    Text::phrase(words, values.collect())
}

/// The reply code of a store's error (RFC 959 §4.2): 4yz where trying again may help, 55z where it will not.
pub fn code_of(error: &StoreError) -> u16 {
    match error {
        StoreError::Busy | StoreError::ChangedMeanwhile | StoreError::Interrupted { .. } => 450,
        StoreError::OutOfDescriptors | StoreError::Io(_) => 451,
        StoreError::Full => 452,
        StoreError::QuotaExceeded | StoreError::OverQuota { .. } | StoreError::TooBig => 552,
        StoreError::NameTooLong | StoreError::BadName(_) => 553,
        StoreError::Unsupported(_) => 504,
        StoreError::BeyondEnd { .. } => 554,
        _ => 550,
    }
}
