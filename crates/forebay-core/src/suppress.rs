//! Leaving out broadcasts, for an import or a migration: `suppressing_turbo_broadcasts`.
//!
//! Held per task, as turbo-rails holds it per thread. Tasks that are spawned inside do not
//! inherit it.

use forebay_turbo::Record;

tokio::task_local! {
    static SUPPRESSED: Suppressed;
}

#[derive(Clone, Default)]
struct Suppressed {
    all: bool,
    models: Vec<&'static str>,
}

/// Runs `work` without the broadcasts of this model's records; those of others, and broadcasts
/// of plain stream tags, are sent.
///
/// ```
/// # use forebay_core as forebay;
/// # use forebay::{Broadcaster, Partial};
/// # async fn import<M: Partial + Sync>(broadcast: Broadcaster, messages: Vec<M>) {
/// forebay::suppressing::<M, _>(async {
///     for message in &messages {
///         let _ = broadcast.append_to("messages", message).await; // not sent
///     }
/// })
/// .await;
/// # }
/// ```
pub async fn suppressing<R: Record, F: Future>(work: F) -> F::Output {
    let mut suppressed = current();
    suppressed.models.push(R::model().name());
    SUPPRESSED.scope(suppressed, work).await
}

/// Runs `work` without any broadcasts.
pub async fn suppressing_all<F: Future>(work: F) -> F::Output {
    SUPPRESSED.scope(Suppressed { all: true, ..current() }, work).await
}

/// Whether broadcasts of this model, or of no model, are left out here and now.
pub(crate) fn is_suppressed(model: Option<&str>) -> bool {
    SUPPRESSED
        .try_with(|suppressed| {
            let named = |name| suppressed.models.contains(&name);
            suppressed.all || model.is_some_and(named)
        })
        .unwrap_or(false)
}

fn current() -> Suppressed {
    SUPPRESSED.try_with(Clone::clone).unwrap_or_default()
}
