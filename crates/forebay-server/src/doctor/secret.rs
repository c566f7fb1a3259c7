//! Whether a name that is signed with the secret, or that a page has, is accepted.

use forebay_core::signing::{Key, KeyDigest, Verifier};

use super::cable::{Cable, Subscribed};
use super::fault::{Fault, Report};
use super::target::Target;
use crate::keys;
use crate::options::{Id, Settings};

/// Checks it. Gives a signed name that is accepted.
pub(super) async fn check(
    settings: &Settings,
    target: &Target,
    tag: Option<String>,
    report: &mut Report,
) -> Option<String> {
    let tag = match tag {
        None => None,
        Some(signed) => of_page(settings, target, signed, report).await,
    };
    let Some(first) = keys::turbo(settings).into_iter().next() else {
        if tag.is_none() {
            report.skipped("secret", "give secret_key_base or secret, best in the environment");
        }
        return tag;
    };
    let name = probe();
    let signed = Verifier::new(first.key).sign(&name);
    match subscribe(target, &signed).await {
        Subscribed::Confirmed(_) => {
            report.checked("secret");
            return Some(signed);
        }
        Subscribed::Nothing(why) => report.add("secret", silent(&why)),
        Subscribed::Rejected => {
            let other = accepted_instead(settings, target, &name).await;
            report.add("secret", rejected(first.option, other.as_ref().map(|(how, _)| *how)));
            if let Some((_, signed)) = other {
                return Some(signed);
            }
        }
    }
    tag
}

/// A stream that nobody has.
pub(super) fn probe() -> String {
    let number = getrandom::u64().expect("the operating system gives random numbers");
    format!("forebay-doctor-{number:x}")
}

pub(super) async fn subscribe(target: &Target, signed: &str) -> Subscribed {
    match Cable::open(&target.cable, &target.origin).await {
        Ok(mut cable) => cable.subscribe(signed).await,
        Err(refusal) => Subscribed::Nothing(format!("{refusal:?}")),
    }
}

/// The ways to a key from a text, with the lines that ask for each.
fn ways(settings: &Settings) -> Vec<(&'static str, Key)> {
    let secrets = [Id::SecretKeyBase, Id::Secret, Id::TurboStreamsSecret, Id::StreamsSecret];
    let texts = secrets.into_iter().filter_map(|id| settings.text(id));
    let of = |text: &str| {
        [
            ("secret_key_base_digest = sha256", Key::derive_turbo(text, KeyDigest::Sha256)),
            ("secret_key_base_digest = sha1", Key::derive_turbo(text, KeyDigest::Sha1)),
            ("turbo_streams_secret", Key::raw(text)),
        ]
    };
    texts.flat_map(of).collect()
}

/// Another key of the same secret that the server accepts.
async fn accepted_instead(
    settings: &Settings,
    target: &Target,
    name: &str,
) -> Option<(&'static str, String)> {
    for (how, key) in ways(settings) {
        let signed = Verifier::new(key).sign(name);
        if let Subscribed::Confirmed(_) = subscribe(target, &signed).await {
            return Some((how, signed));
        }
    }
    None
}

fn rejected(option: &str, other: Option<&str>) -> Fault {
    match other {
        Some(how) => Fault {
            name: "digest",
            what: format!("the server does not accept names signed as {option} says, but it does with the same secret and {how}"),
            why: "the secret is right and the key that is made of it is not, so tags of one side are rejected by the other".to_owned(),
            change: format!("{how} on the side that differs. Rails derives with SHA-1 before load_defaults 7.0, and with SHA-256 from then on"),
        },
        None => Fault {
            name: "secret",
            what: format!("the server does not accept a name that is signed with this {option}"),
            why: "tags that the app renders with this secret are rejected, and pages stay silent".to_owned(),
            change: "give the app and the server the same secret_key_base (or secret); while you rotate, name the old one in previous_secret_key_bases".to_owned(),
        },
    }
}

fn silent(why: &str) -> Fault {
    Fault {
        name: "no_answer",
        what: format!("a subscription is neither confirmed nor rejected: {why}"),
        why: "pages wait for ever".to_owned(),
        change: "see the server's log at this moment; a channel may hang, or the app's database"
            .to_owned(),
    }
}

/// The name in a page's tag, if the server accepts it.
async fn of_page(
    settings: &Settings,
    target: &Target,
    signed: String,
    report: &mut Report,
) -> Option<String> {
    match subscribe(target, &signed).await {
        Subscribed::Confirmed(_) => {
            report.checked("the page's tag");
            return Some(signed);
        }
        Subscribed::Nothing(why) => report.add("the page's tag", silent(&why)),
        Subscribed::Rejected => report.add("the page's tag", Fault {
            name: "page_tag",
            what: format!("the server rejects the tag that the page has{}", signer(settings, &signed)),
            why: "the app signs with another key than the server verifies with, or the tag has expired, so the page never gets anything".to_owned(),
            change: "give both the same secret_key_base, and the server secret_key_base_digest = sha1 for Rails without load_defaults 7.0".to_owned(),
        }),
    }
    None
}

/// Which key it is signed with, if that is one of those that can be made of what was given.
fn signer(settings: &Settings, signed: &str) -> String {
    let bare = signed.rsplit_once("--").map_or_else(
        || signed.to_owned(),
        |(name, mac)| format!("{name}--{}", mac.split('.').next().unwrap_or_default()),
    );
    let is_signer = |key: &Key| Verifier::new(key.clone()).verify(&bare, 0).is_ok();
    let mut ways = ways(settings).into_iter();
    let Some((how, _)) = ways.find(|(_, key)| is_signer(key)) else {
        return if keys::turbo(settings).is_empty() {
            String::new()
        } else {
            "; it is not signed with the secret that was given".to_owned()
        };
    };
    format!("; it is signed with the secret that was given, as with {how}")
}
