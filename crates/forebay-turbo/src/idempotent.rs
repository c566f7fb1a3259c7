//! Whether stream tags can be applied twice without harm.
//!
//! Sometimes nobody knows whether a page has applied them already. The answer here is yes only where
//! it is certain. Custom actions, tags that are not closed, and anything beside the stream tags count
//! as harmful.

use html5gum::{HtmlString, StartTag, Token, Tokenizer};

/// The HTML standard's elements without content, which have no end tag.
const VOID: [&[u8]; 13] = [
    b"area", b"base", b"br", b"col", b"embed", b"hr", b"img", b"input", b"link", b"meta",
    b"source", b"track", b"wbr",
];

/// Whether a page that applies these stream tags twice in a row shows the same as if it had applied
/// them once.
///
/// `replace`, `update`, `remove` and `refresh` lead to the same page each time. `append` and `prepend`
/// add to it, but Turbo first removes the target's children that have the same ids. So they can be
/// repeated if everything that they add has an id.
///
/// ```
/// use forebay_turbo::{Html, TurboStream, is_idempotent};
///
/// let row = |html| TurboStream::append("rows").html(Html::raw(html)).to_string();
/// assert!(is_idempotent(&row(r#"<li id="row_1">One</li>"#)));
/// assert!(!is_idempotent(&row("<li>One</li>")));
/// assert!(is_idempotent(&TurboStream::remove("row_1").to_string()));
/// ```
pub fn is_idempotent(html: &str) -> bool {
    let mut reading = Reading::default();
    Tokenizer::new(html).all(|token| token.is_ok_and(|token| reading.take(token)))
        && reading.open.is_empty()
}

/// The tags that are open: a stream tag, its template, and the elements in the template.
#[derive(Default)]
struct Reading {
    open: Vec<HtmlString>,
    /// What the present tag adds must have ids.
    adds: bool,
}

const IN_STREAM: usize = 1;
const IN_TEMPLATE: usize = 2;

impl Reading {
    /// False if the token may do harm the second time.
    fn take(&mut self, token: Token) -> bool {
        match token {
            Token::StartTag(tag) => self.begin(tag),
            Token::EndTag(tag) => self.open.pop().is_some_and(|open| open == tag.name),
            Token::String(text) => {
                let is_content =
                    self.open.len() > IN_TEMPLATE || (self.open.len() == IN_TEMPLATE && !self.adds);
                is_content || text.iter().all(u8::is_ascii_whitespace)
            }
            Token::Comment(_) | Token::Error(_) => true,
            Token::Doctype(_) => false,
        }
    }

    fn begin(&mut self, tag: StartTag<()>) -> bool {
        let attribute = |name: &str| tag.attributes.get(name.as_bytes()).map(|value| &value[..]);
        let is_harmless = match self.open.len() {
            0 => {
                let action = attribute("action").unwrap_or_default();
                self.adds = matches!(action, b"append" | b"prepend");
                let determines = matches!(action, b"replace" | b"update" | b"remove" | b"refresh");
                *tag.name == *b"turbo-stream" && (self.adds || determines)
            }
            IN_STREAM => *tag.name == *b"template",
            IN_TEMPLATE => !self.adds || attribute("id").is_some_and(|id| !id.is_empty()),
            _ => true,
        };
        // Only in foreign content does a slash close a tag.
        let is_foreign = || self.open.iter().any(|open| matches!(&open[..], b"svg" | b"math"));
        let is_closed = VOID.contains(&&tag.name[..]) || (tag.self_closing && is_foreign());
        if !is_closed {
            self.open.push(tag.name);
        }
        is_harmless
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_certain_to_do_no_harm_twice() {
        let check = |action: &str, content: &str, expected| {
            let html = format!(
                r#"<turbo-stream action="{action}" target="t"><template>{content}</template></turbo-stream>"#
            );
            assert_eq!(is_idempotent(&html), expected, "{html}");
        };
        for action in ["replace", "update"] {
            check(action, "text", true);
            check(action, "<p>One<br>Two<p/></p>", false);
            check(action, "<p>One<br>Two</p>text", true);
        }
        for action in ["append", "prepend"] {
            check(action, r#"<tr id="a"><td>1<td></tr>"#, false);
            check(action, "\n <li id=\"a\"><b>1</b> & <img src=x></li>\n<li id=b></li>", true);
            check(action, r#"<li id="a"></li><li></li>"#, false);
            check(action, r#"<li id="">1</li>"#, false);
            check(action, "text", false);
            check(action, r#"<li id="a"><svg><path d="M0"/></svg></li>"#, true);
            check(action, r#"<li id="a"><svg/></li><li>"#, false);
            check(action, r#"<img id="a"><img id="b">"#, true);
            check(action, r#"<img id="a"><img>"#, false);
            check(action, "<!-- one --><p id=a></p>", true);
            check(action, r#"<li id="a">1</b></li>"#, false);
        }
        check("before", r#"<li id="a"></li>"#, false);
        check("highlight", "", false);
        check("", "", false);
    }

    #[test]
    fn what_is_no_stream_tag_may_do_harm() {
        let check = |html: &str, expected| assert_eq!(is_idempotent(html), expected, "{html}");
        let remove = r#"<turbo-stream action="remove" target="a"></turbo-stream>"#;
        check("", true);
        check(&format!("{remove}\n{remove}"), true);
        check(r#"<turbo-stream action="refresh"></turbo-stream>"#, true);
        check(&format!("{remove}<script>count()</script>"), false);
        check(&format!("{remove}text"), false);
        check(r#"<turbo-stream action="remove" target="a">"#, false);
        check(r#"<turbo-stream action="update" target="a">text</turbo-stream>"#, false);
        check("<!doctype html>", false);
        check(r#"{"a":1}"#, false);
        check("</turbo-stream>", false);
    }
}
