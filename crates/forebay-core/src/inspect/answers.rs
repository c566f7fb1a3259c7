//! The inspector's addresses.

use forebay_hub::Refusal;
use forebay_inspect::{Broadcast, Page, Report, Reports};
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
    /// `pages`: those of this node, or one.
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

/// The last broadcasts of a node.
#[derive(Debug, Serialize)]
struct LastBroadcasts {
    node: String,
    broadcasts: Vec<Broadcast>,
}

/// Pages of a node.
#[derive(Debug, Serialize)]
struct Pages {
    node: String,
    /// That something is known of.
    connected: usize,
    ended: usize,
    /// Connected, and not recorded: there was no room.
    left_out: u64,
    #[serde(rename = "pages")]
    rows: Vec<Page>,
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
            _ => self.show(address, request),
        };
        answer.unwrap_or_else(|refused| self.refuse_inspection(request, refused))
    }

    /// Answers with one of the inspector's views, for people.
    pub(crate) fn answer_inspector(&self, request: &Parts) -> Response<Body> {
        let view = || {
            let access = self.edge.inspect.as_ref().ok_or(Denied::NotLocal)?;
            access.may_read(request)?;
            let inspection = self.inspection().ok_or(Denied::NotLocal)?;
            Ok::<_, Refused>(inspector::answer(self, inspection, request))
        };
        view().unwrap_or_else(|refused| self.refuse_inspection(request, refused))
    }

    fn show(&self, address: InspectAddress, request: &Parts) -> Result<Response<Body>, Refused> {
        let access = self.edge.inspect.as_ref().ok_or(Denied::NotLocal)?;
        access.may_read(request)?;
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return Err(Refused::Answer(other_method(request, "GET, HEAD").into()));
        }
        let asked = Asked::of(request);
        match address {
            InspectAddress::Why => self.show_why(request, &asked),
            InspectAddress::Broadcasts => self.show_broadcasts(&asked),
            _ => self.show_pages(&asked),
        }
    }

    fn show_why(&self, request: &Parts, asked: &Asked) -> Result<Response<Body>, Refused> {
        let stream = asked.text("stream").ok_or_else(|| bad("`stream` is missing"))?;
        let address = || self.edge.endpoint.address(request).map(|ip| ip.to_string());
        // A page that was never let in knows no id of its own.
        let page = asked.text("page").map(str::to_owned).or_else(address);
        let page = page.ok_or_else(|| bad("`page` is missing"))?;
        let offset = asked.number("offset")?;
        let answer = self.why(&page, stream, offset).ok_or(Denied::NotLocal)?;
        Ok(json(&answer))
    }

    fn show_broadcasts(&self, asked: &Asked) -> Result<Response<Body>, Refused> {
        let inspection = self.inspection().ok_or(Denied::NotLocal)?;
        let stream = asked.text("stream");
        let is_asked_for = |broadcast: &Broadcast| stream.is_none_or(|s| broadcast.stream == s);
        let (after, max) = (asked.number("after")?, asked.rows()?);
        let broadcasts = inspection.broadcasts(after, max, is_asked_for);
        Ok(json(&LastBroadcasts { node: inspection.node().to_owned(), broadcasts }))
    }

    fn show_pages(&self, asked: &Asked) -> Result<Response<Body>, Refused> {
        let inspection = self.inspection().ok_or(Denied::NotLocal)?;
        if let Some(id) = asked.text("id") {
            let unknown =
                || Refused::With(StatusCode::NOT_FOUND, format!("no page `{id}` is known here"));
            return Ok(json(&inspection.page(id).ok_or_else(unknown)?));
        }
        let (stream, identity) = (asked.text("stream"), asked.text("identity"));
        let is_asked_for = |page: &Page| {
            identity.is_none_or(|identity| page.identity.as_deref() == Some(identity))
                && stream
                    .is_none_or(|stream| page.subscriptions.iter().any(|one| one.is_to(stream)))
        };
        let skip = asked.number("skip")?.unwrap_or_default();
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let rows = inspection.pages(skip, asked.rows()?, is_asked_for);
        let (connected, ended) = inspection.page_counts();
        let (node, left_out) = (inspection.node().to_owned(), inspection.pages_left_out());
        Ok(json(&Pages { node, connected, ended, left_out, rows }))
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

    fn rows(&self) -> Result<usize, Refused> {
        let rows = self.number("max")?.map(|rows| usize::try_from(rows).unwrap_or(usize::MAX));
        Ok(rows.unwrap_or(ROWS).min(ROWS_MAX))
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
