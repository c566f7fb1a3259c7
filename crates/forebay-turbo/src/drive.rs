//! Meta tags for the `<head>`, by which a page tells Turbo Drive how to treat it.
//!
//! The outputs of turbo-rails' helpers, and of Rails' `action_cable_meta_tag` and `csrf_meta_tags`
//! (which close the tag as XHTML does; the others don't).

use crate::html::push_escaped;
use crate::tag::element;
use crate::{Attributes, Html};

/// How a page refresh changes the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// Replaces the body.
    #[default]
    Replace,
    /// Changes only what differs.
    Morph,
}

/// Where a page refresh leaves the scroll position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scroll {
    /// At the top.
    #[default]
    Reset,
    /// Where it was.
    Preserve,
}

/// How page refreshes behave on this page: [`refresh_method`] and [`refresh_scroll`].
///
/// ```
/// use forebay_turbo::drive::{Method, Scroll, refreshes_with};
///
/// assert_eq!(
///     refreshes_with(Method::Morph, Scroll::Preserve).as_str(),
///     "<meta name=\"turbo-refresh-method\" content=\"morph\">\
///      <meta name=\"turbo-refresh-scroll\" content=\"preserve\">"
/// );
/// ```
pub fn refreshes_with(method: Method, scroll: Scroll) -> Html {
    [refresh_method(method), refresh_scroll(scroll)].into_iter().collect()
}

/// Whether page refreshes replace or morph.
pub fn refresh_method(method: Method) -> Html {
    meta(
        "turbo-refresh-method",
        match method {
            Method::Replace => "replace",
            Method::Morph => "morph",
        },
    )
}

/// Whether page refreshes keep the scroll position.
pub fn refresh_scroll(scroll: Scroll) -> Html {
    meta(
        "turbo-refresh-scroll",
        match scroll {
            Scroll::Reset => "reset",
            Scroll::Preserve => "preserve",
        },
    )
}

/// Turbo never caches this page.
pub fn exempts_page_from_cache() -> Html {
    meta("turbo-cache-control", "no-cache")
}

/// Turbo shows the cached page when the visitor goes back, and not as a preview.
pub fn exempts_page_from_preview() -> Html {
    meta("turbo-cache-control", "no-preview")
}

/// The browser loads this page as a whole, even if a frame asked for it. For a login page, say.
pub fn page_requires_reload() -> Html {
    meta("turbo-visit-control", "reload")
}

/// Turbo Drive handles links below this path only.
pub fn root(path: &str) -> Html {
    meta("turbo-root", path)
}

/// Turbo does not fetch links before they are clicked.
pub fn no_prefetch() -> Html {
    meta("turbo-prefetch", "false")
}

/// Visits between pages that both have this tag use view transitions.
pub fn view_transition() -> Html {
    meta("view-transition", "same-origin")
}

/// Where Action Cable clients connect.
///
/// ```
/// use forebay_turbo::drive::action_cable_meta;
///
/// assert_eq!(
///     action_cable_meta("/cable").as_str(),
///     r#"<meta name="action-cable-url" content="/cable" />"#
/// );
/// ```
pub fn action_cable_meta(url: &str) -> Html {
    meta_closed("action-cable-url", url)
}

/// Where `forebay.js` finds what is beside the cable, and where the page's own script is no help.
///
/// ```
/// use forebay_turbo::drive::forebay_meta;
///
/// assert_eq!(forebay_meta("/live").as_str(), r#"<meta name="forebay-url" content="/live">"#);
/// ```
pub fn forebay_meta(url: &str) -> Html {
    meta("forebay-url", url)
}

/// A script that is a module.
///
/// ```
/// use forebay_turbo::drive::module_script;
///
/// assert_eq!(
///     module_script("/forebay/forebay.js").as_str(),
///     r#"<script type="module" src="/forebay/forebay.js"></script>"#
/// );
/// ```
pub fn module_script(src: &str) -> Html {
    element("script", &Attributes::new(), &[("type", "module"), ("src", src)], &Html::default())
}

/// The forgery protection that Turbo sends along with forms: the parameter's name, and its token.
pub fn csrf_metas(param: &str, token: &str) -> Html {
    let line_break = Html::raw("\n");
    [meta_closed("csrf-param", param), line_break, meta_closed("csrf-token", token)]
        .into_iter()
        .collect()
}

fn meta(name: &str, content: &str) -> Html {
    meta_with_end(name, content, ">")
}

fn meta_closed(name: &str, content: &str) -> Html {
    meta_with_end(name, content, " />")
}

fn meta_with_end(name: &str, content: &str, end: &str) -> Html {
    let mut out = String::with_capacity(64);
    out.push_str("<meta name=\"");
    out.push_str(name);
    out.push_str("\" content=\"");
    push_escaped(&mut out, content);
    out.push('"');
    out.push_str(end);
    Html::raw(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metas_are_those_of_rails() {
        let check = |html: Html, expected: &str| assert_eq!(html.as_str(), expected);
        check(exempts_page_from_cache(), r#"<meta name="turbo-cache-control" content="no-cache">"#);
        check(
            exempts_page_from_preview(),
            r#"<meta name="turbo-cache-control" content="no-preview">"#,
        );
        check(no_prefetch(), r#"<meta name="turbo-prefetch" content="false">"#);
        check(view_transition(), r#"<meta name="view-transition" content="same-origin">"#);
        check(page_requires_reload(), r#"<meta name="turbo-visit-control" content="reload">"#);
        check(root("/a\"b"), r#"<meta name="turbo-root" content="/a&quot;b">"#);
        check(
            action_cable_meta("wss://x/?a&b"),
            r#"<meta name="action-cable-url" content="wss://x/?a&amp;b" />"#,
        );
        check(
            csrf_metas("authenticity_token", "t=="),
            "<meta name=\"csrf-param\" content=\"authenticity_token\" />\n\
             <meta name=\"csrf-token\" content=\"t==\" />",
        );
    }
}
