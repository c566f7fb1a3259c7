//! Attribute names: Rails' `xml_name_escape`, after <https://www.w3.org/TR/REC-xml/#NT-Name>.
//!
//! This is a security boundary: a name that an application takes from a user must not be able to
//! end the attribute or the tag.

use std::ops::RangeInclusive;

/// Characters that may begin a name. Rails allows `@` beyond the specification, for Vue and Alpine.
const START: [RangeInclusive<char>; 17] = [
    '@'..='@',
    ':'..=':',
    'A'..='Z',
    '_'..='_',
    'a'..='z',
    '\u{C0}'..='\u{D6}',
    '\u{D8}'..='\u{F6}',
    '\u{F8}'..='\u{2FF}',
    '\u{370}'..='\u{37D}',
    '\u{37F}'..='\u{1FFF}',
    '\u{200C}'..='\u{200D}',
    '\u{2070}'..='\u{218F}',
    '\u{2C00}'..='\u{2FEF}',
    '\u{3001}'..='\u{D7FF}',
    '\u{F900}'..='\u{FDCF}',
    '\u{FDF0}'..='\u{FFFD}',
    '\u{10000}'..='\u{EFFFF}',
];

/// Characters that may follow besides.
const FOLLOWING: [RangeInclusive<char>; 6] = [
    '-'..='-',
    '.'..='.',
    '0'..='9',
    '\u{B7}'..='\u{B7}',
    '\u{300}'..='\u{36F}',
    '\u{203F}'..='\u{2040}',
];

/// Appends the name, with `_` in place of each character that may not stand there.
pub(super) fn push(out: &mut String, name: &str) {
    for (at, char) in name.char_indices() {
        push_char(out, char, at == 0);
    }
}

/// Appends a name after a prefix that ends in a dash, with dashes for underscores.
pub(super) fn push_dasherized(out: &mut String, prefix: &str, name: &str) {
    out.push_str(prefix);
    for char in name.chars() {
        push_char(out, if char == '_' { '-' } else { char }, false);
    }
}

fn push_char(out: &mut String, char: char, is_first: bool) {
    let within = |ranges: &[RangeInclusive<char>]| ranges.iter().any(|range| range.contains(&char));
    // Nearly all names are lower-case ASCII: that is asked first.
    let is_allowed = char.is_ascii_lowercase()
        || (!is_first && (char == '-' || within(&FOLLOWING)))
        || within(&START);
    out.push(if is_allowed { char } else { '_' });
}
