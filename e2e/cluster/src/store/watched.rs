//! Two Redis servers and the Sentinel that says which of them has the log. Nodes ask it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use forebay_rig::{Redis, Sentinel, Server};

/// Between two questions to the Sentinel.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// For the Sentinel to choose. It gives a server up after two seconds, and tries again after four.
const CHOOSE_MAX: Duration = Duration::from_mins(1);

pub(super) struct Watched {
    servers: [Redis; 2],
    sentinel: Sentinel,
}

impl Watched {
    pub(super) fn start() -> Result<Self> {
        let options = || Redis::options().append_only().configure("repl-diskless-sync-delay 0");
        let first = options().start()?;
        let second = options().replica_of(&first).start()?;
        first.wait_for_replica()?;
        let sentinel = Sentinel::start(&first)?;
        sentinel.process().wait_for("+slave")?;
        Ok(Self { servers: [first, second], sentinel })
    }

    /// How nodes find the server.
    pub(super) fn url(&self) -> String {
        self.sentinel.url()
    }

    /// Whom the Sentinel names.
    pub(super) fn primary(&self) -> &Redis {
        &self.servers[usize::from(self.second_leads())]
    }

    fn replica(&self) -> &Redis {
        &self.servers[usize::from(!self.second_leads())]
    }

    fn second_leads(&self) -> bool {
        let said = self.sentinel.command(&["sentinel", "get-master-addr-by-name", "forebay"]);
        let port = self.servers[1].address().port().to_string();
        said.is_ok_and(|said| said.lines().any(|line| line == port))
    }

    /// Kills the primary, and waits until the Sentinel has chosen the other one, and made the old one its replica.
    pub(super) fn fail_over(&self) -> Result<()> {
        // One that lacks everything is not chosen.
        self.wait_for_replica(self.primary())?;
        let (old, new) = (self.primary(), self.replica());
        old.kill()?;
        let begun = Instant::now();
        while self.primary().address() != new.address() {
            ensure!(
                begun.elapsed() < CHOOSE_MAX,
                "the Sentinel chooses nobody: {}",
                self.sentinel.process().log()
            );
            sleep(ASK_EVERY);
        }
        old.restart()?;
        self.wait_for_replica(new)
    }

    /// A Sentinel ends the connections of a server to which it gives a role: then it is asked again.
    fn wait_for_replica(&self, primary: &Redis) -> Result<()> {
        let begun = Instant::now();
        while let Err(error) = primary.wait_for_replica() {
            let (at, log) = (primary.address(), self.sentinel.process().log());
            ensure!(begun.elapsed() < CHOOSE_MAX, "no replica follows {at}: {error}\n{log}");
            sleep(ASK_EVERY);
        }
        Ok(())
    }
}
