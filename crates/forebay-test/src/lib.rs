//! Tests of an application's pages without a browser.
//!
//! A [`TestPage`] asks the application for a page, subscribes the page's tags over a real connection to the
//! application's own Forebay, and applies what comes as Turbo does. A test changes something, lets the page
//! [settle](TestPage::settle), and says what it shows then. There is no port, no sleep and no mock.
//!
//! ```
//! use axum::{Router, response::Response, routing::get};
//! use forebay::{Error, Forebay, Html, Turbo, TurboStream};
//! use forebay_test::TestApp;
//!
//! async fn show(turbo: Turbo) -> Result<Response, Error> {
//!     let tag = turbo.stream_from("score")?;
//!     turbo.page(&Html::raw(format!("{tag}<b id=\"goals\">0</b>")))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # // In a test: #[tokio::test] async fn goals_are_live() {
//! let forebay = Forebay::builder().secret("a secret for tests").build().unwrap();
//! let app = TestApp::new(&forebay, forebay.mount(Router::new().route("/", get(show))));
//!
//! let mut page = app.open("/").await;
//! page.assert_text("#goals", "0");
//! forebay.broadcast().text_to("score", "goals", 1).await.unwrap();
//! page.settle().await;
//! page.assert_text("#goals", "1");
//! # }
//! ```
//!
//! [`Document`] is the part without a connection: HTML, and stream tags that are applied to it.
//!
//! # What a browser does and this does not
//!
//! Scripts do not run, so nothing is focused, typed or animated, and elements of the application's own do
//! nothing. A custom action is [an event](TestPage::events). A morph is done as a replacement, which gives the
//! same HTML; a permanent element that the new HTML lacks is gone, where a morph would keep it. Lazy frames load
//! when the test says so. A frame gets no attributes while it loads (`busy`, `complete`). A refresh does not wait
//! for 150 ms. Nothing is cached, so there are no previews. An event source of another server is not read.

mod app;
mod broadcasts;
mod cable;
mod connect;
mod document;
mod events;
mod page;
mod wired;

pub use app::TestApp;
pub use document::{Applied, Document, StreamTag};
pub use forebay_inspect::Seen;
pub use page::{Received, TestPage};
pub use wired::Fault;
