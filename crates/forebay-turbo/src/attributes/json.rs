//! JSON as Rails' `to_json` writes it inside `data-` attributes.
//!
//! Besides what JSON demands, Active Support escapes `<`, `>`, `&`, U+2028 and U+2029, before the
//! attribute's own escaping. NaN and infinities, which JSON lacks, become `null`.

use super::{AttributeValue, number};

/// The value as JSON.
pub(super) fn of(value: &AttributeValue) -> String {
    let mut json = String::new();
    push(&mut json, value);
    json
}

fn push(out: &mut String, value: &AttributeValue) {
    match value {
        AttributeValue::Null => out.push_str("null"),
        AttributeValue::Float(float) if !float.is_finite() => out.push_str("null"),
        AttributeValue::Float(float) => out.push_str(&number::ruby_float(*float)),
        AttributeValue::Bool(_) | AttributeValue::Integer(_) => out.push_str(&value.text()),
        AttributeValue::String(text) => push_string(out, text),
        AttributeValue::List(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                push(out, value);
            }
            out.push(']');
        }
        AttributeValue::Hash(entries) => {
            out.push('{');
            for (at, (name, value)) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                push_string(out, name);
                out.push(':');
                push(out, value);
            }
            out.push('}');
        }
    }
}

fn push_string(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str("\\u");
                for shift in [12, 8, 4, 0] {
                    let digit = (u32::from(char) >> shift) & 15;
                    out.push(char::from(HEX[digit as usize]));
                }
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}
