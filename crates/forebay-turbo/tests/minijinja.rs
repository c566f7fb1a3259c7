//! minijinja templates as content, and Forebay's tags as values.
#![cfg(feature = "minijinja")]

use forebay_turbo::{Html, MinijinjaPartial, Render, frame};
use minijinja::{Environment, Value, context};

#[test]
fn html_is_a_safe_value() {
    let mut environment = Environment::new();
    environment.add_template("page.html", "{{ html }}{{ frame }}{{ text }}").unwrap();
    let values = context! {
        html => Value::from(Html::raw("<b>x</b>")),
        frame => Value::from(frame("tray")),
        text => "<i>",
    };
    let partial = MinijinjaPartial::new(&environment, "page.html", values);
    let html = partial.to_html().unwrap();
    assert_eq!(html.as_str(), "<b>x</b><turbo-frame id=\"tray\"></turbo-frame>&lt;i&gt;");
}

#[test]
fn a_missing_template_is_an_error_with_its_reason() {
    let environment = Environment::new();
    let error = MinijinjaPartial::new(&environment, "none.html", ()).to_html().unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("none.html"));
}
