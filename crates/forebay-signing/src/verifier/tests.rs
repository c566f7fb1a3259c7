//! Against tokens made by stock Rails, and by property.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::{SIGNED_BYTES_MAX, Verifier, VerifyError};
use crate::{Key, KeyDigest};

fn rails() -> &'static Verifier {
    static RAILS: LazyLock<Verifier> = LazyLock::new(|| {
        Verifier::new(Key::derive_turbo("0123456789abcdef".repeat(8), KeyDigest::Sha256))
    });
    &RAILS
}

#[track_caller]
fn check_signs(name: &str, signed: &str) {
    assert_eq!(rails().sign(name), signed);
    if name.is_empty() {
        assert_eq!(rails().verify(signed, 0), Err(VerifyError::EmptyName));
    } else {
        assert_eq!(rails().verify(signed, 0).as_deref(), Ok(name));
    }
}

#[test]
fn signs_as_rails_does() {
    check_signs(
        "stream",
        "InN0cmVhbSI=--3ef1892d16e51c591aad9a68ebea8b5ac2f33de7077bd898d7d4cdbf24c09e41",
    );
    check_signs(
        "a<b>&c",
        "ImE8Yj4mYyI=--add1b46a0c8bdd403b0e7fdf29e1f2efad0bca812827f23790d78f25b53efcfc",
    );
    check_signs(
        "café:\u{2028}",
        "ImNhZsOpOuKAqCI=--c717da175bc0d983cd4a1bbfbfb7c9be02ad5b698853851b6875b214fabceca7",
    );
    check_signs(
        "with \"quotes\" and \\",
        "IndpdGggXCJxdW90ZXNcIiBhbmQgXFwi--06a87cce362ced333ec262849b7453eba974a8d12c4b279fb9ae91fa61144d16",
    );
    check_signs("😀", "IvCfmIAi--ea66429c50684767ae87c68e54ba26f219131c203fe3793fbb5a0aae9cd7541a");
    check_signs(
        "tab\tnl\n",
        "InRhYlx0bmxcbiI=--cc262f3445e5413471f2bd1fd1b2bc4328384b777737f358456c33c347fcef62",
    );
    check_signs(
        "channel:::messages",
        "ImNoYW5uZWw6OjptZXNzYWdlcyI=--fa9effc34e46c75fc5d1cbcabf9f2ed3ca48bc4a1e13205e332903df8e33f11f",
    );
    check_signs("", "IiI=--35da9025ceb4309917df6dfc94e181b072d7c90f0f17cc3466e7479a521795b0");
    check_signs(
        "stream???>>>~~~",
        "InN0cmVhbT8/Pz4+Pn5+fiI=--e477486ae3bdeaec53387d4fac34d7f422b24f59434490b29c83baa76fdca2e0",
    );
}

#[track_caller]
fn check_reads(signed: &str, expected: Result<&str, VerifyError>) {
    let year_2026 = 1_767_225_600_000;
    assert_eq!(rails().verify(signed, year_2026), expected.map(str::to_owned));
}

#[test]
fn reads_what_rails_signs() {
    use VerifyError::{Expired, NotAName, WrongPurpose};
    // url-safe alphabet, no padding
    check_reads(
        "InN0cmVhbT8_Pz4-Pn5-fiI--fca53a1b9193511395cbf2ad1e8d4a4ffe5fa5acd83cd38ae1442d0531508dab",
        Ok("stream???>>>~~~"),
    );
    // JSON 1 and null
    check_reads("MQ==--3a964679e1aef7e1da053b668b50de1f4ecf18f76ac3e572abe4c43917beced3", Ok("1"));
    check_reads(
        "bnVsbA==--62a92723081ba1ff8fa98fe21877da20f24cfa213865197b5b729e8545aa28ff",
        Err(NotAName),
    );
    // expiry 2099, the new and the legacy envelope
    check_reads(
        "eyJfcmFpbHMiOnsiZGF0YSI6InN0cmVhbSIsImV4cCI6IjIwOTktMDEtMDFUMDA6MDA6MDAuMDAwWiJ9fQ==--3dc77bb516c4d71fa397d4ddabdd7197283ea2f48b70a8e3e8061b2e87872e78",
        Ok("stream"),
    );
    check_reads(
        "eyJfcmFpbHMiOnsibWVzc2FnZSI6IkluTjBjbVZoYlNJPSIsImV4cCI6IjIwOTktMDEtMDFUMDA6MDA6MDAuMDAwWiIsInB1ciI6bnVsbH19--539375cbe8b8c5b60e8ae23208dae5bb15558e233717915e68f64cf709572e5e",
        Ok("stream"),
    );
    // expired 2020, purpose "turbo", an unknown member beside a good expiry
    check_reads(
        "eyJfcmFpbHMiOnsiZGF0YSI6InN0cmVhbSIsImV4cCI6IjIwMjAtMDEtMDFUMDA6MDA6MDAuMDAwWiJ9fQ==--5e465366630ce18cb592ab318aa8ba1c110666829bbd412c68626975140a8119",
        Err(Expired),
    );
    check_reads(
        "eyJfcmFpbHMiOnsiZGF0YSI6InN0cmVhbSIsInB1ciI6InR1cmJvIn19--e3af2cfc845fe075b61eb668413e31e91fd71b906819f693612f02e5147941ed",
        Err(WrongPurpose),
    );
    check_reads(
        "eyJfcmFpbHMiOnsiZGF0YSI6InN0cmVhbSIsImV4cCI6IjIwOTktMDEtMDFUMDA6MDA6MDAuMDAwWiIsInN1YiI6InVzZXItMSJ9fQ==--a2029b1df87fca1eb7decb77c5a4965076358426454b2de7c389ae79a378e06b",
        Ok("stream"),
    );
}

#[test]
fn an_expiring_name_is_the_token_rails_makes() {
    let year_2099 = 4_070_908_800_000;
    assert_eq!(
        rails().sign_expiring("stream", year_2099),
        "eyJfcmFpbHMiOnsiZGF0YSI6InN0cmVhbSIsImV4cCI6IjIwOTktMDEtMDFUMDA6MDA6MDAuMDAwWiJ9fQ==\
         --3dc77bb516c4d71fa397d4ddabdd7197283ea2f48b70a8e3e8061b2e87872e78"
    );
    let endless = rails().sign_expiring("stream", u64::MAX);
    assert_eq!(rails().verify(&endless, year_2099).as_deref(), Ok("stream"));
    assert_eq!(rails().verify(&endless, u64::MAX), Err(VerifyError::Expired));
}

#[track_caller]
fn check_payload(json: &str, expected: Result<&str, VerifyError>) {
    assert_eq!(rails().verify(&rails().seal(json), 0), expected.map(str::to_owned), "{json}");
}

#[test]
fn a_signed_payload_of_another_kind() {
    use VerifyError::{EmptyName, NotAName, WrongPurpose};
    check_payload("1.5", Ok("1.5"));
    check_payload("-7", Ok("-7"));
    check_payload("18446744073709551615", Ok("18446744073709551615"));
    check_payload("1e3", Ok("1000.0"));
    check_payload("1e20", Err(NotAName));
    check_payload("true", Ok("true"));
    check_payload("false", Err(NotAName));
    check_payload("[\"a\"]", Err(NotAName));
    check_payload("{\"a\":1}", Err(NotAName));
    check_payload("not json", Err(NotAName));
    check_payload("\"a\" \"b\"", Err(NotAName));
    check_payload("{\"_rails\":{}}", Err(NotAName));
    check_payload("{\"_rails\":{\"data\":\"\"}}", Err(EmptyName));
    check_payload("{\"_rails\":{\"data\":\"a\",\"exp\":5}}", Err(NotAName));
    check_payload("{\"_rails\":{\"data\":\"a\",\"exp\":\"soon\"}}", Err(NotAName));
    check_payload("{\"_rails\":{\"data\":\"a\",\"exp\":null,\"pur\":\"\"}}", Ok("a"));
    check_payload("{\"_rails\":{\"data\":\"a\",\"pur\":1}}", Err(WrongPurpose));
    check_payload("{\"_rails\":{\"data\":\"a\",\"exp\":\"2000-01-01T02:00:00+02:00\"}}", Ok("a"));
    check_payload("{\"_rails\":{\"message\":\"ImEi\"}}", Ok("a"));
    check_payload("{\"_rails\":{\"message\":\"bnVsbA==\"}}", Err(NotAName));
    check_payload("{\"_rails\":{\"message\":\"?\"}}", Err(NotAName));
    // a deep payload must not overflow the stack
    check_payload(&"[".repeat(3000), Err(NotAName));
}

#[test]
fn refuses_what_is_not_a_signed_name() {
    use VerifyError::{BadSignature, Malformed, TooLong};
    let signed = rails().sign("messages");
    let (payload, mac) = signed.split_once("--").unwrap();
    check_reads("", Err(Malformed));
    check_reads(payload, Err(Malformed));
    check_reads(mac, Err(Malformed));
    check_reads(&format!("--{mac}"), Err(Malformed));
    check_reads(&format!("{payload}-{mac}"), Err(Malformed));
    check_reads(&format!("{payload}----{mac}"), Err(BadSignature));
    check_reads(&format!("{payload}--{}", mac.to_uppercase()), Err(BadSignature));
    check_reads(&format!("{payload}--{}é", &mac[..63]), Err(Malformed));
    check_reads(&format!(" {signed}"), Err(BadSignature));
    check_reads(&format!("{signed}\n"), Err(Malformed));
    check_reads(&"a".repeat(SIGNED_BYTES_MAX + 1), Err(TooLong));
}

#[test]
fn the_longest_supported_name_fits_the_limit() {
    let worst = "\u{1}".repeat(1024);
    let signed = rails().sign_expiring(&worst, 1);
    assert!(signed.len() <= SIGNED_BYTES_MAX, "{}", signed.len());
    assert_eq!(rails().verify(&signed, 0), Ok(worst));
}

#[test]
fn rotation_accepts_older_keys_and_signs_with_the_newest() {
    let (old, older, new) = (Key::raw("old"), Key::raw("older"), Key::raw("new"));
    let rotated = Verifier::new(&new).rotate(&old).rotate(&older);
    for key in [&new, &old, &older] {
        assert_eq!(rotated.verify(&Verifier::new(key).sign("s"), 0).as_deref(), Ok("s"));
    }
    assert_eq!(rotated.sign("s"), Verifier::new(&new).sign("s"));
    assert!(Verifier::new(&old).verify(&rotated.sign("s"), 0).is_err());
}

proptest! {
    #[test]
    fn round_trips(name in "\\PC{1,80}|[\\x00-\\x7f]{1,80}", ms in 1..u64::MAX) {
        prop_assert_eq!(&rails().verify(&rails().sign(&name), 0).unwrap(), &name);
        prop_assert_eq!(&rails().verify(&rails().sign_expiring(&name, ms), 0).unwrap(), &name);
    }

    #[test]
    fn no_truncation_verifies(name in "[a-z:]{1,20}") {
        let signed = rails().sign(&name);
        for length in 0..signed.len() {
            prop_assert!(rails().verify(&signed[..length], 0).is_err());
        }
    }

    #[test]
    fn no_flipped_bit_verifies(name in "[a-z:]{1,12}") {
        let verifier = Verifier::new(Key::raw("k"));
        let signed = verifier.sign(&name);
        for (at, bit) in (0..signed.len()).flat_map(|at| (0..7).map(move |bit| (at, bit))) {
            let mut bytes = signed.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            prop_assert!(verifier.verify(&String::from_utf8(bytes).unwrap(), 0).is_err());
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = rails().verify(&text, 0);
    }
}
