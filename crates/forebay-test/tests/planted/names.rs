//! The page reads another stream than the one that is broadcast to.

use super::apps::{message, page, room, with_page};
use super::{Bug, bug};

const LIST: &str = r#"<ul id="messages"></ul>"#;

pub(super) fn bugs() -> Vec<Bug> {
    vec![
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
    ]
}
