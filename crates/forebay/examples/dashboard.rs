//! The app of `docs/guides/dashboard.md`: a page that everybody changes, and that morphs.
//!
//! `cargo run --example dashboard --features askama`, then open two windows on
//! <http://127.0.0.1:3000>.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Form, State};
use axum::response::Response;
use axum::routing::{get, post};
use forebay::turbo::drive::{Method, Scroll};
use forebay::{Error, Forebay, Turbo};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

#[derive(Clone, Deserialize)]
struct Order {
    customer: String,
    euros: u32,
}

#[derive(Template)]
#[template(
    source = r#"<!DOCTYPE html>
<html lang="en">
<head>
  <title>Orders</title>
  <script type="module" src="https://cdn.jsdelivr.net/npm/@hotwired/turbo-rails@8.0.23/app/assets/javascripts/turbo.js"></script>
  {{ forebay::turbo::drive::refreshes_with(Method::Morph, Scroll::Preserve) }}
</head>
<body>
  {{ turbo.stream_from("orders")? }}
  <h1>{{ orders.len() }} orders, {{ euros }} €</h1>
  <input id="note" aria-label="Note" data-turbo-permanent>
  <ul>
    {% for order in orders %}<li>{{ order.customer }}: {{ order.euros }} €</li>{% endfor %}
  </ul>
  <form action="/orders" method="post">
    <input name="customer" aria-label="Customer"> <input name="euros" aria-label="Euros">
    <button>Add</button>
  </form>
</body>
</html>"#,
    ext = "html"
)]
struct Dashboard {
    turbo: Turbo,
    orders: Vec<Order>,
    euros: u32,
}

type Orders = Arc<Mutex<Vec<Order>>>;

async fn show(turbo: Turbo, State(orders): State<Orders>) -> Result<Response, Error> {
    let orders = orders.lock().await.clone();
    let euros = orders.iter().map(|order| order.euros).sum();
    turbo.page(&Dashboard { turbo: turbo.clone(), orders, euros })
}

async fn create(
    turbo: Turbo,
    State(orders): State<Orders>,
    Form(order): Form<Order>,
) -> Result<Response, Error> {
    orders.lock().await.push(order);
    turbo.broadcast().refresh_later_to("orders").await?;
    Ok(turbo.redirect("/"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let forebay = Forebay::builder().secret(std::env::var("SECRET_KEY_BASE")?).build()?;
    let pages = Router::new().route("/", get(show)).route("/orders", post(create));
    let app = forebay.mount(pages).with_state(Orders::default());

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
