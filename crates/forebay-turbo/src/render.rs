//! From templates to HTML.
//!
//! Askama's templates and everything that maud renders implement [`Render`] by themselves. minijinja's
//! templates do so through [`MinijinjaPartial`]. For another engine, implement [`Render`], or wrap its
//! output in [`Html::raw`] if that engine escapes.

#[cfg(feature = "askama")]
mod askama;
#[cfg(feature = "maud")]
mod maud;
#[cfg(feature = "minijinja")]
mod minijinja;

#[cfg(feature = "minijinja")]
pub use minijinja::MinijinjaPartial;

use crate::Html;
#[cfg(not(feature = "maud"))]
use crate::{EventStreamSource, Frame, StreamSource, TurboStream, TurboStreams};

/// Who turns a type into HTML: the parameter of [`Render`].
///
/// Each engine has a trait of its own, and a type may implement the traits of two. With the engine as a
/// parameter, the implementations for both don't conflict. The compiler finds the parameter by itself.
/// Only code that is generic over what it renders has to name it.
pub mod engine {
    /// The type itself: it implements [`Render`](crate::Render).
    #[derive(Clone, Copy, Debug)]
    pub enum Own {}

    /// Askama: the type implements its `Template`.
    #[cfg(feature = "askama")]
    #[derive(Clone, Copy, Debug)]
    pub enum Askama {}

    /// maud: the type implements its `Render`, as `Markup` does.
    #[cfg(feature = "maud")]
    #[derive(Clone, Copy, Debug)]
    pub enum Maud {}
}

/// Something that renders to HTML.
///
/// ```
/// use forebay_turbo::{Html, Render, RenderError, TurboStream};
///
/// struct Greeting(&'static str);
///
/// impl Render for Greeting {
///     fn to_html(&self) -> Result<Html, RenderError> {
///         Ok(Html::raw(format!("<p>{}</p>", Html::text(self.0))))
///     }
/// }
///
/// /// Generic code names the engine, and lets the compiler find it.
/// fn page<E>(content: &impl Render<E>) -> Result<String, RenderError> {
///     Ok(format!("<main>{}</main>", content.to_html()?))
/// }
///
/// assert_eq!(page(&Greeting("<hi>"))?, "<main><p>&lt;hi&gt;</p></main>");
/// # Ok::<(), RenderError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not render to HTML",
    label = "this is no template and no HTML",
    note = "derive askama's `Template`, implement maud's `Render`, or implement `forebay::Render`",
    note = "the features `askama` and `maud` have to be enabled for those",
    note = "text that is HTML already and trusted: `Html::raw`; text that is to be escaped: `Html::text`"
)]
pub trait Render<Engine = engine::Own> {
    /// Renders it.
    ///
    /// # Errors
    /// [`RenderError`] with the template engine's reason.
    fn to_html(&self) -> Result<Html, RenderError>;
}

// With maud these are maud's, as everything is that maud renders.
#[cfg(not(feature = "maud"))]
impl Render for Html {
    fn to_html(&self) -> Result<Html, RenderError> {
        Ok(self.clone())
    }
}

#[cfg(not(feature = "maud"))]
macro_rules! render_tags {
    ($($tag:ty)*) => {$(
        impl Render for $tag {
            fn to_html(&self) -> Result<Html, RenderError> {
                Ok(<$tag>::to_html(self))
            }
        }
    )*};
}
#[cfg(not(feature = "maud"))]
render_tags!(TurboStream TurboStreams Frame StreamSource EventStreamSource);

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
