//! The verifier: nothing passes that was not signed, whatever it looks like.
#![no_main]

use forebay_signing::{Key, Verifier};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let verifier = Verifier::new(Key::raw("one key")).rotate(Key::raw("another"));
    // A name that verifies by luck is a forged one.
    assert!(verifier.verify(text, 0).is_err());
    // And every name that is signed verifies, unless it is too long or empty.
    if !text.is_empty() && text.len() < 1024 {
        assert_eq!(verifier.verify(&verifier.sign(text), 0).as_deref(), Ok(text));
    }
});
