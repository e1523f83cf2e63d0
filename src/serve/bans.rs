//! Keeps the file of bans and the guard's memory in step: what was kept is taken over at the start, what changes is
//! written, and what `gftp bans lift` has asked for is done.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use futures::future::{self, Either};
use futures::pin_mut;
use gftp_plugin::Shutdown;
use gftp_plugin::rt::{self, JoinHandle};

use crate::bans::file::{self, Kept, KeptBan, Unusable};
use crate::cli::Mistake;
use crate::host::{Ban, Guard, REFORMED_AFTER, narrow, wide};
use crate::watched::{LOOK_AGAIN, Watched};

/// The file, and who is to know what is in it.
pub struct Keeper {
    path: PathBuf,
    watched: Watched,
    guard: Arc<Guard>,
    /// What went wrong the last time, so that it is said once and not each second.
    trouble: Option<String>,
}

impl Keeper {
    /// Takes over what is kept. A file that is none of bans is set aside; one that cannot be read or written is a mistake.
    pub fn open(path: PathBuf, guard: Arc<Guard>) -> Result<Keeper, Mistake> {
        let watched = Watched::new(&path);
        let mut keeper = Keeper { path, watched, guard, trouble: None };
        match keeper.take_over() {
            Ok(()) => Ok(keeper),
            Err(why) => {
                let shown = keeper.path.display();
                Err(Mistake(format!("--bans {shown}: {why}; give a file in a folder that this user may write to")))
            }
        }
    }

    fn take_over(&mut self) -> Result<(), Unusable> {
        if let Err(Unusable::Broken(why)) = file::read(&self.path) {
            self.set_aside(&why)?;
        }
        file::change(&self.path, |kept| {
            let (now, wall) = (Instant::now(), SystemTime::now());
            for KeptBan { network, until, times, why } in kept.bans {
                // A ban that is over is taken over as one that ends now, so that the next one is longer all the same.
                let left = until.duration_since(wall).unwrap_or_default();
                if ![narrow(network.addr()), wide(network.addr())].contains(&network) {
                    log::warn!(
                        "--bans: bans are of addresses and their networks (/24, /64, /48), {network} is none: use --deny"
                    );
                    continue;
                }
                if wall.duration_since(until).is_ok_and(|over| over > REFORMED_AFTER) {
                    continue;
                }
                self.guard.import(network, now + left.min(REFORMED_AFTER), times, why);
            }
            Ok::<_, Unusable>(Some(self.state()))
        })?;
        self.watched = Watched::new(&self.path);
        Ok(())
    }

    fn set_aside(&self, why: &str) -> io::Result<()> {
        let aside = file::set_aside(&self.path)?;
        let (shown, aside) = (self.path.display(), aside.display());
        log::warn!("--bans {shown}: it is no file of bans: {why}; it is {aside} now, and nobody is banned by it");
        Ok(())
    }

    fn state(&self) -> Kept {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let ban = |(network, ban): (_, Ban)| {
            let until = match ban.until.checked_duration_since(now) {
                Some(left) => wall + left,
                None => wall - now.duration_since(ban.until),
            };
            KeptBan { network, until, times: ban.times, why: ban.why }
        };
        Kept { bans: self.guard.all().into_iter().map(ban).collect(), lifted: Vec::new() }
    }

    /// Does what is asked for in the file, and writes what has changed in memory.
    pub fn step(&mut self) {
        let (is_asked, is_changed) = (self.watched.has_changed(), self.guard.has_changed());
        if !is_asked && !is_changed {
            return;
        }
        let trouble = self.exchange(is_changed).err();
        if trouble.is_some() && is_changed {
            self.guard.not_kept();
        }
        let trouble = trouble.map(|e| e.to_string());
        if let Some(trouble) = trouble.as_ref().filter(|&trouble| self.trouble.as_ref() != Some(trouble)) {
            let shown = self.path.display();
            log::error!("--bans {shown}: {trouble}; bans hold, but will be forgotten when the server ends");
        }
        self.trouble = trouble;
    }

    fn exchange(&mut self, is_changed: bool) -> Result<(), Unusable> {
        if let Err(Unusable::Broken(why)) = file::read(&self.path) {
            self.set_aside(&why)?;
        }
        file::change(&self.path, |kept| {
            kept.lifted.iter().for_each(|&which| self.guard.lift(which));
            Ok::<_, Unusable>((is_changed || !kept.lifted.is_empty()).then(|| self.state()))
        })?;
        // Whoever changes it next shows; what was ours does not.
        self.watched = Watched::new(&self.path);
        Ok(())
    }

    /// Keeps both in step until the server's end, and once more then.
    pub fn kept_until(mut self, shutdown: Shutdown) -> JoinHandle<()> {
        rt::spawn(async move {
            loop {
                let ending = shutdown.ending();
                pin_mut!(ending);
                let is_over = matches!(future::select(ending, Box::pin(rt::sleep(LOOK_AGAIN))).await, Either::Left(_));
                self = rt::unblock(move || {
                    self.step();
                    self
                })
                .await;
                if is_over {
                    return;
                }
            }
        })
    }
}
