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
                if ![narrow(network.addr()), wide(network.addr())].contains(&network) {
                    log::warn!(
                        "--bans: bans are of addresses and their networks (/24, /64, /48), {network} is none: use --deny"
                    );
                    continue;
                }
                let until = match until.duration_since(wall) {
                    // A clock that was wrong, or whoever edits the file, bans nobody for longer than this server would.
                    Ok(left) => now.checked_add(left.min(self.guard.longest_ban())),
                    Err(over) if over.duration() > REFORMED_AFTER => continue,
                    // It is over, and the next one is longer all the same.
                    Err(over) => now.checked_sub(over.duration()),
                };
                self.guard.import(network, until.unwrap_or(now), times, why);
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
        if trouble.is_some() {
            // Also what was only asked for: the file will not look different because of that.
            self.guard.not_kept();
        }
        let trouble = trouble.map(|e| e.to_string());
        if let Some(trouble) = trouble.as_ref().filter(|&trouble| self.trouble.as_ref() != Some(trouble)) {
            let shown = self.path.display();
            log::error!("--bans {shown}: {trouble}; bans hold, but will be forgotten when the server ends");
        }
        self.trouble = trouble;
    }

    fn exchange(&mut self, mut is_changed: bool) -> Result<(), Unusable> {
        if let Err(Unusable::Broken(why)) = file::read(&self.path) {
            self.set_aside(&why)?;
            // What it said is known in memory only.
            is_changed = true;
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::IpAddr;
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::host::{BanRules, GuardRules};

    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(24 * 3600);
    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    /// With bans of up to sixty days.
    fn guard() -> Arc<Guard> {
        Guard::new(GuardRules { bans: Some(BanRules { after: 5, time: HOUR }), ..GuardRules::default() })
    }

    fn keeper(path: &Path, guard: &Arc<Guard>) -> Keeper {
        Keeper::open(path.to_path_buf(), Arc::clone(guard)).expect("it can be written")
    }

    fn banned(path: &Path) -> Vec<KeptBan> {
        let mut bans = file::read(path).expect("a file of bans").bans;
        bans.sort_by_key(|ban| ban.network);
        bans
    }

    #[test]
    fn a_restart_makes_no_ban_shorter_and_none_that_is_over_younger() {
        let (folder, wall) = (tempfile::tempdir().unwrap(), SystemTime::now());
        let path = folder.path().join("bans.json");
        let ban = |last: u8, until| {
            let network = narrow([192, 0, 2, last].into());
            KeptBan { network, until, times: 5, why: "HTTP".to_string() }
        };
        let before = [wall + 40 * DAY, wall + 400 * DAY, wall - 3 * DAY, wall - 8 * DAY];
        let bans = (1..).zip(before).map(|(last, until)| ban(last, until)).collect();
        file::change::<Unusable>(&path, |_| Ok(Some(Kept { bans, lifted: Vec::new() }))).unwrap();
        keeper(&path, &guard());
        let after: Vec<_> = banned(&path).into_iter().map(|ban| ban.until).collect();
        let expected = [wall + 40 * DAY, wall + 60 * DAY, wall - 3 * DAY];
        assert_eq!(after.len(), expected.len());
        for (is, should) in after.into_iter().zip(expected) {
            assert!(is > should - HOUR && is < should + HOUR, "{is:?} is not {should:?}");
        }
    }

    #[test]
    fn what_could_not_be_done_is_done_at_the_next_look() {
        let folder = tempfile::tempdir().unwrap();
        let (path, aside) = (folder.path().join("bans.json"), folder.path().join("bans.json.broken"));
        let guard = guard();
        guard.import(narrow(ONE), Instant::now() + HOUR, 1, "HTTP".to_string());
        let mut keeper = keeper(&path, &guard);
        let is_kept = || banned(&path).iter().any(|ban| ban.network == narrow(ONE));
        assert!(is_kept());
        fs::create_dir_all(aside.join("in the way")).unwrap();
        fs::write(&path, "{").unwrap();
        keeper.step();
        assert!(file::read(&path).is_err(), "it cannot be set aside");
        fs::remove_dir_all(&aside).unwrap();
        keeper.step();
        assert!(is_kept() && aside.is_file());
        // Nobody else has been banned meanwhile, and what is in memory is written all the same.
        fs::write(&path, "{ broken").unwrap();
        keeper.step();
        assert!(is_kept());
    }
}
