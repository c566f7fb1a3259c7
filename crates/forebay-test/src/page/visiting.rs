//! Loading the page, its frames, and what its forms are answered with.

use std::sync::atomic::{AtomicU64, Ordering};

use forebay_inspect::Seen;
use http::{Method, StatusCode, header};

use super::TestPage;
use super::reading::Over;
use crate::app::{Answer, Ask, resolved};
use crate::document::{Applied, Document};

/// Turbo remembers as many ids of its requests.
const REQUESTS_MAX: usize = 20;

impl TestPage {
    /// Goes to another page, as a link does. The connection stays; tags come and go.
    ///
    /// # Panics
    /// If there is no answer, or none that is a page.
    pub async fn visit(&mut self, path: &str) {
        self.load(path).await;
        self.settle().await;
    }

    /// Loads the page again, as a refresh does that was broadcast.
    pub async fn reload(&mut self) {
        self.refresh().await;
        self.settle().await;
    }

    /// Loads a frame: a lazy one, as if it came into view, or any other once more.
    ///
    /// # Panics
    /// If the page has no such frame with an address.
    pub async fn load_frame(&mut self, id: &str) {
        let frame = self.document.frame(id);
        let frame = frame
            .unwrap_or_else(|| panic!("{}: there is no frame {id:?} with an address", self.path));
        self.fetch_frame(frame.node, &frame.id, &frame.src).await;
        self.settle().await;
    }

    /// Sends a form, as Turbo does: the fields that it has, and these instead or in addition. Stream tags
    /// in the answer are applied, a frame's answer goes into the frame, and a redirect leads on.
    ///
    /// ```no_run
    /// # async fn example(mut page: forebay_test::TestPage) {
    /// page.submit("#new_message", &[("body", "hi")]).await;
    /// page.assert_text("#message_1", "hi");
    /// # }
    /// ```
    ///
    /// # Panics
    /// If there is no such form, or if Turbo does not accept the answer.
    pub async fn submit(&mut self, selector: &str, fields: &[(&str, &str)]) {
        self.document.assert_exists(selector);
        let form = self.document.form(selector).expect("it exists");
        let mut sent: Vec<_> = form
            .fields
            .into_iter()
            .filter(|(name, _)| !fields.iter().any(|(other, _)| other == name))
            .collect();
        sent.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let query = encoded(&sent);
        let action = resolved(&self.path, &form.action);
        let request_id = self.next_request_id();
        let is_get = form.method == "get";
        let path = if is_get {
            format!("{}?{query}", action.split('?').next().unwrap_or_default())
        } else {
            action
        };
        let ask = Ask {
            method: Method::from_bytes(form.method.to_uppercase().as_bytes())
                .unwrap_or(Method::POST),
            path: &path,
            form: (!is_get).then_some(query),
            frame: form.frame.as_deref(),
            request_id: Some(&request_id),
        };
        let asked_at = self.app.forebay.position();
        let answer = self.app.ask(ask).await;
        let answer =
            answer.unwrap_or_else(|error| panic!("{path}: the form has no answer: {error}"));
        self.take_answer(answer, (&path, is_get, asked_at), form.frame.as_deref()).await;
        self.settle().await;
    }

    async fn take_answer(
        &mut self,
        answer: Answer,
        (asked, is_get, asked_at): (&str, bool, forebay_core::Position),
        frame: Option<&str>,
    ) {
        if is_streams(&answer) {
            let applied = self.document.receive(&answer.body);
            self.note(applied, &Over::default());
        } else if let Some(id) = frame {
            match self.document.frame_node(id) {
                Some(node) => self.fill_frame(node, id, &answer.body),
                None => self.frames_without_match.push(id.to_owned()),
            }
        } else if matches!(answer.status, StatusCode::CREATED | StatusCode::NO_CONTENT) {
            // Turbo leaves the page as it is.
        } else {
            let is_elsewhere = answer.path != asked || !answer.status.is_success() || is_get;
            // What Turbo says in the console, and the page stays as it is.
            assert!(is_elsewhere, "{asked}: Form responses must redirect to another location");
            if answer.status.is_success() {
                self.path.clone_from(&answer.path);
            }
            self.asked_at = asked_at;
            self.show(&answer.body).await;
        }
    }

    pub(super) async fn load(&mut self, path: &str) {
        self.asked_at = self.app.forebay.position();
        let request_id = self.next_request_id();
        let ask = Ask { request_id: Some(&request_id), ..Ask::get(path) };
        let answer = self.app.ask(ask).await;
        let answer =
            answer.unwrap_or_else(|error| panic!("{path}: the page has no answer: {error}"));
        let is_html = header_text(&answer, &header::CONTENT_TYPE).contains("html");
        let is_page = answer.status.is_success() && is_html && !is_streams(&answer);
        assert!(is_page, "{path}: the answer is no page: {}\n{}", answer.status, answer.body);
        self.path = answer.path;
        self.show(&answer.body).await;
    }

    pub(super) async fn refresh(&mut self) {
        let path = self.path.clone();
        self.load(&path).await;
    }

    async fn show(&mut self, html: &str) {
        self.give_up_all().await;
        self.frames_loaded.clear();
        let actions = self.app.actions.iter();
        self.document = actions.fold(Document::parse(html), Document::with_action);
        let applied = self.document.run_streams();
        self.note(applied, &Over::default());
    }

    pub(super) async fn load_frames(&mut self) {
        loop {
            let frames = self.document.eager_frames().into_iter();
            let mut frames = frames.filter(|frame| !self.frames_loaded.contains(&frame.node));
            let Some(frame) = frames.next() else { return };
            self.frames_loaded.push(frame.node);
            self.fetch_frame(frame.node, &frame.id, &frame.src).await;
        }
    }

    /// No tag waits to be subscribed, and no frame to be loaded.
    pub(super) fn is_at_rest(&mut self) -> bool {
        let has_frames = self
            .document
            .eager_frames()
            .iter()
            .any(|frame| !self.frames_loaded.contains(&frame.node));
        let is_behind = std::mem::take(&mut self.is_behind);
        !has_frames && !is_behind && self.has_all_tags()
    }

    async fn fetch_frame(&mut self, node: ego_tree::NodeId, id: &str, src: &str) {
        let request_id = self.next_request_id();
        let path = resolved(&self.path, src);
        let ask = Ask { frame: Some(id), request_id: Some(&request_id), ..Ask::get(&path) };
        let answer = self.app.ask(ask).await;
        let answer = answer
            .unwrap_or_else(|error| panic!("{path}: the frame {id:?} has no answer: {error}"));
        if is_streams(&answer) {
            let applied = self.document.receive(&answer.body);
            self.note(applied, &Over::default());
        } else {
            self.fill_frame(node, id, &answer.body);
        }
    }

    fn fill_frame(&mut self, node: ego_tree::NodeId, id: &str, answer: &str) {
        if self.document.fill_frame(node, id, answer) {
            let applied: Vec<Applied> = self.document.run_streams();
            self.note(applied, &Over::default());
        } else {
            self.frames_without_match.push(id.to_owned());
        }
    }

    fn next_request_id(&mut self) -> String {
        static REQUESTS: AtomicU64 = AtomicU64::new(0);
        let id = format!("forebay-test-{}", REQUESTS.fetch_add(1, Ordering::Relaxed));
        if self.requests.len() == REQUESTS_MAX {
            self.requests.pop_front();
        }
        self.requests.push_back(id.clone());
        id
    }

    /// Whether Turbo leaves out one of the refreshes that came, because the page has caused it.
    pub fn has_left_out_its_refresh(&self) -> bool {
        self.received.iter().any(|received| received.applied.seen == Seen::OwnRefresh)
    }
}

/// As a browser sends a form's fields.
fn encoded(fields: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn header_text<'a>(answer: &'a Answer, name: &header::HeaderName) -> &'a str {
    answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn is_streams(answer: &Answer) -> bool {
    header_text(answer, &header::CONTENT_TYPE).starts_with("text/vnd.turbo-stream.html")
}
