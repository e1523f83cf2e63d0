//! How fast transfers go: caps for each session, for each user and for the whole server, downloads and uploads apart. The
//! strictest holds, and what one gives is shared equally among those who want it. `cap` and `fair` reckon (pure), `lane`
//! wakes who waits. Knows no sockets, files or replies; the roads in `data` ask before bytes move.

mod cap;
mod fair;
mod lane;
mod queue;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use lane::{Ended, Pace};

use crate::accounts::rate::Rates;
use lane::{Lane, Member};

/// What caps a server was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// Of each session.
    pub session: Rates,
    /// Of all sessions of a user together, where the users file gives the account no other.
    pub user: Rates,
    /// Of all sessions together.
    pub total: Rates,
}

/// The bandwidth of a server.
pub struct Pacing {
    session: Rates,
    user: Rates,
    downloads: Arc<Lane>,
    uploads: Arc<Lane>,
}

/// What holds a session to the caps that it logged in under; nothing where there are none.
#[derive(Default)]
pub struct Paced {
    downloads: Option<Arc<Member>>,
    uploads: Option<Arc<Member>>,
    /// The caps, for who asks; none are none.
    caps: Option<Box<Caps>>,
}

impl Pacing {
    /// With these caps.
    pub fn new(caps: Caps) -> Pacing {
        let Caps { session, user, total } = caps;
        Pacing { session, user, downloads: Lane::new(total.download), uploads: Lane::new(total.upload) }
    }

    /// A session of `account`, which has rates of its `own`; without an account it is nobody's, and under no user's cap.
    pub fn enter(&self, account: Option<&[u8]>, own: Rates) -> Paced {
        let user = Rates {
            download: account.and(own.download.or(self.user.download)),
            upload: account.and(own.upload.or(self.user.upload)),
        };
        let total = Rates { download: self.downloads.rate, upload: self.uploads.rate };
        let named = |rate| account.zip(rate);
        Paced {
            downloads: self.downloads.enter(self.session.download, named(user.download)),
            uploads: self.uploads.enter(self.session.upload, named(user.upload)),
            caps: Some(Caps { session: self.session, user, total })
                .filter(|caps| *caps != Caps::default())
                .map(Box::new),
        }
    }
}

impl Paced {
    /// The caps that it is held to.
    pub fn caps(&self) -> Caps {
        self.caps.as_deref().cloned().unwrap_or_default()
    }

    /// For a transfer in that direction; none where nothing caps it.
    pub fn pace(&self, uploading: bool) -> Option<Pace> {
        let member = if uploading { &self.uploads } else { &self.downloads };
        member.as_ref().map(Pace::new)
    }
}
