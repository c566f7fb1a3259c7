//! The page is not let in, or its tag is refused.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use forebay::Identity;
use forebay::channel::Unauthorized;
use forebay_test::TestApp;

use super::apps::{builder, built, html, page, room, show, with_page};
use super::{Bug, bug};

pub(super) fn bugs() -> Vec<Bug> {
    vec![
        bug!(
            "an origin that is not allowed",
            "its origin is not allowed: add it to the allowed origins",
            {
                let (_, app) = room();
                let mut page = app.header("origin", "https://www.example.com").open("/").await;
                page.assert_wired().await;
            }
        ),
        bug!(
            "a proxy that takes `Upgrade` away",
            "the page's handshake came without `Upgrade: websocket`",
            {
                let forebay = builder().build().unwrap();
                let router = Router::new()
                    .route("/", show(|turbo| Ok(page(turbo.stream_from("room")?, ""))));
                let proxy = from_fn(|mut request: Request, next: Next| {
                    request.headers_mut().remove("upgrade");
                    next.run(request)
                });
                let mut page =
                    TestApp::new(&forebay, forebay.mount(router).layer(proxy)).open("/").await;
                page.assert_wired().await;
            }
        ),
        bug!(
            "the connect hook says no",
            "the page was not let in by its token or by the connect hook",
            {
                let builder = builder().connect(async |_| Err::<Identity, _>(Unauthorized));
                let (_, app) = built(builder, |turbo| Ok(page(turbo.stream_from("room")?, "")));
                let mut page = app.open("/").await;
                page.assert_wired().await;
            }
        ),
        bug!("a cached fragment with an old tag", "as in a cached fragment", {
            let forebay = builder().build().unwrap();
            let request = forebay.begin_request(&http::HeaderMap::new(), None);
            let cached = request.stream_from("room").unwrap().to_string();
            let show = get(move || async move { html(&page(cached, "")) });
            let app = TestApp::new(&forebay, forebay.mount(Router::new().route("/", show)));
            forebay.broadcast().text_to("room", "total", 1).await.unwrap();
            let mut page = app.open("/").await;
            page.assert_wired().await;
        }),
        bug!("a tag without a cursor", "the page's tag has no cursor", {
            let (_, app) = with_page(|turbo| {
                let forebay = turbo.forebay();
                let name = forebay.stream_name("room")?;
                Ok(page(forebay::turbo::StreamSource::new(forebay.sign(&name)), ""))
            });
            let mut page = app.open("/").await;
            page.assert_wired().await;
        }),
    ]
}
