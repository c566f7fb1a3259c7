//! One connection to NATS, which is not made again behind our back.
//!
//! The client connects again by itself. What is asked then is asked of a server whose history nobody has looked at, so
//! this link is over as soon as its first connection is.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::client::Statistics;
use async_nats::{
    Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, HeaderMap, Request,
    RequestErrorKind, ServerError, ServerInfo, Subscriber,
};
use bytes::Bytes;
use forebay_shared::{Failure, Settings};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::api::{Answer, ApiError};
use crate::options::{Login, Options};

/// For each request, and for each server that is tried. A leader's election takes about as long.
const REQUEST_MAX: Duration = Duration::from_secs(4);

/// A connection that says nothing for twice as long is lost.
const PING: Duration = Duration::from_secs(5);

/// Messages that were delivered and not read yet. A reader asks for [`crate::reader::BATCH`] at a time.
const UNREAD_MAX: usize = 4 * crate::reader::BATCH;

/// A group of a size that is of use has to fit.
const PAYLOAD_MIN: usize = 64 << 10;

pub(crate) struct Link {
    client: Client,
    pub(crate) server: ServerInfo,
    statistics: Arc<Statistics>,
    trouble: watch::Receiver<Trouble>,
}

/// What the server or the client said without being asked.
#[derive(Default)]
struct Trouble {
    is_lost: bool,
    /// What was not allowed: it names the subject.
    denied: Option<String>,
}

impl Link {
    pub(crate) async fn connect(options: &Options) -> Result<Self, Failure> {
        options.check().map_err(Failure::Refused)?;
        let (trouble, heard) = watch::channel(Trouble::default());
        let connect = login(&options.login)
            .await?
            .name("forebay")
            .require_tls(options.is_tls)
            .connection_timeout(REQUEST_MAX)
            .ping_interval(PING)
            .subscription_capacity(UNREAD_MAX)
            .ignore_discovered_servers()
            // Each once. Without a limit the client would go on for ever after we have given it up.
            .max_reconnects(options.servers.len())
            .event_callback(move |event| {
                hear(&trouble, event);
                async {}
            });
        let Settings { authority, certificate, .. } = &options.settings;
        let connect =
            authority.iter().cloned().fold(connect, ConnectOptions::add_root_certificates);
        let connect = certificate
            .iter()
            .cloned()
            .fold(connect, |connect, (file, key)| connect.add_client_certificate(file, key));
        let client =
            connect.connect(&options.servers[..]).await.map_err(|error| refusal(&error))?;
        let (server, statistics) = (client.server_info(), client.statistics());
        Ok(Self { client, server, statistics, trouble: heard })
    }

    /// What a message may have, with its headers.
    pub(crate) fn payload_bytes_max(&self) -> Result<usize, Failure> {
        let bytes = self.server.max_payload;
        if bytes < PAYLOAD_MIN {
            return Err(Failure::Refused(format!(
                "the server's max_payload is {bytes} bytes: it has to be {PAYLOAD_MIN} at least"
            )));
        }
        Ok(bytes)
    }

    /// Asks something, and waits for the answer.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        subject: &str,
        headers: Option<HeaderMap>,
        body: Bytes,
    ) -> Result<Result<T, ApiError>, Failure> {
        let mut request = Request::new().payload(body).timeout(Some(REQUEST_MAX));
        request.headers = headers;
        let answer = tokio::select! {
            answer = self.client.send_request(subject.to_owned(), request) => answer,
            failure = self.fails(subject) => return Err(failure),
        };
        self.holds()?;
        let answer = answer.map_err(|error| match error.kind() {
            RequestErrorKind::TimedOut => lost("no answer within 4 s"),
            RequestErrorKind::NoResponders => {
                lost("JetStream does not answer: is it on, and does the log's stream exist?")
            }
            RequestErrorKind::Other => lost("the connection was lost"),
            _ => Failure::Refused(error.to_string()),
        })?;
        match serde_json::from_slice(&answer.payload) {
            Ok(Answer::Given(given)) => Ok(Ok(given)),
            Ok(Answer::Refused { error }) => Ok(Err(error)),
            Err(error) => Err(Failure::Refused(format!("an answer can't be read: {error}"))),
        }
    }

    /// Asks JetStream itself.
    pub(crate) async fn ask_api<T: DeserializeOwned>(
        &self,
        what: &str,
        body: Bytes,
    ) -> Result<Result<T, ApiError>, Failure> {
        self.ask(&format!("$JS.API.{what}"), None, body).await
    }

    /// Sends a request whose answers come to a subscription.
    pub(crate) async fn send(
        &self,
        subject: String,
        inbox: String,
        body: Bytes,
    ) -> Result<(), Failure> {
        let sent = self.client.publish_with_reply(subject, inbox, body);
        let sent = timeout(REQUEST_MAX, sent).await.map_err(|_| lost("it takes nothing"))?;
        sent.map_err(|_| lost("the connection was lost"))?;
        self.holds()
    }

    pub(crate) async fn subscribe(&self) -> Result<(String, Subscriber), Failure> {
        let inbox = self.client.new_inbox();
        let subscriber = self.client.subscribe(inbox.clone()).await;
        Ok((inbox, subscriber.map_err(|_| lost("the connection was lost"))?))
    }

    /// Ends when the connection is lost, or when the server does not allow to use the subject.
    pub(crate) async fn fails(&self, subject: &str) -> Failure {
        let mut trouble = self.trouble.clone();
        let quoted = format!("\"{subject}\"");
        let denies = |trouble: &Trouble| {
            trouble.denied.as_ref().filter(|denied| denied.contains(&quoted)).cloned()
        };
        let failed = trouble.wait_for(|trouble| trouble.is_lost || denies(trouble).is_some()).await;
        let why = failed.ok().and_then(|trouble| denies(&trouble));
        why.map_or_else(|| lost("the connection was lost"), Failure::Refused)
    }

    /// It is still the first connection.
    pub(crate) fn holds(&self) -> Result<(), Failure> {
        let is_first = self.statistics.connects.load(Ordering::Relaxed) == 1;
        if is_first && !self.trouble.borrow().is_lost {
            return Ok(());
        }
        Err(lost("the connection was lost"))
    }
}

pub(crate) fn lost(why: &str) -> Failure {
    Failure::Lost(why.to_owned())
}

fn hear(trouble: &watch::Sender<Trouble>, event: Event) {
    trouble.send_modify(|trouble| match event {
        Event::Disconnected | Event::Closed => trouble.is_lost = true,
        Event::ServerError(ServerError::Other(said)) if said.contains("ermissions") => {
            trouble.denied = Some(said);
        }
        _ => {}
    });
}

async fn login(login: &Login) -> Result<ConnectOptions, Failure> {
    let options = ConnectOptions::new();
    let unread = |file: &std::path::Path, error: &std::io::Error| {
        Failure::Refused(format!("{} can't be used: {error}", file.display()))
    };
    Ok(match login {
        Login::Nobody => options,
        Login::Token(token) => options.token(token.clone()),
        Login::User(name, password) => options.user_and_password(name.clone(), password.clone()),
        Login::Credentials(file) => {
            options.credentials_file(file).await.map_err(|error| unread(file, &error))?
        }
        Login::Nkey(file) => {
            let seed = std::fs::read_to_string(file).map_err(|error| unread(file, &error))?;
            options.nkey(seed.trim().to_owned())
        }
    })
}

/// Whether to try again is of use.
fn refusal(error: &ConnectError) -> Failure {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation => {
            Failure::Refused("it refuses the login: user, password, token or key is wrong".into())
        }
        ConnectErrorKind::Authentication => Failure::Refused(format!("the login fails{cause}")),
        ConnectErrorKind::ServerParse => Failure::Refused(format!("no server's address{cause}")),
        ConnectErrorKind::Tls => Failure::Refused(format!("TLS fails{cause}")),
        _ if is_tls(error) => Failure::Refused(format!("TLS fails{cause}")),
        _ => Failure::Lost(format!("it can't be reached{cause}")),
    }
}

/// The two sides have spoken, and do not agree: a certificate that is not trusted, or no TLS at the other end.
fn is_tls(error: &ConnectError) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
    let cause = cause.and_then(std::io::Error::get_ref);
    cause.is_some_and(<dyn std::error::Error + Send + Sync>::is::<async_nats::rustls::Error>)
}
