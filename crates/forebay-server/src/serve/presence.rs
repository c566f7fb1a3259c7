//! Who is present, over HTTP: AnyCable's `GET /api/presence/STREAM/users`, and our own `/_presence`, which
//! says the position as well and takes another info of a member.
//!
//! A member is ended by ending its connections (`/_disconnect`, `/_revoke`): as long as it has one it is there.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use forebay_core::raw::{Attendance, JoinRefused, MemberRecord, excerpt};
use forebay_core::{Ends, Forebay, raw};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::access::Access;
use super::answer::answer;
use super::config::Paths;
use super::ingest::STREAM_BYTES_MAX;
use super::publishers::Publishers;

/// What the routes work with.
struct Presence {
    forebay: Forebay,
    publishers: Publishers,
    /// Who may use AnyCable's API.
    api: Access,
}

/// The routes.
pub(super) fn routes(
    paths: &Paths,
    forebay: &Forebay,
    publishers: Publishers,
    api: Access,
) -> Router {
    let presence = Presence { forebay: forebay.clone(), publishers, api };
    let users = format!("{}/presence/{{stream}}/users", paths.api.trim_end_matches('/'));
    Router::new()
        .route(&users, any(users_of))
        .route(&paths.presence, get(members).post(update))
        .with_state(Arc::new(presence))
}

/// AnyCable's answer, as its protocol has it. `records` is left out where nobody is there, or too many to be named.
#[derive(Serialize)]
struct Info<'a> {
    r#type: &'static str,
    total: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    records: Vec<MemberRecord<'a>>,
}

/// Our own.
#[derive(Serialize)]
struct Listed<'a> {
    position: String,
    total: usize,
    members: Vec<MemberRecord<'a>>,
}

/// Other methods are answered as by AnyCable, and before anybody is asked who they are.
async fn users_of(
    State(presence): State<Arc<Presence>>,
    Path(stream): Path<String>,
    request: Request,
) -> Response {
    if request.method() != http::Method::GET {
        let mut answer = answer(StatusCode::UNPROCESSABLE_ENTITY, "who is present is asked by GET");
        answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
        return answer;
    }
    if let Err(denied) = presence.api.check_request(&request) {
        return denied.into_response();
    }
    match raw::attendance(&presence.forebay, &stream) {
        Some(Attendance { total, named, .. }) => {
            let records = named.iter().map(MemberRecord::from).collect();
            json(&Info { r#type: "info", total, records })
        }
        None => not_yet(),
    }
}

async fn members(State(presence): State<Arc<Presence>>, request: Request) -> Response {
    if let Err(denied) = presence.publishers.check(&request) {
        return denied.into_response();
    }
    let query = request.uri().query().unwrap_or_default();
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    let Some((_, stream)) = parameters.find(|(name, _)| name == "stream") else {
        return answer(StatusCode::UNPROCESSABLE_ENTITY, "name the stream: ?stream=NAME");
    };
    let Some(Attendance { position, total, named }) = raw::attendance(&presence.forebay, &stream)
    else {
        return not_yet();
    };
    let members = named.iter().map(MemberRecord::from).collect();
    json(&Listed { position: position.to_string(), total, members })
}

/// Another info of somebody who is present.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    stream: String,
    id: String,
    info: Box<RawValue>,
}

async fn update(State(presence): State<Arc<Presence>>, request: Request) -> Response {
    let peer = request.extensions().get::<Ends>().map(|ends| ends.peer);
    let body = match presence.publishers.read(request).await {
        Ok(body) => body,
        Err(unread) => return unread.into_response(),
    };
    let refused = |status: StatusCode, why: &str| {
        let peer = peer.map(tracing::field::display);
        tracing::warn!(peer, why = excerpt(why), "presence not updated");
        answer(status, why)
    };
    let update = serde_json::from_slice::<Update>(&body).ok();
    let Some(Update { stream, id, info }) =
        update.filter(|update| (1..=STREAM_BYTES_MAX).contains(&update.stream.len()))
    else {
        let why = "the body must be a JSON object with `stream`, `id` and `info`";
        return refused(StatusCode::UNPROCESSABLE_ENTITY, why);
    };
    match raw::update_member(&presence.forebay, &stream, &id, info.get()) {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => refused(StatusCode::NOT_FOUND, "nobody of this id is present on the stream"),
        Err(JoinRefused::Info) => {
            refused(StatusCode::PAYLOAD_TOO_LARGE, "the info is larger than it may be")
        }
        Err(why) => refused(StatusCode::UNPROCESSABLE_ENTITY, &why.to_string()),
    }
}

fn json(value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).expect("texts and numbers encode");
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let fresh = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    ([kind, fresh], text).into_response()
}

/// A node that has just begun.
fn not_yet() -> Response {
    let why = "this server has just begun, and does not know yet who is present";
    let mut answer = answer(StatusCode::SERVICE_UNAVAILABLE, why);
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}
