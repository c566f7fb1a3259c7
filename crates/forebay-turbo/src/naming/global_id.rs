//! Global ids: `gid://app/Model/id`, the names that Rails gives to records across processes.
//!
//! The globalid gem's format: each part of the id `CGI.escape`d, the parts of a composite id
//! joined by `/`; as a parameter, url-safe base64 without padding.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::ModelName;
use crate::RecordKey;

impl ModelName {
    /// The global id of a record of this model, `app` being the application's name in the URI.
    ///
    /// ```
    /// use forebay_turbo::{ModelName, RecordKey};
    ///
    /// let message = ModelName::new("Bullhorn::Message");
    /// assert_eq!(message.global_id("chat", &RecordKey::from(1)), "gid://chat/Bullhorn::Message/1");
    /// ```
    pub fn global_id(&self, app: &str, key: &RecordKey) -> String {
        let mut gid = String::with_capacity(32 + app.len() + self.name().len());
        gid.push_str("gid://");
        gid.push_str(app);
        gid.push('/');
        gid.push_str(self.name());
        for part in key.parts() {
            gid.push('/');
            push_cgi_escaped(&mut gid, part);
        }
        gid
    }

    /// The global id as a parameter: what stands for a record in a stream name.
    ///
    /// ```
    /// use forebay_turbo::{ModelName, RecordKey};
    ///
    /// let room = ModelName::new("Room");
    /// assert_eq!(room.gid_param("chat", &RecordKey::from(1)), "Z2lkOi8vY2hhdC9Sb29tLzE");
    /// ```
    pub fn gid_param(&self, app: &str, key: &RecordKey) -> String {
        URL_SAFE_NO_PAD.encode(self.global_id(app, key))
    }
}

/// Ruby's `CGI.escape`: form encoding, so a space is `+`.
fn push_cgi_escaped(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            other => {
                out.push('%');
                out.push(char::from(HEX[usize::from(other >> 4)]));
                out.push(char::from(HEX[usize::from(other & 15)]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::push_cgi_escaped;
    use crate::{ModelName, RecordKey};

    /// As Ruby 3.1.7 prints all of ASCII.
    #[test]
    fn escapes_as_cgi_does() {
        let ascii: String = (0..128_u8).map(char::from).collect();
        let mut escaped = String::new();
        push_cgi_escaped(&mut escaped, &ascii);
        assert_eq!(
            escaped,
            "%00%01%02%03%04%05%06%07%08%09%0A%0B%0C%0D%0E%0F%10%11%12%13%14%15%16%17%18%19%1A%1B\
             %1C%1D%1E%1F+%21%22%23%24%25%26%27%28%29%2A%2B%2C-.%2F0123456789%3A%3B%3C%3D%3E%3F%40\
             ABCDEFGHIJKLMNOPQRSTUVWXYZ%5B%5C%5D%5E_%60abcdefghijklmnopqrstuvwxyz%7B%7C%7D~%7F"
        );
    }

    #[test]
    fn composite_ids_are_path_segments() {
        let message = ModelName::new("Message");
        let key = RecordKey::new("tenant_key-value").and("id/value");
        assert_eq!(
            message.global_id("dummy", &key),
            "gid://dummy/Message/tenant_key-value/id%2Fvalue"
        );
        let gid = message.gid_param("my-app", &RecordKey::from(42));
        assert_eq!(gid, "Z2lkOi8vbXktYXBwL01lc3NhZ2UvNDI");
    }
}
