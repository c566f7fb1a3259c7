//! The app of `docs/presence.md`: a room that shows who is there, and who is typing.
//!
//! `cargo run --example presence --features askama`, then open <http://127.0.0.1:3000/?as=1> and
//! <http://127.0.0.1:3000/?as=2>.

use askama::Template;
use axum::extract::{Form, Query};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Router, http::StatusCode};
use forebay::{Error, Forebay, Members, Presence, Record as _, Streamable, Turbo, TurboStream};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

// What all pages are told of somebody. It travels as JSON, so that every node can show it.
#[derive(Clone, Streamable, Serialize, Deserialize, Template)]
#[template(
    source = r#"<li id="{{ self.dom_id() }}">{{ name }}{% if typing %} is typing…{% endif %}</li>"#,
    ext = "html"
)]
struct Visitor {
    id: u32,
    name: String,
    typing: bool,
}

#[derive(Template)]
#[template(
    source = r#"<!DOCTYPE html>
<html lang="en">
<head>
  <title>Who is here</title>
  <script type="module" src="https://cdn.jsdelivr.net/npm/@hotwired/turbo-rails@8.0.23/app/assets/javascripts/turbo.js"></script>
</head>
<body>
  {{ here.presence_from(me)? }}
  <p><span id="visitors_count">{{ here.total() }}</span> here</p>
  <ul id="visitors">{% for visitor in here %}{{ visitor|safe }}{% endfor %}</ul>
  <form action="/typing" method="post">
    <input type="hidden" name="id" value="{{ me.id }}">
    <button name="typing" value="true">I am typing</button>
    <button name="typing" value="false">I am done</button>
  </form>
</body>
</html>"#,
    ext = "html"
)]
struct Show {
    here: Members<Visitor>,
    me: Visitor,
}

/// Who asks. A real app knows that from the session, and never from the address.
#[derive(Deserialize)]
struct SignedIn {
    #[serde(default, rename = "as")]
    id: u32,
}

async fn show(turbo: Turbo, Query(SignedIn { id }): Query<SignedIn>) -> Result<Response, Error> {
    let here = turbo.members::<Visitor>(("room", 1))?;
    let me = here.iter().find(|visitor| visitor.id == id).cloned();
    let me = me.unwrap_or_else(|| visitor(id));
    turbo.page(&Show { here, me })
}

fn visitor(id: u32) -> Visitor {
    Visitor { id, name: format!("Visitor {id}"), typing: false }
}

#[derive(Deserialize)]
struct Typing {
    id: u32,
    typing: bool,
}

async fn typing(turbo: Turbo, Form(said): Form<Typing>) -> Result<StatusCode, Error> {
    let visitor = Visitor { typing: said.typing, ..visitor(said.id) };
    turbo.update_member(("room", 1), &visitor)?;
    Ok(StatusCode::NO_CONTENT)
}

fn presence() -> Presence<Visitor> {
    Presence::<Visitor>::new()
        .streams("room:*")
        .count(|_, total| TurboStream::update("visitors_count").text(total.to_string()))
        .last_out(|stream| tracing::info!(stream, "everybody has left"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = std::env::var("SECRET_KEY_BASE")?;
    let forebay = Forebay::builder().secret(secret).presence(presence()).build()?;
    let pages = Router::new().route("/", get(show)).route("/typing", post(typing));
    let app = forebay.mount(pages);

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
