//! maud's markup as content, and Forebay's tags in markup.
#![cfg(feature = "maud")]

use forebay_turbo::{Html, Render, RenderError, TurboStream, frame};
use maud::{Markup, html};

#[test]
fn markup_is_html_and_html_is_markup() {
    let frame = frame("tray").text("<");
    let markup = html! { p { (Html::raw("<b>x</b>")) (frame) "<i>" } };
    assert_eq!(
        TurboStream::append("m").html(markup.into()).to_string(),
        "<turbo-stream action=\"append\" target=\"m\"><template><p><b>x</b>\
         <turbo-frame id=\"tray\">&lt;</turbo-frame>&lt;i&gt;</p></template></turbo-stream>"
    );
}

struct Message(&'static str);

impl maud::Render for Message {
    fn render(&self) -> Markup {
        html! { p { (self.0) } }
    }
}

#[test]
fn markup_and_whatever_maud_renders_is_content() -> Result<(), RenderError> {
    fn check<E>(content: &impl Render<E>, expected: &str) -> Result<(), RenderError> {
        assert_eq!(content.to_html()?.as_str(), expected);
        let stream = TurboStream::append("m").render(content)?;
        assert!(stream.to_string().contains(expected), "{stream}");
        assert!(frame("f").render(content)?.to_string().contains(expected));
        Ok(())
    }
    check(&html! { b { "a < b" } }, "<b>a &lt; b</b>")?;
    check(&Message("a < b"), "<p>a &lt; b</p>")?;
    check(&"a < b", "a &lt; b")?;
    // Of this crate's own types each has one way to be rendered, with every set of features.
    check(&Html::raw("<b>x</b>"), "<b>x</b>")?;
    check(&frame("inner"), "<turbo-frame id=\"inner\"></turbo-frame>")
}
