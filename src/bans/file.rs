//! The file in which bans outlive the server: JSON, read whole and replaced in one step under a lock, so that the server and
//! `gftp bans` never lose each other's changes. Knows the disk, and nothing of why anybody is banned.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use gftp_plugin::parse_network;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::replaced::{folder_of, lock, replace};

/// A file larger than this is none of ours: ten thousand bans have a tenth of it.
const LARGEST: u64 = 16 * 1024 * 1024;
/// Bans, and wishes to lift some, that are read at most.
const MOST: usize = 10_000;

/// What stands in the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The bans, those among them that are over and make the next one longer.
    pub bans: Vec<KeptBan>,
    /// What the server is to lift, which it does when it sees it; None: all.
    pub lifted: Vec<Option<IpNet>>,
}

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptBan {
    /// Of whom.
    pub network: IpNet,
    /// Until when.
    pub until: SystemTime,
    /// The how manieth it is.
    pub times: u32,
    /// For what.
    pub why: String,
}

/// Why the file cannot be used.
#[derive(Debug)]
pub enum Unusable {
    /// It is there, and no file of bans.
    Broken(String),
    /// The disk, or who may use it.
    Io(io::Error),
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        Unusable::Io(error)
    }
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unusable::Broken(why) => write!(f, "it is no file of bans: {why}"),
            Unusable::Io(e) => write!(f, "{e}"),
        }
    }
}

/// As it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    bans: Vec<WrittenBan>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lifted: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct WrittenBan {
    network: String,
    until: String,
    times: u32,
    why: String,
}

/// What stands in the file; nothing where there is none.
pub fn read(path: &Path) -> Result<Kept, Unusable> {
    let file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
        other => other?,
    };
    let mut text = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(Unusable::Broken(format!("larger than {} MiB", LARGEST >> 20)));
    }
    parse(&text).map_err(Unusable::Broken)
}

/// Replaces what stands in the file by what `change` makes of it, while nobody else does so. None: it stays as it is.
pub fn change<E: From<Unusable>>(path: &Path, change: impl FnOnce(Kept) -> Result<Option<Kept>, E>) -> Result<(), E> {
    let lock = lock(folder_of(path)).map_err(|e| E::from(e.into()))?;
    if let Some(kept) = change(read(path)?)? {
        replace(path, &text(&kept)).map_err(|e| E::from(e.into()))?;
    }
    drop(lock);
    Ok(())
}

/// Puts a file that is none of ours aside, and says where.
pub fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".broken");
    fs::rename(path, &aside)?;
    Ok(aside.into())
}

fn parse(text: &[u8]) -> Result<Kept, String> {
    let written: Written = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    let ban = |ban: WrittenBan| {
        let until = humantime::parse_rfc3339(&ban.until).map_err(|e| format!("{:?}: {e}", ban.until))?;
        let network = parse_network(&ban.network)?;
        Ok::<_, String>(KeptBan { network, until, times: ban.times, why: ban.why })
    };
    let lifted = |whom: String| if whom == "all" { Ok(None) } else { parse_network(&whom).map(Some) };
    Ok(Kept {
        bans: written.bans.into_iter().take(MOST).map(ban).collect::<Result<_, _>>()?,
        lifted: written.lifted.into_iter().take(MOST).map(lifted).collect::<Result<_, _>>()?,
    })
}

fn text(kept: &Kept) -> Vec<u8> {
    let ban = |ban: &KeptBan| WrittenBan {
        network: ban.network.to_string(),
        until: humantime::format_rfc3339_seconds(ban.until).to_string(),
        times: ban.times,
        why: ban.why.clone(),
    };
    let lifted = |whom: &Option<IpNet>| whom.map_or("all".to_string(), |network| network.to_string());
    let written = Written {
        bans: kept.bans.iter().take(MOST).map(ban).collect(),
        lifted: kept.lifted.iter().take(MOST).map(lifted).collect(),
    };
    // Text and numbers: it cannot fail.
    let mut text = serde_json::to_vec_pretty(&written).unwrap_or_default();
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn kept() -> Kept {
        let until = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        let network = |text: &str| parse_network(text).unwrap();
        let ban = |text| KeptBan { network: network(text), until, times: 2, why: "HTTP".to_string() };
        Kept { bans: vec![ban("192.0.2.7"), ban("2001:db8::/48")], lifted: vec![None, Some(network("192.0.2.0/24"))] }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bans.json");
        assert_eq!(read(&path).unwrap(), Kept::default());
        change::<Unusable>(&path, |_| Ok(Some(kept()))).unwrap();
        assert_eq!(read(&path).unwrap(), kept());
        let (before, written) = (fs::metadata(&path).unwrap().modified().unwrap(), fs::read(&path).unwrap());
        change::<Unusable>(&path, |same| {
            assert_eq!(same, kept());
            Ok(None)
        })
        .unwrap();
        assert_eq!((fs::metadata(&path).unwrap().modified().unwrap(), fs::read(&path).unwrap()), (before, written));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left in the folder");
    }

    #[test]
    fn what_is_broken_is_said() {
        let good = String::from_utf8(text(&kept())).unwrap();
        for (from, to, told) in [
            ("{", "[", "expected"),
            ("192.0.2.7/32", "192.0.2.777", "is no network"),
            ("2033-", "2033.", "2033."),
            ("\"times\": 2", "\"times\": -2", "-2"),
            ("\"all\"", "\"none\"", "is no network"),
            ("", "", ""),
        ] {
            let broken = if from.is_empty() { good[..good.len() / 2].to_string() } else { good.replacen(from, to, 1) };
            let told_of = parse(broken.as_bytes());
            assert!(told_of.as_ref().is_err_and(|e| e.contains(told)), "{broken}: {told_of:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bans.json");
        fs::write(&path, vec![b' '; LARGEST as usize + 1]).unwrap();
        assert!(read(&path).is_err_and(|e| e.to_string().contains("larger")));
        assert_eq!(set_aside(&path).unwrap(), folder.path().join("bans.json.broken"));
        assert_eq!(read(&path).unwrap(), Kept::default());
    }

    #[test]
    fn changes_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bans.json");
        std::thread::scope(|scope| {
            for writer in 0..4_u8 {
                let path = &path;
                scope.spawn(move || {
                    for number in 0..25 {
                        change::<Unusable>(path, |mut kept| {
                            kept.lifted.push(Some(IpNet::from(std::net::IpAddr::from([192, 0, writer, number]))));
                            Ok(Some(kept))
                        })
                        .unwrap();
                    }
                });
            }
        });
        assert_eq!(read(&path).unwrap().lifted.len(), 100);
    }
}
