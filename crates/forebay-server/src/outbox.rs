//! The outbox of an application in any language: its database by a URL, and `forebay outbox`, which creates it.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use forebay_core::outbox::{Outbox, OutboxError, OutboxUrl, OutboxUrlError};
use tokio::time::{Instant, sleep};

use crate::options::{Id, Problem, Problems, Settings};
use crate::output;

/// How long a database may be away when we begin: both may begin at the same time.
const CONNECT_MAX: Duration = Duration::from_mins(1);

/// Between two attempts, and between two lines about it.
const PAUSE: Duration = Duration::from_millis(500);
const SAY_AGAIN: Duration = Duration::from_secs(5);

/// The database that `outbox` names, if it names one.
pub(crate) fn url(settings: &Settings) -> Option<Result<OutboxUrl, OutboxUrlError>> {
    settings.text(Id::Outbox).filter(|url| !url.is_empty()).map(OutboxUrl::from_url)
}

/// Creates the outbox, or prints what would create it.
pub(crate) fn run(settings: &Settings, only_prints: bool) -> anyhow::Result<()> {
    let problem = |message: String| Problems(vec![Problem::at("outbox", &message)]);
    let url = url(settings).ok_or_else(|| problem("name the database by its URL".to_owned()))?;
    let url = url.map_err(|error| problem(error.to_string()))?;
    if only_prints {
        return output::print(url.migration().trim_end());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let migrated = runtime.context("no thread to run on")?.block_on(url.migrate());
    migrated.map_err(|error| told(&url, error))?;
    output::complain(format_args!("{url} has an outbox of this version"));
    Ok(())
}

/// Opens the outbox. A database that can't be reached is tried again for a minute, and the log says so.
///
/// # Errors
/// What is wrong with it, in one line.
pub(crate) async fn open(url: &OutboxUrl) -> anyhow::Result<Outbox> {
    let began = Instant::now();
    let mut said = None::<Instant>;
    loop {
        let error = match url.open().await {
            Ok(outbox) => return Ok(outbox),
            Err(error) => error,
        };
        if !error.is_passing() || began.elapsed() >= CONNECT_MAX {
            return Err(told(url, error));
        }
        if said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
            said = Some(Instant::now());
            tracing::warn!(database = %url, why = %error, "the outbox's database can't be reached yet");
        }
        sleep(PAUSE).await;
    }
}

fn told(url: &OutboxUrl, error: OutboxError) -> anyhow::Error {
    match error {
        OutboxError::Missing { .. } => anyhow!(
            "{url} has no outbox: run `forebay outbox migrate`, or add what `forebay outbox print` prints to the \
             application's own migrations"
        ),
        OutboxError::Pooler => anyhow!(
            "{url} is a pooler such as PgBouncer, and the outbox's relay needs a session of its own: name the \
             database server itself"
        ),
        error => anyhow!(error).context(url.to_string()),
    }
}
