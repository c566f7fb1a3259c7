//! Streams whose names need no signature.

use super::row;
use crate::options::kind::Kind::{Streams, Switch};
use crate::options::spec::Scope::Everywhere;
use crate::options::spec::{Id, Spec};

pub(super) const ROWS: &[Spec] = &[
    Spec {
        otherwise: "none",
        ..row(
            Id::WhisperedStreams,
            "whispered_streams",
            Streams,
            Everywhere("whispered_streams"),
            "Streams on which subscribers of $pubsub may whisper to each other: names, or \
             beginnings such as chat/*",
        )
    },
    Spec {
        otherwise: "none",
        anycable: &["public_streams"],
        ..row(
            Id::PublicStreams,
            "public_streams",
            Streams,
            Everywhere("public_streams"),
            "Streams that anybody may read through $pubsub: names, or beginnings such as chat/*, \
             or true for all",
        )
    },
    Spec {
        default: Some("false"),
        anycable: &["public"],
        ..row(
            Id::Public,
            "public",
            Switch,
            Everywhere("public"),
            "For trying things out. All streams are public, and broadcasts need no key. They are \
             then taken at broadcast_port, from this machine",
        )
    },
];
