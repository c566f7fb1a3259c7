//! `<turbo-frame>`: a part of a page that navigates by itself.

use std::fmt;

use crate::tag::{attribute_setters, element};
use crate::{Attributes, DomId, Html, Render, RenderError};

/// A frame with this id: text, a record, or a record with a prefix.
///
/// ```
/// use forebay_turbo::{Html, frame};
///
/// let tray = frame("tray").src("/trays/1?a=1&b=2").lazy().html(Html::raw("<p>Loading</p>"));
/// assert_eq!(
///     tray.to_string(),
///     "<turbo-frame loading=\"lazy\" id=\"tray\" src=\"/trays/1?a=1&amp;b=2\">\
///      <p>Loading</p></turbo-frame>"
/// );
/// ```
pub fn frame(id: impl Into<DomId>) -> Frame {
    Frame {
        id: id.into(),
        src: None,
        target: None,
        attributes: Attributes::new(),
        content: Html::default(),
    }
}

/// A frame tag; [`frame`] begins one.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a frame does nothing until it is written into a page"]
pub struct Frame {
    id: DomId,
    src: Option<String>,
    target: Option<String>,
    attributes: Attributes,
    content: Html,
}

impl Frame {
    /// Where its content is loaded from.
    pub fn src(mut self, url: impl Into<String>) -> Self {
        self.src = Some(url.into());
        self
    }

    /// Loads `src` only when the frame becomes visible.
    pub fn lazy(self) -> Self {
        self.attribute("loading", "lazy")
    }

    /// What its links and forms navigate: a frame's id, `_top` or `_parent`.
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Reloads and morphs the frame when the page is morphed.
    ///
    /// ```
    /// assert_eq!(
    ///     forebay_turbo::frame("tray").refresh_morph().to_string(),
    ///     r#"<turbo-frame refresh="morph" id="tray"></turbo-frame>"#
    /// );
    /// ```
    pub fn refresh_morph(self) -> Self {
        self.attribute("refresh", "morph")
    }

    /// Leaves links and forms in it alone, and loads nothing.
    pub fn disabled(self) -> Self {
        self.attribute("disabled", true)
    }

    /// Scrolls the frame into view after it has loaded.
    pub fn autoscroll(self) -> Self {
        self.attribute("autoscroll", true)
    }

    attribute_setters!(attributes);

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

    /// The tag.
    pub fn to_html(&self) -> Html {
        let mut own = vec![("id", self.id.as_str())];
        own.extend(self.src.as_deref().map(|src| ("src", src)));
        own.extend(self.target.as_deref().map(|target| ("target", target)));
        element("turbo-frame", &self.attributes, &own, &self.content)
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_html().as_str())
    }
}

impl From<Frame> for Html {
    fn from(frame: Frame) -> Self {
        frame.to_html()
    }
}
