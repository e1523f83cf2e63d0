//! `gftp bans …`: shows the bans that a server keeps in its file, and lifts them. To lift is to take a ban out of the file
//! and to leave a wish there, which a running server sees within a second; so both need nothing but the file.

pub mod file;

use std::path::Path;
use std::time::SystemTime;

use ipnet::IpNet;

use crate::cli::{BansOrder, Mistake, Whom};
use crate::host::shown;
use file::{Kept, KeptBan, Unusable};

/// Does it; the text is for standard output.
pub fn run(order: BansOrder) -> Result<String, Mistake> {
    let BansOrder { file: path, lift: whom } = order;
    if !path.exists() {
        let shown = path.display();
        return Err(Mistake(format!("--bans {shown}: there is no such file; give the one that gftp serve was given")));
    }
    match whom {
        None => Ok(table(&standing(file::read(&path).map_err(|e| said(&path, &e))?.bans))),
        Some(whom) => lift(&path, whom),
    }
}

fn said(path: &Path, why: &dyn std::fmt::Display) -> Mistake {
    Mistake(format!("--bans {}: {why}", path.display()))
}

/// Those that are not over.
fn standing(mut bans: Vec<KeptBan>) -> Vec<KeptBan> {
    let now = SystemTime::now();
    bans.retain(|ban| ban.until > now);
    bans.sort_by_key(|ban| (ban.until, ban.network));
    bans
}

fn lift(path: &Path, whom: Whom) -> Result<String, Mistake> {
    /// Why it is not done.
    struct Not(String);
    impl From<Unusable> for Not {
        fn from(why: Unusable) -> Self {
            Not(why.to_string())
        }
    }
    let (wish, mut lifted) = (if let Whom::One(network) = whom { Some(network) } else { None }, Vec::new());
    let is_meant = |network: &IpNet| wish.is_none_or(|wish| wish.contains(network));
    let done = file::change(path, |Kept { bans, lifted: mut wishes }| {
        let (meant, bans): (Vec<_>, Vec<_>) = bans.into_iter().partition(|ban| is_meant(&ban.network));
        if let (Some(wish), true) = (wish, meant.is_empty()) {
            return Err(Not(match bans.iter().find(|ban| ban.network.contains(&wish)) {
                Some(ban) => format!("{} is banned with its network: lift {}", shown(&wish), shown(&ban.network)),
                None => format!("{} is not banned", shown(&wish)),
            }));
        }
        lifted = meant;
        wishes.retain(|other| other.is_some_and(|other| !is_meant(&other)) || (other.is_none() && wish.is_some()));
        wishes.push(wish);
        Ok(Some(Kept { bans, lifted: wishes }))
    });
    done.map_err(|Not(why)| said(path, &why))?;
    let count = standing(lifted).len();
    Ok(match wish {
        Some(wish) => format!("{} is no longer banned\n", shown(&wish)),
        None => format!("nobody is banned any longer; {count} were\n"),
    })
}

/// Whom, until when, for what and how often, in columns.
fn table(bans: &[KeptBan]) -> String {
    if bans.is_empty() {
        return "nobody is banned\n".to_string();
    }
    let names: Vec<_> = bans.iter().map(|ban| shown(&ban.network)).collect();
    let width = names.iter().map(String::len).max().unwrap_or_default();
    let row = |(ban, name): (&KeptBan, &String)| {
        let until = humantime::format_rfc3339_seconds(ban.until);
        format!("{name:width$}  until {until}  {} (ban {})\n", ban.why, ban.times)
    };
    bans.iter().zip(&names).map(row).collect()
}
