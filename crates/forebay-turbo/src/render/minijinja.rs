//! minijinja: named templates render, and HTML stands in them unescaped.

use minijinja::{Environment, Value};

use super::{Render, RenderError};
use crate::{EventStreamSource, Frame, Html, StreamSource, TurboStream, TurboStreams};

/// A template of an [`Environment`], with its context.
///
/// The template's name must end in `.html` (or the environment's own auto-escape rule say HTML);
/// minijinja does not escape in others.
///
/// ```
/// use forebay_turbo::{MinijinjaPartial, TurboStream};
/// use minijinja::{Environment, context};
///
/// let mut environment = Environment::new();
/// environment.add_template("message.html", "<p>{{ body }}</p>")?;
/// let partial = MinijinjaPartial::new(&environment, "message.html", context! { body => "a < b" });
/// let stream = TurboStream::append("messages").render(&partial)?;
/// assert!(stream.to_string().contains("<p>a &lt; b</p>"));
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MinijinjaPartial<'a> {
    environment: &'a Environment<'a>,
    template: &'a str,
    context: Value,
}

impl<'a> MinijinjaPartial<'a> {
    /// The template of this name, with this context.
    pub fn new(
        environment: &'a Environment<'a>,
        template: &'a str,
        context: impl Into<Value>,
    ) -> Self {
        Self { environment, template, context: context.into() }
    }
}

impl Render for MinijinjaPartial<'_> {
    fn to_html(&self) -> Result<Html, RenderError> {
        self.environment
            .get_template(self.template)
            .and_then(|template| template.render(&self.context))
            .map(Html::raw)
            .map_err(RenderError::new)
    }
}

impl From<Html> for Value {
    fn from(html: Html) -> Self {
        Value::from_safe_string(html.into_string())
    }
}

macro_rules! value_from_tags {
    ($($tag:ty)*) => {$(
        impl From<$tag> for Value {
            fn from(tag: $tag) -> Self {
                tag.to_html().into()
            }
        }
    )*};
}
value_from_tags!(TurboStream TurboStreams Frame StreamSource EventStreamSource);
