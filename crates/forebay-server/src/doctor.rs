//! `forebay doctor URL`: checks a running set-up from outside, as a page meets it.
//!
//! Each check asks the server something, and says what is wrong, why that matters, and the line to change. What can't
//! be checked is said, too: with which option it could. Nothing is guessed: an idle time-out is waited for.

mod cable;
mod door;
mod fault;
mod page;
mod quiet;
mod rails;
mod secret;
mod shared;
mod state;
mod target;
mod web;

use serde::Serialize;

use self::fault::{Fault, Report};
use self::target::Target;
use crate::options::{Id, Settings};
use crate::output;

/// Something is wrong with the set-up, and was said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} findings")]
pub(crate) struct Found(usize);

/// Checks, and prints what it finds.
///
/// # Errors
/// [`Found`] if something is wrong with the set-up. Others if it could not be checked.
pub(crate) fn doctor(settings: &Settings, address: &str) -> anyhow::Result<()> {
    let target = Target::new(settings, address)?;
    let report = crate::client::run(async { Ok(examine(settings, &target).await) })?;
    if settings.switch(Id::Json) {
        output::print(serde_json::to_string(&Json::of(address, &report))?)?;
    } else {
        output::print(report.text(address))?;
    }
    if report.faults.is_empty() { Ok(()) } else { Err(Found(report.faults.len()).into()) }
}

/// What is printed for programs.
#[derive(Serialize)]
struct Json<'a> {
    address: &'a str,
    #[serde(flatten)]
    report: &'a Report,
}

impl<'a> Json<'a> {
    fn of(address: &'a str, report: &'a Report) -> Self {
        Self { address, report }
    }
}

async fn examine(settings: &Settings, target: &Target) -> Report {
    let mut report = Report::default();
    if let Some(folder) = settings.text(Id::Rails) {
        rails::check(folder, settings.text(Id::RailsEnv).unwrap_or_default(), &mut report);
    }
    if let Err(error) = crate::client::connect(&target.cable).await {
        report.add(
            "address",
            Fault {
                name: "unreachable",
                what: format!("{error:#}"),
                why: "no page can connect".to_owned(),
                change:
                    "start the server, or correct the address, the port, or the firewall in between"
                        .to_owned(),
            },
        );
        return report;
    }
    report.checked("address");
    let tags = page::check(settings, target, &mut report).await;
    let met = door::check(target, &mut report).await;
    state::check(target, &mut report).await;
    let Some(met) = met else { return report };
    let signed = secret::check(settings, target, tags, &mut report).await;
    let Some(signed) = signed else {
        let way = "give the secret, or with --page a page that has a source tag";
        for check in ["one log", "buffering", "idle time-outs"] {
            report.skipped(check, way);
        }
        return report;
    };
    if met.is_ours() {
        shared::check(settings, target, &signed, &mut report).await;
    } else {
        report.skipped("one log", "the server at this address is not Forebay");
    }
    quiet::check(target, &signed, &met, &mut report).await;
    report
}
