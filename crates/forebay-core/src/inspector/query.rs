//! Which view is asked for, and the links to the others.

use std::fmt;

use forebay_inspect::{Broadcast, RowKey, Rows};
use form_urlencoded::Serializer;

use super::live;

/// Rows of one view. More are on the next one: a table of 50 is read, and rendered in a millisecond.
pub(super) const ROWS_MAX: usize = 50;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum View {
    Broadcasts(Filter),
    Broadcast { node: Option<String>, id: u64, page: Option<String> },
    Pages(Filter),
    Page(String),
    Streams(Filter),
    Counters,
}

/// What of a list is shown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Filter {
    /// Rows have this text in them.
    pub(super) text: String,
    /// Only rows that somebody should look at.
    pub(super) only_troubles: bool,
    /// Only rows of this node.
    pub(super) node: Option<String>,
    /// Rows behind this one.
    pub(super) before: Option<RowKey>,
    /// Rows that are left out at the beginning, of a list that is made of what all nodes have.
    pub(super) skip: usize,
}

impl Filter {
    /// What nodes are asked for: one row more than is shown says that there are more.
    pub(super) fn rows(&self) -> Rows {
        Rows {
            text: self.text.clone(),
            only_troubles: self.only_troubles,
            node: self.node.clone(),
            before: self.before.clone(),
            hides: Some(live::STREAM.to_owned()),
            max: ROWS_MAX + 1,
            ..Rows::default()
        }
    }

    /// The same list from its newest row on.
    pub(super) fn first(&self) -> Self {
        Self { before: None, skip: 0, ..self.clone() }
    }

    /// The same list behind this row.
    pub(super) fn behind(&self, row: RowKey) -> Self {
        Self { before: Some(row), ..self.clone() }
    }

    fn of(known: &Known) -> Self {
        Self {
            text: known.get("q").unwrap_or_default(),
            only_troubles: known.get("only").as_deref() == Some("troubles"),
            node: known.get("node").filter(|node| !node.is_empty()),
            before: known.get("before").and_then(|before| RowKey::from_text(&before)),
            skip: known.get("skip").and_then(|skip| skip.parse().ok()).unwrap_or(0),
        }
    }

    fn write(&self, query: &mut Serializer<'_, String>) {
        if !self.text.is_empty() {
            query.append_pair("q", &self.text);
        }
        if self.only_troubles {
            query.append_pair("only", "troubles");
        }
        if let Some(node) = &self.node {
            query.append_pair("node", node);
        }
        if let Some(before) = &self.before {
            query.append_pair("before", &before.to_text());
        }
        if self.skip > 0 {
            query.append_pair("skip", &self.skip.to_string());
        }
    }
}

struct Known(Vec<(String, String)>);

impl Known {
    fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

impl View {
    /// What nobody has asked for correctly is the first view.
    pub(super) fn of(query: &str) -> Self {
        let known = Known(form_urlencoded::parse(query.as_bytes()).into_owned().collect());
        match known.get("view").as_deref() {
            Some("broadcast") => match known.get("id").and_then(|id| id.parse().ok()) {
                Some(id) => {
                    Self::Broadcast { node: known.get("node"), id, page: known.get("page") }
                }
                None => Self::Broadcasts(Filter::default()),
            },
            Some("pages") => Self::Pages(Filter::of(&known)),
            Some("page") => Self::Page(known.get("id").unwrap_or_default()),
            Some("streams") => Self::Streams(Filter::of(&known)),
            Some("counters") => Self::Counters,
            _ => Self::Broadcasts(Filter::of(&known)),
        }
    }

    /// One broadcast, or its way to one page.
    pub(super) fn of_broadcast(broadcast: &Broadcast, page: Option<&str>) -> Self {
        let (node, id) = (Some(broadcast.node.clone()), broadcast.id);
        Self::Broadcast { node, id, page: page.map(str::to_owned) }
    }

    /// What its query calls it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Broadcasts(_) => "broadcasts",
            Self::Broadcast { .. } => "broadcast",
            Self::Pages(_) => "pages",
            Self::Page(_) => "page",
            Self::Streams(_) => "streams",
            Self::Counters => "counters",
        }
    }
}

/// Its link, relative to the inspector's address.
impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut query = Serializer::new(String::from("?"));
        query.append_pair("view", self.name());
        match self {
            Self::Broadcasts(filter) | Self::Pages(filter) | Self::Streams(filter) => {
                filter.write(&mut query);
            }
            Self::Broadcast { node, id, page } => {
                if let Some(node) = node {
                    query.append_pair("node", node);
                }
                query.append_pair("id", &id.to_string());
                if let Some(page) = page {
                    query.append_pair("page", page);
                }
            }
            Self::Page(id) => {
                query.append_pair("id", id);
            }
            Self::Counters => {}
        }
        f.write_str(&query.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_its_view() {
        let check = |view: View| {
            let link = view.to_string();
            assert_eq!(View::of(link.strip_prefix('?').unwrap()), view, "{link}");
        };
        let before = RowKey { at: 7, node: "wéb~1".into(), id: "00&2".into() };
        let filter = Filter {
            text: "chat:1 & co".into(),
            only_troubles: true,
            node: Some("web-1".into()),
            before: Some(before),
            skip: 50,
        };
        check(View::Broadcasts(Filter::default()));
        check(View::Broadcasts(filter.clone()));
        check(View::Pages(filter.clone()));
        check(View::Streams(filter));
        let node = Some("web-1".into());
        check(View::Broadcast { node, id: 7, page: Some("ä=&".into()) });
        check(View::Page("7b0e".into()));
        check(View::Counters);
    }

    #[test]
    fn what_nobody_can_read_is_the_first_view() {
        for query in ["", "view=nothing", "view=broadcast&id=x", "%ff=&&&"] {
            assert_eq!(View::of(query), View::Broadcasts(Filter::default()), "{query}");
        }
    }
}
