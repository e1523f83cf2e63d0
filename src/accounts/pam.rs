//! Accounts of the machine, by PAM: each login is put to a service of it (`/etc/pam.d/SERVICE`), which says whether the password is
//! right and the account may be used now. Only where it was asked for when gftp was built (`--features pam`).
//!
//! Owns the threads that wait for PAM, whose modules may take their time and cannot be stopped: so whoever asks waits for a
//! while only, and what the threads do not come to is told to come back. It refuses to know what PAM's modules do.

use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use gftp_plugin::rt;
use nonstick::items::ItemsMut;
use nonstick::{AuthnFlags, ConversationAdapter, ErrorCode, PamShared, Transaction, TransactionBuilder};

use super::Caller;
use super::beyond::Asked;
use super::desk::Desk;
use super::users::{User, of_answer, read_home};

/// Threads that ask PAM: it sleeps for two seconds after each wrong password, as a rule, and that should not hold up those who
/// are right.
const THREADS: usize = 16;
/// How long an answer is waited for: what takes longer is a directory that does not answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How PAM is asked.
#[derive(Clone, Debug)]
pub struct PamOptions {
    /// The service, as its file is called.
    pub service: String,
    /// Whether each account sees a folder of its own name as the root.
    pub homes: bool,
}

/// The threads, from outside.
pub struct Pam {
    desk: Arc<Desk<Asker>>,
    options: Arc<PamOptions>,
    begun: Once,
}

struct Asker {
    name: String,
    password: String,
    from: IpAddr,
    since: Instant,
    answer: oneshot::Sender<Asked>,
}

/// Answers the one question that a password is the answer to.
struct Answers(OsString);

impl ConversationAdapter for Answers {
    fn prompt(&self, _: impl AsRef<OsStr>) -> nonstick::Result<OsString> {
        // FTP has a password and nothing else.
        Err(ErrorCode::ConversationError)
    }

    fn masked_prompt(&self, _: impl AsRef<OsStr>) -> nonstick::Result<OsString> {
        Ok(self.0.clone())
    }

    fn error_msg(&self, message: impl AsRef<OsStr>) {
        log::debug!("PAM: {:?}", message.as_ref());
    }

    fn info_msg(&self, message: impl AsRef<OsStr>) {
        log::debug!("PAM: {:?}", message.as_ref());
    }
}

impl Pam {
    /// Makes ready to ask. No thread yet: one that is older than the process's confinement would not be confined.
    pub fn new(options: PamOptions) -> Pam {
        Pam { desk: Arc::new(Desk::new()), options: Arc::new(options), begun: Once::new() }
    }

    fn begin(&self) {
        for _ in 0..THREADS {
            let (desk, options) = (Arc::clone(&self.desk), Arc::clone(&self.options));
            std::thread::spawn(move || work(&desk, &options));
        }
    }

    /// The service.
    pub(super) fn service(&self) -> &str {
        &self.options.service
    }

    /// Whether `name` may come in with that password.
    pub(super) async fn ask(&self, name: &str, password: &str, caller: &Caller) -> Asked {
        // PAM is written in C, and ends a text there.
        if password.contains('\0') {
            return Asked::Denied("a password with a NUL".to_string());
        }
        self.begun.call_once(|| self.begin());
        let (answer, answered) = oneshot::channel();
        let (name, password, from) = (name.to_string(), password.to_string(), caller.peer.ip());
        self.desk.add(from, Asker { name, password, from, since: Instant::now(), answer });
        match rt::timeout(PATIENCE, async { Ok(answered.await) }).await {
            Ok(Ok(asked)) => asked,
            Ok(Err(oneshot::Canceled)) => Asked::Busy,
            Err(_) => {
                log::warn!(
                    "--pam {}: no answer within {} s; nobody is let in by it",
                    self.options.service,
                    PATIENCE.as_secs()
                );
                Asked::Failed
            }
        }
    }

    /// Takes no more questions.
    pub fn end(&self) {
        self.desk.close();
    }
}

impl Drop for Pam {
    fn drop(&mut self) {
        self.end();
    }
}

/// The life of an asking thread.
fn work(desk: &Desk<Asker>, options: &PamOptions) {
    while let Some(Asker { name, password, from, since, answer }) = desk.next() {
        if answer.is_canceled() || since.elapsed() >= PATIENCE {
            continue;
        }
        let asked = match judge(options, &name, &password, from) {
            Ok(()) => account(options, &name),
            Err(error) => refusal(options, error),
        };
        let _ = answer.send(asked);
    }
}

fn judge(options: &PamOptions, name: &str, password: &str, from: IpAddr) -> nonstick::Result<()> {
    let answers = Answers(password.into()).into_conversation();
    let mut pam = TransactionBuilder::new_with_service(&options.service).username(name).build(answers)?;
    // For modules that look at where somebody comes from.
    pam.items_mut().set_remote_host(Some(OsStr::new(&from.to_string())))?;
    pam.authenticate(AuthnFlags::DISALLOW_NULL_AUTHTOK)?;
    pam.account_management(AuthnFlags::DISALLOW_NULL_AUTHTOK)
}

/// What an account of the machine may do: everything, below its home.
fn account(options: &PamOptions, name: &str) -> Asked {
    let home = if options.homes { format!("/{name}") } else { "/".to_string() };
    if options.homes && (name.contains('/') || read_home(&home).is_ok_and(|home| home.is_root())) {
        return Asked::Denied("a name that no folder can have".to_string());
    }
    let said = [("rights".to_string(), "full".into()), ("home".to_string(), home.into())];
    match of_answer(name, said.into_iter().collect()) {
        Ok(user) => Asked::Allowed(Box::<User>::new(user)),
        Err(why) => Asked::Denied(why),
    }
}

/// What an error of PAM's means: most are a no, some are nobody's answer.
fn refusal(options: &PamOptions, error: ErrorCode) -> Asked {
    match error {
        ErrorCode::AuthenticationError | ErrorCode::UserUnknown | ErrorCode::MaxTries => {
            Asked::Denied("PAM: a wrong name or password".to_string())
        }
        ErrorCode::AccountExpired
        | ErrorCode::CredentialsExpired
        | ErrorCode::NewAuthTokRequired
        | ErrorCode::PermissionDenied
        | ErrorCode::ConversationError => Asked::Denied(format!("PAM: {error}")),
        error => {
            let service = &options.service;
            log::warn!(
                "--pam {service}: {error}; nobody is let in by it: look at /etc/pam.d/{service}, and whether this user may read what its modules need"
            );
            Asked::Failed
        }
    }
}
