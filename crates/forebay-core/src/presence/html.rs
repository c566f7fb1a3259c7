//! Members of apps in other languages: their tag brings the HTML that shows them.

use forebay_hub::Member;
use forebay_transport::MEMBER_HTML;
use forebay_turbo::{Html, TurboStream, TurboStreams};
use serde::Deserialize;

use super::hooks::Presence;

/// A member that brings its own HTML, in its info: `{"turbo":{"target":"visitors","id":"visitor_1","html":"<li …>"}}`.
///
/// Only a signed tag can bring it: the key [`KEY`](Self::KEY) is taken out of what a browser says of itself.
#[derive(Debug, Deserialize)]
pub struct MemberHtml {
    turbo: Element,
}

#[derive(Debug, Deserialize)]
struct Element {
    /// The id of the element that it is appended to.
    target: String,
    /// The id of its own element.
    id: String,
    html: String,
}

impl MemberHtml {
    /// Where in an info it is.
    pub const KEY: &'static str = MEMBER_HTML;
}

/// What shows a page all that are there: each target, with those in it and no others. `own` is whom the page itself
/// makes present, whose target is there, too, if nobody is in it yet.
pub(super) fn list(members: &[Member], own: Option<&Member>) -> TurboStreams {
    let mut targets: Vec<(String, String)> = Vec::new();
    let known = members.iter().map(|member| (member, true));
    for (member, is_there) in known.chain(own.map(|own| (own, false))) {
        let Ok(MemberHtml { turbo }) = serde_json::from_str(&member.info) else { continue };
        let html = if is_there { turbo.html.as_str() } else { "" };
        match targets.iter_mut().find(|(target, _)| *target == turbo.target) {
            Some((_, shown)) => shown.push_str(html),
            None => targets.push((turbo.target, html.to_owned())),
        }
    }
    let tags = targets.into_iter();
    tags.map(|(target, shown)| TurboStream::update(target).html(Html::raw(shown))).collect()
}

impl Presence<MemberHtml> {
    /// Shows members by the HTML that they bring. An app in another language has made it from its own partial, and
    /// signed it.
    pub fn html() -> Self {
        Self::silent()
            .joined(|_, MemberHtml { turbo }: &MemberHtml| {
                TurboStream::append(&turbo.target).html(Html::raw(turbo.html.clone()))
            })
            .updated(|_, MemberHtml { turbo }| {
                TurboStream::replace(&turbo.id).html(Html::raw(turbo.html.clone()))
            })
            .left(|_, MemberHtml { turbo }| TurboStream::remove(&turbo.id))
    }
}
