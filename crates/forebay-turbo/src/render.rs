//! From templates to HTML.
//!
//! Askama's templates are [`Render`] themselves, minijinja's through [`MinijinjaPartial`]; maud's
//! markup converts into [`Html`]. Any other engine: implement [`Render`], or wrap its output in
//! [`Html::raw`] where that engine escapes.

#[cfg(feature = "askama")]
mod askama;
#[cfg(feature = "maud")]
mod maud;
#[cfg(feature = "minijinja")]
mod minijinja;

#[cfg(feature = "minijinja")]
pub use minijinja::MinijinjaPartial;

use crate::Html;

/// Something that renders to HTML.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not render to HTML",
    note = "enable the feature of your template engine, or wrap trusted HTML in `Html::raw`"
)]
pub trait Render {
    /// Renders it.
    ///
    /// # Errors
    /// [`RenderError`] with the template engine's reason.
    fn to_html(&self) -> Result<Html, RenderError>;
}

impl Render for Html {
    fn to_html(&self) -> Result<Html, RenderError> {
        Ok(self.clone())
    }
}

/// A template that failed; the source says why.
#[derive(Debug, thiserror::Error)]
#[error("the template did not render")]
pub struct RenderError {
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl RenderError {
    /// With the template engine's reason.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { source: source.into() }
    }
}
