//! The views, of a hub that has recorded something.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use http::StatusCode;
use http_body::Body as _;

use super::*;
use crate::TurboStream;
use crate::inspect::Inspect;

async fn forebay() -> Forebay {
    let inspect = Inspect::development();
    let forebay = Forebay::builder().secret("a secret for tests").inspect(inspect).build().unwrap();
    let stream = TurboStream::append("messages").html(crate::Html::raw("<b>secret</b>"));
    forebay.broadcast().stream_to("<chat>", stream).await.unwrap();
    forebay
}

fn show(forebay: &Forebay, query: &str) -> (StatusCode, String) {
    let request = http::Request::get(format!("/forebay/inspect{query}"));
    let request = request.body(()).unwrap().into_parts().0;
    let inspection = forebay.core.hub.inspection().unwrap();
    let answer = answer(forebay, inspection, &request);
    (answer.status(), whole(answer.into_body()))
}

fn whole(mut body: Body) -> String {
    let frame = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Some(Ok(frame))) = frame else { panic!("{frame:?}") };
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn each_view_is_whole_and_nothing_in_it_is_markup_of_others() {
    let forebay = forebay().await;
    for view in ["", "?view=broadcast&id=0", "?view=pages", "?view=streams", "?view=counters"] {
        let (status, html) = show(&forebay, view);
        assert_eq!(status, StatusCode::OK);
        assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>"), "{view}");
        assert!(!html.contains("<chat>"), "{view}");
    }
    let (_, html) = show(&forebay, "?q=%3Cscript%3E&view=page&id=%3Cscript%3E");
    assert!(!html.contains("<script>"), "{html}");
}

#[tokio::test]
async fn a_broadcast_without_readers_says_so_and_its_message_stays_inside() {
    let forebay = forebay().await;
    let (_, html) = show(&forebay, "");
    assert!(html.contains("&lt;chat&gt;") && html.contains("no reader"), "{html}");
    let (_, html) = show(&forebay, "?view=broadcast&id=0");
    assert!(html.contains("No page reads this name") && !html.contains("secret"), "{html}");
    // The line that has asked for it.
    assert!(html.contains("inspector/tests.rs:"), "{html}");
}

#[tokio::test]
async fn what_is_not_remembered_is_no_error() {
    let forebay = forebay().await;
    let (status, html) = show(&forebay, "?view=broadcast&id=77");
    assert!(status.is_success() && html.contains("not remembered any more"), "{html}");
    let (status, html) = show(&forebay, "?view=page&id=7b0e");
    assert!(status.is_success() && html.contains("No page of this name"), "{html}");
    assert!(show(&forebay, "?skip=99999999999999999999&q=nobody").1.contains("No broadcast"));
}
