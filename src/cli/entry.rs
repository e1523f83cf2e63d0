//! From where a service may be reached and which proxies stand before it, as typed: each service's own.

use clap::Args;
use gftp_plugin::Networks;

use crate::host::Entry;

/// Who may come, as typed.
#[derive(Args, Clone)]
pub(super) struct TypedEntry {
    /// Serve only who is in one of these networks, repeatable, with commas between [default: everybody]
    #[arg(long, help_heading = "Who may come", value_name = "NETWORKS", value_parser = parse_networks)]
    allow: Vec<Networks>,
    /// Turn away who is in one of these, also where --allow says otherwise; repeatable
    #[arg(long, help_heading = "Who may come", value_name = "NETWORKS", value_parser = parse_networks)]
    deny: Vec<Networks>,
    /// Proxies: connections from there must begin with a PROXY header (v1 or v2), which is believed; repeatable
    #[arg(long, help_heading = "Who may come", value_name = "NETWORKS", value_parser = parse_networks)]
    proxy_protocol_from: Vec<Networks>,
    /// Turn away who comes by no proxy
    #[arg(long, help_heading = "Who may come", requires = "proxy_protocol_from")]
    proxy_protocol_only: bool,
}

/// Networks with commas between.
pub(super) fn parse_networks(text: &str) -> Result<Networks, String> {
    text.parse()
}

impl TypedEntry {
    /// What it means. What a plugin was not told, it has as FTP has it.
    pub(super) fn resolve(self, ftp: Option<&Entry>) -> Entry {
        let usual = ftp.cloned().unwrap_or_default();
        let of = |typed: Vec<Networks>, usual| if typed.is_empty() { usual } else { typed.into_iter().collect() };
        let has_proxies = !self.proxy_protocol_from.is_empty();
        Entry {
            allow: of(self.allow, usual.allow),
            deny: of(self.deny, usual.deny),
            proxies: of(self.proxy_protocol_from, usual.proxies),
            only_by_proxy: if has_proxies { self.proxy_protocol_only } else { usual.only_by_proxy },
        }
    }
}
