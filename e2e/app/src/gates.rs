//! Named places at which handlers stop until a test lets them go on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

/// A gate is open until a test closes it.
#[derive(Clone, Default)]
pub(crate) struct Gates(Arc<Mutex<HashMap<String, Arc<Gate>>>>);

struct Gate {
    open: watch::Sender<bool>,
    /// How many have arrived, ever.
    arrived: watch::Sender<u64>,
}

impl Gates {
    /// Arrives at a gate, and waits while it is closed.
    pub(crate) async fn pass(&self, name: &str) {
        let gate = self.gate(name);
        gate.arrived.send_modify(|arrived| *arrived += 1);
        let _ = gate.open.subscribe().wait_for(|open| *open).await;
    }

    pub(crate) fn close(&self, name: &str) {
        let gate = self.gate(name);
        gate.arrived.send_replace(0);
        gate.open.send_replace(false);
    }

    pub(crate) fn open(&self, name: &str) {
        self.gate(name).open.send_replace(true);
    }

    /// Waits until somebody has arrived since the gate was closed.
    pub(crate) async fn reached(&self, name: &str) {
        let _ = self.gate(name).arrived.subscribe().wait_for(|arrived| *arrived > 0).await;
    }

    fn gate(&self, name: &str) -> Arc<Gate> {
        let mut gates = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let new = || Arc::new(Gate { open: watch::channel(true).0, arrived: watch::channel(0).0 });
        Arc::clone(gates.entry(name.to_owned()).or_insert_with(new))
    }
}
