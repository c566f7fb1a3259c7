//! Cutting what strangers send to a length that may be logged.

/// Longer names are cut. A stream's name is mostly under 100 bytes; an identifier may have 4 KiB.
const BYTES_MAX: usize = 200;

/// The beginning of a text that somebody else chose, short enough to be logged. Every name, address
/// or message of a client's is logged through this.
pub fn excerpt(text: &str) -> &str {
    &text[..text.floor_char_boundary(BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        assert_eq!(excerpt("short"), "short");
        assert_eq!(excerpt(&"é".repeat(1_000)), "é".repeat(100));
        assert_eq!(excerpt(&format!("x{}", "é".repeat(1_000))).len(), 199);
    }
}
