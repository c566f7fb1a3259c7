//! Numbers as people read them.

/// A no-break space between thousands, so that a number stays on one line.
const BETWEEN_THOUSANDS: char = '\u{a0}';

/// Four digits or so: `12 345`, `123`, `12.3`, `1.234`.
pub(super) fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let (sign, digits) = whole.split_at(usize::from(whole.starts_with('-')));
    let mut grouped = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(BETWEEN_THOUSANDS);
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// The same without zeros behind the point, for what is not measured but set.
pub(super) fn round(value: f64) -> String {
    let text = figure(value);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// As short as an axis needs it: `200`, `1.5k`, `2M`.
pub(super) fn short(value: f64) -> String {
    let (value, unit) = match value.abs() {
        value_abs if value_abs >= 1e6 => (value / 1e6, "M"),
        value_abs if value_abs >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{value:.2}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// As a figure's name has it: what [`parse`] reads.
pub(super) fn name(value: u64) -> String {
    if value > 0 && value.is_multiple_of(1_000) {
        format!("{}k", value / 1_000)
    } else {
        value.to_string()
    }
}

/// The number at the end of a figure's name, as `1k` or `19000`.
pub(super) fn parse(text: &str) -> Option<u64> {
    let plain = |text: &str| -> Option<u64> {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    };
    if let Some(thousands) = text.strip_suffix('k') {
        plain(thousands)?.checked_mul(1_000)
    } else if let Some(millions) = text.strip_suffix('m') {
        plain(millions)?.checked_mul(1_000_000)
    } else {
        plain(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let plain = |value| figure(value).replace(BETWEEN_THOUSANDS, " ");
        assert_eq!(plain(1_234_567.0), "1 234 567");
        assert_eq!(plain(-1_500.4), "-1 500");
        assert_eq!(plain(999.6), "1 000");
        assert_eq!(plain(99.94), "99.9");
        assert_eq!(plain(1.15), "1.150");
        assert_eq!(plain(0.0), "0.000");
    }

    #[test]
    fn what_is_set_has_no_zeros_behind_the_point() {
        assert_eq!(
            [0.0, 0.7, 1.15, 8.0, 12.5, 300.0].map(round),
            ["0", "0.7", "1.15", "8", "12.5", "300"]
        );
    }

    #[test]
    fn axes_are_short() {
        let read = [0.0, 0.5, 200.0, 1_000.0, 1_500.0, 2e6].map(short);
        assert_eq!(read, ["0", "0.5", "200", "1k", "1.5k", "2M"]);
    }

    #[test]
    fn names_end_in_numbers() {
        assert_eq!(parse("10k"), Some(10_000));
        assert_eq!(parse("250"), Some(250));
        assert_eq!(parse("1m"), Some(1_000_000));
        for value in [0, 7, 1_000, 19_500, 1_280_000] {
            assert_eq!(parse(&name(value)), Some(value));
        }
        for text in ["", "k", "400b_10k", "+1", "99999999999999999999k"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
