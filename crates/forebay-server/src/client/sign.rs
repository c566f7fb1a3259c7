//! `forebay sign STREAM`: a signed stream name, as `turbo_stream_from` and AnyCable's
//! `signed_stream_name` make it; and what a signed name says.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use forebay_core::signing::Verifier;
use forebay_core::turbo::StreamSource;

use crate::keys::{self, NamedKey};
use crate::options::{Id, Problem, Problems, Settings};
use crate::output;

/// Prints the signed name, or with `--verify` the name.
pub(crate) fn sign(settings: &Settings, stream: Option<&str>) -> anyhow::Result<()> {
    let is_pubsub = settings.switch(Id::Pubsub);
    if is_pubsub && settings.switch(Id::Tag) {
        let message = "a source tag subscribes through Turbo's channel, not through $pubsub";
        return Err(Problems(vec![Problem::at("--tag", message)]).into());
    }
    let keys = if is_pubsub { keys::pubsub(settings) } else { keys::turbo(settings) };
    let previous =
        if is_pubsub { keys::previous_pubsub(settings) } else { keys::previous_turbo(settings) };
    let (verifier, used) = verifier(&keys)?;
    if let Some(signed) = settings.text(Id::Verify) {
        let verifier = previous.iter().fold(verifier, Verifier::rotate);
        let name = verifier.verify(signed, now()).context("this signed name is not accepted")?;
        return output::print(name);
    }
    let name = stream.unwrap_or_default();
    if name.is_empty() {
        bail!("name the stream: a name can't be empty");
    }
    let signed = match settings.number(Id::ExpiresIn) {
        Some(ms) => verifier.sign_expiring(name, now().saturating_add(ms)),
        None => verifier.sign(name),
    };
    // The usual mistake is to sign with the wrong one of two secrets.
    output::complain(format_args!("signed with {used}"));
    if settings.switch(Id::Tag) {
        output::print(StreamSource::new(signed))
    } else {
        output::print(signed)
    }
}

/// Signs with the first key and accepts all of them; also says what the first is.
pub(super) fn verifier(keys: &[NamedKey]) -> Result<(Verifier, String), Problems> {
    let Some((first, others)) = keys.split_first() else {
        let message = "nothing to sign with: set secret_key_base to that of the Rails application, \
                       or secret to AnyCable's";
        return Err(Problems(vec![Problem::general(message)]));
    };
    let how = if first.is_derived { "a key derived from" } else { "the key" };
    let others = others.iter().map(|named| &named.key);
    let verifier = others.fold(Verifier::new(&first.key), Verifier::rotate);
    Ok((verifier, format!("{how} {}", first.option)))
}

/// The present time, in Unix milliseconds.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
