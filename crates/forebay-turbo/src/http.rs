//! What Turbo and its server say to each other in HTTP, as data.
//!
//! Header names are in lower case, as HTTP/2 sends them and `http::HeaderName::from_static` wants
//! them; header lookups ignore case.

/// The media type of stream responses.
pub const MEDIA_TYPE: &str = "text/vnd.turbo-stream.html";

/// The `Content-Type` of stream responses. Turbo looks only at how it begins.
pub const CONTENT_TYPE: &str = "text/vnd.turbo-stream.html; charset=utf-8";

/// `Turbo-Frame`: on requests made for a frame, the frame's id. Where the response depends on it,
/// the response should say so in `Vary`.
pub const TURBO_FRAME: &str = "turbo-frame";

/// `X-Turbo-Request-Id`: the id of each request that Turbo makes. A page ignores refreshes that
/// carry one of the last 20 ids of its own.
pub const REQUEST_ID: &str = "x-turbo-request-id";

/// Whether a client with this `Accept` header takes a stream response.
///
/// Only a client that names the type does: `*/*` and `text/*` would as soon have the page. Names
/// and parameters are read by RFC 9110, case ignored; `q=0` is a refusal, and a weight that is not
/// one counts as a refusal.
///
/// ```
/// use forebay_turbo::http::accepts_turbo_stream;
///
/// assert!(accepts_turbo_stream("text/vnd.turbo-stream.html, text/html, application/xhtml+xml"));
/// assert!(!accepts_turbo_stream("text/html, application/xhtml+xml"));
/// assert!(!accepts_turbo_stream("text/html, text/vnd.turbo-stream.html;q=0"));
/// ```
pub fn accepts_turbo_stream(accept: &str) -> bool {
    split_unquoted(accept, ',').any(|range| {
        let mut parts = split_unquoted(range, ';').map(str::trim);
        parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case(MEDIA_TYPE))
            && parts.all(|parameter| match parameter.split_once('=') {
                Some((name, value)) if name.trim_end().eq_ignore_ascii_case("q") => {
                    is_wanted(value.trim_start())
                }
                _ => true,
            })
    })
}

/// Whether this `User-Agent` is a native app that wraps Turbo: a Hotwire Native one, or an older
/// Turbo Native one.
///
/// ```
/// use forebay_turbo::http::is_native_app;
///
/// assert!(is_native_app("Mozilla/5.0 Hotwire Native iOS; Turbo Native iOS;"));
/// assert!(!is_native_app("Mozilla/5.0 (X11; Linux x86_64)"));
/// ```
pub fn is_native_app(user_agent: &str) -> bool {
    user_agent.contains("Turbo Native") || user_agent.contains("Hotwire Native")
}

/// A weight above zero: `0.001` to `1.000`, at most three decimals.
fn is_wanted(weight: &str) -> bool {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    let is_weight = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let any_decimal = decimals.bytes().any(|byte| byte != b'0');
    is_weight
        && match whole {
            "0" => any_decimal,
            "1" => !any_decimal,
            _ => false,
        }
}

/// Splits at a separator that is not inside of a quoted string.
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |char| {
        let is_separator = char == separator && !quoted;
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ => {}
        }
        is_separator
    })
}

#[cfg(test)]
mod tests {
    use super::accepts_turbo_stream;

    #[test]
    fn accepts_the_type_where_it_is_named_and_wanted() {
        for accept in [
            "text/vnd.turbo-stream.html",
            "TEXT/VND.Turbo-Stream.HTML",
            " text/vnd.turbo-stream.html ;charset=utf-8",
            "text/vnd.turbo-stream.html;q=0.001",
            "text/vnd.turbo-stream.html; Q=1.000",
            "text/vnd.turbo-stream.html;q=1.",
            "text/html;q=0, text/vnd.turbo-stream.html",
            "text/html;a=\"x, \\\" ;q=0\",text/vnd.turbo-stream.html",
            "text/vnd.turbo-stream.html;a=\";q=0\"",
        ] {
            assert!(accepts_turbo_stream(accept), "{accept}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for accept in [
            "",
            ",",
            "*/*",
            "text/*",
            "text/vnd.turbo-stream.htmlx",
            "text/vnd.turbo-stream",
            "text/html;a=\"text/vnd.turbo-stream.html\"",
            "text/html;a=\", text/vnd.turbo-stream.html\"",
            "text/vnd.turbo-stream.html;q=0",
            "text/vnd.turbo-stream.html; q = 0.000",
            "text/vnd.turbo-stream.html;charset=utf-8;q=0",
            "text/vnd.turbo-stream.html;q=",
            "text/vnd.turbo-stream.html;q=-1",
            "text/vnd.turbo-stream.html;q=2",
            "text/vnd.turbo-stream.html;q=1.001",
            "text/vnd.turbo-stream.html;q=0.0001",
            "text/vnd.turbo-stream.html;q=0.x",
        ] {
            assert!(!accepts_turbo_stream(accept), "{accept}");
        }
    }
}
