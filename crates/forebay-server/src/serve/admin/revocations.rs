//! `POST /_revoke` and `POST /_readmit`: access that is taken back, and given again.

use forebay_core::Revocation;
use serde::Deserialize;

use super::{Admin, Handling, Refused};

const EXPECTED: &str = "that names an identity, or a stream, or both";

/// Whose access to what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Concerned {
    identity: Option<String>,
    stream: Option<String>,
}

pub(super) fn revoke<'a>(admin: &'a Admin, body: &'a [u8]) -> Handling<'a> {
    Box::pin(async { Ok(admin.forebay.revoke(read(body)?).await?) })
}

/// Whoever asks twice has it, too.
pub(super) fn readmit<'a>(admin: &'a Admin, body: &'a [u8]) -> Handling<'a> {
    Box::pin(async { Ok(admin.forebay.readmit(&read(body)?).await.map(drop)?) })
}

fn read(body: &[u8]) -> Result<Revocation, Refused> {
    let concerned = serde_json::from_slice(body).ok().and_then(Concerned::revocation);
    concerned.ok_or(Refused::Body(EXPECTED.into()))
}

impl Concerned {
    fn revocation(self) -> Option<Revocation> {
        Some(match (self.identity, self.stream) {
            (Some(identity), Some(stream)) => Revocation::of(identity, stream),
            (Some(identity), None) => Revocation::of_identity(identity),
            (None, Some(stream)) => Revocation::of_stream(stream),
            (None, None) => return None,
        })
    }
}
