use tracing::Level;

use super::kinds::{LINES_MAX, Verdict, WHILE};
use super::queue::BYTES_MAX;
use super::*;

fn verdicts(kinds: &Kinds<&'static str>, now: Instant, lines: u32) -> Vec<Verdict> {
    (0..lines).map(|_| kinds.judge("a", Level::WARN, now)).collect()
}

#[test]
fn so_many_lines_of_a_kind_are_logged_in_a_while_and_the_rest_is_counted() {
    let (kinds, began) = (Kinds::default(), Instant::now());
    let admitted = verdicts(&kinds, began, LINES_MAX);
    assert!(admitted.iter().all(|verdict| *verdict == Verdict::Log));
    let left_out = verdicts(&kinds, began + WHILE / 2, 3);
    let report = Verdict::CountAndReport(began + WHILE);
    assert_eq!(left_out, [report, Verdict::Count, Verdict::Count]);
    assert_eq!(kinds.judge("b", Level::WARN, began), Verdict::Log, "another kind has its own");
    assert_eq!(kinds.take_due(began + WHILE / 2), (Vec::new(), Some(began + WHILE)));
    assert_eq!(verdicts(&kinds, began + WHILE, 1), [Verdict::Log], "a new while begins");
    let (due, next) = kinds.take_due(began + WHILE);
    assert_eq!((due.len(), due[0].lines, next), (1, 3, None));
}

#[test]
fn a_flood_that_does_not_end_is_reported_all_the_same() {
    let (kinds, began) = (Kinds::default(), Instant::now());
    let mut reported = 0;
    for second in 0..100 {
        let now = began + Duration::from_secs(second);
        let _ = verdicts(&kinds, now, 10 * LINES_MAX);
        reported += kinds.take_due(now).0.len();
    }
    assert_eq!(reported, 9, "once a while");
}

/// What `log` writes, run in a subscriber of its own.
fn logged(level: LevelFilter, log: impl FnOnce()) -> String {
    let (kinds, queue) = (Arc::<Kinds>::default(), Arc::<Queue>::default());
    let filter = Filter::new(level, Arc::clone(&kinds), Arc::clone(&queue));
    let lines = fmt::layer().without_time().with_ansi(false).with_writer(Lines(Arc::clone(&queue)));
    let subscriber = tracing_subscriber::registry().with(lines).with(filter);
    tracing::subscriber::with_default(subscriber, || {
        log();
        kinds.report_all();
    });
    let mut text = Vec::new();
    assert_eq!(queue.next(&mut text), Step::Write { dropped: 0 });
    String::from_utf8(text).unwrap()
}

#[test]
fn what_was_left_out_is_named_by_what_it_said() {
    let text = logged(LevelFilter::INFO, || {
        for n in 0..LINES_MAX + 7 {
            tracing::warn!(n, "a stranger is refused");
            tracing::debug!("not asked for");
        }
        tracing::info!("another kind");
    });
    let refused = text.lines().filter(|line| line.contains("a stranger is refused n="));
    assert_eq!(refused.count(), LINES_MAX as usize);
    assert!(text.contains(" WARN forebay::logs: and 7 more: a stranger is refused\n"), "{text}");
    assert!(text.contains("another kind") && !text.contains("not asked for"), "{text}");
}

#[test]
fn what_a_person_asks_for_is_not_limited() {
    let text = logged(LevelFilter::DEBUG, || {
        for _ in 0..LINES_MAX + 7 {
            tracing::debug!("asked for");
        }
    });
    assert_eq!(text.lines().count(), LINES_MAX as usize + 7);
}

#[test]
fn a_queue_that_nobody_empties_drops_whole_lines_and_counts_them() {
    let queue = Queue::default();
    let line = [b'x'; 1_000];
    for _ in 0..BYTES_MAX / line.len() + 5 {
        (&queue).write_all(&line).unwrap();
    }
    queue.wait_until_written(Duration::ZERO);
    let mut text = Vec::new();
    assert_eq!(queue.next(&mut text), Step::Write { dropped: 5 });
    assert_eq!(text.len() % line.len(), 0);
    (&queue).write_all(b"again").unwrap();
    assert_eq!(queue.next(&mut text), Step::Write { dropped: 5 });
    assert_eq!(text, b"again");
}
