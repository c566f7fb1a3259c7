//! Floating-point numbers as Ruby's `Float#to_s` writes them.

/// The shortest digits that read back as the same number, with a point always; with an exponent
/// below 0.0001 and, for whole numbers, from 1e15 on.
pub(crate) fn ruby_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let (digits, exponent) = shortest(value.abs());
    let (first, rest) = digits.split_at(1);
    match usize::try_from(exponent) {
        // Ruby's own limits: 15 digits of a whole number, any number with a fraction.
        Ok(whole) if whole < rest.len() => {
            let (whole, fraction) = rest.split_at(whole);
            format!("{sign}{first}{whole}.{fraction}")
        }
        Ok(whole) if whole < 15 => format!("{sign}{first}{rest:0<whole$}.0"),
        Err(_) if exponent >= -4 => {
            let zeros = exponent.unsigned_abs() as usize - 1;
            format!("{sign}0.{:0<zeros$}{digits}", "")
        }
        _ => {
            let exponent_sign = if exponent < 0 { '-' } else { '+' };
            let exponent = exponent.unsigned_abs();
            let rest = if rest.is_empty() { "0" } else { rest };
            format!("{sign}{first}.{rest}e{exponent_sign}{exponent:02}")
        }
    }
}

/// The shortest digits of a number, and the power of ten of the first of them.
///
/// Where two digit strings of that length are equally near, Ruby takes the even one and Rust's
/// shortest form the larger; Rust's form with a given precision takes the even one as well.
fn shortest(value: f64) -> (String, i32) {
    let any = format!("{value:e}");
    let precision = any.bytes().take_while(|&byte| byte != b'e').filter(u8::is_ascii_digit).count();
    let even = format!("{value:.*e}", precision - 1);
    let text = if even.parse() == Ok(value) { even } else { any };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::ruby_float;

    /// Each row as Ruby 3.1.7 prints it.
    #[test]
    fn prints_as_ruby_does() {
        for (value, expected) in [
            (0.1, "0.1"),
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (123_456.789, "123456.789"),
            (1e14, "100000000000000.0"),
            (999_999_999_999_999.9, "999999999999999.9"),
            (1e15, "1.0e+15"),
            (806_428_345_165_266.3, "806428345165266.2"),
            (22_992_444_071_684.813, "22992444071684.812"),
            (10.0, "10.0"),
            (10.5, "10.5"),
            (0.5, "0.5"),
            (-2_061_465_238_194_861.5, "-2061465238194861.5"),
            (2_061_465_238_194_861.8, "2061465238194861.8"),
            (1_234_567_890_123_456.0, "1.234567890123456e+15"),
            (9_999_999_999_999_998.0, "9.999999999999998e+15"),
            (1e16, "1.0e+16"),
            (-1e16, "-1.0e+16"),
            (1e23, "1.0e+23"),
            (1.5e300, "1.5e+300"),
            (1e-4, "0.0001"),
            (0.000_123_45, "0.00012345"),
            (9.999e-5, "9.999e-05"),
            (1e-5, "1.0e-05"),
            (5e-324, "5.0e-324"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(ruby_float(value), expected);
        }
    }
}
