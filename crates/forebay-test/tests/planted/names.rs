//! The page reads another stream than the one that is broadcast to.

use forebay::{StreamName, Streamable};

use super::apps::{builder, built, message, page, room, with_page};
use super::{Bug, bug};

#[derive(Clone, Streamable)]
struct Room {
    id: u64,
}

const LIST: &str = r#"<ul id="messages"></ul>"#;

pub(super) fn bugs() -> Vec<Bug> {
    vec![
        bug!("another name", "published to `chats:1`, but this page reads `chat:1`", {
            let (forebay, app) = with_page(|turbo| Ok(page(turbo.stream_from(("chat", 1))?, LIST)));
            let mut page = app.open("/").await;
            forebay.broadcast().append_to(("chats", 1), &message(1, "hi")).await.unwrap();
            page.assert_wired().await;
        }),
        bug!(
            "the same record with something behind it",
            "Room/1:messages`, but this page reads",
            {
                let (forebay, app) =
                    with_page(|turbo| Ok(page(turbo.stream_from(&Room { id: 1 })?, LIST)));
                let mut page = app.open("/").await;
                let stream = (Room { id: 1 }, "messages");
                forebay.broadcast().append_to(stream, &message(1, "hi")).await.unwrap();
                page.assert_wired().await;
            }
        ),
        bug!(
            "the same parts in another order",
            "give the page's tag and the broadcast the same order",
            {
                let (forebay, app) = with_page(|turbo| {
                    Ok(page(turbo.stream_from(("messages", Room { id: 1 }))?, LIST))
                });
                let mut page = app.open("/").await;
                let stream = (Room { id: 1 }, "messages");
                forebay.broadcast().append_to(stream, &message(1, "hi")).await.unwrap();
                page.assert_wired().await;
            }
        ),
        bug!(
            "another application's name",
            "it is the same record in another application's name",
            {
                let rails = builder().app("shop").build().unwrap();
                let name = rails.stream_name(Room { id: 1 }).unwrap();
                let (forebay, app) = built(builder().app("store"), |turbo| {
                    Ok(page(turbo.stream_from(&Room { id: 1 })?, LIST))
                });
                let mut page = app.open("/").await;
                let name = StreamName::raw(name.as_str().to_owned());
                forebay.broadcast().append_to(name, &message(1, "hi")).await.unwrap();
                page.assert_wired().await;
            }
        ),
        bug!("a page without a tag", "but this page reads no stream: put `stream_from`", {
            let (forebay, app) = with_page(|_| Ok(page("", LIST)));
            let mut page = app.open("/").await;
            forebay.broadcast().append_to("room", &message(1, "hi")).await.unwrap();
            page.assert_wired().await;
        }),
        bug!(
            "another process, whose log is its own",
            "nothing was broadcast to `room` here: if a console or another process does it",
            {
                let (_, app) = room();
                let (console, _) = room();
                let page = app.open("/").await;
                let broadcast = async {
                    console.broadcast().append_to("room", &message(1, "hi")).await.unwrap();
                };
                app.assert_broadcasts("room", 1, broadcast).await;
                drop(page);
            }
        ),
        bug!("a blank part in a page's tag", "/: the answer is no page: 500", {
            let (_, app) = with_page(|turbo| Ok(page(turbo.stream_from(("room", ""))?, LIST)));
            drop(app.open("/").await);
        }),
        bug!("a blank part in a broadcast", "it could not be sent:", {
            let (forebay, app) = room();
            let mut page = app.open("/").await;
            drop(forebay.broadcast().append_to(("room", ""), &message(1, "hi")).await);
            page.assert_wired().await;
        }),
    ]
}
