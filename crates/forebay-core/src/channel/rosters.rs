//! Whose members clients of AnyCable's protocol are told, and as whom these may be present.
//!
//! A tag that makes its page's visitor present is signed, and needs nothing of this. Here a client says it itself,
//! so the application names the streams.

use std::sync::Arc;

use forebay_log::is_reserved;
use forebay_transport::{Identity, Roster, Subscribed, Whom};

use super::standard::StreamPattern;

/// What clients may say about themselves, where they ask to be present.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum ClientsChoose {
    /// Nothing. They are told who is present, and can't be so themselves.
    #[default]
    Nothing,
    /// Their info. Their id is the name of their [`Identity`], so those without one can't be present.
    Info,
    /// Their info and their id, as with AnyCable. Then anybody can be present as anybody.
    Id,
}

/// What the application says of it.
#[derive(Debug, Default)]
pub(crate) struct Rosters {
    pub(crate) streams: Vec<StreamPattern>,
    pub(crate) clients_choose: ClientsChoose,
    pub(crate) passes_html: bool,
}

impl Rosters {
    /// Adds to a subscription of one stream what its client is told.
    pub(crate) fn add(&self, subscribed: Subscribed, identity: &Identity) -> Subscribed {
        let name = subscribed.streams.first().map(|stream| Arc::clone(&stream.name));
        let name = name.filter(|name| !is_reserved(name));
        let name = name.filter(|name| self.streams.iter().any(|pattern| pattern.fits(name)));
        let roster = name.map(|name| {
            let whom = self.whom(identity);
            Box::new(Roster { whom, passes_html: self.passes_html, ..Roster::of(name) })
        });
        Subscribed { roster, ..subscribed }
    }

    fn whom(&self, identity: &Identity) -> Whom {
        match (self.clients_choose, identity.name()) {
            (ClientsChoose::Nothing, _) | (ClientsChoose::Info, None) => Whom::Nobody,
            (ClientsChoose::Info, Some(name)) => Whom::Only(name.into()),
            (ClientsChoose::Id, _) => Whom::Anybody,
        }
    }
}
