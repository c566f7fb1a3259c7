//! Who the visitors are: whoever their cookie `visitor` says. And a connect hook that can fail.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use forebay::channel::{ConnectError, Unauthorized};
use forebay::{Identity, Revocation};
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
    Fail,
    Panic,
}

#[derive(Clone)]
pub(crate) struct Access {
    gates: Gates,
    answer: Arc<Mutex<Answer>>,
}

impl Access {
    pub(crate) fn new(gates: Gates) -> Self {
        Self { gates, answer: Arc::default() }
    }

    pub(crate) fn set(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// The connect hook. Gate: `connect`.
    pub(crate) async fn identify(self, visitor: Option<String>) -> Result<Identity, ConnectError> {
        self.gates.pass("connect").await;
        let answer = *self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Answer::Allow => Ok(visitor.map_or_else(Identity::anonymous, Identity::named)),
            Answer::Deny => Err(Unauthorized),
            Answer::Fail => Err(std::io::Error::other("the hook's database is away"))?,
            Answer::Panic => panic!("the hook's backend is down"),
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
    app.forebay.revoke(Revocation::of_identity(visitor)).await?;
    let gone = [(header::SET_COOKIE, "visitor=; Path=/; Max-Age=0")];
    Ok((StatusCode::NO_CONTENT, gone).into_response())
}
