//! The page is not let in, or its tag is refused.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::routing::{any, get};
use forebay::channel::Unauthorized;
use forebay::signing::KeyDigest;
use forebay::{Forebay, Identity, Revocation, Turbo};
use forebay_test::TestApp;

use super::apps::{SECRET, builder, built, html, page, room, show, with_page};
use super::{Bug, bug};

#[expect(clippy::too_many_lines, reason = "a table")]
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
        bug!(
            "a tag that another secret has signed",
            "the tag's name was signed with another key",
            {
                let (_, app) = with_page(|_| {
                    let other = Forebay::builder().secret("another secret").build().unwrap();
                    let name = other.stream_name("room")?;
                    Ok(page(forebay::turbo::StreamSource::new(other.sign(&name)), ""))
                });
                let mut page = app.open("/").await;
                page.assert_wired().await;
            }
        ),
        bug!(
            "a tag of the same secret with another digest",
            "with the right secret and another digest",
            {
                let (_, app) = with_page(|_| {
                    let other =
                        Forebay::builder().secret_with(SECRET, KeyDigest::Sha1).build().unwrap();
                    let name = other.stream_name("room")?;
                    Ok(page(forebay::turbo::StreamSource::new(other.sign(&name)), ""))
                });
                let mut page = app.open("/").await;
                page.assert_wired().await;
            }
        ),
        bug!("a tag whose time is over", "the tag's signature is over: render the page again", {
            let builder = builder().stream_lifetime(Duration::ZERO);
            let (_, app) = built(builder, |turbo| Ok(page(turbo.stream_from("room")?, "")));
            let mut page = app.open("/").await;
            page.assert_wired().await;
        }),
        bug!(
            "access that was taken back after the page was rendered",
            "the access was taken back after the page was rendered",
            {
                let forebay =
                    builder().connect(async |_| Ok(Identity::named("user:7"))).build().unwrap();
                let show = get(|turbo: Turbo| async move {
                    let html = page(turbo.stream_from("room").unwrap(), "");
                    turbo.forebay().revoke(Revocation::of("user:7", "room")).await.unwrap();
                    self::html(&html)
                });
                let app = TestApp::new(&forebay, forebay.mount(Router::new().route("/", show)));
                let mut page = app.open("/").await;
                page.assert_wired().await;
            }
        ),
        bug!(
            "another visitor's tag, from a shared cache",
            "the tag was made for another visitor",
            {
                let builder = builder().connect(async |_| Ok(Identity::named("user:8")));
                let (_, app) =
                    built(builder, |turbo| Ok(page(turbo.stream_from_for("user:7", "inbox")?, "")));
                let mut page = app.open("/").await;
                page.assert_wired().await;
            }
        ),
        bug!("a channel that nobody has registered", "the server has no channel of this name", {
            let (_, app) =
                with_page(|turbo| Ok(page(turbo.stream_from_channel("RoomChanel", "room")?, "")));
            let mut page = app.open("/").await;
            page.assert_wired().await;
        }),
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
        bug!("two nodes, each with a log of its own", "is connected to another log", {
            let (one, two) = (builder().build().unwrap(), builder().build().unwrap());
            let router = Router::new()
                .route("/", show(|turbo| Ok(page(turbo.stream_from("room")?, ""))))
                .layer(one.layer())
                .merge(two.routes());
            let mut page =
                TestApp::new(&one, router.route("/healthy", any(|| async {}))).open("/").await;
            page.assert_wired().await;
        }),
    ]
}
