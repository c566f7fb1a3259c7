//! The `broadcasts` table of turbo-rails' vectors: every row through the public API, stream name
//! and payload byte for byte. The other tables are tested in forebay-turbo and forebay-signing.
//!
//! `call` is prose for a Ruby call on message 23, room 1 and a few contents. Each row is matched
//! by its name and arguments; one that can't be understood fails.

#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::path::{Path, PathBuf};

use forebay::kinds::{HasAttributes, HasContent, HasTarget, LeavesOut, Whole};
use forebay::{
    Broadcast, Broadcaster, Forebay, Html, Render, RenderError, StreamName, Streamable, Target,
    TurboStream, TurboStreams, dom_id_with,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    call: String,
    broadcasts: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    stream: String,
    message: String,
    cable_payload: String,
}

#[derive(Streamable)]
struct Message {
    id: u64,
    body: Html,
}

/// The vectors' partial, with the newline at its end.
impl Render for Message {
    fn to_html(&self) -> Result<Html, RenderError> {
        Ok(Html::raw(format!("<div id=\"message_{}\">{}</div>\n", self.id, self.body)))
    }
}

/// The same with a prefix to its id, as the vectors' `index` partial has.
struct IndexPartial(Message);

impl Render for IndexPartial {
    fn to_html(&self) -> Result<Html, RenderError> {
        let Message { id, body } = &self.0;
        Ok(Html::raw(format!("<div id=\"index_message_{id}\">{body}</div>\n")))
    }
}

#[derive(Streamable)]
struct Room {
    id: u64,
}

/// The call, taken apart: `broadcast_` + verb + `_to`(streamables; options).
struct Call {
    verb: String,
    streams: Vec<Part>,
    options: Vec<String>,
}

#[derive(Clone)]
enum Part {
    Message,
    Room,
    Text(String),
}

impl Streamable for Part {
    fn write_parts(
        &self,
        name: &mut forebay::turbo::StreamNameBuilder<'_>,
    ) -> Result<(), forebay::StreamNameError> {
        match self {
            Self::Message => message().write_parts(name),
            Self::Room => Room { id: 1 }.write_parts(name),
            Self::Text(text) => text.write_parts(name),
        }
    }
}

fn message() -> Message {
    Message { id: 23, body: Html::text("Hello <b> & co") }
}

impl Call {
    fn parse(text: &str) -> Option<Self> {
        let (name, arguments) = match text.split_once('(') {
            Some((name, rest)) => (name, rest.strip_suffix(')')?),
            None => (text, ""),
        };
        let verb = name.strip_prefix("broadcast_")?;
        let mut call = Self { verb: verb.to_owned(), streams: Vec::new(), options: Vec::new() };
        for argument in arguments.split(", ").filter(|argument| !argument.is_empty()) {
            match argument {
                "self" => call.streams.push(Part::Message),
                "room" => call.streams.push(Part::Room),
                _ => match argument.strip_prefix(':') {
                    Some(symbol) => call.streams.push(Part::Text(symbol.to_owned())),
                    None => call.options.push(argument.to_owned()),
                },
            }
        }
        Some(call)
    }
}

/// Makes the call; `None` if it isn't understood.
async fn perform(forebay: &Forebay, text: &str) -> Option<()> {
    let broadcast = forebay.broadcast();
    let message = message();
    match text {
        "blank streamables" => {
            broadcast.remove_to("", &message).await.unwrap_err();
            broadcast.remove_to(Vec::<String>::new(), &message).await.unwrap_err();
        }
        "suppressed" => {
            forebay::suppressing::<Message, _>(async {
                broadcast.replace(&message).await.unwrap();
                broadcast.append_to("messages", &message).await.unwrap();
                broadcast.remove(&message).await.unwrap();
                broadcast.refresh(&message).await.unwrap();
            })
            .await;
        }
        "three streamables" => {
            broadcast.remove_to((Room { id: 1 }, "a", 5), &message).await.unwrap();
        }
        "nested array streamables" => {
            broadcast.remove_to([[Part::Room, Part::Text("a".into())]], &message).await.unwrap();
        }
        _ => {
            let call = Call::parse(text)?;
            let partial = IndexPartial(self::message());
            begin(&broadcast, &call, &message, &partial).await?;
        }
    }
    Some(())
}

/// Begins the call's broadcast, changes it by the call's options, and sends it.
async fn begin(
    broadcast: &Broadcaster,
    call: &Call,
    message: &Message,
    partial: &IndexPartial,
) -> Option<()> {
    let to = &call.streams;
    let option = |name: &str| {
        call.options.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix(": "))
    };
    let around =
        || option("targets").map(Target::selector).or_else(|| option("target").map(Target::from));
    let view = view();
    macro_rules! send {
        ($options:ident: $draft:expr) => {{
            let mut draft = $draft;
            for option in call.options.iter().filter(|option| !is_positional(call, option)) {
                draft = $options(draft, option, message, partial)?;
            }
            draft.await.unwrap()
        }};
    }
    match call.verb.as_str() {
        "append" => send!(tag: broadcast.append(message)),
        "append_to" => send!(tag: broadcast.append_to(to, message)),
        "prepend" => send!(tag: broadcast.prepend(message)),
        "prepend_to" => send!(tag: broadcast.prepend_to(to, message)),
        "replace" => send!(tag: broadcast.replace(message)),
        "replace_to" => send!(tag: broadcast.replace_to(to, message)),
        "update" => send!(tag: broadcast.update(message)),
        "update_to" => send!(tag: broadcast.update_to(to, message)),
        "remove" => send!(removal: broadcast.remove(message)),
        "remove_to" => send!(removal: broadcast.remove_to(to, message)),
        "before_to" => send!(tag: broadcast.before_to(to, around()?, message)),
        "after_to" => send!(tag: broadcast.after_to(to, around()?, message)),
        "refresh" => send!(refresh: broadcast.refresh(message)),
        "refresh_to" => send!(refresh: broadcast.refresh_to(to)),
        "action" => send!(tag: broadcast.action(call.streams_as_action()?, message)),
        "action_to" => send!(tag: broadcast.action_to(to, option("action")?, message)),
        "render" => send!(whole: broadcast.render(message, &view)),
        "render_to" => send!(whole: broadcast.render_to(to, &view)),
        _ => return None,
    };
    Some(())
}

impl Call {
    /// `broadcast_action(:prepend)` has its action where others have a stream.
    fn streams_as_action(&self) -> Option<&str> {
        match &self.streams[..] {
            [Part::Text(action)] => Some(action),
            _ => None,
        }
    }
}

/// Options that [`begin`] has already used.
fn is_positional(call: &Call, option: &str) -> bool {
    let around = ["before_to", "after_to"].contains(&call.verb.as_str());
    option.starts_with("action: ") || (around && option.starts_with("target"))
}

fn tag<'a, K: HasTarget + HasAttributes + HasContent>(
    draft: Broadcast<'a, K>,
    option: &str,
    message: &Message,
    partial: &'a IndexPartial,
) -> Option<Broadcast<'a, K>> {
    let raw = || Html::raw("<p>raw</p>");
    Some(match option {
        "partial" => draft.partial(partial),
        "html" | "html unsafe string" => draft.html(raw()),
        // Turbo morphs some actions only, Rails writes the attribute for all.
        "attributes method morph" => draft.html(Html::raw("x")).attribute("method", "morph"),
        _ => return removal(draft, option, message, partial),
    })
}

fn removal<'a, K: HasTarget + HasAttributes>(
    draft: Broadcast<'a, K>,
    option: &str,
    message: &Message,
    _: &IndexPartial,
) -> Option<Broadcast<'a, K>> {
    Some(match option.split_once(": ") {
        Some(("target", "dom_id(index)")) => draft.target(dom_id_with(message, "index")),
        Some(("target", id)) => draft.target(id),
        Some(("targets", selector)) => draft.targets(selector),
        None if option == "attributes" => draft.attribute("data-x", "1"),
        _ => return None,
    })
}

fn refresh<'a, K: LeavesOut>(
    draft: Broadcast<'a, K>,
    option: &str,
    _: &Message,
    _: &IndexPartial,
) -> Option<Broadcast<'a, K>> {
    Some(draft.request_id(option.strip_prefix("request_id: ")?))
}

fn whole<'a>(
    _: Broadcast<'a, Whole>,
    _: &str,
    _: &Message,
    _: &IndexPartial,
) -> Option<Broadcast<'a, Whole>> {
    None
}

/// The vectors' `turbo_stream` view, with the newline at its end.
fn view() -> Html {
    let tags: TurboStreams = [
        TurboStream::append("messages").html(Html::raw("<i>a</i>")),
        TurboStream::remove("message_23"),
    ]
    .into();
    Html::raw(format!("{tags}\n"))
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/turbo-rails.json")
}

#[tokio::test]
async fn vectors_broadcasts() {
    let text = std::fs::read_to_string(file()).expect("the vectors can be read");
    let tables: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rows = tables["broadcasts"].as_array().expect("a table of rows");
    assert!(!rows.is_empty(), "nothing to check");
    let mut failures = Vec::new();
    for row in rows {
        if let Err(failure) = check(row).await {
            failures.push(format!("{row}\n  {failure}"));
        }
    }
    assert!(failures.is_empty(), "{} rows fail:\n{}", failures.len(), failures.join("\n"));
}

async fn check(row: &serde_json::Value) -> Result<(), String> {
    let row = Row::deserialize(row).map_err(|error| format!("unknown shape: {error}"))?;
    let forebay = Forebay::builder().secret("a secret for tests").app("chat").build().unwrap();
    let before = forebay.position();
    perform(&forebay, &row.call).await.ok_or("this call is not understood")?;
    let made = forebay.position().offset.0 - before.offset.0;
    if made != row.broadcasts.len() as u64 {
        return Err(format!("{made} broadcasts instead of {}", row.broadcasts.len()));
    }
    for expected in row.broadcasts {
        let stream = StreamName::raw(expected.stream.as_str());
        let entries = forebay.replay(&stream, before).map_err(|error| error.to_string())?;
        let Some(entry) = entries.first() else {
            return Err(format!("nothing on stream {stream}"));
        };
        let got = entry.html().unwrap_or_default();
        if got != expected.message {
            return Err(format!("got {got:?}"));
        }
        let payload: String = serde_json::from_str(&expected.cable_payload)
            .map_err(|error| format!("cable_payload: {error}"))?;
        if payload != expected.message {
            return Err("cable_payload is not the JSON of the message".to_owned());
        }
    }
    Ok(())
}
