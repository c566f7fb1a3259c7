//! Whether the process works, and whether it wants visitors.

use axum::http::StatusCode;
use axum::response::Response;
use forebay_core::Forebay;

use crate::serve::answer::answer;
use crate::serve::life::Life;

pub(super) fn health(forebay: &Forebay) -> Response {
    state(forebay, "ok")
}

pub(super) fn ready(life: &Life, forebay: &Forebay) -> Response {
    let not_ready = |why: std::fmt::Arguments<'_>| answer(StatusCode::SERVICE_UNAVAILABLE, why);
    match forebay.behind() {
        _ if !life.is_ready() => not_ready(format_args!("shutting down")),
        Some(silence) => not_ready(format_args!(
            "nothing was heard of the log's store for {} s",
            silence.as_secs()
        )),
        None => state(forebay, "ready"),
    }
}

/// A full disk is said, and is no other status: pages can still be served, and only a broadcast that is
/// posted can find out that there is room again.
fn state(forebay: &Forebay, word: &str) -> Response {
    match forebay.trouble() {
        None => answer(StatusCode::OK, word),
        Some(trouble) => answer(
            StatusCode::OK,
            format_args!("{word}, but the last broadcast was not taken: {trouble}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use forebay_core::raw;
    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::options::tests::settings_of;
    use crate::serve::config::{self, Config};
    use crate::serve::places::Places;
    use crate::serve::{http, routes};

    /// Sends a request, and gives the connection.
    async fn ask(address: &str, head: &str, body: &str) -> TcpStream {
        let length = body.len();
        let head = format!("{head} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n");
        let request = format!("{head}content-length: {length}\r\n\r\n{body}");
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn answer_of(mut stream: TcpStream) -> String {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// With one thread for everything: whoever waited for the disk on it would stop all others.
    #[tokio::test]
    async fn it_answers_while_the_disk_stalls() {
        let folder = TempDir::new().unwrap();
        let settings = settings_of(&format!(
            "serve --public --history-folder {} --history-fsync always",
            folder.path().display()
        ));
        let config = Config::new(&settings).unwrap();
        let forebay = config::open(&settings, &config, None).unwrap();
        let life = Life::new().unwrap();
        let routes = routes::all(&config, &forebay, &life);
        let mut addresses = Vec::new();
        for routes in [routes.main, routes.publishers.expect("they have their own")] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.push(listener.local_addr().unwrap().to_string());
            let places = Places::new(u64::MAX, 0);
            tokio::spawn(http::serve(listener, places, routes, life.clone()));
        }

        let stall = raw::stall_for_tests(&forebay).expect("its log is in a folder");
        let body = r#"{"stream": "room", "data": "1"}"#;
        let publishing = ask(&addresses[1], "POST /_broadcast", body).await;
        let publishing = tokio::spawn(answer_of(publishing));
        let before = forebay.position();
        for _ in 0..3 {
            let health = answer_of(ask(&addresses[0], "GET /health", "").await).await;
            assert!(health.starts_with("HTTP/1.1 200"), "{health}");
        }
        assert!(!publishing.is_finished(), "it waits for the disk");
        assert_eq!(forebay.position(), before, "and has no place until the disk has it");
        drop(stall);
        let published = publishing.await.unwrap();
        assert!(published.starts_with("HTTP/1.1 201"), "{published}");
        assert!(forebay.position().offset > before.offset);
    }
}
