//! What a message does, as its HTML says it: for those that were not made of an action and a target.

use html5gum::{Token, Tokenizer};

use crate::Targets;

/// A longer message is not read.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Of an action's name and of what it acts on: longer ones are not kept.
const NAME_BYTES_MAX: usize = 512;

const NAME: &str = "turbo-stream";

/// The action of a message and what it acts on, if the message is a JSON text with one stream tag. Of several tags
/// none is the one.
///
/// ```
/// use forebay_inspect::{Targets, action_of};
///
/// let json = r#""<turbo-stream action=\"remove\" target=\"message_7\"></turbo-stream>""#;
/// let expected = ("remove".to_owned(), Some(Targets::Id("message_7".to_owned())));
/// assert_eq!(action_of(json), Some(expected));
/// assert_eq!(action_of(r#"{"count": 7}"#), None);
/// ```
pub fn action_of(json: &str) -> Option<(String, Option<Targets>)> {
    if !json.starts_with('"') || json.len() > MESSAGE_BYTES_MAX {
        return None;
    }
    let html: String = serde_json::from_str(json).ok()?;
    let begins_tag = |at: &usize| {
        let next = html.as_bytes().get(at + 1 + NAME.len());
        next.is_some_and(|next| next.is_ascii_whitespace() || matches!(next, b'>' | b'/'))
    };
    let is_open = |at: &usize| html.as_bytes()[*at] == b'<';
    let all = html.match_indices(NAME).filter_map(|(at, _)| at.checked_sub(1).filter(is_open));
    let mut tags = all.filter(begins_tag);
    let (Some(at), None) = (tags.next(), tags.next()) else { return None };
    let Some(Ok(Token::StartTag(tag))) = Tokenizer::new(&html[at..]).next() else { return None };
    let attribute = |name: &str| {
        let value = tag.attributes.get(name.as_bytes())?;
        let value = std::str::from_utf8(value).ok()?;
        (!value.is_empty() && value.len() <= NAME_BYTES_MAX).then(|| value.to_owned())
    };
    let action = attribute("action")?;
    let page = || (action == "refresh").then_some(Targets::Page);
    let by_id = attribute("target").map(Targets::Id);
    let targets = by_id.or_else(|| attribute("targets").map(Targets::Selector)).or_else(page);
    Some((action, targets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stream_tag_says_what_it_does() {
        let check = |html: &str, expected: Option<(&str, Option<Targets>)>| {
            let json = serde_json::to_string(html).unwrap();
            let expected = expected.map(|(action, targets)| (action.to_owned(), targets));
            assert_eq!(action_of(&json), expected, "{html}");
        };
        let id = |id: &str| Some(Targets::Id(id.to_owned()));
        let append = r#"<turbo-stream action="append" target="a&amp;b"><template>1</template></turbo-stream>"#;
        check(append, Some(("append", id("a&b"))));
        check(&format!("\n<!-- rows -->{append}"), Some(("append", id("a&b"))));
        check(
            "<turbo-stream targets='.a > b' action=update>",
            Some(("update", Some(Targets::Selector(".a > b".to_owned())))),
        );
        check(
            "<turbo-stream action=refresh></turbo-stream>",
            Some(("refresh", Some(Targets::Page))),
        );
        check("<turbo-stream action=log>", Some(("log", None)));
        check(&append.repeat(2), None);
        check("<turbo-stream-source src=a>", None);
        check("<turbo-stream>", None);
        check("<turbo-stream", None);
        check("plain", None);
        check(&format!("<turbo-stream action=\"{}\">", "a".repeat(600)), None);
        check(&format!("{append}{}", " ".repeat(MESSAGE_BYTES_MAX)), None);
        assert_eq!(action_of("\"<turbo-stream action=a>"), None);
    }
}
