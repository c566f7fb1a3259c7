//! Names and tags against what a real turbo-rails wrote, byte for byte.
#![expect(unreachable_pub, reason = "`support` is shared with forebay-signing's tests")]

#[path = "../../forebay-signing/tests/support/mod.rs"]
mod support;

use forebay_signing::{Key, KeyDigest, Verifier};
use forebay_turbo::{
    AttributeValue, Attributes, DomId, Html, ModelName, RecordKey, StreamName, StreamNameBuilder,
    StreamNameError, StreamSource, Streamable, Target, TurboStream, frame,
};
use support::{Json, Row, check_known_tables, check_table, expect_equal};

const HERE: [&str; 7] = [
    "models",
    "global_ids",
    "dom_ids",
    "stream_names",
    "stream_tags",
    "frame_tags",
    "stream_from_tags",
];
const ELSEWHERE: [&str; 6] = [
    "_source",
    "broadcasts",
    "verifier_keys",
    "signed_stream_names",
    "rejected_signed_stream_names",
    "signed_with_metadata",
];

/// The application whose records the vectors' streams are about.
const APP: &str = "chat";

#[test]
fn vectors_tables_are_known() {
    check_known_tables(&HERE, &ELSEWHERE);
}

#[test]
fn vectors_models() {
    check_table("models", |row| {
        let model = ModelName::new(row.text("model")?);
        expect_equal("plural", &model.plural().to_owned(), &row.text("plural")?)?;
        expect_equal("element", &model.element().to_owned(), &row.text("element")?)?;
        expect_equal("param_key", &model.param_key().to_owned(), &row.text("param_key")?)?;
        match optional_text(row, "partial_path")? {
            Some(path) => expect_equal("partial_path", &model.partial_path(), &path),
            None => Ok(()),
        }
    });
}

#[test]
fn vectors_global_ids() {
    check_table("global_ids", |row| {
        let (app, model) = (row.text("app")?, ModelName::new(row.text("model")?));
        let key = key_of(&row.take("id").ok_or("`id` is missing")?)?.ok_or("`id` is null")?;
        expect_equal("gid", &model.global_id(&app, &key), &row.text("gid")?)?;
        expect_equal("gid_param", &model.gid_param(&app, &key), &row.text("gid_param")?)
    });
}

#[test]
fn vectors_dom_ids() {
    check_table("dom_ids", |row| {
        let record = RecordRef::take(row)?;
        let prefix = optional_text(row, "prefix")?;
        let mut checked = false;
        if let Some(id) = optional_text(row, "dom_id")? {
            expect_equal("dom_id", &record.dom_id(prefix.as_deref()), &id)?;
            checked = true;
        }
        if let Some(class) = optional_text(row, "dom_class")? {
            expect_equal("dom_class", &record.model.dom_class(prefix.as_deref()), &class)?;
            checked = true;
        }
        if checked { Ok(()) } else { Err("neither `dom_id` nor `dom_class`".into()) }
    });
}

#[test]
fn vectors_stream_names() {
    check_table("stream_names", |row| {
        let streamables = Part::list_of(row)?;
        let name = StreamName::rails_compatible(APP, &streamables).map_err(|e| e.to_string())?;
        expect_equal("stream_name", &name.to_string(), &row.text("stream_name")?)?;
        // Where the strict mode accepts the parts, it agrees.
        match StreamName::of(APP, &streamables) {
            Ok(strict) => expect_equal("strict stream_name", &strict, &name),
            Err(_) => Ok(()),
        }
    });
}

#[test]
fn vectors_stream_tags() {
    check_table("stream_tags", |row| {
        let target = match (row.take("target"), row.take("targets")) {
            (Some(target), _) if target != Json::Null => {
                Some(Target::Id(element_of(&target)?.into_text()))
            }
            (_, Some(targets)) if targets != Json::Null => Some(match element_of(&targets)? {
                Element::Text(selector) => Target::selector(selector),
                Element::Record(id) => Target::selector(format!("#{id}")),
            }),
            _ => None,
        };
        let mut stream = TurboStream::action(row.text("action")?, target);
        if let Some(template) = optional_text(row, "template")? {
            stream = stream.html(Html::raw(template));
        }
        let html = stream.attributes(attributes_of(row)?).to_string();
        expect_equal("html", &html, &row.text("html")?)
    });
}

#[test]
fn vectors_frame_tags() {
    check_table("frame_tags", |row| {
        let ids = row.take("ids").ok_or("`ids` is missing")?;
        let id = match element_of(&ids)? {
            Element::Record(id) => DomId::from(id),
            Element::Text(_) => {
                let mut texts = Vec::new();
                flatten_texts(&ids, &mut texts)?;
                DomId::joined(texts)
            }
        };
        let mut frame = frame(id);
        if let Some(src) = optional_text(row, "src")? {
            frame = frame.src(src);
        }
        if let Some(target) = optional_text(row, "target")? {
            frame = frame.target(target);
        }
        if let Some(content) = optional_text(row, "content")? {
            frame = frame.html(Html::raw(content));
        }
        let html = frame.attributes(attributes_of(row)?).to_string();
        expect_equal("html", &html, &row.text("html")?)
    });
}

#[test]
fn vectors_stream_from_tags() {
    check_table("stream_from_tags", |row| {
        let key = Key::derive_turbo(row.text("secret_key_base")?, KeyDigest::Sha256);
        let streamables = Part::list_of(row)?;
        let name = StreamName::rails_compatible(APP, &streamables).map_err(|e| e.to_string())?;
        let signed = Verifier::new(key).sign(name.as_str());
        let html = StreamSource::new(signed).attributes(attributes_of(row)?).to_string();
        expect_equal("html", &html, &row.text("html")?)
    });
}

/// `{"model": …, "id": …}`, or `{"model": …, "class": true}`.
struct RecordRef {
    model: ModelName,
    key: Option<RecordKey>,
}

impl RecordRef {
    fn take(row: &mut Row) -> Result<Self, String> {
        let model = ModelName::new(row.text("model")?);
        let id = row.take("id").unwrap_or(Json::Null);
        let key = match row.take("class") {
            None | Some(Json::Bool(false)) => key_of(&id)?,
            Some(Json::Bool(true)) if id == Json::Null => None,
            other => return Err(format!("`class` is {other:?} beside id {id:?}")),
        };
        Ok(Self { model, key })
    }

    fn dom_id(&self, prefix: Option<&str>) -> String {
        self.model.dom_id(self.key.as_ref(), prefix)
    }
}

fn key_of(id: &Json) -> Result<Option<RecordKey>, String> {
    match id {
        Json::Null => Ok(None),
        Json::List(parts) => {
            let mut parts = parts.iter().map(text_of);
            let first = RecordKey::new(parts.next().ok_or("`id` is an empty list")??);
            parts.try_fold(first, |key, part| Ok(key.and(part?))).map(Some)
        }
        single => text_of(single).map(|id| Some(RecordKey::new(id))),
    }
}

/// What Ruby's `to_s` makes of a single value.
fn text_of(value: &Json) -> Result<String, String> {
    match value {
        Json::Null => Ok(String::new()),
        Json::Bool(value) => Ok(value.to_string()),
        Json::Integer(value) => Ok(value.to_string()),
        Json::String(text) => Ok(text.clone()),
        Json::Hash(_) => {
            let mut symbol = Row::new(value)?;
            let text = symbol.text("symbol")?;
            symbol.finish().map(|()| text)
        }
        other => Err(format!("not understood: {other:?}")),
    }
}

/// What a tag points at: text, or the id of a record.
enum Element {
    Text(String),
    Record(String),
}

impl Element {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) | Self::Record(text) => text,
        }
    }
}

/// A text, a record, or a list that may begin with a record and go on with its prefix. Lists of
/// texts are joined by spaces, as the tag helper does it.
fn element_of(json: &Json) -> Result<Element, String> {
    let (first, rest) = match json {
        Json::List(list) => match list.split_first() {
            Some((first, rest)) => (first, rest),
            None => return Ok(Element::Text(String::new())),
        },
        single => (single, &[][..]),
    };
    if let Json::Hash(fields) = first
        && fields.iter().any(|(name, _)| name == "model")
    {
        let mut row = Row::new(first)?;
        let record = RecordRef::take(&mut row)?;
        row.finish()?;
        return match rest {
            [] | [Json::Null] => Ok(Element::Record(record.dom_id(None))),
            [prefix] => Ok(Element::Record(record.dom_id(Some(&text_of(prefix)?)))),
            _ => Err(format!("a record with more than a prefix: {json:?}")),
        };
    }
    let mut texts = Vec::new();
    flatten_texts(json, &mut texts)?;
    Ok(Element::Text(texts.join(" ")))
}

fn flatten_texts(json: &Json, texts: &mut Vec<String>) -> Result<(), String> {
    match json {
        Json::List(list) => list.iter().try_for_each(|item| flatten_texts(item, texts)),
        single => {
            texts.push(text_of(single)?);
            Ok(())
        }
    }
}

/// A streamable as the vectors write it.
enum Part {
    Text(String),
    Float(f64),
    Record(RecordRef),
    List(Vec<Part>),
}

impl Part {
    fn list_of(row: &mut Row) -> Result<Self, String> {
        Self::new(&row.take("streamables").ok_or("`streamables` is missing")?)
    }

    fn new(json: &Json) -> Result<Self, String> {
        match json {
            Json::List(list) => {
                list.iter().map(Self::new).collect::<Result<_, _>>().map(Self::List)
            }
            Json::Float(value) => Ok(Self::Float(*value)),
            Json::Hash(fields) if fields.iter().any(|(name, _)| name == "model") => {
                let mut row = Row::new(json)?;
                let record = RecordRef::take(&mut row)?;
                row.finish().map(|()| Self::Record(record))
            }
            single => text_of(single).map(Self::Text),
        }
    }
}

impl Streamable for Part {
    fn write_parts(&self, name: &mut StreamNameBuilder<'_>) -> Result<(), StreamNameError> {
        match self {
            Self::Text(text) => name.push_text(text),
            Self::Float(value) => value.write_parts(name),
            Self::Record(record) => name.push_record(&record.model, record.key.as_ref()),
            Self::List(list) => list.write_parts(name),
        }
    }
}

/// A text that may be missing or null.
fn optional_text(row: &mut Row, name: &str) -> Result<Option<String>, String> {
    match row.take(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        other => Err(format!("`{name}` should be a text or null, not {other:?}")),
    }
}

fn attributes_of(row: &mut Row) -> Result<Attributes, String> {
    match row.take("attributes") {
        None | Some(Json::Null) => Ok(Attributes::new()),
        Some(Json::Hash(entries)) => Ok(hash_of(entries)),
        other => Err(format!("`attributes` is {other:?}")),
    }
}

fn hash_of(entries: Vec<(String, Json)>) -> Attributes {
    entries.into_iter().map(|(name, value)| (name, value_of(value))).collect()
}

fn value_of(json: Json) -> AttributeValue {
    match json {
        Json::Null => AttributeValue::Null,
        Json::Bool(value) => value.into(),
        Json::Integer(value) => value.into(),
        Json::Float(value) => value.into(),
        Json::String(text) => text.into(),
        Json::List(values) => AttributeValue::list(values.into_iter().map(value_of)),
        Json::Hash(entries) => AttributeValue::Hash(hash_of(entries)),
    }
}
