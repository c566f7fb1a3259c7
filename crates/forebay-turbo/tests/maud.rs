//! maud's markup as content, and Forebay's tags in markup.
#![cfg(feature = "maud")]

use forebay_turbo::{Html, TurboStream, frame};
use maud::html;

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
