//! The views, of a hub that has recorded something.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use forebay_inspect::Page;
use forebay_log::Epoch;
use forebay_store_tests::Memory;
use http::StatusCode;
use http_body::Body as _;

use super::*;
use crate::TurboStream;
use crate::inspect::{Inspect, InspectOptions};

async fn forebay() -> Forebay {
    let inspect = Inspect::development();
    let forebay = Forebay::builder().secret("a secret for tests").inspect(inspect).build().unwrap();
    let stream = TurboStream::append("messages").html(crate::Html::raw("<b>secret</b>"));
    forebay.broadcast().stream_to("<chat>", stream).await.unwrap();
    forebay
}

async fn show(forebay: &Forebay, query: &str) -> (StatusCode, String) {
    let request = http::Request::get(format!("/forebay/inspect{query}"));
    let request = request.body(()).unwrap().into_parts().0;
    let inspection = forebay.core.hub.inspection().unwrap();
    let answer = answer(forebay, inspection, &request).await;
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
        let (status, html) = show(&forebay, view).await;
        assert_eq!(status, StatusCode::OK);
        assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>"), "{view}");
        assert!(!html.contains("<chat>"), "{view}");
    }
    let (_, html) = show(&forebay, "?q=%3Cscript%3E&view=page&id=%3Cscript%3E").await;
    assert!(!html.contains("<script>"), "{html}");
}

#[tokio::test]
async fn a_broadcast_without_readers_says_so_and_its_message_stays_inside() {
    let forebay = forebay().await;
    let (_, html) = show(&forebay, "").await;
    assert!(html.contains("&lt;chat&gt;") && html.contains("no reader"), "{html}");
    let (_, html) = show(&forebay, "?view=broadcast&id=0").await;
    assert!(html.contains("No page reads this name") && !html.contains("secret"), "{html}");
    // The line that has asked for it.
    assert!(html.contains("inspector/tests.rs:"), "{html}");
}

#[tokio::test]
async fn what_is_not_remembered_is_no_error() {
    let forebay = forebay().await;
    let (status, html) = show(&forebay, "?view=broadcast&id=77").await;
    assert!(status.is_success() && html.contains("not remembered any more"), "{html}");
    let (status, html) = show(&forebay, "?view=page&id=7b0e").await;
    assert!(status.is_success() && html.contains("No page of this name"), "{html}");
    assert!(show(&forebay, "?skip=99999999999999999999&q=nobody").await.1.contains("No broadcast"));
}

/// Two nodes with one log, and a page at the second.
async fn two_nodes() -> [Forebay; 2] {
    let log = Memory::new(Epoch(7), 100);
    let follow = async |name: &str| {
        let options = InspectOptions::default().node_name(Some(name.to_owned()));
        let inspect = Inspect::development().options(options);
        let builder = Forebay::builder().secret("a secret for tests").inspect(inspect);
        builder.follow(Arc::new(log.clone())).await.unwrap()
    };
    let nodes = [follow("web-1").await, follow("web-2").await];
    let inspection = nodes[1].inspection().unwrap();
    inspection.comes(Page { id: "7b0e".into(), since: 1, ..Page::default() });
    nodes
}

/// All is in one process, so time is simulated.
#[tokio::test(start_paused = true)]
async fn each_view_is_of_all_nodes_whichever_is_asked() {
    let [asked, other] = two_nodes().await;
    let stream = TurboStream::append("messages").html(crate::Html::raw("1"));
    other.broadcast().stream_to("chat", stream).await.unwrap();
    asked.broadcast().refresh_to("news").await.unwrap();
    let (_, html) = show(&asked, "").await;
    for part in ["From 2 nodes", "chat", "news", "at web-2", "messages"] {
        assert!(html.contains(part), "{part}: {html}");
    }
    let (_, html) = show(&asked, "?view=broadcasts&node=web-2").await;
    assert!(html.contains("<code>chat</code>") && !html.contains("<code>news</code>"), "{html}");
    let (_, html) = show(&asked, "?view=broadcast&id=0&node=web-2").await;
    assert!(html.contains("<code>chat</code>") && html.contains("at node <code>web-2"), "{html}");
    for view in ["?view=pages", "?view=page&id=7b0e"] {
        let (_, html) = show(&asked, view).await;
        assert!(html.contains("7b0e") && html.contains("web-2"), "{view}: {html}");
    }
    let (_, html) = show(&asked, "?view=streams").await;
    assert!(html.contains("2 streams"), "{html}");
    // It is gone, and that is said.
    drop(other);
    tokio::time::advance(nodes::FRESH).await;
    let (_, html) = show(&asked, "?view=pages").await;
    assert!(html.contains("Not answered, so they may know more: <code>web-2</code>"), "{html}");
}
