//! The app of `docs/guides/channels.md`: who is typing, over a channel of the app's own.
//!
//! `cargo run --example channels --features askama`, then open two browsers on
//! <http://127.0.0.1:3000/?name=ada> and <http://127.0.0.1:3000/?name=grace>.

use askama::Template;
use axum::Router;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use forebay::channel::{Channel, Context, Identity, Params, Rejection};
use forebay::{Error, Forebay, Turbo};
use http::header::{COOKIE, SET_COOKIE};
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

/// What a client says is shown to others, so it is bounded.
const FIELD_CHARS_MAX: usize = 40;

/// One visitor's subscription to one room.
struct Typing {
    room: u64,
    is_typing: bool,
}

impl Typing {
    fn new(params: &Params) -> Result<Self, Rejection> {
        let room = params.get("room").and_then(Value::as_u64).ok_or(Rejection)?;
        Ok(Self { room, is_typing: false })
    }

    /// Tells the others in the room.
    async fn tell(&mut self, cx: &Context, field: &str, is_typing: bool) {
        self.is_typing = is_typing;
        let message = json!({ "name": cx.identity().name(), "field": field, "typing": is_typing });
        let others = cx.broadcast().json_to(("typing", self.room), &message);
        if let Err(error) = others.ephemeral().except(cx.session()).await {
            tracing::warn!(%error, "nobody learns who is typing");
        }
    }
}

impl Channel for Typing {
    async fn subscribed(&mut self, cx: &mut Context) -> Result<(), Rejection> {
        if !(1..=9).contains(&self.room) {
            return Err(Rejection);
        }
        let name = cx.identity().name().ok_or(Rejection)?.to_owned();
        cx.stream_from(("typing", self.room))?;
        cx.transmit(&json!({ "you": name }));
        Ok(())
    }

    async fn received(&mut self, cx: &mut Context, action: &str, data: Map<String, Value>) {
        let field = data.get("field").and_then(Value::as_str).unwrap_or_default();
        let field: String = field.chars().take(FIELD_CHARS_MAX).collect();
        match action {
            "typing" if !self.is_typing => self.tell(cx, &field, true).await,
            "stopped" if self.is_typing => self.tell(cx, &field, false).await,
            "typing" | "stopped" => {}
            _ => cx.transmit(&json!({ "error": "no such action" })),
        }
    }

    async fn unsubscribed(&mut self, cx: &mut Context) {
        if self.is_typing {
            self.tell(cx, "", false).await;
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

    const [you, typing, text] = ["you", "typing", "text"].map((id) => document.getElementById(id))

    const channel = { channel: "TypingChannel", room: 1 }
    const subscription = await cable.subscribeTo(channel, {
      connected() { text.disabled = false },
      disconnected() { text.disabled = true },
      rejected() { you.textContent = "You may not see who is typing." },
      received(message) {
        if (message.you) you.textContent = message.you
        if (message.name) typing.textContent = message.typing ? `${message.name} is typing` : ""
      },
    })
    text.addEventListener("input", () => subscription.perform("typing", { field: "text" }))
    text.addEventListener("blur", () => subscription.perform("stopped", { field: "text" }))
  </script>
</head>
<body>
  <h1 id="you"></h1>
  <input id="text" aria-label="Text" disabled>
  <p id="typing"></p>
</body>
</html>"#,
    ext = "html"
)]
struct Show;

#[derive(Deserialize)]
struct Visitor {
    name: Option<String>,
}

/// Whoever says a name has it: an app of yours asks for a password.
async fn show(turbo: Turbo, Query(visitor): Query<Visitor>) -> Result<Response, Error> {
    let page = turbo.page(&Show)?;
    let Some(name) = visitor.name else { return Ok(page) };
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    Ok(([(SET_COOKIE, format!("name={name}; Path=/; HttpOnly; SameSite=Lax"))], page)
        .into_response())
}

fn visitor(parts: &Parts) -> Option<String> {
    let cookies = parts.headers.get(COOKIE)?.to_str().ok()?;
    let name = cookies.split("; ").find_map(|cookie| cookie.strip_prefix("name="))?;
    Some(name.to_owned()).filter(|name| !name.is_empty())
}

fn app(secret: &str) -> Result<Router, forebay::BuildError> {
    let forebay = Forebay::builder()
        .secret(secret)
        .connect(|parts: &Parts| {
            let name = visitor(parts);
            async move { Ok(name.map_or_else(Identity::anonymous, Identity::named)) }
        })
        .channel("TypingChannel", Typing::new)
        .build()?;
    Ok(forebay.mount(Router::new().route("/", get(show))))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = app(&std::env::var("SECRET_KEY_BASE")?)?;
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

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio::net::TcpStream;
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

    use super::*;

    const ROOM: &str = r#"{"channel":"TypingChannel","room":1}"#;

    struct Client(WebSocketStream<TcpStream>);

    impl Client {
        async fn open(port: u16, cookie: &str) -> Self {
            let url = format!("ws://127.0.0.1:{port}/cable");
            let mut request = url.into_client_request().unwrap();
            request.headers_mut().insert(COOKIE, cookie.parse().unwrap());
            let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
            let mut client = Self(socket);
            assert_eq!(client.next().await["type"], "welcome");
            client
        }

        async fn say(&mut self, command: &Value) {
            self.0.send(Message::text(command.to_string())).await.unwrap();
        }

        async fn subscribe(&mut self, identifier: &str) -> Value {
            self.say(&json!({ "command": "subscribe", "identifier": identifier })).await;
            self.next().await["type"].take()
        }

        async fn perform(&mut self, action: &str) {
            let data = json!({ "action": action, "field": "text" }).to_string();
            self.say(&json!({ "command": "message", "identifier": ROOM, "data": data })).await;
        }

        /// The next message that is no ping.
        async fn next(&mut self) -> Value {
            loop {
                let Message::Text(text) = self.0.next().await.unwrap().unwrap() else { continue };
                let said: Value = serde_json::from_str(&text).unwrap();
                if said["type"] != "ping" {
                    return said;
                }
            }
        }
    }

    #[tokio::test]
    async fn the_others_learn_who_is_typing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = app("a secret for tests").unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });

        let mut nobody = Client::open(port, "").await;
        assert_eq!(nobody.subscribe(ROOM).await, "reject_subscription");

        let mut ada = Client::open(port, "name=ada").await;
        let no_room = r#"{"channel":"TypingChannel"}"#;
        assert_eq!(ada.subscribe(no_room).await, "reject_subscription");
        let mut grace = Client::open(port, "name=grace").await;
        for client in [&mut ada, &mut grace] {
            assert_eq!(client.subscribe(ROOM).await, "confirm_subscription");
        }
        assert_eq!(ada.next().await["message"], json!({ "you": "ada" }));
        assert_eq!(grace.next().await["message"], json!({ "you": "grace" }));

        ada.perform("typing").await;
        let expected = json!({ "name": "ada", "field": "text", "typing": true });
        assert_eq!(grace.next().await["message"], expected);
        ada.perform("dance").await;
        assert_eq!(ada.next().await["message"], json!({ "error": "no such action" }));
        drop(ada);
        let expected = json!({ "name": "ada", "field": "", "typing": false });
        assert_eq!(grace.next().await["message"], expected);
    }
}
