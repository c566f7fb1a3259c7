//! What a payload says: a bare value, or one of Rails' two metadata envelopes.
//!
//! - Rails 7.1+: `{"_rails":{"data":<value>,"exp":"2099-01-01T00:00:00.000Z","pur":"x"}}`;
//! - before: `{"_rails":{"message":"<base64 of the JSON value>","exp":…,"pur":…}}`, recognised by
//!   exactly that beginning, as Rails does it.
//!
//! Unknown members are ignored. The purpose must be the one that is asked for: none for stream
//! names, as turbo-rails signs them. The signature has been checked before any of this is parsed.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{VerifyError, decode_base64};
use crate::json;

const LEGACY_PREFIX: &[u8] = br#"{"_rails":{"message":"#;

/// The payload of a name that expires, or is good for one purpose only, in the newer form.
pub(super) fn write(name: &str, expires_at_ms: Option<u64>, purpose: Option<&str>) -> String {
    let mut payload = String::with_capacity(name.len() + purpose.map_or(0, str::len) + 80);
    payload.push_str(r#"{"_rails":{"data":"#);
    json::push_string(&mut payload, name);
    if let Some(expires_at_ms) = expires_at_ms {
        let expiry = i64::try_from(expires_at_ms)
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .unwrap_or(Timestamp::MAX);
        payload.push_str(r#","exp":""#);
        payload.push_str(&expiry.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string());
        payload.push('"');
    }
    if let Some(purpose) = purpose {
        payload.push_str(r#","pur":"#);
        json::push_string(&mut payload, purpose);
    }
    payload.push_str("}}");
    payload
}

/// The stream name in a payload that was signed for `purpose`; the empty text is no purpose.
pub(super) fn read(payload: &[u8], purpose: &str, now_ms: u64) -> Result<String, VerifyError> {
    let mut value = parse(payload)?;
    let Some(Value::Object(metadata)) = value.get_mut("_rails") else {
        check_purpose(None, purpose)?;
        return name_of(&value);
    };
    check_expiry(metadata.get("exp"), now_ms)?;
    check_purpose(metadata.get("pur"), purpose)?;
    name_in(payload, metadata)
}

/// The stream name in a payload, whatever it is good for.
pub(super) fn claimed(payload: &[u8]) -> Option<String> {
    let value = parse(payload).ok()?;
    match value.get("_rails") {
        Some(Value::Object(metadata)) => name_in(payload, metadata).ok(),
        _ => name_of(&value).ok(),
    }
}

fn name_in(payload: &[u8], metadata: &Map<String, Value>) -> Result<String, VerifyError> {
    if payload.starts_with(LEGACY_PREFIX) {
        let message = metadata.get("message").and_then(Value::as_str);
        let inner = message.and_then(decode_base64).ok_or(VerifyError::NotAName)?;
        name_of(&parse(&inner)?)
    } else {
        name_of(metadata.get("data").unwrap_or(&Value::Null))
    }
}

/// The purpose that a payload was signed for, if it has one.
pub(super) fn purpose(payload: &[u8]) -> Option<String> {
    let value = parse(payload).ok()?;
    let purpose = value.get("_rails")?.get("pur")?.as_str()?;
    (!purpose.is_empty()).then(|| purpose.to_owned())
}

fn parse(json: &[u8]) -> Result<Value, VerifyError> {
    serde_json::from_slice(json).map_err(|_| VerifyError::NotAName)
}

fn check_expiry(exp: Option<&Value>, now_ms: u64) -> Result<(), VerifyError> {
    let expiry: Timestamp = match exp {
        None | Some(Value::Null | Value::Bool(false)) => return Ok(()),
        Some(Value::String(text)) => text.parse().map_err(|_| VerifyError::NotAName)?,
        Some(_) => return Err(VerifyError::NotAName),
    };
    if i128::from(now_ms) >= i128::from(expiry.as_millisecond()) {
        Err(VerifyError::Expired)
    } else {
        Ok(())
    }
}

/// Rails compares `to_s`, so that null and the empty text are no purpose.
fn check_purpose(pur: Option<&Value>, expected: &str) -> Result<(), VerifyError> {
    let given = match pur {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text,
        Some(_) => return Err(VerifyError::WrongPurpose),
    };
    if given == expected { Ok(()) } else { Err(VerifyError::WrongPurpose) }
}

/// Rails passes whatever was signed through `String()`: numbers and `true` become their text, null
/// and `false` are a refusal. Arrays and objects would become Ruby source, and numbers that Ruby
/// prints with an exponent are nobody's stream; both are refused.
fn name_of(value: &Value) -> Result<String, VerifyError> {
    match value {
        Value::String(name) => Ok(name.clone()),
        Value::Bool(true) => Ok("true".to_owned()),
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or(f64::NAN);
            let plain = float == 0.0 || (1e-4..1e15).contains(&float.abs());
            if plain { Ok(format!("{float:?}")) } else { Err(VerifyError::NotAName) }
        }
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(VerifyError::NotAName),
    }
}
