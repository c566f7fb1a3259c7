//! One spelling per cursor, none forged: by example and by property.

use proptest::prelude::*;

use super::{CURSOR_BYTES_MAX, Cursor, CursorError, CursorSigner};
use crate::{Key, Verifier};

fn signer() -> CursorSigner {
    CursorSigner::new(Key::raw("secret"))
}

/// `position` with the signature that it would have if it were acceptable.
fn sealed(position: &str) -> String {
    let mac = super::mac_text(&signer().current, position.as_bytes());
    format!("{position}.{}", std::str::from_utf8(&mac).unwrap())
}

#[test]
fn the_largest_cursor_fills_the_limit() {
    let largest = Cursor { epoch: u64::MAX, offset: u64::MAX, page: u64::MAX };
    let text = signer().sign(largest);
    assert_eq!(text.len(), CURSOR_BYTES_MAX);
    assert_eq!(signer().verify(&text), Ok(largest));
    assert_eq!(signer().verify(&format!("{text}x")), Err(CursorError::TooLong));
}

#[test]
fn other_spellings_are_refused_though_signed() {
    assert_eq!(signer().verify(&sealed("a.1.0")), Ok(Cursor { epoch: 10, offset: 1, page: 0 }));
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
        assert_eq!(signer().verify(&sealed(position)), Err(CursorError::Malformed), "{position:?}");
    }
}

#[test]
fn a_rotated_key_still_verifies() {
    let cursor = Cursor { epoch: 1, offset: 2, page: 3 };
    let old = CursorSigner::new(Key::raw("old"));
    let text = old.sign(cursor);
    assert_eq!(signer().verify(&text), Err(CursorError::BadSignature));
    let rotated = signer().rotate(Key::raw("older")).rotate(Key::raw("old"));
    assert_eq!(rotated.verify(&text), Ok(cursor));
    assert_eq!(signer().verify(&rotated.sign(cursor)), Ok(cursor));
}

#[test]
fn a_signed_stream_name_is_not_a_cursor() {
    let key = Key::raw("secret");
    let signed = Verifier::new(&key).sign("1.2.3");
    assert!(CursorSigner::new(&key).verify(&signed).is_err());
    assert!(
        Verifier::new(&key)
            .verify(&signer().sign(Cursor { epoch: 1, offset: 2, page: 3 }), 0)
            .is_err()
    );
}

fn cursors() -> impl Strategy<Value = Cursor> {
    any::<(u64, u64, u64)>().prop_map(|(epoch, offset, page)| Cursor { epoch, offset, page })
}

proptest! {
    #[test]
    fn round_trips(cursor in cursors()) {
        prop_assert_eq!(signer().verify(&signer().sign(cursor)), Ok(cursor));
    }

    #[test]
    fn no_truncation_verifies(cursor in cursors()) {
        let text = signer().sign(cursor);
        for length in 0..text.len() {
            prop_assert!(signer().verify(&text[..length]).is_err());
        }
    }

    #[test]
    fn no_flipped_bit_verifies(cursor in cursors()) {
        let text = signer().sign(cursor);
        for (at, bit) in (0..text.len()).flat_map(|at| (0..7).map(move |bit| (at, bit))) {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let flipped = String::from_utf8(bytes).unwrap();
            prop_assert!(signer().verify(&flipped).is_err(), "{}", flipped);
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,90}") {
        let _ = signer().verify(&text);
    }
}
