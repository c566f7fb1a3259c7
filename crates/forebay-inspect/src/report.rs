//! What only the page knows: what it did with what it got.
//!
//! The page's script posts [`Reports`]:
//!
//! ```
//! use forebay_inspect::{Reports, Seen};
//!
//! let json = r#"{
//!     "page": "7b0e",
//!     "reports": [
//!         {"at": 1700000000000, "stream": "chat:1", "offset": 42, "action": "append", "target": "messages",
//!          "seen": {"is": "target_missing", "ids": ["message", "messages_1"]}},
//!         {"at": 1700000000100, "stream": "chat:1", "action": "replace", "target": "message_7",
//!          "seen": {"is": "applied"}}
//!     ]
//! }"#;
//! let reports: Reports = serde_json::from_str(json)?;
//! assert_eq!(reports.reports[0].offset, Some(42));
//! assert_eq!(reports.reports[1].seen, Seen::Applied);
//! # Ok::<(), serde_json::Error>(())
//! ```

use serde::{Deserialize, Serialize};

/// What one page has to say at once.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Reports {
    /// The page: its session, as its welcome says it, or the `cursor` of one of its tags.
    pub page: Option<String>,
    /// The path of the document.
    pub path: Option<String>,
    /// Reports that it had no room for since it last reported.
    pub dropped: u64,
    /// What it saw, the oldest first.
    pub reports: Vec<Report>,
}

/// What a page saw of one stream action, or of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// When, by the page's clock.
    pub at: u64,
    /// The stream's name: in clear, or signed as the tag has it.
    pub stream: Option<String>,
    /// The entry's place, where the page knows it.
    pub offset: Option<u64>,
    /// The action.
    pub action: Option<String>,
    /// Its attribute `target`, as written: an id.
    pub target: Option<String>,
    /// Its attribute `targets`, as written: a CSS selector.
    pub targets: Option<String>,
    /// What it saw.
    pub seen: Seen,
}

/// What a page saw, after Turbo had rendered.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Seen {
    /// The page shows it.
    #[default]
    Applied,
    /// No element has this id, or is found by this selector.
    TargetMissing {
        /// Ids of the page that are like it, the nearest first; at most five.
        #[serde(default)]
        ids: Vec<String>,
    },
    /// Several elements have this id. Turbo takes the first.
    TargetDoubled {
        /// How many.
        #[serde(default)]
        count: u64,
        /// One is inside of the other, as where an `update` brings its own wrapper.
        #[serde(default)]
        nested: bool,
    },
    /// The template has nothing in it, or there is none.
    EmptyTemplate,
    /// The source tag was inside of what was replaced or removed, and is gone.
    SourceRemoved,
    /// The page was a preview of Turbo's cache, which is replaced at once.
    Preview,
    /// The element is permanent, so a morph leaves it alone.
    Permanent,
    /// A frame was loaded, and the answer has no frame of its id.
    FrameWithoutMatch {
        /// The frame's id.
        #[serde(default)]
        frame: String,
    },
    /// The browser has put the content somewhere else, or dropped its tags: a row outside of a table.
    Misplaced {
        /// The element: `tr`.
        #[serde(default)]
        element: String,
        /// Where it was put: `div`.
        #[serde(default)]
        parent: String,
    },
    /// No function has this custom action's name.
    UnknownAction,
    /// Turbo leaves out a refresh that the page's own request has caused.
    OwnRefresh,
    /// The page did not come to it: its scripts take too long, or it is hidden.
    Stalled,
    /// It threw, and so was not shown.
    Threw {
        /// What was thrown.
        #[serde(default)]
        error: String,
    },
}

impl Seen {
    /// Whether the page shows it.
    pub fn is_applied(&self) -> bool {
        *self == Self::Applied
    }
}
