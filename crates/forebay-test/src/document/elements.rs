//! Elements that a page acts on by itself: source tags, frames, forms.

use ego_tree::{NodeId, Tree};
use scraper::{ElementRef, Html, Node, Selector};

use super::{Document, tree};

const CABLE_SOURCE: &str = "turbo-cable-stream-source";
const EVENT_SOURCE: &str = "turbo-stream-source";
const FRAME: &str = "turbo-frame";

/// A tag that subscribes its page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// Over the cable, with this identifier.
    Cable { identifier: String, signed: String },
    /// Over server-sent events, from this address.
    Events { src: String },
}

/// A form, and what a browser would send of it.
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) method: String,
    pub(crate) fields: Vec<(String, String)>,
    /// The frame that it is in, if its answer is for that.
    pub(crate) frame: Option<String>,
}

/// A frame that is to be loaded.
pub(crate) struct FrameToLoad {
    pub(crate) node: NodeId,
    pub(crate) id: String,
    pub(crate) src: String,
}

/// The source tags of a page, in its order.
pub(super) fn sources(tree: &Tree<Node>) -> Vec<(NodeId, Source)> {
    let found = tree::elements(tree.root()).filter_map(|element| {
        let source = match element.value().name() {
            CABLE_SOURCE => cable_source(element),
            EVENT_SOURCE => {
                Source::Events { src: element.attr("src").unwrap_or_default().to_owned() }
            }
            _ => return None,
        };
        Some((element.id(), source))
    });
    found.collect()
}

/// The identifier that the element of `@hotwired/turbo-rails` subscribes with: its channel, its name, and
/// all `data-` attributes.
fn cable_source(element: ElementRef<'_>) -> Source {
    let signed = element.attr("signed-stream-name").unwrap_or_default();
    let channel = element.attr("channel").unwrap_or_default();
    let mut parameters = vec![
        ("channel".to_owned(), channel.to_owned()),
        ("signed_stream_name".to_owned(), signed.to_owned()),
    ];
    for (name, value) in element.value().attrs() {
        if let Some(name) = name.strip_prefix("data-") {
            let name = name.replace('-', "_");
            parameters.retain(|(known, _)| *known != name);
            parameters.push((name, value.to_owned()));
        }
    }
    let json = |text: &str| serde_json::Value::from(text).to_string();
    let pairs: Vec<_> =
        parameters.iter().map(|(name, value)| format!("{}:{}", json(name), json(value))).collect();
    let identifier = format!("{{{}}}", pairs.join(","));
    Source::Cable { identifier, signed: signed.to_owned() }
}

impl Document {
    pub(crate) fn sources(&self) -> Vec<(NodeId, Source)> {
        sources(&self.html.tree)
    }

    /// Where the page's cable is, if it says so.
    pub(crate) fn meta(&self, name: &str) -> Option<String> {
        let found = self.connected("meta").into_iter();
        let mut found =
            found.filter(|meta| self.attribute_of(*meta, "name").as_deref() == Some(name));
        found.next().and_then(|meta| self.attribute_of(meta, "content"))
    }

    /// The frames that a browser loads by itself: those with an address that are not lazy.
    pub(crate) fn eager_frames(&self) -> Vec<FrameToLoad> {
        let is_eager = |frame: &NodeId| {
            let has = |name| self.attribute_of(*frame, name).is_some();
            let is_lazy = self.attribute_of(*frame, "loading").as_deref() == Some("lazy");
            has("src") && !has("disabled") && !is_lazy
        };
        let frames = self.connected(FRAME).into_iter().filter(is_eager);
        frames.filter_map(|frame| self.frame_to_load(frame)).collect()
    }

    /// The frame of this id, loaded or not.
    pub(crate) fn frame(&self, id: &str) -> Option<FrameToLoad> {
        let frames = self.connected(FRAME).into_iter();
        let mut frames =
            frames.filter(|frame| self.attribute_of(*frame, "id").as_deref() == Some(id));
        frames.next().and_then(|frame| self.frame_to_load(frame))
    }

    fn frame_to_load(&self, node: NodeId) -> Option<FrameToLoad> {
        let (id, src) = (self.attribute_of(node, "id")?, self.attribute_of(node, "src")?);
        Some(FrameToLoad { node, id, src })
    }

    /// Puts into a frame what an answer has in its frame of the same id. False if that has none.
    pub(crate) fn fill_frame(&mut self, frame: NodeId, id: &str, answer: &str) -> bool {
        let answer = Html::parse_document(answer);
        let matching = tree::elements(answer.tree.root())
            .find(|element| element.value().name() == FRAME && element.value().id() == Some(id));
        let Some(matching) = matching else { return false };
        let tree = &mut self.html.tree;
        tree::empty(tree, frame);
        let children = matching.children().map(|child| tree::adopted(tree, child)).collect();
        tree::append(tree, frame, children);
        true
    }

    /// The frame of this id, wherever its answer comes from.
    pub(crate) fn frame_node(&self, id: &str) -> Option<NodeId> {
        let frames = self.connected(FRAME).into_iter();
        frames.into_iter().find(|frame| self.attribute_of(*frame, "id").as_deref() == Some(id))
    }

    /// The form that a selector finds, and what it would send.
    pub(crate) fn form(&self, selector: &str) -> Option<Form> {
        let node = self.find(selector).into_iter().next()?;
        let form = ElementRef::wrap(tree::node_ref(&self.html.tree, node))?;
        let fields = tree::elements(*form).filter_map(field).collect();
        let said = |name| form.attr(name).map(str::to_owned);
        let inside = form.ancestors().filter_map(ElementRef::wrap);
        let mut frames = inside.filter(|above| above.value().name() == FRAME);
        let frame = frames.next();
        let own = frame.and_then(|frame| frame.attr("id")).map(str::to_owned);
        let target = said("data-turbo-frame")
            .or_else(|| frame.and_then(|frame| frame.attr("target")).map(str::to_owned));
        let frame = match target.as_deref() {
            None | Some("_self") => own,
            Some("_top") => None,
            Some(_) => target,
        };
        Some(Form {
            action: said("action").unwrap_or_default(),
            method: said("method").unwrap_or_else(|| "get".to_owned()).to_lowercase(),
            fields,
            frame,
        })
    }

    /// The elements that a selector finds.
    ///
    /// # Panics
    /// Where it is no CSS selector.
    #[track_caller]
    pub(super) fn find(&self, selector: &str) -> Vec<NodeId> {
        match Selector::parse(selector) {
            Ok(selector) => tree::select(&self.html.tree, &selector),
            Err(error) => panic!("{selector:?} is no CSS selector: {error}"),
        }
    }
}

/// What a form sends of one of its elements, if it has a name and is not left out.
fn field(element: ElementRef<'_>) -> Option<(String, String)> {
    let name = element.attr("name").filter(|name| !name.is_empty())?.to_owned();
    if element.attr("disabled").is_some() {
        return None;
    }
    let own = || element.attr("value").map(str::to_owned);
    let value = match element.value().name() {
        "input" => match element.attr("type").unwrap_or("text") {
            "checkbox" | "radio" => {
                element.attr("checked")?;
                own().unwrap_or_else(|| "on".to_owned())
            }
            "submit" | "button" | "image" | "reset" | "file" => return None,
            _ => own().unwrap_or_default(),
        },
        "textarea" => element.text().collect(),
        "select" => {
            let options: Vec<_> =
                tree::elements(*element).filter(|e| e.value().name() == "option").collect();
            let chosen = options.iter().find(|option| option.attr("selected").is_some());
            let chosen = chosen.or(options.first())?;
            let text = || chosen.text().collect::<String>().trim().to_owned();
            chosen.attr("value").map_or_else(text, str::to_owned)
        }
        _ => return None,
    };
    Some((name, value))
}
