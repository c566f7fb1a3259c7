//! maud: what it renders is HTML, and HTML stands in its markup unescaped.

use maud::{Markup, Render};

use super::{RenderError, engine};
use crate::{EventStreamSource, Frame, Html, StreamSource, TurboStream, TurboStreams};

impl<T: Render> crate::Render<engine::Maud> for T {
    fn to_html(&self) -> Result<Html, RenderError> {
        Ok(self.render().into())
    }
}

impl From<Markup> for Html {
    fn from(markup: Markup) -> Self {
        Self::raw(markup.into_string())
    }
}

impl Render for Html {
    fn render_to(&self, buffer: &mut String) {
        buffer.push_str(self.as_str());
    }
}

macro_rules! render_tags {
    ($($tag:ty)*) => {$(
        impl Render for $tag {
            fn render_to(&self, buffer: &mut String) {
                buffer.push_str(self.to_html().as_str());
            }
        }
    )*};
}
render_tags!(TurboStream TurboStreams Frame StreamSource EventStreamSource);
