//! `POST /_disconnect`: ends a visitor's connections.

use super::{Admin, Refused};

const EXPECTED: &str = "with an `identity`, and perhaps `reconnect`, which is true or false";

pub(super) fn disconnect(admin: &Admin, body: &[u8]) -> Result<(), Refused> {
    let whom = serde_json::from_slice(body).map_err(|_| Refused::Body(EXPECTED.into()))?;
    Ok(admin.disconnects.end(&whom)?)
}
