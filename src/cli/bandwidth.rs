//! How fast transfers may go, as typed and as meant.

use std::num::NonZeroU64;

use clap::Args;

use crate::accounts::rate::{Rates, parse_rate};
use crate::ftp::pace::Caps;

/// As typed.
#[derive(Args)]
pub(super) struct TypedBandwidth {
    /// Download no faster than this in one session, as "500 KiB/s" or "100 Mbit/s"
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    session_download: Option<NonZeroU64>,
    /// Upload no faster than this in one session
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    session_upload: Option<NonZeroU64>,
    /// Download no faster than this in all sessions of one account, unless the users file gives it another rate
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    user_download: Option<NonZeroU64>,
    /// Upload no faster than this in all sessions of one account
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    user_upload: Option<NonZeroU64>,
    /// Download no faster than this in all sessions together
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    total_download: Option<NonZeroU64>,
    /// Upload no faster than this in all sessions together
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    total_upload: Option<NonZeroU64>,
}

impl TypedBandwidth {
    /// What it means.
    pub(super) fn resolve(self) -> Caps {
        Caps {
            session: Rates { download: self.session_download, upload: self.session_upload },
            user: Rates { download: self.user_download, upload: self.user_upload },
            total: Rates { download: self.total_download, upload: self.total_upload },
        }
    }
}
