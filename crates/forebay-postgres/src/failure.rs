//! What Postgres's errors mean: whether they go away by themselves.

use std::error::Error as _;

use forebay_shared::Failure;
use tokio_postgres::Error;
use tokio_postgres::error::DbError;
use tokio_rustls::rustls;

pub(crate) fn failure(error: &Error) -> Failure {
    match error.as_db_error() {
        Some(said) => of_server(said),
        None => of_connection(error),
    }
}

fn of_server(said: &DbError) -> Failure {
    let (code, message) = (said.code().code(), said.message());
    if message.contains("startup parameter") {
        return pooler();
    }
    match code {
        "53100" => Failure::Full(format!("its disk is full: {message}")),
        "42501" => Failure::Refused(format!("the role lacks a right: {message}")),
        // Tables that are gone are made again with the next connection, whose history is another.
        "42P01" | "42883" | "3F000" => Failure::Lost(message.to_owned()),
        "25006" => Failure::Lost(format!("it takes no writes any more: {message}")),
        // Connections, states of transactions, conflicts, resources, locks, and what an operator does.
        _ => match &code[..2] {
            "08" | "25" | "40" | "53" | "55" | "57" => Failure::Lost(message.to_owned()),
            _ => Failure::Refused(format!("{message} ({code})")),
        },
    }
}

fn of_connection(error: &Error) -> Failure {
    let mut cause = error.source();
    let mut text = error.to_string();
    while let Some(source) = cause {
        let inner = source.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match tls {
            Some(rustls::Error::InvalidCertificate(why)) => {
                return Failure::Refused(format!(
                    "its certificate can't be trusted ({why}): ca=FILE names its authority"
                ));
            }
            // A certificate that it asks for, for one.
            Some(error) => return Failure::Refused(format!("TLS fails: {error}")),
            None => {}
        }
        let source_text = source.to_string();
        if source_text.contains("does not support TLS") {
            return Failure::Refused(
                "it has no TLS: sslmode=disable in the URL says that the network is to be trusted"
                    .to_owned(),
            );
        }
        if source_text.contains("password missing") {
            return Failure::Refused("it asks for a password, and the URL has none".to_owned());
        }
        if !text.contains(&source_text) {
            text = format!("{text}: {source_text}");
        }
        cause = source.source();
    }
    Failure::Lost(text)
}

pub(crate) fn pooler() -> Failure {
    Failure::Refused(
        "a pooler such as PgBouncer is in between, and the log needs a session of its own: \
         name the database server itself in the URL"
            .to_owned(),
    )
}
