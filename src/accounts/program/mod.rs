//! A program that is asked about each login: a line of JSON in, a line of JSON out. So LDAP, SQL or a shop's own accounts are a
//! script away.
//!
//! Owns the processes of that program, and who of the askers is next. An answer belongs to a question by its number, each
//! process has one question at a time, and one that is late, dead or talks nonsense is killed: so no answer can come to let
//! in somebody else. What goes wrong with the program is never a login. It refuses to know what an account may do.

mod process;
mod speech;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use gftp_plugin::program::{advice, runnable};
use gftp_plugin::stderr::{Quota, printable};

use super::Caller;
use super::beyond::Asked;
use super::desk::Desk;
use process::{Process, Trouble};
use speech::{Question, Said};

/// The least time between two starts in the place of one process: a script that answers once and exits is served ten times
/// a second, and one that dies at once does not take a core.
const START_EACH: Duration = Duration::from_millis(100);
/// The most: what fails again and again is tried every few seconds, so that it comes back by itself once it is mended.
const REST_AT_MOST: Duration = Duration::from_secs(5);
/// Processes at most: each has three descriptors, and a directory that needs more at once needs a faster script.
pub const MOST_PROCESSES: usize = 64;
/// How long a place rests before a look at whether the server is at its end, and at who has waited for too long.
const LOOK_UP: Duration = Duration::from_millis(100);
/// How long the end of the server waits for the end of the processes, which takes milliseconds.
const LAST_WAIT: Duration = Duration::from_secs(1);
/// Descriptors of each process: its three pipes.
pub const DESCRIPTORS_EACH: usize = 3;

/// How a program is asked.
#[derive(Clone, Debug)]
pub struct ProgramOptions {
    /// The program.
    pub path: PathBuf,
    /// How long it may think about one login; one may wait as long for its turn.
    pub timeout: Duration,
    /// How many of it there are, each of which is asked about one login at a time.
    pub processes: usize,
}

/// The processes, from outside. Dropped, they are killed.
pub struct Program {
    desk: Arc<Desk<Asker>>,
    shown: String,
    options: Arc<ProgramOptions>,
    begun: Once,
    /// Nothing ever comes; it is over when the last thread is gone.
    threads: Mutex<Option<Receiver<()>>>,
}

/// A question on its way, and who wants to know. Dropped unanswered, it says that there was no room.
struct Asker {
    question: Question,
    since: Instant,
    answer: oneshot::Sender<Asked>,
}

/// One place for a process, and the thread that asks it.
struct Place {
    options: Arc<ProgramOptions>,
    desk: Arc<Desk<Asker>>,
    quota: Arc<Mutex<Quota>>,
    /// The numbers of all questions of all places.
    numbers: Arc<AtomicU64>,
    process: Option<Process>,
    /// No other process is started before that.
    rests_until: Instant,
    /// Failures in a row.
    failures: u32,
    /// Held for as long as the thread lives.
    _lives: Sender<()>,
}

impl Program {
    /// Makes ready to ask; the program is started when it is first needed. No thread yet: one that is older than the process's
    /// confinement would not be confined, nor would be what it starts. An error says what to do.
    pub fn new(options: ProgramOptions) -> Result<Program, String> {
        let shown = options.path.display().to_string();
        let path = runnable(&options.path)?;
        let (desk, options) = (Arc::new(Desk::new()), Arc::new(ProgramOptions { path, ..options }));
        Ok(Program { desk, shown, options, begun: Once::new(), threads: Mutex::default() })
    }

    fn begin(&self) {
        let (quota, numbers) = (Arc::new(Mutex::new(Quota::of_service())), Arc::default());
        let (lives, threads) = channel();
        for _ in 0..self.options.processes.clamp(1, MOST_PROCESSES) {
            let place = Place {
                options: Arc::clone(&self.options),
                desk: Arc::clone(&self.desk),
                quota: Arc::clone(&quota),
                numbers: Arc::clone(&numbers),
                process: None,
                rests_until: Instant::now(),
                failures: 0,
                _lives: lives.clone(),
            };
            std::thread::spawn(move || place.work());
        }
        *self.threads.lock().unwrap_or_else(PoisonError::into_inner) = Some(threads);
    }

    /// What it was called when it was ordered.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether `name` may come in with that password. The answer comes within twice the time that the program has.
    pub(super) async fn ask(&self, name: &str, password: &str, caller: &Caller) -> Asked {
        self.begun.call_once(|| self.begin());
        let (answer, answered) = oneshot::channel();
        let question = Question::new(name, password, caller);
        self.desk.add(caller.peer.ip(), Asker { question, since: Instant::now(), answer });
        answered.await.unwrap_or(Asked::Busy)
    }

    /// Kills all processes, and waits a moment until they are gone.
    pub fn end(&self) {
        self.desk.close();
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(threads) = threads.as_ref() {
            let _ = threads.recv_timeout(LAST_WAIT);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

impl Asker {
    /// Whether nobody waits for the answer any more, who may be gone or has to be told by now to come back later.
    fn is_late(&self, timeout: Duration) -> bool {
        self.answer.is_canceled() || self.since.elapsed() >= timeout
    }
}

impl Place {
    /// The life of an asking thread.
    fn work(mut self) {
        while let Some(asker) = self.next() {
            if asker.is_late(self.options.timeout) {
                continue;
            }
            let Asker { question, since, answer } = asker;
            let deadline = since + self.options.timeout;
            let asked = match self.ask(&question, deadline) {
                Ok(Said::Allow(user)) => Asked::Allowed(user),
                Ok(Said::Deny(reason)) => Asked::Denied(reason),
                Err(trouble) => {
                    self.fail(&trouble, &question);
                    Asked::Failed
                }
            };
            let _ = answer.send(asked);
        }
    }

    /// The next question; none when the server is gone. Whoever rests takes none, which another place may answer meanwhile.
    fn next(&self) -> Option<Asker> {
        while self.process.is_none() && !self.desk.is_closed() {
            let left = self.rests_until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            // All places may rest, and then nobody else tells them.
            self.desk.drop_where(|asker| asker.is_late(self.options.timeout));
            std::thread::sleep(left.min(LOOK_UP));
        }
        self.desk.next()
    }

    /// Asks one process; one that has died in its sleep is not held against it.
    fn ask(&mut self, question: &Question, start_by: Instant) -> Result<Said, Trouble> {
        let said = match self.ask_once(question, start_by) {
            Err(Trouble::AsleepDead) => {
                self.process = None;
                self.ask_once(question, start_by)
            }
            said => said,
        }?;
        self.failures = 0;
        Ok(said)
    }

    fn ask_once(&mut self, question: &Question, start_by: Instant) -> Result<Said, Trouble> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let timeout = self.options.timeout;
        let desk = Arc::clone(&self.desk);
        let process = self.ready(start_by)?;
        let line = process.ask(&question.line(number), Instant::now() + timeout, &|| desk.is_closed())?;
        question.read(&line, number).map_err(Trouble::Nonsense)
    }

    /// A process that lives and has nothing to say.
    fn ready(&mut self, start_by: Instant) -> Result<&mut Process, Trouble> {
        let is_well = self.process.as_mut().map(Process::is_waiting);
        match is_well {
            Some(Ok(())) => {}
            Some(Err(Trouble::AsleepDead)) | None => self.start(start_by)?,
            Some(Err(trouble)) => return Err(trouble),
        }
        self.process.as_mut().ok_or(Trouble::Resting)
    }

    fn start(&mut self, start_by: Instant) -> Result<(), Trouble> {
        self.process = None;
        if self.rests_until >= start_by {
            return Err(Trouble::Resting);
        }
        std::thread::sleep(self.rests_until.saturating_duration_since(Instant::now()));
        self.rests_until = Instant::now() + START_EACH;
        self.process = Some(Process::start(&self.options.path, &self.quota).map_err(Trouble::NotStarted)?);
        Ok(())
    }

    /// It is killed, and rests; ever longer if that goes on.
    fn fail(&mut self, trouble: &Trouble, question: &Question) {
        self.process = None;
        // That it rests was said when it began to.
        if matches!(trouble, Trouble::Resting) || self.desk.is_closed() {
            return;
        }
        // Doubled so often it is the most in any case.
        let rest = START_EACH.saturating_mul(1 << self.failures.min(10)).min(REST_AT_MOST);
        self.failures = self.failures.saturating_add(1);
        self.rests_until = Instant::now() + rest;
        let why = match trouble {
            Trouble::NotStarted(e) => format!("cannot be run: {e}; {}", advice(e)),
            Trouble::Late => {
                let time = humantime::format_duration(self.options.timeout);
                format!("has not answered within {time} and is killed; make it quicker, or give more --auth-timeout")
            }
            Trouble::Nonsense(what) => format!("talks nonsense and is killed: {}", question.without_secret(what)),
            Trouble::Ended(how) => format!("has ended instead of answering ({how})"),
            Trouble::AsleepDead | Trouble::Resting => "has ended".to_string(),
        };
        tell(&self.options.path, &why);
    }
}

fn tell(path: &Path, why: &str) {
    let (shown, why) = (path.display(), printable(why.as_bytes()));
    log::warn!("--auth-program {shown}: it {why}; nobody is let in by it meanwhile");
}

#[cfg(test)]
mod tests {
    use gftp_plugin::rt;

    use super::*;

    /// A place that rests for longer than any test takes.
    fn resting(desk: &Arc<Desk<Asker>>, timeout: Duration) -> Place {
        Place {
            options: Arc::new(ProgramOptions { path: "/no/such".into(), timeout, processes: 2 }),
            desk: Arc::clone(desk),
            quota: Arc::new(Mutex::new(Quota::of_service())),
            numbers: Arc::default(),
            process: None,
            rests_until: Instant::now() + Duration::from_secs(3600),
            failures: 6,
            _lives: channel().0,
        }
    }

    fn ask(desk: &Desk<Asker>) -> Option<Asked> {
        let peer = ([192, 0, 2, 1], 50_000).into();
        let question = Question::new("alice", "hers", &Caller { peer, local: peer, service: "ftp", tls: false });
        let (answer, answered) = oneshot::channel();
        desk.add(peer.ip(), Asker { question, since: Instant::now(), answer });
        rt::block_on(answered).ok()
    }

    #[test]
    fn a_place_that_rests_leaves_questions_to_the_others() {
        let desk = Arc::new(Desk::new());
        let place = resting(&desk, Duration::from_secs(60));
        let colleague = Arc::clone(&desk);
        std::thread::scope(|scope| {
            scope.spawn(|| place.work());
            scope.spawn(move || {
                while let Some(asker) = colleague.next() {
                    let _ = asker.answer.send(Asked::Denied("asked a colleague".to_string()));
                }
            });
            let answers: Vec<_> = (0..200).map(|_| ask(&desk)).collect();
            desk.close();
            assert!(answers.iter().all(|asked| matches!(asked, Some(Asked::Denied(_)))));
        });
    }

    /// Nobody is left to wait for the end of a rest, and no thread outlives the server for one.
    #[test]
    fn where_all_rest_who_has_waited_is_told() {
        let desk = Arc::new(Desk::new());
        let place = resting(&desk, Duration::from_millis(1));
        std::thread::scope(|scope| {
            scope.spawn(|| place.work());
            assert!(ask(&desk).is_none());
            desk.close();
        });
    }
}
