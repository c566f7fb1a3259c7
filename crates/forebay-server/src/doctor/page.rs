//! A page of the app: where it says that the cable is, and its first source tag.

use html5gum::{Token, Tokenizer};
use http::Uri;

use super::cable::Cable;
use super::fault::{Fault, Report};
use super::target::Target;
use super::web;
use crate::options::{Id, Settings};

/// What a page says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Said {
    /// The content of `<meta name="action-cable-url">`.
    cable: Option<String>,
    /// The signed name of the first Turbo source.
    signed: Option<String>,
}

/// Checks the page, if one is named. Gives the signed name of its tag.
pub(super) async fn check(
    settings: &Settings,
    target: &Target,
    report: &mut Report,
) -> Option<String> {
    let Some(url) = settings.text(Id::Page) else {
        report.skipped("a page", "name one with --page");
        return None;
    };
    let answer = match web::get(url, &[]).await {
        Ok(answer) if answer.status.is_success() => answer,
        Ok(answer) => {
            report.skipped("a page", format!("{url} answers {}", answer.status));
            return None;
        }
        Err(error) => {
            report.skipped("a page", format!("{url}: {error:#}"));
            return None;
        }
    };
    let said = read(&answer.body);
    report.note("a page", leads_nowhere(target, url, said.cable.as_deref()).await);
    if said.signed.is_none() {
        report.add(
            "a page",
            Fault {
                name: "no_tag",
                what: format!(
                    "the page at {url} has no turbo-cable-stream-source with a signed name"
                ),
                why: "it subscribes to nothing, so no broadcast can reach it".to_owned(),
                change: "put turbo_stream_from into the page, outside of what streams replace"
                    .to_owned(),
            },
        );
    }
    said.signed
}

fn read(html: &str) -> Said {
    let mut said = Said::default();
    for token in Tokenizer::new(html).flatten() {
        let Token::StartTag(tag) = token else { continue };
        let attribute = |name: &[u8]| {
            let value = tag.attributes.get(name)?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        match &tag.name[..] {
            b"meta" if attribute(b"name").as_deref() == Some("action-cable-url") => {
                said.cable = said.cable.or_else(|| attribute(b"content"));
            }
            b"turbo-cable-stream-source" => {
                said.signed = said.signed.or_else(|| attribute(b"signed-stream-name"));
            }
            _ => {}
        }
    }
    said
}

/// Where the page's client connects. Without a tag that is `/cable` of its own host.
fn resolve(page: &str, said: Option<&str>) -> Option<Uri> {
    let page: Uri = page.parse().ok()?;
    let site = format!("{}://{}", page.scheme_str()?, page.authority()?);
    let said = said.unwrap_or("/cable");
    let address = match said.split_once("://") {
        Some(("ws" | "http", rest)) => format!("http://{rest}"),
        Some(("wss" | "https", rest)) => format!("https://{rest}"),
        Some(_) => return None,
        None if said.starts_with('/') => format!("{site}{said}"),
        None => format!("{site}/{said}"),
    };
    address.parse().ok()
}

async fn leads_nowhere(target: &Target, page: &str, said: Option<&str>) -> Option<Fault> {
    let cable = resolve(page, said);
    if cable.as_ref() == Some(&target.cable) {
        // It is checked itself.
        return None;
    }
    let opened = match &cable {
        Some(cable) => Cable::open(cable, &target.origin).await.is_ok(),
        None => false,
    };
    let place =
        cable.map_or_else(|| said.unwrap_or_default().to_owned(), |cable| cable.to_string());
    (!opened).then(|| Fault {
        name: "cable_url",
        what: format!(
            "the page at {page} connects to {place}{}, where no cable answers",
            if said.is_some() { ", as its meta tag action-cable-url says" } else { "" }
        ),
        why: "its tags are never confirmed, whatever is broadcast".to_owned(),
        change: format!(
            "config.action_cable.url = \"{}\", and action_cable_meta_tag in the layout",
            target.cable.to_string().replacen("http", "ws", 1)
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_where_its_cable_is_and_what_it_subscribes_to() {
        let said = read(
            "<head><meta name=viewport content=x><META name='action-cable-url' content='/c&amp;d'>\
             <!-- <turbo-cable-stream-source signed-stream-name=no> --></head>\
             <turbo-cable-stream-source channel=\"Turbo::StreamsChannel\" signed-stream-name=\"a--b\">",
        );
        let expected = Said { cable: Some("/c&d".into()), signed: Some("a--b".into()) };
        assert_eq!(said, expected);
        assert_eq!(read("<p>nothing"), Said::default());
    }

    #[test]
    fn a_pages_cable_is_found_as_its_client_finds_it() {
        let check = |said, expected: &str| {
            let found = resolve("https://a.example/rooms/1?x", said).unwrap();
            assert_eq!(found.to_string(), expected);
        };
        check(None, "https://a.example/cable");
        check(Some("/live"), "https://a.example/live");
        check(Some("wss://b.example:8443/cable"), "https://b.example:8443/cable");
        check(Some("ws://b.example/cable"), "http://b.example/cable");
        assert_eq!(resolve("https://a.example/", Some("ftp://b")), None);
    }
}
