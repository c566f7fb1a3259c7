//! Cursors: one text for one cursor and name, and none without the key.
#![no_main]

use forebay_signing::{Cursor, CursorSigner, Key, Subject};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let signer = CursorSigner::new(Key::raw("a key"));
    if let Ok(text) = str::from_utf8(data) {
        assert!(signer.verify(text, Subject::Public(text)).is_err());
    }
    if let Some(bytes) = data.first_chunk::<24>() {
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let cursor = Cursor { epoch: number(0), offset: number(8), page: number(16) };
        let name = String::from_utf8_lossy(&data[24..]);
        let text = signer.page(cursor).cursor_for(Subject::Signed(&name));
        assert_eq!(signer.verify(&text, Subject::Signed(&name)), Ok(cursor));
        assert!(signer.verify(&text, Subject::Signed(&format!("{name} "))).is_err());
        assert!(signer.verify(&text, Subject::Public(&name)).is_err());
        // Any other text of the same length is refused.
        let mut other = text.into_bytes();
        let at = usize::from(data[0]) % other.len();
        other[at] ^= 1 << (data[1] % 7);
        if let Ok(other) = String::from_utf8(other) {
            assert!(signer.verify(&other, Subject::Signed(&name)).is_err());
        }
    }
});
