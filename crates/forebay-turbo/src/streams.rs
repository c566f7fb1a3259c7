//! Several changes to a page, in order.

use std::fmt;

use crate::{Html, Target, TargetError, TurboStream};

/// Stream tags one after another: the body of a response, or one broadcast.
///
/// ```
/// use forebay_turbo::{TurboStream, TurboStreams};
///
/// let streams: TurboStreams =
///     [TurboStream::remove("form"), TurboStream::refresh()].into_iter().collect();
/// assert_eq!(
///     streams.to_string(),
///     "<turbo-stream action=\"remove\" target=\"form\"></turbo-stream>\
///      <turbo-stream action=\"refresh\"></turbo-stream>"
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "streams do nothing until they are broadcast or sent as a response"]
pub struct TurboStreams(Vec<TurboStream>);

impl TurboStreams {
    /// No streams.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a stream at the end.
    pub fn push(&mut self, stream: TurboStream) -> &mut Self {
        self.0.push(stream);
        self
    }

    /// The streams.
    pub fn as_slice(&self) -> &[TurboStream] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the target of each can find an element: see [`Target::check`]. Broadcasts and answers
    /// check it.
    ///
    /// # Errors
    /// The error of the first target that can't.
    pub fn check(&self) -> Result<(), TargetError> {
        self.0.iter().filter_map(TurboStream::target_ref).try_for_each(Target::check)
    }

    /// The tags, without anything between them: Turbo would add it to the page.
    pub fn to_html(&self) -> Html {
        let mut out = String::new();
        for stream in &self.0 {
            stream.push_to(&mut out);
        }
        Html::raw(out)
    }
}

impl fmt::Display for TurboStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_html().as_str())
    }
}

impl From<TurboStream> for TurboStreams {
    fn from(stream: TurboStream) -> Self {
        Self(vec![stream])
    }
}

impl<const N: usize> From<[TurboStream; N]> for TurboStreams {
    fn from(streams: [TurboStream; N]) -> Self {
        Self(streams.into())
    }
}

impl From<Vec<TurboStream>> for TurboStreams {
    fn from(streams: Vec<TurboStream>) -> Self {
        Self(streams)
    }
}

impl From<TurboStreams> for Html {
    fn from(streams: TurboStreams) -> Self {
        streams.to_html()
    }
}

impl FromIterator<TurboStream> for TurboStreams {
    fn from_iter<I: IntoIterator<Item = TurboStream>>(streams: I) -> Self {
        Self(streams.into_iter().collect())
    }
}

impl Extend<TurboStream> for TurboStreams {
    fn extend<I: IntoIterator<Item = TurboStream>>(&mut self, streams: I) {
        self.0.extend(streams);
    }
}

impl IntoIterator for TurboStreams {
    type Item = TurboStream;
    type IntoIter = std::vec::IntoIter<TurboStream>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
