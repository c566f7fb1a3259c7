//! The manual: every page of the repository's `docs` folder.
//!
//! Begin with [five minutes with axum](axum), or [behind a Rails app](serve). Then, by what you
//! build: [forms and frames](forms), [counters and progress](counters), [a dashboard that
//! morphs](dashboard), [a channel of your own](channels), [sign-in](sign_in), [who is there](presence). For changes that must
//! not be missed over a crash: [the outbox](outbox). Your own tests: [pages without a browser](testing). If something does
//! not work: [the inspector](inspector), [why a page does not show a change](why), [forebay doctor](doctor),
//! [troubleshooting]. To look up: [options] of `forebay serve`, [metrics], [`forebay.js`](forebay_js),
//! [the protocols](protocol).
//!
//! Each guide quotes a program of `examples/`, which the tests compile and run.

// Each page names its links at its end, for readers of the repository. The names above a page lead
// elsewhere in here: of two definitions of one name, Markdown takes the first.

/// [channels]: crate::guides::channels
/// [counters]: crate::guides::counters
/// [dashboard]: crate::guides::dashboard
/// [forms]: crate::guides::forms
/// [outbox]: crate::guides::outbox
/// [share]: crate::guides::forebay_js#one-connection-for-all-tabs
/// [sign_in]: crate::guides::sign_in
/// [troubleshooting]: crate::guides::troubleshooting
#[doc = include_str!("../docs/axum.md")]
pub mod axum {}

/// [change]: crate::guides::axum#5-the-change
#[doc = include_str!("../docs/guides/forms.md")]
pub mod forms {}

#[doc = include_str!("../docs/guides/counters.md")]
pub mod counters {}

/// [counters]: crate::guides::counters
#[doc = include_str!("../docs/guides/dashboard.md")]
pub mod dashboard {}

/// [forebay_js]: crate::guides::forebay_js
/// [sign_in]: crate::guides::sign_in
#[doc = include_str!("../docs/guides/channels.md")]
pub mod channels {}

/// [revoke]: crate::guides::axum#who-may-and-no-longer
#[doc = include_str!("../docs/guides/sign_in.md")]
pub mod sign_in {}

/// [options]: crate::guides::options#presence
/// [protocol]: crate::guides::protocol
/// [serve]: crate::guides::serve
/// [sign_in]: crate::guides::sign_in
#[doc = include_str!("../docs/presence.md")]
pub mod presence {}

#[doc = include_str!("../docs/outbox.md")]
pub mod outbox {}

/// [outbox]: crate::guides::outbox
#[doc = include_str!("../docs/exact.md")]
pub mod exact {}

#[doc = include_str!("../docs/testing.md")]
pub mod testing {}

/// [limits]: crate::guides::serve#limits
/// [nginx]: crate::guides::serve#5-in-production
/// [posted]: crate::guides::serve#what-is-posted
/// [secret]: crate::guides::serve#1-start-it
/// [inspector]: crate::guides::inspector
/// [doctor]: crate::guides::doctor
/// [metrics]: crate::guides::metrics
#[doc = include_str!("../docs/troubleshooting.md")]
pub mod troubleshooting {}

/// [troubleshooting]: crate::guides::troubleshooting#counters
/// [nodes]: crate::guides::why#several-nodes
/// [why]: crate::guides::why
#[doc = include_str!("../docs/inspector.md")]
pub mod inspector {}

#[doc = include_str!("../docs/why.md")]
pub mod why {}

/// [403]: crate::guides::troubleshooting#403-when-a-page-connects
/// [503]: crate::guides::troubleshooting#503-for-visitors
/// [counters]: crate::guides::troubleshooting#counters
/// [folder]: crate::guides::troubleshooting#the-folder-is-full-damaged-or-in-use
/// [refreshes]: crate::guides::troubleshooting#a-page-refreshes-for-ever
/// [rejected]: crate::guides::troubleshooting#a-subscription-is-rejected
#[doc = include_str!("../docs/metrics.md")]
pub mod metrics {}

/// [403]: crate::guides::troubleshooting#403-when-a-page-connects
/// [503]: crate::guides::troubleshooting#503-for-visitors
/// [folder]: crate::guides::troubleshooting#the-folder-is-full-damaged-or-in-use
/// [nginx]: crate::guides::serve#5-in-production
/// [refused]: crate::guides::troubleshooting#broadcasts-are-refused
/// [rejected]: crate::guides::troubleshooting#a-subscription-is-rejected
#[doc = include_str!("../docs/doctor.md")]
pub mod doctor {}

/// [forebay]: crate
/// [protocol]: crate::guides::protocol
#[doc = include_str!("../forebay_js.md")]
pub mod forebay_js {}

/// [cursors]: crate::guides::protocol#cursors
/// [options]: crate::guides::options
/// [presence]: crate::guides::protocol#presence
/// [protocol]: crate::guides::protocol
/// [share]: crate::guides::forebay_js#one-connection-for-all-tabs
/// [troubleshooting]: crate::guides::troubleshooting
#[doc = include_str!("../docs/serve.md")]
pub mod serve {}

/// All options of `forebay serve` and of the commands beside it.
///
#[expect(rustdoc::bare_urls, reason = "origins of pages, which are no links")]
#[doc = include_str!("../docs/options.md")]
pub mod options {}

/// [exact]: crate::guides::exact
/// [presence]: crate::guides::presence#with-anycables-client
/// [who]: crate::guides::presence
#[doc = include_str!("../docs/protocol.md")]
pub mod protocol {}
