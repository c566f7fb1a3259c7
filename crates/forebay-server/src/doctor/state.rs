//! What the server says of itself, and its clock.

use std::time::{Duration, SystemTime};

use http::header;

use super::fault::{Fault, Report};
use super::target::Target;
use super::web::{self, Answer};

/// A clock may differ by as much, beside what the answer took.
const SKEW_MAX: Duration = Duration::from_secs(5);

/// Fewer open files than this are fewer visitors than most sites have.
const FILES_MIN: f64 = 4_096.0;

pub(super) async fn check(target: &Target, report: &mut Report) {
    let asked = SystemTime::now();
    let Ok(health) = web::get(&target.health, &[]).await else {
        return report.skipped("state", format!("{} does not answer", target.health));
    };
    report_clock(asked, &health, report);
    let is_ours = health.status.is_success() && health.body.starts_with("ok");
    if !is_ours {
        return report.skipped("state", format!("{} is not Forebay's", target.health));
    }
    report.note("store", trouble(&health.body));
    if let Ok(ready) = web::get(&target.ready, &[]).await {
        report.note("store", not_ready(&ready));
    }
    metrics(target, report).await;
}

fn report_clock(asked: SystemTime, answer: &Answer, report: &mut Report) {
    let date = answer.headers.get(header::DATE).and_then(|date| date.to_str().ok());
    let Some(date) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else {
        return report.skipped("clock", "the answer has no date");
    };
    report.note("clock", skew(asked, SystemTime::now(), date));
}

/// A date has whole seconds, and may be of any moment between question and answer.
fn skew(asked: SystemTime, answered: SystemTime, date: SystemTime) -> Option<Fault> {
    let is_early = date + Duration::from_secs(1) + SKEW_MAX < asked;
    let is_late = date > answered + SKEW_MAX;
    let apart = date.duration_since(answered).unwrap_or_else(|error| error.duration());
    (is_early || is_late).then(|| Fault {
        name: "clock",
        what: format!("the server's clock and this machine's are {} s apart", apart.as_secs()),
        why: "signed names expire by the clock, and so do leases of several servers".to_owned(),
        change: "keep the clocks with NTP: apt install chrony".to_owned(),
    })
}

fn trouble(health: &str) -> Option<Fault> {
    let (_, trouble) = health.trim().split_once("was not taken: ")?;
    Some(Fault {
        name: "store",
        what: format!("the last broadcast was not taken: {trouble}"),
        why: "nothing can be broadcast now; pages show what they showed before".to_owned(),
        change: "make room on the disk, or look at the log's store".to_owned(),
    })
}

fn not_ready(ready: &Answer) -> Option<Fault> {
    (!ready.status.is_success()).then(|| Fault {
        name: "not_ready",
        what: format!("the server wants no new pages: {}", ready.body.trim()),
        why: "it shuts down, or hears nothing of the log's store; after 30 seconds it sends its pages away".to_owned(),
        change: "look at the log's store and the network to it; or wait until the restart is over".to_owned(),
    })
}

async fn metrics(target: &Target, report: &mut Report) {
    let key = target.metrics_key.as_ref().or(target.key.as_ref());
    let bearer = key.map(|key| format!("Bearer {key}"));
    let header = bearer.as_deref().map(|bearer| ("authorization", bearer));
    let answer = web::get(&target.metrics, header.as_slice()).await;
    let Some(answer) = answer.ok().filter(|answer| answer.status.is_success()) else {
        return report.skipped(
            "open files",
            "give the broadcast key or metrics_key, and --broadcast-url where publishers have a port of their own",
        );
    };
    let value = |name: &str| {
        let line = answer.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<f64>().ok())
    };
    match value("process_max_fds") {
        Some(max) => report.note("open files", few_files(max)),
        None => report.skipped("open files", "the server does not say how many it may have"),
    }
}

fn few_files(max: f64) -> Option<Fault> {
    (max < FILES_MIN).then(|| Fault {
        name: "open_files",
        what: format!("the server may have {max} open files, and each page takes one"),
        why: "visitors beyond that get 503".to_owned(),
        change:
            "systemd: LimitNOFILE=65536; in a shell: ulimit -n 65536; Docker: --ulimit nofile=65536"
                .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_compared_with_what_an_answer_takes() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let check = |asked, answered, date, expected| {
            let fault = skew(at(asked), at(answered), at(date));
            assert_eq!(fault.is_some(), expected, "{asked} {answered} {date}");
        };
        check(1_000, 1_000, 1_000, false);
        check(1_000, 1_009, 1_014, false);
        check(1_000, 1_000, 1_006, true);
        check(1_000, 1_000, 994, false);
        check(1_000, 1_000, 993, true);
    }

    #[test]
    fn what_the_server_says_of_itself_is_understood() {
        assert_eq!(trouble("ok\n"), None);
        let full = "ok, but the last broadcast was not taken: the disk is full\n";
        assert!(trouble(full).unwrap().what.ends_with("the disk is full"));
        assert_eq!((few_files(1_024.0).is_some(), few_files(65_536.0).is_some()), (true, false));
    }
}
