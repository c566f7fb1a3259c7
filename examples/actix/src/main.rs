//! A room with messages in an app of actix-web: the page, its tag, broadcasts, and WebSockets.
//!
//! `cargo run --package forebay-actix`, then open two windows on <http://127.0.0.1:3000>. All that
//! is between actix-web and Forebay is in `edge.rs`.

mod edge;

use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, Form};
use actix_web::{App, HttpResponse, HttpServer, error};
use askama::Template;
use forebay::{Forebay, Streamable, TurboStreams};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::edge::{Turbo, addresses, answer, take_position};

#[derive(Clone, Streamable, Template)]
#[template(source = r#"<p id="message_{{ id }}">{{ body }}</p>"#, ext = "html")]
struct Message {
    id: usize,
    body: String,
}

#[derive(Template)]
#[template(
    source = r#"<!DOCTYPE html>
<html lang="en">
<head>
  <title>A room</title>
  <script type="module" src="https://cdn.jsdelivr.net/npm/@hotwired/turbo-rails@8.0.23/app/assets/javascripts/turbo.js"></script>
</head>
<body>
  {{ turbo.stream_from("room")? }}
  <div id="messages">{% for message in messages %}{{ message|safe }}{% endfor %}</div>
  <form id="new_message" action="/messages" method="post">
    <label>Message <input name="body"></label> <button>Send</button>
  </form>
</body>
</html>"#,
    ext = "html"
)]
struct Show {
    turbo: Turbo,
    messages: Vec<Message>,
}

type Messages = Data<Mutex<Vec<Message>>>;

async fn show(turbo: Turbo, messages: Messages) -> actix_web::Result<HttpResponse> {
    let messages = messages.lock().await.clone();
    let page = turbo.page(&Show { turbo: turbo.clone(), messages });
    page.map(answer).map_err(error::ErrorInternalServerError)
}

#[derive(Deserialize)]
struct NewMessage {
    body: String,
}

async fn create(
    turbo: Turbo,
    messages: Messages,
    Form(NewMessage { body }): Form<NewMessage>,
) -> actix_web::Result<HttpResponse> {
    // Locked until it is broadcast: whoever writes next is also shown next.
    let mut messages = messages.lock().await;
    let message = Message { id: messages.len() + 1, body };
    messages.push(message.clone());
    let sent = turbo.broadcast().append_to("room", &message).await;
    sent.map_err(error::ErrorInternalServerError)?;
    Ok(answer(turbo.respond(TurboStreams::new(), || turbo.redirect("/"))))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let forebay = Forebay::builder().secret(std::env::var("SECRET_KEY_BASE")?).build()?;
    let messages = Messages::new(Mutex::default());
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let (handle, served) = (forebay.clone(), Data::new(forebay));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(served.clone())
            .app_data(messages.clone())
            .route("/", web::get().to(show))
            .route("/messages", web::post().to(create))
            .configure(addresses(&served))
            .wrap(from_fn(take_position))
    })
    // Event streams have no end of their own.
    .shutdown_timeout(1)
    .bind(("127.0.0.1", port))?;
    announce(&server.addrs())?;
    server.run().await?;
    handle.shut_down(std::time::Duration::ZERO).await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what people and scripts wait for")]
fn announce(addresses: &[std::net::SocketAddr]) -> std::io::Result<()> {
    use std::io::Write as _;
    let address = addresses.first().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
    println!("ready http://{address}");
    std::io::stdout().flush()
}
