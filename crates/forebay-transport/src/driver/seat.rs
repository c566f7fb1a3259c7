//! Where a connection's own task and the hub's rounds both find it.
//!
//! Its task does everything that may have to wait. A round does one thing: it writes what is new, where
//! that needs no waiting.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use forebay_cable::Session;
use forebay_hub::{LOOK_MAX, Round, Wake};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Connection;
use crate::conversation::Failing;

/// A connection that has one user at a time.
struct Seat<Io> {
    wake: Arc<Wake>,
    connection: Mutex<Connection<Io>>,
}

/// The task of a connection.
pub(crate) struct Driver<Io>(Arc<Seat<Io>>);

impl<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static> Driver<Io> {
    pub(super) fn new(connection: Connection<Io>) -> Self {
        let wake = connection.conversation.client().wake();
        let seat = Arc::new(Seat { wake, connection: Mutex::new(connection) });
        let weak = Arc::downgrade(&seat);
        seat.connection.lock().conversation.client_mut().sit(weak);
        Self(seat)
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static> forebay_hub::Seat for Seat<Io> {
    fn deliver(&self, round: &mut Round) -> bool {
        // Where its task is at it this very moment, it may have looked at the log already.
        let Some(mut connection) = self.connection.try_lock() else { return false };
        let failing = Failing::new(&self.wake);
        let delivered = connection.deliver(round);
        failing.unless();
        delivered
    }

    fn wake(&self) -> &Wake {
        &self.wake
    }

    fn look(&self, look: &mut dyn FnMut(&Session)) {
        if let Some(connection) = self.connection.try_lock_for(LOOK_MAX) {
            look(connection.conversation.session());
        }
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin + 'static> Future for Driver<Io> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // A round is done with this socket after two writes.
        let mut connection = self.0.connection.lock();
        let failing = Failing::new(&self.0.wake);
        let over = connection.poll(cx);
        failing.unless();
        over
    }
}
