//! What a request's query says.

use serde_json::json;

/// The channel of the streams that a query names.
const CHANNEL: &str = "Turbo::StreamsChannel";

/// The commands that subscribe to a query's streams, from its cursor or from where the browser
/// says it was.
pub(crate) fn commands(query: &str, last_event_id: Option<&str>) -> String {
    let parameters = || form_urlencoded::parse(query.as_bytes());
    let cursor = parameters().find(|(name, _)| name == "cursor").map(|(_, value)| value);
    let streams = parameters().filter(|(name, _)| name == "stream").map(|(_, value)| value);
    let commands = streams.map(|signed| {
        let mut identifier = json!({ "channel": CHANNEL, "signed_stream_name": signed });
        if let Some(cursor) = &cursor {
            identifier["cursor"] = cursor.as_ref().into();
        }
        let mut command = json!({ "command": "subscribe", "identifier": identifier.to_string() });
        if let Some(after) = last_event_id.filter(|id| !id.is_empty()) {
            command["after"] = after.into();
        }
        command
    });
    commands.collect::<serde_json::Value>().to_string()
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
        let text = commands("stream=a%3D%3D--b&cursor=c.1&stream=d", Some("c.7"));
        let commands: serde_json::Value = serde_json::from_str(&text).unwrap();
        let names: Vec<_> = commands
            .as_array()
            .unwrap()
            .iter()
            .map(|command| {
                let identifier = command["identifier"].as_str().unwrap();
                let identifier: serde_json::Value = serde_json::from_str(identifier).unwrap();
                assert_eq!(
                    (&identifier["channel"], &identifier["cursor"]),
                    (&CHANNEL.into(), &"c.1".into())
                );
                assert_eq!(command["after"], "c.7");
                identifier["signed_stream_name"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(names, ["a==--b", "d"]);
        assert_eq!(super::commands("", None), "[]");
        assert_eq!((wait("a=1&wait=7"), wait("wait=x"), wait("")), (Some(7), None, None));
    }
}
