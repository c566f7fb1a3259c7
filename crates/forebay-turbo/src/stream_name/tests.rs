//! Which names are made, which are refused, and that no two lists of parts share one.

use std::borrow::Cow;
use std::sync::Arc;

use proptest::prelude::*;

use super::{STREAM_NAME_BYTES_MAX, StreamName, StreamNameBuilder, StreamNameError};
use crate::{ModelName, RecordKey, Streamable};

struct Room(Option<&'static str>);

impl Streamable for Room {
    fn write_parts(&self, name: &mut StreamNameBuilder<'_>) -> Result<(), StreamNameError> {
        name.push_record(&ModelName::new("Room"), self.0.map(RecordKey::new).as_ref())
    }
}

#[track_caller]
fn check(parts: &(impl Streamable + ?Sized), expected: &str) {
    assert_eq!(StreamName::of("chat", parts).unwrap().as_str(), expected);
    assert_eq!(StreamName::rails_compatible("chat", parts).unwrap().as_str(), expected);
}

#[track_caller]
fn check_refused(parts: &(impl Streamable + ?Sized), expected: &StreamNameError) {
    assert_eq!(StreamName::of("chat", parts).as_ref(), Err(expected));
}

#[test]
fn parts_of_every_kind() {
    check("messages", "messages");
    check(&String::from("messages"), "messages");
    check(&Cow::Borrowed("messages"), "messages");
    check(&Arc::<str>::from("messages"), "messages");
    check(&Box::new(5_u64), "5");
    check(&(1, -2_i128, 3_usize, true, "ünï 🚀", 1.5), "1:-2:3:true:ünï 🚀:1.5");
    check(&(&Room(Some("1")), "messages"), "Z2lkOi8vY2hhdC9Sb29tLzE:messages");
    check(&vec!["a", "b"], "a:b");
    check(&(("a", ["b"]), [[["c"]]]), "a:b:c");
    check(&(StreamName::raw("taken:whole"), 1), "taken:whole:1");
}

#[test]
fn ambiguous_names_are_refused() {
    let separator = |part: &str| StreamNameError::Separator { part: part.into() };
    check_refused(&("a:b", "c"), &separator("a:b"));
    check_refused(&("a", "b:c"), &separator("b:c"));
    check_refused("", &StreamNameError::BlankPart { position: 1 });
    check_refused(&("a", " \t", "b"), &StreamNameError::BlankPart { position: 2 });
    check_refused(&[""; 0], &StreamNameError::Nothing);
    check_refused(&StreamName::raw(""), &StreamNameError::Nothing);
    check_refused(&Room(None), &StreamNameError::NewRecord { model: "Room".into() });
    check_refused(&Room(Some("")), &StreamNameError::EmptyKey { model: "Room".into() });
    check_refused(&"x".repeat(STREAM_NAME_BYTES_MAX + 1), &StreamNameError::TooLong);
    let wrong_app = StreamName::of("a/b", &Room(Some("1")));
    assert_eq!(wrong_app, Err(StreamNameError::InvalidApp { app: "a/b".into() }));
}

#[test]
fn rails_joins_whatever_there_is() {
    let name = |parts: &[&str]| StreamName::rails_compatible("chat", parts).unwrap().to_string();
    assert_eq!(name(&["a:b", "c"]), name(&["a", "b:c"]));
    assert_eq!(name(&["channel", "", "", "messages"]), "channel:::messages");
    assert_eq!(name(&["", " x"]), ": x");
    assert_eq!(name(&[]), "");
    assert!(StreamName::rails_compatible("chat", &Room(None)).is_err());
}

proptest! {
    /// S14: different parts never share a stream.
    #[test]
    fn names_are_unambiguous(
        a in prop::collection::vec("[ab:]{0,3}", 0..4),
        b in prop::collection::vec("[ab:]{0,3}", 0..4),
    ) {
        if let (Ok(name_a), Ok(name_b)) = (StreamName::of("chat", &a), StreamName::of("chat", &b)) {
            prop_assert_eq!(a == b, name_a == name_b);
        }
    }

    /// A name that is accepted is the one that Rails would make.
    #[test]
    fn strict_names_are_rails_names(parts in prop::collection::vec("\\PC{0,5}", 0..4)) {
        if let Ok(name) = StreamName::of("chat", &parts) {
            prop_assert_eq!(name, StreamName::rails_compatible("chat", &parts).unwrap());
        }
    }
}
