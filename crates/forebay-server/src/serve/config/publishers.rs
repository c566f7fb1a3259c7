//! Who may broadcast, and where.
//!
//! With a key: whoever shows it, where pages connect, too. Without one, on a port of its own at the
//! loopback address, as AnyCable does it (which listens there to everybody).

use super::{Place, Reader};
use crate::keys;
use crate::options::Id;
use crate::serve::access::Access;

/// Where broadcasts are posted while there is no key: AnyCable's port for that.
const KEYLESS_PORT: u16 = 8090;

impl Reader<'_> {
    /// Who may; and the listener, if it is one of its own.
    pub(super) fn publishers(&mut self, pages: &Place) -> (Access, Option<Place>) {
        let settings = self.settings;
        let is_open = settings.switch(Id::Public) && !settings.is_set(Id::BroadcastKey);
        let bearer = if is_open { None } else { keys::bearer(settings) };
        let port = settings.port(Id::BroadcastPort);
        let is_shared = match port {
            // Two listeners at any free port are two.
            Some(port) => port == pages.port && port != 0,
            // With a key there is one of its own only if it was asked for.
            None => bearer.is_some(),
        };
        if is_shared {
            self.check_shared_host(&pages.host);
            return (bearer.map_or(Access::Loopback, |bearer| self.keyed(bearer)), None);
        }
        let host = settings.text(Id::BroadcastHost);
        let place = |usual_host: &str| Place {
            host: host.unwrap_or(usual_host).to_owned(),
            port: port.unwrap_or(KEYLESS_PORT),
        };
        if let Some(bearer) = bearer {
            (self.keyed(bearer), Some(place(&pages.host)))
        } else {
            let place = place("localhost");
            (self.keyless(&place.host), Some(place))
        }
    }

    fn keyed(&self, bearer: String) -> Access {
        let mut tokens = vec![bearer];
        // A key of its own says nothing of what was derived from the secret.
        if !self.settings.is_set(Id::BroadcastKey) {
            tokens.extend(keys::previous_bearers(self.settings));
        }
        Access::Bearer(tokens)
    }

    fn keyless(&mut self, host: &str) -> Access {
        if is_loopback(host) {
            return Access::Loopback;
        }
        let origin = self.settings.origin(Id::BroadcastHost);
        self.warnings.push(format!(
            "{origin}: everybody who can reach {host} may broadcast, since there is no key"
        ));
        Access::Anybody
    }

    fn check_shared_host(&mut self, pages: &str) {
        if self.settings.text(Id::BroadcastHost).is_some_and(|host| host != pages) {
            let host = self.settings.describe(Id::BroadcastHost);
            self.problem(format!("{host} has no effect: broadcasts have no port of their own"));
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = host.parse::<std::net::IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}
