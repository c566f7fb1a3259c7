//! Who the visitors are: whoever their cookie `visitor` says. And a connect hook that can fail.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use forebay::{Identity, Revocation, Unauthorized};
use serde::Deserialize;

use crate::App;
use crate::gates::Gates;
use crate::messages::Failure;

/// What the connect hook does with whoever comes.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    #[default]
    Allow,
    Deny,
    Panic,
}

#[derive(Clone)]
pub(crate) struct Access {
    gates: Gates,
    answer: Arc<Mutex<Answer>>,
}

type Decision = Pin<Box<dyn Future<Output = Result<Identity, Unauthorized>> + Send>>;

impl Access {
    pub(crate) fn new(gates: Gates) -> Self {
        Self { gates, answer: Arc::default() }
    }

    pub(crate) fn set(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// Gate: `connect`.
    pub(crate) fn hook(&self) -> impl Fn(&Parts) -> Decision + Send + Sync + 'static {
        let access = self.clone();
        move |parts| {
            let (access, visitor) = (access.clone(), visitor(&parts.headers));
            Box::pin(async move {
                access.gates.pass("connect").await;
                let answer = *access.answer.lock().unwrap_or_else(PoisonError::into_inner);
                match answer {
                    Answer::Allow => Ok(visitor.map_or_else(Identity::anonymous, Identity::named)),
                    Answer::Deny => Err(Unauthorized),
                    Answer::Panic => panic!("the hook's backend is down"),
                }
            })
        }
    }
}

pub(crate) fn visitor(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    let visitor = cookies.split("; ").find_map(|cookie| cookie.strip_prefix("visitor="))?;
    Some(visitor.to_owned())
}

/// Ends the visitor's session in all of their tabs.
pub(crate) async fn log_out(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let visitor = visitor(&headers).ok_or("nobody is logged in")?;
    app.forebay.revoke(Revocation::of_identity(visitor))?;
    let gone = [(header::SET_COOKIE, "visitor=; Path=/; Max-Age=0")];
    Ok((StatusCode::NO_CONTENT, gone).into_response())
}
