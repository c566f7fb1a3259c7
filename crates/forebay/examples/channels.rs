//! The app of `docs/guides/channels.md`: who is typing, over a channel with JavaScript of its own.
//!
//! `cargo run --example channels --features askama`, then open two windows on
//! <http://127.0.0.1:3000>.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use forebay::channel::{Channel, Context, Params, Rejection};
use forebay::{Error, Forebay, Turbo};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

/// Names are shown to others, so they are bounded.
const NAME_CHARS_MAX: usize = 40;

struct Typing {
    room: Option<u64>,
}

impl Channel for Typing {
    async fn subscribed(&mut self, cx: &mut Context) -> Result<(), Rejection> {
        let room = self.room.ok_or(Rejection)?;
        cx.stream_from(("typing", room))?;
        Ok(())
    }

    async fn received(&mut self, cx: &mut Context, action: &str, data: Map<String, Value>) {
        let (Some(room), "typing") = (self.room, action) else { return };
        let name = data.get("name").and_then(Value::as_str).unwrap_or("somebody");
        let name: String = name.chars().take(NAME_CHARS_MAX).collect();
        let others = cx.broadcast().json_to(("typing", room), &json!({ "name": name }));
        if let Err(error) = others.ephemeral().except(cx.session()).await {
            tracing::warn!(%error, "nobody learns who is typing");
        }
    }
}

#[derive(Template)]
#[template(
    source = r#"<!DOCTYPE html>
<html lang="en">
<head>
  <title>Typing</title>
  <script type="module">
    import { cable } from "https://cdn.jsdelivr.net/npm/@hotwired/turbo-rails@8.0.23/app/assets/javascripts/turbo.js"

    const typing = document.getElementById("typing")
    const text = document.getElementById("text")
    const name = new URLSearchParams(location.search).get("name")

    const channel = { channel: "TypingChannel", room: 1 }
    const subscription = await cable.subscribeTo(channel, {
      connected() { text.disabled = false },
      disconnected() { text.disabled = true },
      received({ name }) { typing.textContent = `${name} is typing` },
    })
    text.addEventListener("input", () => subscription.perform("typing", { name }))
  </script>
</head>
<body>
  <input id="text" aria-label="Text" disabled>
  <p id="typing"></p>
</body>
</html>"#,
    ext = "html"
)]
struct Show;

async fn show(turbo: Turbo) -> Result<Response, Error> {
    turbo.page(&Show)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let forebay = Forebay::builder()
        .secret(std::env::var("SECRET_KEY_BASE")?)
        .channel("TypingChannel", |params: &Params| Typing {
            room: params.get("room").and_then(Value::as_u64),
        })
        .build()?;
    let app = Router::new().route("/", get(show)).merge(forebay.routes()).layer(forebay.layer());

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
