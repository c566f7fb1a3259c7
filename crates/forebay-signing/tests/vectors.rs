//! Keys and signed names against what a real Rails made and refused.
#![expect(unreachable_pub, reason = "`support` is shared with forebay-turbo's tests")]

mod support;

use forebay_signing::{Key, KeyDigest, Verifier};
use support::{Json, Row, check_known_tables, check_table, expect_equal};

/// 2026-01-01: between the vectors' expiries of 2001 and 2099.
const NOW_MS: u64 = 1_767_225_600_000;

const HERE: [&str; 4] = [
    "verifier_keys",
    "signed_stream_names",
    "rejected_signed_stream_names",
    "signed_with_metadata",
];
const ELSEWHERE: [&str; 9] = [
    "_source",
    "broadcasts",
    "models",
    "global_ids",
    "dom_ids",
    "stream_names",
    "stream_tags",
    "frame_tags",
    "stream_from_tags",
];

#[test]
fn vectors_tables_are_known() {
    check_known_tables(&HERE, &ELSEWHERE);
}

#[test]
fn vectors_verifier_keys() {
    check_table("verifier_keys", |row| {
        let (secret, salt) = (row.text("secret_key_base")?, row.text("salt")?);
        let digest = match row.text("prf")?.as_str() {
            "HMAC-SHA256" => KeyDigest::Sha256,
            "HMAC-SHA1" => KeyDigest::Sha1,
            other => return Err(format!("unknown prf {other:?}")),
        };
        let iterations = number(row, "iterations")?;
        let length = usize::try_from(number(row, "length")?).map_err(|error| error.to_string())?;
        let key = Key::derive(secret, salt, iterations, digest, length);
        expect_equal("key", &key.expose_hex(), &row.text("key_hex")?)
    });
}

#[test]
fn vectors_signed_stream_names() {
    check_table("signed_stream_names", |row| {
        let verifier = verifier(row)?;
        let (name, signed) = (row.text("stream_name")?, row.text("signed_stream_name")?);
        expect_equal("signed", &verifier.sign(&name), &signed)?;
        let read = verifier.verify(&signed, NOW_MS).ok();
        expect_equal("verified", &read, &Some(name).filter(|name| !name.is_empty()))
    });
}

#[test]
fn vectors_rejected_signed_stream_names() {
    check_table("rejected_signed_stream_names", check_verified);
}

#[test]
fn vectors_signed_with_metadata() {
    check_table("signed_with_metadata", check_verified);
}

fn check_verified(row: &mut Row) -> Result<(), String> {
    row.text("case")?;
    let verified = verifier(row)?.verify(&row.text("signed_stream_name")?, NOW_MS);
    let expected = match row.take("verified").ok_or("`verified` is missing")? {
        Json::Null => None,
        Json::String(name) => Some(name),
        Json::Integer(number) => Some(number.to_string()),
        other => return Err(format!("`verified` is {other:?}")),
    };
    match (&verified, expected) {
        (Err(_), None) => Ok(()),
        (Ok(name), Some(expected)) => expect_equal("verified", name, &expected),
        (_, expected) => Err(format!("verified: {verified:?}, expected {expected:?}")),
    }
}

fn number(row: &mut Row, name: &str) -> Result<u32, String> {
    match row.take(name) {
        Some(Json::Integer(number)) => u32::try_from(number).map_err(|error| error.to_string()),
        other => Err(format!("`{name}` should be a number, not {other:?}")),
    }
}

fn verifier(row: &mut Row) -> Result<Verifier, String> {
    let secret = row.text("secret_key_base")?;
    Ok(Verifier::new(Key::derive_turbo(secret, KeyDigest::Sha256)))
}
