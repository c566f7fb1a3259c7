//! The server's end of one HTTP exchange, with the bytes of a real one left out: a request is one
//! line of query, `Last-Event-ID` and body, and an answer is a line with its status and then its body.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use forebay_transport::{Endpoint, EventStream, Identity};
use http::{HeaderValue, Request, Response};
use http_body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::client::Transport;
use crate::socket::Socket;

/// Answers one request, until it is answered or the client hangs up.
pub(crate) async fn serve(
    mut socket: Socket,
    endpoint: Endpoint,
    identity: Identity,
    transport: Transport,
) {
    let Some(request) = read(&mut socket).await else { return };
    let mut fields = request.splitn(3, '\t');
    let mut next = || fields.next().unwrap_or_default();
    let (query, last, body) = (next(), next(), next());
    let uri = format!("/forebay?{query}");
    let mut parts = Request::get(uri).body(()).expect("it is a request").into_parts().0;
    parts.headers.insert("content-type", HeaderValue::from_static("application/json"));
    if !last.is_empty() {
        let last = HeaderValue::from_str(last).expect("it is a position");
        parts.headers.insert("last-event-id", last);
    }
    let identity = Ok(identity);
    match transport {
        Transport::Events => stream(&mut socket, endpoint.events(&parts, identity, body)).await,
        Transport::Source => stream(&mut socket, endpoint.source(&parts, identity)).await,
        Transport::Poll => {
            let mut answer = pin!(endpoint.poll(&parts, identity, body));
            let answer = poll_fn(|cx| match poll_gone(&mut socket, cx) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => answer.as_mut().poll(cx).map(Some),
            });
            match answer.await {
                Some(Ok(answer)) => {
                    if write(&mut socket, b"200\n").await {
                        write(&mut socket, answer.body()).await;
                    }
                }
                Some(Err(error)) => refuse(&mut socket, error.status()).await,
                None => return,
            }
        }
        Transport::WebSocket => {}
    }
    // An error is a client that has gone.
    let _ = poll_fn(|cx| Pin::new(&mut socket).poll_shutdown(cx)).await;
}

async fn stream(
    socket: &mut Socket,
    answer: Result<Response<EventStream>, forebay_transport::ExchangeError>,
) {
    let mut body = match answer {
        Ok(answer) => answer.into_body(),
        Err(error) => return refuse(socket, error.status()).await,
    };
    if !write(socket, b"200\n").await {
        return;
    }
    loop {
        let frame = poll_fn(|cx| match poll_gone(socket, cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => Pin::new(&mut body).poll_frame(cx),
        });
        let Some(Ok(frame)) = frame.await else { return };
        if let Ok(data) = frame.into_data()
            && !write(socket, &data).await
        {
            return;
        }
    }
}

async fn refuse(socket: &mut Socket, status: http::StatusCode) {
    write(socket, format!("{}\n", status.as_u16()).as_bytes()).await;
}

async fn read(socket: &mut Socket) -> Option<String> {
    let mut request = Vec::new();
    while request.last() != Some(&b'\n') {
        let mut bytes = [0; 1_024];
        let mut buffer = ReadBuf::new(&mut bytes);
        poll_fn(|cx| Pin::new(&mut *socket).poll_read(cx, &mut buffer)).await.ok()?;
        request.extend_from_slice(buffer.filled());
    }
    request.pop();
    String::from_utf8(request).ok()
}

/// Ready once the client has hung up. It says nothing more by itself.
fn poll_gone(socket: &mut Socket, cx: &mut Context<'_>) -> Poll<()> {
    let mut bytes = [0; 16];
    let read = Pin::new(socket).poll_read(cx, &mut ReadBuf::new(&mut bytes));
    if matches!(read, Poll::Ready(Err(_))) { Poll::Ready(()) } else { Poll::Pending }
}

/// False if the client has hung up.
async fn write(socket: &mut Socket, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match poll_fn(|cx| Pin::new(&mut *socket).poll_write(cx, bytes)).await {
            Ok(written) => bytes = &bytes[written..],
            Err(_) => return false,
        }
    }
    true
}
