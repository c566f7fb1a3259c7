//! The app of `docs/guides/forms.md`: contacts that are added and edited in place, in frames.
//!
//! `cargo run --example forms --features askama`, then open two windows on <http://127.0.0.1:3000>.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use forebay::{Error, Forebay, Streamable, Turbo, TurboStream};
use http::StatusCode;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

/// A contact, and its partial: a frame, so that it is edited where it stands.
#[derive(Clone, Streamable, Template)]
#[template(
    source = r#"<turbo-frame id="contact_{{ id }}">
  {{ name }} <a href="/contacts/{{ id }}/edit">Edit</a>
</turbo-frame>"#,
    ext = "html"
)]
struct Contact {
    id: u32,
    name: String,
}

/// The same frame, with a form in it.
#[derive(Template)]
#[template(
    source = r#"<turbo-frame id="contact_{{ id }}">
  <form action="/contacts/{{ id }}" method="post">
    <input name="name" value="{{ name }}" aria-label="Name" autofocus> <button>Save</button>
    <a href="/contacts/{{ id }}">Cancel</a>
    {% if let Some(error) = error %}<em>{{ error }}</em>{% endif %}
  </form>
</turbo-frame>"#,
    ext = "html"
)]
struct EditContact {
    id: u32,
    name: String,
    error: Option<&'static str>,
}

/// A form in a frame of its own.
#[derive(Default, Template)]
#[template(
    source = r#"<turbo-frame id="new_contact">
  <form action="/contacts" method="post">
    <input name="name" value="{{ name }}" aria-label="New contact"> <button>Add</button>
    {% if let Some(error) = error %}<em>{{ error }}</em>{% endif %}
  </form>
</turbo-frame>"#,
    ext = "html"
)]
struct NewContact {
    name: String,
    error: Option<&'static str>,
}

#[derive(Template)]
#[template(
    source = r#"<!DOCTYPE html>
<html lang="en">
<head>
  <title>Contacts</title>
  <script type="module" src="https://cdn.jsdelivr.net/npm/@hotwired/turbo-rails@8.0.23/app/assets/javascripts/turbo.js"></script>
</head>
<body>
  {{ turbo.stream_from("contacts")? }}
  <div id="contacts">{% for contact in contacts %}{{ contact|safe }}{% endfor %}</div>
  {{ NewContact::default()|safe }}
  {{ forebay::frame("total").src("/total").lazy().text("…") }}
</body>
</html>"#,
    ext = "html"
)]
struct Index {
    turbo: Turbo,
    contacts: Vec<Contact>,
}

type Contacts = Arc<Mutex<BTreeMap<u32, Contact>>>;

async fn index(turbo: Turbo, State(contacts): State<Contacts>) -> Result<Response, Error> {
    let contacts = contacts.lock().await.values().cloned().collect();
    turbo.page(&Index { turbo: turbo.clone(), contacts })
}

#[derive(Deserialize)]
struct Input {
    name: String,
}

impl Input {
    fn error(&self) -> Option<&'static str> {
        self.name.trim().is_empty().then_some("A contact needs a name.")
    }
}

async fn create(
    turbo: Turbo,
    State(contacts): State<Contacts>,
    Form(input): Form<Input>,
) -> Result<Response, Error> {
    if let Some(error) = input.error() {
        return turbo.invalid(&NewContact { name: input.name, error: Some(error) });
    }
    let mut contacts = contacts.lock().await;
    let id = contacts.keys().last().map_or(1, |last| last + 1);
    let contact = Contact { id, name: input.name };
    contacts.insert(id, contact.clone());
    turbo.broadcast().append_to("contacts", &contact).await?;
    let form = TurboStream::replace("new_contact").render(&NewContact::default())?;
    Ok(turbo.respond(form, || turbo.redirect("/")))
}

async fn show(
    turbo: Turbo,
    State(contacts): State<Contacts>,
    Path(id): Path<u32>,
) -> Result<Response, Error> {
    match contacts.lock().await.get(&id) {
        Some(contact) => turbo.page(contact),
        None => Ok(StatusCode::NOT_FOUND.into_response()),
    }
}

async fn edit(
    turbo: Turbo,
    State(contacts): State<Contacts>,
    Path(id): Path<u32>,
) -> Result<Response, Error> {
    match contacts.lock().await.get(&id).cloned() {
        Some(Contact { id, name }) => turbo.page(&EditContact { id, name, error: None }),
        None => Ok(StatusCode::NOT_FOUND.into_response()),
    }
}

async fn update(
    turbo: Turbo,
    State(contacts): State<Contacts>,
    Path(id): Path<u32>,
    Form(input): Form<Input>,
) -> Result<Response, Error> {
    if let Some(error) = input.error() {
        return turbo.invalid(&EditContact { id, name: input.name, error: Some(error) });
    }
    let mut contacts = contacts.lock().await;
    let Some(contact) = contacts.get_mut(&id) else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    contact.name = input.name;
    turbo.broadcast().replace_to("contacts", &*contact).await?;
    Ok(turbo.redirect(&format!("/contacts/{id}")))
}

async fn total(turbo: Turbo, State(contacts): State<Contacts>) -> Result<Response, Error> {
    let total = contacts.lock().await.len();
    turbo
        .page(&forebay::frame("total").text(format!("{total} when this page was loaded")).to_html())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let forebay = Forebay::builder().secret(std::env::var("SECRET_KEY_BASE")?).build()?;
    let ada = Contact { id: 1, name: "Ada".to_owned() };
    let pages = Router::new()
        .route("/", get(index))
        .route("/contacts", axum::routing::post(create))
        .route("/contacts/{id}", get(show).post(update))
        .route("/contacts/{id}/edit", get(edit))
        .route("/total", get(total));
    let app = forebay.mount(pages).with_state(Contacts::new(Mutex::new([(ada.id, ada)].into())));

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
