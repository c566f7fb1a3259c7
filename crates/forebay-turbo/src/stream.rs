//! `<turbo-stream>`: one change to a page.

use std::fmt;

use crate::tag::{attribute_setters, push_close, push_open};
use crate::{Action, Attributes, Html, Render, RenderError, Target};

const TAG: &str = "turbo-stream";

/// A stream tag.
///
/// Content is HTML by type: [`text`](Self::text) escapes, [`html`](Self::html) takes [`Html`],
/// [`render`](Self::render) takes a template.
///
/// ```
/// use forebay_turbo::TurboStream;
///
/// let stream = TurboStream::update("name").text("Tom & Jerry").attribute("data-by", 5);
/// assert_eq!(
///     stream.to_string(),
///     "<turbo-stream data-by=\"5\" action=\"update\" target=\"name\">\
///      <template>Tom &amp; Jerry</template></turbo-stream>"
/// );
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a stream does nothing until it is broadcast or sent as a response"]
pub struct TurboStream {
    action: Action,
    target: Option<Target>,
    attributes: Attributes,
    content: Html,
}

/// What the tag does.
impl TurboStream {
    /// Adds the content at the end of the target.
    pub fn append(target: impl Into<Target>) -> Self {
        Self::new(Action::Append, Some(target.into()))
    }

    /// Adds the content at the beginning of the target.
    pub fn prepend(target: impl Into<Target>) -> Self {
        Self::new(Action::Prepend, Some(target.into()))
    }

    /// Inserts the content before the target.
    pub fn before(target: impl Into<Target>) -> Self {
        Self::new(Action::Before, Some(target.into()))
    }

    /// Inserts the content after the target.
    pub fn after(target: impl Into<Target>) -> Self {
        Self::new(Action::After, Some(target.into()))
    }

    /// Replaces the target by the content.
    pub fn replace(target: impl Into<Target>) -> Self {
        Self::new(Action::Replace, Some(target.into()))
    }

    /// Replaces what is in the target by the content.
    pub fn update(target: impl Into<Target>) -> Self {
        Self::new(Action::Update, Some(target.into()))
    }

    /// Removes the target.
    pub fn remove(target: impl Into<Target>) -> Self {
        Self::new(Action::Remove, Some(target.into()))
    }

    /// Makes the page load itself again.
    ///
    /// A page ignores a refresh whose [`request_id`](Self::request_id) is one of its own requests.
    ///
    /// ```
    /// use forebay_turbo::TurboStream;
    ///
    /// let refresh = TurboStream::refresh().morph().scroll_preserve().request_id("456");
    /// assert_eq!(
    ///     refresh.to_string(),
    ///     r#"<turbo-stream request-id="456" method="morph" scroll="preserve" action="refresh"></turbo-stream>"#
    /// );
    /// ```
    pub fn refresh() -> Self {
        Self::new(Action::Refresh, None)
    }

    /// An action by its name, such as one that the page's JavaScript defines.
    ///
    /// ```
    /// use forebay_turbo::TurboStream;
    ///
    /// let stream = TurboStream::action("set_title", None).attribute("title", "Inbox (3)");
    /// assert_eq!(
    ///     stream.to_string(),
    ///     r#"<turbo-stream title="Inbox (3)" action="set_title"><template></template></turbo-stream>"#
    /// );
    /// ```
    pub fn action(name: impl AsRef<str>, target: Option<Target>) -> Self {
        Self::new(Action::from(name.as_ref()), target)
    }

    fn new(action: Action, target: Option<Target>) -> Self {
        Self { action, target, attributes: Attributes::new(), content: Html::default() }
    }
}

/// What goes with it. Content is ignored by `remove` and `refresh`, which have no template.
impl TurboStream {
    /// The content, as HTML.
    pub fn html(mut self, html: Html) -> Self {
        self.content = html;
        self
    }

    /// The content, as text: it is escaped.
    pub fn text(self, text: impl AsRef<str>) -> Self {
        self.html(Html::text(text.as_ref()))
    }

    /// The content, rendered from a template.
    ///
    /// # Errors
    /// [`RenderError`] if the template fails.
    pub fn render<E>(self, content: &impl Render<E>) -> Result<Self, RenderError> {
        Ok(self.html(content.to_html()?))
    }

    /// Changes only what differs, so that focus, scroll positions and the state of unchanged elements
    /// survive. For `replace`, `update` and `refresh`.
    pub fn morph(self) -> Self {
        self.attribute("method", "morph")
    }

    /// Keeps the scroll position of a refreshed page.
    pub fn scroll_preserve(self) -> Self {
        self.attribute("scroll", "preserve")
    }

    /// Names the request that caused this refresh. The page that made the request ignores the
    /// refresh. As in turbo-rails, the attribute comes first, and a blank id is left out.
    pub fn request_id(mut self, id: impl AsRef<str>) -> Self {
        let id = id.as_ref();
        if !id.trim().is_empty() {
            self.attributes.set_first("request-id", id.into());
        }
        self
    }

    attribute_setters!(attributes);
}

/// What it is.
impl TurboStream {
    /// The target, if there is one.
    pub(crate) fn target_ref(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// The tag.
    pub fn to_html(&self) -> Html {
        let mut out = String::with_capacity(self.content.as_str().len() + 128);
        self.push_to(&mut out);
        Html::raw(out)
    }

    pub(crate) fn push_to(&self, out: &mut String) {
        let action = ("action", self.action.as_str());
        match &self.target {
            Some(target) => {
                push_open(out, TAG, &self.attributes, &[action, target.as_attribute()]);
            }
            None => push_open(out, TAG, &self.attributes, &[action]),
        }
        if self.action.has_template() {
            out.push_str("<template>");
            out.push_str(self.content.as_str());
            out.push_str("</template>");
        }
        push_close(out, TAG);
    }
}

impl fmt::Display for TurboStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_html().as_str())
    }
}

impl From<TurboStream> for Html {
    fn from(stream: TurboStream) -> Self {
        stream.to_html()
    }
}

#[cfg(test)]
mod tests {
    use super::TurboStream;
    use crate::{Html, Target};

    #[track_caller]
    fn check(stream: &TurboStream, expected: &str) {
        assert_eq!(stream.to_string(), expected);
    }

    #[test]
    fn remove_and_refresh_have_no_template_however_they_are_named() {
        let expected = r#"<turbo-stream action="remove" target="m"></turbo-stream>"#;
        check(&TurboStream::remove("m").text("ignored"), expected);
        check(&TurboStream::action("remove", Some("m".into())).text("ignored"), expected);
        check(
            &TurboStream::refresh().text("x"),
            r#"<turbo-stream action="refresh"></turbo-stream>"#,
        );
    }

    #[test]
    fn an_attribute_cannot_shadow_the_action() {
        // A browser would take the first of two `action` attributes.
        let stream = TurboStream::append("m").attribute("action", "x").attribute("target", "y");
        check(
            &stream,
            r#"<turbo-stream action="append" target="m"><template></template></turbo-stream>"#,
        );
    }

    #[test]
    fn a_blank_request_id_is_left_out() {
        check(
            &TurboStream::refresh().request_id(" "),
            r#"<turbo-stream action="refresh"></turbo-stream>"#,
        );
    }

    #[test]
    fn targets_are_escaped_and_content_is_not_escaped_twice() {
        let stream =
            TurboStream::replace(Target::selector("a > b")).html(Html::raw("<i>&amp;</i>"));
        check(
            &stream,
            r#"<turbo-stream action="replace" targets="a &gt; b"><template><i>&amp;</i></template></turbo-stream>"#,
        );
        check(
            &TurboStream::append("a\"b<c>&'d"),
            r#"<turbo-stream action="append" target="a&quot;b&lt;c&gt;&amp;&#39;d"><template></template></turbo-stream>"#,
        );
    }
}
