//! A JSON string exactly as Ruby's `JSON.generate` writes it.
//!
//! The signature covers these bytes, so a stock Rails and Forebay must agree on each of them: only
//! `"`, `\` and the characters below U+0020 are escaped; `/`, `<`, `>`, `&`, DEL, U+2028 and all
//! other non-ASCII text stay as they are.

/// Appends `text` as a JSON string, with its quotes.
pub(crate) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let mut clean_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[clean_from..at]);
        clean_from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            control => {
                out.push_str("\\u00");
                crate::mac::push_hex_byte(out, control);
            }
        }
    }
    out.push_str(&text[clean_from..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::push_string;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut out = String::new();
        push_string(&mut out, text);
        assert_eq!(out, expected);
    }

    #[test]
    fn escapes_what_ruby_escapes_and_nothing_else() {
        check("", r#""""#);
        check("a/b<c>&'d", r#""a/b<c>&'d""#);
        check("q\"b\\", r#""q\"b\\""#);
        check("\n\r\t\u{8}\u{c}", r#""\n\r\t\b\f""#);
        check("\u{0}\u{1}\u{1f}\u{7f}", "\"\\u0000\\u0001\\u001f\u{7f}\"");
        check("é\u{2028}🚀", "\"é\u{2028}🚀\"");
    }
}
