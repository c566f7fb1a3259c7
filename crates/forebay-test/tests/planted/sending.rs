//! The broadcast is not sent, or at the wrong moment.

use axum::Router;
use axum::response::Redirect;
use axum::routing::post;
use forebay::{Forebay, Turbo};
use forebay_test::TestApp;

use super::apps::{builder, message, page, show};
use super::{Bug, bug};

const FORM: &str =
    r#"<ul id="messages"></ul><form id="new" action="/messages" method="post"></form>"#;

/// A page that reads "room", with a form that is answered by this.
fn with_form<H, T>(create: H) -> TestApp
where
    H: axum::handler::Handler<T, ()>,
    T: 'static,
{
    let forebay: Forebay = builder().build().unwrap();
    let router = Router::new()
        .route("/messages", post(create))
        .route("/", show(|turbo| Ok(page(turbo.stream_from("room")?, FORM))));
    TestApp::new(&forebay, forebay.mount(router))
}

async fn answers_with_a_page() -> axum::response::Html<&'static str> {
    axum::response::Html("saved")
}

async fn is_not_awaited(turbo: Turbo) -> Redirect {
    drop(turbo.broadcast().append_to("room", &message(1, "hi")));
    Redirect::to("/")
}

pub(super) fn bugs() -> Vec<Bug> {
    vec![
        bug!(
            "a broadcast that is not awaited",
            "0 broadcasts to `room`, and not 1: nothing was broadcast to `room`",
            {
                let app = with_form(is_not_awaited);
                let mut page = app.open("/").await;
                app.assert_broadcasts("room", 1, page.submit("#new", &[])).await;
            }
        ),
        bug!(
            "a form that is answered with a page",
            "Form responses must redirect to another location",
            {
                let app = with_form(answers_with_a_page);
                let mut page = app.open("/").await;
                page.submit("#new", &[]).await;
            }
        ),
    ]
}
