//! The broadcast is not sent, or at the wrong moment.

use axum::Router;
use axum::extract::State;
use axum::response::Redirect;
use axum::routing::post;
use forebay::{Forebay, Html, Render, RenderError, Streamable, Turbo, TurboStream, suppressing};
use forebay_test::TestApp;
use sqlx::SqlitePool;
use sqlx::sqlite::SqlitePoolOptions;

use super::apps::{builder, message, page, room, show};
use super::{Bug, bug};

/// A record whose partial needs what only a request has.
#[derive(Clone, Streamable)]
struct Invoice {
    id: u64,
}

impl Render for Invoice {
    fn to_html(&self) -> Result<Html, RenderError> {
        Err(RenderError::new(std::io::Error::other("there is no current user")))
    }
}

async fn database() -> SqlitePool {
    let options = SqlitePoolOptions::new().max_connections(1);
    let pool = options.connect("sqlite::memory:").await.unwrap();
    sqlx::raw_sql("create table messages (body text)").execute(&pool).await.unwrap();
    pool
}

const FORM: &str =
    r#"<ul id="messages"></ul><form id="new" action="/messages" method="post"></form>"#;

/// A page that reads "room", with a form that is answered by this.
async fn with_form<H, T>(create: H) -> TestApp
where
    H: axum::handler::Handler<T, SqlitePool>,
    T: 'static,
{
    let forebay: Forebay = builder().build().unwrap();
    let router = Router::new()
        .route("/messages", post(create))
        .with_state(database().await)
        .route("/", show(|turbo| Ok(page(turbo.stream_from("room")?, FORM))));
    TestApp::new(&forebay, forebay.mount(router))
}

async fn forgets_to_commit(turbo: Turbo, State(pool): State<SqlitePool>) -> Redirect {
    let transaction = turbo.begin(&pool).await.unwrap();
    transaction.broadcast().append_to("room", &message(1, "hi")).await.unwrap();
    Redirect::to("/")
}

async fn broadcasts_beside(turbo: Turbo, State(pool): State<SqlitePool>) -> Redirect {
    let transaction = turbo.begin(&pool).await.unwrap();
    turbo.broadcast().append_to("room", &message(1, "hi")).await.unwrap();
    transaction.commit().await.unwrap();
    Redirect::to("/")
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
        bug!("a transaction that is rolled back", "its transaction was rolled back or dropped", {
            let app = with_form(forgets_to_commit).await;
            let mut page = app.open("/").await;
            page.submit("#new", &[]).await;
            page.assert_wired().await;
        }),
        bug!("a broadcast before its commit", "it was sent beside an open transaction", {
            let app = with_form(broadcasts_beside).await;
            let mut page = app.open("/").await;
            page.submit("#new", &[]).await;
            page.assert_wired().await;
        }),
        bug!("a broadcast that is left out", "it was asked for inside of `suppressing`", {
            let (forebay, app) = room();
            let mut page = app.open("/").await;
            let work = async { forebay.broadcast().append_to("room", &message(1, "hi")).await };
            suppressing::<super::apps::Message, _>(work).await.unwrap();
            page.assert_wired().await;
        }),
        bug!(
            "a later broadcast whose template fails",
            "its template failed, so nothing was sent: ",
            {
                let (forebay, app) = room();
                let mut page = app.open("/").await;
                forebay.broadcast().append_later_to("room", Invoice { id: 1 }).await.unwrap();
                page.assert_wired().await;
            }
        ),
        bug!(
            "a broadcast that is not awaited",
            "0 broadcasts to `room`, and not 1: nothing was broadcast to `room`",
            {
                let app = with_form(is_not_awaited).await;
                let mut page = app.open("/").await;
                app.assert_broadcasts("room", 1, page.submit("#new", &[])).await;
            }
        ),
        bug!("`#id` as a target of a broadcast", "it could not be sent: ", {
            let (forebay, app) = room();
            let mut page = app.open("/").await;
            let tag = TurboStream::append("#messages").text("x");
            drop(forebay.broadcast().stream_to("room", tag).await);
            page.assert_wired().await;
        }),
        bug!(
            "a form that is answered with a page",
            "Form responses must redirect to another location",
            {
                let app = with_form(answers_with_a_page).await;
                let mut page = app.open("/").await;
                page.submit("#new", &[]).await;
            }
        ),
    ]
}
