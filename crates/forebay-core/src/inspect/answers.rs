//! The inspector's addresses.

use std::time::Duration;

use forebay_hub::{Answers, Inspection, Refusal};
use forebay_inspect::{
    Broadcast, PageRows, Question, Report, Reports, RowKey, Rows, Told, choose_page,
};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body::Body as HttpBody;
use serde::Serialize;

use super::access::Denied;
use crate::addresses::{Body, other_method};
use crate::app::Forebay;
use crate::inspector;

/// Rows in one answer: what somebody looks at.
const ROWS_MAX: usize = 500;
const ROWS: usize = 100;

/// One post of a page's script: a few dozen reports.
const REPORTS_BYTES_MAX: usize = 32 << 10;

/// One report as JSON: names, ids, and no documents.
const REPORT_BYTES_MAX: usize = 2 << 10;

/// An address of the inspector's, below `/forebay/inspect`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum InspectAddress {
    /// `why`: the first broken hop between a broadcast and a page.
    Why,
    /// `broadcasts`: the last ones.
    Broadcasts,
    /// `pages`: those that are there or were, or one.
    Pages,
    /// `reports`: what only a page knows.
    Reports,
}

impl InspectAddress {
    /// All of them, with their names.
    pub(crate) const ALL: [(&'static str, Self); 4] = [
        ("why", Self::Why),
        ("broadcasts", Self::Broadcasts),
        ("pages", Self::Pages),
        ("reports", Self::Reports),
    ];
}

/// Rows of all nodes.
#[derive(Debug, Serialize)]
struct List<T> {
    /// The node that was asked.
    node: String,
    /// Those that have answered, this one first.
    nodes: Vec<String>,
    /// Those that have not.
    missing: Vec<String>,
    /// Those that record nothing.
    off: Vec<String>,
    /// Those whose rows did not all fit.
    cut: Vec<String>,
    #[serde(flatten)]
    rows: T,
}

/// The last broadcasts, the oldest first.
#[derive(Debug, Serialize)]
struct LastBroadcasts {
    broadcasts: Vec<Broadcast>,
}

/// Pages, the newest first.
#[derive(Debug, Serialize)]
struct Pages {
    #[serde(flatten)]
    pages: PageRows,
    /// Where older ones begin, if there may be any.
    next: Option<String>,
}

/// What a page's script is answered.
#[derive(Debug, Serialize)]
struct Taken {
    taken: usize,
    left_out: usize,
}

/// Why a request has no answer.
enum Refused {
    Denied(Denied),
    With(StatusCode, String),
    Answer(Box<Response<Body>>),
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl Forebay {
    /// Answers one of the inspector's addresses.
    pub(crate) async fn answer_inspection<B: HttpBody>(
        &self,
        address: InspectAddress,
        request: &Parts,
        body: B,
    ) -> Response<Body> {
        let answer = match address {
            InspectAddress::Reports => self.take_reports(request, body).await,
            _ => self.show(address, request).await,
        };
        answer.unwrap_or_else(|refused| self.refuse_inspection(request, refused))
    }

    /// Answers with one of the inspector's views, for people.
    pub(crate) async fn answer_inspector(&self, request: &Parts) -> Response<Body> {
        match self.may_inspect(request) {
            Ok(inspection) => inspector::answer(self, inspection, request).await,
            Err(denied) => self.refuse_inspection(request, denied.into()),
        }
    }

    /// Whoever may not makes no node ask another one.
    fn may_inspect(&self, request: &Parts) -> Result<&Inspection, Denied> {
        let access = self.edge.inspect.as_ref().ok_or(Denied::NotLocal)?;
        access.may_read(request)?;
        self.inspection().ok_or(Denied::NotLocal)
    }

    async fn show(
        &self,
        address: InspectAddress,
        request: &Parts,
    ) -> Result<Response<Body>, Refused> {
        self.may_inspect(request)?;
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return Err(Refused::Answer(other_method(request, "GET, HEAD").into()));
        }
        let asked = Asked::of(request);
        match address {
            InspectAddress::Why => self.show_why(request, &asked).await,
            InspectAddress::Broadcasts => self.show_broadcasts(&asked).await,
            _ => self.show_pages(&asked).await,
        }
    }

    async fn show_why(&self, request: &Parts, asked: &Asked) -> Result<Response<Body>, Refused> {
        let stream = asked.text("stream").ok_or_else(|| bad("`stream` is missing"))?;
        let address = || self.edge.endpoint.address(request).map(|ip| ip.to_string());
        // A page that was never let in knows no id of its own.
        let page = asked.text("page").map(str::to_owned).or_else(address);
        let page = page.ok_or_else(|| bad("`page` is missing"))?;
        let offset = asked.number("offset")?;
        let answer = self.why_across_nodes(&page, stream, offset).await;
        let answer = answer.ok_or(Denied::NotLocal)?;
        Ok(json(&answer))
    }

    async fn show_broadcasts(&self, asked: &Asked) -> Result<Response<Body>, Refused> {
        let inspection = self.inspection().ok_or(Denied::NotLocal)?;
        let after = asked.number("after")?;
        // Each node has numbers of its own.
        let of_this = || after.map(|_| inspection.node().to_owned());
        let node = asked.text("node").map(str::to_owned).or_else(of_this);
        let rows = Rows { after, node, ..asked.list()? };
        let answers = self.ask_all(Question::Broadcasts(rows.clone())).await?;
        let mut broadcasts = rows.merge_broadcasts(&answers.told);
        broadcasts.reverse();
        Ok(json(&list(inspection, answers, LastBroadcasts { broadcasts })))
    }

    async fn show_pages(&self, asked: &Asked) -> Result<Response<Body>, Refused> {
        let inspection = self.inspection().ok_or(Denied::NotLocal)?;
        if let Some(id) = asked.text("id") {
            return self.show_page(id).await;
        }
        let before = asked.text("before").map(RowKey::from_text);
        let before = before.map(|key| key.ok_or_else(|| bad("`before` must be a `next`")));
        let identity = asked.text("identity").map(str::to_owned);
        let rows = Rows { before: before.transpose()?, identity, ..asked.list()? };
        let answers = self.ask_all(Question::Pages(rows.clone())).await?;
        let pages = rows.merge_pages(&answers.told);
        let last = pages.rows.last().filter(|_| pages.rows.len() == rows.max);
        let next = last.map(|page| RowKey::of_page(&page.node, page).to_text());
        Ok(json(&list(inspection, answers, Pages { pages, next })))
    }

    async fn show_page(&self, whose: &str) -> Result<Response<Body>, Refused> {
        let answers = self.ask_all(Question::Page(whose.to_owned())).await?;
        let pages = answers.told.iter().filter_map(Told::page);
        let page = choose_page(whose, pages).ok_or_else(|| {
            let missing = [&answers.missing[..], &answers.off[..]].concat();
            let at = match missing.as_slice() {
                [] => String::new(),
                missing => format!("; nothing is known of {}", missing.join(", ")),
            };
            Refused::With(StatusCode::NOT_FOUND, format!("no page `{whose}` is known{at}"))
        })?;
        Ok(json(page))
    }

    async fn ask_all(&self, question: Question) -> Result<Answers, Denied> {
        let answers = self.core.hub.inquire(&question, Duration::ZERO).await;
        answers.ok_or(Denied::NotLocal)
    }

    async fn take_reports<B: HttpBody>(
        &self,
        request: &Parts,
        body: B,
    ) -> Result<Response<Body>, Refused> {
        let access = self.edge.inspect.as_ref().ok_or(Denied::NoReports)?;
        access.may_report(request)?;
        if request.method != Method::POST {
            return Err(Refused::Answer(other_method(request, "POST").into()));
        }
        // Of a page that may connect, and not of one that somebody has tricked a browser into.
        let expected = self.edge.endpoint.expects(request);
        expected.map_err(|error| {
            Refused::Answer(error.into_response(request).map(Body::from).into())
        })?;
        let read = self.edge.bodies.read(body, REPORTS_BYTES_MAX).await;
        let text = read.map_err(|error| Refused::With(error.status(), error.to_string()))?;
        let reports: Reports = serde_json::from_str(text.as_ref())
            .map_err(|error| bad(&format!("these are no reports: {error}")))?;
        let inspection = self.inspection().ok_or(Denied::NoReports)?;
        // Stock clients are not told the id of their connection; their tags' cursors are theirs alone.
        let mut tags = reports.reports.iter().filter_map(|report| report.stream.as_deref());
        let cursor = tags.find_map(|tag| split_tag(tag).1).map(str::to_owned);
        let page = reports.page.or(cursor).or(reports.path).unwrap_or_default();
        let page = inspection.page_id(&page).unwrap_or(page);
        let page = forebay_transport::excerpt(&page);
        let (now, all) = (self.core.hub.now().0, reports.reports.len());
        inspection.note_unreported(reports.dropped);
        let is_small = |json: String| json.len() <= REPORT_BYTES_MAX;
        let small = reports.reports.into_iter();
        let small = small.filter(|report| serde_json::to_string(report).is_ok_and(is_small));
        let named = small.map(|report| {
            let stream = report.stream.as_deref().map(|tag| split_tag(tag).0.to_owned());
            Report { stream, ..report }
        });
        let taken = named.map(|report| inspection.report(now, page, report));
        let taken = taken.filter(|is_taken| *is_taken).count();
        Ok(json(&Taken { taken, left_out: all - taken }))
    }

    /// As other refusals are logged, and not as a page that was turned away.
    fn log_denied(&self, request: &Parts, denied: Denied) {
        let Some(more) = self.core.hub.refused(Refusal::Request) else { return };
        tracing::warn!(
            peer = self.edge.endpoint.address(request).map(tracing::field::display),
            path = forebay_transport::excerpt(request.uri.path()),
            %denied,
            more_before = Some(more).filter(|more| *more > 0),
            "inspector refused"
        );
    }

    fn refuse_inspection(&self, request: &Parts, refused: Refused) -> Response<Body> {
        let (status, why) = match refused {
            Refused::Answer(answer) => return *answer,
            Refused::With(status, why) => (status, why),
            Refused::Denied(denied) => {
                self.log_denied(request, denied);
                (denied.status(), denied.to_string())
            }
        };
        let mut answer = Response::new(Body::from(format!("{why}\n")));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, plain);
        if status == StatusCode::UNAUTHORIZED {
            let basic = HeaderValue::from_static("Basic realm=\"Forebay\", charset=\"UTF-8\"");
            headers.insert(header::WWW_AUTHENTICATE, basic);
        }
        answer
    }
}

/// The signed name of a tag, and the cursor behind its first dot. A name in clear is left as it is.
fn split_tag(tag: &str) -> (&str, Option<&str>) {
    match tag.split_once('.') {
        Some((signed, cursor)) if signed.contains("--") => (signed, Some(cursor)),
        _ => (tag, None),
    }
}

fn bad(why: &str) -> Refused {
    Refused::With(StatusCode::BAD_REQUEST, why.to_owned())
}

/// What a request's query asks for.
struct Asked(Vec<(String, String)>);

impl Asked {
    fn of(request: &Parts) -> Self {
        let query = request.uri.query().unwrap_or_default();
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Refused> {
        let number = self.text(name).map(str::parse).transpose();
        number.map_err(|_| bad(&format!("`{name}` must be a number")))
    }

    /// What all lists are asked for with.
    fn list(&self) -> Result<Rows, Refused> {
        Ok(Rows {
            streams: self.text("stream").map(str::to_owned).into_iter().collect(),
            node: self.text("node").map(str::to_owned),
            max: self.rows()?,
            ..Rows::default()
        })
    }

    fn rows(&self) -> Result<usize, Refused> {
        let rows = self.number("max")?.map(|rows| usize::try_from(rows).unwrap_or(usize::MAX));
        Ok(rows.unwrap_or(ROWS).min(ROWS_MAX))
    }
}

fn list<T>(inspection: &Inspection, answers: Answers, rows: T) -> List<T> {
    List {
        node: inspection.node().to_owned(),
        nodes: answers.nodes(),
        cut: answers.cut(),
        missing: answers.missing,
        off: answers.off,
        rows,
    }
}

fn json(value: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_string(value).expect("texts and numbers encode");
    let mut answer = Response::new(Body::from(text));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
