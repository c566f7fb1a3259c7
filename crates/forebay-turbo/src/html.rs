//! HTML that is trusted to be HTML, kept apart from text by its type.
//!
//! turbo-rails takes content strings as HTML without escaping them, which makes every interpolated
//! user name a script. Here text becomes HTML only through [`Html::text`], which escapes, or by
//! saying [`Html::raw`].

use std::fmt;

/// A piece of HTML.
///
/// Template engines make it (features `askama`, `maud`, `minijinja`), so do the builders of this
/// crate; [`Html::raw`] is the door for everything else.
///
/// ```
/// use forebay_turbo::Html;
///
/// assert_eq!(Html::text("Tom & <Jerry>").as_str(), "Tom &amp; &lt;Jerry&gt;");
/// assert_eq!(Html::raw("<b>Tom</b>").as_str(), "<b>Tom</b>");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Html(String);

impl Html {
    /// This text, which the caller vouches for, as HTML. Never pass what a user typed.
    pub fn raw(html: impl Into<String>) -> Self {
        Self(html.into())
    }

    /// The text, escaped: `&`, `<`, `>`, `"` and `'` become references, as in Rails.
    pub fn text(text: &str) -> Self {
        let mut html = String::with_capacity(text.len());
        push_escaped(&mut html, text);
        Self(html)
    }

    /// The HTML.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The HTML, without copying it.
    pub fn into_string(self) -> String {
        self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends more HTML.
    pub fn push(&mut self, html: &Self) {
        self.0.push_str(&html.0);
    }
}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Html {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<Html> for String {
    fn from(html: Html) -> Self {
        html.0
    }
}

impl FromIterator<Html> for Html {
    fn from_iter<I: IntoIterator<Item = Html>>(pieces: I) -> Self {
        let mut all = Self::default();
        all.extend(pieces);
        all
    }
}

impl Extend<Html> for Html {
    fn extend<I: IntoIterator<Item = Html>>(&mut self, pieces: I) {
        for piece in pieces {
            self.push(&piece);
        }
    }
}

/// Appends `text` with the five characters escaped that Rails' `html_escape` escapes.
pub(crate) fn push_escaped(out: &mut String, text: &str) {
    let mut clean_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let reference = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\'' => "&#39;",
            _ => continue,
        };
        out.push_str(&text[clean_from..at]);
        out.push_str(reference);
        clean_from = at + 1;
    }
    out.push_str(&text[clean_from..]);
}

#[cfg(test)]
mod tests {
    use super::Html;

    #[test]
    fn text_is_escaped_once_and_completely() {
        assert_eq!(Html::text("a&b<c>\"d'é").as_str(), "a&amp;b&lt;c&gt;&quot;d&#39;é");
        assert_eq!(Html::text("&amp;").as_str(), "&amp;amp;");
        assert_eq!(Html::text("").as_str(), "");
    }

    #[test]
    fn pieces_join() {
        let all: Html = [Html::text("<"), Html::raw("<br>")].into_iter().collect();
        assert_eq!(all.to_string(), "&lt;<br>");
    }
}
