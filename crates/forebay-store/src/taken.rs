//! Batches that have a name, so that each is taken once, whoever asks for it again.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use forebay_log::Offset;

/// Names that are remembered: some 100 bytes each. Whoever asks again does so when its last process was killed
/// before it had noted the answer, and that was one of the last batches.
pub const TAKEN_MAX: usize = 10_000;

/// The names of the last [`TAKEN_MAX`] batches that have one, and where each ended.
#[derive(Debug, Default)]
pub struct Taken {
    ends: HashMap<Arc<str>, Offset>,
    order: VecDeque<Arc<str>>,
}

impl Taken {
    /// Where the batch of this name ended, if it was taken.
    pub fn end(&self, name: &str) -> Option<Offset> {
        self.ends.get(name).copied()
    }

    /// It was taken.
    pub fn insert(&mut self, name: Arc<str>, end: Offset) {
        if self.ends.insert(Arc::clone(&name), end).is_none() {
            self.order.push_back(name);
        }
        while self.order.len() > TAKEN_MAX {
            let oldest = self.order.pop_front().expect("there are some");
            self.ends.remove(&oldest);
        }
    }

    /// Where those ended that are no longer remembered when so many more are taken.
    pub fn oldest(&self, more: usize) -> impl Iterator<Item = Offset> {
        let gone = (self.order.len() + more).saturating_sub(TAKEN_MAX);
        self.order.iter().take(gone).map(|name| self.ends[name])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_remembered() {
        let mut taken = Taken::default();
        for n in 1..=TAKEN_MAX as u64 {
            taken.insert(n.to_string().into(), Offset(n));
        }
        taken.insert("1".into(), Offset(1));
        assert_eq!(taken.oldest(0).count(), 0, "it is known");
        assert_eq!(taken.oldest(2).collect::<Vec<_>>(), [Offset(1), Offset(2)]);
        taken.insert("new".into(), Offset(20_000));
        assert_eq!((taken.end("1"), taken.end("2")), (None, Some(Offset(2))));
        assert_eq!(taken.end("new"), Some(Offset(20_000)));
    }
}
