//! Sizes and durations as people write them.

/// Bytes, of a text such as `64KiB`; units are powers of 1024, however they are written.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = with_unit(text)?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// Milliseconds, of a text such as `10m`; without a unit it is seconds, as AnyCable has it.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    let (number, unit) = with_unit(text)?;
    let factor = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// The shortest text of a size.
pub(super) fn show_size(bytes: u64) -> String {
    let unit = |shift: u32| bytes >= 1 << shift && bytes.is_multiple_of(1 << shift);
    match [(30, "GiB"), (20, "MiB"), (10, "KiB")].into_iter().find(|(shift, _)| unit(*shift)) {
        Some((shift, name)) => format!("{}{name}", bytes >> shift),
        None => bytes.to_string(),
    }
}

/// The shortest text of a duration.
pub(super) fn show_milliseconds(ms: u64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    match units.into_iter().find(|(unit, _)| ms >= *unit && ms.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", ms / unit),
        None => format!("{ms}ms"),
    }
}

/// A number and its unit.
fn with_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_read() {
        for bytes in [0, 1, 1023, 1024, 1025, 64 << 10, 3 << 20, 1 << 40] {
            assert_eq!(size(&show_size(bytes)), Some(bytes));
        }
        for ms in [0, 1, 999, 1_000, 1_001, 90_000, 600_000, 3_600_000, 86_400_000] {
            assert_eq!(milliseconds(&show_milliseconds(ms)), Some(ms));
        }
        assert_eq!(
            (show_size(64 << 10), show_milliseconds(90_000)),
            ("64KiB".into(), "90s".into())
        );
    }

    #[test]
    fn what_is_neither_is_nothing() {
        for bad in ["", "x", "-1", "1.5", "1 x", "s", "18446744073709551615h"] {
            assert_eq!((size(bad), milliseconds(bad)), (None, None), "{bad}");
        }
    }
}
