//! One spelling per cursor, none forged: by example and by property.

use proptest::prelude::*;

use super::{
    CURSOR_BYTES_MAX, Cursor, CursorError, CursorSigner, PageCursor, SEEN_BYTES_MAX, Subject,
    VerifiedCursor,
};
use crate::{Key, Verifier};

fn signer() -> CursorSigner {
    CursorSigner::new(Key::raw("secret"))
}

const NAME: Subject<'_> = Subject::Signed("Im1lc3NhZ2VzIg==--8b0a");

fn signed(cursor: Cursor) -> String {
    signer().page(cursor).cursor_for(NAME)
}

fn verified(text: &str) -> Result<Cursor, CursorError> {
    signer().verify(text, NAME)
}

/// `position` with the signature that it would have if it were acceptable.
fn sealed(position: &str) -> String {
    let mac = super::mac_text(&*super::secret(&signer().current, position), None, NAME);
    format!("{position}.{}", std::str::from_utf8(&mac).unwrap())
}

/// What whoever makes cursors in another language has to arrive at, too.
#[test]
fn the_text_is_what_the_documentation_says() {
    let page = signer().page(Cursor { epoch: 0xfeed, offset: 41, page: 7 });
    assert_eq!(page.as_str(), "feed.41.7._-E_wlJDgozdx6PdyPraBBwXg43fzaIs_xHZ1Oyq9D8");
    assert_eq!(page.cursor_for(NAME), "feed.41.7.JUg5_JDkHtbMiLIM");
    assert_eq!(format!("{page:?}"), r#"PageCursor("feed.41.7")"#);
}

#[test]
fn a_cursor_is_good_for_its_subject_only() {
    let cursor = Cursor { epoch: 1, offset: 2, page: 3 };
    let page = signer().page(cursor);
    let subjects = [
        Subject::Channel,
        Subject::Public(""),
        Subject::Public("a"),
        Subject::Public("stream_name=a"),
        Subject::Signed(""),
        Subject::Signed("a"),
        Subject::Signed("signed_stream_name=a"),
    ];
    for subject in subjects {
        let text = page.cursor_for(subject);
        assert_eq!(signer().verify(&text, subject), Ok(cursor));
        for other in subjects.into_iter().filter(|other| *other != subject) {
            assert_eq!(signer().verify(&text, other), Err(CursorError::BadSignature));
        }
    }
}

#[test]
fn a_page_cursor_makes_the_same_elsewhere_and_is_none_itself() {
    let page = signer().page(Cursor { epoch: 1, offset: 2, page: 3 });
    let elsewhere = PageCursor::parse(page.as_str()).unwrap();
    assert_eq!(elsewhere.cursor_for(NAME), page.cursor_for(NAME));
    assert_eq!(verified(page.as_str()), Err(CursorError::Malformed));
    for none in
        ["", "1.2.3", &page.cursor_for(NAME), &format!("{}x", page.as_str()), &page.as_str()[1..]]
    {
        assert!(PageCursor::parse(none).is_none(), "{none}");
    }
}

#[test]
fn the_largest_cursor_fills_the_limit() {
    let largest = Cursor { epoch: u64::MAX, offset: u64::MAX, page: u64::MAX };
    let text = signed(largest);
    assert_eq!(text.len(), CURSOR_BYTES_MAX);
    assert_eq!(verified(&text), Ok(largest));
    assert_eq!(verified(&format!("{text}x")), Err(CursorError::TooLong));
}

#[test]
fn other_spellings_are_refused_though_signed() {
    assert_eq!(verified(&sealed("a.1.0")), Ok(Cursor { epoch: 10, offset: 1, page: 0 }));
    for position in [
        "0a.1.0",
        "A.1.0",
        "+a.1.0",
        "a.01.0",
        "a.+1.0",
        "a.-1.0",
        "a.1f.0",
        "a.1.00",
        "a.1",
        "a",
        "a.1.0.0",
        ".1.0",
        "a..0",
        "a.1.",
        "",
        "a.1.0 ",
        " a.1.0",
        "a.1.g",
        "a.1.0\n",
        "10000000000000000.1.0",
        "a.18446744073709551616.0",
        "a.١.0",
    ] {
        assert_eq!(verified(&sealed(position)), Err(CursorError::Malformed), "{position:?}");
    }
}

#[test]
fn a_rotated_key_still_verifies() {
    let cursor = Cursor { epoch: 1, offset: 2, page: 3 };
    let old = CursorSigner::new(Key::raw("old"));
    let text = old.page(cursor).cursor_for(NAME);
    assert_eq!(verified(&text), Err(CursorError::BadSignature));
    let rotated = signer().rotate(Key::raw("older")).rotate(Key::raw("old"));
    assert_eq!(rotated.verify(&text, NAME), Ok(cursor));
    assert_eq!(verified(&rotated.page(cursor).cursor_for(NAME)), Ok(cursor));
}

#[test]
fn a_signed_stream_name_is_not_a_cursor() {
    let key = Key::raw("secret");
    let name = Verifier::new(&key).sign("1.2.3");
    assert!(verified(&name).is_err());
    let cursor = signed(Cursor { epoch: 1, offset: 2, page: 3 });
    assert!(Verifier::new(&key).verify(&cursor, 0).is_err());
}

fn cursors() -> impl Strategy<Value = Cursor> {
    any::<(u64, u64, u64)>().prop_map(|(epoch, offset, page)| Cursor { epoch, offset, page })
}

proptest! {
    #[test]
    fn round_trips(cursor in cursors()) {
        prop_assert_eq!(verified(&signed(cursor)), Ok(cursor));
    }

    #[test]
    fn no_truncation_verifies(cursor in cursors()) {
        let text = signed(cursor);
        for length in 0..text.len() {
            prop_assert!(verified(&text[..length]).is_err());
        }
    }

    #[test]
    fn no_flipped_bit_verifies(cursor in cursors()) {
        let text = signed(cursor);
        for (at, bit) in (0..text.len()).flat_map(|at| (0..7).map(move |bit| (at, bit))) {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let flipped = String::from_utf8(bytes).unwrap();
            prop_assert!(verified(&flipped).is_err(), "{}", flipped);
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,90}") {
        let _ = verified(&text);
    }
}

#[test]
fn an_exact_cursor_says_what_was_seen() {
    let cursor = Cursor { epoch: 0xfeed, offset: 41, page: 7 };
    let seen = "5ca1e-7-10-2d8-3-0_2";
    let page = signer().page(cursor).with_seen(seen).unwrap();
    let text = page.cursor_for(NAME);
    assert_eq!(text, format!("feed.41.7.{seen}.a7blri4n4vVgWFWz"));
    let verified = signer().verify_exact(&text, NAME);
    assert_eq!(verified, Ok(VerifiedCursor { cursor, seen: Some(seen) }));
    assert_eq!(signer().verify(&text, NAME), Ok(cursor));
    let plain = signed(cursor);
    assert_eq!(signer().verify_exact(&plain, NAME), Ok(VerifiedCursor { cursor, seen: None }));
}

#[test]
fn what_was_seen_is_signed() {
    let cursor = Cursor { epoch: 1, offset: 2, page: 3 };
    let page = signer().page(cursor);
    let exact = page.clone().with_seen("a-b-c").unwrap().cursor_for(NAME);
    for forged in [
        exact.replace("a-b-c", "a-b-d"),
        exact.replace(".a-b-c", ""),
        signed(cursor).replacen("1.2.3.", "1.2.3.a-b-c.", 1),
    ] {
        assert_eq!(verified(&forged), Err(CursorError::BadSignature), "{forged}");
    }
    for malformed in [exact.replace("a-b-c", ""), exact.replace("a-b-c", "a-B"), exact + ".x"] {
        assert_eq!(verified(&malformed), Err(CursorError::Malformed), "{malformed}");
    }
    for subject in [Subject::Channel, Subject::Public("a"), Subject::Signed("a")] {
        let text = page.clone().with_seen("a-b").unwrap().cursor_for(subject);
        assert!(signer().verify(&text, subject).is_ok());
        assert_eq!(signer().verify(&text, NAME), Err(CursorError::BadSignature));
    }
    for seen in ["", "a.b", "A", "é", "ab", &"a-".repeat(SEEN_BYTES_MAX / 2 + 1)] {
        assert!(page.clone().with_seen(seen).is_none(), "{seen}");
    }
}

#[test]
fn the_largest_exact_cursor_fills_its_limit() {
    let cursor = Cursor { epoch: u64::MAX, offset: u64::MAX, page: u64::MAX };
    let page = signer().page(cursor).with_seen(&"a-".repeat(SEEN_BYTES_MAX / 2)).unwrap();
    let text = page.cursor_for(NAME);
    assert_eq!(text.len(), CURSOR_BYTES_MAX + 1 + SEEN_BYTES_MAX);
    assert_eq!(verified(&text), Ok(cursor));
    assert_eq!(verified(&format!("{text}x")), Err(CursorError::TooLong));
}
