//! What a request's query says.

use serde_json::{Value, json};

/// The channel of the streams that a query names.
const CHANNEL: &str = "Turbo::StreamsChannel";

/// The channel of those whose presence is asked for, or shown.
const PRESENCE: &str = "Forebay::PresenceChannel";

/// The commands that subscribe to a query's streams, each from the cursor behind it, or from where the
/// browser says it was.
///
/// If some streams have a cursor and one has none, it gets another stream's. That cursor is refused for
/// it, so the page heals instead of missing something.
pub(crate) fn commands(query: &str, last_event_id: Option<&str>) -> String {
    let mut identifiers: Vec<Value> = Vec::new();
    let mut any = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match (&*name, identifiers.last_mut()) {
            ("stream", _) => {
                identifiers.push(json!({ "channel": CHANNEL, "signed_stream_name": value }));
            }
            ("presence", _) => {
                identifiers.push(json!({ "channel": PRESENCE, "signed_stream_name": value }));
            }
            ("after" | "member", Some(identifier)) => identifier[&*name] = value.into(),
            ("cursor", Some(identifier)) => {
                any = Some(value.clone());
                identifier["cursor"] = value.into();
            }
            ("cursor", None) => any = Some(value),
            _ => {}
        }
    }
    for identifier in &mut identifiers {
        if let (None, Some(cursor)) = (identifier.get("cursor"), &any) {
            identifier["cursor"] = cursor.as_ref().into();
        }
    }
    let commands = identifiers.into_iter().map(|identifier| {
        let mut command = json!({ "command": "subscribe", "identifier": identifier.to_string() });
        if let Some(after) = last_event_id.filter(|id| !id.is_empty()) {
            command["after"] = after.into();
        }
        command
    });
    commands.collect::<Value>().to_string()
}

/// How many seconds the client wants to wait.
pub(crate) fn wait(query: &str) -> Option<u64> {
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    parameters.find(|(name, _)| name == "wait").and_then(|(_, value)| value.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_subscribes_to_its_streams() {
        let text = commands("cursor=c.0&stream=a%3D%3D--b&cursor=c.1&stream=d&x=1", Some("c.7"));
        let commands: Value = serde_json::from_str(&text).unwrap();
        let identifier = |command: &Value| -> Value {
            assert_eq!(
                (&command["command"], &command["after"]),
                (&"subscribe".into(), &"c.7".into())
            );
            serde_json::from_str(command["identifier"].as_str().unwrap()).unwrap()
        };
        let identifiers: Vec<_> = commands.as_array().unwrap().iter().map(identifier).collect();
        assert_eq!(
            identifiers,
            [
                json!({ "channel": CHANNEL, "signed_stream_name": "a==--b", "cursor": "c.1" }),
                json!({ "channel": CHANNEL, "signed_stream_name": "d", "cursor": "c.1" }),
            ]
        );
        let without: Value = serde_json::from_str(&super::commands("stream=d", None)).unwrap();
        let identifier = json!({ "channel": CHANNEL, "signed_stream_name": "d" }).to_string();
        assert_eq!(without, json!([{ "command": "subscribe", "identifier": identifier }]));
        let text =
            super::commands("presence=a&cursor=c&after=d&member=e%2B&stream=f&member=g", None);
        let commands: Value = serde_json::from_str(&text).unwrap();
        let identifier: Value =
            serde_json::from_str(commands[0]["identifier"].as_str().unwrap()).unwrap();
        let expected = json!({
            "channel": PRESENCE, "signed_stream_name": "a", "cursor": "c", "after": "d", "member": "e+",
        });
        assert_eq!((commands.as_array().unwrap().len(), identifier), (2, expected));
        assert_eq!(super::commands("", None), "[]");
        assert_eq!((wait("a=1&wait=7"), wait("wait=x"), wait("")), (Some(7), None, None));
    }
}
