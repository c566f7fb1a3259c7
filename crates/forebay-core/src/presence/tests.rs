//! What pages are shown, and what a tag opens that comes back from one.

use std::collections::HashMap;
use std::sync::Arc;

use forebay_cable::{Identifier, SubscriptionId};
use forebay_hub::{Client, Ending, Member};
use forebay_log::presence_stream;
use forebay_transport::{Answer, Begin, Channels, Identity, Rejected, Request, Subscribed};
use forebay_turbo::{Html, Render, RenderError, StreamName, StreamSource, TurboStream};
use http::HeaderMap;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::*;
use crate::channel::{Registry, Rosters, StandardChannels};
use crate::{Builder, Position, Revocation, Streamable};

#[derive(Clone, Debug, PartialEq, Streamable, Serialize, Deserialize)]
#[streamable(crate = "::forebay_turbo")]
struct Visitor {
    id: i64,
    name: String,
}

impl Render for Visitor {
    fn to_html(&self) -> Result<Html, RenderError> {
        match self.name.as_str() {
            "unlucky" => Err(RenderError::new("as asked")),
            name => Ok(Html::raw(format!("<li id=\"{}\">{name}</li>", self.dom_id()))),
        }
    }
}

fn visitor(id: i64, name: &str) -> Visitor {
    Visitor { id, name: name.to_owned() }
}

fn builder() -> Builder {
    Forebay::builder().secret("a secret for tests").presence(Presence::<Visitor>::new())
}

fn forebay() -> Forebay {
    builder().build().unwrap()
}

/// A page's connection.
fn connect(forebay: &Forebay) -> Client {
    forebay.core.hub.connect().unwrap()
}

fn join(client: &Client, stream: &str, visitor: &Visitor) {
    let info = serde_json::to_string(visitor).unwrap();
    let member = Member::new(visitor.id.to_string(), info);
    client.join(SubscriptionId::default(), stream, &member).unwrap();
}

fn shown(forebay: &Forebay, stream: &str, since: Position) -> Vec<String> {
    let entries = forebay.core.hub.replay(&presence_stream(stream), since).unwrap();
    let text = |entry: &forebay_log::Entry| serde_json::from_str(entry.message.as_json()).unwrap();
    entries.iter().filter(|entry| !entry.message.is_textless()).map(text).collect()
}

fn turbo(forebay: &Forebay) -> Turbo {
    forebay.begin_request(&HeaderMap::new(), None)
}

/// As the stock client does it: the attributes become the identifier.
fn identifier(tag: &StreamSource) -> Identifier {
    let tag = tag.to_string();
    let attribute = |name: &str| {
        let at = tag.split(&format!(" {name}=\"")).nth(1)?;
        Some(Value::from(at.split('"').next()?))
    };
    let names = [
        ("channel", "channel"),
        ("signed_stream_name", "signed-stream-name"),
        ("member", "data-member"),
        ("after", "data-after"),
        ("list", "data-list"),
    ];
    let said = names.into_iter();
    let said: Map<_, _> =
        said.filter_map(|(key, name)| Some((key.to_owned(), attribute(name)?))).collect();
    Identifier::decode(&Value::from(said).to_string()).unwrap()
}

fn subscribe_as(
    forebay: &Forebay,
    identifier: Identifier,
    identity: Identity,
) -> Result<Subscribed, Rejected> {
    let session = connect(forebay).hello(forebay_cable::Protocol::ActionCableV1Json).id;
    let request = Request { identity, session, identifier };
    let registry = Registry {
        channels: HashMap::new(),
        fallback: None,
        public_streams: Vec::new(),
        whispered_streams: Vec::new(),
        rosters: Rosters::default(),
    };
    match StandardChannels::new(Arc::clone(&forebay.core), registry).subscribe(request) {
        Answer::Now(answer) => answer,
        Answer::Later(_) => panic!("it is known"),
    }
}

fn subscribe(forebay: &Forebay, tag: &StreamSource) -> Result<Subscribed, Rejected> {
    subscribe_as(forebay, identifier(tag), Identity::anonymous())
}

#[test]
fn members_are_shown_by_their_partials_where_records_are() {
    let forebay = forebay();
    let before = forebay.position();
    let client = connect(&forebay);
    join(&client, "room:1", &visitor(7, "ann"));
    assert!(forebay.update_member(("room", 1), &visitor(7, "Ann")).unwrap());
    assert!(!forebay.update_member(("room", 1), &visitor(8, "bob")).unwrap());
    client.leave(SubscriptionId::default(), Ending::Left);
    let tag = |tag: Result<TurboStream, RenderError>| tag.unwrap().to_string();
    let expected = [
        tag(TurboStream::append("visitors").render(&visitor(7, "ann"))),
        tag(TurboStream::replace("visitor_7").render(&visitor(7, "Ann"))),
        TurboStream::remove("visitor_7").to_string(),
    ];
    assert_eq!(shown(&forebay, "room:1", before), expected);
}

#[test]
fn the_first_kind_that_fits_takes_a_stream_and_numbers_are_shown_when_they_change() {
    let count = |_: &str, total: usize| TurboStream::update("total").text(total.to_string());
    let forebay = Forebay::builder()
        .secret("a secret for tests")
        .presence(Presence::<Visitor>::silent().streams("room:*").count(count))
        .presence(Presence::<Visitor>::silent().joined(|stream, visitor| {
            TurboStream::update("last").text(format!("{} in {stream}", visitor.name))
        }))
        .build()
        .unwrap();
    let before = forebay.position();
    let [ann, bob] = [connect(&forebay), connect(&forebay)];
    join(&ann, "room:1", &visitor(7, "ann"));
    join(&ann, "room:1", &visitor(7, "Ann"));
    join(&bob, "hall", &visitor(8, "bob"));
    let total = |n: &str| TurboStream::update("total").text(n).to_string();
    assert_eq!(shown(&forebay, "room:1", before), [total("1")]);
    let last = TurboStream::update("last").text("bob in hall").to_string();
    assert_eq!(shown(&forebay, "hall", before), [last]);
}

#[test]
fn what_cannot_be_shown_has_pages_load_themselves_again() {
    let forebay = forebay();
    let before = forebay.position();
    join(&connect(&forebay), "room:1", &visitor(7, "unlucky"));
    assert_eq!(shown(&forebay, "room:1", before)[0], TurboStream::refresh().to_string());
}

#[test]
fn a_member_of_another_kind_is_not_shown_and_counts() {
    let forebay = forebay();
    let before = forebay.position();
    let client = connect(&forebay);
    client.join(SubscriptionId::default(), "room:1", &Member::new("x", "{}")).unwrap();
    assert!(shown(&forebay, "room:1", before).is_empty());
    let here = turbo(&forebay).members::<Visitor>(("room", 1)).unwrap();
    assert_eq!((here.len(), here.total()), (0, 1));
}

#[test]
fn the_first_in_and_the_last_out_are_told_once() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let (first, last) = (Arc::clone(&told), Arc::clone(&told));
    let presence = Presence::<Visitor>::silent()
        .first_in(move |stream| first.lock().push(format!("in {stream}")))
        .last_out(move |stream| last.lock().push(format!("out {stream}")));
    let forebay =
        Forebay::builder().secret("a secret for tests").presence(presence).build().unwrap();
    let [ann, bob] = [connect(&forebay), connect(&forebay)];
    join(&ann, "room:1", &visitor(7, "ann"));
    join(&bob, "room:1", &visitor(8, "bob"));
    ann.leave(SubscriptionId::default(), Ending::Left);
    bob.leave(SubscriptionId::default(), Ending::Left);
    join(&ann, "room:1", &visitor(7, "ann"));
    assert_eq!(*told.lock(), ["in room:1", "out room:1", "in room:1"]);
}

#[test]
fn a_tag_makes_present_whom_the_page_says_and_reads_on_from_its_list() {
    let forebay = forebay();
    let turbo = turbo(&forebay);
    let bob = connect(&forebay);
    join(&bob, "room:1", &visitor(8, "bob"));
    let here = turbo.members::<Visitor>(("room", 1)).unwrap();
    assert_eq!(&*here, [visitor(8, "bob")]);
    let after = forebay.position();
    let granted = subscribe(&forebay, &here.presence_from(&visitor(7, "ann")).unwrap()).unwrap();
    let [stream] = &granted.streams[..] else { panic!("one stream") };
    assert_eq!((&*stream.name, stream.begin), (&*presence_stream("room:1"), Begin::After(after)));
    let present = granted.presence.unwrap();
    let ann = Member::new("7", r#"{"id":7,"name":"ann"}"#);
    assert_eq!((&*present.stream, present.member), ("room:1", ann));
    // Without a list it reads on from where the request began: nothing is missing.
    let tag = turbo.presence_from(("room", 1), &visitor(7, "ann")).unwrap();
    let granted = subscribe(&forebay, &tag).unwrap();
    assert_eq!(granted.streams[0].begin, Begin::After(turbo.position()));
    assert!(subscribe(&forebay, &here.watch().unwrap()).unwrap().presence.is_none());
}

#[test]
fn what_a_page_said_long_ago_does_not_undo_what_the_app_has_said_since() {
    let forebay = forebay();
    let tag = turbo(&forebay).presence_from(("room", 1), &visitor(7, "ann")).unwrap();
    let ann = connect(&forebay);
    join(&ann, "room:1", &visitor(7, "ann"));
    forebay.update_member(("room", 1), &visitor(7, "Ann")).unwrap();
    let present = |tag: &StreamSource| subscribe(&forebay, tag).unwrap().presence.unwrap().member;
    assert!(present(&tag).info.contains("Ann"));
    let here = turbo(&forebay).members::<Visitor>(("room", 1)).unwrap();
    assert!(present(&here.presence_from(&visitor(7, "Anna")).unwrap()).info.contains("Anna"));
}

#[test]
fn a_tag_opens_nothing_but_what_it_was_made_for() {
    let forebay = forebay();
    let tag = |room: i64| {
        let turbo = turbo(&forebay);
        identifier(&turbo.presence_from(("room", room), &visitor(7, "ann")).unwrap())
    };
    let refused = |identifier: Identifier| {
        subscribe_as(&forebay, identifier, Identity::anonymous()).unwrap_err().why.into_owned()
    };
    let purpose = "the token was signed for another purpose";
    // The member of another stream.
    let mut crossed = tag(1);
    crossed.params.insert("member".to_owned(), tag(2).params["member"].clone());
    assert_eq!(refused(crossed), purpose);
    let mut forged = tag(1);
    forged.params.insert("member".to_owned(), Value::from("eyJpZCI6IjgifQ--00"));
    assert_eq!(refused(forged), "the signed stream name is malformed");
    let mut none = tag(1);
    none.params.insert("member".to_owned(), Value::from(7));
    assert_eq!(refused(none), "the signed stream name is malformed");
    assert_eq!(forebay.stats().iter().find(|(name, _)| *name == "presence_refused").unwrap().1, 3);
    // To read the stream itself.
    assert_eq!(
        refused(Identifier { channel: "Turbo::StreamsChannel".to_owned(), ..tag(1) }),
        purpose
    );
    // A tag of the stream itself.
    let own = turbo(&forebay).stream_from(("room", 1)).unwrap();
    let own = Identifier { channel: CHANNEL.to_owned(), ..identifier(&own) };
    assert_eq!(refused(own), purpose);
    // Whoever signs names by users' wish has not signed ours.
    let hidden = forebay.sign(&StreamName::raw(presence_stream("room:1")));
    let mut hidden_name = tag(1);
    hidden_name.params.insert("signed_stream_name".to_owned(), Value::from(hidden));
    assert_eq!(refused(hidden_name), purpose);
}

#[test]
fn a_tag_of_one_viewer_is_no_other_visitors() {
    let forebay = forebay();
    let here = turbo(&forebay).members::<Visitor>(("room", 1)).unwrap();
    let tag = identifier(&here.presence_from_for("user:7", &visitor(7, "ann")).unwrap());
    let ask = |identity| subscribe_as(&forebay, tag.clone(), identity);
    assert!(ask(Identity::named("user:7")).is_ok());
    let other = ask(Identity::named("user:8")).unwrap_err();
    assert_eq!(other.reason, forebay_cable::RejectReason::OtherViewer);
    assert!(ask(Identity::anonymous()).is_err());
    let own = turbo(&forebay).presence_from((crate::Viewer("user:7"), "inbox"), &visitor(7, "ann"));
    let own = identifier(&own.unwrap());
    assert!(subscribe_as(&forebay, own.clone(), Identity::named("user:7")).is_ok());
    assert!(subscribe_as(&forebay, own, Identity::named("user:8")).is_err());
}

#[tokio::test]
async fn access_that_was_taken_back_while_the_page_was_made_is_gone() {
    let forebay = forebay();
    let turbo = turbo(&forebay);
    forebay.revoke(Revocation::of("user:7", "room:1")).await.unwrap();
    // Read after it, by a handler that had looked at the rights before it.
    let here = turbo.members::<Visitor>(("room", 1)).unwrap();
    let tag = identifier(&here.presence_from(&visitor(7, "ann")).unwrap());
    let refused = subscribe_as(&forebay, tag, Identity::named("user:7")).unwrap_err();
    assert_eq!(refused.reason, forebay_cable::RejectReason::Revoked);
}

#[test]
fn a_tag_that_says_too_much_is_not_made() {
    let forebay = forebay();
    let tag = turbo(&forebay).presence_from(("room", 1), &visitor(7, &"x".repeat(4_000)));
    assert!(matches!(tag, Err(PresenceError::TooBig { .. })), "{tag:?}");
    let unsaved = turbo(&forebay).presence_from(("room", 1), &Unsaved { id: None });
    assert!(matches!(unsaved, Err(PresenceError::Unsaved { model: "Unsaved" })));
}

#[derive(Streamable, Serialize)]
#[streamable(crate = "::forebay_turbo")]
struct Unsaved {
    id: Option<i64>,
}

/// As an app in another language makes it, which can't ask who is there.
#[test]
fn members_that_bring_their_html_are_shown_by_it_also_to_a_page_that_asks_for_a_list() {
    let forebay =
        Forebay::builder().secret("a secret for tests").presence(Presence::html()).build().unwrap();
    let before = forebay.position();
    let info = |id: &str| {
        let key = MemberHtml::KEY;
        format!(r#"{{"{key}":{{"target":"users","id":"user_{id}","html":"<li id='user_{id}'>"}}}}"#)
    };
    let [ann, bob] = [connect(&forebay), connect(&forebay)];
    for (client, id) in [(&ann, "7"), (&bob, "8")] {
        let member = Member::new(id, info(id));
        client.join(SubscriptionId::default(), "room:1", &member).unwrap();
    }
    ann.leave(SubscriptionId::default(), Ending::Left);
    let tags = shown(&forebay, "room:1", before);
    assert!(tags[0].contains("append") && tags[0].contains("<li id='user_7'>"), "{}", tags[0]);
    assert_eq!(tags[2], TurboStream::remove("user_7").to_string());

    let stream = forebay.stream_name(("room", 1)).unwrap();
    let signed = forebay.core.keys.streams.sign_for(stream.as_str(), "presence:");
    let member = forebay
        .core
        .keys
        .streams
        .sign_for(&format!(r#"{{"id":"9","info":{}}}"#, info("9")), "member:room:1");
    let tag =
        StreamSource::new(signed).channel(CHANNEL).data("member", member).data("list", "true");
    let granted = subscribe(&forebay, &tag).unwrap();
    let list: String = serde_json::from_slice(&granted.transmissions[0]).unwrap();
    let expected = TurboStream::update("users").html(Html::raw("<li id='user_8'>"));
    assert_eq!(list, expected.to_string());
}
