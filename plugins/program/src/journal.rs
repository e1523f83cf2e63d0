//! What the log is told of a program: what it said on stderr, how it ended, and why it did not begin. Each is one record:
//! a line for people, and key-values for programs. Refuses to know where records go.

use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use gftp_plugin::Origin;
use gftp_plugin::program::advice;
use gftp_plugin::stderr::printable;

/// Whom a record is about.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) origin: Origin,
    pub(crate) service: &'a str,
}

/// A record about a subject at that level: its event, what every record of a session tells, what only this one does, and
/// its text, which begins with the session and the service.
macro_rules! record {
    ($level:ident, $subject:expr, $event:expr, [$($key:ident = $value:expr),*], $($text:tt)+) => {{
        let Subject { origin, service } = $subject;
        let peer = origin.peer.ip().to_string();
        log::$level!(
            event = $event,
            service = *service,
            session = origin.id,
            peer = peer.as_str(),
            peer_port = origin.peer.port()
            $(, $key = $value)*;
            "session {}: {service}: {}", origin.id, format_args!($($text)+)
        );
    }};
}

/// A line that the program wrote to its stderr; one that was cut goes on in no other record.
pub(crate) fn said(subject: &Subject<'_>, line: &[u8], cut: bool) {
    let (text, dots) = (String::from_utf8_lossy(line), if cut { "…" } else { "" });
    record!(info, subject, "stderr", [line = &*text, cut = cut], "{}{dots}", printable(line));
}

/// So many lines of its stderr are in no record.
pub(crate) fn lost(subject: &Subject<'_>, lines: u64) {
    let s = if lines == 1 { "" } else { "s" };
    record!(warn, subject, "stderr_lost", [lost = lines], "{lines} line{s} of its stderr left out: it writes too many");
}

/// It ended by itself, and not well.
pub(crate) fn failed(subject: &Subject<'_>, status: ExitStatus) {
    use std::os::unix::process::ExitStatusExt;
    record!(warn, subject, "exit", [code = status.code(), signal = status.signal()], "it ended with {status}");
}

/// Nothing has moved for as long as it may.
pub(crate) fn idle(subject: &Subject<'_>, idle: Duration) {
    let time = humantime::format_duration(idle);
    record!(info, subject, "idle", [seconds = idle.as_secs_f64()], "nothing has moved for {time}; it is killed");
}

/// Its client has left, and it goes on.
pub(crate) fn unheard(subject: &Subject<'_>) {
    record!(info, subject, "unheard", [], "its client has left and it goes on; it is told to end");
}

/// It did not end when it was told to.
pub(crate) fn killed(subject: &Subject<'_>) {
    record!(warn, subject, "killed", [], "it has not ended after SIGTERM; it is killed");
}

/// It could not be started.
pub(crate) fn not_started(subject: &Subject<'_>, path: &Path, error: &io::Error) {
    let (shown, reason, advice) = (path.display(), error.to_string(), advice(error));
    record!(error, subject, "not_started", [reason = reason.as_str()], "cannot run {shown}: {reason}; {advice}");
}
