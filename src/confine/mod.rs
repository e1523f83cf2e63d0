//! What the process gives up before it serves anybody: root's identity, every capability, new privileges, and by Landlock all
//! files, ports and signals that nobody has said they need. Knows [`Needs`], and refuses to know what is served.
//!
//! Landlock and `no_new_privs` hold for the thread that takes them on and for those that it starts. So [`confine`] comes
//! after all is open and bound, and before the first thread begins; it looks whether there are others already.

mod capabilities;
mod rules;
mod trouble;
mod user;
mod words;

use std::path::PathBuf;

use gftp_plugin::Needs;

use rules::Rules;
use trouble::Trees;
pub use user::User;
use words::Said;

/// What becomes of a kernel that cannot do all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// As much as it can.
    Auto,
    /// All, or nobody is served.
    Require,
    /// Nothing is given up but who the process is, where somebody else was asked for.
    Off,
}

/// What was ordered.
#[derive(Clone, Debug)]
pub struct Orders {
    /// How much.
    pub wanted: Wanted,
    /// Who the process becomes, as USER or USER:GROUP.
    pub run_as: Option<String>,
    /// What programs and plugins may change as well.
    pub writable: Vec<PathBuf>,
}

/// What came of it, to be said once the log is written.
#[derive(Debug)]
pub struct Confined {
    line: String,
    user: String,
    landlock: u8,
    lacks: String,
    warnings: Vec<String>,
}

/// Gives up all that is not needed. An error is one line for the administrator; nothing is to be served then.
pub fn confine(orders: &Orders, user: Option<&User>, mut needs: Needs) -> Result<Confined, String> {
    let Orders { wanted, writable, .. } = orders;
    for folder in writable {
        if !folder.is_dir() {
            return Err(format!("--writable {0}: there is no such folder: mkdir -p {0}", folder.display()));
        }
        needs.writes_tree(folder);
    }
    let is_confined = *wanted != Wanted::Off;
    let loses = user::is_root() && (is_confined || user.is_some());
    let is_roots = user::is_root() && user.is_none();
    if is_confined || user.is_some() {
        trouble::refuse_low_ports(&needs)?;
    }
    let others = trouble::other_threads();
    // What rules stand on is opened while that may be done.
    let (trees, rules) = (Trees::open(&needs), is_confined.then(|| Rules::prepare(&needs)));
    if is_confined {
        capabilities::forget_bounding();
    }
    if let Some(user) = user {
        user.assume()?;
    }
    let (mut no_new_privileges, mut landlock) = (false, words::Landlock::default());
    if is_confined {
        capabilities::give_up().map_err(|e| format!("cannot give capabilities up: {e}; --confine off keeps them"))?;
        no_new_privileges = rustix::thread::set_no_new_privs(true).is_ok();
    }
    if loses {
        trees.refuse_unreadable()?;
    }
    if let Some(rules) = rules {
        landlock = rules.obey();
    }
    let shown = user::shown();
    let said = Said { user: &shown, is_confined, no_new_privileges, landlock: &landlock, needs: &needs };
    let lacks = said.lacks().join(", ");
    if *wanted == Wanted::Require {
        require(&lacks, others)?;
    }
    let mut warnings = Vec::new();
    if is_confined && others > 0 {
        warnings.push(too_early(others));
    }
    if is_roots {
        warnings.push(root_warning(is_confined));
    }
    if loses {
        warnings.extend(trees.later_trouble(&needs));
    }
    let line = said.line();
    Ok(Confined { line, user: shown, landlock: landlock.version, lacks, warnings })
}

fn require(lacks: &str, others: usize) -> Result<(), String> {
    if !lacks.is_empty() {
        return Err(format!("--confine require: this kernel lacks {lacks}; --confine auto does without"));
    }
    if others > 0 {
        return Err(format!("--confine require: {}", too_early(others)));
    }
    Ok(())
}

impl Confined {
    /// Says it in the log.
    pub fn say(&self) {
        let Confined { line, user, landlock, lacks, warnings } = self;
        warnings.iter().for_each(|warning| log::warn!("{warning}"));
        log::info!(
            event = "confined", user = user.as_str(), landlock = *landlock, lacks = lacks.as_str();
            "{line}"
        );
    }
}

fn root_warning(is_confined: bool) -> String {
    let kept = if is_confined {
        "its capabilities are given up, but what belongs to root is still its own"
    } else {
        "with all of root's rights, as --confine off wants it"
    };
    format!("runs as root: {kept}; --run-as USER makes it somebody else (--run-as root: this is meant)")
}

fn too_early(others: usize) -> String {
    format!(
        "{others} threads had begun before the process was confined, and are not; a plugin may begin them in begin()"
    )
}
