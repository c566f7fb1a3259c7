//! The broadcast comes, and the page does not show it.

use axum::Router;
use axum::routing::get;
use forebay::{Html, TurboStream};
use forebay_test::TestApp;

use super::apps::{builder, html, message, page, raw, room, show, with_page};
use super::{Bug, bug};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn bugs() -> Vec<Bug> {
    vec![
        bug!(
            "`#id` as a target, in a template of one's own",
            "a target is an id without `#`, so write `message_1`",
            {
                let (forebay, app) = with_page(|turbo| {
                    Ok(page(turbo.stream_from("room")?, r#"<p id="message_1"></p>"#))
                });
                let mut page = app.open("/").await;
                let tag = r##"<turbo-stream action="update" target="#message_1"><template>x</template></turbo-stream>"##;
                forebay.broadcast().render_to("room", &raw(tag)).await.unwrap();
                page.assert_wired().await;
            }
        ),
        bug!(
            "the target is gone after the first replace",
            "the page has no element `status`: it is on another page, or a `replace` brought it without its id",
            {
                let (forebay, app) = with_page(|turbo| {
                    Ok(page(turbo.stream_from("room")?, r#"<p id="status">new</p>"#))
                });
                let mut page = app.open("/").await;
                for status in ["paid", "sent"] {
                    let partial = Html::raw(format!("<p class=\"status\">{status}</p>"));
                    let tag = TurboStream::replace("status").html(partial);
                    forebay.broadcast().stream_to("room", tag).await.unwrap();
                }
                page.assert_wired().await;
            }
        ),
        bug!("the target is on another page", "the page has no element `members`", {
            let (forebay, app) = room();
            let mut page = app.open("/").await;
            let tag = TurboStream::append("members").html(raw("<li>Ann</li>"));
            forebay.broadcast().stream_to("room", tag).await.unwrap();
            page.assert_wired().await;
        }),
        bug!(
            "the target is written a little differently",
            "the page has no element `message`, but it has `messages`",
            {
                let (forebay, app) = room();
                let mut page = app.open("/").await;
                let tag = TurboStream::append("message").html(raw("<li>hi</li>"));
                forebay.broadcast().stream_to("room", tag).await.unwrap();
                page.assert_wired().await;
            }
        ),
        bug!(
            "an update that brings its own wrapper",
            "`message_1` is inside of another `message_1`",
            {
                let (forebay, app) = with_page(|turbo| {
                    Ok(page(turbo.stream_from("room")?, r#"<ul><li id="message_1">hi</li></ul>"#))
                });
                let mut page = app.open("/").await;
                forebay.broadcast().update_to("room", &message(1, "ho")).await.unwrap();
                page.assert_wired().await;
            }
        ),
        bug!(
            "the tag is inside of what is replaced",
            "what it replaced had the page's source tag in it",
            {
                let (forebay, app) = with_page(|turbo| {
                    let tag = turbo.stream_from("room")?;
                    Ok(page("", &format!(r#"<div id="box">{tag}<p>old</p></div>"#)))
                });
                let mut page = app.open("/").await;
                let tag = TurboStream::update("box").html(raw("<p>new</p>"));
                forebay.broadcast().stream_to("room", tag).await.unwrap();
                page.assert_wired().await;
            }
        ),
        bug!(
            "two elements of one id",
            "the page has 2 elements `total`, and Turbo takes the first",
            {
                let (forebay, app) = with_page(|turbo| {
                    Ok(page(
                        turbo.stream_from("room")?,
                        r#"<b id="total">1</b><b id="total">1</b>"#,
                    ))
                });
                let mut page = app.open("/").await;
                forebay.broadcast().text_to("room", "total", 2).await.unwrap();
                page.assert_wired().await;
            }
        ),
        bug!("a row outside of a table", "the browser has put a `tr` into a `div`", {
            let (forebay, app) =
                with_page(|turbo| Ok(page(turbo.stream_from("room")?, r#"<div id="rows"></div>"#)));
            let mut page = app.open("/").await;
            let tag = TurboStream::append("rows").html(raw("<tr><td>1</td></tr>"));
            forebay.broadcast().stream_to("room", tag).await.unwrap();
            page.assert_wired().await;
        }),
        bug!("a partial that renders nothing", "its template has nothing in it", {
            let (forebay, app) = room();
            let mut page = app.open("/").await;
            let tag = TurboStream::append("messages").html(raw(" \n "));
            forebay.broadcast().stream_to("room", tag).await.unwrap();
            page.assert_wired().await;
        }),
        bug!("an action that no script defines", "the page has no action `highlight`", {
            let (forebay, app) = room();
            let mut page = app.open("/").await;
            let tag = TurboStream::action("highlight", None);
            forebay.broadcast().stream_to("room", tag).await.unwrap();
            page.assert_wired().await;
        }),
        bug!("content beside the template", "first child element must be a <template> element", {
            let (forebay, app) = room();
            let mut page = app.open("/").await;
            let tag =
                r#"<turbo-stream action="append" target="messages"><li>hi</li></turbo-stream>"#;
            forebay.broadcast().render_to("room", &raw(tag)).await.unwrap();
            page.assert_wired().await;
        }),
        bug!("a frame whose answer has another id", "the answer has no frame `cart`", {
            let forebay = builder().build().unwrap();
            let router = Router::new()
                .route(
                    "/",
                    show(|_| Ok(r#"<turbo-frame id="cart" src="/cart"></turbo-frame>"#.into())),
                )
                .route(
                    "/cart",
                    get(|| async { html(r#"<turbo-frame id="basket"></turbo-frame>"#) }),
                );
            let mut page = TestApp::new(&forebay, forebay.mount(router)).open("/").await;
            page.assert_wired().await;
        }),
        bug!(
            "a partial that differs from the page's template",
            "is not what a new request renders",
            {
                let (forebay, app) = with_page(|turbo| {
                    let list = r#"<ul id="messages"><li id="message_1"><b>hi</b></li></ul>"#;
                    Ok(page(turbo.stream_from("room")?, list))
                });
                let mut page = app.open("/").await;
                forebay.broadcast().replace_to("room", &message(1, "hi")).await.unwrap();
                page.assert_fresh("#messages").await;
            }
        ),
    ]
}
