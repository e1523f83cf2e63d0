//! Peers that speak another protocol, as browsers and scanners do: told of, and shown out. Refuses to know how they are recognised.

use super::Conn;
use crate::inbox::is_http;
use crate::{Event, Offence, Origin};

impl Conn {
    /// Whether the first bytes of a peer are a browser's, which is then noted in the log; the service should close. Lines
    /// are looked at in any case. It is for who takes bytes, and above all for who sends them back: an echo would be a
    /// page of its sender's choice.
    pub fn is_browser(&self, first: &[u8]) -> bool {
        let is_browser = is_http(first);
        if is_browser {
            self.conduct.offence(Offence::Http);
            self.log_stranger("http", "speaks HTTP");
        }
        is_browser
    }

    /// Ends the connection of a peer that speaks another protocol.
    pub(super) fn show_out(&mut self, event: &str, what: &str) -> Event {
        self.log_stranger(event, what);
        self.ended = true;
        self.inbox.clear();
        Event::Closed
    }

    fn log_stranger(&self, event: &str, what: &str) {
        let Origin { id, peer, .. } = *self.origin;
        let address = peer.ip().to_string();
        log::info!(
            event = event, session = id, peer = address.as_str(), peer_port = peer.port();
            "session {id}: closed: {peer} {what}"
        );
    }
}
