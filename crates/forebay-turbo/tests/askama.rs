//! Askama templates as content, and Forebay's tags in askama templates.
#![cfg(feature = "askama")]

use askama::Template;
use forebay_turbo::{
    Frame, Html, Render, StreamName, StreamNameError, StreamSource, Streamable, TurboStream, frame,
};

/// What an application has at hand in its templates.
struct Turbo;

impl Turbo {
    #[expect(clippy::unused_self, reason = "as in the facade, which holds the signing key")]
    fn stream_from(&self, parts: impl Streamable) -> Result<StreamSource, StreamNameError> {
        Ok(StreamSource::new(StreamName::of("chat", &parts)?.as_str()))
    }

    #[expect(clippy::unused_self, reason = "as in the facade, which holds the signing key")]
    fn stream_from_html(&self, parts: impl Streamable) -> Result<Html, StreamNameError> {
        Ok(StreamSource::new(StreamName::of("chat", &parts)?.as_str()).to_html())
    }
}

#[derive(Template)]
#[template(
    source = r#"{{ turbo.stream_from((room, "list"))? }}|{{ turbo.stream_from_html(room)? }}|{{ html }}|{{ frame }}|{{ user }}"#,
    ext = "html"
)]
struct Page<'a> {
    turbo: Turbo,
    room: &'a str,
    html: Html,
    frame: Frame,
    user: &'a str,
}

fn page(room: &str) -> Page<'_> {
    let (html, frame) = (Html::raw("<b>&amp;</b>"), frame("tray"));
    Page { turbo: Turbo, room, html, frame, user: "<i>" }
}

#[test]
fn tags_stand_in_templates_unescaped_and_text_escaped() {
    let source = |name| {
        format!(
            "<turbo-cable-stream-source channel=\"Turbo::StreamsChannel\" \
             signed-stream-name=\"{name}\"></turbo-cable-stream-source>"
        )
    };
    assert_eq!(
        Template::render(&page("room")).unwrap(),
        format!(
            "{}|{}|<b>&amp;</b>|<turbo-frame id=\"tray\"></turbo-frame>|&#60;i&#62;",
            source("room:list"),
            source("room")
        )
    );
}

#[test]
fn a_name_that_is_refused_fails_the_template() {
    let error = Render::to_html(&page("a:b")).unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.to_string().contains("contains `:`"), "{source}");
    let direct = askama::Error::from(StreamNameError::Nothing);
    assert!(matches!(direct, askama::Error::Custom(_)));
}

#[test]
fn a_template_is_content() {
    let stream = TurboStream::update("page").render(&page("room")).unwrap().to_string();
    assert!(stream.contains("<template><turbo-cable-stream-source "), "{stream}");
}
