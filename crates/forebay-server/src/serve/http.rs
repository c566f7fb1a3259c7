//! The accept loop.
//!
//! `axum::serve` has no timer, so a client that never finishes its request would be kept for ever,
//! and it counts nothing. Here a request has to come within a time, connections are bounded, and
//! closing waits for those that are busy. HTTP/1.1 alone: TLS and HTTP/2 are the proxy's.

mod socket;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, Version, header};
use forebay_core::Ends;
use hyper::body::Incoming;
use hyper::server::conn::http1::{self, Parts};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tower_service::Service as _;

use self::socket::Socket;
use super::answer::answer;
use super::cable::Handover;
use super::life::Life;
use super::places::{Place, Places};

/// For the first request's head. Long enough for a phone on a bad line.
const FIRST_REQUEST_MAX: Duration = Duration::from_secs(10);

/// How long the first request's head may take while places run short.
const FIRST_REQUEST_MAX_IF_SHORT: Duration = Duration::from_secs(1);

/// For later requests' heads, waiting for them included: longer than load balancers keep an idle
/// connection (60 s), so that it is they who close it, and no request meets a closed one.
const NEXT_REQUEST_MAX: Duration = Duration::from_secs(75);

/// How long a connection without a request is kept once the server closes. Who sends more often than this
/// gets an answer that says that it is the last one, and so never sends into a connection that is gone.
const LAST_REQUEST_WAIT: Duration = Duration::from_millis(250);

/// A request's head: the stock client's is under 2 KB, cookies may be 8.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Serves until the server closes; returns when the last connection is done.
pub(super) async fn serve(listener: TcpListener, places: Arc<Places>, router: Router, life: Life) {
    // Where it listens at every address, each connection says which one it was.
    let local = listener.local_addr().ok().filter(|local| !local.ip().is_unspecified());
    let mut closing = std::pin::pin!(life.closing());
    loop {
        let accept = async {
            let permit = places.permit().await?;
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let place = places.place(&stream, peer.ip(), permit);
                    Some((stream, peer, place))
                }
                Err(error) => {
                    // Out of open files, mostly: it is tried again when some are closed.
                    tracing::error!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    None
                }
            }
        };
        tokio::select! {
            accepted = accept => if let Some((stream, peer, place)) = accepted {
                let ends = Ends::new(peer, local.or_else(|| stream.local_addr().ok()));
                tokio::spawn(connection(stream, ends, router.clone(), life.clone(), place));
            },
            () = &mut closing => break,
        }
    }
    drop(listener);
    // Whoever is done gives its place back.
    places.all_free().await;
}

/// What a connection's service and its socket tell each other.
#[derive(Debug, Default)]
struct Progress {
    has_asked: AtomicBool,
    /// The answer is 101: what is written from here on is that.
    switches: AtomicBool,
}

async fn connection(stream: TcpStream, ends: Ends, router: Router, life: Life, place: Place) {
    let shortage = place.shortage;
    let (progress, handover) = (Arc::new(Progress::default()), Handover::default());
    let socket = TokioIo::new(Socket::new(stream, Arc::clone(&progress)));
    let life = &life;
    let service = service_fn(|mut request: Request<Incoming>| {
        progress.has_asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(ends);
        if let Some(shortage) = shortage {
            request.extensions_mut().insert(shortage);
        }
        if request.headers().contains_key(header::UPGRADE) {
            request.extensions_mut().insert(handover.clone());
        }
        let response = names_a_host(&request).then(|| router.clone().call(request.map(Body::new)));
        let progress = Arc::clone(&progress);
        async move {
            let mut response = match response {
                Some(response) => response.await?,
                None => no_host(&ends),
            };
            if shortage.is_some() || life.is_closing() {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                progress.switches.store(true, Ordering::Relaxed);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(NEXT_REQUEST_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(socket, service);
    let is_silent = async {
        let max = shortage.map_or(FIRST_REQUEST_MAX, |_| FIRST_REQUEST_MAX_IF_SHORT);
        tokio::time::sleep(max).await;
        if progress.has_asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let last_request = async {
        life.closing().await;
        tokio::time::sleep(LAST_REQUEST_WAIT).await;
    };
    // The connection comes first: a request that has arrived when a time is up is read and answered, also on a
    // machine that was busy with something else until then.
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        () = is_silent => {
            tracing::debug!(peer = %ends.peer, "no request came in time");
            return;
        }
        () = last_request => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    match ended {
        Err(error) => tracing::debug!(peer = %ends.peer, %error, "connection ended"),
        Ok(()) if progress.switches.load(Ordering::Relaxed) => {
            let Parts { io, read_buf, .. } = connection.into_parts();
            let (stream, answer) = io.into_inner().into_parts();
            // On these systems it has inherited it.
            if !cfg!(any(target_os = "android", target_os = "linux")) {
                forebay_core::prepare(&stream);
            }
            if let Some(admission) = handover.take() {
                // A task of its own, so that this one's memory does not stay.
                drop(tokio::spawn(admission.read(read_buf).answer(answer).run(stream)));
            }
        }
        Ok(()) => {}
    }
}

/// One, and neither none nor two of which nobody knows which one counts (RFC 9112, section 3.2). Clients of
/// HTTP/1.0 have none to name; load balancers look at `/health` so.
fn names_a_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let has_one = hosts.next().is_some() || request.version() == Version::HTTP_10;
    has_one && hosts.next().is_none()
}

fn no_host(ends: &Ends) -> axum::response::Response {
    let why = "a request must name one host";
    tracing::warn!(peer = %ends.peer, "request refused: {why}");
    answer(StatusCode::BAD_REQUEST, why)
}

/// Each connection is an open file, and many systems begin with 1 024 of them although the process
/// may have more. Gives the limit that counts.
#[cfg(unix)]
pub(super) fn raise_open_files_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if setrlimit(Resource::Nofile, raised).is_err() {
        return limit.current.unwrap_or(u64::MAX);
    }
    limit.maximum.unwrap_or(u64::MAX)
}

/// What it is now.
#[cfg(unix)]
pub(super) fn open_files_limit() -> u64 {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Windows has no such limit.
#[cfg(not(unix))]
pub(super) fn raise_open_files_limit() -> u64 {
    u64::MAX
}

/// Nor has it here.
#[cfg(not(unix))]
pub(super) fn open_files_limit() -> u64 {
    u64::MAX
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What a client gets that sends this and then nothing more.
    async fn send(text: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", axum::routing::get(async || "hello"));
        let places = Places::new(u64::MAX, 0);
        tokio::spawn(serve(listener, places, router, Life::new().unwrap()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // Nothing else happens, so the paused clock runs on to the server's next timeout.
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_finishes_its_first_request_is_dropped() {
        let began = tokio::time::Instant::now();
        assert_eq!(send("").await, "");
        assert_eq!(send("GET / HTTP/1.1\r\nhost: a\r\nx").await, "");
        assert!(began.elapsed() < 3 * FIRST_REQUEST_MAX, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_names_one_host() {
        let check = async |head: &str, status: &str| {
            let answer = send(&format!("{head}\r\nconnection: close\r\n\r\n")).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} "))
                    || answer.starts_with(&format!("HTTP/1.0 {status} ")),
                "{head}: {answer}"
            );
        };
        check("GET / HTTP/1.1\r\nhost: a", "200").await;
        check("GET / HTTP/1.1", "400").await;
        check("GET / HTTP/1.1\r\nhost: a\r\nhost: b", "400").await;
        check("GET / HTTP/1.1\r\nhost: a\r\nhost: a", "400").await;
        check("GET / HTTP/1.0", "200").await;
        check("GET / HTTP/1.0\r\nhost: a\r\nhost: b", "400").await;
    }

    /// Where nobody had time to look until the wait was over, both are there at once.
    #[tokio::test(start_paused = true)]
    async fn a_request_that_came_in_time_is_answered_though_the_server_looks_late() {
        let ask = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        for _ in 0..20 {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let router = Router::new().route("/", axum::routing::get(async || "hello"));
            let life = Life::new().unwrap();
            tokio::spawn(serve(listener, Places::new(u64::MAX, 0), router, life.clone()));
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(ask.as_bytes()).await.unwrap();
            let mut answer = [0; 1024];
            let length = stream.read(&mut answer).await.unwrap();
            assert!(answer[..length].ends_with(b"hello"));
            life.begin_to_close();
            // The connection waits for its last request from here on.
            tokio::task::yield_now().await;
            stream.try_write(ask.as_bytes()).unwrap();
            tokio::time::advance(LAST_REQUEST_WAIT).await;
            let mut last = String::new();
            stream.read_to_string(&mut last).await.unwrap();
            assert!(last.contains("connection: close") && last.ends_with("hello"), "{last:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_may_be_quiet_between_requests_for_longer() {
        let began = tokio::time::Instant::now();
        let answer = send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(answer.ends_with("hello"), "{answer}");
        assert!(began.elapsed() >= NEXT_REQUEST_MAX, "{:?}", began.elapsed());
    }
}
