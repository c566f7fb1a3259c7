//! Whoever is turned away is counted, and is in the log: who, from where, and why.

use std::fmt;

use forebay_cable::DisconnectReason;
use forebay_hub::Refusal;
use http::header::{self, HeaderName};
use http::request;

use super::Endpoint;
use crate::channels::Denial;
use crate::excerpt::excerpt;

impl Endpoint {
    /// Notes that a request is turned away. The most frequent mistake in a configuration is to be seen
    /// here: pages of an origin that is not allowed.
    ///
    /// The log has a few lines of each kind in a while, and then how many more there were: strangers
    /// can send such requests without end.
    pub fn refuse(&self, request: &request::Parts, refusal: Refusal, reason: impl fmt::Display) {
        self.record_refused(request, refusal, &reason);
        let Some(more) = self.hub.refused(refusal) else { return };
        let text = |name: HeaderName| {
            let value = request.headers.get(name)?;
            Some(excerpt(&String::from_utf8_lossy(value.as_bytes())).to_owned())
        };
        tracing::warn!(
            peer = self.door.client(request).map(tracing::field::display),
            host = text(header::HOST),
            origin = text(header::ORIGIN),
            path = excerpt(request.uri.path()),
            offered = text(header::SEC_WEBSOCKET_PROTOCOL),
            %reason,
            more_before = Some(more).filter(|more| *more > 0),
            "connection refused"
        );
    }

    /// Notes that the application turns a request away. Gives the reason that the client is told.
    pub(super) fn deny(&self, request: &request::Parts, denial: &Denial) -> DisconnectReason {
        match denial {
            Denial::Never => {
                self.refuse(request, Refusal::Unauthorized, "the application does not let it in");
                DisconnectReason::Unauthorized
            }
            Denial::NotNow(why) => {
                let reason = format_args!("the application can't say now: {}", excerpt(why));
                self.refuse(request, Refusal::Unavailable, reason);
                DisconnectReason::Unavailable
            }
        }
    }
}
