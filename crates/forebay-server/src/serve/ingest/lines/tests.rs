//! The source, behind the real server.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use forebay_core::{Forebay, raw};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::unix::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::*;
use crate::options::tests::settings_of;
use crate::serve::config::{self, Config};
use crate::serve::disconnects::Disconnects;
use crate::serve::life::Life;
use crate::serve::places::Places;
use crate::serve::{http, routes};

/// `forebay serve --public`, and the source beside its own.
struct Server {
    forebay: Forebay,
    address: String,
    folder: TempDir,
}

impl Server {
    async fn start() -> Self {
        Self::start_with("").await
    }

    async fn start_with(flags: &str) -> Self {
        let settings = settings_of(&format!("serve --public {flags}"));
        let config = Config::new(&settings).unwrap();
        let forebay = config::open(&settings, &config, None).unwrap();
        let life = Life::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let main = routes::all(&config, &forebay, &life).main;
        tokio::spawn(http::serve(listener, Places::new(u64::MAX, 0), main, life));
        let folder = TempDir::new().unwrap();
        let listener = UnixListener::bind(folder.path().join("lines")).unwrap();
        let disconnects = Disconnects { forebay: forebay.clone(), has_identities: false };
        let ingest = Arc::new(Ingest { forebay: forebay.clone(), disconnects });
        tokio::spawn(serve(listener, ingest));
        Self { forebay, address, folder }
    }

    async fn publisher(&self) -> UnixStream {
        UnixStream::connect(self.folder.path().join("lines")).await.unwrap()
    }

    /// A page that reads the stream, from now on.
    async fn page(&self, stream: &str) -> Page {
        let mut request = format!("ws://{}/cable", self.address).into_client_request().unwrap();
        let protocol = "actioncable-v1-json".parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let socket = TcpStream::connect(&self.address).await.unwrap();
        let mut page = Page(client_async(request, socket).await.unwrap().0);
        assert_eq!(page.next().await["type"], "welcome");
        let identifier = json!({ "channel": "$pubsub", "stream_name": stream }).to_string();
        let subscribe = json!({ "command": "subscribe", "identifier": identifier }).to_string();
        page.0.send(Message::text(subscribe)).await.unwrap();
        assert_eq!(page.next().await["type"], "confirm_subscription");
        page
    }
}

struct Page(WebSocketStream<TcpStream>);

impl Page {
    /// What it is told next, but for pings.
    async fn next(&mut self) -> Value {
        loop {
            let Message::Text(text) = self.0.next().await.unwrap().unwrap() else { continue };
            let said: Value = serde_json::from_str(&text).unwrap();
            if said["type"] != "ping" {
                return said;
            }
        }
    }
}

fn line(publisher: &str, number: u64) -> String {
    let data = json!({ "by": publisher, "number": number }).to_string();
    format!("{}\n", json!({ "stream": "s", "data": data }))
}

/// Several at once: each one's own order is the order on the page, and each line is answered.
#[tokio::test]
async fn what_each_publisher_sends_in_order_arrives_in_order() {
    const LINES: u64 = 200;
    let server = Server::start().await;
    let mut page = server.page("s").await;
    let publishers = ["a", "b", "c"];
    for name in publishers {
        let mut publisher = server.publisher().await;
        tokio::spawn(async move {
            let lines: String = (0..LINES).map(|number| line(name, number)).collect();
            let (answers, mut requests) = publisher.split();
            requests.write_all(lines.as_bytes()).await.unwrap();
            let mut answers = BufReader::new(answers).lines();
            for _ in 0..LINES {
                assert_eq!(answers.next_line().await.unwrap().as_deref(), Some("ok"));
            }
        });
    }
    let mut next = [0; 3];
    for _ in 0..3 * LINES {
        let said = page.next().await;
        let (by, number) = (&said["message"]["by"], &said["message"]["number"]);
        let at = publishers.iter().position(|name| by == name).unwrap();
        assert_eq!(number, next[at], "of {by}");
        next[at] += 1;
    }
    assert_eq!(next, [LINES; 3]);
}

/// Sends until the server takes no more; gives how many bytes it took. The clock is paused: time passes only
/// while nothing else can happen.
async fn send_until_stuck(requests: &mut WriteHalf<'_>, bytes: &[u8]) -> usize {
    const FOR_EVER: Duration = Duration::from_hours(1);
    let mut sent = 0;
    while let Ok(written) = tokio::time::timeout(FOR_EVER, requests.write(&bytes[sent..])).await {
        sent += written.unwrap();
        assert!(sent < bytes.len(), "all of it was taken");
    }
    sent
}

/// Sends the rest, and reads one answer for each line.
async fn go_on(mut requests: WriteHalf<'_>, rest: &[u8], answers: ReadHalf<'_>, lines: u64) {
    let read = async {
        let mut answers = BufReader::new(answers).lines();
        for _ in 0..lines {
            assert_eq!(answers.next_line().await.unwrap().as_deref(), Some("ok"));
        }
    };
    let (written, ()) = tokio::join!(requests.write_all(rest), read);
    written.unwrap();
}

/// A publisher that sends and sends is stopped by its socket; nothing of it waits in the server's memory,
/// and nothing is lost once it reads.
#[tokio::test(start_paused = true)]
async fn a_publisher_that_reads_no_answers_is_read_no_further() {
    const LINES: u64 = 20_000;
    let server = Server::start().await;
    let before = server.forebay.position().offset.0;
    let taken = || server.forebay.position().offset.0 - before;
    let mut publisher = server.publisher().await;
    let (answers, mut requests) = publisher.split();
    let lines: String = (0..LINES).map(|number| line("a", number)).collect();
    let sent = send_until_stuck(&mut requests, lines.as_bytes()).await;
    let stopped_at = taken();
    assert!((1..LINES).contains(&stopped_at), "{stopped_at}");
    go_on(requests, &lines.as_bytes()[sent..], answers, LINES).await;
    assert_eq!(taken(), LINES);
}

/// The same where the log is what is slow: one line waits for the disk, and the others in the socket.
#[tokio::test(start_paused = true)]
async fn a_disk_that_stalls_stops_its_publishers() {
    const LINES: u64 = 200;
    let folder = TempDir::new().unwrap();
    let flags = format!("--history-folder {}", folder.path().display());
    let server = Server::start_with(&flags).await;
    let before = server.forebay.position().offset.0;
    let taken = || server.forebay.position().offset.0 - before;
    let mut publisher = server.publisher().await;
    let (answers, mut requests) = publisher.split();
    // More than a socket holds: 200 lines of 8 KB.
    let lines: String = (0..LINES).map(|number| line(&"x".repeat(8 << 10), number)).collect();
    let stall = raw::stall_for_tests(&server.forebay).expect("its log is in a folder");
    let sent = send_until_stuck(&mut requests, lines.as_bytes()).await;
    assert_eq!(taken(), 0);
    drop(stall);
    go_on(requests, &lines.as_bytes()[sent..], answers, LINES).await;
    assert_eq!(taken(), LINES);
}

/// Collects the log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The publisher is answered, the log says who and why, and the next line is taken. All refusals are in one
/// test: where another thread meets a place of the log for the first time, this one's subscriber may miss it.
#[tokio::test]
async fn a_line_that_is_refused_is_answered_and_logged_and_the_next_is_taken() {
    let log = Lines::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
    let _logged = tracing::subscriber::set_default(subscriber.finish());
    let server = Server::start().await;
    let mut page = server.page("s").await;
    let mut publisher = server.publisher().await;
    let (answers, mut requests) = publisher.split();
    let mut answers = BufReader::new(answers).lines();
    let disconnect = r#"{"command":"disconnect","payload":{"identifier":"{\"user\":\"u\"}"}}"#;
    for (request, part) in [
        ("hello", "neither a JSON object nor an array"),
        (r#"[{"stream":"s","data":"1"},{"stream":"s"}]"#, "broadcast 2 of the batch"),
        (disconnect, "identity_header"),
    ] {
        requests.write_all(format!("{request}\n").as_bytes()).await.unwrap();
        let answer = answers.next_line().await.unwrap().unwrap();
        assert!(answer.contains(part), "{request}: {answer}");
        let logged = String::from_utf8(std::mem::take(&mut *log.lock())).unwrap();
        let warning = logged.lines().find(|line| line.contains("broadcasts refused")).unwrap();
        let who = format!("process {}", std::process::id());
        for part in ["WARN", part, &who] {
            assert!(warning.contains(part), "{part} is not in {warning}");
        }
    }
    requests.write_all(line("a", 7).as_bytes()).await.unwrap();
    assert_eq!(answers.next_line().await.unwrap().as_deref(), Some("ok"));
    assert_eq!(page.next().await["message"]["number"], 7);

    // A line without an end in sight takes no more memory than a line may, and is the publisher's last.
    let before = server.forebay.position();
    let mut endless = server.publisher().await;
    // Nobody reads all of it.
    let _ = endless.write_all(&vec![b'x'; 2 * LINE_BYTES_MAX]).await;
    let mut answer = String::new();
    let _ = BufReader::new(&mut endless).read_line(&mut answer).await;
    assert!(answer.contains("neither a JSON object nor an array"), "{answer}");
    assert_eq!(server.forebay.position(), before);
}
