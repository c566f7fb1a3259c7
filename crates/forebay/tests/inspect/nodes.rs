//! The same with several nodes that have one log: a page at one, broadcasts from another, asked at a third.

use std::sync::Arc;

use forebay::inspect::InspectOptions;
use forebay_log::Epoch;
use forebay_store_tests::Memory;

use super::*;

async fn node(log: &Memory, inspect: Option<&str>) -> Server {
    let inspect = inspect.map(|name| {
        let options = InspectOptions::default().node_name(Some(name.to_owned()));
        Inspect::development().options(options)
    });
    let builder = Forebay::builder().secret(SECRET).app("chat").inspect(inspect);
    Server::serve(builder.follow(Arc::new(log.clone())).await.unwrap()).await
}

async fn three() -> (Memory, [Server; 3]) {
    let log = Memory::new(Epoch(7), 1_000);
    let nodes = [
        node(&log, Some("asked")).await,
        node(&log, Some("page")).await,
        node(&log, Some("publisher")).await,
    ];
    (log, nodes)
}

impl Server {
    /// As `forebay why` asks.
    async fn ask_why(&self, page: &Opened, stream: &str) -> Answer {
        let path = format!("/forebay/inspect/why?page={}&stream={stream}", page.id);
        let (status, body) = self.get(&path, "").await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    async fn list(&self, path: &str) -> Value {
        let (status, body) = self.get(&format!("/forebay/inspect/{path}"), "").await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}

#[tokio::test]
async fn why_is_answered_for_all_nodes_whichever_is_asked() {
    let (log, [asked, at_page, publisher]) = three().await;
    let other_secret = Forebay::builder().secret("another secret").build().unwrap();
    let signed = other_secret.sign(&other_secret.stream_name("refused").unwrap());
    let tags = [at_page.tag(("chat", 1)), at_page.tag("room"), Tag { signed, cursor: None }];
    let mut page = at_page.open(&tags).await;

    publisher.forebay.broadcast().refresh_to(("chats", 1)).await.unwrap();
    let answer = asked.ask_why(&page, "chats:1").await;
    assert!(answer.sentence.contains("this page reads `chat:1`"), "{answer:?}");
    assert_eq!(answer.nodes, ["asked", "page", "publisher"]);
    assert!(answer.place.as_ref().is_some_and(|place| place.contains("nodes.rs:")), "{answer:?}");
    let answer = asked.ask_why(&page, "chat:1").await;
    is(&answer, "never_broadcast");
    assert!(answer.sentence.contains("something was to `chats:1`"), "{answer:?}");

    publisher.forebay.broadcast().refresh_to("refused").await.unwrap();
    is(&asked.ask_why(&page, "refused").await, "rejected");

    // It reads it, and is there.
    publisher.forebay.broadcast().text_to("room", "count", 1).await.unwrap();
    page.text().await;
    is(&asked.ask_why(&page, "room").await, "not_proven");
    // Its report came to a third node.
    let report = json!({ "page": page.id, "reports": [
        { "stream": "room", "action": "update", "target": "count", "seen": { "is": "empty_template" } },
    ]});
    let head = "POST /forebay/inspect/reports HTTP/1.1\r\nHost: localhost\r\n\
                Origin: http://localhost\r\nContent-Type: application/json";
    assert_eq!(publisher.request(head, &report.to_string()).await.0, 200);
    is(&asked.ask_why(&page, "room").await, "empty_template");

    let transaction = publisher.forebay.begin(&publisher.pool).await.unwrap();
    transaction.broadcast().refresh_to("room").await.unwrap();
    is(&asked.ask_why(&page, "room").await, "pending");
    transaction.rollback().await.unwrap();
    is(&asked.ask_why(&page, "room").await, "rolled_back");

    // Whose inspection is off is named, where it may be the one that knows.
    let off = node(&log, None).await;
    let nobody = Opened { id: "nobody".into(), ..page };
    // A busy machine may take longer for it than others are waited for.
    let named = async {
        loop {
            let answer = asked.ask_why(&nobody, "room").await;
            if answer.off.len() == 1 {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(PATIENCE, named).await.unwrap();
    is(&asked.ask_why(&nobody, "news").await, "not_known");
    assert!(answer.nodes.len() == 3, "{answer:?}");
    assert_eq!(off.get("/forebay/inspect/why?page=p&stream=s", "").await.0, 404);
}

#[tokio::test]
async fn lists_have_the_rows_of_all_nodes() {
    let (_log, [asked, at_page, publisher]) = three().await;
    let page = at_page.open(&[at_page.tag("room")]).await;
    publisher.forebay.broadcast().refresh_to("room").await.unwrap();
    asked.forebay.broadcast().refresh_to("nobody").await.unwrap();
    let all = asked.list("broadcasts").await;
    let readers = |node: &str| {
        // The clocks of nodes decide which comes first.
        let mut rows = all["broadcasts"].as_array().unwrap().iter();
        let row = rows.find(|row| row["node"] == node).unwrap();
        let reach = row["reach"].as_array().unwrap().iter();
        reach.map(|reach| reach["subscriptions"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!((readers("publisher"), readers("asked")), (1, 0));
    assert_eq!(all["nodes"], json!(["asked", "page", "publisher"]));
    let of_one = asked.list("broadcasts?node=publisher").await;
    assert_eq!(of_one["broadcasts"].as_array().unwrap().len(), 1);
    // Without a node, a number is one of the node that is asked.
    assert_eq!(asked.list("broadcasts?after=0").await["broadcasts"], json!([]));
    let pages = asked.list("pages?max=1").await;
    assert_eq!((&pages["pages"][0]["node"], &pages["connected"]), (&json!("page"), &json!(1)));
    let next = pages["next"].as_str().unwrap();
    assert_eq!(asked.list(&format!("pages?before={next}")).await["pages"], json!([]));
    let shown = asked.list(&format!("pages?id={}", page.id)).await;
    assert_eq!(shown["subscriptions"][0]["stream"], "room");
    assert_eq!(asked.get("/forebay/inspect/pages?id=nobody", "").await.0, 404);
}

/// What an application posts as HTML says what it does, at whichever node.
#[tokio::test]
async fn what_was_posted_as_html_says_what_it_does() {
    let (_log, [asked, _at_page, publisher]) = three().await;
    let stream = forebay::TurboStream::remove("message_7");
    publisher.forebay.broadcast().stream_to("room", stream).await.unwrap();
    let all = asked.list("broadcasts").await;
    let row = &all["broadcasts"][0];
    assert_eq!(
        (&row["action"], &row["targets"]),
        (&json!("remove"), &json!({ "id": "message_7" }))
    );
}
