//! `POST /_disconnect`: ends a visitor's connections.

use super::{Admin, Handling, Refused};

const EXPECTED: &str = "with an `identity`, and perhaps `reconnect`, which is true or false";

pub(super) fn disconnect<'a>(admin: &'a Admin, body: &'a [u8]) -> Handling<'a> {
    Box::pin(async {
        let whom = serde_json::from_slice(body).map_err(|_| Refused::Body(EXPECTED.into()))?;
        admin.disconnects.end(&whom).await
    })
}
