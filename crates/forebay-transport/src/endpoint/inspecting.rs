//! What is recorded of those who come, and of those who are turned away.

use std::fmt;
use std::net::IpAddr;

use forebay_cable::Protocol;
use forebay_hub::{Client, Refusal, Transport};
use forebay_inspect::{Connection, Page, Refusal as Why, Transport as Carrier};
use http::{header, request};

use super::Endpoint;
use crate::channels::Identity;
use crate::excerpt::excerpt;

impl Endpoint {
    /// The address that a request comes from, behind proxies that are trusted, if it is known.
    pub fn address(&self, request: &request::Parts) -> Option<IpAddr> {
        self.door.client(request)
    }

    pub(super) fn record(
        &self,
        request: &request::Parts,
        client: &Client,
        identity: Option<&Identity>,
        transport: Transport,
        protocol: Protocol,
    ) {
        let Some(inspection) = self.hub.inspection() else { return };
        // The application's refusal is recorded where it is noted.
        let Some(identity) = identity else { return };
        inspection.comes(Page {
            id: client.hello(protocol).id.to_string(),
            identity: identity.name().map(str::to_owned),
            transport: match transport {
                Transport::WebSocket => Carrier::WebSocket,
                Transport::EventStream => Carrier::Events,
                Transport::Poll => Carrier::Poll,
            },
            protocol: protocol.as_str().to_owned(),
            ..self.page(request)
        });
    }

    pub(super) fn record_refused(
        &self,
        request: &request::Parts,
        refusal: Refusal,
        reason: &impl fmt::Display,
    ) {
        if self.hub.inspection().is_none() {
            return;
        }
        self.refused_for(request, kind(refusal), reason);
    }

    /// A handshake from which a proxy has taken what makes it one. Without its key it is a request like any other.
    pub(super) fn record_not_an_upgrade(&self, request: &request::Parts) {
        if self.hub.inspection().is_some()
            && request.headers.contains_key(header::SEC_WEBSOCKET_KEY)
        {
            self.refused_for(request, Why::Upgrade, &"without Upgrade: websocket");
        }
    }

    fn refused_for(&self, request: &request::Parts, why: Why, reason: &impl fmt::Display) {
        let Some(inspection) = self.hub.inspection() else { return };
        let origin = request.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let detail = match origin {
            Some(origin) => format!("{reason}; its origin is {}", excerpt(origin)),
            None => reason.to_string(),
        };
        let connection = Connection::Refused { why, detail };
        inspection.refuses(Page { connection, ..self.page(request) });
    }

    fn page(&self, request: &request::Parts) -> Page {
        let address = self.door.client(request).map(|ip| ip.to_string());
        Page { address, since: self.hub.now().0, ..Page::default() }
    }
}

const fn kind(refusal: Refusal) -> Why {
    match refusal {
        Refusal::Origin => Why::Origin,
        Refusal::Host => Why::Host,
        Refusal::Handshake => Why::Handshake,
        Refusal::Unauthorized => Why::Token,
        Refusal::Unavailable => Why::Unavailable,
        Refusal::Full => Why::Limit,
        Refusal::ShuttingDown | Refusal::Behind => Why::Leaving,
        _ => Why::Request,
    }
}
