//! What a page reports, and what `why` makes of it. The page's panel says the same: `js/forebay/test/inspect.test.js`
//! has this table, too.

use forebay_inspect::{Facts, Page, Report, Subscription, why};
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    report: Report,
    sentence: String,
}

#[test]
fn each_report_has_its_sentence() {
    let rows: Vec<Row> = serde_json::from_str(include_str!("sentences.json")).unwrap();
    for Row { report, sentence } in rows {
        let page = Page { subscriptions: vec![Subscription::live("chat:1")], ..Page::default() };
        let stream = "chat:1".to_owned();
        let report = Report { stream: Some(stream.clone()), ..report };
        let facts = Facts { stream, page: Some(page), reports: vec![report], ..Facts::default() };
        assert_eq!(why(&facts).sentence, sentence);
    }
}
