//! Askama: templates render, and HTML stands in them unescaped.

use askama::{Error, Template};

use super::{Render, RenderError, engine};
use crate::{
    EventStreamSource, Frame, Html, StreamNameError, StreamSource, TurboStream, TurboStreams,
};

impl<T: Template> Render<engine::Askama> for T {
    fn to_html(&self) -> Result<Html, RenderError> {
        // Qualified, because a template may well have a method `render` of its own.
        Template::render(self).map(Html::raw).map_err(RenderError::new)
    }
}

/// So that `?` works in templates: `{{ turbo.stream_from(room)? }}`.
impl From<StreamNameError> for Error {
    fn from(error: StreamNameError) -> Self {
        Error::custom(error)
    }
}

impl askama::filters::HtmlSafe for Html {}
impl askama::filters::HtmlSafe for TurboStream {}
impl askama::filters::HtmlSafe for TurboStreams {}
impl askama::filters::HtmlSafe for Frame {}
impl askama::filters::HtmlSafe for StreamSource {}
impl askama::filters::HtmlSafe for EventStreamSource {}
