//! Nodes of one log, the simulated server that keeps it, and time that moves by hand.

use std::sync::Arc;
use std::time::Duration;

use forebay_shared::{Options, SharedLog};
use tokio::runtime::{EnterGuard, Runtime};
use tokio::time::Instant;

use crate::server::{Flaw, Line, Server, Trouble};

/// Nodes, and a server for them. Whatever happens depends on the seed alone.
pub struct Network {
    runtime: Runtime,
    server: Server,
}

impl Network {
    /// A network to an empty log.
    ///
    /// # Panics
    /// If the operating system has no memory left.
    pub fn new(seed: u64, trouble: Trouble, flaw: Flaw) -> Self {
        Self::of(Server::new(seed, trouble, flaw))
    }

    /// The same server, and a time of one's own: who has it can be stopped while others go on.
    ///
    /// # Panics
    /// If the operating system has no memory left.
    pub fn beside(&self) -> Self {
        Self::of(self.server.clone())
    }

    fn of(server: Server) -> Self {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().expect("there is memory");
        Self { runtime, server }
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Another node's access to the server, and how it uses it.
    pub fn access(&self) -> (Line, Options) {
        let mut options = Options::default();
        options.random = Arc::new(self.server.random());
        (self.server.line(), options)
    }

    /// Another node's log.
    ///
    /// # Panics
    /// If the server can't be reached for a minute.
    pub fn node(&self) -> Arc<SharedLog<Line>> {
        let (line, options) = self.access();
        let open = SharedLog::open(line, options);
        Arc::new(self.runtime.block_on(open).expect("the server can be reached"))
    }

    /// A millisecond passes, and with it what is under way.
    pub fn step(&self) {
        self.run(Duration::from_millis(1));
    }

    /// So much time passes.
    pub fn run(&self, time: Duration) {
        self.runtime.block_on(async move { tokio::time::sleep(time).await });
    }

    /// So much time is over at once, as for a process that was stopped.
    pub fn jump(&self, time: Duration) {
        self.runtime.block_on(tokio::time::advance(time));
    }

    /// The time.
    pub fn now(&self) -> Instant {
        let _time = self.enter();
        Instant::now()
    }

    /// Has this thread live in the network's time.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }
}
