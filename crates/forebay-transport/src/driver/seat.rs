//! Where a connection's own task and the hub's rounds both find it.
//!
//! Its task does everything that may have to wait. A round does one thing: it writes what is new, where
//! that needs no waiting.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use forebay_hub::Round;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Connection;

/// A connection that has one user at a time.
struct Seat<Io>(Mutex<Connection<Io>>);

/// The task of a connection.
pub(crate) struct Driver<Io>(Arc<Seat<Io>>);

impl<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static> Driver<Io> {
    pub(super) fn new(connection: Connection<Io>) -> Self {
        let seat = Arc::new(Seat(Mutex::new(connection)));
        let weak = Arc::downgrade(&seat);
        seat.0.lock().client.sit(weak);
        Self(seat)
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin + Send> forebay_hub::Seat for Seat<Io> {
    fn deliver(&self, round: &mut Round) -> bool {
        // Where its task is at it this very moment, it may have looked at the log already.
        self.0.try_lock().is_some_and(|mut connection| connection.deliver(round))
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Future for Driver<Io> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // A round is over after one write to this socket.
        self.0.0.lock().poll(cx)
    }
}
