//! The elements that subscribe a page to streams.

use std::fmt;

use crate::tag::{attribute_setters, element};
use crate::{AttributeValue, Attributes, Html};

const DEFAULT_CHANNEL: &str = "Turbo::StreamsChannel";

/// Whether there is a source tag in this HTML, as far as one can tell without parsing it.
///
/// ```
/// use forebay_turbo::{StreamSource, has_source};
///
/// assert!(has_source(&format!("<p></p>{}", StreamSource::new("Im0i--42716a"))));
/// assert!(!has_source("<turbo-stream action=\"refresh\"></turbo-stream>"));
/// ```
pub fn has_source(html: &str) -> bool {
    html.contains("<turbo-cable-stream-source") || html.contains("<turbo-stream-source")
}

/// `<turbo-cable-stream-source>`: a subscription over Action Cable, the element of
/// `@hotwired/turbo-rails`.
///
/// Its name comes signed from `forebay-signing`. Every `data-` attribute becomes a parameter of the
/// subscription.
///
/// ```
/// use forebay_turbo::StreamSource;
///
/// let source = StreamSource::new("Im0i--42716a").cursor("ab.12.7.mac");
/// assert_eq!(
///     source.to_string(),
///     "<turbo-cable-stream-source id=\"ab.12.7.mac\" channel=\"Turbo::StreamsChannel\" \
///      signed-stream-name=\"Im0i--42716a.ab.12.7.mac\"></turbo-cable-stream-source>"
/// );
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a source does nothing until it is written into a page"]
pub struct StreamSource {
    signed_stream_name: String,
    /// Where the cursor stands, behind the name.
    cursor: Option<usize>,
    attributes: Attributes,
}

impl StreamSource {
    /// Subscribes to the stream of a signed name.
    pub fn new(signed_stream_name: impl Into<String>) -> Self {
        let signed_stream_name = signed_stream_name.into();
        Self { signed_stream_name, cursor: None, attributes: Attributes::new() }
    }

    /// Says where the page stands: `EPOCH.OFFSET.PAGE.MAC`, different in every rendering.
    ///
    /// A morph keeps an element and gives it the attributes of the new rendering, while the page
    /// goes back to what that rendering shows. So the element has to subscribe anew, from the new
    /// cursor. `@hotwired/turbo-rails` does that when `signed-stream-name` changes, and looks at no
    /// `data-` attribute. Therefore the cursor follows the name, behind a dot. No signed name has one.
    ///
    /// Other elements observe nothing (`@anycable/turbo-stream` 0.8). A morph replaces them, because
    /// their id changes. Don't set an id of your own, or they are kept.
    pub fn cursor(mut self, cursor: &str) -> Self {
        self.signed_stream_name.reserve_exact(cursor.len() + 1);
        self.signed_stream_name.push('.');
        self.cursor = Some(self.signed_stream_name.len());
        self.signed_stream_name.push_str(cursor);
        self
    }

    /// Subscribes through this channel instead of `Turbo::StreamsChannel`.
    pub fn channel(self, class_name: impl Into<String>) -> Self {
        self.attribute("channel", class_name.into())
    }

    attribute_setters!(attributes);

    /// The tag.
    pub fn to_html(&self) -> Html {
        let signed = ("signed-stream-name", self.signed_stream_name.as_str());
        let cursor = self.cursor.map(|at| &self.signed_stream_name[at..]);
        // What the application set is an attribute like any other.
        let is_set = |name| !matches!(self.attributes.get(name), None | Some(AttributeValue::Null));
        let id = ("id", cursor.unwrap_or_default());
        let own = [id, ("channel", DEFAULT_CHANNEL), signed];
        let own = match (cursor.is_none() || is_set("id"), is_set("channel")) {
            (true, true) => &own[2..],
            (true, false) => &own[1..],
            (false, true) => &[own[0], own[2]][..],
            (false, false) => &own[..],
        };
        element("turbo-cable-stream-source", &self.attributes, own, &Html::default())
    }
}

impl fmt::Display for StreamSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_html().as_str())
    }
}

impl From<StreamSource> for Html {
    fn from(source: StreamSource) -> Self {
        source.to_html()
    }
}

/// `<turbo-stream-source>`: server-sent events, or a bare WebSocket if the URL is `ws:` or `wss:`,
/// without any JavaScript beyond Turbo's own.
///
/// ```
/// use forebay_turbo::EventStreamSource;
///
/// let source = EventStreamSource::new("/events?a=1&b=2");
/// assert_eq!(
///     source.to_string(),
///     r#"<turbo-stream-source src="/events?a=1&amp;b=2"></turbo-stream-source>"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a source does nothing until it is written into a page"]
pub struct EventStreamSource {
    src: String,
    attributes: Attributes,
}

impl EventStreamSource {
    /// Listens to this URL.
    pub fn new(src: impl Into<String>) -> Self {
        Self { src: src.into(), attributes: Attributes::new() }
    }

    /// Has a morph replace the element instead of keeping it: Turbo's element opens its URL once,
    /// when it is inserted, and never looks at a new one. `rendering` is a text that differs in
    /// every rendering.
    pub fn replaced_by_morphs(self, rendering: &str) -> Self {
        self.attribute("id", rendering)
    }

    attribute_setters!(attributes);

    /// The tag.
    pub fn to_html(&self) -> Html {
        let own = [("src", self.src.as_str())];
        element("turbo-stream-source", &self.attributes, &own, &Html::default())
    }
}

impl fmt::Display for EventStreamSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_html().as_str())
    }
}

impl From<EventStreamSource> for Html {
    fn from(source: EventStreamSource) -> Self {
        source.to_html()
    }
}
