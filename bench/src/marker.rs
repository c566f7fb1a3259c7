//! What every payload says of itself: its number in its stream, and when it was published.
//!
//! `@@` number (10 digits) nanoseconds (16 digits of the monotonic clock) `@@`: it stands in Turbo's
//! HTML as it is, in JSON and in an event stream, and can be found without parsing any of them.

use std::sync::LazyLock;

use forebay_turbo::TurboStream;
use memchr::memmem::Finder;
use rustix::time::{ClockId, clock_gettime};

const FENCE: &[u8] = b"@@";
const NUMBER_DIGITS: usize = 10;
const TIME_DIGITS: usize = 16;
const BYTES: usize = 2 * FENCE.len() + NUMBER_DIGITS + TIME_DIGITS;

/// Nanoseconds of a clock that all processes of a machine share.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Marker {
    pub(crate) number: u64,
    pub(crate) at: u64,
}

/// The first marker in `bytes`, and what is behind it.
pub(crate) fn find(bytes: &[u8]) -> Option<(Marker, &[u8])> {
    static FENCES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(FENCE));
    let start = FENCES.find(bytes)?;
    let (marker, rest) = bytes[start..].split_at_checked(BYTES)?;
    let (number, at) = marker[FENCE.len()..BYTES - FENCE.len()].split_at(NUMBER_DIGITS);
    Some((Marker { number: digits(number), at: digits(at) }, rest))
}

fn digits(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, digit| number * 10 + u64::from(digit.wrapping_sub(b'0') & 15))
}

/// A `<turbo-stream>` of `size` bytes (at least about 140) with the marker in it.
pub(crate) fn html(marker: Marker, size: usize) -> String {
    let text = format!("@@{:010}{:016}@@", marker.number, marker.at);
    let append = |text: &str| TurboStream::append("messages").text(text).to_html().into_string();
    let fill = size.saturating_sub(append(&text).len());
    append(&format!("{text}{:x<fill$}", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_has_its_size_and_says_its_number() {
        let marker = Marker { number: 42, at: now() };
        let html = html(marker, 400);
        assert_eq!(html.len(), 400);
        let (found, rest) = find(html.as_bytes()).expect("a marker");
        assert_eq!(found, marker);
        assert_eq!(find(rest), None);
    }

    #[test]
    fn half_a_marker_is_none() {
        assert_eq!(find(b"@@00000000"), None);
    }
}
