//! What the log is told of a session: who came in, what moved, what went and what was refused. Each is one record: a
//! line for people, and key-values for programs, which README.md lists. Refuses to know where records go.

use std::borrow::Cow;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Instant;

use gftp_plugin::Origin;

use super::answer::{Start, Transfer};
use super::session::{Mode, Representation, Session};
use super::wire::printable::printable;
use super::wire::reply::Reply;
use crate::accounts::Ended;
use crate::store::{StoreError, VirtualPath};

/// Bytes as key-values have them: text, and in hexadecimal too where they are not all text.
struct Shown<'a> {
    text: Cow<'a, str>,
    hex: Option<String>,
}

impl<'a> Shown<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let hex = matches!(text, Cow::Owned(_)).then(|| {
            bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
                // Into memory: it cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            })
        });
        Shown { text, hex }
    }
}

/// Whom a record is about. Work that outlives its handler takes one along, since the session stays behind.
#[derive(Clone)]
pub struct Subject {
    session: u64,
    peer: SocketAddr,
    user: Vec<u8>,
    anonymous: bool,
}

impl Subject {
    /// Who is on the line, as far as they have said.
    pub fn of(session: &Session) -> Self {
        let Origin { id, peer, .. } = *session.origin;
        Subject { session: id, peer, user: session.user().to_vec(), anonymous: session.is_anonymous() }
    }

    /// The name for log lines.
    fn name(&self) -> String {
        if self.user.is_empty() { "-".to_string() } else { printable(&self.user).to_string() }
    }
}

/// A record about a subject at that level: its event, what every record of a session tells, what only this one does, and
/// its text.
macro_rules! record {
    ($level:ident, $subject:expr, $event:expr, [$($key:ident = $value:expr),*], $($text:tt)+) => {{
        let subject: &Subject = $subject;
        let (user, peer) = (Shown::of(&subject.user), subject.peer.ip().to_string());
        log::$level!(
            event = $event,
            session = subject.session,
            peer = peer.as_str(),
            peer_port = subject.peer.port(),
            user = (!subject.user.is_empty()).then_some(&*user.text),
            user_hex = user.hex.as_deref(),
            anonymous = subject.anonymous
            $(, $key = $value)*;
            $($text)+
        );
    }};
}

mod labour;
pub use labour::Labour;

/// Whether anybody reads of what goes as it should. Where nobody does, it is not put into words, which are nearly a tenth of the
/// instructions of a small transfer.
fn is_told() -> bool {
    log::log_enabled!(log::Level::Info)
}

/// Somebody has logged in, and sees this as the root.
pub fn logged_in(session: &Session, home: &VirtualPath) {
    if !is_told() {
        return;
    }
    let subject = Subject::of(session);
    let (id, from, home) = (subject.session, subject.peer, home.to_string());
    record!(info, &subject, "login", [home = home.as_str()], "session {id}: {} from {from} logged in", subject.name());
}

/// The password was right, and there was no place.
pub fn turned_away(session: &Session, why: &str) {
    let subject = Subject::of(session);
    let (id, from) = (subject.session, subject.peer);
    let text = format!("session {id}: {} from {from} was turned away: {why}", subject.name());
    record!(warn, &subject, "login_refused", [reason = why], "{text}");
}

/// The password was right, and the home cannot be had.
pub fn homeless(session: &Session, home: &VirtualPath, error: &StoreError) {
    let subject = Subject::of(session);
    let (id, from, name, root) = (subject.session, subject.peer, subject.name(), session.shared.store.root().display());
    let (home, reason) = (home.to_string(), error.to_string());
    record!(
        error,
        &subject,
        "login_refused",
        [home = home.as_str(), reason = reason.as_str()],
        "session {id}: {name} from {from} has no home: {home} below {root}: {reason}; make that folder and let the \
         server's user into it, or give {name} another home in the users file"
    );
}

/// A password was wrong, or the name was; or the account may not come in so, which `why` says.
pub fn failed_to_log_in(session: &Session, failures: u32, most: u32, why: Option<&str>) {
    let subject = Subject::of(session);
    let (id, from) = (subject.session, subject.peer);
    let because = why.map_or(String::new(), |why| format!(": {}", printable(why.as_bytes())));
    record!(
        warn,
        &subject,
        "login_failed",
        [failures = failures, reason = why],
        "session {id}: {} from {from} failed to log in ({failures} of {most}){because}",
        subject.name()
    );
}

/// The account has ended or changed while its session was in.
pub fn dismissed(session: &Session, why: &Ended) {
    let subject = Subject::of(session);
    let (id, from, why) = (subject.session, subject.peer, why.to_string());
    let text = format!("session {id}: {} from {from} has to go: {why}", subject.name());
    record!(info, &subject, "dismissed", [reason = why.as_str()], "{text}");
}

/// A client has said which program it is.
pub fn is_client(session: &Session, client: &[u8]) {
    let subject = Subject::of(session);
    let (id, program) = (subject.session, String::from_utf8_lossy(client));
    record!(info, &subject, "client", [client = &*program], "session {id}: the client is {}", printable(client));
}

/// TLS is spoken on the control connection.
pub fn secured(session: &Session) {
    let Some(security) = &session.security else { return };
    let subject = Subject::of(session);
    let (id, from, agreed) = (subject.session, subject.peer, security.agreed);
    record!(
        info,
        &subject,
        "tls",
        [version = agreed.version, cipher = agreed.cipher, implicit = security.implicit],
        "session {id}: {from} speaks {security}"
    );
}

/// A client has begun with TLS and not come to an end with it; or it has not even begun, which health checks do for years.
pub fn not_secured(session: &Session, error: &std::io::Error) {
    let subject = Subject::of(session);
    let (id, from, reason) = (subject.session, subject.peer, error.to_string());
    let text = format!("session {id}: {from} failed to begin TLS: {reason}");
    match error.kind() {
        std::io::ErrorKind::NotConnected => {
            record!(debug, &subject, "tls_failed", [reason = reason.as_str()], "{text}")
        }
        _ => record!(warn, &subject, "tls_failed", [reason = reason.as_str()], "{text}"),
    }
}

/// A data connection in TLS did not go on with its control connection's session, so only its address speaks for it.
pub fn not_resumed(session: &Session) {
    let subject = Subject::of(session);
    let (id, from) = (subject.session, subject.peer);
    record!(
        info,
        &subject,
        "tls_not_resumed",
        [],
        "session {id}: {from} does not resume TLS on data connections: taken, since they come from its address"
    );
}

/// A data connection to somebody else was asked for.
pub fn refused_to_connect(session: &Session, address: SocketAddr) {
    let subject = Subject::of(session);
    let (id, from, to) = (subject.session, subject.peer, address.to_string());
    record!(
        warn,
        &subject,
        "bounce_refused",
        [address = to.as_str()],
        "session {id}: {from} asked for a data connection to {to}: refused"
    );
}

/// A command that moves or removes something was refused. `argument` is what the client typed behind it.
pub fn refused(session: &Session, verb: &str, argument: Option<&[u8]>, reply: &Reply) {
    let subject = Subject::of(session);
    let (id, from, code) = (subject.session, subject.peer, reply.code());
    let (path, said) = (session.path(argument.unwrap_or_default()).ok(), reply.text().english());
    let absolute = path.map(|path| path.absolute());
    let path = absolute.as_deref().map(Shown::of);
    let text = printable(&said);
    record!(
        info,
        &subject,
        "refused",
        [
            verb = verb,
            path = path.as_ref().map(|path| &*path.text),
            path_hex = path.as_ref().and_then(|path| path.hex.as_deref()),
            result = "incomplete",
            code = code
        ],
        "session {id}: {} from {from} was refused {verb}: {code} {text}",
        subject.name()
    );
}

/// A file was deleted, of so many bytes, or a directory.
pub fn deleted(subject: &Subject, path: &VirtualPath, bytes: Option<u64>, reply: &Reply) {
    let (id, from, code) = (subject.session, subject.peer, reply.code());
    let (absolute, said) = (path.absolute(), reply.text().english());
    let (path, name, text) = (Shown::of(&absolute), printable(&absolute), printable(&said));
    record!(
        info,
        subject,
        "delete",
        [
            path = &*path.text,
            path_hex = path.hex.as_deref(),
            directory = bytes.is_none(),
            bytes = bytes,
            result = "complete",
            code = code
        ],
        "session {id}: {} from {from} deleted {name}: {code} {text}",
        subject.name()
    );
}

/// A transfer that is to be noted when it has ended.
pub struct Passage {
    began: Instant,
    done: &'static str,
    asked: VirtualPath,
    start: Start,
    /// What it is about, once that differs from what was asked for (STOU).
    pub path: VirtualPath,
}

impl Passage {
    /// It begins now.
    pub fn of(transfer: &Transfer) -> Self {
        let Transfer { done, path, start, .. } = transfer;
        Passage { began: Instant::now(), done, asked: path.clone(), start: *start, path: path.clone() }
    }

    /// It ended with this reply, after so many bytes.
    pub fn ended(self, session: &Session, bytes: u64, reply: &Reply) {
        if !is_told() {
            return;
        }
        let Passage { began, done, asked, start, path } = self;
        let subject = Subject::of(session);
        let (id, from, code) = (subject.session, subject.peer, reply.code());
        let seconds = began.elapsed().as_secs_f64();
        let (asked, absolute, said) = (asked.absolute(), path.absolute(), reply.text().english());
        let (path, name, text) = (Shown::of(&absolute), printable(&asked), printable(&said));
        let (event, direction) = match done {
            "received" => ("upload", "in"),
            "sent" => ("download", "out"),
            _ => ("listing", "out"),
        };
        record!(
            info,
            &subject,
            event,
            [
                path = &*path.text,
                path_hex = path.hex.as_deref(),
                direction = direction,
                type = if session.representation == Representation::Ascii { "ascii" } else { "binary" },
                mode = if session.mode == Mode::Deflate { "deflate" } else { "stream" },
                offset = start.offset(),
                resumed = start.offset() > Some(0),
                appended = start == Start::End,
                bytes = bytes,
                seconds = in_milliseconds(seconds),
                result = if code == 226 { "complete" } else { "incomplete" },
                code = code
            ],
            "session {id}: {} from {from} {done} {name}: {bytes} bytes in {seconds:.3} s: {code} {text}",
            subject.name()
        );
    }
}

/// Seconds without the digits that nobody measured.
fn in_milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the bytes are, they can be had back from what is shown.
        #[test]
        fn any_bytes_come_back(bytes: Vec<u8>) {
            let shown = Shown::of(&bytes);
            let digits = |hex: &String| (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
            let back: Vec<u8> = shown.hex.as_ref().map_or_else(|| shown.text.as_bytes().to_vec(), digits);
            prop_assert_eq!(back, bytes);
        }
    }
}
