//! What the derive makes of structs that it accepts.

use forebay_derive::Streamable;
use forebay_turbo::{Record, StreamName, StreamNameError, Target, TurboStream, new_dom_id};

#[derive(Streamable)]
#[streamable(crate = "::forebay_turbo")]
struct LineItem {
    id: u64,
}

#[derive(Streamable)]
#[streamable(crate = "::forebay_turbo", model = "Bullhorn::Message")]
struct Message {
    id: Option<i64>,
    #[expect(dead_code, reason = "a record has more than its key")]
    body: String,
}

#[derive(Streamable)]
#[streamable(crate = "::forebay_turbo")]
#[streamable(model = "Seat")]
struct Reservation {
    #[streamable(key)]
    tenant: &'static str,
    #[expect(dead_code, reason = "`id` is not the key if others are marked")]
    id: Vec<u8>,
    #[streamable(key)]
    #[expect(unused_qualifications, reason = "a qualified `Option` is recognised too")]
    number: std::option::Option<u32>,
}

#[derive(Streamable)]
#[streamable(crate = "forebay_turbo")]
struct Pair<'a, T>(#[streamable(key)] &'a T, #[streamable(key)] Option<T>)
where
    T: Clone;

#[derive(Streamable)]
#[streamable(crate = "::forebay_turbo")]
struct Marked<S> {
    id: u64,
    state: std::marker::PhantomData<S>,
}

struct NotDisplay;

mod nested {
    #[derive(forebay_derive::Streamable)]
    #[streamable(crate = "::forebay_turbo")]
    pub(crate) struct r#Type {
        pub(crate) r#id: Id,
    }

    #[derive(Clone, Copy)]
    pub(crate) struct Id(pub(crate) u8);

    impl std::fmt::Display for Id {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "t{}", self.0)
        }
    }
}

fn message(id: Option<i64>) -> Message {
    Message { id, body: String::new() }
}

#[test]
fn a_record_has_the_names_that_rails_gives_it() {
    let item = LineItem { id: 23 };
    assert_eq!(LineItem::model().plural(), "line_items");
    assert_eq!(item.dom_id(), "line_item_23");
    assert_eq!(item.gid_param("chat").as_deref(), Some("Z2lkOi8vY2hhdC9MaW5lSXRlbS8yMw"));
    assert_eq!(message(Some(1)).dom_id_with("edit"), "edit_bullhorn_message_1");
    assert_eq!(new_dom_id::<Message>(), "new_bullhorn_message");
    assert_eq!(nested::Type { id: nested::Id(7) }.dom_id(), "type_t7");
}

#[test]
fn a_record_names_a_stream_once_it_is_saved() {
    let name = |id| StreamName::of("chat", &(message(id), "comments"));
    let saved = name(Some(23)).unwrap();
    assert_eq!(saved.as_str(), "Z2lkOi8vY2hhdC9CdWxsaG9ybjo6TWVzc2FnZS8yMw:comments");
    let model = "Bullhorn::Message".to_owned();
    assert_eq!(name(None), Err(StreamNameError::NewRecord { model }));
}

#[test]
fn composite_keys_need_all_parts() {
    let seat = |number| Reservation { tenant: "a/b", id: vec![], number };
    assert_eq!(seat(Some(4)).dom_id(), "seat_a/b_4");
    assert_eq!(seat(Some(4)).global_id("app").as_deref(), Some("gid://app/Seat/a%2Fb/4"));
    assert_eq!(seat(None).dom_id(), "new_seat");
    assert_eq!(
        Marked { id: 1, state: std::marker::PhantomData::<NotDisplay> }.dom_id(),
        "marked_1"
    );
    assert_eq!(Pair(&"x", Some("y")).dom_id(), "pair_x_y");
}

#[test]
fn records_are_targets() {
    let item = LineItem { id: 1 };
    assert_eq!(Target::from(&item), Target::Id("line_item_1".into()));
    assert_eq!(Target::from((&item, "index")), Target::Id("index_line_item_1".into()));
    assert_eq!(Target::selector_of(&item), Target::Selector("#line_item_1".into()));
    assert_eq!(
        TurboStream::remove((&item, String::from("x"))).to_string(),
        r#"<turbo-stream action="remove" target="x_line_item_1"></turbo-stream>"#
    );
}
