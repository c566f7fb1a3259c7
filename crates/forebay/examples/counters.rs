//! The app of `docs/guides/counters.md`: a counter, and an import that shows how far it is.
//!
//! `cargo run --example counters --features askama`, then open two windows on
//! <http://127.0.0.1:3000>.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use forebay::{Error, Forebay, Streamable, Turbo, TurboStream, TurboStreams};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

#[derive(Clone, Streamable, Template)]
#[template(source = r#"<strong id="counter_{{ id }}">{{ value }}</strong>"#, ext = "html")]
struct Counter {
    id: &'static str,
    value: u64,
}

#[derive(Clone, Streamable, Template)]
#[template(
    source = r#"<progress id="import_{{ id }}" value="{{ done }}" max="100"></progress>"#,
    ext = "html"
)]
struct Import {
    id: u32,
    done: u32,
}

#[derive(Template)]
#[template(
    source = r#"<!DOCTYPE html>
<html lang="en">
<head>
  <title>Counters</title>
  <script type="module" src="https://cdn.jsdelivr.net/npm/@hotwired/turbo-rails@8.0.23/app/assets/javascripts/turbo.js"></script>
</head>
<body>
  {{ turbo.stream_from("numbers")? }}
  <form action="/likes" method="post"><button>Like</button> {{ likes|safe }}</form>
  <form action="/import" method="post"><button>Import</button> {{ import|safe }}</form>
</body>
</html>"#,
    ext = "html"
)]
struct Show {
    turbo: Turbo,
    likes: Counter,
    import: Import,
}

#[derive(Clone)]
struct App {
    likes: Arc<Mutex<Counter>>,
    import: Arc<Mutex<Import>>,
}

async fn show(turbo: Turbo, State(app): State<App>) -> Result<Response, Error> {
    let likes = app.likes.lock().await.clone();
    let import = app.import.lock().await.clone();
    turbo.page(&Show { turbo: turbo.clone(), likes, import })
}

async fn like(turbo: Turbo, State(app): State<App>) -> Result<Response, Error> {
    // Locked until it is broadcast: whoever counts next is also shown next.
    let mut likes = app.likes.lock().await;
    likes.value += 1;
    turbo.broadcast().replace_to("numbers", &*likes).state().await?;
    let own = TurboStream::replace(&*likes).render(&*likes)?;
    Ok(turbo.respond(own, || turbo.redirect("/")))
}

async fn start_import(turbo: Turbo, State(app): State<App>) -> Response {
    tokio::spawn(import(turbo.forebay().clone(), app));
    turbo.respond(TurboStreams::new(), || turbo.redirect("/"))
}

async fn import(forebay: Forebay, app: App) -> Result<(), Error> {
    for done in (10..=100).step_by(10) {
        tokio::time::sleep(Duration::from_millis(100)).await; // the work
        let mut import = app.import.lock().await;
        import.done = done;
        forebay.broadcast().replace_to("numbers", &*import).state().await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let forebay = Forebay::builder().secret(std::env::var("SECRET_KEY_BASE")?).build()?;
    let likes = Counter { id: "likes", value: 0 };
    let import = Import { id: 1, done: 0 };
    let pages = Router::new()
        .route("/", get(show))
        .route("/likes", post(like))
        .route("/import", post(start_import));
    let app = forebay.mount(pages).with_state(App {
        likes: Arc::new(Mutex::new(likes)),
        import: Arc::new(Mutex::new(import)),
    });

    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    announce(&listener)?;
    axum::serve(listener, app).await?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what people and scripts wait for")]
fn announce(listener: &TcpListener) -> std::io::Result<()> {
    println!("ready http://{}", listener.local_addr()?);
    Ok(())
}
