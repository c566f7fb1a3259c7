//! The app of `docs/guides/sign_in.md`: visitors sign in, and each has an inbox of their own.
//!
//! `cargo run --example sign_in --features askama`, then open two browsers on
//! <http://127.0.0.1:3000>.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use forebay::channel::Identity;
use forebay::{Error, Forebay, Streamable, Turbo, Viewer};
use http::HeaderMap;
use http::header::{COOKIE, SET_COOKIE};
use http::request::Parts;
use serde::Deserialize;
use tokio::net::TcpListener;

#[derive(Clone, Streamable, Template)]
#[template(source = r#"<li id="note_{{ id }}">{{ text }}</li>"#, ext = "html")]
struct Note {
    id: u64,
    text: String,
}

#[derive(Template)]
#[template(
    source = r#"<!DOCTYPE html>
<html lang="en">
<head>
  <title>Inbox</title>
  <script type="module" src="https://cdn.jsdelivr.net/npm/@hotwired/turbo-rails@8.0.23/app/assets/javascripts/turbo.js"></script>
</head>
<body>
  {{ turbo.stream_from("announcements")? }}
  {% if let Some(name) = name %}
    {{ turbo.stream_from((Viewer(name), "inbox"))? }}
    <h1>{{ name }}</h1>
    <ul id="notes">{% for note in notes %}{{ note|safe }}{% endfor %}</ul>
    <form action="/notes" method="post">
      <input name="to" aria-label="To"> <input name="text" aria-label="Text"> <button>Send</button>
    </form>
    <form action="/session/end" method="post"><button>Sign out</button></form>
  {% else %}
    <h1>Nobody</h1>
    <form action="/session" method="post">
      <input name="name" aria-label="Name"> <input name="password" type="password" aria-label="Password">
      <button>Sign in</button>
    </form>
  {% endif %}
</body>
</html>"#,
    ext = "html"
)]
struct Show<'a> {
    turbo: Turbo,
    name: Option<&'a str>,
    notes: Vec<Note>,
}

/// Whose cookie it is, and what each has got. A real app keeps both in its database.
#[derive(Clone, Default)]
struct App(Arc<Mutex<Accounts>>);

#[derive(Default)]
struct Accounts {
    sessions: HashMap<String, String>,
    notes: HashMap<String, Vec<Note>>,
    last_note: u64,
}

impl App {
    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who sends this request, as its cookie says.
    fn visitor(&self, headers: &HeaderMap) -> Option<String> {
        let cookies = headers.get(COOKIE)?.to_str().ok()?;
        let session = cookies.split("; ").find_map(|cookie| cookie.strip_prefix("session="))?;
        self.accounts().sessions.get(session).cloned()
    }
}

async fn show(turbo: Turbo, State(app): State<App>, headers: HeaderMap) -> Result<Response, Error> {
    let name = app.visitor(&headers);
    let notes = name.as_ref().and_then(|name| app.accounts().notes.get(name).cloned());
    let (name, notes) = (name.as_deref(), notes.unwrap_or_default());
    turbo.page(&Show { turbo: turbo.clone(), name, notes })
}

#[derive(Deserialize)]
struct SignIn {
    name: String,
    password: String,
}

async fn sign_in(turbo: Turbo, State(app): State<App>, Form(form): Form<SignIn>) -> Response {
    // A real app compares with a hash of the password.
    if form.password != format!("{}'s password", form.name) {
        return turbo.redirect("/");
    }
    let session = format!("{:016x}", getrandom::u64().unwrap_or_default());
    let cookie = format!("session={session}; Path=/; HttpOnly; SameSite=Lax");
    app.accounts().sessions.insert(session, form.name);
    ([(SET_COOKIE, cookie)], turbo.redirect("/")).into_response()
}

async fn sign_out(
    turbo: Turbo,
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    if let Some(name) = app.visitor(&headers) {
        app.accounts().sessions.retain(|_, other| *other != name);
        // Its pages come back as nobody, in every tab.
        turbo.forebay().disconnect(&name).await?;
    }
    Ok(turbo.redirect("/"))
}

#[derive(Deserialize)]
struct NewNote {
    to: String,
    text: String,
}

async fn send(
    turbo: Turbo,
    State(app): State<App>,
    Form(form): Form<NewNote>,
) -> Result<Response, Error> {
    let note = {
        let mut accounts = app.accounts();
        accounts.last_note += 1;
        let note = Note { id: accounts.last_note, text: form.text };
        accounts.notes.entry(form.to.clone()).or_default().push(note.clone());
        note
    };
    turbo.broadcast().append_to((Viewer(&form.to), "inbox"), &note).await?;
    Ok(turbo.redirect("/"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::default();
    let visitors = app.clone();
    let forebay = Forebay::builder()
        .secret(std::env::var("SECRET_KEY_BASE")?)
        .connect(move |parts: &Parts| {
            let name = visitors.visitor(&parts.headers);
            async move { Ok(name.map_or_else(Identity::anonymous, Identity::named)) }
        })
        .build()?;
    let pages = Router::new()
        .route("/", get(show))
        .route("/session", post(sign_in))
        .route("/session/end", post(sign_out))
        .route("/notes", post(send));
    let app = forebay.mount(pages).with_state(app);

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
