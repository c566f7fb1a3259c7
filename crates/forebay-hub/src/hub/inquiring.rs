//! Asking the other nodes of a shared log what they have recorded, and answering them.
//!
//! A question and its answers are ephemeral records. Each node applies the question in the log's order, so it
//! has applied every broadcast before it: an answer is never older than its question. A task of its own answers, so
//! applying waits for nothing.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use forebay_inspect::{Question, Said, Told};
use forebay_log::{Content, Control, Inquiry, InquiryKind};
use forebay_store::{Batch, LogStore};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::tasks::claim;
use super::{Hub, Shared};
use crate::inspection::Asking;

/// How long nodes are waited for. One that is well answers in milliseconds.
const ANSWERS_MAX: Duration = Duration::from_secs(1);

/// How long others are waited for where all have answered that are known: another one may have come.
const NEWCOMERS_MAX: Duration = Duration::from_millis(100);

/// How old the log may be that a node has and answers from. Nobody waits for an older question.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// Of one answer: a hundred rows.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Questions whose answers are kept for a moment.
const KEPT_MAX: usize = 64;

/// What nodes say together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Answers {
    /// What each node says; this one's comes first.
    pub told: Vec<Told>,
    /// Nodes that have not answered, by name.
    pub missing: Vec<String>,
    /// Nodes that record nothing.
    pub off: Vec<String>,
}

impl Answers {
    /// Names of nodes whose rows did not all fit.
    pub fn cut(&self) -> Vec<String> {
        let cut = self.told.iter().filter(|told| told.is_cut);
        cut.map(|told| told.node.clone()).collect()
    }

    /// Names of nodes that have said what they know.
    pub fn nodes(&self) -> Vec<String> {
        self.told.iter().map(|told| told.node.clone()).collect()
    }
}

/// Answers that are kept: who asks the same meanwhile gets the same.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<HashMap<Vec<u8>, Arc<Slot>>>);

/// Held by whoever asks; the others wait for what it gets.
type Slot = tokio::sync::Mutex<Option<(Instant, Answers)>>;

impl Hub {
    /// Asks all nodes of this log what they have recorded, this one first. What others have said no longer ago than
    /// `fresh` to the same question is taken as their answer. It takes a second at the most. `None` where nothing is
    /// recorded here.
    pub async fn inquire(&self, question: &Question, fresh: Duration) -> Option<Answers> {
        let inspection = self.inspection()?;
        let mut answers = match &self.0.store {
            Some(store) if store.is_shared() => self.ask_others(&**store, question, fresh).await,
            _ => Answers::default(),
        };
        // Afterwards: it has come as far as the others had.
        answers.told.insert(0, self.told(inspection, question));
        Some(answers)
    }

    async fn ask_others(
        &self,
        store: &dyn LogStore,
        question: &Question,
        fresh: Duration,
    ) -> Answers {
        let body = question.to_json();
        if fresh.is_zero() {
            return self.ask_now(store, body).await;
        }
        let Some(slot) = self.0.kept_answers.slot(&body) else {
            return self.ask_now(store, body).await;
        };
        let mut kept = slot.lock().await;
        if let Some((at, answers)) = &*kept
            && at.elapsed() < fresh
        {
            return answers.clone();
        }
        let answers = self.ask_now(store, body).await;
        *kept = Some((Instant::now(), answers.clone()));
        answers
    }

    async fn ask_now(&self, store: &dyn LogStore, body: Vec<u8>) -> Answers {
        let inquiries = &self.0.inquiries;
        let present: Vec<_> = self.0.presence.sets.read().nodes().map(|(node, _)| node).collect();
        let Some(asking) = inquiries.ask(self.now().0, present.into_iter()) else {
            self.0.stats.inquiries_left_out.add(1);
            return Answers { missing: inquiries.known(), ..Answers::default() };
        };
        self.0.stats.inquiries.add(1);
        inquiries.note_known();
        let deadline = Instant::now() + ANSWERS_MAX;
        let inquiry = self.inquiry(asking.number, InquiryKind::Question(body.into()));
        match timeout_at(deadline, store.append(inquiry)).await {
            Ok(Ok(_)) => wait(&asking, deadline).await,
            Ok(Err(error)) => tracing::warn!(%error, "the other nodes can't be asked"),
            Err(_) => tracing::warn!("the other nodes can't be asked: the log does not answer"),
        }
        self.answers(&asking)
    }

    fn answers(&self, asking: &Asking<'_>) -> Answers {
        let answered = asking.end();
        let mut answers = Answers::default();
        let mut has_answered = Vec::new();
        for (node, body) in answered {
            let Some(told) = Told::from_json(&body) else {
                self.0.stats.inquiries_left_out.add(1);
                tracing::warn!(%node, "what a node answers can't be read: is it of another version?");
                continue;
            };
            has_answered.push(node);
            match told.said {
                Said::Off => answers.off.push(told.node),
                _ => answers.told.push(told),
            }
        }
        let expected = asking.expected.iter().filter(|(node, _)| !has_answered.contains(node));
        answers.missing = expected.map(|(_, name)| name.to_string()).collect();
        answers.told.sort_by(|a, b| a.node.cmp(&b.node));
        answers.off.sort_unstable();
        answers
    }

    fn inquiry(&self, number: u64, kind: InquiryKind) -> Batch {
        let inquiries = &self.0.inquiries;
        let (node, name) = (inquiries.node, Arc::clone(&inquiries.name));
        let inquiry = Inquiry { node, name, number, kind };
        let content = Content::Control(Control::Inquiry(Arc::new(inquiry)));
        Batch::new(self.now(), vec![content])
    }

    /// Says to the others that this node ends, so that nobody waits for it.
    pub(super) async fn say_farewell(&self) {
        let Some(store) = self.0.store.as_ref().filter(|store| store.is_shared()) else { return };
        if self.0.inquiries.ends() {
            let farewell = store.append(self.inquiry(0, InquiryKind::Farewell));
            // Who does not hear it misses this node for a minute.
            let _ = timeout_at(Instant::now() + ANSWERS_MAX, farewell).await;
        }
    }

    /// Begins to answer other nodes, where there may be some.
    pub(super) fn begin_to_answer(&self) {
        if !self.has_other_nodes() {
            return;
        }
        self.0.inquiries.begin();
        if let Some(runtime) = claim(&self.0.inquiries.is_attended) {
            let called = Arc::clone(&self.0.inquiries.called);
            runtime.spawn(answer_all(Arc::downgrade(&self.0), called));
        }
    }

    async fn answer(&self, store: &dyn LogStore, asked: &Inquiry) {
        let InquiryKind::Question(question) = &asked.kind else { return };
        let left_out = &self.0.stats.inquiries_left_out;
        // What was asked while this process stood still, or was cut off, nobody waits for any more.
        if store.silence() > SILENCE_MAX {
            left_out.add(1);
            return;
        }
        let Some(question) = Question::from_json(question) else {
            left_out.add(1);
            tracing::warn!(
                node = &*asked.name,
                "what a node asks can't be read: is it of another version?"
            );
            return;
        };
        let told = self.inspection().map(|inspection| self.tell_others(inspection, &question));
        let told = told.unwrap_or_else(|| {
            let node = self.0.inquiries.name.to_string();
            Told { node, is_cut: false, said: Said::Off }
        });
        let body = told.within(ANSWER_BYTES_MAX).to_json();
        self.0.inquiries.note_known();
        let kind = InquiryKind::Answer { to: asked.node, body: body.into() };
        let batch = self.inquiry(asked.number, kind);
        let deadline = Instant::now() + ANSWERS_MAX;
        if !matches!(timeout_at(deadline, store.append(batch)).await, Ok(Ok(_))) {
            left_out.add(1);
            tracing::warn!(node = &*asked.name, "a node that asks could not be answered");
        }
    }
}

/// Until all have answered, and those who may have come meanwhile have had time to.
async fn wait(asking: &Asking<'_>, deadline: Instant) {
    let newcomers = (Instant::now() + NEWCOMERS_MAX).min(deadline);
    while !asking.is_whole() {
        if timeout_at(deadline, asking.answered.notified()).await.is_err() {
            return;
        }
    }
    tokio::time::sleep_until(newcomers).await;
}

/// Answers one question after the other, until the hub is gone.
async fn answer_all(hub: Weak<Shared>, called: Arc<Notify>) {
    loop {
        let Some(hub) = hub.upgrade().map(Hub) else { return };
        while let Some(asked) = hub.0.inquiries.next() {
            if let Some(store) = &hub.0.store {
                hub.answer(&**store, &asked).await;
            }
        }
        drop(hub);
        called.notified().await;
    }
}

impl Kept {
    /// `None` where there is no room for one more.
    fn slot(&self, question: &[u8]) -> Option<Arc<Slot>> {
        let mut slots = self.0.lock();
        if let Some(slot) = slots.get(question) {
            return Some(Arc::clone(slot));
        }
        if slots.len() >= KEPT_MAX {
            // Of those that nobody asks for now.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        let has_room = slots.len() < KEPT_MAX;
        has_room.then(|| Arc::clone(slots.entry(question.to_vec()).or_default()))
    }
}
