//! A proxy that loses what passes for some moments: long enough for what was asked for just then.

use std::net::SocketAddr;
use std::ops::Deref;

use crate::{Direction, Passage, Proxy};

/// Moments after which a direction that loses is whole again.
const MOMENTS: u32 = 30;

/// A [`Proxy`] that can lose what passes, and be whole again after some [moments](Self::moment).
#[derive(Debug)]
pub struct Losing {
    proxy: Proxy,
    left: u32,
}

impl Losing {
    /// See [`Proxy::start`].
    ///
    /// # Errors
    /// No port or thread can be had.
    pub fn start(server: SocketAddr) -> std::io::Result<Self> {
        Ok(Self { proxy: Proxy::start(server)?, left: 0 })
    }

    /// What passes in this direction is lost from now on.
    pub fn lose(&mut self, direction: Direction) {
        self.proxy.set(direction, Passage::Lost);
        self.left = MOMENTS;
    }

    /// A moment is over. After the last one all connections end, since a stream with a hole is none, and new ones
    /// pass.
    pub fn moment(&mut self) {
        if self.left == 1 {
            self.proxy.cut();
            self.proxy.open();
        }
        self.left = self.left.saturating_sub(1);
    }
}

impl Deref for Losing {
    type Target = Proxy;

    fn deref(&self) -> &Proxy {
        &self.proxy
    }
}
