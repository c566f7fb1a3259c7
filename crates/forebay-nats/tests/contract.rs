//! What every log store has to do, on real NATS servers, through a proxy that breaks.

#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use forebay_nats::{Nats, Options};
use forebay_rig::{Build, Direction, Passage, Proxy, Server as _};
use forebay_shared::SharedLog;
use forebay_store::LogStore;
use forebay_store_tests::{Fault, World};
use tokio::runtime::Runtime;

/// A request to append has about 250 bytes, and a heartbeat 20.
const REQUEST_BYTES: u64 = 150;
/// Its answer has about 100.
const ANSWER_BYTES: u64 = 60;

/// Stores are asked from a test's thread.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

struct Servers {
    server: forebay_rig::Nats,
    proxy: Proxy,
    /// What is lost in which direction, until there are so many bytes of it.
    losing: Option<(Direction, u64)>,
    /// Lost so far, to the server and to the client.
    lost: [u64; 2],
}

impl Servers {
    fn new(build: Build) -> Self {
        let server = forebay_rig::Nats::options(build).start().unwrap();
        let proxy = Proxy::start(server.address()).unwrap();
        Self { server, proxy, losing: None, lost: [0, 0] }
    }

    fn lose(&mut self, direction: Direction, bytes: u64) {
        self.proxy.set(direction, Passage::Lost);
        self.losing = Some((direction, bytes));
    }

    fn ask(&self, what: &str, body: &'static str) {
        RUNTIME.block_on(async {
            let client = async_nats::connect(self.server.url()).await.unwrap();
            let answer = client.request(format!("$JS.API.{what}"), body.into()).await.unwrap();
            assert!(!String::from_utf8_lossy(&answer.payload).contains("\"error\""));
        });
    }
}

impl World for Servers {
    fn node(&mut self) -> Option<Arc<dyn LogStore>> {
        let backend = Nats::new(Options::new(self.proxy.address().to_string()));
        let log = RUNTIME.block_on(SharedLog::open(backend, forebay_shared::Options::default()));
        Some(Arc::new(log.unwrap()))
    }

    fn advance(&mut self) {
        // It ends with an answer.
        std::thread::park_timeout(Duration::from_millis(2));
        let Some((direction, bytes)) = self.losing else { return };
        let lost = &mut self.lost[usize::from(direction == Direction::ToClient)];
        let moment = Duration::from_millis(2);
        let enough = self.proxy.lost(direction, *lost + bytes);
        if RUNTIME.block_on(async { tokio::time::timeout(moment, enough).await }).is_ok() {
            // What is counted from now on is of the next fault, or counted twice: that only makes it shorter.
            *lost += bytes;
            self.losing = None;
            self.proxy.cut();
            self.proxy.open();
        }
    }

    fn end(&mut self) {}

    fn fault(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::Request => self.lose(Direction::ToServer, REQUEST_BYTES),
            Fault::Answer => self.lose(Direction::ToClient, ANSWER_BYTES),
            Fault::Connection => self.proxy.cut(),
            Fault::Trim => self.ask("STREAM.PURGE.forebay", r#"{"keep":1}"#),
            // Its disk was lost, and there is no copy.
            Fault::Loss => {
                self.server.stop().unwrap();
                std::fs::remove_dir_all(self.server.data()).unwrap();
                self.server.restart().unwrap();
            }
            _ => return false,
        }
        true
    }
}

#[test]
fn it_keeps_the_contract_on_the_oldest_server() {
    let _inside = RUNTIME.enter();
    forebay_store_tests::check(|| Servers::new(Build::Installed));
}

#[test]
fn it_keeps_the_contract_on_the_newest_server() {
    if forebay_rig::Nats::builds().contains(&Build::Newest) {
        let _inside = RUNTIME.enter();
        forebay_store_tests::check(|| Servers::new(Build::Newest));
    }
}
